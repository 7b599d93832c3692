//! A whole answer of an understood endpoint: its texts, and whether it may stand for an answer at all.

use std::ops::Range;

use bytes::Bytes;

use super::{
    json::{Json, Kind, Value},
    request::Endpoint,
    text::{self, Part, Role, Teller, Text},
};
use crate::error::{Error, Kind as ErrorKind, Result};

/// The tokens that an answer cost, as the provider counts them; zero where it does not say.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(default)]
pub struct Usage {
    /// Read.
    pub prompt_tokens: u64,
    /// Written.
    pub completion_tokens: u64,
}

/// Reads just enough of an embeddings answer: its millions of numbers are nobody's text.
pub fn check_vectors(body: &[u8]) -> Result<Usage> {
    #[derive(serde::Deserialize)]
    struct Vectors {
        error: Option<serde_json::Value>,
        data: Option<serde::de::IgnoredAny>,
        usage: Option<serde_json::Value>,
    }
    let vectors: Vectors = serde_json::from_slice(body).map_err(|error| unreadable(&error.to_string()))?;
    match vectors {
        Vectors { error: Some(error), .. } => {
            let message = error.get("message").and_then(serde_json::Value::as_str).unwrap_or("no message");
            Err(dressed_error(message))
        }
        Vectors { data: None, .. } => Err(unreadable("it has no `data`")),
        // A usage of another shape is no reason to refuse the vectors.
        Vectors { usage, .. } => Ok(usage.and_then(|usage| serde_json::from_value(usage).ok()).unwrap_or_default()),
    }
}

/// The tokens that a body says it cost, whatever else is in it.
pub fn usage(body: &[u8]) -> Usage {
    #[derive(serde::Deserialize)]
    struct Told {
        usage: Option<Usage>,
    }
    serde_json::from_slice::<Told>(body).ok().and_then(|told| told.usage).unwrap_or_default()
}

/// How many bytes of text a body has.
pub fn letters(body: &Bytes) -> usize {
    let json = Json::parse(body.clone());
    json.map_or(0, |json| super::channel::pieces(&json).iter().map(|piece| piece.text.len()).sum())
}

fn unreadable(reason: &str) -> Error {
    let message =
        format!("The upstream's answer cannot be read: {reason}. Check that `upstream.url` leads to an OpenAI-compatible API.");
    Error::new(ErrorKind::UpstreamMalformed, message)
}

fn dressed_error(message: &str) -> Error {
    Error::new(ErrorKind::UpstreamError, "The upstream reported an error under a success status.").detail(message)
}

/// An answer's body.
#[derive(Debug, Clone)]
pub struct Response {
    json: Json,
    endpoint: Endpoint,
}

impl Response {
    /// Reads a body. What is no JSON object, or an error dressed as an answer, is no answer.
    pub fn decode(endpoint: Endpoint, body: Bytes) -> Result<Self> {
        let json = Json::parse(body).map_err(|malformed| {
            let place = format!("{} (line {}, column {})", malformed.message, malformed.line, malformed.column);
            unreadable(&place)
        })?;
        if json.root().kind() != Kind::Object {
            return Err(unreadable(&format!("it is {}", json.root().kind().as_str())));
        }
        let response = Self { json, endpoint };
        response.error_message().map_or(Ok(response), |message| Err(dressed_error(&message)))
    }

    /// The body.
    pub fn json(&self) -> &Json {
        &self.json
    }

    /// Which endpoint answered.
    pub fn endpoint(&self) -> Endpoint {
        self.endpoint
    }

    /// The provider's message, if this is an error dressed as an answer.
    fn error_message(&self) -> Option<String> {
        let error = self.json.root().get("error").filter(|error| !error.is_null())?;
        let message = error.get("message").and_then(Value::as_str).or_else(|| error.as_str());
        Some(message.map_or_else(|| "no message".to_owned(), std::borrow::Cow::into_owned))
    }

