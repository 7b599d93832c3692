//! What a client says in headers: its trace id, and what it wants of the cache.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use http::{HeaderMap, HeaderValue, Request, header::CACHE_CONTROL};
use uuid::Uuid;

use crate::{
    error::{Error, Kind, Result},
    exchange::Span,
    pipeline::Wish,
};

const TRACE_ID: &str = "x-portkey-trace-id";
const SPAN: [&str; 3] = ["x-portkey-span-id", "x-portkey-span-name", "x-portkey-parent-span-id"];
const REFRESH: &str = "x-portkey-cache-force-refresh";
const METADATA: &str = "x-portkey-metadata";
const NAMESPACE: &str = "x-portkey-cache-namespace";
const TTL: &str = "x-portkey-cache-ttl";
const THRESHOLD: &str = "x-lockgate-threshold";
const GUARDRAILS: &str = "x-lockgate-guardrails";

/// Longest name that a client may give.
const MAX_NAME_BYTES: usize = 256;
/// Largest metadata of one request, as JSON.
const MAX_METADATA_BYTES: usize = 8 << 10;
/// Most keys in it.
const MAX_METADATA_KEYS: usize = 64;

/// Refuses a head that is larger than the limit, with a message. The parser's own limit is wider, and knows none.
pub(super) fn bounded<B>(request: &Request<B>, limit: usize) -> Result<()> {
    // A line has a colon, a space and a line break beside name and value.
    let lines = request.headers().iter().map(|(name, value)| name.as_str().len() + value.len() + 4);
    let target = request.uri().path_and_query().map_or(0, |target| target.as_str().len());
    let size = target + lines.sum::<usize>();
    if size <= limit {
        return Ok(());
    }
    let message =
        format!("The request line and headers are {size} bytes, more than {limit}. Send less, or raise `server.max_head`.");
    Err(Error::new(Kind::HeadTooLarge, message))
}

/// The client's trace id, or a new one. An id that would not fit a log line is not echoed.
pub(super) fn trace_id(headers: &HeaderMap) -> String {
    let given = headers.get(TRACE_ID).and_then(|value| value.to_str().ok());
    let given = given.filter(|id| !id.is_empty() && id.len() <= MAX_NAME_BYTES);
    given.map_or_else(|| Uuid::new_v4().to_string(), str::to_owned)
}

/// Where the request stands in the client's trace. What would not fit a log line is left out.
pub(super) fn span(headers: &HeaderMap) -> Span {
    let [id, name, parent] = SPAN.map(|name| {
        let value = headers.get(name).and_then(|value| value.to_str().ok());
        value.filter(|value| !value.is_empty() && value.len() <= MAX_NAME_BYTES).map(str::to_owned)
    });
    Span { id, name, parent }
}

/// Reads what the client wants of the cache.
pub(super) fn wish(headers: &HeaderMap) -> Result<Wish> {
    let mut wish =
        Wish { refresh: text(headers, REFRESH)?.is_some_and(|value| value.eq_ignore_ascii_case("true")), ..Wish::default() };
    cache_control(headers, &mut wish);
    wish.namespace = text(headers, NAMESPACE)?.map(str::to_owned);
    if let Some(seconds) = text(headers, TTL)? {
        let seconds = seconds.parse().map_err(|_| invalid(TTL, "a number of seconds, such as 3600"))?;
        wish.ttl = Some(Duration::from_secs(seconds));
    }
    if let Some(threshold) = text(headers, THRESHOLD)? {
        let threshold = threshold.parse().ok().filter(|threshold| (0.0..=1.0).contains(threshold));
        wish.threshold = Some(threshold.ok_or_else(|| invalid(THRESHOLD, "a similarity from 0 to 1; higher is stricter"))?);
    }
    Ok(wish)
}

/// Reads which profiles of guardrails the client asks for, beside those that it has.
pub(super) fn profiles(headers: &HeaderMap) -> Result<BTreeSet<String>> {
    let mut profiles = BTreeSet::new();
    for value in headers.get_all(GUARDRAILS) {
        let names = readable(GUARDRAILS, value)?.split(',').map(str::trim);
        profiles.extend(names.filter(|name| !name.is_empty()).map(str::to_owned));
    }
    Ok(profiles)
}

/// Reads what the client says of the request, by key.
pub(super) fn metadata(headers: &HeaderMap) -> Result<BTreeMap<String, String>> {
    let Some(value) = headers.get(METADATA) else { return Ok(BTreeMap::new()) };
    let read = Some(value.as_bytes()).filter(|json| json.len() <= MAX_METADATA_BYTES);
    let read = read.and_then(|json| serde_json::from_slice::<BTreeMap<String, serde_json::Value>>(json).ok());
    let read = read.filter(|metadata| metadata.len() <= MAX_METADATA_KEYS);
    let read = read.map(|metadata| metadata.into_iter().filter_map(|(key, value)| Some((key, text_of(value)?))).collect());
    read.ok_or_else(|| invalid(METADATA, "a JSON object of strings, with at most 64 keys and 8 KiB, such as {\"env\": \"prod\"}"))
}

