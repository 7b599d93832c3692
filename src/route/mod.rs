//! Plan and 3: which upstream answers, and the attempt to make it answer.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header::CONTENT_TYPE};
use secrecy::{ExposeSecret as _, SecretString};

mod attempt;
mod headers;
pub mod provider;

pub use attempt::Router;

pub use crate::outbound::Body as Arriving;

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
}

impl PartialEq for Settings {
    /// Keys are compared where nobody could learn from the time that it takes: both are the operator's.
    fn eq(&self, other: &Self) -> bool {
        let Self { base_url, api_key, response_timeout, idle_timeout } = self;
        let key = |key: &Option<SecretString>| key.as_ref().map(|key| key.expose_secret().to_owned());
        *base_url == other.base_url
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
