//! Who may, and how much: client keys, tenants, limits.
//!
//! With client keys, what a client presents is its key and is never passed on. Without, it is the provider's credential, and the tenant
//! is a keyed hash of it: callers with different credentials share no entries, and the hash tells nobody the credential.

use std::{collections::BTreeSet, sync::Arc};

use http::{HeaderMap, HeaderValue, header::AUTHORIZATION};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

pub mod limits;
pub mod meter;

pub use limits::{Bill, Limits};

use crate::{
    error::{Error, Kind, Result},
    exchange::Tenant,
};

/// Who may call.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Settings {
    /// The client keys; when empty, whoever reaches the port may call.
    pub client_keys: Vec<ClientKey>,
    /// How much they may have.
    pub limits: limits::Settings,
}

/// One key that a client may present. The key itself is never kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClientKey {
    /// Its name in logs and metrics.
    pub name: String,
    /// SHA-256 of the key.
    pub sha256: [u8; 32],
    /// Whose cache entries it shares.
    pub tenant: String,
    /// Its profiles of guardrails, if it does not have the default ones.
    pub profiles: Option<Arc<BTreeSet<String>>>,
    /// The config that its requests follow when they bring none.
    pub config: Option<Arc<str>>,
    /// The virtual keys that it may use; all without a list.
    pub virtual_keys: Option<Arc<BTreeSet<String>>>,
}

/// What the SDKs send when their user gave them no key. They must not reach a provider.
const DUMMIES: [&str; 3] = ["OPENAI_API_KEY", "DUMMY-KEY", "not-needed"];

/// Headers that go on to the upstream and say there who asks or what may be answered: callers that differ in one of them are different tenants.
const IDENTITY: [&str; 8] = [
    "api-key",
    "x-api-key",
    "x-goog-api-key",
    "cookie",
    "openai-organization",
    "openai-project",
    "openai-beta",
    "anthropic-beta",
];

/// Where the Portkey SDKs put their key.
const PORTKEY_KEY: &str = "x-portkey-api-key";

/// Where Anthropic's put theirs.
const ANTHROPIC_KEY: &str = "x-api-key";

/// Who calls.
#[derive(Debug, Clone)]
pub struct Caller {
    /// Whose cache entries it shares.
    pub tenant: Tenant,
    /// What the configuration calls the tenant, if there are client keys.
    pub tenant_name: Option<Arc<str>>,
    /// The client key's name, if there are client keys.
    pub key: Option<String>,
    /// Its profiles of guardrails, if it does not have the default ones.
    pub profiles: Option<Arc<BTreeSet<String>>>,
    /// The config that its requests follow when they bring none.
    pub config: Option<Arc<str>>,
    /// The virtual keys that it may use; all without a list.
    pub virtual_keys: Option<Arc<BTreeSet<String>>>,
    /// The `Authorization` to pass on, if the client brought one for the provider.
    pub credential: Option<HeaderValue>,
}

impl Caller {
    /// Takes the key of Anthropic's clients out of the headers that go on. A client key ends here; a credential of who speaks Messages goes on in the form
    /// that each provider takes.
    pub fn take_key(&mut self, headers: &mut HeaderMap, speaks_messages: bool) {
        if self.key.is_none() && !speaks_messages {
            return;
        }
        let presented = headers.remove(ANTHROPIC_KEY).filter(|_| self.key.is_none() && self.credential.is_none());
        let presented = presented.filter(|key| !key.to_str().is_ok_and(|key| DUMMIES.contains(&key)));
        self.credential = self.credential.take().or_else(|| {
            let mut value = HeaderValue::from_bytes(&[b"Bearer ", presented?.as_bytes()].concat()).ok()?;
            value.set_sensitive(true);
            Some(value)
        });
    }
}

/// A secret that nobody has had before.
pub fn fresh_secret() -> [u8; 32] {
    let mut secret = [0; 32];
    secret[..16].copy_from_slice(uuid::Uuid::new_v4().as_bytes());
    secret[16..].copy_from_slice(uuid::Uuid::new_v4().as_bytes());
    secret
}

/// Knows the keys.
pub struct Access {
    keys: Vec<ClientKey>,
    /// Random, and kept where entries are kept: a tenant's hash means nothing elsewhere, and the same after a restart.
    secret: [u8; 32],
    /// What they have had.
    pub limits: Limits,
}

