//! The chunks of a stream, put together to the answer that a client without streaming would have got.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::replay::ON_EVERY_CHUNK;

/// Fields of a delta that name something; a provider that repeats them does not mean to append.
const NAMING: [&str; 5] = ["role", "type", "id", "name", "format"];

/// Hides the length of a chunk from who listens on the line.
const PADDING: &str = "obfuscation";

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
                ("usage" | PADDING, _) => {}
                (_, value) => self.push_head(key, value),
            }
        }
    }

    /// What is said first counts, unless nothing was said: some providers begin with a chunk about the prompt, whose fields are empty.
    fn push_head(&mut self, key: String, value: Value) {
        let old = self.head.entry(key).or_insert(Value::Null);
        if !says_something(old) || *old == 0 {
            *old = value;
        }
    }

    fn push_choice(&mut self, choice: Value) {
        let Value::Object(choice) = choice else { return };
        let index = choice.get("index").and_then(Value::as_u64).unwrap_or(0);
        let into = self.choices.entry(index).or_default();
        for (key, value) in choice {
            let in_pieces = value.is_array() || ["text", "logprobs"].contains(&key.as_str());
            if key == "delta" {
                merge(into, "message".to_owned(), value);
            } else if in_pieces {
                merge(into, key, value);
            } else if !into.contains_key(&key) || says_something(&value) {
                // Why it stopped, and what filters think of it so far: the last word counts.
                into.insert(key, value);
            }
        }
    }

    /// Whether every choice has said why it stopped.
    pub fn finished(&self) -> bool {
        !self.choices.is_empty() && self.choices.values().all(|choice| text_of(choice, "finish_reason").is_some())
    }

    /// The chunk that ends the stream here, for this reason.
    pub fn last_chunk(&self, reason: &str) -> Value {
        let head = self.head.iter().filter(|(key, _)| ON_EVERY_CHUNK.contains(&key.as_str()));
        let mut chunk: Map<_, _> = head.map(|(key, value)| (key.clone(), value.clone())).collect();
        let ended = |(index, choice): (&u64, &Map<String, Value>)| {
            let says = if choice.contains_key("text") { ("text", json!("")) } else { ("delta", json!({})) };
            json!({ "index": index, says.0: says.1, "finish_reason": reason })
        };
        let choices: Vec<_> = self.choices.iter().map(ended).collect();
        let nothing_told = || json!([{ "index": 0, "delta": {}, "finish_reason": reason }]);
        chunk.insert("choices".to_owned(), if choices.is_empty() { nothing_told() } else { choices.into() });
        Value::Object(chunk)
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
        (Some(Value::String(old)), Value::String(new)) if naming => {
            if !new.is_empty() {
                *old = new;
            }
        }
        (Some(Value::String(old)), Value::String(new)) => old.push_str(&new),
        (Some(Value::Object(old)), Value::Object(new)) => new.into_iter().for_each(|(key, value)| merge(old, key, value)),
        (Some(Value::Array(old)), Value::Array(new)) => merge_items(&key, old, new),
        (Some(_), Value::Null) => {}
        (_, Value::Array(new)) => {
            let mut items = Vec::with_capacity(new.len());
            merge_items(&key, &mut items, new);
            into.insert(key, Value::Array(items));
        }
        (_, Value::Object(new)) => {
            let mut object = Map::with_capacity(new.len());
            new.into_iter().for_each(|(key, value)| merge(&mut object, key, value));
            into.insert(key, Value::Object(object));
        }
        (_, new) => drop(into.insert(key, new)),
    }
}

fn merge_items(key: &str, items: &mut Vec<Value>, new: Vec<Value>) {
    let told = items.len();
    for item in new {
        // Several pieces of a call may come in one chunk; other items of one chunk are different items.
        let same = if key == "tool_calls" { same_call(items, &item) } else { same_index(&items[..told], &item) };
        match (same.map(|at| &mut items[at]), item) {
            (Some(Value::Object(old)), Value::Object(new)) => new.into_iter().for_each(|(key, value)| merge(old, key, value)),
            (_, item) => items.push(item),
        }
    }
}

fn same_index(items: &[Value], item: &Value) -> Option<usize> {
    let index = item.get("index")?.as_u64()?;
    items.iter().rposition(|old| old.get("index").and_then(Value::as_u64) == Some(index))
}

/// The call that a piece continues. Some providers number no call, or all calls alike: another id with a name begins another call.
fn same_call(calls: &[Value], piece: &Value) -> Option<usize> {
    let id = |call: &Value| text_of(call.as_object()?, "id").map(str::to_owned);
    let named =
        ["function", "custom"].iter().any(|kind| piece.get(kind).and_then(|body| text_of(body.as_object()?, "name")).is_some());
    let begins = |old: &Value| named && id(piece).is_some_and(|new| id(old).is_some_and(|old| old != new));
    let at = match (piece.get("index").and_then(Value::as_u64), id(piece)) {
        (Some(_), _) => same_index(calls, piece),
        (None, Some(new)) => calls.iter().rposition(|old| id(old).as_ref() == Some(&new)),
        (None, None) => calls.len().checked_sub(1).filter(|_| !named),
    };
    at.filter(|&at| !begins(&calls[at]))
}

fn says_something(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::String(text) => !text.is_empty(),
        Value::Object(fields) => !fields.is_empty(),
        _ => true,
    }
}

