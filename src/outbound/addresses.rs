//! Which addresses may be called. Judged on the address that a name resolved to, and the connection goes to that very address.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::Settings;
use crate::wire::address::Reach;

/// Where clouds answer a machine's questions about itself, credentials included. Never called, whatever is configured.
const METADATA: [IpAddr; 3] = [
    IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254)),
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0x0ec2, 0, 0, 0, 0, 0, 0x0254)),
];

/// Why an address may not be called; `None` if it may. A foreign one was named by a stranger, who may not have this machine's own services called.
pub(super) fn refusal(address: IpAddr, foreign: bool, settings: &Settings) -> Option<&'static str> {
    if METADATA.contains(&address.to_canonical()) {
        return Some("it is a cloud's metadata service, which is never called");
    }
    match Reach::of(address) {
        Reach::Loopback if foreign && !settings.allow_private => Some("it is a loopback address, and a stranger has named it"),
        Reach::Loopback if settings.allow_loopback => None,
        Reach::Loopback => Some("it is a loopback address, and this Lockgate serves others than its own machine"),
        Reach::Private | Reach::Documentation if settings.allow_private => None,
        Reach::Private | Reach::Documentation => {
            Some("it is a private address, and `upstream.allow_private_addresses` is not set")
        }
        Reach::Nobody => Some("it is no address of one host"),
        Reach::Public => None,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn refused(address: &str, allow_private: bool, allow_loopback: bool) -> bool {
        let settings = Settings { connect_timeout: Duration::ZERO, allow_private, allow_loopback, max_idle: 0 };
        refusal(address.parse().unwrap(), false, &settings).is_some()
    }

    #[test]
    fn metadata_is_never_called() {
        for address in ["169.254.169.254", "::ffff:169.254.169.254", "fd00:ec2::254", "100.100.100.200"] {
            assert!(refused(address, true, true), "{address}");
        }
    }

    #[test]
    fn private_addresses_are_called_only_when_that_is_configured() {
        for address in [
            "10.0.0.1",
            "172.16.0.1",
            "192.168.1.1",
            "100.64.0.1",
            "169.254.1.1",
            "fc00::1",
            "fe80::1",
            "::ffff:10.0.0.1",
            "64:ff9b::a00:1",
            "2002:a00:1::",
        ] {
            assert!(refused(address, false, true), "{address}");
            assert!(!refused(address, true, false), "{address}");
        }
    }

    #[test]
    fn loopback_is_called_only_when_it_is_trusted() {
        for address in ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"] {
            assert!(refused(address, true, false) && !refused(address, false, true), "{address}");
        }
    }

    #[test]
    fn a_stranger_does_not_reach_this_machine() {
        let settings =
            |allow_private| Settings { connect_timeout: Duration::ZERO, allow_private, allow_loopback: true, max_idle: 0 };
        let loopback = "127.0.0.1".parse().unwrap();
        assert!(refusal(loopback, true, &settings(false)).is_some() && refusal(loopback, true, &settings(true)).is_none());
        assert!(refusal("1.1.1.1".parse().unwrap(), true, &settings(false)).is_none());
    }

    #[test]
    fn the_internet_is_called() {
        for address in ["1.1.1.1", "2606:4700:4700::1111", "172.32.0.1"] {
            assert!(!refused(address, false, false), "{address}");
        }
        assert!(refused("0.0.0.0", true, true) && refused("224.0.0.1", true, true));
    }
}
