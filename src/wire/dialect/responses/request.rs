//! A request of Responses as a chat request.

use serde_json::{Map, Value, json};

use super::{
    super::{is, list, members, object, taken, text},
    Echo,
};
use crate::error::{Error, Kind, Result};

/// Fields that are the same in chat.
const SAME: [&str; 10] = [
    "temperature",
    "top_p",
    "user",
    "metadata",
    "parallel_tool_calls",
    "service_tier",
    "safety_identifier",
    "prompt_cache_key",
    "prompt_cache_retention",
    "stream",
];

/// Fields that only a server with a memory of its own can answer.
const REMEMBERED: [&str; 3] = ["previous_response_id", "conversation", "prompt"];

/// A request of Responses as a chat request, and what its response repeats. What chat cannot say is refused by name.
pub fn request_to_chat(body: Value) -> Result<(Value, Echo)> {
    let Value::Object(mut body) = body else { return Err(wrong("the body", "an object")) };
    let remembered = REMEMBERED.into_iter().find(|field| body.get(*field).is_some_and(|value| !value.is_null()));
    let background = body.get("background").is_some_and(|value| *value == true).then_some("background");
    if let Some(field) = remembered.or(background) {
        return Err(unsupported(&format!("`{field}`"), field, "Send the whole conversation as `input`"));
    }
    let echo = Echo::of(&body);
    let mut out = Map::new();
    out.extend(body.shift_remove("model").map(|model| ("model".to_owned(), model)));
    out.insert("messages".to_owned(), messages(&mut body)?.into());
    for field in SAME {
        out.extend(taken(&mut body, field).map(|value| (field.to_owned(), value)));
    }
    out.extend(taken(&mut body, "max_output_tokens").map(|most| ("max_completion_tokens".to_owned(), most)));
    out.extend(taken(&mut members(&mut body, "reasoning"), "effort").map(|effort| ("reasoning_effort".to_owned(), effort)));
    let logprobs = taken(&mut body, "top_logprobs").filter(|most| most.as_u64().is_some_and(|most| most > 0));
    out.extend(logprobs.into_iter().flat_map(|most| [("logprobs".to_owned(), true.into()), ("top_logprobs".to_owned(), most)]));
    format(members(&mut body, "text"), &mut out);
    tools(&mut body, &mut out)?;
    if out.get("stream").is_some_and(|stream| *stream == true) {
        out.insert("stream_options".to_owned(), json!({ "include_usage": true }));
    }
    Ok((out.into(), echo))
}

fn wrong(name: &str, kind: &str) -> Error {
    Error::new(Kind::InvalidRequest, format!("Expected {name} to be {kind}.")).param(name.trim_matches('`'))
}

fn unsupported(what: &str, param: &str, remedy: &str) -> Error {
    let message = format!(
        "Lockgate answers `/v1/responses` through chat, which has no {what}. {remedy}, or call the provider directly: passing `/v1/responses` on \
         as it is is not offered yet."
    );
    Error::new(Kind::Unsupported, message).param(param)
}

/// Where the model is told what the answer must look like.
fn format(mut said: Map<String, Value>, out: &mut Map<String, Value>) {
    out.extend(taken(&mut said, "verbosity").map(|verbosity| ("verbosity".to_owned(), verbosity)));
    let mut format = members(&mut said, "format");
    let format = match text(&mut format, "type").as_deref() {
        Some("json_schema") => json!({ "type": "json_schema", "json_schema": format }),
        Some("json_object") => json!({ "type": "json_object" }),
        _ => return,
    };
    out.insert("response_format".to_owned(), format);
}

fn tools(body: &mut Map<String, Value>, out: &mut Map<String, Value>) -> Result<()> {
    let mut tools = Vec::new();
    for (n, mut tool) in list(body, "tools").into_iter().map(object).enumerate() {
        let kind = text(&mut tool, "type").unwrap_or_default();
        if kind != "function" {
            let remedy = "Give the model functions of your own";
            return Err(unsupported(&format!("tool of type `{kind}`"), &format!("tools[{n}].type"), remedy));
        }
        tool.retain(|_, value| !value.is_null());
        tools.push(json!({ "type": "function", "function": tool }));
    }
    let none = tools.is_empty();
    out.extend((!none).then(|| ("tools".to_owned(), tools.into())));
    let Some(choice) = taken(body, "tool_choice").filter(|_| !none) else { return Ok(()) };
    let choice = match choice {
        Value::String(word) => word.into(),
        Value::Object(mut choice) if choice.get("type").is_some_and(|kind| kind == "function") => function(&mut choice),
        Value::Object(mut choice) if choice.get("type").is_some_and(|kind| kind == "allowed_tools") => {
            let tools: Vec<_> = list(&mut choice, "tools").into_iter().map(|tool| function(&mut object(tool))).collect();
            json!({ "type": "allowed_tools", "allowed_tools": { "mode": choice.shift_remove("mode"), "tools": tools } })
        }
        _ => return Err(unsupported("such choice of a tool", "tool_choice", "Name a function")),
    };
    out.insert("tool_choice".to_owned(), choice);
    Ok(())
}

