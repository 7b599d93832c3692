//! A topic, by words or by example.
//!
//! By words: one that names it and one that asks for what is not allowed, in the same sentence. Either alone is innocent; exceptions name sentences that are not
//! meant. By example: the last message means what one of some sentences means, or nothing that is allowed.

use std::ops::Range;

use aho_corasick::{AhoCorasick, BuildError};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Check, Embedding, Kind, Needs, Reach, Shape,
    similar::{Similar, Wanted},
    words::{WordList, whole_words},
};
use crate::guard::{rules::Site, verdict::Gate};

/// By words: a sentence matches when it has a `naming` word and an `asking` word, and none of the `exceptions`. By example: the last message matches when it is near
/// to one of `examples`, or far from all of `allow`.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Topic {
    /// Words that name the topic.
    #[serde(default)]
    pub naming: Vec<String>,
    /// Words that ask for what is not allowed about it.
    #[serde(default)]
    pub asking: Vec<String>,
    /// Phrases that show that the sentence is not meant.
    #[serde(default)]
    pub exceptions: Vec<String>,
    /// Sentences about the topic: what means the same matches.
    #[serde(default)]
    pub examples: Vec<String>,
    /// Sentences about what may be talked of: what means something else matches.
    #[serde(default)]
    pub allow: Vec<String>,
    /// The cosine from which on two texts are about the same, 0 to 1. Paraphrases are at 0.8 and more, questions of one topic at 0.4 to 0.6.
    #[serde(default = "Topic::default_similarity")]
    pub similarity: f32,
    /// When there must be a vector; a rule that blocks always has one.
    #[serde(default)]
    pub embedding: Embedding,
}

impl Topic {
    fn default_similarity() -> f32 {
        0.5
    }

    fn by_words(&self) -> bool {
        !self.naming.is_empty() || !self.asking.is_empty() || !self.exceptions.is_empty()
    }

    fn by_example(&self, site: &mut Site<'_, '_>) {
        if !site.stands_at(Gate::Input) {
            site.problem("", "sentences are compared with what is asked, and this rule judges answers", "write `stage: input`");
        } else if !(self.similarity > 0.0 && self.similarity < 1.0) {
            site.problem("/similarity", "a cosine is above 0 and below 1 here", "write a number such as 0.5");
        } else if [&self.examples, &self.allow].iter().any(|list| list.iter().any(|text| text.trim().is_empty())) {
            site.problem("", "an empty sentence means nothing", "remove it");
        } else {
            for (sentences, wanted) in [(&self.examples, Wanted::Near), (&self.allow, Wanted::Far)] {
                if !sentences.is_empty() {
                    site.keep_vector(Similar::new(sentences.clone(), self.similarity, wanted, self.embedding));
                }
            }
        }
    }
}

impl Kind for Topic {
    fn build(&self, site: &mut Site<'_, '_>) {
        if !self.examples.is_empty() || !self.allow.is_empty() {
            self.by_example(site);
            if !self.by_words() {
                return;
            }
        }
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
            examples: Vec::new(),
            allow: Vec::new(),
            similarity: Topic::default_similarity(),
            embedding: Embedding::Available,
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
