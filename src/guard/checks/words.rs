//! A list of words and phrases, found as whole words in any case.

use std::ops::Range;

use aho_corasick::{AhoCorasick, BuildError, MatchKind};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Check, Kind, Needs, Reach, Shape};
use crate::guard::rules::Site;

/// Words and phrases, found whole and in any case.
#[derive(Debug, Clone, Default, Deserialize, Serialize, JsonSchema)]
#[serde(transparent)]
pub struct Words(Vec<String>);

impl Kind for Words {
    fn build(&self, site: &mut Site<'_, '_>) {
        if self.0.iter().any(|word| word.trim().is_empty()) {
            site.problem("", "an empty word would match everywhere", "remove it");
        } else if !self.0.is_empty() {
            site.keep_built(WordList::new(self.0.clone()));
        }
    }
}

/// A compiled word list.
#[derive(Debug)]
pub(super) struct WordList {
    words: Vec<String>,
    automaton: AhoCorasick,
}

impl WordList {
    /// Fails if the list is too large for an automaton.
    pub(super) fn new(words: Vec<String>) -> Result<Self, BuildError> {
        let automaton = automaton(&words)?;
        Ok(Self { words, automaton })
    }
}

/// Longest match first, so that a phrase wins over the word that begins it.
fn automaton(words: &[String]) -> Result<AhoCorasick, BuildError> {
    AhoCorasick::builder().ascii_case_insensitive(true).match_kind(MatchKind::LeftmostLongest).build(words)
}

/// Whether no letters or digits go on to the left or the right of a match. Chinese, Japanese and Korean write on without a gap.
pub(super) fn whole_word(text: &str, span: &Range<usize>) -> bool {
    let gapless = |char: char| matches!(char, '\u{2e80}'..='\u{d7ff}' | '\u{f900}'..='\u{faff}');
    let goes_on = |char: Option<char>| char.is_some_and(|char| char.is_alphanumeric() && !gapless(char));
    !goes_on(text[..span.start].chars().next_back()) && !goes_on(text[span.end..].chars().next())
}

/// The whole-word matches of an automaton. A match inside a longer word only moves the search on by one character,
/// because a whole word may begin inside it.
pub(super) fn whole_words<'t>(automaton: &'t AhoCorasick, text: &'t str) -> impl Iterator<Item = Range<usize>> + 't {
    let mut at = 0;
    std::iter::from_fn(move || {
        while at <= text.len() {
            let input = aho_corasick::Input::new(text).range(at..);
            let span = automaton.find(input)?.range();
            // Words begin and end at characters, and so do their matches.
            if whole_word(text, &span) {
                at = span.end.max(span.start + 1);
                return Some(span);
            }
            at = text.ceil_char_boundary(span.start + 1);
        }
        None
    })
}

impl Check for WordList {
    fn find(&self, text: &str, found: &mut Vec<Range<usize>>) {
        found.extend(whole_words(&self.automaton, text));
    }

    fn needs(&self) -> Needs<'_> {
        Needs::AnyOf(&self.words)
    }

    fn reach(&self) -> Reach {
        let longest = self.words.iter().map(String::len).max().unwrap_or(0);
        Shape::of_words(self.words.iter().map(String::as_str)).map_or(Reach::Bytes(longest), Reach::Shape)
    }
}

#[cfg(test)]
mod tests {
    use super::{super::conformance, *};

    #[test]
    fn conforms() {
        conformance::holds(&WordList::new(vec!["bad".into(), "bad idea".into()]).unwrap(), "a BAD idea, very bad");
    }

    #[test]
    fn a_word_of_a_language_without_gaps_is_found_in_its_sentence() {
        let mut found = Vec::new();
        WordList::new(vec!["身份证".into()]).unwrap().find("我的身份证号码", &mut found);
        assert_eq!(found, [6..15]);
    }

    #[test]
    fn finds_whole_words_only() {
        let words = WordList::new(vec!["ass".into(), "kill you".into(), "kill".into()]).unwrap();
        let mut found = Vec::new();
        words.find("The class assassin will KILL YOU; skill", &mut found);
        assert_eq!(found, [24..32]);
    }
}
