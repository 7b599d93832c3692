//! What only Messages knows, taken out of a chat request for a host that knows chat alone.

use serde_json::{Map, Value, json};

use super::{
    super::{is, object, taken},
    beside,
};
use crate::wire::json::Json;

/// Fields of a request that chat has not.
const TOP_LEVEL: [&str; 8] =
    ["top_k", "thinking", "output_config", "container", "context_management", "mcp_servers", "inference_geo", "cache_control"];

/// Words that a body has somewhere if it has more than chat. One that has them and is plain chat all the same comes out as it was.
const SIGNS: [&str; 12] = [
    "cache_control",
    "citations",
    "container",
    "context",
    "document",
    "is_error",
    "messages_type",
    "reasoning_signature",
    "redacted_thinking",
    "block_order",
    "search_result",
    "standard_only",
];

/// Kinds of parts that chat knows, and some hosts' own.
const PARTS: [&str; 6] = ["text", "image_url", "input_audio", "file", "refusal", "video_url"];

/// Whether a body has more than chat, so that [`strip`] is worth its while. Fields that the host knows as well (`keep`) do not count.
pub fn has_more_than_chat(body: &Json, keep: &[String]) -> bool {
    let sign = |raw: &str| {
        let word = raw.trim_matches('"');
        SIGNS.contains(&word) || dated(word) || foreign_part(word)
    };
    let extra = |key: &str| TOP_LEVEL.contains(&key) && !keep.iter().any(|keep| keep == key);
    body.root().members().any(|(key, _)| key.as_str().is_some_and(|key| extra(&key)))
        || body.leaves().any(|leaf| sign(leaf.raw()))
}

fn foreign_part(word: &str) -> bool {
    ["thinking", "image", "tool_reference"].contains(&word) || word.ends_with("_tool_result") || word == "server_tool_use"
}

/// `web_search_20250305`: Anthropic's own tools bear the date of their version.
fn dated(kind: &str) -> bool {
    kind.rsplit_once('_').is_some_and(|(name, date)| {
        !name.is_empty() && date.len() == 8 && date.starts_with("20") && date.bytes().all(|byte| byte.is_ascii_digit())
    })
}

/// Takes out of a chat request what only Messages knows. A picture that a tool gave is shown by the user; what chat has no place for is dropped.
pub fn strip(body: &mut Map<String, Value>, keep: &[String]) {
    body.retain(|key, _| !TOP_LEVEL.contains(&key.as_str()) || keep.contains(key));
    if let Some(tier) = body.get_mut("service_tier").filter(|tier| **tier == "standard_only") {
        *tier = "default".into();
    }
    if let Some(Value::Array(tools)) = body.get_mut("tools") {
        tools.retain(|tool| !tool["type"].as_str().is_some_and(dated));
        for tool in &mut *tools {
            only(tool, "function", &["type", "function"]);
        }
        if tools.is_empty() {
            for key in ["tools", "tool_choice", "parallel_tool_calls"] {
                body.shift_remove(key);
            }
        }
    }
    if let Some(Value::Array(messages)) = body.get_mut("messages") {
        *messages = messages.drain(..).fold(Stripped::default(), Stripped::with).finish();
    }
}

/// Leaves these members of an object of this type.
fn only(value: &mut Value, kind: &str, keys: &[&str]) {
    if is(value, kind)
        && let Some(members) = value.as_object_mut()
    {
        members.retain(|key, _| keys.contains(&key.as_str()));
    }
}

/// The messages so far, and what a user has to show after the results of tools.
#[derive(Debug, Default)]
struct Stripped {
    messages: Vec<Value>,
    shown: Vec<Value>,
}

impl Stripped {
    fn with(mut self, message: Value) -> Self {
        let mut message = object(message);
        for key in [beside::ORDER, beside::REDACTED] {
            message.shift_remove(key);
        }
        // What is signed was thought by one of Anthropic's models.
        if message.shift_remove(beside::SIGNATURE).is_some() {
            message.shift_remove(beside::REASONING);
        }
        if let Some(Value::Array(parts)) = message.get_mut("content") {
            *parts = parts.drain(..).filter_map(part).collect();
        }
        if let Some(Value::Array(calls)) = message.get_mut("tool_calls") {
            for call in calls {
                only(call, "function", &["id", "type", "function"]);
            }
        }
        if message.get("role").is_some_and(|role| role == "tool") {
            self.result(message);
        } else {
            self.show();
            let gone = message.get("content").is_some_and(|content| content.as_array().is_some_and(Vec::is_empty));
            if gone && message.contains_key("tool_calls") {
                message.insert("content".to_owned(), Value::Null);
            }
            self.messages.push(message.into());
        }
        self
    }

    fn result(&mut self, mut message: Map<String, Value>) {
        message.shift_remove("is_error");
        message.shift_remove("cache_control");
        let content = match taken(&mut message, "content") {
            Some(Value::Array(parts)) => {
                let (texts, shown): (Vec<_>, Vec<_>) = parts.into_iter().partition(|part| is(part, "text"));
                self.shown.extend(shown);
                Value::from(if texts.is_empty() { vec![json!({ "type": "text", "text": "See below." })] } else { texts })
            }
            content => content.unwrap_or_else(|| "".into()),
        };
        message.insert("content".to_owned(), content);
        self.messages.push(message.into());
    }

    fn show(&mut self) {
        if !self.shown.is_empty() {
            self.messages.push(json!({ "role": "user", "content": std::mem::take(&mut self.shown) }));
        }
    }

    fn finish(mut self) -> Vec<Value> {
        self.show();
        self.messages
    }
}

/// A part as chat knows it, if it does.
fn part(mut part: Value) -> Option<Value> {
    if part.is_string() {
        return Some(part);
    }
    if is(&part, "search_result") {
        let texts = part["content"].as_array().into_iter().flatten().filter_map(|text| text["text"].as_str());
        return Some(json!({ "type": "text", "text": texts.collect::<Vec<_>>().join("\n") }));
    }
    if !PARTS.iter().any(|kind| is(&part, kind)) {
        return None;
    }
    let members = part.as_object_mut()?;
    for key in ["cache_control", "citations", "context", beside::DOCUMENT] {
        members.shift_remove(key);
    }
    Some(part)
}
