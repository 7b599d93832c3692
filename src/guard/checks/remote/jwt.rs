//! A signed token that a client must bring, held to the keys of whoever issues it.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, Method};
use jsonwebtoken::{
    Algorithm, DecodingKey, Header, Validation, decode, decode_header,
    jwk::{Jwk, JwkSet},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    super::Kind,
    Answer, Asking, Question, RemoteCheck,
    call::{self, Target},
};
use crate::{
    clock,
    error::{Error, Kind as ErrorKind, Result},
    guard::{rules::Site, verdict::Gate},
    outbound::Client,
};

/// Keys are asked for again for a token that names an unknown one, but no oftener than this.
const MIN_KEY_AGE: Duration = Duration::from_mins(1);

/// Matches a request without a token that is signed with one of the issuer's keys and holds now.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Jwt {
    /// Where the issuer's keys are, as a JSON Web Key Set. Private addresses only if `upstream.allow_private_addresses` is set.
    pub jwks_url: String,
    /// The header that has the token, with or without `Bearer`.
    #[serde(default = "authorization")]
    pub header: String,
    /// How long the keys are kept.
    #[serde(default = "a_day")]
    pub cache: String,
    /// By how much the issuer's clock may differ from ours.
    #[serde(default = "five_seconds")]
    pub clock_tolerance: String,
    /// How long ago a token may have been issued.
    #[serde(default = "a_day")]
    pub max_token_age: String,
    /// How long it may take to fetch the keys.
    #[serde(default = "call::default_timeout")]
    pub timeout: String,
}

fn authorization() -> String {
    "authorization".to_owned()
}

fn a_day() -> String {
    "1d".to_owned()
}

fn five_seconds() -> String {
    "5s".to_owned()
}

impl Kind for Jwt {
    fn build(&self, site: &mut Site<'_, '_>) {
        if site.stands_at(Gate::Output) {
            site.problem_at("/stage", "`jwt` judges requests", "write `stage: input`");
        }
        if !site.says("/on_error") {
            let remedy = "write `on_error: closed`, so that who cannot be known is not let in, or `open`";
            site.problem_at("/on_error", "the rule does not say what follows when the keys cannot be fetched", remedy);
        }
        let mut duration = |key: &str, written: &str| {
            humantime::parse_duration(written).unwrap_or_else(|_| {
                site.problem(key, format!("`{written}` is no length of time"), "write it with its unit, such as `5s` or `1d`");
                Duration::ZERO
            })
        };
        let cache = duration("/cache", &self.cache);
        let tolerance = duration("/clock_tolerance", &self.clock_tolerance);
        let max_age = duration("/max_token_age", &self.max_token_age);
        let timeout = call::timeout(site, &self.timeout);
        let terms = Terms { tolerance, max_age };
        if let Some(token) = site.built(Token::new(&self.jwks_url, &self.header, cache, terms, timeout)) {
            site.keep_remote(token);
        }
    }
}

/// When a token holds.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct Terms {
    pub(in super::super) tolerance: Duration,
    pub(in super::super) max_age: Duration,
}

/// The token of a header.
pub(in super::super) struct Token {
    keys: Target,
    header: HeaderName,
    cache: Duration,
    terms: Terms,
    timeout: Duration,
    known: Mutex<Option<(Instant, Arc<JwkSet>)>>,
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Token").field("keys", &self.keys).field("header", &self.header).finish_non_exhaustive()
    }
}

/// What is read of a token's claims. Whoever writes a time as anything but a number has written no token.
#[derive(Debug, Deserialize)]
struct Claims {
    exp: Option<f64>,
    nbf: Option<f64>,
    iat: Option<f64>,
}

impl Terms {
    fn hold(self, claims: &Claims, now: f64) -> bool {
        let tolerance = self.tolerance.as_secs_f64();
        claims.exp.is_none_or(|exp| now < exp + tolerance)
            && claims.nbf.is_none_or(|nbf| now + tolerance >= nbf)
            && claims.iat.is_some_and(|iat| now + tolerance >= iat && now - iat <= self.max_age.as_secs_f64() + tolerance)
    }
}

impl Token {
    /// The error says which part of it cannot be used.
    pub(in super::super) fn new(
        jwks_url: &str,
        header: &str,
        cache: Duration,
        terms: Terms,
        timeout: Duration,
    ) -> std::result::Result<Self, String> {
        let (keys, header) = (Target::of(jwks_url)?, call::header(header)?);
        Ok(Self { keys, header, cache, terms, timeout, known: Mutex::default() })
    }