fn function(named: &mut Map<String, Value>) -> Value {
    json!({ "type": "function", "function": { "name": named.shift_remove("name") } })
}

fn messages(body: &mut Map<String, Value>) -> Result<Vec<Value>> {
    let mut messages = Vec::new();
    messages.extend(taken(body, "instructions").map(|said| json!({ "role": "system", "content": said })));
    match body.shift_remove("input") {
        Some(Value::String(said)) => messages.push(json!({ "role": "user", "content": said })),
        Some(Value::Array(items)) => {
            for (n, item) in items.into_iter().enumerate() {
                let Value::Object(item) = item else { return Err(wrong(&format!("`input[{n}]`"), "an object")) };
                add(n, item, &mut messages)?;
            }
        }
        _ => return Err(wrong("`input`", "a string or an array of items")),
    }
    Ok(messages)
}

/// Adds what an item says. Calls of one turn are one message in chat.
fn add(n: usize, mut item: Map<String, Value>, messages: &mut Vec<Value>) -> Result<()> {
    let place = format!("input[{n}]");
    match text(&mut item, "type").as_deref() {
        None | Some("message") => {
            let role = text(&mut item, "role").ok_or_else(|| wrong(&format!("`{place}.role`"), "a string"))?;
            let content = content(&place, item.shift_remove("content").unwrap_or_default(), role == "assistant")?;
            messages.push(json!({ "role": role, "content": content }));
        }
        Some("function_call") => {
            let function = json!({ "name": item.shift_remove("name"), "arguments": item.shift_remove("arguments") });
            let call = json!({ "id": item.shift_remove("call_id"), "type": "function", "function": function });
            let turn = messages.last_mut().filter(|last| last["role"] == "assistant").and_then(Value::as_object_mut);
            match turn {
                Some(turn) => match turn.entry("tool_calls").or_insert_with(|| json!([])) {
                    Value::Array(calls) => calls.push(call),
                    other => *other = json!([call]),
                },
                None => messages.push(json!({ "role": "assistant", "content": null, "tool_calls": [call] })),
            }
        }
        Some("function_call_output") => {
            let content = content(&place, item.shift_remove("output").unwrap_or_default(), false)?;
            messages.push(json!({ "role": "tool", "tool_call_id": item.shift_remove("call_id"), "content": content }));
        }
        // What a model thought is nothing that chat's hosts take back.
        Some("reasoning") => {}
        Some(other) => {
            let remedy = "Send messages, function calls and their outputs";
            return Err(unsupported(&format!("item of type `{other}`"), &format!("{place}.type"), remedy));
        }
    }
    Ok(())
}

/// The content of a message. One text is a string, as chat's own clients write it.
fn content(place: &str, content: Value, assistant: bool) -> Result<Value> {
    let Value::Array(said) = content else { return Ok(content) };
    let mut parts = Vec::with_capacity(said.len());
    for (n, part) in said.into_iter().enumerate() {
        let kind = part["type"].as_str().unwrap_or_default().to_owned();
        let there = format!("{place}.content[{n}]");
        parts.push(chat_part(object(part)).ok_or_else(|| {
            unsupported(
                &format!("content of type `{kind}` in this form"),
                &there,
                "Send text, images by URL or files by their data",
            )
        })?);
    }
    let texts = || parts.iter().filter_map(|part| part["text"].as_str());
    let all = parts.iter().all(|part| is(part, "text"));
    Ok(if all && (assistant || parts.len() == 1) { texts().collect::<String>().into() } else { parts.into() })
}

fn chat_part(mut part: Map<String, Value>) -> Option<Value> {
    match text(&mut part, "type")?.as_str() {
        "input_text" | "output_text" | "text" => Some(json!({ "type": "text", "text": part.shift_remove("text") })),
        "refusal" => Some(json!({ "type": "refusal", "refusal": part.shift_remove("refusal") })),
        "input_image" => {
            let mut image = object(json!({ "url": text(&mut part, "image_url")? }));
            image.extend(taken(&mut part, "detail").map(|detail| ("detail".to_owned(), detail)));
            Some(json!({ "type": "image_url", "image_url": image }))
        }
        "input_file" => {
            part.retain(|key, value| ["file_data", "file_id", "filename"].contains(&key.as_str()) && value.is_string());
            (part.contains_key("file_data") || part.contains_key("file_id")).then(|| json!({ "type": "file", "file": part }))
        }
        "input_audio" => Some(json!({ "type": "input_audio", "input_audio": part.shift_remove("input_audio") })),
        _ => None,
    }
}
