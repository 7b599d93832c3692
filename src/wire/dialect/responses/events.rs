//! Chat chunks as the typed events of Responses.

use bytes::BytesMut;
use serde_json::{Map, Value, json};

use super::{
    super::{Events, Translate, Translated, list, members, object, taken, text},
    Echo, Head,
    answer::item_id,
    cut,
    items::{Item, Part, Said, thought},
};
use crate::{error::Result, wire::sse};

/// Turns chat chunks into the events that OpenAI's clients expect of a response, from `response.created` to `response.completed`. Of several choices, the
/// first is told.
pub fn events_from_chat(echo: Echo) -> Box<dyn Events> {
    Box::new(Translated::of(FromChat { echo, ..FromChat::default() }))
}

#[derive(Debug, Default)]
struct FromChat {
    echo: Echo,
    head: Option<Head>,
    /// The number of the next event.
    sequence: u64,
    items: Vec<Item>,
    /// Which of them are being told.
    open: Vec<usize>,
    ended: Option<String>,
    usage: Map<String, Value>,
    over: bool,
}

impl Translate for FromChat {
    fn event(&mut self, data: &[u8], out: &mut BytesMut) -> Result<()> {
        if data == sse::DONE {
            self.finish(out);
            return Ok(());
        }
        // What is no JSON was refused before it came here.
        let mut chunk = object(serde_json::from_slice(data).unwrap_or_default());
        if let Some(error) = taken(&mut chunk, "error") {
            self.fail(&error, out);
            return Ok(());
        }
        if let Some(Value::Object(usage)) = taken(&mut chunk, "usage") {
            self.usage = usage;
        }
        let choices = list(&mut chunk, "choices").into_iter().map(object);
        let first = |choice: &Map<String, Value>| choice.get("index").and_then(Value::as_u64).unwrap_or(0) == 0;
        for mut choice in choices.filter(first) {
            self.begin(&chunk, out);
            self.delta(members(&mut choice, "delta"), out);
            self.ended = text(&mut choice, "finish_reason").filter(|reason| !reason.is_empty()).or(self.ended.take());
        }
        Ok(())
    }

    fn comment(&mut self, out: &mut BytesMut) {
        out.extend_from_slice(b": ping\n\n");
    }

    /// Some servers end without the last word; what has no reason to end has not ended.
    fn end(&mut self, out: &mut BytesMut) {
        if self.ended.is_some() {
            self.finish(out);
        } else if !self.over {
            self.fail(&json!({ "message": "The answer ended early. Try again.", "code": "upstream_reset" }), out);
        }
    }
}

impl FromChat {
    fn begin(&mut self, chunk: &Map<String, Value>, out: &mut BytesMut) {
        if self.head.is_some() {
            return;
        }
        let head = Head::of(chunk);
        let response = head.response(None, &[], None, &self.echo);
        self.head = Some(head);
        for kind in ["response.created", "response.in_progress"] {
            self.push(kind, json!({ "response": response }), out);
        }
    }

    fn delta(&mut self, mut delta: Map<String, Value>, out: &mut BytesMut) {
        let thought = text(&mut delta, "reasoning_content").or_else(|| text(&mut delta, "reasoning"));
        self.thinks(thought.as_deref(), out);
        match delta.shift_remove("content") {
            Some(Value::Array(parts)) => parts.iter().for_each(|part| self.says(part["text"].as_str(), false, out)),
            content => self.says(content.as_ref().and_then(Value::as_str), false, out),
        }
        self.says(text(&mut delta, "refusal").as_deref(), true, out);
        for (call, place) in list(&mut delta, "tool_calls").into_iter().zip(0..) {
            self.call(place, object(call), out);
        }
    }

