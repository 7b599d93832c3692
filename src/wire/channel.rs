//! The texts of an answer, or of one chunk of it, each with the channel that it goes on with.
//!
//! A stream tells several texts side by side: what is said and what is thought, for each choice, and the arguments of each call.

use std::{borrow::Cow, ops::Range};

use bytes::Bytes;

use super::{
    json::{Json, Value},
    text::Part,
};

/// One of the texts that an answer is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Channel {
    /// The `index` of the choice; 0 where there is none.
    pub choice: u64,
    /// Which text of the choice.
    pub field: Field,
}

/// Which text of a choice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Field {
    /// `text`, of legacy completions.
    Text,
    /// `content`
    Content,
    /// `refusal`
    Refusal,
    /// `reasoning_content` or `reasoning`, and parts of the content that were only thought.
    Reasoning,
    /// The arguments of the tool call of this number.
    Arguments(u64),
    /// What the custom tool call of this number is given.
    Input(u64),
    /// The arguments of a legacy function call.
    FunctionCall,
}

impl Field {
    /// What the text is to the model.
    pub fn part(self) -> Part {
        match self {
            Self::Text | Self::Content | Self::Refusal => Part::Text,
            Self::Reasoning => Part::Reasoning,
            Self::Arguments(_) | Self::Input(_) | Self::FunctionCall => Part::ToolArguments,
        }
    }

    /// Whether the text is JSON by itself, so that what is put into it must be escaped once more.
    pub fn is_json(self) -> bool {
        matches!(self, Self::Arguments(_) | Self::FunctionCall)
    }
}

/// A text, or the piece of it that one chunk tells.
#[derive(Debug, Clone)]
pub struct Piece<'j> {
    /// What it goes on with.
    pub channel: Channel,
    /// Without JSON escapes.
    pub text: Cow<'j, str>,
    /// Where it stands.
    pub place: Place,
}

/// Where a text stands in a body.
#[derive(Debug, Clone)]
pub struct Place {
    /// The JSON string, quotes included.
    pub span: Range<usize>,
    /// Where the choice spells its texts once more, token by token.
    pub spelling: Option<Range<usize>>,
}

/// The pieces of a chunk, or the texts of a whole answer, in the order of the body.
pub fn pieces(body: &Json) -> Vec<Piece<'_>> {
    let mut out = Vec::new();
    for (n, choice) in body.root().get("choices").into_iter().flat_map(Value::items).enumerate() {
        let index = choice.get("index").and_then(number);
        let spelling = choice.get("logprobs").filter(|logprobs| !logprobs.is_null()).map(Value::span);
        // The choices of a whole answer are in order; a chunk without an index goes on with the first.
        let whole = choice.get("message");
        let choice_number = index.unwrap_or(if whole.is_some() { n as u64 } else { 0 });
        let mut teller = Teller { choice: choice_number, spelling, out: &mut out };
        if let Some(message) = choice.get("delta").or(whole) {
            teller.message(message);
        }
        if let Some(text) = choice.get("text") {
            teller.content(Field::Text, text);
        }
    }
    out.sort_by_key(|piece| piece.place.span.start);
    out
}

/// The body with other texts in some places. What is changed is not spelled out beside it any more.
pub fn rewritten(body: &Json, changes: impl IntoIterator<Item = (Place, String)>) -> Bytes {
    let mut edits = Vec::new();
    for (Place { span, spelling }, text) in changes {
        edits.push((span, Cow::Owned(serde_json::Value::String(text).to_string())));
        edits.extend(spelling.map(|span| (span, Cow::Borrowed("null"))));
    }
    // Two texts of one choice are spelled in one place.
    edits.sort_by_key(|(span, _)| span.start);
    edits.dedup_by(|(a, _), (b, _)| a == b);
    body.splice(edits)
}

/// Collects the pieces of one choice.
struct Teller<'o, 'j> {
    choice: u64,
    spelling: Option<Range<usize>>,
    out: &'o mut Vec<Piece<'j>>,
}