    /// Whether the model said all it had to say: every choice stopped by itself, and nothing was filtered.
    pub fn complete(&self) -> bool {
        let Some(choices) = self.json.root().get("choices") else { return false };
        let mut reasons = choices.items().map(|choice| choice.get("finish_reason").and_then(Value::as_str)).peekable();
        reasons.peek().is_some()
            && reasons.all(|reason| reason.is_some_and(|reason| matches!(&*reason, "stop" | "tool_calls" | "function_call")))
    }

    /// The tokens that it cost.
    pub fn usage(&self) -> Usage {
        let usage = self.json.root().get("usage");
        let count = |name: &str| usage.and_then(|usage| usage.get(name)?.raw().parse().ok()).unwrap_or(0);
        Usage { prompt_tokens: count("prompt_tokens"), completion_tokens: count("completion_tokens") }
    }

    /// Where the answer spells its texts once more, token by token: what is replaced in the one must not stand in the other.
    pub fn spellings(&self) -> Vec<Range<usize>> {
        let choices = self.json.root().get("choices").into_iter().flat_map(Value::items);
        choices.filter_map(|choice| Some(choice.get("logprobs")?.span())).collect()
    }

    /// Every text that the model wrote, in the order of the body.
    pub fn texts(&self) -> Vec<Text<'_>> {
        let mut out = Vec::new();
        let model = Teller { role: Role::Assistant, last: true };
        for choice in self.json.root().get("choices").into_iter().flat_map(Value::items) {
            if let Some(message) = choice.get("message") {
                text::of_message(model, message, &mut out);
            }
            if let Some(text) = choice.get("text") {
                text::of_strings(model, Part::Text, text, &mut out);
            }
        }
        out.sort_by_key(|text| text.span.start);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chat(body: &'static str) -> Response {
        Response::decode(Endpoint::Chat, Bytes::from_static(body.as_bytes())).unwrap()
    }

    #[test]
    fn only_an_answer_that_stopped_by_itself_is_complete() {
        assert!(chat(r#"{"choices":[{"finish_reason":"stop","message":{"content":"x"}}]}"#).complete());
        assert!(!chat(r#"{"choices":[{"finish_reason":"length"}]}"#).complete());
        assert!(!chat(r#"{"choices":[{"finish_reason":"stop"},{"finish_reason":"content_filter"}]}"#).complete());
        assert!(!chat(r#"{"choices":[]}"#).complete());
    }

    #[test]
    fn says_what_an_answer_cost() {
        let usage = Usage { prompt_tokens: 3, completion_tokens: 5 };
        assert_eq!(chat(r#"{"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":5}}"#).usage(), usage);
        assert_eq!(chat(r#"{"choices":[],"usage":{"prompt_tokens":-3,"completion_tokens":"5"}}"#).usage(), Usage::default());
        assert_eq!(chat(r#"{"choices":[],"usage":null}"#).usage(), Usage::default());
        let vectors = br#"{"data":[],"usage":{"prompt_tokens":3,"total_tokens":3}}"#;
        assert_eq!(check_vectors(vectors).unwrap(), Usage { prompt_tokens: 3, completion_tokens: 0 });
        assert_eq!(check_vectors(br#"{"data":[],"usage":7}"#).unwrap(), Usage::default());
    }

    #[test]
    fn knows_an_error_in_an_answers_clothes() {
        let dressed = Bytes::from_static(br#"{"error":{"message":"quota"}}"#);
        let error = Response::decode(Endpoint::Chat, dressed.clone()).unwrap_err();
        assert!(
            error.kind() == ErrorKind::UpstreamError && error.told().ends_with("quota") && !error.to_string().contains("quota")
        );
        assert_eq!(check_vectors(&dressed).unwrap_err().kind(), ErrorKind::UpstreamError);
        assert!(Response::decode(Endpoint::Chat, Bytes::from_static(br#"{"error":null,"choices":[]}"#)).is_ok());
        assert!(check_vectors(br#"{"data":[],"error":null}"#).is_ok());
        for body in ["", "[]", "<html>", "{}"] {
            assert_eq!(check_vectors(body.as_bytes()).unwrap_err().kind(), ErrorKind::UpstreamMalformed);
        }
    }
}
