//! The content of a message: Anthropic's blocks, and chat's parts, calls and reasoning.

use serde_json::{Map, Value, json};

use super::{
    super::{is, list, members, object, taken, text},
    beside,
};

/// The order in which the blocks of a message usually stand, by the names of what they become.
const KINDS: [&str; 4] = ["thinking", "redacted_thinking", "content", "tool_use"];

/// The content of a message, in which form it is: a string is a string in both.
pub(super) fn parts(content: Value) -> Value {
    match content {
        Value::Array(blocks) => blocks.into_iter().map(part).collect(),
        other => other,
    }
}

/// See [`parts`].
pub(super) fn blocks(content: Value) -> Value {
    match content {
        Value::Array(parts) => parts.into_iter().map(block).collect(),
        other => other,
    }
}

/// A block as a part. What chat has no word for is itself.
fn part(block: Value) -> Value {
    let found = match block["type"].as_str() {
        Some("image") => image_part(&block),
        Some("document") => document_part(&block),
        _ => None,
    };
    found.map_or(block, Value::Object)
}

/// A part as a block. What Anthropic's clients never meant as one is itself.
pub(super) fn block(part: Value) -> Value {
    let found = match part["type"].as_str() {
        Some("text") if part[beside::DOCUMENT].is_object() => text_document(&part),
        Some("image_url") => image_block(&part),
        Some("file") => file_block(&part),
        Some("refusal") => part["refusal"].as_str().map(|text| object(json!({ "type": "text", "text": text }))),
        _ => part.as_str().map(|text| object(json!({ "type": "text", "text": text }))),
    };
    found.map_or(part, Value::Object)
}

/// The members that are none of these.
fn others(value: &Value, known: &[&str]) -> Map<String, Value> {
    let members = value.as_object().into_iter().flatten().filter(|(key, _)| !known.contains(&key.as_str()));
    members.map(|(key, value)| (key.clone(), value.clone())).collect()
}

fn with(mut members: Map<String, Value>, more: Map<String, Value>) -> Map<String, Value> {
    members.extend(more);
    members
}

/// The URL of a source, if that says all there is to say.
fn url_of(source: &Value) -> Option<String> {
    let members = source.as_object()?.len();
    match source["type"].as_str()? {
        "base64" if members == 3 => Some(format!("data:{};base64,{}", source["media_type"].as_str()?, source["data"].as_str()?)),
        "url" if members == 2 => source["url"].as_str().filter(|url| !url.starts_with("data:")).map(str::to_owned),
        _ => None,
    }
}

fn source_of(url: &str) -> Value {
    let data = url.strip_prefix("data:").and_then(|data| data.split_once(";base64,"));
    match data {
        Some((media_type, data)) => json!({ "type": "base64", "media_type": media_type, "data": data }),
        None => json!({ "type": "url", "url": url }),
    }
}

fn image_part(block: &Value) -> Option<Map<String, Value>> {
    let part = object(json!({ "type": "image_url", "image_url": { "url": url_of(&block["source"])? } }));
    Some(with(part, others(block, &["type", "source"])))
}

fn image_block(part: &Value) -> Option<Map<String, Value>> {
    let url = part["image_url"]["url"].as_str().or_else(|| part["image_url"].as_str())?;
    let block = object(json!({ "type": "image", "source": source_of(url) }));
    Some(with(block, others(part, &["type", "image_url"])))
}

/// The text of a document is the text of a part, where it is judged like any other.
fn document_part(block: &Value) -> Option<Map<String, Value>> {
    let source = &block["source"];
    if is(source, "text") && source["media_type"] == "text/plain" && source.as_object()?.len() == 3 {
        let document = others(block, &["type", "source", "cache_control"]);
        let part = object(json!({ "type": "text", "text": source["data"].as_str()?, beside::DOCUMENT: document }));
        return Some(with(
            part,
            block.get("cache_control").map(|it| ("cache_control".to_owned(), it.clone())).into_iter().collect(),
        ));
    }
    if !is(source, "base64") {
        return None;
    }
    let title = block.get("title").filter(|title| title.is_string()).cloned();
    let known: &[_] = if title.is_some() { &["type", "source", "title"] } else { &["type", "source"] };
    let mut file = object(json!({ "file_data": url_of(source)? }));
    file.extend(title.map(|title| ("filename".to_owned(), title)));
    Some(with(object(json!({ "type": "file", "file": file })), others(block, known)))
}