    fn thinks(&mut self, said: Option<&str>, out: &mut BytesMut) {
        let Some(said) = said.filter(|said| !said.is_empty()) else { return };
        let at = self.item(|said| matches!(said, Said::Reasoning(_))).unwrap_or_else(|| {
            let at = self.begin_item(Said::Reasoning(String::new()), out);
            self.push("response.content_part.added", self.part(at, 0, &thought("")), out);
            at
        });
        if let Said::Reasoning(text) = &mut self.items[at].said {
            text.push_str(said);
        }
        let event = self.of_part(at, 0, json!({ "delta": said }));
        self.push("response.reasoning_text.delta", event, out);
    }

    /// Text and refusal are parts of one message.
    fn says(&mut self, said: Option<&str>, refuses: bool, out: &mut BytesMut) {
        let Some(said) = said.filter(|said| !said.is_empty()) else { return };
        let at = self.item(|said| matches!(said, Said::Message(_)));
        let at = at.unwrap_or_else(|| self.begin_item(Said::Message(Vec::new()), out));
        if self.parts(at).last().is_none_or(|part| matches!(part, Part::Refusal(_)) != refuses) {
            self.end_part(at, out);
            let part = if refuses { Part::Refusal(String::new()) } else { Part::Text(String::new(), json!([])) };
            let added = self.part(at, self.parts(at).len(), &part.value());
            if let Said::Message(parts) = &mut self.items[at].said {
                parts.push(part);
            }
            self.push("response.content_part.added", added, out);
        }
        if let Said::Message(parts) = &mut self.items[at].said
            && let Some(Part::Text(text, _) | Part::Refusal(text)) = parts.last_mut()
        {
            text.push_str(said);
        }
        let n = self.parts(at).len().saturating_sub(1);
        let kind = if refuses { "response.refusal.delta" } else { "response.output_text.delta" };
        let more = if refuses { json!({ "delta": said }) } else { json!({ "delta": said, "logprobs": [] }) };
        let event = self.of_part(at, n, more);
        self.push(kind, event, out);
    }

    /// The call's own number, or its place where it has none; another id under the same number begins another call.
    fn call(&mut self, place: u64, mut call: Map<String, Value>, out: &mut BytesMut) {
        let number = call.get("index").and_then(Value::as_u64).unwrap_or(place);
        let id = text(&mut call, "id").filter(|id| !id.is_empty());
        let mut function = members(&mut call, "function");
        let same = |said: &Said| matches!(said, Said::Call { number: n, id: old, .. } if *n == number && id.as_ref().is_none_or(|id| id == old));
        let at = self.item(same).unwrap_or_else(|| {
            let name = text(&mut function, "name").unwrap_or_default();
            self.begin_item(Said::Call { number, id: id.unwrap_or_default(), name, arguments: String::new() }, out)
        });
        let Some(piece) = text(&mut function, "arguments").filter(|piece| !piece.is_empty()) else { return };
        if let Said::Call { arguments, .. } = &mut self.items[at].said {
            arguments.push_str(&piece);
        }
        let event = json!({ "item_id": self.items[at].id, "output_index": at, "delta": piece });
        self.push("response.function_call_arguments.delta", event, out);
    }

    /// The open item of this kind.
    fn item(&self, kind: impl Fn(&Said) -> bool) -> Option<usize> {
        self.open.iter().copied().find(|&at| kind(&self.items[at].said))
    }

    /// Calls may be told side by side; whatever else is being told is over when something new begins.
    fn begin_item(&mut self, said: Said, out: &mut BytesMut) -> usize {
        let side_by_side = matches!(said, Said::Call { .. });
        for at in self.open.clone() {
            if !(side_by_side && matches!(self.items[at].said, Said::Call { .. })) {
                self.end_item(at, out);
            }
        }
        let at = self.items.len();
        let id = item_id(self.head.as_ref().map_or("", |head| &head.id), &said, at);
        let item = Item { id, said };
        let added = json!({ "output_index": at, "item": item.value("in_progress") });
        self.items.push(item);
        self.open.push(at);
        self.push("response.output_item.added", added, out);
        at
    }

