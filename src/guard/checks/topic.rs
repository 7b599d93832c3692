//! A topic: a word that names it and a word that asks for what is not allowed, in the same sentence.
//!
//! Either word alone is innocent; exceptions name sentences that are not meant.

use std::ops::Range;

use aho_corasick::{AhoCorasick, BuildError};

use super::{Check, Needs, Words, words::whole_words};

/// A compiled topic.
#[derive(Debug)]
pub struct Topic {
    words: Vec<String>,
    naming: AhoCorasick,
    asking: Words,
    except: Words,
}

impl Topic {
    /// `naming` words name the topic, `asking` words what is not allowed about it; a sentence with an `except` phrase is let through.
    pub fn new(naming: Vec<String>, asking: Vec<String>, except: Vec<String>) -> Result<Self, BuildError> {
        let automaton = AhoCorasick::builder().ascii_case_insensitive(true).build(&naming)?;
        Ok(Self { naming: automaton, words: naming, asking: Words::new(asking)?, except: Words::new(except)? })
    }

    fn matches(&self, sentence: &str) -> bool {
        let any = |words: &Words| {
            let mut found = Vec::new();
            words.find(sentence, &mut found);
            !found.is_empty()
        };
        whole_words(&self.naming, sentence).next().is_some() && any(&self.asking) && !any(&self.except)
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

impl Check for Topic {
    fn find(&self, text: &str, found: &mut Vec<Range<usize>>) {
        found.extend(sentences(text).filter(|span| self.matches(&text[span.clone()])));
    }

    fn needs(&self) -> Needs<'_> {
        Needs::AnyOf(&self.words)
    }

    fn needs_whole_answer(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::{super::conformance, *};

    fn dosage() -> Topic {
        let list = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect();
        Topic::new(list(&["ibuprofen", "aspirin"]), list(&["how many", "dose"]), list(&["history of"])).unwrap()
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