fn text_document(part: &Value) -> Option<Map<String, Value>> {
    let source = json!({ "type": "text", "media_type": "text/plain", "data": part["text"].as_str()? });
    let block = object(json!({ "type": "document", "source": source }));
    let block = with(block, object(part[beside::DOCUMENT].clone()));
    Some(with(block, others(part, &["type", "text", beside::DOCUMENT])))
}

fn file_block(part: &Value) -> Option<Map<String, Value>> {
    let file = &part["file"];
    let source = match (file["file_data"].as_str(), file["file_id"].as_str()) {
        (Some(data), _) => source_of(data),
        (None, Some(id)) => json!({ "type": "file", "file_id": id }),
        (None, None) => return None,
    };
    let mut block = object(json!({ "type": "document", "source": source }));
    block.extend(file.get("filename").map(|name| ("title".to_owned(), name.clone())));
    Some(with(block, others(part, &["type", "file"])))
}

/// What an assistant's blocks are in a chat message. Of an answer (`whole`), one text is a string, as chat's clients expect it.
pub(super) fn said(blocks: Vec<Value>, whole: bool) -> Map<String, Value> {
    let alone = |kind: &str| blocks.iter().filter(|block| is(block, kind)).count() == 1;
    let (thinks, redacts) = (alone("thinking"), alone("redacted_thinking"));
    let (mut content, mut calls, mut order) = (Vec::new(), Vec::new(), Vec::new());
    let (mut message, none_yet) = (Map::new(), blocks.is_empty());
    for block in blocks {
        let kind = match block["type"].as_str() {
            Some("thinking") if thinks && tells(&block, &["thinking", "signature"]) => 0,
            Some("redacted_thinking") if redacts && tells(&block, &["data"]) => 1,
            Some("tool_use") => 3,
            _ => 2,
        };
        order.push(kind);
        match kind {
            0 => {
                let mut block = object(block);
                message.extend([(beside::REASONING.to_owned(), block.shift_remove("thinking").unwrap_or_default())]);
                message.extend(block.shift_remove("signature").map(|signature| (beside::SIGNATURE.to_owned(), signature)));
            }
            1 => drop(message.insert(beside::REDACTED.to_owned(), block["data"].clone())),
            3 => calls.push(call(object(block))),
            _ => content.push(part(block)),
        }
    }
    let content = match &mut content[..] {
        [] if whole || !none_yet => Value::Null,
        [text] if whole && bare(text) => text["text"].take(),
        _ => content.into(),
    };
    message.insert("content".to_owned(), content);
    if !calls.is_empty() {
        message.insert("tool_calls".to_owned(), calls.into());
    }
    if !order.is_sorted() {
        message.insert(beside::ORDER.to_owned(), order.into_iter().map(|kind| KINDS[kind]).collect());
    }
    message
}

/// Whether a block says these strings, and nothing else.
fn tells(block: &Value, keys: &[&str]) -> bool {
    let mut members = block.as_object().into_iter().flatten().filter(|(key, _)| *key != "type");
    members.all(|(key, value)| keys.contains(&key.as_str()) && value.is_string()) && block[keys[0]].is_string()
}

fn bare(text: &Value) -> bool {
    let known = |(key, value): (&String, &Value)| ["type", "text"].contains(&key.as_str()) || value.is_null();
    is(text, "text") && text["text"].is_string() && text.as_object().is_some_and(|text| text.iter().all(known))
}

