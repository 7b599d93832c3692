//! A request, in either shape.

use serde_json::{Map, Value, json};

use super::{
    super::{is, list, members, object, taken, text},
    content, tools,
};
use crate::error::{Error, Kind, Result};

/// Anthropic wants a bound on every answer; every model of theirs can write as much.
const MAX_TOKENS: u64 = 4096;

/// What a model may think for each effort that chat knows. Less than the first is refused.
const BUDGETS: [(&str, u64); 5] = [("minimal", 1024), ("low", 1024), ("medium", 4096), ("high", 16_384), ("xhigh", 32_768)];

/// What chat calls the shape of an answer whose request gave it no name.
const NAME: &str = "answer";

/// Fields of chat that Messages has no word for.
const CHAT_ALONE: [&str; 26] = [
    "audio",
    "frequency_penalty",
    "function_call",
    "functions",
    "logit_bias",
    "logprobs",
    "max_completion_tokens",
    "metadata",
    "modalities",
    "moderation",
    "n",
    "prediction",
    "presence_penalty",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "reasoning_effort",
    "response_format",
    "safety_identifier",
    "seed",
    "store",
    "stream_options",
    "top_logprobs",
    "user",
    "verbosity",
    "web_search_options",
];

/// A Messages request as a chat request. What is not of the shape that Messages has is named.
pub fn request_to_chat(body: Value) -> Result<Value> {
    let Value::Object(mut body) = body else { return Err(wrong("the body", "", "an object")) };
    let Some(Value::Array(told)) = body.shift_remove("messages") else { return Err(wrong("`messages`", "messages", "an array")) };
    let mut messages = Vec::with_capacity(told.len() + 1);
    if let Some(system) = body.shift_remove("system").filter(|system| !system.is_null()) {
        if !is_content(&system) {
            return Err(wrong("`system`", "system", "a string or an array of blocks"));
        }
        messages.push(json!({ "role": "system", "content": content::parts(system) }));
    }
    for (n, message) in told.into_iter().enumerate() {
        messages.extend(message_to_chat(n, message)?);
    }
    tools::to_chat(&mut body);
    rename(&mut body, "stop_sequences", "stop");
    if let Some(Value::String(user)) = taken(&mut body, "metadata").as_mut().map(|metadata| metadata["user_id"].take()) {
        body.insert("user".to_owned(), user.into());
    }
    format_to_chat(&mut body);
    if body.get("stream").is_some_and(|stream| *stream == true) {
        body.insert("stream_options".to_owned(), json!({ "include_usage": true }));
    }
    let model = body.shift_remove("model");
    let mut out = Map::new();
    out.extend(model.map(|model| ("model".to_owned(), model)));
    out.insert("messages".to_owned(), messages.into());
    out.extend(body);
    Ok(out.into())
}

fn wrong(name: &str, param: &str, kind: &str) -> Error {
    Error::new(Kind::InvalidRequest, format!("Expected {name} to be {kind}.")).param(param)
}

fn is_content(content: &Value) -> bool {
    content.is_string() || content.as_array().is_some_and(|blocks| blocks.iter().all(Value::is_object))
}

fn rename(body: &mut Map<String, Value>, from: &str, to: &str) {
    if let Some(value) = taken(body, from) {
        body.insert(to.to_owned(), value);
    }
}

