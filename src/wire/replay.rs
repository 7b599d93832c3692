//! A whole answer, told again as the stream that a client asked for. The inverse of [`super::assemble`].

use bytes::{Bytes, BytesMut};
use serde_json::{Map, Value, json};

use super::sse;

/// Text is told in pieces of about this many bytes, cut at spaces, as models tell it.
const PIECE_BYTES: usize = 24;

/// The stream of a whole answer, `[DONE]` last; `None` if it is not an answer with choices.
pub fn events(answer: &Value, include_usage: bool) -> Option<Bytes> {
    let answer = answer.as_object()?;
    let choices = answer.get("choices")?.as_array()?;
    let mut told = Telling { head: head_of(answer), include_usage, out: BytesMut::new() };
    for choice in choices {
        told.choice(choice.as_object()?);
    }
    if include_usage {
        told.chunk(json!([]), answer.get("usage"));
    }
    sse::push_event(&mut told.out, sse::DONE);
    Some(told.out.freeze())
}

fn head_of(answer: &Map<String, Value>) -> Map<String, Value> {
    let mut head: Map<String, Value> = answer.clone();
    head.shift_remove("choices");
    head.shift_remove("usage");
    if let Some(Value::String(object)) = head.get_mut("object")
        && object == "chat.completion"
    {
        object.push_str(".chunk");
    }
    head
}

struct Telling {
    head: Map<String, Value>,
    include_usage: bool,
    out: BytesMut,
}

impl Telling {
    fn choice(&mut self, choice: &Map<String, Value>) {
        let index = choice.get("index").cloned().unwrap_or_else(|| json!(0));
        match choice.get("message").and_then(Value::as_object) {
            Some(message) => self.message(&index, message),
            None => self.text(&index, choice),
        }
        let mut last = choice.clone();
        if last.shift_remove("message").is_some() {
            last.insert("delta".to_owned(), json!({}));
        } else {
            last.insert("text".to_owned(), json!(""));
        }
        self.chunk(json!([last]), None);
    }

    /// The role and whatever is not text first, then the texts in pieces, then the tool calls.
    fn message(&mut self, index: &Value, message: &Map<String, Value>) {
        let spoken = |key: &str, value: &Value| value.is_string() && !matches!(key, "role" | "type" | "id");
        let mut first: Map<String, Value> =
            message.iter().filter(|(key, value)| !spoken(key, value) && *key != "tool_calls").map(cloned).collect();
        for (key, _) in message.iter().filter(|(key, value)| spoken(key, value)) {
            first.insert(key.clone(), json!(""));
        }
        self.delta(index, &Value::Object(first));
        for (key, value) in message.iter().filter(|(key, value)| spoken(key, value)) {
            for piece in pieces(value.as_str().unwrap_or_default()) {
                self.delta(index, &json!({ key.as_str(): piece }));
            }
        }
        for (n, call) in message.get("tool_calls").and_then(Value::as_array).into_iter().flatten().enumerate() {
            let mut indexed = Map::from_iter([("index".to_owned(), json!(n))]);
            indexed.extend(call.as_object().into_iter().flatten().map(cloned));
            self.delta(index, &json!({ "tool_calls": [indexed] }));
        }
    }

    fn text(&mut self, index: &Value, choice: &Map<String, Value>) {
        for piece in pieces(choice.get("text").and_then(Value::as_str).unwrap_or_default()) {
            self.chunk(json!([{ "index": index, "text": piece, "finish_reason": null }]), None);
        }
    }

    fn delta(&mut self, index: &Value, delta: &Value) {
        self.chunk(json!([{ "index": index, "delta": delta, "finish_reason": null }]), None);
    }

    fn chunk(&mut self, choices: Value, usage: Option<&Value>) {
        let mut chunk = self.head.clone();
        chunk.insert("choices".to_owned(), choices);
        if self.include_usage {
            chunk.insert("usage".to_owned(), usage.cloned().unwrap_or(Value::Null));
        }
        sse::push_event(&mut self.out, Value::Object(chunk).to_string().as_bytes());
    }
}

fn cloned((key, value): (&String, &Value)) -> (String, Value) {
    (key.clone(), value.clone())
}

/// Cuts before a space once a piece is long enough; the pieces joined are the text.
fn pieces(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let cut = rest.char_indices().find(|&(at, char)| at >= PIECE_BYTES && (char.is_whitespace() || at >= 4 * PIECE_BYTES));
        let (piece, tail) = rest.split_at(cut.map_or(rest.len(), |(at, _)| at));
        rest = tail;
        Some(piece)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::wire::assemble::Assembler;

    fn parse(stream: &[u8]) -> Value {
        let mut assembler = Assembler::default();
        let data = sse::data_of(stream);
        let (done, chunks) = data.split_last().unwrap();
        assert_eq!(done, sse::DONE);
        for chunk in chunks {
            assembler.push(serde_json::from_slice(chunk).unwrap());
        }
        assembler.finish()
    }

    fn tool_call() -> impl Strategy<Value = Value> {
        ("[a-z]{3}", "[a-z_]{1,9}", any::<String>()).prop_map(
            |(id, name, arguments)| json!({"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}),
        )
    }

    prop_compose! {
        fn choice(index: usize)(
            content in prop::option::of(any::<String>()),
            reasoning in prop::option::of(".{0,80}"),
            calls in prop::collection::vec(tool_call(), 0..3),
            finish in prop::sample::select(vec!["stop", "length", "tool_calls"]),
        ) -> Value {
            let mut message = Map::from_iter([("role".to_owned(), json!("assistant")), ("content".to_owned(), json!(content))]);
            if let Some(reasoning) = reasoning { message.insert("reasoning_content".to_owned(), json!(reasoning)); }
            if !calls.is_empty() { message.insert("tool_calls".to_owned(), json!(calls)); }
            json!({"index": index, "message": message, "finish_reason": finish, "logprobs": {"content": [{"token": "a", "logprob": -0.5}]}})
        }
    }

    proptest! {
        #[test]
        fn what_is_told_again_is_what_was_answered(one in choice(0), two in choice(1), model in "[a-z-]{1,8}") {
            let answer = json!({"id": "x", "object": "chat.completion", "created": 1, "model": model,
                "choices": [one, two], "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}});
            let stream = events(&answer, true).unwrap();
            prop_assert_eq!(parse(&stream), answer);
        }

        #[test]
        fn text_completions_too(text in any::<String>()) {
            let answer = json!({"id": "x", "object": "text_completion", "choices": [
                {"index": 0, "text": text, "finish_reason": "stop", "logprobs": null}]});
            let stream = events(&answer, false).unwrap();
            prop_assert_eq!(parse(&stream), answer);
        }
    }

    #[test]
    fn is_told_in_natural_pieces() {
        let text = "The quick brown fox jumps over the lazy dog and goes home.";
        assert_eq!(pieces(text).collect::<Vec<_>>(), ["The quick brown fox jumps", " over the lazy dog and goes", " home."]);
    }

    #[test]
    fn what_has_no_choices_is_not_told() {
        assert!(events(&json!({"error": {}}), false).is_none());
    }
}