/// Frameworks write whatever they have where text is meant, and nothing as `null`.
fn text_of(value: serde_json::Value) -> Option<String> {
    match value {
        serde_json::Value::Null => None,
        serde_json::Value::String(text) => Some(text),
        other => Some(other.to_string()),
    }
}

/// `no-store` keeps the cache out of it, `no-cache` asks for a fresh answer, `max-age` shortens an answer's life.
fn cache_control(headers: &HeaderMap, wish: &mut Wish) {
    let values = headers.get_all(CACHE_CONTROL).into_iter().filter_map(|value| value.to_str().ok());
    for directive in values.flat_map(|value| value.split(',')).map(str::trim) {
        match directive.to_ascii_lowercase().as_str() {
            "no-store" => wish.no_store = true,
            "no-cache" => wish.refresh = true,
            other => {
                let seconds = other.strip_prefix("max-age=").and_then(|seconds| seconds.parse().ok());
                wish.ttl = seconds.map(Duration::from_secs).or(wish.ttl);
            }
        }
    }
}

fn text<'h>(headers: &'h HeaderMap, name: &'static str) -> Result<Option<&'h str>> {
    headers.get(name).map(|value| readable(name, value)).transpose()
}

fn readable<'h>(name: &'static str, value: &'h HeaderValue) -> Result<&'h str> {
    let value = value.to_str().ok().filter(|value| value.len() <= MAX_NAME_BYTES);
    value.ok_or_else(|| invalid(name, "at most 256 visible ASCII characters"))
}

fn invalid(name: &'static str, expected: &str) -> Error {
    Error::new(Kind::InvalidHeader, format!("The header `{name}` must be {expected}.")).param(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|&(name, value)| (http::HeaderName::from_static(name), value.parse().unwrap())).collect()
    }

    #[test]
    fn reads_portkeys_headers_and_the_standard_one() {
        let wish = wish(&headers(&[
            ("cache-control", "no-cache, Max-Age=5"),
            ("x-portkey-cache-namespace", "n"),
            ("x-lockgate-threshold", "0.99"),
        ]));
        let expected = Wish {
            refresh: true,
            no_store: false,
            namespace: Some("n".to_owned()),
            threshold: Some(0.99),
            ttl: Some(Duration::from_secs(5)),
            ..Wish::default()
        };
        assert_eq!(wish.unwrap(), expected);
    }

    #[test]
    fn reads_the_profiles_that_a_client_adds() {
        let asked = profiles(&headers(&[(GUARDRAILS, "strict, pii,,strict ")])).unwrap();
        assert_eq!(asked.into_iter().collect::<Vec<_>>(), ["pii", "strict"]);
        assert!(profiles(&headers(&[])).unwrap().is_empty());
    }

    #[test]
    fn names_the_header_that_is_out_of_bounds() {
        let long = "x".repeat(300);
        for (name, value) in [(TTL, "soon"), (TTL, "-1"), (THRESHOLD, "2"), (THRESHOLD, "NaN"), (NAMESPACE, long.as_str())] {
            let error = wish(&headers(&[(name, value)])).unwrap_err();
            assert_eq!(error.field(), Some(name), "{value}");
        }
    }

    #[test]
    fn metadata_is_an_object_of_strings() {
        let read = metadata(&headers(&[(METADATA, r#"{"env": "prod", "_user": 7, "none": null, "tags": ["a"]}"#)])).unwrap();
        assert_eq!(read.values().collect::<Vec<_>>(), ["7", "prod", "[\"a\"]"]);
        assert!(metadata(&headers(&[])).unwrap().is_empty());
        let long = format!("{{\"a\": \"{}\"}}", "x".repeat(MAX_METADATA_BYTES));
        let many =
            serde_json::to_string(&(0..=MAX_METADATA_KEYS).map(|n| (n.to_string(), "")).collect::<BTreeMap<_, _>>()).unwrap();
        for value in ["", "prod", "[]", &long, &many] {
            assert_eq!(metadata(&headers(&[(METADATA, value)])).unwrap_err().field(), Some(METADATA), "{value}");
        }
    }

    #[test]
    fn a_span_is_what_the_client_says_of_it() {
        let told = span(&headers(&[("x-portkey-span-id", "s"), ("x-portkey-span-name", ""), ("x-portkey-parent-span-id", "p")]));
        assert_eq!(told, Span { id: Some("s".to_owned()), name: None, parent: Some("p".to_owned()) });
    }

    #[test]
    fn echoes_a_usable_trace_id_and_makes_one_otherwise() {
        assert_eq!(trace_id(&headers(&[(TRACE_ID, "mine")])), "mine");
        let long = "x".repeat(300);
        for pairs in [&[][..], &[(TRACE_ID, "")], &[(TRACE_ID, long.as_str())]] {
            assert_eq!(trace_id(&headers(pairs)).len(), 36);
        }
    }
}
