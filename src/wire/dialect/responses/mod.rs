//! OpenAI's Responses, for clients of it: a request as a chat request, a chat answer as a response, chat chunks as its typed events.
//!
//! What a server would have to remember or run itself cannot be said in chat, and is refused by name: earlier responses, conversations, work in the background,
//! built-in tools. Nothing is stored, and every response says so.

mod answer;
mod events;
mod items;
mod request;

pub use answer::answer_from_chat;
pub use events::events_from_chat;
pub use request::request_to_chat;

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::{members, object};

/// What a response repeats of its request.
#[derive(Debug, Clone, Default)]
pub struct Echo(Arc<Map<String, Value>>);

/// The fields that are repeated, and what stands there where the request says nothing.
fn repeated() -> [(&'static str, Value); 14] {
    [
        ("background", json!(false)),
        ("instructions", Value::Null),
        ("max_output_tokens", Value::Null),
        ("metadata", json!({})),
        ("parallel_tool_calls", json!(true)),
        ("previous_response_id", Value::Null),
        ("reasoning", json!({ "effort": null, "summary": null })),
        ("temperature", json!(1.0)),
        ("text", json!({ "format": { "type": "text" } })),
        ("tool_choice", json!("auto")),
        ("tools", json!([])),
        ("top_p", json!(1.0)),
        ("truncation", json!("disabled")),
        ("user", Value::Null),
    ]
}

impl Echo {
    /// What a response to this request repeats.
    fn of(request: &Map<String, Value>) -> Self {
        let said = |key: &str| request.get(key).filter(|value| !value.is_null()).cloned();
        let members = repeated().into_iter().map(|(key, otherwise)| (key.to_owned(), said(key).unwrap_or(otherwise)));
        Self(Arc::new(members.collect()))
    }
}

/// What a chat answer says of itself, whole or in chunks.
#[derive(Debug, Default)]
struct Head {
    /// Without the prefix that says what it identifies.
    id: String,
    created: Value,
    model: Value,
}

impl Head {
    fn of(answer: &Map<String, Value>) -> Self {
        let said = |key: &str| answer.get(key).cloned().unwrap_or_default();
        let id = said("id").as_str().unwrap_or_default().trim_start_matches("chatcmpl-").to_owned();
        Self { id, created: said("created"), model: said("model") }
    }

    /// A response: `ended` is why the answer ended, in chat's word, and nothing while it is being told.
    fn response(&self, ended: Option<&str>, output: &[Value], usage: Option<Map<String, Value>>, echo: &Echo) -> Value {
        let cut = ended.and_then(cut);
        let status = match (ended, cut) {
            (None, _) => "in_progress",
            (Some(_), None) => "completed",
            (Some(_), Some(_)) => "incomplete",
        };
        let mut out = object(json!({
            "id": format!("resp_{}", self.id), "object": "response", "created_at": self.created, "status": status, "error": null,
            "incomplete_details": cut.map(|reason| json!({ "reason": reason })), "model": self.model, "output": output,
        }));
        out.extend((*echo.0).clone());
        out.insert("store".to_owned(), false.into());
        out.insert("usage".to_owned(), usage.map_or(Value::Null, counted));
        out.into()
    }
}

/// Why an answer is not whole.
fn cut(ended: &str) -> Option<&'static str> {
    match ended {
        "length" => Some("max_output_tokens"),
        "content_filter" => Some("content_filter"),
        _ => None,
    }
}

fn counted(mut usage: Map<String, Value>) -> Value {
    let (prompt, completion) = (members(&mut usage, "prompt_tokens_details"), members(&mut usage, "completion_tokens_details"));
    let count = |of: &Map<String, Value>, key: &str| of.get(key).and_then(Value::as_u64).unwrap_or(0);
    let (input, output) = (count(&usage, "prompt_tokens"), count(&usage, "completion_tokens"));
    json!({
        "input_tokens": input, "input_tokens_details": { "cached_tokens": count(&prompt, "cached_tokens") },
        "output_tokens": output, "output_tokens_details": { "reasoning_tokens": count(&completion, "reasoning_tokens") },
        "total_tokens": input.saturating_add(output),
    })
}

#[cfg(test)]
mod tests;
