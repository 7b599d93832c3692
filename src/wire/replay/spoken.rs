//! One text of an answer, told in pieces, each with the log probabilities of the tokens that spell it.

use serde_json::{Map, Value, json};
use unicode_segmentation::GraphemeCursor;

/// Text is told in pieces of about this many bytes, cut before spaces, as models tell it.
const PIECE_BYTES: usize = 24;

/// Where in a choice a text stands.
#[derive(Debug)]
pub(super) enum Place {
    /// In the choice itself, as of legacy completions.
    Text,
    /// In this field of the message.
    Delta(&'static str),
    /// In `name` of the `kind` of a tool call.
    ToolCall { call: usize, kind: &'static str, name: &'static str },
    /// In the arguments of a legacy function call.
    FunctionCall,
}

/// A text, and how much of it has been told. As an iterator, the choices that tell it.
#[derive(Debug)]
pub(super) struct Spoken {
    index: Value,
    place: Place,
    text: String,
    told: usize,
    tokens: Option<Tokens>,
}

/// The tokens that spell a text.
#[derive(Debug)]
struct Tokens {
    /// Which of `logprobs` they are.
    key: &'static str,
    /// The fields of `logprobs`, all null.
    beside: Map<String, Value>,
    left: std::vec::IntoIter<Value>,
}

impl Spoken {
    pub(super) fn new(index: &Value, place: Place, text: String) -> Self {
        Self { index: index.clone(), place, text, told: 0, tokens: None }
    }

    /// Takes the tokens that spell this text out of `logprobs`. Where they spell something else, they are left, to be told at the end.
    pub(super) fn with_tokens(mut self, logprobs: &mut Value, key: &'static str) -> Self {
        let spells =
            |tokens: &Vec<Value>| tokens.iter().map(spelling).collect::<Option<String>>().is_some_and(|all| all == self.text);
        let Some(fields) = logprobs.as_object_mut().filter(|_| !self.text.is_empty()) else { return self };
        let Some(Value::Array(tokens)) = fields.get_mut(key).filter(|tokens| tokens.as_array().is_some_and(spells)) else {
            return self;
        };
        let left = std::mem::take(tokens).into_iter();
        let beside: Map<_, _> = fields.iter().map(|(name, _)| (name.clone(), Value::Null)).collect();
        fields.insert(key.to_owned(), Value::Null);
        if fields.values().all(Value::is_null) {
            *logprobs = Value::Null;
        }
        self.tokens = Some(Tokens { key, beside, left });
        self
    }

    fn choice(&self, piece: &str) -> Value {
        let delta = match self.place {
            Place::Text => return json!({ "index": self.index, "text": piece, "finish_reason": null }),
            Place::Delta(key) => json!({ key: piece }),
            Place::ToolCall { call, kind, name } => json!({ "tool_calls": [{ "index": call, kind: { name: piece } }] }),
            Place::FunctionCall => json!({ "function_call": { "arguments": piece } }),
        };
        json!({ "index": self.index, "delta": delta, "finish_reason": null })
    }
}

fn spelling(token: &Value) -> Option<&str> {
    token.get("token")?.as_str()
}

impl Iterator for Spoken {
    type Item = Value;

    fn next(&mut self) -> Option<Value> {
        let rest = self.text.get(self.told..).filter(|rest| !rest.is_empty())?;
        let (length, logprobs) = match &mut self.tokens {
            Some(tokens) => tokens.piece(rest),
            None => (piece(rest), None),
        };
        let mut choice = self.choice(&rest[..length]);
        if let Some(logprobs) = logprobs {
            choice["logprobs"] = logprobs;
        }
        self.told += length;
        Some(choice)
    }
}

impl Tokens {
    /// How long the next piece of `text` is, and the tokens that spell it.
    fn piece(&mut self, text: &str) -> (usize, Option<Value>) {
        let (mut length, mut tokens) = (0, Vec::new());
        while (length < PIECE_BYTES || !ends_character(text, length))
            && let Some(token) = self.left.next()
        {
            length += spelling(&token).unwrap_or_default().len();
            tokens.push(token);
        }
        // Tokens that spell nothing belong to the last piece.
        if length == text.len() {
            tokens.extend(&mut self.left);
        }
        let mut logprobs = self.beside.clone();
        logprobs.insert(self.key.to_owned(), Value::Array(tokens));
        (length, Some(Value::Object(logprobs)))
    }
}

/// How long the next piece of `text` is: long enough, then up to a space; without one, up to any character, never into one.
fn piece(text: &str) -> usize {
    let long_enough = |&(at, char): &(usize, char)| at >= PIECE_BYTES && (char.is_whitespace() || at >= 4 * PIECE_BYTES);
    text.char_indices().filter(long_enough).map(|(at, _)| at).find(|&at| ends_character(text, at)).unwrap_or(text.len())
}

/// Whether what a reader takes for one character ends here.
fn ends_character(text: &str, at: usize) -> bool {
    GraphemeCursor::new(at, text.len(), true).is_boundary(text, 0).unwrap_or(true)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use unicode_segmentation::UnicodeSegmentation;

    use super::*;

    fn pieces(text: &str) -> Vec<String> {
        let spoken = Spoken::new(&json!(0), Place::Delta("content"), text.to_owned());
        spoken.map(|choice| choice["delta"]["content"].as_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn is_told_in_natural_pieces() {
        let text = "The quick brown fox jumps over the lazy dog and goes home.";
        assert_eq!(pieces(text), ["The quick brown fox jumps", " over the lazy dog and goes", " home."]);
    }

    #[test]
    fn tokens_are_told_with_the_piece_that_they_spell() {
        let token = |token: &str| json!({ "token": token, "logprob": -0.5 });
        let tokens = ["The quick brown", " fox jumps over", " the lazy dog"];
        let mut logprobs = json!({ "content": tokens.map(token), "refusal": null });
        let spoken = Spoken::new(&json!(0), Place::Delta("content"), tokens.concat()).with_tokens(&mut logprobs, "content");
        let told: Vec<_> = spoken.map(|choice| (choice["delta"]["content"].clone(), choice["logprobs"].clone())).collect();
        let with = |tokens: &[&str]| {
            let logprobs = json!({ "content": tokens.iter().copied().map(token).collect::<Vec<_>>(), "refusal": null });
            (json!(tokens.concat()), logprobs)
        };
        assert_eq!(told, [with(&tokens[..2]), with(&tokens[2..])]);
        assert!(logprobs.is_null());
    }

    #[test]
    fn tokens_that_spell_something_else_are_left() {
        let mut logprobs = json!({ "content": [{ "token": "other" }] });
        let before = logprobs.clone();
        let mut spoken = Spoken::new(&json!(0), Place::Delta("content"), "text".to_owned()).with_tokens(&mut logprobs, "content");
        assert_eq!(logprobs, before);
        assert_eq!(spoken.next().unwrap().get("logprobs"), None);
    }

    proptest! {
        #[test]
        fn no_piece_begins_inside_a_character(text in "([a-z ]|é|\u{301}|👩‍👩‍👧|🇫🇷|한|\r\n|च्छे){0,200}") {
            let pieces = pieces(&text);
            prop_assert_eq!(pieces.concat(), &text[..]);
            let ends: Vec<usize> = text.grapheme_indices(true).map(|(at, _)| at).collect();
            let mut at = 0;
            for piece in pieces {
                prop_assert!(ends.contains(&at), "a piece begins at {}", at);
                at += piece.len();
            }
        }
    }
}
