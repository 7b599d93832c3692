//! A topic: a word that names it and a word that asks for what is not allowed, in the same sentence.
//!
//! Either word alone is innocent; exceptions name sentences that are not meant.

use std::ops::Range;

use aho_corasick::{AhoCorasick, BuildError};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Check, Kind, Needs, Reach, Shape,
    words::{WordList, whole_words},
};
use crate::guard::rules::Site;

/// A sentence matches when it has a `naming` word and an `asking` word, and none of the `exceptions`.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Topic {
    /// Words that name the topic.
    pub naming: Vec<String>,
    /// Words that ask for what is not allowed about it.
    pub asking: Vec<String>,
    /// Phrases that show that the sentence is not meant.
    #[serde(default)]
    pub exceptions: Vec<String>,
}

impl Kind for Topic {
    fn build(&self, site: &mut Site<'_, '_>) {
        let lists = [&self.naming, &self.asking];
        if lists.iter().any(|list| list.is_empty() || list.iter().any(|word| word.trim().is_empty())) {
            site.problem(
                "",
                "`naming` and `asking` each need words that are not empty",
                "list the words that name the topic, and those that ask",
            );
        } else {
            site.keep_built(Sentences::new(self));
        }
    }
}

/// A compiled topic.
#[derive(Debug)]
struct Sentences {
    words: Vec<String>,
    naming: AhoCorasick,
    asking: WordList,
    exceptions: WordList,
}

impl Sentences {
    fn new(topic: &Topic) -> Result<Self, BuildError> {
        let naming = AhoCorasick::builder().ascii_case_insensitive(true).build(&topic.naming)?;
        let (asking, exceptions) = (WordList::new(topic.asking.clone())?, WordList::new(topic.exceptions.clone())?);
        Ok(Self { naming, words: topic.naming.clone(), asking, exceptions })
    }

    fn matches(&self, sentence: &str) -> bool {
        let any = |words: &WordList| {
            let mut found = Vec::new();
            words.find(sentence, &mut found);
            !found.is_empty()
        };
        whole_words(&self.naming, sentence).next().is_some() && any(&self.asking) && !any(&self.exceptions)
    }
}

/// Cuts after a full stop, question or exclamation mark, and at line breaks.
fn sentences(text: &str) -> impl Iterator<Item = Range<usize>> {
    let mut start = 0;
    text.split_inclusive(['.', '?', '!', '\n']).map(move |sentence| {
        let span = start..start + sentence.len();
        start = span.end;
        span
    })
}

impl Check for Sentences {
    fn find(&self, text: &str, found: &mut Vec<Range<usize>>) {
        found.extend(sentences(text).filter(|span| self.matches(&text[span.clone()])));
    }

    fn needs(&self) -> Needs<'_> {
        Needs::AnyOf(&self.words)
    }

    fn reach(&self) -> Reach {
        // What ends a sentence is the character behind it, which every shape waits for.
        regex_syntax::parse(r"[^.?!\n]+").map_or(Reach::Unbounded, |sentence| Reach::Shape(Shape::of(&sentence)))
    }
}

#[cfg(test)]
mod tests {
    use super::{super::conformance, *};

    fn dosage() -> Sentences {
        let list = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect();
        let topic = Topic {
            naming: list(&["ibuprofen", "aspirin"]),
            asking: list(&["how many", "dose"]),
            exceptions: list(&["history of"]),
        };
        Sentences::new(&topic).unwrap()
    }

    #[test]
    fn conforms() {
        conformance::holds(&dosage(), "How many ibuprofen may I take?");
    }

    #[test]
    fn wants_both_words_in_one_sentence_and_honours_exceptions() {
        let find = |text: &str| {
            let mut found = Vec::new();
            dosage().find(text, &mut found);
            found
        };
        assert_eq!(find("Hi. Which dose of Aspirin? Bye."), [3..26]);
        assert!(find("Aspirin is old. How many people live here?").is_empty());
        assert!(find("How many pages has the history of aspirin?").is_empty());
    }
}
