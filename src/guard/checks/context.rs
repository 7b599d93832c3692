//! What must stand near a match: "467 3395" is a phone number after "call me at", and an order number after "order".

use std::{cmp::Reverse, ops::Range};

use aho_corasick::{AhoCorasick, AhoCorasickKind, BuildError, Input};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::words::whole_word;

/// Words near a match that tell what it is. The nearest word of both lists decides.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Context {
    /// Words and phrases, whole and in any case: one of them must stand near. A text without any of them is not searched.
    #[serde(default)]
    pub words: Vec<String>,
    /// Words and phrases that show that the match is something else.
    #[serde(default)]
    pub unless: Vec<String>,
    /// How many characters beside the match are looked at; a word must stand in them whole.
    #[serde(default = "default_within")]
    pub within: usize,
    /// On which side of the match.
    #[serde(default)]
    pub side: Side,
}

/// Half a line of prose.
fn default_within() -> usize {
    40
}

/// Where a word may stand.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// On either side.
    #[default]
    Around,
    /// Before the match.
    Before,
    /// After it.
    After,
}

/// A compiled context.
#[derive(Debug)]
pub(super) struct Nearby {
    context: Context,
    /// Of `words`, and then of `unless`.
    automaton: AhoCorasick,
}

impl Nearby {
    /// Fails if the lists are too large for an automaton.
    pub(super) fn new(context: &Context) -> Result<Self, BuildError> {
        let all = context.words.iter().chain(&context.unless);
        // There are dozens of these, and each reads a few dozen letters around a match: small counts for more than fast.
        let kind = Some(AhoCorasickKind::ContiguousNFA);
        let automaton = AhoCorasick::builder().kind(kind).ascii_case_insensitive(true).build(all)?;
        Ok(Self { context: context.clone(), automaton })
    }

    /// The words, one of which must be in a text.
    pub(super) fn words(&self) -> &[String] {
        &self.context.words
    }

    /// How many bytes beside a match it looks at.
    pub(super) fn reach(&self) -> usize {
        let sides = if self.context.side == Side::Around { 2 } else { 1 };
        // A character has four bytes at most.
        sides * 4 * self.context.within
    }

    /// Whether what stands near a match lets it be one.
    pub(super) fn holds(&self, text: &str, span: &Range<usize>) -> bool {
        let nearest = self.near(text, span).min_by_key(|&(distance, length, _)| (distance, Reverse(length)));
        nearest.map_or(self.context.words.is_empty(), |(_, _, word)| word < self.context.words.len())
    }

    /// Distance, length and index of each word near a match.
    fn near(&self, text: &str, span: &Range<usize>) -> impl Iterator<Item = (usize, usize, usize)> {
        let Context { within, side, .. } = self.context;
        let before = text[..span.start].char_indices().rev().take(within).last().map_or(span.start, |(at, _)| at);
        let after = text[span.end..].char_indices().nth(within).map_or(text.len(), |(at, _)| span.end + at);
        let windows = [(Side::Before, before..span.start), (Side::After, span.end..after)];
        let looked_at = windows.into_iter().filter(move |(at, _)| side == Side::Around || side == *at);
        let hits = looked_at.flat_map(move |(_, window)| self.automaton.find_overlapping_iter(Input::new(text).range(window)));
        hits.filter(move |hit| whole_word(text, &hit.range())).map(move |hit| {
            let distance = if hit.end() <= span.start { span.start - hit.end() } else { hit.start() - span.end };
            (distance, hit.end() - hit.start(), hit.pattern().as_usize())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nearby(within: usize, side: Side) -> Nearby {
        let list = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect();
        let (words, unless) = (list(&["call", "number"]), list(&["order", "order number"]));
        Nearby::new(&Context { words, unless, within, side }).unwrap()
    }

    fn holds(nearby: &Nearby, text: &str) -> bool {
        let at = text.find("42").unwrap();
        nearby.holds(text, &(at..at + 2))
    }

    #[test]
    fn the_nearest_word_decides() {
        let nearby = nearby(30, Side::Around);
        assert!(holds(&nearby, "CALL me at 42"));
        assert!(holds(&nearby, "42 is what to call"));
        assert!(holds(&nearby, "about my order, call 42"));
        assert!(!holds(&nearby, "call about order 42"));
        assert!(!holds(&nearby, "order number 42"), "of two words that are as near, the longer says more");
        assert!(!holds(&nearby, "42"));
        assert!(!holds(&nearby, "recall 42"), "a part of a word is no word");
    }

    #[test]
    fn a_word_that_is_far_or_on_the_other_side_does_not_count() {
        assert!(holds(&nearby(8, Side::Around), "call, é 42"));
        assert!(!holds(&nearby(7, Side::Around), "call, é 42"));
        assert!(holds(&nearby(9, Side::Before), "call 42") && !holds(&nearby(9, Side::Before), "42 call"));
        assert!(holds(&nearby(9, Side::After), "42 call") && !holds(&nearby(9, Side::After), "call 42"));
        assert!(!holds(&nearby(3, Side::Before), "recall 42"), "where the look begins is no end of a word");
    }

    #[test]
    fn without_wanted_words_it_holds_until_an_unwanted_one_stands_there() {
        let context = Context { words: vec![], unless: vec!["version".into()], within: 9, side: Side::Before };
        let nearby = Nearby::new(&context).unwrap();
        assert!(holds(&nearby, "at 42") && !holds(&nearby, "version 42"));
    }
}
