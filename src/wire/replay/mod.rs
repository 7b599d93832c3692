//! A whole answer, told again as the stream that a client asked for. The inverse of [`super::assemble`].
//!
//! The chunks are those of OpenAI: the role first, then the texts in pieces, then the tool calls, why it stopped, and the usage if it was asked for. What
//! Lockgate does not know is told once, and unchanged.

mod spoken;

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};
use serde_json::{Map, Value, json};

use self::spoken::{Place, Spoken};
use super::sse;

/// Events leave in blocks of about this many bytes: the first at once, the others as the client takes them.
const BLOCK_BYTES: usize = 16 << 10;

/// What each chunk says of the answer that it belongs to. Other fields beside the choices are told once.
pub(super) const ON_EVERY_CHUNK: [&str; 6] = ["id", "object", "created", "model", "service_tier", "system_fingerprint"];

/// Fields of a message that are told in pieces, in this order: a model reasons before it answers.
const TOLD_IN_PIECES: [&str; 4] = ["reasoning_content", "reasoning", "refusal", "content"];

/// The events of an answer, in blocks. A long answer is some ten times as long in events, so they are made as they are taken.
#[derive(Debug)]
pub struct Replay {
    /// Begins every chunk.
    head: String,
    /// Is in the first chunk only.
    once: String,
    /// Whether the client wants the usage, and so a field for it in every chunk.
    include_usage: bool,
    parts: VecDeque<Part>,
}

#[derive(Debug)]
enum Part {
    /// An event that is none of the answer's.
    Other(Value),
    Chunk {
        choices: Value,
        usage: Value,
    },
    Text(Box<Spoken>),
    Done,
}

/// The stream of a whole answer, `[DONE]` last; `None` if it is not an answer with choices.
pub fn events(answer: Value, include_usage: bool) -> Option<Replay> {
    let Value::Object(mut answer) = answer else { return None };
    let Some(Value::Array(choices)) = answer.shift_remove("choices") else { return None };
    let usage = answer.shift_remove("usage").unwrap_or_default();
    let mut parts = VecDeque::new();
    for (n, choice) in choices.into_iter().enumerate() {
        let Value::Object(choice) = choice else { return None };
        tell_choice(n, choice, &mut parts)?;
    }
    if include_usage || parts.is_empty() {
        parts.push_back(Part::Chunk { choices: json!([]), usage });
    }
    parts.push_back(Part::Done);
    if let Some(Value::String(object)) = answer.get_mut("object")
        && object == "chat.completion"
    {
        object.push_str(".chunk");
    }
    let (head, once): (Map<_, _>, Map<_, _>) = answer.into_iter().partition(|(key, _)| ON_EVERY_CHUNK.contains(&key.as_str()));
    Some(Replay { head: written(&head), once: written(&once), include_usage, parts })
}

/// Members as they stand before other members.
fn written(members: &Map<String, Value>) -> String {
    members.iter().map(|(key, value)| format!("{}:{value},", json!(key))).collect()
}

impl Iterator for Replay {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        let mut block = BytesMut::new();
        while block.len() < BLOCK_BYTES
            && let Some(data) = self.next_event()
        {
            sse::push_event(&mut block, &data);
        }
        (!block.is_empty()).then(|| block.freeze())
    }
}

impl Replay {
    /// Tells something before the answer, and something behind it.
    pub fn frame(&mut self, before: Option<Value>, behind: Option<Value>) {
        let done = self.parts.pop_back();
        self.parts.extend(behind.map(Part::Other).into_iter().chain(done));
        if let Some(event) = before {
            self.parts.push_front(Part::Other(event));
        }
    }

    fn next_event(&mut self) -> Option<Vec<u8>> {
        if let Part::Text(text) = self.parts.front_mut()? {
            let Some(choice) = text.next() else {
                self.parts.pop_front();
                return self.next_event();
            };
            return Some(self.chunk(&json!([choice]), &Value::Null));
        }
        match self.parts.pop_front()? {
            Part::Other(event) => Some(event.to_string().into_bytes()),
            Part::Chunk { choices, usage } => Some(self.chunk(&choices, &usage)),
            Part::Text(_) | Part::Done => Some(sse::DONE.to_vec()),
        }
    }

