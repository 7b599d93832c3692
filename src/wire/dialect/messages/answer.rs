//! A whole answer, in either shape.

use serde_json::{Map, Value, json};

use super::{
    super::{list, members, object, taken, text},
    content,
};

/// Why an answer ended, in both words. The first of several is the one that is told back.
const REASONS: [(&str, &str); 7] = [
    ("end_turn", "stop"),
    ("tool_use", "tool_calls"),
    ("max_tokens", "length"),
    ("refusal", "content_filter"),
    ("stop_sequence", "stop"),
    // What paused or ran out is no whole answer, and must not be taken for one.
    ("pause_turn", "length"),
    ("model_context_window_exceeded", "length"),
];

/// What chat's answers have beside the message, and Messages has not.
const CHAT_ALONE: [&str; 8] =
    ["object", "created", "choices", "usage", "system_fingerprint", "service_tier", "prompt_filter_results", "provider"];

/// What Messages says of an answer's price beside the tokens.
const OF_USAGE: [&str; 6] = [
    "cache_creation_input_tokens",
    "cache_read_input_tokens",
    "cache_creation",
    "server_tool_use",
    "service_tier",
    "inference_geo",
];

/// An answer of Anthropic's as a chat answer; `None` if it is none.
pub fn answer_to_chat(answer: Value, created: u64) -> Option<Value> {
    let mut answer = object(answer);
    let Some(Value::Array(blocks)) = answer.shift_remove("content") else { return None };
    for known in ["type", "role"] {
        answer.shift_remove(known);
    }
    let mut message = object(json!({ "role": "assistant" }));
    message.extend(content::said(blocks, true));
    let mut choice = object(json!({ "index": 0, "message": message }));
    choice.extend(ended_to_chat(&mut answer));
    let usage = members(&mut answer, "usage");
    let mut out = object(json!({ "id": answer.shift_remove("id"), "object": "chat.completion", "created": created }));
    out.insert("model".to_owned(), answer.shift_remove("model").unwrap_or_default());
    out.insert("choices".to_owned(), json!([choice]));
    out.insert("usage".to_owned(), usage_to_chat(usage).into());
    out.extend(answer);
    Some(out.into())
}

/// A chat answer as Anthropic's clients know one; `None` if it is none.
pub fn answer_from_chat(answer: Value) -> Option<Value> {
    let mut answer = object(answer);
    let mut choice = object(list(&mut answer, "choices").into_iter().next()?);
    let mut message = members(&mut choice, "message");
    let mut out = object(json!({ "id": answer.shift_remove("id"), "type": "message", "role": "assistant" }));
    out.insert("model".to_owned(), answer.shift_remove("model").unwrap_or_default());
    let blocks = content::told(&mut message, true);
    out.insert("content".to_owned(), blocks.into());
    out.extend(ended_from_chat(&mut choice));
    out.insert("usage".to_owned(), usage_from_chat(members(&mut answer, "usage")).into());
    answer.retain(|key, _| !CHAT_ALONE.contains(&key.as_str()));
    out.extend(answer);
    Some(out.into())
}

/// Why it ended, as members of a choice.
pub(super) fn ended_to_chat(ended: &mut Map<String, Value>) -> Map<String, Value> {
    let (reason, sequence) = (text(ended, "stop_reason"), taken(ended, "stop_sequence"));
    let known = |reason: &String| REASONS.iter().find(|(word, _)| word == reason).map(|(_, chat)| *chat);
    let finish = reason.as_ref().map(|reason| known(reason).unwrap_or("stop"));
    let mut out = object(json!({ "finish_reason": finish }));
    out.extend(sequence.map(|sequence| ("stop_sequence".to_owned(), sequence)));
    // What chat's word does not say is said beside it.
    let more = reason.filter(|reason| finish.is_none_or(|finish| reason_of(finish) != *reason));
    out.extend(more.map(|reason| ("stop_reason".to_owned(), reason.into())));
    out
}

/// The other way.
pub(super) fn ended_from_chat(choice: &mut Map<String, Value>) -> Map<String, Value> {
    let finish = text(choice, "finish_reason");
    let known = |reason: &String| REASONS.iter().any(|(word, _)| word == reason);
    let said = text(choice, "stop_reason").filter(known).or_else(|| finish.map(|finish| reason_of(&finish).to_owned()));
    let sequence = taken(choice, "stop_sequence");
    object(json!({ "stop_reason": said, "stop_sequence": sequence }))
}

fn reason_of(finish: &str) -> &'static str {
    let found = REASONS.iter().find(|(_, chat)| *chat == finish);
    found.map_or(if finish == "function_call" { "tool_use" } else { "end_turn" }, |(reason, _)| *reason)
}

/// Anthropic counts what was read from its cache beside the input, chat within it.
pub(super) fn usage_to_chat(usage: Map<String, Value>) -> Map<String, Value> {
    let count = |key: &str| usage.get(key).and_then(Value::as_u64).unwrap_or(0);
    let cached = count("cache_read_input_tokens");
    let prompt = count("input_tokens").saturating_add(count("cache_creation_input_tokens")).saturating_add(cached);
    let completion = count("output_tokens");
    let mut out = object(json!({
        "prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt.saturating_add(completion),
        "prompt_tokens_details": { "cached_tokens": cached },
    }));
    out.extend(usage.into_iter().filter(|(key, _)| OF_USAGE.contains(&key.as_str())));
    out
}

/// The other way.
pub(super) fn usage_from_chat(mut usage: Map<String, Value>) -> Map<String, Value> {
    let mut details = members(&mut usage, "prompt_tokens_details");
    let cached = details.shift_remove("cached_tokens").and_then(|count| count.as_u64()).unwrap_or(0);
    let count = |key: &str| usage.get(key).and_then(Value::as_u64).unwrap_or(0);
    let made = count("cache_creation_input_tokens");
    let input = count("prompt_tokens").saturating_sub(cached).saturating_sub(made);
    let mut out = object(json!({ "input_tokens": input, "output_tokens": count("completion_tokens") }));
    if cached > 0 {
        out.insert("cache_read_input_tokens".to_owned(), cached.into());
    }
    out.extend(usage.into_iter().filter(|(key, _)| OF_USAGE.contains(&key.as_str())));
    out
}
