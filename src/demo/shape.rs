//! The parts that the answers of several endpoints share, and the options of a request that shape them.

use bytes::Bytes;
use serde_json::{Value, json};

use super::error::ApiError;

const MOST_CHOICES: u64 = 128;

/// What an endpoint answers with.
pub(super) enum Answer {
    /// A JSON body.
    Json(Value),
    /// A stream of events.
    Events(Vec<Bytes>),
}

/// What tells one answer from another.
pub(super) struct Heading {
    id: String,
    created: u64,
    model: String,
}

impl Heading {
    pub(super) fn new(prefix: &str, request: &Value) -> Result<Self, ApiError> {
        Ok(Self {
            id: format!("{prefix}{}", uuid::Uuid::new_v4().simple()),
            created: crate::clock::unix_seconds(),
            model: model(request)?.to_owned(),
        })
    }

    pub(super) fn to_json(&self, object: &str) -> Value {
        json!({
            "id": self.id,
            "object": object,
            "created": self.created,
            "model": self.model,
            "service_tier": "default",
            "system_fingerprint": "fp_demo",
        })
    }
}

pub(super) fn model(request: &Value) -> Result<&str, ApiError> {
    request["model"].as_str().filter(|model| !model.is_empty()).ok_or_else(|| ApiError::missing("model"))
}

/// How many choices the request wants.
pub(super) fn choices(request: &Value) -> Result<usize, ApiError> {
    let asked = if request["n"].is_null() { Some(1) } else { request["n"].as_u64() };
    let choices = asked.filter(|n| (1..=MOST_CHOICES).contains(n)).and_then(|n| usize::try_from(n).ok());
    choices.ok_or_else(|| ApiError::bad_request(format!("n must be 1 to {MOST_CHOICES}.")).about("n"))
}

pub(super) fn streams(request: &Value) -> bool {
    request["stream"] == true
}

pub(super) fn wants_usage(request: &Value) -> bool {
    request["stream_options"]["include_usage"] == true
}

pub(super) fn usage(prompt: usize, completion: usize) -> Value {
    json!({
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": { "cached_tokens": 0 },
        "completion_tokens_details": { "reasoning_tokens": 0 },
    })
}

/// The text in the pieces that a stream sends: words, each with the space after it.
pub(super) fn pieces(text: &str) -> impl Iterator<Item = &str> {
    text.split_inclusive(' ')
}

pub(super) fn event(data: &Value) -> Bytes {
    format!("data: {data}\n\n").into()
}

pub(super) fn done() -> Bytes {
    Bytes::from_static(b"data: [DONE]\n\n")
}
