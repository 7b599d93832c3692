//! Characters that a stream tells in two halves: `\ud83d` ends one chunk, `\ude00` begins the next.
//!
//! Each half alone is no text, and what is no text cannot be judged. So the character is told whole, with its second half.

use std::{collections::BTreeMap, ops::Range};

use super::{
    channel::{self, Channel},
    json::Json,
};

/// What stands in place of a half that never became whole.
const REPLACEMENT: &str = "\\ufffd";

/// The first halves that wait for their second, each as the escape that it was written as.
#[derive(Debug, Default)]
pub struct Halves(BTreeMap<Channel, String>);

impl Halves {
    /// The chunk with whole characters only; `None` if that is what it has.
    pub fn join(&mut self, chunk: &Json) -> Option<Json> {
        let escaped = chunk.bytes().windows(3).any(|bytes| matches!(bytes, [b'\\', b'u', b'd' | b'D']));
        if self.0.is_empty() && !escaped {
            return None;
        }
        let mut edits = Vec::new();
        for piece in channel::pieces(chunk) {
            let literal = std::str::from_utf8(&chunk.bytes()[piece.place.span.clone()]).unwrap_or_default();
            let text = literal.trim_start_matches('"').strip_suffix('"').unwrap_or_default();
            if let Some(joined) = self.joined(piece.channel, text) {
                edits.push((piece.place.span, format!("\"{joined}\"").into()));
            }
        }
        if edits.is_empty() { None } else { Json::parse(chunk.splice(edits)).ok() }
    }

    /// A piece, as written between its quotes, with what came before and without what is to come; `None` if it stays as it is.
    fn joined(&mut self, channel: Channel, text: &str) -> Option<String> {
        if text.is_empty() {
            return None;
        }
        let first = self.0.remove(&channel);
        let begins = text.get(..ESCAPE).is_some_and(|escape| is_half(escape, SECOND));
        let before = match first {
            Some(first) if begins => first,
            Some(_) => REPLACEMENT.to_owned(),
            None => String::new(),
        };
        let rest = text.len().checked_sub(ESCAPE).filter(|&at| text.get(at..).is_some_and(|escape| is_half(escape, FIRST)));
        // A backslash before it that is no escape's own makes it plain letters.
        let rest = rest.filter(|&at| text[..at].bytes().rev().take_while(|&byte| byte == b'\\').count() % 2 == 0);
        let end = rest.unwrap_or(text.len());
        if let Some(at) = rest {
            self.0.insert(channel, text[at..].to_owned());
        }
        (!before.is_empty() || rest.is_some()).then(|| before + &text[..end])
    }
}

/// The length of `\ud83d`.
const ESCAPE: usize = 6;
const FIRST: Range<u16> = 0xd800..0xdc00;
const SECOND: Range<u16> = 0xdc00..0xe000;

fn is_half(escape: &str, of: Range<u16>) -> bool {
    let digits = escape.strip_prefix("\\u");
    digits.and_then(|digits| u16::from_str_radix(digits, 16).ok()).is_some_and(|unit| of.contains(&unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunk(content: &str) -> Json {
        let body = format!(r#"{{"choices":[{{"index":0,"delta":{{"content":"{content}"}}}}]}}"#);
        Json::parse(body.into()).unwrap()
    }

    fn told(pieces: &[&str]) -> Vec<String> {
        let mut halves = Halves::default();
        let chunks = pieces.iter().map(|piece| chunk(piece)).map(|chunk| halves.join(&chunk).unwrap_or(chunk));
        chunks.map(|chunk| channel::pieces(&chunk)[0].text.clone().into_owned()).collect()
    }

    #[test]
    fn a_character_in_two_halves_is_told_with_its_second() {
        assert_eq!(told(&[r"a\ud83d", r"\ude00b"]), ["a", "😀b"]);
        assert_eq!(told(&[r"\uD83D", "", r"\uDE00"]), ["", "", "😀"]);
    }

    #[test]
    fn what_is_whole_stays_as_it_is() {
        let mut halves = Halves::default();
        for content in ["plain", r"\ud83d\ude00", r"\\ud83d", r"\u00e9"] {
            assert!(halves.join(&chunk(content)).is_none(), "{content}");
        }
    }

    #[test]
    fn a_half_that_stays_alone_is_no_character() {
        assert_eq!(told(&[r"a\ud83d", "b"]), ["a", "\u{fffd}b"]);
    }
}
