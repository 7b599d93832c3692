//! A text as sentences, each with the parts of an attack that are played in it.

use std::{borrow::Cow, ops::Range};

use super::{
    disguise::{self, Plain},
    phrases::{Part, Parts, Phrases},
};

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
    let spoken = spans(text).map(|span| {
        let sentence = &text[span.clone()];
        let mut parts = parts(phrases, sentence);
        if shouts && is_shouted(sentence) {
            parts.add(Part::Shouted);
        }
        if text[..span.start].len() - text[..span.start].trim_end_matches('\n').len() >= EMPTY_LINES {
            parts.add(Part::Blank);
        }
        Sentence { span, parts }
    });
    let mut sentences: Vec<_> = spoken.filter(|sentence| !sentence.parts.is_empty()).collect();
    let encoded: Vec<_> = disguise::decoded(text).map(|(span, said)| encoded(phrases, span, &said)).collect();
    if !encoded.is_empty() {
        sentences.extend(encoded);
        sentences.sort_by_key(|sentence| sentence.span.start);
    }
    sentences
}

fn encoded(phrases: &Phrases, span: Range<usize>, said: &str) -> Sentence {
    let mut parts = spans(said).fold(Parts::default(), |parts, span| parts.with(spoken(phrases, &said[span])));
    parts.add(Part::Encoded);
    Sentence { span, parts }
}

/// What is played in a sentence, with its disguise and without.
fn parts(phrases: &Phrases, sentence: &str) -> Parts {
    let mut parts = spoken(phrases, sentence);
    let undisguised = disguise::without_digits(sentence).into_iter().chain(disguise::joined(sentence));
    undisguised.for_each(|plain| add_disguised(&mut parts, spoken(phrases, &plain)));
    if parts.has(Parts::of(&[Part::Turned])) {
        disguise::turned(sentence).iter().for_each(|plain| add_disguised(&mut parts, spoken(phrases, plain)));
    }
    if is_repeated(sentence) {
        parts.add(Part::Repeated);
    }
    parts
}

/// A disguise tells only where it hid something.
fn add_disguised(parts: &mut Parts, found: Parts) {
    if !parts.has(found) {
        *parts = parts.with(found);
        parts.add(Part::Disguised);
    }
}

fn spoken(phrases: &Phrases, sentence: &str) -> Parts {
    if sentence.is_ascii() {
        return phrases.parts(sentence);
    }
    let plain = Plain::of(sentence);
    let mut parts = phrases.parts(&plain.text);
    if plain.invisible {
        parts.add(Part::Invisible);
    }
    if plain.mixed {
        parts.add(Part::Disguised);
    }
    parts
}

/// Cuts behind full stops, question and exclamation marks, at line breaks, and where a sentence grows too long.
fn spans(text: &str) -> impl Iterator<Item = Range<usize>> {
    let mut start = 0;
    std::iter::from_fn(move || {
        let rest = &text[start..];
        let end = rest.find(['.', '?', '!', '\n', '。', '？', '！']).map_or(rest.len(), |at| rest.ceil_char_boundary(at + 1));
        let end = if end > MAX_SENTENCE { cut(rest) } else { end };
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
    let shouted = |word: &str| {
        word.len() > 1
            && !word.bytes().any(|byte| byte.is_ascii_lowercase())
            && word.bytes().filter(u8::is_ascii_uppercase).count() > 1
    };
    let mut run = 0;
    sentence.split_ascii_whitespace().any(|word| {
        run = if shouted(word) { run + 1 } else { 0 };
        run >= SHOUTED_WORDS
    })
}

fn is_repeated(sentence: &str) -> bool {
    let (mut last, mut run): (Cow<'_, str>, _) = ("".into(), 0);
    sentence.split_ascii_whitespace().any(|word| {
        run = if last == word { run + 1 } else { 0 };
        last = word.into();
        run >= REPEATS
    })
}
