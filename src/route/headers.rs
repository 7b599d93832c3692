//! Which headers pass through a proxy, and which end at it.

use http::{
    HeaderMap, HeaderName,
    header::{
        ACCEPT_ENCODING, AUTHORIZATION, CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, EXPECT, HOST, ORIGIN, PROXY_AUTHENTICATE,
        PROXY_AUTHORIZATION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
    },
};

/// Headers of one connection, not of the message (RFC 9110, 7.6.1).
const HOP_BY_HOP: [HeaderName; 7] =
    [CONNECTION, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE];

/// Older names that still occur.
const HOP_BY_HOP_OLD: [&str; 2] = ["keep-alive", "proxy-connection"];

/// Ours to set, or about our own listener: where the request goes, how long it is, how it may be compressed, who pays.
const OURS: [HeaderName; 7] = [HOST, CONTENT_LENGTH, CONTENT_ENCODING, ACCEPT_ENCODING, AUTHORIZATION, EXPECT, ORIGIN];

/// Meant for Lockgate, and nobody else's business.
const PREFIXES: [&str; 2] = ["x-portkey-", "x-lockgate-"];

/// Headers that hold a caller's own credential at some provider. They go on only to the upstream that the operator configured and to whom a config has them forwarded.
const CREDENTIALS: [&str; 4] = ["api-key", "x-api-key", "x-goog-api-key", "cookie"];

/// What a client sent, without what ends here. A `stranger` is not told what the client's credentials are.
pub(super) fn towards_upstream(client: &HeaderMap, stranger: bool, forwarded: &[HeaderName]) -> HeaderMap {
    let named = named_by_connection(client);
    let ends_here = |name: &HeaderName| {
        let ours = OURS.contains(name) || PREFIXES.iter().any(|prefix| name.as_str().starts_with(prefix));
        let kept_back = stranger && CREDENTIALS.contains(&name.as_str());
        hop_by_hop(name, &named) || (ours || kept_back) && !forwarded.contains(name)
    };
    pass(client, ends_here)
}

/// Headers that a config wants forwarded. Those of the connection and those that Lockgate itself is told by are not.
pub(super) fn forwarded<'n>(names: impl Iterator<Item = &'n str>) -> Result<Vec<HeaderName>, String> {
    const NEVER: [HeaderName; 6] = [HOST, CONTENT_LENGTH, CONTENT_ENCODING, ACCEPT_ENCODING, AUTHORIZATION, EXPECT];
    let names = names.map(str::trim).filter(|name| !name.is_empty()).map(|written| {
        let name: HeaderName = written.parse().map_err(|_| format!("`{written}` is no name of a header"))?;
        let secret = ["x-portkey-api-key", "x-portkey-config", "x-portkey-forward-headers"].contains(&name.as_str());
        if NEVER.contains(&name) || secret || hop_by_hop(&name, &[]) {
            return Err(format!("`{written}` is not forwarded: it is about this connection, or says who calls"));
        }
        Ok(name)
    });
    names.collect()
}

/// What an upstream sent, without what ends here. The length is that of the body that we send.
pub(super) fn towards_client(upstream: &HeaderMap) -> HeaderMap {
    let named = named_by_connection(upstream);
    let set_here = |name: &HeaderName| PREFIXES.iter().any(|prefix| name.as_str().starts_with(prefix));
    pass(upstream, |name| hop_by_hop(name, &named) || *name == CONTENT_LENGTH || set_here(name))
}

fn pass(from: &HeaderMap, ends_here: impl Fn(&HeaderName) -> bool) -> HeaderMap {
    let mut out = HeaderMap::with_capacity(from.len());
    for (name, value) in from {
        if !ends_here(name) {
            out.append(name, value.clone());
        }
    }
    out
}

fn hop_by_hop(name: &HeaderName, named: &[String]) -> bool {
    HOP_BY_HOP.contains(name) || HOP_BY_HOP_OLD.contains(&name.as_str()) || named.iter().any(|named| named == name.as_str())
}

/// `Connection` may name further headers that end with the connection.
fn named_by_connection(headers: &HeaderMap) -> Vec<String> {
    let values = headers.get_all(CONNECTION).into_iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(|name| name.trim().to_ascii_lowercase()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
        let mut out = HeaderMap::new();
        for (name, value) in pairs {
            out.append(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
        }
        out
    }

    #[test]
    fn what_belongs_to_the_connection_or_to_us_ends_here() {
        let client = headers(&[
            ("connection", "keep-alive, X-Secret-Hop"),
            ("x-secret-hop", "1"),
            ("keep-alive", "timeout=5"),
            ("te", "trailers"),
            ("transfer-encoding", "chunked"),
            ("host", "localhost"),
            ("authorization", "Bearer x"),
            ("accept-encoding", "gzip"),
            ("x-portkey-trace-id", "t"),
            ("x-lockgate-threshold", "1"),
            ("openai-organization", "org"),
            ("content-type", "application/json"),
            ("x-multi", "1"),
            ("x-multi", "2"),
        ]);
        let out = towards_upstream(&client, false, &[]);
        assert_eq!(
            out,
            headers(&[("openai-organization", "org"), ("content-type", "application/json"), ("x-multi", "1"), ("x-multi", "2")])
        );
    }

    #[test]
    fn an_upstream_cannot_speak_in_our_name() {
        let upstream =
            headers(&[("x-portkey-cache-status", "HIT"), ("content-length", "3"), ("x-request-id", "r"), ("retry-after", "1")]);
        assert_eq!(towards_client(&upstream), headers(&[("x-request-id", "r"), ("retry-after", "1")]));
    }
}