    fn end_item(&mut self, at: usize, out: &mut BytesMut) {
        self.open.retain(|&open| open != at);
        match self.items[at].said.clone() {
            Said::Reasoning(text) => {
                self.push("response.reasoning_text.done", self.of_part(at, 0, json!({ "text": text })), out);
                self.push("response.content_part.done", self.part(at, 0, &thought(&text)), out);
            }
            Said::Message(_) => self.end_part(at, out),
            Said::Call { arguments, name, .. } => {
                let done = json!({ "item_id": self.items[at].id, "output_index": at, "name": name, "arguments": arguments });
                self.push("response.function_call_arguments.done", done, out);
            }
        }
        let done = json!({ "output_index": at, "item": self.items[at].value(self.status()) });
        self.push("response.output_item.done", done, out);
    }

    /// Ends the last part of a message, if it has one.
    fn end_part(&mut self, at: usize, out: &mut BytesMut) {
        let parts = self.parts(at);
        let (Some(part), n) = (parts.last().cloned(), parts.len().saturating_sub(1)) else { return };
        let (kind, more) = match &part {
            Part::Text(text, logprobs) => ("response.output_text.done", json!({ "text": text, "logprobs": logprobs })),
            Part::Refusal(refusal) => ("response.refusal.done", json!({ "refusal": refusal })),
        };
        self.push(kind, self.of_part(at, n, more), out);
        self.push("response.content_part.done", self.part(at, n, &part.value()), out);
    }

    fn finish(&mut self, out: &mut BytesMut) {
        if self.over {
            return;
        }
        self.begin(&Map::new(), out);
        for at in self.open.clone() {
            self.end_item(at, out);
        }
        self.over = true;
        let status = self.status();
        let output: Vec<_> = self.items.iter().map(|item| item.value(status)).collect();
        let (ended, usage) = (self.ended.as_deref().unwrap_or("stop"), std::mem::take(&mut self.usage));
        let Some(head) = &self.head else { return };
        let response = head.response(Some(ended), &output, Some(usage), &self.echo);
        let kind = if status == "completed" { "response.completed" } else { "response.incomplete" };
        self.push(kind, json!({ "response": response }), out);
    }

    fn fail(&mut self, error: &Value, out: &mut BytesMut) {
        self.over = true;
        let message = error["message"].as_str().or(error.as_str()).unwrap_or("The upstream gave no reason.");
        let code = error["code"].as_str().or(error["type"].as_str());
        self.push("error", json!({ "code": code, "message": message, "param": error["param"] }), out);
    }

    fn status(&self) -> &'static str {
        if self.ended.as_deref().and_then(cut).is_some() { "incomplete" } else { "completed" }
    }

    /// The parts of a message; of what is none, nothing.
    fn parts(&self, at: usize) -> &[Part] {
        match &self.items[at].said {
            Said::Message(parts) => parts,
            Said::Reasoning(_) | Said::Call { .. } => &[],
        }
    }

    fn of_part(&self, at: usize, n: usize, more: Value) -> Value {
        let mut event = object(json!({ "item_id": self.items[at].id, "output_index": at, "content_index": n }));
        event.extend(object(more));
        event.into()
    }

    fn part(&self, at: usize, n: usize, part: &Value) -> Value {
        self.of_part(at, n, json!({ "part": part }))
    }

    /// One event, under the name of its type and with its number.
    fn push(&mut self, kind: &str, event: Value, out: &mut BytesMut) {
        let mut numbered = object(json!({ "type": kind, "sequence_number": self.sequence }));
        self.sequence += 1;
        numbered.extend(object(event));
        out.extend_from_slice(b"event: ");
        out.extend_from_slice(kind.as_bytes());
        out.extend_from_slice(b"\n");
        sse::push_event(out, Value::Object(numbered).to_string().as_bytes());
    }
}
