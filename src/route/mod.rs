//! Plan and 3: which upstream answers, and the attempt to make it answer.
//!
//! What a request's headers say ([`Ask`]) and what the operator wrote come together in a [`config`], which is compiled once. It [`plan`](Router::plan)s the way of a
//! request; a [`Journey`] follows it from target to target, as far as retries and the strategy go; [`attempt`](Router::attempt) makes one call.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header::CONTENT_TYPE};
use secrecy::{ExposeSecret as _, SecretString};

mod arriving;
mod ask;
mod attempt;
pub mod config;
mod destination;
mod headers;
pub mod health;
mod journey;
pub mod prompts;
pub mod provider;
mod retry;
mod router;
pub mod vault;

pub use arriving::Arriving;
pub use ask::{Ask, speaks_portkey};
pub use config::{CacheChoice, Facts, Named, Target, plan::Leg};
pub use journey::{Journey, Next};
pub use retry::Verdict;
pub use router::{Grant, Router, Way, criticise};

/// Where a request goes on a miss.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The upstream's base, up to and with `/v1`: `https://api.openai.com/v1`.
    pub base_url: Uri,
    /// The key sent upstream when the client brought none of its own.
    pub api_key: Option<SecretString>,
    /// How long the upstream may take to send its response head.
    pub response_timeout: Duration,
    /// How long the upstream may be silent inside a body.
    pub idle_timeout: Duration,
    /// Names for credentials that stay here.
    pub virtual_keys: BTreeMap<String, vault::Settings>,
    /// The keys that the environment has for providers, by slug.
    pub provider_keys: BTreeMap<String, SecretString>,
    /// The operator's configs, by name.
    pub configs: BTreeMap<String, serde_json::Value>,
    /// The config of each path under which the endpoints lie once more: `premium` is `/premium/v1/…`.
    pub routes: BTreeMap<String, String>,
    /// The folder of prompts, if there is one.
    pub prompts: Option<PathBuf>,
}

impl Settings {
    /// One upstream that wants no key.
    pub fn to(base_url: Uri, timeout: Duration) -> Self {
        Self {
            base_url,
            api_key: None,
            response_timeout: timeout,
            idle_timeout: timeout,
            virtual_keys: BTreeMap::new(),
            provider_keys: BTreeMap::new(),
            configs: BTreeMap::new(),
            routes: BTreeMap::new(),
            prompts: None,
        }
    }
}

impl PartialEq for Settings {
    /// Keys are compared where nobody could learn from the time that it takes: both are the operator's.
    fn eq(&self, other: &Self) -> bool {
        let Self { base_url, api_key, response_timeout, idle_timeout, virtual_keys, provider_keys, configs, routes, prompts } =
            self;
        let key = |key: &Option<SecretString>| key.as_ref().map(|key| key.expose_secret().to_owned());
        let keys = |keys: &BTreeMap<String, SecretString>| -> BTreeMap<_, _> {
            keys.iter().map(|(slug, key)| (slug.clone(), key.expose_secret().to_owned())).collect()
        };
        *base_url == other.base_url
            && *virtual_keys == other.virtual_keys
            && keys(provider_keys) == keys(&other.provider_keys)
            && *configs == other.configs
            && *routes == other.routes
            && *prompts == other.prompts
            && key(api_key) == key(&other.api_key)
            && *response_timeout == other.response_timeout
            && *idle_timeout == other.idle_timeout
    }
}

/// What a client sent beside the body that the pipeline judges.
#[derive(Debug, Clone)]
pub struct Passage {
    /// The client's headers; those that concern only the connection or Lockgate are left behind on the way out.
    pub headers: HeaderMap,
    /// The credential to pass on.
    pub credential: Option<HeaderValue>,
}

/// A request to an endpoint whose bodies are not read.
#[derive(Debug)]
pub struct Unread {
    /// The method.
    pub method: Method,
    /// The path under the upstream's base, with the query: `/models?limit=3`.
    pub path: String,
    /// The body as it came.
    pub body: Bytes,
}

/// Status and headers of an answer.
#[derive(Debug, Clone)]
pub struct Head {
    /// The status.
    pub status: StatusCode,
    /// The headers, without those of the connection.
    pub headers: HeaderMap,
}

impl Head {
    /// The head of an answer that does not come from an upstream as it is.
    pub fn json() -> Self {
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/json"))]);
        Self { status: StatusCode::OK, headers }
    }

    /// The same head for a body that is now JSON, such as a stream that was put together.
    #[must_use]
    pub fn as_json(mut self) -> Self {
        self.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        self
    }
}

/// What an upstream answered.
#[derive(Debug)]
pub struct Answer {
    /// Its head.
    pub head: Head,
    /// Its body.
    pub body: AnswerBody,
}

/// The two forms of an answer.
#[derive(Debug)]
pub enum AnswerBody {
    /// All of it.
    Whole(Bytes),
    /// Events, as they arrive.
    Arriving(Arriving),
}
