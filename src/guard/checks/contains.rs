//! Substrings, in the case in which they are written.

use std::ops::Range;

use aho_corasick::{AhoCorasick, BuildError};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Check, Kind, Needs, Reach, Shape,
    whole::{Judges, Whole},
};
use crate::guard::rules::Site;

/// Matches a text by what it contains, letter for letter. Each list that is written adds its matches.
#[derive(Debug, Clone, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Contains {
    /// Matches wherever one of these stands.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub any: Vec<String>,
    /// Matches a text that has every one of these.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub all: Vec<String>,
    /// Matches a text that has none of these.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub none: Vec<String>,
}

impl Kind for Contains {
    fn build(&self, site: &mut Site<'_, '_>) {
        let lists = [("any", &self.any), ("all", &self.all), ("none", &self.none)];
        for (name, _) in lists.into_iter().filter(|(_, list)| list.iter().any(String::is_empty)) {
            site.problem(&format!("/{name}"), "every text contains the empty one", "remove it");
        }
        if lists.iter().all(|(_, list)| list.is_empty()) {
            site.problem("", "all lists are empty", "list what to look for under `any`, `all` or `none`");
        }
        if !self.any.is_empty() {
            site.keep_built(AnyOf::new(self.any.clone()));
        }
        if !self.all.is_empty() {
            site.keep(Whole(AllOf(self.all.clone())));
        }
        if !self.none.is_empty() {
            site.keep(Whole(NoneOf(self.none.clone())));
        }
    }
}

/// Finds every place of every substring.
#[derive(Debug)]
pub(super) struct AnyOf {
    parts: Vec<String>,
    automaton: AhoCorasick,
}

impl AnyOf {
    /// Fails if the list is too large for an automaton.
    pub(super) fn new(parts: Vec<String>) -> Result<Self, BuildError> {
        Ok(Self { automaton: AhoCorasick::new(&parts)?, parts })
    }
}

impl Check for AnyOf {
    fn find(&self, text: &str, found: &mut Vec<Range<usize>>) {
        found.extend(self.automaton.find_overlapping_iter(text).map(|hit| hit.range()));
    }

    fn needs(&self) -> Needs<'_> {
        Needs::AnyOf(&self.parts)
    }

    fn reach(&self) -> Reach {
        let longest = self.parts.iter().map(String::len).max().unwrap_or(0);
        Shape::of_words(self.parts.iter().map(String::as_str)).map_or(Reach::Bytes(longest), Reach::Shape)
    }
}

/// Matches a text that has every substring.
#[derive(Debug)]
pub(super) struct AllOf(pub(super) Vec<String>);

impl Judges for AllOf {
    fn matches(&self, text: &str) -> bool {
        self.0.iter().all(|part| text.contains(part))
    }
}

/// Matches a text that has none of the substrings.
#[derive(Debug)]
pub(super) struct NoneOf(pub(super) Vec<String>);

impl Judges for NoneOf {
    fn matches(&self, text: &str) -> bool {
        !self.0.iter().any(|part| text.contains(part))
    }
}

#[cfg(test)]
mod tests {
    use super::{super::conformance, *};

    fn list(parts: &[&str]) -> Vec<String> {
        parts.iter().map(|&part| part.to_owned()).collect()
    }

    #[test]
    fn conforms() {
        conformance::holds(&AnyOf::new(list(&["ab", "bc", "é"])).unwrap(), "xabcé");
        conformance::holds(&Whole(AllOf(list(&["a", "b"]))), "b a");
        conformance::holds(&Whole(NoneOf(list(&["a", "b"]))), "xyz");
    }

    #[test]
    fn case_counts_and_every_place_is_found() {
        let mut found = Vec::new();
        AnyOf::new(list(&["ab", "bc"])).unwrap().find("abc ABC", &mut found);
        assert_eq!(found, [0..2, 1..3]);
    }

    #[test]
    fn all_and_none_judge_the_text() {
        assert!(AllOf(list(&["a", "b"])).matches("cab") && !AllOf(list(&["a", "b"])).matches("cat"));
        assert!(NoneOf(list(&["a", "b"])).matches("dog") && !NoneOf(list(&["a", "b"])).matches("cat"));
    }
}
