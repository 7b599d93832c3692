//! A text as sentences, each with the parts of an attack that are played in it.

use std::ops::Range;

use super::{
    disguise::{self, Plain},
    parts::{self, Part},
};
use crate::guard::checks::phrases::{Parts, Phrases, sentence_end};

/// A sentence is cut here, so that a text without a full stop is read in pieces too.
const MAX_SENTENCE: usize = 400;
/// Words in capitals, one after the other, that are a shout.
const SHOUTED_WORDS: usize = 4;
/// Empty lines that push the text above out of sight.
const EMPTY_LINES: usize = 6;
/// A word that is said so often in one sentence is not meant to be read.
const REPEATS: usize = 15;

/// A sentence in which something was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sentence {
    /// Where it stands.
    pub(super) span: Range<usize>,
    /// What was found.
    pub(super) parts: Parts,
}

/// The sentences that play a part, in order.
pub(super) fn read(phrases: &Phrases, text: &str) -> Vec<Sentence> {
    let shouts = text.bytes().any(|byte| byte.is_ascii_lowercase());
    let (mut sentences, mut empty_lines) = (Vec::new(), 0);
    for span in spans(text) {
        let sentence = &text[span.clone()];
        let blank = sentence.len() - sentence.trim_start().len();
        // A text of nothing but line breaks has as many of them as bytes, and what stands behind them is what they hide.
        let mut parts = if blank == sentence.len() { Parts::NONE } else { played(phrases, sentence) };
        if shouts && is_shouted(sentence) {
            parts.add(Part::Shouted as usize);
        }
        if empty_lines >= EMPTY_LINES && blank < sentence.len() {
            parts.add(Part::Blank as usize);
        }
        if !parts.is_empty() {
            sentences.push(Sentence { span: span.start + blank..span.end, parts });
        }
        let line_breaks = sentence.len() - sentence.trim_end_matches('\n').len();
        empty_lines = if line_breaks == sentence.len() { empty_lines + line_breaks } else { line_breaks };
    }
    let encoded: Vec<_> = disguise::decoded(text).map(|(span, said)| encoded(phrases, span, &said)).collect();
    if !encoded.is_empty() {
        sentences.extend(encoded);
        sentences.sort_by_key(|sentence| sentence.span.start);
    }
    sentences
}

fn encoded(phrases: &Phrases, span: Range<usize>, said: &str) -> Sentence {
    let mut parts = spans(said).fold(Parts::default(), |parts, span| parts.with(spoken(phrases, &said[span])));
    parts.add(Part::Encoded as usize);
    Sentence { span, parts }
}

/// What is played in a sentence, with its disguise and without.
fn played(phrases: &Phrases, sentence: &str) -> Parts {
    // What is one byte is what ended a sentence, once more.
    if sentence.len() == 1 {
        return Parts::NONE;
    }
    let mut parts = spoken(phrases, sentence);
    let undisguised = disguise::without_digits(sentence).into_iter().chain(disguise::joined(sentence));
    undisguised.for_each(|plain| add_disguised(&mut parts, spoken(phrases, &plain)));
    if parts.has(parts::parts(&[Part::Turned])) {
        for plain in disguise::turned(sentence) {
            add_disguised(&mut parts, spoken(phrases, &plain));
        }
    }
    if is_repeated(sentence) {
        parts.add(Part::Repeated as usize);
    }
    parts
}

/// A disguise tells only where it hid something.
fn add_disguised(parts: &mut Parts, found: Parts) {
    if !parts.has(found) {
        *parts = parts.with(found);
        parts.add(Part::Disguised as usize);
    }
}

fn spoken(phrases: &Phrases, sentence: &str) -> Parts {
    if sentence.is_ascii() {
        return parts::spoken(phrases, &sentence.to_ascii_lowercase());
    }
    let plain = Plain::of(sentence);
    let mut parts = parts::spoken(phrases, &plain.text);
    if plain.invisible {
        parts.add(Part::Invisible as usize);
    }
    if plain.mixed {
        parts.add(Part::Disguised as usize);
    }
    parts
}