    async fn is_good(&self, client: &Client, headers: &HeaderMap) -> Result<bool> {
        let Some(token) = headers.get(&self.header).and_then(|value| value.to_str().ok()) else { return Ok(false) };
        let token =
            token.split_once(' ').filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer")).map_or(token, |(_, token)| token);
        let Ok(header) = decode_header(token.trim()) else { return Ok(false) };
        if matches!(header.alg, Algorithm::HS256 | Algorithm::HS384 | Algorithm::HS512) {
            // Keys that are published sign nothing in secret: whoever has read one could sign so.
            return Ok(false);
        }
        let now = clock::unix_seconds() as f64;
        let mut keys = self.known(self.cache);
        if keys.as_ref().is_none_or(|keys| key(keys, &header).is_none()) && self.known(MIN_KEY_AGE.min(self.cache)).is_none() {
            keys = Some(self.fetch(client).await?);
        }
        let good = |jwk: &Jwk| verified(token.trim(), &header, jwk).is_some_and(|claims| self.terms.hold(&claims, now));
        Ok(keys.is_some_and(|keys| key(&keys, &header).is_some_and(good)))
    }

    /// The keys, if they are not older than this.
    fn known(&self, max_age: Duration) -> Option<Arc<JwkSet>> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let (since, keys) = known.as_ref()?;
        (clock::now().saturating_duration_since(*since) <= max_age).then(|| Arc::clone(keys))
    }

    async fn fetch(&self, client: &Client) -> Result<Arc<JwkSet>> {
        let body = self.keys.call(client, Method::GET, HeaderMap::new(), Bytes::new()).await?;
        let keys = serde_json::from_slice(&body).map(Arc::new).map_err(|error| {
            Error::new(ErrorKind::UpstreamMalformed, "The issuer's keys are no JSON Web Key Set.").because(error)
        })?;
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = Some((clock::now(), Arc::clone(&keys)));
        Ok(keys)
    }
}

/// The key that a token names; one that names none means the only one there is.
fn key<'k>(keys: &'k JwkSet, header: &Header) -> Option<&'k Jwk> {
    match (&header.kid, &keys.keys[..]) {
        (Some(kid), _) => keys.find(kid),
        (None, [only]) => Some(only),
        (None, _) => None,
    }
}

/// The claims of a token that this key has signed.
fn verified(token: &str, header: &Header, jwk: &Jwk) -> Option<Claims> {
    let mut validation = Validation::new(header.alg);
    // Times are held to the claims as they are read here, and to our own clock.
    (validation.validate_exp, validation.validate_nbf, validation.validate_aud) = (false, false, false);
    validation.required_spec_claims.clear();
    decode(token, &DecodingKey::from_jwk(jwk).ok()?, &validation).ok().map(|token| token.claims)
}

impl RemoteCheck for Token {
    fn ask<'a>(&'a self, client: &'a Client, question: &'a Question<'a>) -> Asking<'a> {
        Box::pin(async { Ok(Answer::of(!self.is_good(client, question.headers).await?)) })
    }

    fn timeout(&self) -> Duration {
        self.timeout
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_holds_between_its_times_and_not_for_ever() {
        let terms = Terms { tolerance: Duration::from_secs(5), max_age: Duration::from_secs(100) };
        let claims = |exp, nbf, iat| Claims { exp, nbf, iat };
        let cases = [
            (claims(Some(1010.0), Some(990.0), Some(990.0)), true),
            (claims(None, None, Some(1000.0)), true),
            (claims(Some(996.0), None, Some(990.0)), true),
            (claims(Some(995.0), None, Some(990.0)), false),
            (claims(None, Some(1006.0), Some(990.0)), false),
            (claims(None, None, Some(894.0)), false),
            (claims(None, None, Some(1006.0)), false),
            (claims(Some(1010.0), None, None), false),
        ];
        for (claims, holds) in cases {
            assert_eq!(terms.hold(&claims, 1000.0), holds, "{claims:?}");
        }
    }

    #[test]
    fn a_time_that_is_no_number_is_no_claim() {
        assert!(serde_json::from_str::<Claims>(r#"{"exp": "never", "iat": 1}"#).is_err());
    }
}