impl<'j> Teller<'_, 'j> {
    fn message(&mut self, message: Value<'j>) {
        for (key, value) in message.members() {
            match key.as_str().as_deref() {
                Some("content") => self.content(Field::Content, value),
                Some("refusal") => self.content(Field::Refusal, value),
                Some("reasoning_content" | "reasoning") => self.content(Field::Reasoning, value),
                Some("tool_calls") => self.calls(value),
                Some("function_call") => self.piece(Field::FunctionCall, value.get("arguments")),
                _ => {}
            }
        }
    }

    /// Servers that number no call tell one after the other.
    fn calls(&mut self, calls: Value<'j>) {
        for (n, call) in calls.items().enumerate() {
            let n = call.get("index").and_then(number).unwrap_or(n as u64);
            self.piece(Field::Arguments(n), call.get("function").and_then(|function| function.get("arguments")));
            self.piece(Field::Input(n), call.get("custom").and_then(|custom| custom.get("input")));
        }
    }

    /// A string, or parts of which some are text.
    fn content(&mut self, field: Field, content: Value<'j>) {
        self.piece(field, Some(content));
        for part in content.items() {
            self.piece(field, Some(part));
            self.piece(field, part.get("text"));
            self.piece(Field::Refusal, part.get("refusal"));
            self.piece(Field::Reasoning, part.get("thinking"));
        }
    }

    fn piece(&mut self, field: Field, value: Option<Value<'j>>) {
        let Some((value, text)) = value.and_then(|value| Some((value, value.as_str()?))) else { return };
        let channel = Channel { choice: self.choice, field };
        let place = Place { span: value.span(), spelling: self.spelling.clone() };
        self.out.push(Piece { channel, text, place });
    }
}

fn number(value: Value<'_>) -> Option<u64> {
    value.raw().parse().ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn told(body: &serde_json::Value) -> Vec<(u64, Field, String)> {
        let json = Json::parse(body.to_string().into()).unwrap();
        pieces(&json).into_iter().map(|piece| (piece.channel.choice, piece.channel.field, piece.text.into_owned())).collect()
    }

    #[test]
    fn every_text_of_a_chunk_is_told_with_its_channel() {
        let chunk = json!({"choices": [
            {"index": 1, "delta": {"role": "assistant", "content": "a", "reasoning": "b", "refusal": null}},
            {"index": 0, "delta": {"tool_calls": [
                {"index": 2, "function": {"name": "f", "arguments": "c"}}, {"index": 3, "custom": {"input": "d"}}],
                "function_call": {"arguments": "e"}}},
            {"index": 0, "text": "f", "logprobs": null}]});
        let expected = [
            (1, Field::Content, "a"),
            (1, Field::Reasoning, "b"),
            (0, Field::Arguments(2), "c"),
            (0, Field::Input(3), "d"),
            (0, Field::FunctionCall, "e"),
            (0, Field::Text, "f"),
        ];
        assert_eq!(told(&chunk), expected.map(|(choice, field, text)| (choice, field, text.to_owned())));
    }

    #[test]
    fn parts_of_a_content_go_on_with_it() {
        let parts = json!(["a", {"type": "text", "text": "b"}, {"thinking": "c"}, {"refusal": "d"}, {"image": "e"}]);
        let chunk = json!({"choices": [{"delta": {"content": parts}}]});
        let fields: Vec<_> = told(&chunk).into_iter().map(|(_, field, text)| (field, text)).collect();
        let expected = [(Field::Content, "a"), (Field::Content, "b"), (Field::Reasoning, "c"), (Field::Refusal, "d")];
        assert_eq!(fields, expected.map(|(field, text)| (field, text.to_owned())));
    }

    #[test]
    fn a_whole_answer_has_the_same_texts_and_says_where_they_are_spelled() {
        let answer =
            json!({"choices": [{"message": {"content": "x"}, "logprobs": {"content": []}}, {"message": {"content": "y"}}]});
        let json = Json::parse(answer.to_string().into()).unwrap();
        let pieces = pieces(&json);
        assert_eq!(pieces.iter().map(|piece| piece.channel.choice).collect::<Vec<_>>(), [0, 1]);
        let spelled = pieces[0].place.spelling.clone().unwrap();
        assert_eq!(&json.bytes()[spelled], br#"{"content":[]}"#);
        assert!(pieces[1].place.spelling.is_none());
    }
}