/// The blocks of an assistant's chat message. Anthropic takes back only what it has signed.
pub(super) fn told(message: &mut Map<String, Value>, whole: bool) -> Vec<Value> {
    let order = list(message, beside::ORDER);
    let mut kinds = [thinking(message, whole), redacted(message), content(message), calls(message)];
    let mut out = Vec::new();
    // Where a rule or an app has changed the message, an old order says nothing.
    let fits = |(n, kind): (usize, &Vec<Value>)| order.iter().filter(|name| **name == KINDS[n]).count() == kind.len();
    if kinds.iter().enumerate().all(fits) {
        for kind in &mut kinds {
            kind.reverse();
        }
        out.extend(order.iter().filter_map(|name| kinds[KINDS.iter().position(|kind| name == kind)?].pop()));
    } else {
        out.extend(kinds.into_iter().flatten());
    }
    out
}

fn thinking(message: &mut Map<String, Value>, whole: bool) -> Vec<Value> {
    let signature = text(message, beside::SIGNATURE).filter(|signature| !signature.is_empty());
    let thought = text(message, beside::REASONING).or_else(|| text(message, "reasoning"));
    match (thought, signature) {
        (Some(thought), Some(signature)) => vec![json!({ "type": "thinking", "thinking": thought, "signature": signature })],
        (Some(thought), None) if whole && !thought.is_empty() => {
            vec![json!({ "type": "thinking", "thinking": thought, "signature": "" })]
        }
        _ => Vec::new(),
    }
}

fn redacted(message: &mut Map<String, Value>) -> Vec<Value> {
    text(message, beside::REDACTED).map(|data| json!({ "type": "redacted_thinking", "data": data })).into_iter().collect()
}

fn content(message: &mut Map<String, Value>) -> Vec<Value> {
    let refusal = text(message, "refusal").filter(|text| !text.is_empty());
    let mut out = match message.shift_remove("content") {
        Some(Value::String(text)) if !text.is_empty() => vec![json!({ "type": "text", "text": text })],
        Some(Value::Array(parts)) => parts.into_iter().map(block).collect(),
        _ => Vec::new(),
    };
    out.extend(refusal.map(|text| json!({ "type": "text", "text": text })));
    out
}

fn calls(message: &mut Map<String, Value>) -> Vec<Value> {
    list(message, "tool_calls").into_iter().map(|call| use_of(object(call))).collect()
}

/// A use of a tool as a call.
fn call(mut block: Map<String, Value>) -> Value {
    block.shift_remove("type");
    let id = block.shift_remove("id").unwrap_or_default();
    let name = block.shift_remove("name").unwrap_or_default();
    let arguments = block.shift_remove("input").unwrap_or_else(|| json!({})).to_string();
    let mut call = object(json!({ "id": id, "type": "function", "function": { "name": name, "arguments": arguments } }));
    call.extend(block);
    call.into()
}

/// A call as a use of a tool, whose input is an object whatever the model wrote.
fn use_of(mut call: Map<String, Value>) -> Value {
    call.shift_remove("type");
    call.shift_remove("index");
    let id = call.shift_remove("id").unwrap_or_default();
    let mut function = members(&mut call, "function");
    let mut custom = members(&mut call, "custom");
    let input = match text(&mut custom, "input") {
        Some(input) => json!({ "input": input }),
        None => input_of(&text(&mut function, "arguments").unwrap_or_default()),
    };
    let name = taken(&mut function, "name").or_else(|| taken(&mut custom, "name")).unwrap_or_default();
    let mut block = object(json!({ "type": "tool_use", "id": id, "name": name, "input": input }));
    block.extend(call);
    block.into()
}

/// The arguments of a call as an object.
pub(super) fn input_of(arguments: &str) -> Value {
    match serde_json::from_str(arguments) {
        Ok(input @ Value::Object(_)) => input,
        _ if arguments.trim().is_empty() => json!({}),
        _ => json!({ "arguments": arguments }),
    }
}
