//! The chunks of a stream, put together to the answer that a client without streaming would have got.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// Fields of a delta that name something; a provider that repeats them does not mean to append.
const NAMING: [&str; 7] = ["role", "type", "id", "name", "format", "finish_reason", "native_finish_reason"];

/// Collects chunks.
#[derive(Debug, Default)]
pub struct Assembler {
    head: Map<String, Value>,
    choices: BTreeMap<u64, Map<String, Value>>,
    usage: Option<Value>,
}

impl Assembler {
    /// Takes one chunk.
    pub fn push(&mut self, chunk: Value) {
        let Value::Object(chunk) = chunk else { return };
        for (key, value) in chunk {
            match (key.as_str(), value) {
                ("choices", Value::Array(choices)) => choices.into_iter().for_each(|choice| self.push_choice(choice)),
                ("usage", usage) if !usage.is_null() => self.usage = Some(usage),
                ("usage", _) => {}
                (_, value) => drop(self.head.entry(key).or_insert(value)),
            }
        }
    }

    fn push_choice(&mut self, choice: Value) {
        let Value::Object(choice) = choice else { return };
        let index = choice.get("index").and_then(Value::as_u64).unwrap_or(0);
        let into = self.choices.entry(index).or_default();
        for (key, value) in choice {
            let key = if key == "delta" { "message".to_owned() } else { key };
            merge(into, key, value);
        }
    }

    /// Whether every choice has said why it stopped.
    pub fn finished(&self) -> bool {
        !self.choices.is_empty() && self.choices.values().all(|choice| choice.get("finish_reason").is_some_and(Value::is_string))
    }

    /// The whole answer.
    pub fn finish(self) -> Value {
        let mut answer = self.head;
        if let Some(Value::String(object)) = answer.get_mut("object")
            && let Some(whole) = object.strip_suffix(".chunk")
        {
            *object = whole.to_owned();
        }
        let choices = self.choices.into_values().map(|mut choice| {
            if let Some(calls) = choice.get_mut("message").and_then(|message| message.get_mut("tool_calls")) {
                drop_indexes(calls);
            }
            Value::Object(choice)
        });
        answer.insert("choices".to_owned(), choices.collect());
        if let Some(usage) = self.usage {
            answer.insert("usage".to_owned(), usage);
        }
        Value::Object(answer)
    }
}

/// Adds what a delta says: strings append, items with an `index` meet their like, objects merge, the rest replaces.
fn merge(into: &mut Map<String, Value>, key: String, value: Value) {
    let naming = NAMING.contains(&key.as_str());
    match (into.get_mut(&key), value) {
        (Some(Value::String(old)), Value::String(new)) if !naming => old.push_str(&new),
        (Some(Value::Object(old)), Value::Object(new)) => new.into_iter().for_each(|(key, value)| merge(old, key, value)),
        (Some(Value::Array(old)), Value::Array(new)) => new.into_iter().for_each(|item| merge_item(old, item)),
        (Some(_), Value::Null) => {}
        (None, Value::Array(new)) => {
            let mut items = Vec::with_capacity(new.len());
            for item in new {
                merge_item(&mut items, item);
            }
            into.insert(key, Value::Array(items));
        }
        (_, new) => drop(into.insert(key, new)),
    }
}

fn merge_item(items: &mut Vec<Value>, item: Value) {
    let index = item.get("index").and_then(Value::as_u64);
    let same = index.and_then(|index| items.iter_mut().find(|old| old.get("index").and_then(Value::as_u64) == Some(index)));
    match (same, item) {
        (Some(Value::Object(old)), Value::Object(new)) => new.into_iter().for_each(|(key, value)| merge(old, key, value)),
        (_, item) => items.push(item),
    }
}

fn drop_indexes(calls: &mut Value) {
    for call in calls.as_array_mut().into_iter().flatten() {
        if let Some(call) = call.as_object_mut() {
            call.shift_remove("index");
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn puts_text_and_tool_calls_together() {
        let delta = |delta: Value| json!({"id": "1", "object": "chat.completion.chunk", "choices": [{"index": 0, "delta": delta, "finish_reason": null}]});
        let mut assembler = Assembler::default();
        assembler.push(delta(json!({"role": "assistant", "content": "Hel"})));
        assembler.push(delta(json!({"role": "assistant", "content": "lo"})));
        assembler.push(delta(json!({"tool_calls": [{"index": 0, "id": "c", "type": "function", "function": {"name": "f", "arguments": "{\"a\""}}]})));
        assembler.push(delta(json!({"tool_calls": [{"index": 0, "function": {"arguments": ":1}"}}]})));
        assert!(!assembler.finished());
        assembler.push(json!({"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]}));
        assembler
            .push(json!({"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}], "usage": {"total_tokens": 3}}));
        assert!(assembler.finished());
        assert_eq!(
            assembler.finish(),
            json!({"id": "1", "object": "chat.completion", "choices": [{
                "index": 0,
                "message": {"role": "assistant", "content": "Hello", "tool_calls": [
                    {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{\"a\":1}"}}]},
                "finish_reason": "tool_calls"}], "usage": {"total_tokens": 3}})
        );
    }
}