impl std::fmt::Debug for Access {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Access").field("keys", &self.keys.len()).finish_non_exhaustive()
    }
}

impl Access {
    /// Access under these settings. Tenants are hashed with the secret; see [`fresh_secret`].
    pub fn new(settings: &Settings, secret: [u8; 32]) -> Self {
        Self { keys: settings.client_keys.clone(), secret, limits: Limits::new(&settings.limits) }
    }

    /// Reads who calls from a request's headers.
    pub fn admit(&self, headers: &HeaderMap) -> Result<Caller> {
        if self.keys.is_empty() { Ok(self.anybody(headers)) } else { self.key_holder(headers) }
    }

    fn key_holder(&self, headers: &HeaderMap) -> Result<Caller> {
        let presented = [bearer(headers), text(headers, PORTKEY_KEY), text(headers, ANTHROPIC_KEY)].into_iter().flatten();
        for presented in presented {
            let hash = Sha256::digest(presented.as_bytes());
            // All keys are compared, each in constant time: how long it takes says nothing about how near a guess was.
            let mut matching = self.keys.iter().filter(|key| bool::from(key.sha256.as_slice().ct_eq(hash.as_slice())));
            if let Some(key) = matching.next_back() {
                // Which header has the client key says nothing of who asks, and it goes nowhere from here.
                let tenant = self.tenant(headers, &[b"key", key.tenant.as_bytes()], &[ANTHROPIC_KEY]);
                let tenant_name = Some(key.tenant.as_str().into());
                let ClientKey { name, profiles, config, virtual_keys, .. } = key.clone();
                return Ok(Caller { tenant, tenant_name, key: Some(name), profiles, config, virtual_keys, credential: None });
            }
        }
        let message = "No client key that is known here. Send it as `Authorization: Bearer ...` or `x-portkey-api-key` or \
                       `x-api-key`; the operator adds keys under `access.client_keys`.";
        Err(Error::new(Kind::Unauthenticated, message))
    }

    fn anybody(&self, headers: &HeaderMap) -> Caller {
        let credential = headers.get(AUTHORIZATION).filter(|_| bearer(headers).is_none_or(|token| !DUMMIES.contains(&token)));
        let credential = credential.map(|value| {
            let mut value = value.clone();
            value.set_sensitive(true);
            value
        });
        let own = credential.as_ref().map(HeaderValue::as_bytes).unwrap_or_default();
        let portkey = headers.get(PORTKEY_KEY).map(HeaderValue::as_bytes).unwrap_or_default();
        let tenant = self.tenant(headers, &[b"credential", own, portkey], &[]);
        Caller { tenant, tenant_name: None, key: None, profiles: None, config: None, virtual_keys: None, credential }
    }

