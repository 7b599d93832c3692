//! One call to somebody who is asked: where, with what, for how long.

use std::{collections::BTreeMap, time::Duration};

use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, Uri,
    header::{CONTENT_TYPE, HOST},
};
use http_body_util::Full;

use crate::{
    error::{Error, Kind, Result},
    guard::rules::Site,
    outbound::{Client, Origin, Patience},
    wire::collect,
};

/// What is answered may be this large: a body that takes the place of another, or a set of keys.
const MAX_ANSWER_BYTES: usize = 4 << 20;

/// Where a call goes.
#[derive(Debug, Clone)]
pub(super) struct Target {
    origin: Origin,
    uri: Uri,
    host: HeaderValue,
}

impl Target {
    /// Reads an absolute URL without a user name, which no call would send.
    pub(super) fn of(url: &str) -> std::result::Result<Self, String> {
        let read = || {
            let uri: Uri = url.parse().ok()?;
            let authority = uri.authority()?.as_str();
            let host = HeaderValue::from_str(authority).ok().filter(|_| !authority.contains('@'))?;
            Some(Self { origin: Origin::of(&uri)?, host, uri })
        };
        read().ok_or_else(|| format!("`{url}` is no URL that can be called, such as `https://guard.example.com/check`"))
    }

    /// Reads a URL that a model or a client has written.
    pub(super) fn of_a_stranger(url: &str) -> std::result::Result<Self, String> {
        Self::of(url).map(|target| Self { origin: target.origin.named_by_a_stranger(), ..target })
    }

    /// Calls, and reads the whole answer. One that does not report success is an error.
    pub(super) async fn call(&self, client: &Client, method: Method, headers: HeaderMap, body: Bytes) -> Result<Bytes> {
        let response = client.send(&self.origin, self.request(method, headers, body)?, LONG).await?;
        let status = response.status();
        if !status.is_success() {
            return Err(Error::new(Kind::UpstreamError, format!("{} answered with status {}.", self.origin, status.as_u16())));
        }
        collect::whole(response.into_body(), MAX_ANSWER_BYTES)
            .await
            .map_err(|_| Error::new(Kind::UpstreamMalformed, format!("The answer of {} broke off or is too large.", self.origin)))
    }

    /// Calls, and reports the status alone.
    pub(super) async fn knock(&self, client: &Client) -> Result<http::StatusCode> {
        let request = self.request(Method::HEAD, HeaderMap::new(), Bytes::new())?;
        Ok(client.send(&self.origin, request, LONG).await?.status())
    }

    /// Whether its host has an address that may be called.
    pub(super) async fn resolves(&self, client: &Client) -> bool {
        client.resolve(&self.origin).await.is_ok()
    }

    fn request(&self, method: Method, mut headers: HeaderMap, body: Bytes) -> Result<Request<Full<Bytes>>> {
        let path = self.uri.path_and_query().map_or("/", |path| path.as_str());
        headers.insert(HOST, self.host.clone());
        let mut request =
            Request::builder().method(method).uri(path).body(Full::new(body)).map_err(|error| {
                Error::new(Kind::Internal, format!("No request to {} can be made.", self.origin)).because(error)
            })?;
        *request.headers_mut() = headers;
        Ok(request)
    }
}

/// Who asks sets the limit for the whole call.
const LONG: Patience = Patience { head: Duration::from_hours(1), idle: Duration::from_hours(1) };

/// The headers that an author wrote for a call with a JSON body. Their values may be keys, and are not shown.
pub(super) fn headers(written: &BTreeMap<String, String>) -> std::result::Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    for (name, value) in written {
        let mut value =
            HeaderValue::from_str(value).map_err(|_| format!("the value of `{name}` has characters that no header can hold"))?;
        value.set_sensitive(true);
        headers.insert(header(name)?, value);
    }
    headers.entry(CONTENT_TYPE).or_insert(HeaderValue::from_static("application/json"));
    Ok(headers)
}

/// The name of a header.
pub(super) fn header(name: &str) -> std::result::Result<HeaderName, String> {
    name.parse().map_err(|_| format!("`{name}` is no header"))
}

/// A timeout as it is written, such as `3s`.
pub(super) fn timeout(site: &mut Site<'_, '_>, written: &str) -> Duration {
    humantime::parse_duration(written).ok().filter(|timeout| !timeout.is_zero()).unwrap_or_else(|| {
        site.problem(
            "/timeout",
            format!("`{written}` is no time to wait for"),
            "write it with its unit, such as `3s` or `500ms`",
        );
        DEFAULT_TIMEOUT
    })
}

/// How long somebody who is asked may take.
pub(super) const DEFAULT_TIMEOUT: Duration = Duration::from_secs(3);

/// The same, as it is written.
pub(super) fn default_timeout() -> String {
    humantime::format_duration(DEFAULT_TIMEOUT).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_an_absolute_url_without_a_user() {
        assert!(Target::of("https://guard.example.com/check?a=1").is_ok());
        for url in ["/check", "guard.example.com", "ftp://a.example", "https://ann:b@a.example/", "https://", ""] {
            assert!(Target::of(url).is_err(), "{url}");
        }
    }
}
