//! What a request's headers say of where it goes.

use std::{collections::BTreeMap, time::Duration};

use http::{HeaderMap, HeaderName, HeaderValue};

use super::{
    config::{CacheChoice, Named, Spec},
    headers::forwarded,
};
use crate::error::{Error, Kind, Result};

const CONFIG: &str = "x-portkey-config";
const PROVIDER: &str = "x-portkey-provider";
const VIRTUAL_KEY: &str = "x-portkey-virtual-key";
const CUSTOM_HOST: &str = "x-portkey-custom-host";
const FORWARD_HEADERS: &str = "x-portkey-forward-headers";
const REQUEST_TIMEOUT: &str = "x-portkey-request-timeout";
const RETRY_COUNT: &str = "x-portkey-retry-count";
const CACHE: &str = "x-portkey-cache";
const STRICT: &str = "x-portkey-strict-open-ai-compliance";

/// Beginnings of headers that providers are told something by; without `x-portkey-` and with underscores they are keys of a config.
const OPTIONS: [&str; 10] =
    ["azure-", "aws-", "vertex-", "openai-", "anthropic-", "workers-ai-", "huggingface-", "mistral-", "snowflake-", "oracle-"];

/// What a request's headers say of where it goes.
#[derive(Debug, Clone, Default)]
pub struct Ask {
    /// A config, or the name of one.
    pub config: Option<String>,
    /// For targets that name no provider of their own.
    pub base: Spec,
    /// Whether the headers say anything of the way.
    pub given: bool,
    /// Whether the client wants nothing beside what OpenAI's API has; Portkey's clients say that they do not mind.
    pub strict: bool,
    /// Which of the operator's routes it came by.
    pub route: Option<String>,
    /// The operator's config for it where it brings none: that of the prompt it was made of.
    pub fallback: Option<String>,
}

impl Ask {
    /// Reads the headers.
    pub fn read(headers: &HeaderMap) -> Result<Self> {
        let strict = text(headers, STRICT)?.is_none_or(|strict| !strict.eq_ignore_ascii_case("false"));
        let says = |name: &HeaderName| name.as_str().starts_with("x-portkey-");
        if !headers.keys().any(says) {
            return Ok(Self { strict, ..Self::default() });
        }
        let config = text(headers, CONFIG)?.map(str::to_owned).filter(|config| !config.trim().is_empty());
        let provider = text(headers, PROVIDER)?.map(str::to_owned);
        let virtual_key = text(headers, VIRTUAL_KEY)?.map(str::to_owned);
        let custom_host = text(headers, CUSTOM_HOST)?.map(str::to_owned);
        let options = options(headers);
        let timeout = number(headers, REQUEST_TIMEOUT)?.map(Duration::from_millis);
        let retries = number(headers, RETRY_COUNT)?.map(|count| u32::try_from(count).unwrap_or(u32::MAX));
        let cache = match text(headers, CACHE)? {
            None | Some("") => CacheChoice::default(),
            Some("simple") => CacheChoice::of(Named::Simple),
            Some("semantic") => CacheChoice::of(Named::Semantic),
            Some(_) => return Err(invalid(CACHE, "`simple` or `semantic`")),
        };
        let forward = text(headers, FORWARD_HEADERS)?.unwrap_or_default().split(',');
        let forward = forwarded(forward).map_err(|message| {
            Error::new(Kind::InvalidHeader, format!("The header `{FORWARD_HEADERS}`: {message}.")).param(FORWARD_HEADERS)
        })?;
        let given = [config.is_some(), provider.is_some(), virtual_key.is_some(), custom_host.is_some(), timeout.is_some()];
        let given = given.contains(&true) || retries.is_some() || !forward.is_empty();
        let mut base = Spec::default().with_headers(timeout, forward, retries, cache);
        (base.provider, base.virtual_key, base.custom_host, base.options) = (provider, virtual_key, custom_host, options);
        Ok(Self { config, base, given, strict, route: None, fallback: None })
    }