/// One message may be several in chat: each result of a tool is one of its own.
fn message_to_chat(n: usize, message: Value) -> Result<Vec<Value>> {
    let place = format!("messages[{n}]");
    let Value::Object(mut message) = message else { return Err(wrong(&format!("`{place}`"), &place, "an object")) };
    let content = message.shift_remove("content").unwrap_or_default();
    if !is_content(&content) {
        let place = format!("{place}.content");
        return Err(wrong(&format!("`{place}`"), &place, "a string or an array of blocks"));
    }
    Ok(match (message.get("role").and_then(Value::as_str), content) {
        (None, _) => return Err(wrong(&format!("`{place}.role`"), &format!("{place}.role"), "a string")),
        (Some("assistant"), Value::Array(blocks)) => {
            message.extend(content::said(blocks, false));
            vec![message.into()]
        }
        (Some("user"), Value::Array(blocks)) => {
            let (results, rest): (Vec<_>, Vec<_>) = blocks.into_iter().partition(|block| is(block, "tool_result"));
            let mut out: Vec<_> = results.into_iter().map(|result| result_to_chat(object(result))).collect();
            if !rest.is_empty() || out.is_empty() {
                message.insert("content".to_owned(), content::parts(rest.into()));
                out.push(message.into());
            }
            out
        }
        (Some(_), content) => {
            message.insert("content".to_owned(), content::parts(content));
            vec![message.into()]
        }
    })
}

fn result_to_chat(mut result: Map<String, Value>) -> Value {
    result.shift_remove("type");
    let id = result.shift_remove("tool_use_id").unwrap_or_default();
    let content = content::parts(result.shift_remove("content").unwrap_or_default());
    let mut message = object(json!({ "role": "tool", "tool_call_id": id, "content": content }));
    message.extend(result);
    message.into()
}

fn result_from_chat(mut message: Map<String, Value>) -> Value {
    message.shift_remove("role");
    let id = message.shift_remove("tool_call_id").unwrap_or_default();
    let mut result = object(json!({ "type": "tool_result", "tool_use_id": id }));
    result.extend(taken(&mut message, "content").map(|content| ("content".to_owned(), content::blocks(content))));
    result.extend(message);
    result.shift_remove("name");
    result.into()
}

/// Where Messages says how the answer must look, with how hard to think beside it.
fn format_to_chat(body: &mut Map<String, Value>) {
    // The older name of the same.
    let older = taken(body, "output_format");
    let mut config = members(body, "output_config");
    if let Some(mut format) = taken(&mut config, "format").or(older) {
        let schema = format["schema"].take();
        let named = json!({ "name": NAME, "schema": schema, "strict": true });
        body.insert("response_format".to_owned(), json!({ "type": "json_schema", "json_schema": named }));
    }
    if !config.is_empty() {
        body.insert("output_config".to_owned(), config.into());
    }
}

/// A chat request as a Messages request.
pub fn request_from_chat(body: Value) -> Value {
    let mut body = object(body);
    let (system, messages) = messages_from_chat(list(&mut body, "messages"));
    let think = thinking(&body, messages.last());
    tools::from_chat(&mut body);
    let bound = taken(&mut body, "max_completion_tokens").or_else(|| taken(&mut body, "max_tokens"));
    let bound = bound.unwrap_or_else(|| MAX_TOKENS.into());
    body.insert("max_tokens".to_owned(), bound.clone());
    if let Some(budget) = think {
        body.insert("thinking".to_owned(), json!({ "type": "enabled", "budget_tokens": budget }));
        // What is thought is counted, and who thinks is asked for no temperature.
        body.insert("max_tokens".to_owned(), (bound.as_u64().unwrap_or(MAX_TOKENS) + budget).into());
        body.shift_remove("temperature");
    }
    if let Some(temperature) = body.get_mut("temperature").filter(|it| it.as_f64().is_some_and(|it| it > 1.0)) {
        *temperature = json!(1.0);
    }
    match taken(&mut body, "stop") {
        Some(Value::String(stop)) => drop(body.insert("stop_sequences".to_owned(), json!([stop]))),
        stop => body.extend(stop.map(|stop| ("stop_sequences".to_owned(), stop))),
    }
    format_from_chat(&mut body);
    tier(&mut body);
    let user = text(&mut body, "user");
    body.retain(|key, _| !CHAT_ALONE.contains(&key.as_str()));
    body.extend(user.map(|user| ("metadata".to_owned(), json!({ "user_id": user }))));
    let mut out = Map::new();
    out.extend(body.shift_remove("model").map(|model| ("model".to_owned(), model)));
    out.extend(system.map(|system| ("system".to_owned(), system)));
    out.insert("messages".to_owned(), messages.into());
    out.extend(body);
    out.into()
}

