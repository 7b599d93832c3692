//! A whole answer of an understood endpoint: its texts, and whether it may stand for an answer at all.

use bytes::Bytes;

use super::{
    json::{Json, Kind, Value},
    request::Endpoint,
    text::{self, Role, Text},
};

/// An answer's body.
#[derive(Debug, Clone)]
pub struct Response {
    json: Json,
    endpoint: Endpoint,
}

impl Response {
    /// Reads a body; `None` if it is not a JSON object.
    pub fn decode(endpoint: Endpoint, body: Bytes) -> Option<Self> {
        let json = Json::parse(body).ok()?;
        (json.root().kind() == Kind::Object).then_some(Self { json, endpoint })
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
    pub fn error_message(&self) -> Option<String> {
        let error = self.json.root().get("error").filter(|error| !error.is_null())?;
        let message = error.get("message").and_then(Value::as_str).or_else(|| error.as_str());
        Some(message.map_or_else(|| "no message".to_owned(), std::borrow::Cow::into_owned))
    }

    /// Whether the model said all it had to say: every choice stopped by itself, and nothing was filtered.
    pub fn complete(&self) -> bool {
        let root = self.json.root();
        if self.endpoint == Endpoint::Embeddings {
            return root.get("data").is_some_and(|data| data.items().next().is_some());
        }
        let Some(choices) = root.get("choices") else { return false };
        let mut reasons = choices.items().map(|choice| choice.get("finish_reason").and_then(Value::as_str)).peekable();
        reasons.peek().is_some()
            && reasons.all(|reason| reason.is_some_and(|reason| matches!(&*reason, "stop" | "tool_calls" | "function_call")))
    }

    /// Every text that the model wrote, in the order of the body.
    pub fn texts(&self) -> Vec<Text<'_>> {
        let mut out = Vec::new();
        for choice in self.json.root().get("choices").into_iter().flat_map(Value::items) {
            if let Some(message) = choice.get("message") {
                text::of_message(Role::Assistant, message, &mut out);
            }
            if let Some(text) = choice.get("text") {
                text::of_strings(text, &mut out);
            }
        }
        for text in &mut out {
            text.role = Role::Assistant;
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
        assert!(!chat(r#"{"error":{"message":"no"}}"#).complete());
    }

    #[test]
    fn knows_an_error_in_an_answers_clothes() {
        assert_eq!(chat(r#"{"error":{"message":"quota"}}"#).error_message().as_deref(), Some("quota"));
        assert_eq!(chat(r#"{"error":null,"choices":[]}"#).error_message(), None);
    }
}
