//! Anthropic's events as chat chunks.

use std::collections::HashMap;

use bytes::BytesMut;
use serde_json::{Map, Value, json};

use super::{
    super::{Events, Translate, Translated, members, object, text},
    answer::{ended_to_chat, usage_to_chat},
    beside, error_to_chat,
};
use crate::{
    error::{Error, Kind, Result},
    wire::sse,
};

/// Turns Anthropic's events into chat chunks. With `include_usage`, the usage has a chunk of its own; else it is told with the reason of the end.
///
/// Blocks that chat has no word for are not told: in a stream there is no place for them.
pub fn events_to_chat(created: u64, include_usage: bool) -> Box<dyn Events> {
    Box::new(Translated::of(ToChat { created, include_usage, ..ToChat::default() }))
}

#[derive(Debug, Default)]
struct ToChat {
    created: u64,
    include_usage: bool,
    /// What every chunk says of the answer.
    head: Map<String, Value>,
    usage: Map<String, Value>,
    /// The calls that are under way, by the index of their block.
    calls: HashMap<u64, Call>,
    called: u64,
    over: bool,
}

#[derive(Debug)]
struct Call {
    number: u64,
    /// What it is given, where nothing is told piece by piece.
    input: Value,
    told: bool,
}

impl Translate for ToChat {
    fn event(&mut self, data: &[u8], out: &mut BytesMut) -> Result<()> {
        let event: Value = serde_json::from_slice(data).map_err(|error| {
            let message =
                "The upstream's stream has an event that is not JSON; it was cut off there. Try again, or ask the provider.";
            Error::new(Kind::UpstreamMalformed, message).because(error)
        })?;
        let mut event = object(event);
        let index = event.get("index").and_then(Value::as_u64).unwrap_or(0);
        match event.get("type").and_then(Value::as_str).unwrap_or_default() {
            "message_start" => self.begin(members(&mut event, "message"), out),
            "content_block_start" => self.block(index, members(&mut event, "content_block"), out),
            "content_block_delta" => self.delta(index, members(&mut event, "delta"), out),
            "content_block_stop" => self.stop(index, out),
            "message_delta" => self.end_of_message(event, out),
            "message_stop" => self.done(out),
            "ping" => self.comment(out),
            "error" => {
                let error = error_to_chat(event.into()).unwrap_or_else(|| json!({ "error": { "message": "no message" } }));
                sse::push_event(out, error.to_string().as_bytes());
            }
            _ => {}
        }
        Ok(())
    }

    fn comment(&mut self, out: &mut BytesMut) {
        out.extend_from_slice(b": ping\n\n");
    }

    /// A stream without its last event is one that broke off, and stays so.
    fn end(&mut self, _out: &mut BytesMut) {}
}

impl ToChat {
    fn begin(&mut self, mut message: Map<String, Value>, out: &mut BytesMut) {
        self.head = object(json!({
            "id": message.shift_remove("id"), "object": "chat.completion.chunk", "created": self.created,
            "model": message.shift_remove("model"),
        }));
        self.usage = members(&mut message, "usage");
        self.tell(&json!({ "role": "assistant", "content": "" }), out);
    }

    fn block(&mut self, index: u64, mut block: Map<String, Value>, out: &mut BytesMut) {
        match block.get("type").and_then(Value::as_str).unwrap_or_default() {
            "text" => self.said("content", text(&mut block, "text"), out),
            "thinking" => {
                self.said(beside::REASONING, text(&mut block, "thinking"), out);
                self.said(beside::SIGNATURE, text(&mut block, "signature"), out);
            }
            "redacted_thinking" => self.said(beside::REDACTED, text(&mut block, "data"), out),
            "tool_use" => {
                let function = json!({ "name": block.shift_remove("name"), "arguments": "" });
                let call =
                    json!({ "index": self.called, "id": block.shift_remove("id"), "type": "function", "function": function });
                self.tell(&json!({ "tool_calls": [call] }), out);
                let input = block.shift_remove("input").unwrap_or_default();
                self.calls.insert(index, Call { number: self.called, input, told: false });
                self.called += 1;
            }
            _ => {}
        }
    }

    fn delta(&mut self, index: u64, mut delta: Map<String, Value>, out: &mut BytesMut) {
        match delta.get("type").and_then(Value::as_str).unwrap_or_default() {
            "text_delta" => self.said("content", text(&mut delta, "text"), out),
            "thinking_delta" => self.said(beside::REASONING, text(&mut delta, "thinking"), out),
            "signature_delta" => self.said(beside::SIGNATURE, text(&mut delta, "signature"), out),
            "input_json_delta" => {
                let json = text(&mut delta, "partial_json").filter(|json| !json.is_empty());
                let (Some(json), Some(call)) = (json, self.calls.get_mut(&index)) else { return };
                call.told = true;
                let delta = json!({ "tool_calls": [{ "index": call.number, "function": { "arguments": json } }] });
                self.tell(&delta, out);
            }
            _ => {}
        }
    }

    /// Chat's clients read the arguments as JSON, which nothing at all is not.
    fn stop(&mut self, index: u64, out: &mut BytesMut) {
        let Some(call) = self.calls.remove(&index).filter(|call| !call.told) else { return };
        let input = if call.input.is_object() { call.input } else { json!({}) };
        let arguments = input.to_string();
        self.tell(&json!({ "tool_calls": [{ "index": call.number, "function": { "arguments": arguments } }] }), out);
    }

    fn end_of_message(&mut self, mut event: Map<String, Value>, out: &mut BytesMut) {
        // The counts go up: the last ones are those of the whole.
        self.usage.extend(members(&mut event, "usage").into_iter().filter(|(_, count)| !count.is_null()));
        let mut ended = members(&mut event, "delta");
        let mut choice = object(json!({ "index": 0, "delta": {} }));
        choice.extend(ended_to_chat(&mut ended));
        let mut chunk = self.chunk(json!([choice]));
        if !self.include_usage {
            chunk.insert("usage".to_owned(), usage_to_chat(self.usage.clone()).into());
        }
        sse::push_event(out, Value::Object(chunk).to_string().as_bytes());
    }

    fn done(&mut self, out: &mut BytesMut) {
        if std::mem::replace(&mut self.over, true) {
            return;
        }
        if self.include_usage {
            let mut chunk = self.chunk(json!([]));
            chunk.insert("usage".to_owned(), usage_to_chat(std::mem::take(&mut self.usage)).into());
            sse::push_event(out, Value::Object(chunk).to_string().as_bytes());
        }
        sse::push_event(out, sse::DONE);
    }

    fn said(&self, key: &str, text: Option<String>, out: &mut BytesMut) {
        if let Some(text) = text.filter(|text| !text.is_empty()) {
            self.tell(&json!({ key: text }), out);
        }
    }

    fn tell(&self, delta: &Value, out: &mut BytesMut) {
        let chunk = self.chunk(json!([{ "index": 0, "delta": delta, "finish_reason": null }]));
        sse::push_event(out, Value::Object(chunk).to_string().as_bytes());
    }

    fn chunk(&self, choices: Value) -> Map<String, Value> {
        let mut chunk = self.head.clone();
        chunk.insert("choices".to_owned(), choices);
        chunk
    }
}