/// The app's instructions, wherever they stood, and the turns. Results of tools stand before what the user says after them.
fn messages_from_chat(told: Vec<Value>) -> (Option<Value>, Vec<Value>) {
    let (mut system, mut messages, mut results) = (Vec::new(), Vec::new(), false);
    for message in told {
        let mut message = object(message);
        let role = message.get("role").and_then(Value::as_str).unwrap_or_default().to_owned();
        match &*role {
            "system" | "developer" => system.push(content::blocks(message.shift_remove("content").unwrap_or_default())),
            "tool" => {
                let result = result_from_chat(message);
                match content_of(messages.last_mut().filter(|_| results)) {
                    Some(blocks) => blocks.push(result),
                    None => messages.push(json!({ "role": "user", "content": [result] })),
                }
            }
            "assistant" => messages.push(assistant(message)),
            _ => {
                let content = content::blocks(message.shift_remove("content").unwrap_or_default());
                match content_of(messages.last_mut().filter(|_| results)) {
                    Some(blocks) => blocks.extend(as_blocks(content)),
                    None => messages.push(json!({ "role": role, "content": content })),
                }
            }
        }
        results = role == "tool";
    }
    (joined(system), messages)
}

fn content_of(message: Option<&mut Value>) -> Option<&mut Vec<Value>> {
    message?["content"].as_array_mut()
}

fn as_blocks(content: Value) -> Vec<Value> {
    match content {
        Value::Array(blocks) => blocks,
        Value::String(text) => vec![json!({ "type": "text", "text": text })],
        _ => Vec::new(),
    }
}

fn joined(mut system: Vec<Value>) -> Option<Value> {
    match system.len() {
        0 => None,
        1 => system.pop(),
        _ => Some(system.into_iter().flat_map(as_blocks).collect()),
    }
}

fn assistant(mut message: Map<String, Value>) -> Value {
    let plain = message.keys().all(|key| ["role", "content"].contains(&key.as_str()));
    if plain && message.get("content").is_some_and(Value::is_string) {
        return message.into();
    }
    json!({ "role": "assistant", "content": content::told(&mut message, false) })
}

/// How much to think, where chat says so and Anthropic allows it: not where a tool is forced, nor in the middle of calls that were not thought about.
fn thinking(body: &Map<String, Value>, last: Option<&Value>) -> Option<u64> {
    let effort = body.get("reasoning_effort")?.as_str()?;
    let budget = BUDGETS.iter().find(|(name, _)| *name == effort)?.1;
    let forced = body.get("tool_choice").is_some_and(|choice| *choice != "auto" && *choice != "none");
    let results = last.is_some_and(|last| last["content"].get(0).is_some_and(|block| is(block, "tool_result")));
    (!forced && !results && !body.contains_key("thinking")).then_some(budget)
}

/// A schema is kept to by Anthropic too; that an answer is JSON of any kind is left to the prompt, as it says so anyway.
fn format_from_chat(body: &mut Map<String, Value>) {
    let mut format = members(body, "response_format");
    let Some(schema) = taken(&mut members(&mut format, "json_schema"), "schema") else { return };
    let mut config = members(body, "output_config");
    config.insert("format".to_owned(), json!({ "type": "json_schema", "schema": schema }));
    body.insert("output_config".to_owned(), config.into());
}

/// Anthropic's words for who waits are fewer than chat's.
fn tier(body: &mut Map<String, Value>) {
    let tier = match text(body, "service_tier").as_deref() {
        Some("default") => "standard_only",
        Some(word @ ("auto" | "standard_only")) => {
            if word == "auto" {
                "auto"
            } else {
                "standard_only"
            }
        }
        _ => return,
    };
    body.insert("service_tier".to_owned(), tier.into());
}
