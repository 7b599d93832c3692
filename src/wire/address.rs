//! What kind of place an IP address is.

use std::net::{IpAddr, Ipv4Addr};

/// The kinds that matter to a proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// This machine.
    Loopback,
    /// A network that is not the internet: private, shared, link-local or reserved.
    Private,
    /// Set aside for examples.
    Documentation,
    /// No address of one host: unspecified or multicast.
    Nobody,
    /// The internet.
    Public,
}

impl Reach {
    /// The kind of an address. IPv4 inside IPv6 (mapped, NAT64, 6to4) is judged as where it ends up.
    pub fn of(address: IpAddr) -> Self {
        let address = address.to_canonical();
        if address.is_loopback() {
            Self::Loopback
        } else if address.is_unspecified() || address.is_multicast() {
            Self::Nobody
        } else {
            match address {
                IpAddr::V4(v4) => of_v4(v4),
                IpAddr::V6(v6) => match v6.segments() {
                    [0x64, 0xff9b, .., high, low] | [0x2002, high, low, ..] => {
                        Self::of(Ipv4Addr::from((u32::from(high) << 16) | u32::from(low)).into())
                    }
                    [0x2001, 0xdb8, ..] => Self::Documentation,
                    _ if v6.is_unique_local() || v6.is_unicast_link_local() => Self::Private,
                    _ => Self::Public,
                },
            }
        }
    }
}

fn of_v4(v4: Ipv4Addr) -> Reach {
    let [first, second, ..] = v4.octets();
    let shared = first == 100 && (64..128).contains(&second);
    let reserved = first == 0 || first >= 240;
    if v4.is_documentation() {
        Reach::Documentation
    } else if v4.is_private() || v4.is_link_local() || shared || reserved {
        Reach::Private
    } else {
        Reach::Public
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_the_internet_from_the_rest() {
        let cases = [
            (Reach::Loopback, &["127.9.9.9", "::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1"][..]),
            (
                Reach::Private,
                &["10.0.0.1", "172.16.0.1", "192.168.1.1", "100.64.0.1", "169.254.1.1", "0.1.2.3", "255.255.255.255"],
            ),
            (Reach::Private, &["fc00::1", "fe80::1", "::ffff:10.0.0.1", "64:ff9b::a00:1", "2002:a00:1::"]),
            (Reach::Documentation, &["192.0.2.7", "2001:db8::1"]),
            (Reach::Nobody, &["0.0.0.0", "::", "224.0.0.1", "ff02::1"]),
            (Reach::Public, &["1.1.1.1", "172.32.0.1", "2606:4700:4700::1111"]),
        ];
        for (reach, addresses) in cases {
            for address in addresses {
                assert_eq!(Reach::of(address.parse().unwrap()), reach, "{address}");
            }
        }
    }
}
