//! Requests and answers in the shapes of the OpenAI API.

use serde_json::{Value, json};

pub(crate) const CHAT: &str = "/v1/chat/completions";

/// A question by a user.
pub(crate) fn chat(question: &str) -> Value {
    json!({ "model": "gpt-test", "messages": [{ "role": "user", "content": question }] })
}

/// The same, to be answered as a stream.
pub(crate) fn streamed(question: &str) -> Value {
    let mut request = chat(question);
    request["stream"] = json!(true);
    request
}

/// An answer of a model that has said all it had to say.
pub(crate) fn said(text: &str) -> Value {
    ended(text, "stop")
}

/// An answer that ended for this reason.
pub(crate) fn ended(text: &str, reason: &str) -> Value {
    json!({
        "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "gpt-test",
        "choices": [{ "index": 0, "message": { "role": "assistant", "content": text }, "finish_reason": reason }],
        "usage": { "prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3 },
    })
}

/// One event of a stream.
pub(crate) fn delta(text: &str) -> String {
    chunk(&json!({ "content": text }), &Value::Null)
}

fn chunk(delta: &Value, reason: &Value) -> String {
    let choice = json!({ "index": 0, "delta": delta, "finish_reason": reason });
    json!({ "id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "gpt-test", "choices": [choice] })
        .to_string()
}

/// The last event but one, with the reason.
pub(crate) fn stop(reason: &str) -> String {
    chunk(&json!({}), &json!(reason))
}

/// All events of an answer, a word each.
pub(crate) fn told(text: &str) -> Vec<String> {
    let words = text.split_inclusive(' ').map(delta);
    words.chain([stop("stop"), "[DONE]".to_owned()]).collect()
}

pub(crate) fn completed(text: &str) -> Value {
    json!({ "id": "cmpl-1", "object": "text_completion", "choices": [{ "index": 0, "text": text, "finish_reason": "stop" }] })
}

pub(crate) fn vectors() -> Value {
    json!({ "object": "list", "data": [{ "object": "embedding", "index": 0, "embedding": [0.5, 0.25] }], "model": "e" })
}

pub(crate) fn models() -> Value {
    json!({ "object": "list", "data": [{ "id": "gpt-test", "object": "model" }] })
}
