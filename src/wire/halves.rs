//! Characters that a stream tells in two halves: `\ud83d` ends one chunk, `\ude00` begins the next.
//!
//! Each half alone is no text, and what is no text cannot be judged. So the character is told whole, with its second half.

use std::collections::BTreeMap;

use super::{
    channel::{self, Channel},
    json::{Json, Malformed},
};

/// Halves are read as characters that nobody uses, the last 2048 of all.
const FIRST_MARK: u32 = 0x10_f800;
/// The first number that is half of a character and not one.
const FIRST_HALF: u16 = 0xd800;
/// From here on a half is the second one.
const SECOND_HALVES: u16 = 0xdc00;
/// The length of `\ud83d`.
const ESCAPE: usize = 6;

/// The first halves that wait for their second.
#[derive(Debug, Default)]
pub struct Halves(BTreeMap<Channel, u16>);

impl Halves {
    /// Reads a chunk, and whether it is as it came: whole characters are moved to the chunk that has their second half.
    pub fn read(&mut self, data: Vec<u8>) -> Result<(Json, bool), Malformed> {
        let marked = marked(&data);
        if self.0.is_empty() && marked.is_none() {
            return Ok((Json::parse(data.into())?, true));
        }
        let chunk = Json::parse(marked.unwrap_or(data).into())?;
        let pieces = channel::pieces(&chunk).into_iter();
        let changes: Vec<_> = pieces.filter_map(|piece| Some((piece.place, self.joined(piece.channel, &piece.text)?))).collect();
        Ok((Json::parse(channel::rewritten(&chunk, changes))?, false))
    }

    /// A piece with whole characters; `None` if it stays as it is.
    fn joined(&mut self, channel: Channel, text: &str) -> Option<String> {
        let mut out = String::with_capacity(text.len());
        let mut waits = if text.is_empty() { None } else { self.0.remove(&channel) };
        for char in text.chars() {
            let (first, half) = (waits.take(), half(char));
            if let Some(whole) = first.zip(half).and_then(|(first, second)| joined(first, second)) {
                out.push(whole);
                continue;
            }
            out.extend(first.map(|_| char::REPLACEMENT_CHARACTER));
            match half {
                Some(half) if half < SECOND_HALVES => waits = Some(half),
                half => out.push(half.map_or(char, |_| char::REPLACEMENT_CHARACTER)),
            }
        }
        if let Some(first) = waits {
            self.0.insert(channel, first);
        }
        (out != text).then_some(out)
    }
}

/// The character of two halves, if that is what they are.
fn joined(first: u16, second: u16) -> Option<char> {
    let mut chars = char::decode_utf16([first, second]);
    let whole = chars.next()?.ok()?;
    chars.next().is_none().then_some(whole)
}

/// The half that a mark stands for.
fn half(char: char) -> Option<u16> {
    let number = u32::from(char).checked_sub(FIRST_MARK)?;
    Some(FIRST_HALF + u16::try_from(number).ok()?)
}

/// JSON with a mark in place of every half that stands alone; `None` if there is none.
fn marked(data: &[u8]) -> Option<Vec<u8>> {
    let mut out = None;
    let (mut told, mut at) = (0, 0);
    while let Some(next) = data[at..].iter().position(|&byte| byte == b'\\') {
        at += next;
        let Some(unit) = escaped(data, at) else {
            at = data.len().min(at + 2);
            continue;
        };
        let pair = escaped(data, at + ESCAPE).filter(|&second| joined(unit, second).is_some());
        if pair.is_none() && (FIRST_HALF..0xe000).contains(&unit) {
            let out = out.get_or_insert_with(Vec::new);
            out.extend_from_slice(&data[told..at]);
            let mark = char::from_u32(FIRST_MARK + u32::from(unit - FIRST_HALF)).unwrap_or_default();
            out.extend_from_slice(mark.encode_utf8(&mut [0; 4]).as_bytes());
            told = at + ESCAPE;
        }
        at += if pair.is_some() { 2 * ESCAPE } else { ESCAPE };
    }
    out.map(|mut out| {
        out.extend_from_slice(&data[told..]);
        out
    })
}

/// The number of the escape that stands here, if one does.
fn escaped(data: &[u8], at: usize) -> Option<u16> {
    let digits = data.get(at..at + ESCAPE)?.strip_prefix(b"\\u")?;
    u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn chunk(content: &str) -> Vec<u8> {
        format!(r#"{{"choices":[{{"index":0,"delta":{{"content":"{content}"}}}}]}}"#).into_bytes()
    }

    fn told(pieces: &[&str]) -> Vec<String> {
        let mut halves = Halves::default();
        let chunks = pieces.iter().map(|piece| halves.read(chunk(piece)).unwrap().0);
        chunks.map(|chunk| channel::pieces(&chunk)[0].text.clone().into_owned()).collect()
    }

    #[test]
    fn a_character_in_two_halves_is_told_with_its_second() {
        assert_eq!(told(&[r"a\ud83d", r"\ude00b"]), ["a", "😀b"]);
        assert_eq!(told(&[r"\uD83D", "", r"\uDE00"]), ["", "", "😀"]);
    }

    #[test]
    fn what_is_whole_stays_as_it_is() {
        for content in ["plain", r"\ud83d\ude00", r"\\ud83d", r"\\\u00e9", "\u{10ffff}"] {
            let (json, as_it_came) = Halves::default().read(chunk(content)).unwrap();
            assert!(as_it_came && *json.bytes() == chunk(content), "{content}");
        }
    }

    #[test]
    fn a_half_that_stays_alone_is_no_character() {
        assert_eq!(told(&[r"a\ud83d", "b", r"\ude00\ud83dc"]), ["a", "\u{fffd}b", "\u{fffd}\u{fffd}c"]);
    }

    proptest! {
        #[test]
        fn any_text_split_between_any_escapes_is_the_same_text(text in "[a😀é\\\\\"]{1,9}", cut in any::<prop::sample::Index>()) {
            let units: Vec<String> = text.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect();
            let (first, second) = units.split_at(cut.index(units.len() + 1));
            prop_assert_eq!(told(&[&first.concat(), &second.concat()]).concat(), text);
        }

        #[test]
        fn never_panics(data in prop::collection::vec(prop::sample::select(&b"\\ud83Dc0\"{a"[..]), 0..32)) {
            let _ = Halves::default().read(data);
        }
    }
}
