//! The caller's own values, put back in place of what stood for them: the last that happens to an answer.

use std::{borrow::Cow, ops::Range};

use bytes::Bytes;

use super::{placeholder::Bindings, proof::Cleared};
use crate::wire::{Json, channel};

/// A whole answer as one caller gets it. It has that caller's values, so there is no way from here into a cache.
#[derive(Debug)]
pub struct Restored(Bytes);

impl Restored {
    /// The answer with the values of these bindings. They stand in texts alone: no id and no name is touched.
    pub fn of(cleared: &Cleared, bindings: &Bindings) -> Self {
        let body = cleared.body();
        if bindings.is_empty() {
            return Self(body.clone());
        }
        // What is no JSON has no texts.
        let Ok(json) = Json::parse(body.clone()) else { return Self(body.clone()) };
        let changes: Vec<_> = channel::pieces(&json)
            .into_iter()
            .filter_map(|piece| Some((piece.place, restored(bindings, &piece.text, piece.channel.field.is_json())?)))
            .collect();
        Self(if changes.is_empty() { body.clone() } else { channel::rewritten(&json, changes) })
    }

    /// What the caller is sent.
    pub fn body(&self) -> &Bytes {
        &self.0
    }
}

/// The text with the caller's values; `None` if it names none.
fn restored(bindings: &Bindings, text: &str, is_json: bool) -> Option<String> {
    match bindings.restore_with(text, |value| spelled(value, is_json)) {
        Cow::Owned(restored) => Some(restored),
        Cow::Borrowed(_) => None,
    }
}

/// Where a text names placeholders, and what is put there.
pub(super) fn values<'b>(bindings: &'b Bindings, text: &str, is_json: bool) -> Vec<(Range<usize>, Cow<'b, str>)> {
    bindings.values(text).map(|(span, value)| (span, spelled(value, is_json))).collect()
}

/// A value as it is written in a text, or inside the strings of one that is JSON.
fn spelled(value: &str, is_json: bool) -> Cow<'_, str> {
    if !is_json {
        return Cow::Borrowed(value);
    }
    let literal = serde_json::Value::from(value).to_string();
    Cow::Owned(literal[1..literal.len() - 1].to_owned())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::{Value, json};

    use super::*;
    use crate::guard::{OutputGate, Settings, rules::load};

    fn cleared(body: &Value) -> Cleared {
        let settings = Settings { builtin: false, directory: None, overrides: Default::default() };
        OutputGate::new(Arc::new(load(&settings).unwrap())).wave_through(body.to_string().into())
    }

    fn restored(body: &Value) -> Value {
        let mut bindings = Bindings::default();
        bindings.bind("NAME", "Ann \"A\" Lee");
        serde_json::from_slice(Restored::of(&cleared(body), &bindings).body()).unwrap()
    }

    #[test]
    fn values_come_back_in_every_text_and_nowhere_else() {
        let call = |arguments: &str| json!({"id": "{{NAME_1}}", "function": {"name": "{{NAME_1}}", "arguments": arguments}});
        let answer = |text: &str, arguments: &str| {
            json!({"id": "{{NAME_1}}", "choices": [
                {"message": {"content": text, "refusal": null, "tool_calls": [call(arguments)]}}, {"text": text}]})
        };
        let told = restored(&answer("Hi {{NAME_1}}, {{NAME_2}}", r#"{"to":"{{NAME_1}}"}"#));
        assert_eq!(told, answer("Hi Ann \"A\" Lee, {{NAME_2}}", r#"{"to":"Ann \"A\" Lee"}"#));
    }

    #[test]
    fn what_is_restored_is_not_spelled_out_beside_it() {
        let answer = json!({"choices": [{"message": {"content": "{{NAME_1}}"}, "logprobs": {"content": []}}]});
        assert!(restored(&answer)["choices"][0]["logprobs"].is_null());
        let untouched = json!({"choices": [{"message": {"content": "Hi"}, "logprobs": {"content": []}}]});
        assert_eq!(restored(&untouched), untouched);
    }

    #[test]
    fn without_values_an_answer_stays_byte_for_byte() {
        let cleared = cleared(&json!({"choices": [{"text": "{{NAME_1}}"}]}));
        assert_eq!(Restored::of(&cleared, &Bindings::default()).body(), cleared.body());
    }
}
