//! Chat chunks as Anthropic's events.

use bytes::BytesMut;
use serde_json::{Map, Value, json};

use super::{
    super::{Events, Translate, Translated, is, list, members, object, taken, text},
    answer::{ended_from_chat, usage_from_chat},
    beside, error_from_chat,
};
use crate::{error::Result, wire::sse};

/// Turns chat chunks into the events that Anthropic's clients expect: a message that begins, one block after the other, why it ended, and its end.
///
/// Of several choices, the first is told. What chat says last, Anthropic says first: the tokens that were read are told with the end, and 0 before.
pub fn events_from_chat() -> Box<dyn Events> {
    Box::new(Translated::of(FromChat::default()))
}

/// What the hooks of a config came to: an event of its own, which Anthropic's clients pass over.
const HOOKS: &str = "hook_results";

#[derive(Debug, Default)]
struct FromChat {
    begun: bool,
    /// The next block's index.
    next: u64,
    open: Vec<Open>,
    /// Why it ended, once that is known.
    ended: Option<Map<String, Value>>,
    usage: Map<String, Value>,
    over: bool,
}

/// A block that is being told.
#[derive(Debug)]
struct Open {
    index: u64,
    kind: Kind,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    Text,
    Thinking,
    /// The call of this number and id.
    Call(u64, String),
}

impl Translate for FromChat {
    fn event(&mut self, data: &[u8], out: &mut BytesMut) -> Result<()> {
        if data == sse::DONE {
            self.finish(out);
            return Ok(());
        }
        // What is no JSON was refused before it came here.
        let mut chunk = object(serde_json::from_slice(data).unwrap_or_default());
        if chunk.get("error").is_some_and(|error| !error.is_null()) {
            self.over = true;
            push(out, &error_from_chat(0, chunk.into()));
            return Ok(());
        }
        if let Some(results) = taken(&mut chunk, HOOKS) {
            push(out, &json!({ "type": HOOKS, HOOKS: results }));
        }
        if let Some(Value::Object(usage)) = taken(&mut chunk, "usage") {
            self.usage = usage;
        }
        let choices = list(&mut chunk, "choices").into_iter().map(object);
        let first = |choice: &Map<String, Value>| choice.get("index").and_then(Value::as_u64).unwrap_or(0) == 0;
        for mut choice in choices.filter(first) {
            self.begin(&chunk, out);
            self.delta(members(&mut choice, "delta"), out);
            if choice.get("finish_reason").is_some_and(|reason| reason.as_str().is_some_and(|reason| !reason.is_empty())) {
                self.ended = Some(ended_from_chat(&mut choice));
            }
        }
        Ok(())
    }

    fn comment(&mut self, out: &mut BytesMut) {
        if self.begun && !self.over {
            push(out, &json!({ "type": "ping" }));
        }
    }

    /// Some servers end without the last word; what has no reason to end has not ended.
    fn end(&mut self, out: &mut BytesMut) {
        if self.ended.is_some() {
            self.finish(out);
        } else if !self.over {
            self.over = true;
            push(out, &error_from_chat(0, json!({ "error": "The answer ended early. Try again." })));
        }
    }
}

impl FromChat {
    fn begin(&mut self, chunk: &Map<String, Value>, out: &mut BytesMut) {
        if std::mem::replace(&mut self.begun, true) {
            return;
        }
        let message = json!({
            "id": chunk.get("id"), "type": "message", "role": "assistant", "model": chunk.get("model"), "content": [],
            "stop_reason": null, "stop_sequence": null, "usage": { "input_tokens": 0, "output_tokens": 0 },
        });
        push(out, &json!({ "type": "message_start", "message": message }));
    }

    fn delta(&mut self, mut delta: Map<String, Value>, out: &mut BytesMut) {
        let thought = text(&mut delta, beside::REASONING).or_else(|| text(&mut delta, "reasoning"));
        self.thinks("thinking", thought, out);
        self.thinks("signature", text(&mut delta, beside::SIGNATURE), out);
        if let Some(data) = text(&mut delta, beside::REDACTED) {
            self.close_all(out);
            self.open(Kind::Text, &json!({ "type": "redacted_thinking", "data": data }), out);
            self.close_all(out);
        }
        match delta.shift_remove("content") {
            Some(Value::Array(parts)) => parts.iter().for_each(|part| self.part(part, out)),
            content => self.says(content.as_ref().and_then(Value::as_str), out),
        }
        self.says(text(&mut delta, "refusal").as_deref(), out);
        for (n, call) in list(&mut delta, "tool_calls").into_iter().enumerate() {
            self.call(n as u64, object(call), out);
        }
    }