    /// Tells asks apart.
    pub(super) fn fingerprint(&self, config: Option<&str>) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new();
        let Self { base, .. } = self;
        for part in [config, base.provider.as_deref(), base.virtual_key.as_deref(), base.custom_host.as_deref()] {
            match part {
                Some(part) => hasher.update(&(part.len() as u64).to_le_bytes()).update(part.as_bytes()),
                None => hasher.update(&u64::MAX.to_le_bytes()),
            };
        }
        base.identify(&mut hasher);
        *hasher.finalize().as_bytes()
    }
}

/// Whether a request comes with a config of Portkey's, or what stands for one.
pub fn speaks_portkey(headers: &HeaderMap) -> bool {
    headers.contains_key(CONFIG)
}

fn options(headers: &HeaderMap) -> BTreeMap<String, String> {
    let option = |(name, value): (&HeaderName, &HeaderValue)| {
        let name = name.as_str().strip_prefix("x-portkey-")?;
        let known = OPTIONS.iter().any(|beginning| name.starts_with(beginning));
        known.then_some((name.replace('-', "_"), value.to_str().ok()?.to_owned()))
    };
    headers.iter().filter_map(option).collect()
}

fn number(headers: &HeaderMap, name: &'static str) -> Result<Option<u64>> {
    let Some(text) = text(headers, name)? else { return Ok(None) };
    text.trim().parse().map(Some).map_err(|_| invalid(name, "a whole number"))
}

fn text<'h>(headers: &'h HeaderMap, name: &'static str) -> Result<Option<&'h str>> {
    let Some(value) = headers.get(name) else { return Ok(None) };
    // Configs may hold any text; JSON in a header is often UTF-8.
    std::str::from_utf8(value.as_bytes()).map(Some).map_err(|_| invalid(name, "text in UTF-8"))
}

fn invalid(name: &'static str, expected: &str) -> Error {
    Error::new(Kind::InvalidHeader, format!("The header `{name}` must be {expected}.")).param(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|&(name, value)| (HeaderName::from_static(name), value.parse().unwrap())).collect()
    }

    #[test]
    fn a_plain_request_says_nothing_of_its_way() {
        let ask = Ask::read(&headers(&[("authorization", "Bearer x"), ("content-type", "application/json")])).unwrap();
        assert!(!ask.given && ask.strict);
        let ask = Ask::read(&headers(&[("x-portkey-trace-id", "t"), ("x-portkey-strict-open-ai-compliance", "False")])).unwrap();
        assert!(!ask.given && !ask.strict);
    }

    #[test]
    fn asks_that_differ_are_told_apart() {
        let asks = [
            &[("x-portkey-provider", "openai")][..],
            &[("x-portkey-virtual-key", "openai")],
            &[("x-portkey-config", "openai")],
            &[("x-portkey-provider", "openai"), ("x-portkey-request-timeout", "5")],
            &[("x-portkey-provider", "openai"), ("x-portkey-retry-count", "2")],
            &[("x-portkey-provider", "openai"), ("x-portkey-azure-resource-name", "a")],
            &[("x-portkey-provider", "openai"), ("x-portkey-forward-headers", "x-mine")],
        ];
        let read = |pairs: &[(&'static str, &str)]| Ask::read(&headers(pairs)).unwrap();
        let prints: std::collections::BTreeSet<_> = asks
            .iter()
            .map(|pairs| {
                let ask = read(pairs);
                assert!(ask.given);
                ask.fingerprint(ask.config.as_deref())
            })
            .collect();
        assert_eq!(prints.len(), asks.len());
    }

    #[test]
    fn a_header_that_cannot_be_read_is_named() {
        for (name, value) in
            [(REQUEST_TIMEOUT, "soon"), (RETRY_COUNT, "-1"), (CACHE, "fuzzy"), (FORWARD_HEADERS, "authorization")]
        {
            assert_eq!(Ask::read(&headers(&[(name, value)])).unwrap_err().field(), Some(name), "{value}");
        }
    }
}
