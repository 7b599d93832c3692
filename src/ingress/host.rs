//! Loopback is not safe by itself: any web page can make its visitor's browser post to it. Such a request carries a foreign `Host` or `Origin`.

use http::{HeaderMap, Uri, header};

use crate::error::{Error, Kind, Result};

/// Lets through what comes from this machine; for listeners on loopback that ask for no key.
pub fn local_page(headers: &HeaderMap, uri: &Uri) -> Result<()> {
    let host = uri.authority().map(http::uri::Authority::as_str).or_else(|| text(headers, &header::HOST));
    if !host.is_some_and(local) {
        let message = "The `Host` header does not name this machine. Call http://127.0.0.1 or http://localhost; to serve other \
                       names, add client keys under `access.client_keys`.";
        return Err(Error::new(Kind::ForeignOrigin, message));
    }
    let origin = headers.get(header::ORIGIN).map(|value| value.to_str().unwrap_or_default());
    if origin.is_some_and(|origin| !origin.split_once("://").is_some_and(|(_, host)| local(host))) {
        let message = "The `Origin` header names a web page elsewhere, which may not call this port. To serve pages, add client keys \
                       under `access.client_keys`.";
        return Err(Error::new(Kind::ForeignOrigin, message));
    }
    Ok(())
}

fn text<'h>(headers: &'h HeaderMap, name: &header::HeaderName) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}

fn local(authority: &str) -> bool {
    let host = match authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((v6, _port)) => v6,
        None => authority.rsplit_once(':').map_or(authority, |(host, _port)| host),
    };
    let loopback = host.parse::<std::net::IpAddr>().is_ok_and(|address| address.to_canonical().is_loopback());
    loopback || host.eq_ignore_ascii_case("localhost")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(host: Option<&str>, origin: Option<&str>) -> bool {
        let mut headers = HeaderMap::new();
        if let Some(host) = host {
            headers.insert(header::HOST, host.parse().unwrap());
        }
        if let Some(origin) = origin {
            headers.insert(header::ORIGIN, origin.parse().unwrap());
        }
        local_page(&headers, &Uri::from_static("/v1/models")).is_ok()
    }

    #[test]
    fn this_machine_is_let_through_and_others_are_not() {
        for host in ["localhost", "LOCALHOST:8787", "127.0.0.1:1", "127.3.2.1", "[::1]:8787", "[::1]"] {
            assert!(judged(Some(host), None), "{host}");
        }
        for host in ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example:80", "10.0.0.1", ""] {
            assert!(!judged(Some(host), None), "{host}");
        }
        assert!(!judged(None, None));
    }

    #[test]
    fn a_page_from_elsewhere_is_refused() {
        assert!(judged(Some("localhost"), Some("http://localhost:3000")));
        for origin in ["https://evil.example", "null", "http://127.0.0.1.evil.example"] {
            assert!(!judged(Some("localhost"), Some(origin)), "{origin}");
        }
    }
}