    /// Some hosts tell text and thoughts as parts.
    fn part(&mut self, part: &Value, out: &mut BytesMut) {
        if is(part, "thinking") {
            let thoughts = part["thinking"].as_array().into_iter().flatten().filter_map(|thought| thought["text"].as_str());
            let thought = part["thinking"].as_str().map_or_else(|| thoughts.collect(), str::to_owned);
            self.thinks("thinking", Some(thought), out);
        } else {
            self.says(part["text"].as_str().or(part.as_str()), out);
        }
    }

    fn thinks(&mut self, field: &str, text: Option<String>, out: &mut BytesMut) {
        let Some(text) = text.filter(|text| !text.is_empty()) else { return };
        let index = self.block(Kind::Thinking, || json!({ "type": "thinking", "thinking": "", "signature": "" }), out);
        tell(index, &json!({ "type": format!("{field}_delta"), field: text }), out);
    }

    fn says(&mut self, text: Option<&str>, out: &mut BytesMut) {
        let Some(text) = text.filter(|text| !text.is_empty()) else { return };
        let index = self.block(Kind::Text, || json!({ "type": "text", "text": "" }), out);
        tell(index, &json!({ "type": "text_delta", "text": text }), out);
    }

    /// The call's own number, or its place where it has none; another id under the same number begins another call.
    fn call(&mut self, place: u64, mut call: Map<String, Value>, out: &mut BytesMut) {
        let number = call.get("index").and_then(Value::as_u64).unwrap_or(place);
        let id = text(&mut call, "id").filter(|id| !id.is_empty());
        let (mut function, mut custom) = (members(&mut call, "function"), members(&mut call, "custom"));
        let same = |kind: &Kind| matches!(kind, Kind::Call(n, old) if *n == number && id.as_ref().is_none_or(|id| id == old));
        let known = self.open.iter().find(|open| same(&open.kind)).map(|open| open.index);
        let index = known.unwrap_or_else(|| {
            let name = text(&mut function, "name").or_else(|| text(&mut custom, "name"));
            let id = id.unwrap_or_default();
            let block = json!({ "type": "tool_use", "id": id, "name": name, "input": {} });
            // Calls may be told side by side; what is said before them is over.
            self.close(out, |kind| !matches!(kind, Kind::Call(..)));
            self.open(Kind::Call(number, id), &block, out)
        });
        let input = text(&mut custom, "input").map(|input| json!({ "input": input }).to_string());
        if let Some(json) = text(&mut function, "arguments").or(input).filter(|json| !json.is_empty()) {
            tell(index, &json!({ "type": "input_json_delta", "partial_json": json }), out);
        }
    }

    /// The index of the open block of this kind, which is opened if it is not.
    fn block(&mut self, kind: Kind, block: impl Fn() -> Value, out: &mut BytesMut) -> u64 {
        if let Some(open) = self.open.iter().find(|open| open.kind == kind) {
            return open.index;
        }
        self.close_all(out);
        self.open(kind, &block(), out)
    }

    fn open(&mut self, kind: Kind, block: &Value, out: &mut BytesMut) -> u64 {
        let index = self.next;
        self.next += 1;
        push(out, &json!({ "type": "content_block_start", "index": index, "content_block": block }));
        self.open.push(Open { index, kind });
        index
    }

    fn close_all(&mut self, out: &mut BytesMut) {
        self.close(out, |_| true);
    }

    fn close(&mut self, out: &mut BytesMut, which: impl Fn(&Kind) -> bool) {
        self.open.retain(|open| {
            let over = which(&open.kind);
            if over {
                push(out, &json!({ "type": "content_block_stop", "index": open.index }));
            }
            !over
        });
    }

    fn finish(&mut self, out: &mut BytesMut) {
        if std::mem::replace(&mut self.over, true) {
            return;
        }
        self.begin(&Map::new(), out);
        self.close_all(out);
        let ended = self.ended.take().unwrap_or_else(|| object(json!({ "stop_reason": "end_turn", "stop_sequence": null })));
        let usage = usage_from_chat(std::mem::take(&mut self.usage));
        push(out, &json!({ "type": "message_delta", "delta": ended, "usage": usage }));
        push(out, &json!({ "type": "message_stop" }));
    }
}

fn tell(index: u64, delta: &Value, out: &mut BytesMut) {
    push(out, &json!({ "type": "content_block_delta", "index": index, "delta": delta }));
}

/// One event, under the name of its type.
fn push(out: &mut BytesMut, event: &Value) {
    out.extend_from_slice(b"event: ");
    out.extend_from_slice(event["type"].as_str().unwrap_or_default().as_bytes());
    out.extend_from_slice(b"\n");
    sse::push_event(out, event.to_string().as_bytes());
}