    fn chunk(&mut self, choices: &Value, usage: &Value) -> Vec<u8> {
        let (head, once) = (&self.head, std::mem::take(&mut self.once));
        let usage = if self.include_usage { format!(",\"usage\":{usage}") } else { String::new() };
        format!("{{{head}{once}\"choices\":{choices}{usage}}}").into_bytes()
    }
}

/// The parts of one choice; `None` if it says nothing that can be told.
fn tell_choice(n: usize, mut choice: Map<String, Value>, parts: &mut VecDeque<Part>) -> Option<()> {
    let index = choice.entry("index").or_insert_with(|| json!(n)).clone();
    let mut logprobs = choice.shift_remove("logprobs");
    match (choice.shift_remove("message"), choice.shift_remove("text")) {
        (Some(Value::Object(message)), _) => {
            tell_message(&index, message, logprobs.as_mut().unwrap_or(&mut Value::Null), parts);
            choice.insert("delta".to_owned(), json!({}));
        }
        (_, Some(Value::String(text))) => {
            parts.push_back(Part::Text(Box::new(Spoken::new(&index, Place::Text, text))));
            choice.insert("text".to_owned(), json!(""));
        }
        _ => return None,
    }
    choice.extend(logprobs.map(|logprobs| ("logprobs".to_owned(), logprobs)));
    parts.push_back(Part::Chunk { choices: json!([choice]), usage: Value::Null });
    Some(())
}

/// The role and whatever is not told in pieces first, then the texts, then the calls.
fn tell_message(index: &Value, mut message: Map<String, Value>, logprobs: &mut Value, parts: &mut VecDeque<Part>) {
    let calls = message.get_mut("tool_calls").and_then(Value::as_array_mut).filter(|calls| calls.iter().all(Value::is_object));
    let calls = calls.map(std::mem::take).unwrap_or_default();
    if !calls.is_empty() {
        message.shift_remove("tool_calls");
    }
    let mut texts = Vec::new();
    for key in TOLD_IN_PIECES {
        if let Some(Value::String(text)) = message.get_mut(key) {
            texts.push(Spoken::new(index, Place::Delta(key), std::mem::take(text)).with_tokens(logprobs, key));
        }
    }
    let arguments = message.get_mut("function_call").and_then(|call| taken(call, "arguments"));
    texts.extend(arguments.map(|arguments| Spoken::new(index, Place::FunctionCall, arguments)));
    parts.push_back(delta(index, &Value::Object(message)));
    parts.extend(texts.into_iter().map(|text| Part::Text(Box::new(text))));
    for (n, call) in calls.into_iter().enumerate() {
        tell_call(index, n, call, parts);
    }
}

/// Id and name first, then the arguments in pieces.
fn tell_call(index: &Value, n: usize, mut call: Value, parts: &mut VecDeque<Part>) {
    let bodies = [("function", "arguments"), ("custom", "input")];
    let told = bodies.into_iter().find_map(|(kind, name)| Some((kind, name, taken(call.get_mut(kind)?, name)?)));
    call["index"] = json!(n);
    parts.push_back(delta(index, &json!({ "tool_calls": [call] })));
    if let Some((kind, name, text)) = told {
        let place = Place::ToolCall { call: n, kind, name };
        parts.push_back(Part::Text(Box::new(Spoken::new(index, place, text))));
    }
}

/// Takes a string out of an object, and leaves an empty one there.
fn taken(object: &mut Value, key: &str) -> Option<String> {
    match object.get_mut(key) {
        Some(Value::String(text)) => Some(std::mem::take(text)),
        _ => None,
    }
}

fn delta(index: &Value, delta: &Value) -> Part {
    Part::Chunk { choices: json!([{ "index": index, "delta": delta, "finish_reason": null }]), usage: Value::Null }
}

#[cfg(test)]
mod tests;