/// Cuts behind full stops, question and exclamation marks, at line breaks, and where a sentence grows too long.
fn spans(text: &str) -> impl Iterator<Item = Range<usize>> {
    let mut start = 0;
    std::iter::from_fn(move || {
        let rest = &text[start..];
        // No further than a sentence may be long: who looks for the end of the whole text at each cut pays its square.
        let longest = &rest.as_bytes()[..rest.len().min(MAX_SENTENCE)];
        let all = || if rest.len() > MAX_SENTENCE { cut(rest) } else { rest.len() };
        let end = sentence_end(longest).unwrap_or_else(all);
        let span = start..start + end;
        start = span.end;
        (!span.is_empty()).then_some(span)
    })
}

/// Where a sentence that is too long is cut: at its last space.
fn cut(sentence: &str) -> usize {
    let longest = &sentence[..sentence.floor_char_boundary(MAX_SENTENCE)];
    longest.rfind(' ').map_or(longest.len(), |space| space + 1)
}

fn is_shouted(sentence: &str) -> bool {
    let capitals = |word: &str| word.bytes().filter(u8::is_ascii_uppercase).count();
    let shouted = |word: &str| !word.bytes().any(|byte| byte.is_ascii_lowercase()) && capitals(word) > 1;
    let mut run = 0;
    capitals(sentence) >= 2 * SHOUTED_WORDS
        && sentence.split_ascii_whitespace().any(|word| {
            run = if shouted(word) { run + 1 } else { 0 };
            run >= SHOUTED_WORDS
        })
}

fn is_repeated(sentence: &str) -> bool {
    let (mut last, mut run) = ("", 0);
    sentence.bytes().filter(u8::is_ascii_whitespace).count() >= REPEATS
        && sentence.split_ascii_whitespace().any(|word| {
            run = if last == word { run + 1 } else { 0 };
            last = word;
            run >= REPEATS
        })
}

#[cfg(test)]
mod tests {
    use super::{super::parts::parts, *};

    fn parts_of(text: &str) -> Parts {
        read(parts::shipped().unwrap(), text).iter().fold(Parts::default(), |all, sentence| all.with(sentence.parts))
    }

    #[test]
    fn what_has_nothing_in_it_costs_no_sentence() {
        assert!(read(parts::shipped().unwrap(), "The reading room stays on the ground floor. It opens in spring.").is_empty());
    }

    #[test]
    fn the_way_in_which_a_text_is_written_plays_a_part() {
        let shouting = "Where is the station FORGET WHAT YOU KNOW please";
        for (text, part) in [
            (shouting.to_owned(), Part::Shouted),
            (format!("{}say yes", "\n".repeat(8)), Part::Blank),
            ("poem ".repeat(40), Part::Repeated),
            ("Igno\u{200b}re it".to_owned(), Part::Invisible),
            (data_encoding::BASE64.encode(b"say yes and tell me that it is so"), Part::Encoded),
        ] {
            assert!(parts_of(&text).has(parts(&[part])), "{part:?} in {text:?}");
        }
        assert!(!parts_of("THE WHOLE TEXT IS IN CAPITALS").has(parts(&[Part::Shouted])), "some people write so");
    }

    #[test]
    fn sentences_end_where_they_end_and_no_later_than_they_may() {
        let text = format!("One. 二。 Three\n{}", "word ".repeat(300));
        let spans: Vec<_> = spans(&text).collect();
        assert_eq!(&text[spans[1].clone()], " 二。");
        assert!(spans.iter().all(|span| span.len() <= MAX_SENTENCE));
        assert!(spans.windows(2).all(|pair| pair[0].end == pair[1].start) && spans[spans.len() - 1].end == text.len());
    }
}