    fn tenant(&self, headers: &HeaderMap, parts: &[&[u8]], without: &[&str]) -> Tenant {
        let mut hasher = blake3::Hasher::new_keyed(&self.secret);
        let mut add = |part: &[u8]| {
            hasher.update(&(part.len() as u64).to_le_bytes()).update(part);
        };
        for part in parts {
            add(part);
        }
        for name in IDENTITY.iter().filter(|name| !without.contains(name)) {
            for value in headers.get_all(*name) {
                add(name.as_bytes());
                add(value.as_bytes());
            }
        }
        let mut tenant = [0; 16];
        hasher.finalize_xof().fill(&mut tenant);
        Tenant(tenant)
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|&(name, value)| (http::HeaderName::from_static(name), value.parse().unwrap())).collect()
    }

    fn access(keys: &[(&str, &str)]) -> Access {
        let key = |&(key, tenant): &(&str, &str)| ClientKey {
            name: format!("name of {key}"),
            sha256: Sha256::digest(key.as_bytes()).into(),
            tenant: tenant.to_owned(),
            ..ClientKey::default()
        };
        Access::new(&Settings { client_keys: keys.iter().map(key).collect(), ..Settings::default() }, fresh_secret())
    }

    #[test]
    fn a_client_key_is_known_in_either_header_and_never_passed_on() {
        let access = access(&[("secret-one", "a"), ("secret-two", "b"), ("secret-three", "a")]);
        let one = access.admit(&headers(&[("authorization", "Bearer secret-one")])).unwrap();
        let two =
            access.admit(&headers(&[("authorization", "Bearer OPENAI_API_KEY"), ("x-portkey-api-key", "secret-two")])).unwrap();
        let three = access.admit(&headers(&[("authorization", "bearer secret-three")])).unwrap();
        assert_eq!((one.key.as_deref(), &one.credential), (Some("name of secret-one"), &None));
        assert!(one.tenant != two.tenant && one.tenant == three.tenant);
    }

    #[test]
    fn a_client_key_in_anthropics_header_is_the_same_caller_and_ends_here() {
        let access = access(&[("secret", "a")]);
        let bearer = access.admit(&headers(&[("authorization", "Bearer secret")])).unwrap();
        let mut sent = headers(&[("x-api-key", "secret"), ("anthropic-version", "2023-06-01")]);
        let mut caller = access.admit(&sent).unwrap();
        assert_eq!(caller.tenant, bearer.tenant);
        for speaks_messages in [false, true] {
            sent.insert("x-api-key", HeaderValue::from_static("secret"));
            caller.take_key(&mut sent, speaks_messages);
            assert!(!sent.contains_key("x-api-key") && caller.credential.is_none());
        }
    }

    #[test]
    fn without_keys_the_credential_of_who_speaks_messages_goes_on_as_any_other() {
        let access = access(&[]);
        let taken = |pairs: &[(&'static str, &str)], speaks_messages| {
            let mut sent = headers(pairs);
            let mut caller = access.admit(&sent).unwrap();
            caller.take_key(&mut sent, speaks_messages);
            (caller.credential, sent.contains_key("x-api-key"))
        };
        let (credential, left) = taken(&[("x-api-key", "sk-ant")], true);
        assert!(credential.as_ref().is_some_and(|value| value == "Bearer sk-ant" && value.is_sensitive()) && !left);
        assert_eq!(taken(&[("x-api-key", "sk-ant")], false), (None, true), "other clients mean their upstream");
        assert_eq!(taken(&[("x-api-key", "not-needed")], true), (None, false));
        let (credential, _) = taken(&[("x-api-key", "a"), ("authorization", "Bearer b")], true);
        assert_eq!(credential.unwrap(), "Bearer b");
    }

    #[test]
    fn without_a_known_key_nobody_gets_in() {
        let access = access(&[("secret", "a")]);
        for pairs in [
            &[][..],
            &[("authorization", "Bearer guess")],
            &[("authorization", "Basic secret")],
            &[("x-portkey-api-key", "")],
            &[("x-api-key", "guess")],
        ] {
            let error = access.admit(&headers(pairs)).unwrap_err();
            assert_eq!(error.kind(), Kind::Unauthenticated);
            assert!(!error.to_string().contains("guess"));
        }
    }

    #[test]
    fn without_keys_a_real_credential_goes_on_and_the_sdks_dummies_do_not() {
        let access = access(&[]);
        let credential = |value: &str| access.admit(&headers(&[("authorization", value)])).unwrap().credential;
        assert_eq!(credential("Bearer sk-real").unwrap(), "Bearer sk-real");
        assert!(credential("Bearer sk-real").unwrap().is_sensitive());
        for dummy in DUMMIES {
            assert_eq!(credential(&format!("Bearer {dummy}")), None);
        }
    }

    #[test]
    fn callers_with_different_credentials_are_different_tenants() {
        let access = access(&[]);
        let tenant = |pairs: &[(&'static str, &str)]| access.admit(&headers(pairs)).unwrap().tenant;
        let all = [
            tenant(&[]),
            tenant(&[("authorization", "Bearer a")]),
            tenant(&[("authorization", "Bearer b")]),
            tenant(&[("x-portkey-api-key", "a")]),
            tenant(&[("api-key", "a")]),
            tenant(&[("api-key", "b")]),
            tenant(&[("x-api-key", "a")]),
            tenant(&[("openai-organization", "a")]),
        ];
        let strange = HeaderMap::from_iter([(AUTHORIZATION, HeaderValue::from_bytes(b"Bearer \xff").unwrap())]);
        assert_ne!(access.admit(&strange).unwrap().tenant, all[0], "what is no text is no anonymous caller");
        for (n, one) in all.iter().enumerate() {
            assert!(all[n + 1..].iter().all(|other| other != one));
        }
        assert_eq!(tenant(&[]), tenant(&[("authorization", "Bearer DUMMY-KEY")]));
    }
}