/// A string that says something.
fn text_of<'v>(object: &'v Map<String, Value>, key: &str) -> Option<&'v str> {
    object.get(key)?.as_str().filter(|text| !text.is_empty())
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
    use proptest::prelude::*;

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

    #[test]
    fn a_stream_that_is_cut_ends_in_the_shape_of_its_chunks() {
        let mut assembler = Assembler::default();
        assert_eq!(assembler.last_chunk("x"), json!({"choices": [{"index": 0, "delta": {}, "finish_reason": "x"}]}));
        assembler.push(json!({"id": "1", "object": "chat.completion.chunk", "prompt_filter_results": [], "choices": [
            {"index": 0, "delta": {"content": "a"}}, {"index": 1, "text": "b"}]}));
        let choices = json!([{"index": 0, "delta": {}, "finish_reason": "x"}, {"index": 1, "text": "", "finish_reason": "x"}]);
        assert_eq!(assembler.last_chunk("x"), json!({"id": "1", "object": "chat.completion.chunk", "choices": choices}));
    }

    /// The first choice's message of these deltas.
    fn message(deltas: &[Value]) -> Value {
        let mut assembler = Assembler::default();
        for delta in deltas {
            assembler.push(json!({"choices": [{"index": 0, "delta": delta}]}));
        }
        assembler.finish()["choices"][0]["message"].take()
    }

    #[test]
    fn a_first_chunk_about_the_prompt_and_filters_in_every_chunk_do_not_garble_the_answer() {
        let mut assembler = Assembler::default();
        assembler.push(json!({"choices": [], "created": 0, "id": "", "model": "", "object": "", "system_fingerprint": null,
            "prompt_filter_results": [{"prompt_index": 0}]}));
        let filters = json!({"hate": {"filtered": false, "severity": "safe"}});
        let deltas = [json!({"role": "assistant", "content": "H"}), json!({"content": "i"}), json!({})];
        for (delta, (reason, filters)) in deltas.into_iter().zip([("", &filters), ("", &filters), ("stop", &json!({}))]) {
            let choice = json!({"index": 0, "delta": delta, "finish_reason": reason, "content_filter_results": filters});
            assert!(!assembler.finished());
            assembler.push(json!({"choices": [choice], "created": 7, "id": "x", "model": "m", "object": "chat.completion.chunk",
                "system_fingerprint": "fp", "obfuscation": "a8Kd"}));
        }
        assert!(assembler.finished());
        assert_eq!(
            assembler.finish(),
            json!({"created": 7, "id": "x", "model": "m", "object": "chat.completion", "system_fingerprint": "fp",
                "prompt_filter_results": [{"prompt_index": 0}],
                "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop",
                    "content_filter_results": filters}]})
        );
    }

    #[test]
    fn what_is_repeated_or_empty_adds_nothing() {
        let call = |id: Value, name: Value, arguments: &str| {
            json!({"role": "assistant", "content": null, "tool_calls": [
                {"index": 0, "id": id, "type": "function", "function": {"name": name, "arguments": arguments}}]})
        };
        for (id, name) in [(json!("c"), json!("f")), (json!(""), json!("")), (Value::Null, Value::Null)] {
            let told = message(&[call(json!("c"), json!("f"), "{\"a\""), call(id, name, ":1}")]);
            let whole = json!([{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{\"a\":1}"}}]);
            assert_eq!(told, json!({"role": "assistant", "content": null, "tool_calls": whole}));
        }
    }

    #[test]
    fn calls_without_a_number_or_with_one_for_all_are_told_apart() {
        let begin = |id: &str, index: Option<u64>| json!({"index": index, "id": id, "function": {"name": "f", "arguments": "{"}});
        let go_on = |index: Option<u64>| json!({"index": index, "function": {"arguments": "}"}});
        for index in [None, Some(0)] {
            let pieces = [begin("a", index), go_on(index), begin("b", index), go_on(index)];
            let apart = message(&pieces.clone().map(|piece| json!({"tool_calls": [piece]})));
            let together = message(&[json!({"tool_calls": pieces})]);
            let call = |id: &str| json!({"id": id, "function": {"name": "f", "arguments": "{}"}});
            assert_eq!(apart, json!({"tool_calls": [call("a"), call("b")]}));
            assert_eq!(together, apart);
        }
    }

    /// A piece of a text: which choice, which field of it, and what it says.
    fn piece() -> impl Strategy<Value = (usize, usize, String)> {
        (0..2_usize, 0..4_usize, ".{0,4}")
    }

    proptest! {
        #[test]
        fn any_split_gives_the_same_answer(pieces in prop::collection::vec(piece(), 1..40)) {
            let mut assembler = Assembler::default();
            let mut whole = [[const { String::new() }; 4], [const { String::new() }; 4]];
            for (choice, field, text) in &pieces {
                let call = |index: usize| json!({"tool_calls": [{"index": index, "function": {"arguments": text}}]});
                let delta = match field {
                    0 => json!({"content": text}),
                    1 => json!({"reasoning_content": text, "content": null}),
                    field => call(field - 2),
                };
                assembler.push(json!({"choices": [{"index": choice, "delta": delta, "finish_reason": null}]}));
                whole[*choice][*field].push_str(text);
            }
            let answer = assembler.finish();
            for choice in answer["choices"].as_array().unwrap() {
                let (index, message) = (choice["index"].as_u64().unwrap(), &choice["message"]);
                let [content, reasoning, calls @ ..] = &whole[usize::try_from(index).unwrap()];
                prop_assert_eq!(message["content"].as_str().unwrap_or_default(), content);
                prop_assert_eq!(message["reasoning_content"].as_str().unwrap_or_default(), reasoning);
                let told = message["tool_calls"].as_array().into_iter().flatten();
                let mut told: Vec<_> = told.map(|call| call["function"]["arguments"].as_str().unwrap().to_owned()).collect();
                let mut calls: Vec<_> = calls.iter().filter(|call| !call.is_empty()).cloned().collect();
                told.retain(|call| !call.is_empty());
                told.sort();
                calls.sort();
                prop_assert_eq!(told, calls);
            }
        }
    }
}
