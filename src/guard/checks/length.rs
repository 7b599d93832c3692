//! Bounds on the length of an answer or a prompt.

use std::ops::Range;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Check, Kind, Needs, Reach};
use crate::guard::rules::Site;

/// Bounds on a text; what is left out is not bounded.
#[derive(Debug, Clone, Copy, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Length {
    /// Fewest characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_characters: Option<usize>,
    /// Most characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_characters: Option<usize>,
    /// Fewest words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_words: Option<usize>,
    /// Most words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_words: Option<usize>,
}

impl Kind for Length {
    fn build(&self, site: &mut Site<'_, '_>) {
        site.keep(*self);
    }
}

fn outside(count: impl FnOnce() -> usize, min: Option<usize>, max: Option<usize>) -> bool {
    if min.is_none() && max.is_none() {
        return false;
    }
    let count = count();
    min.is_some_and(|min| count < min) || max.is_some_and(|max| count > max)
}

impl Check for Length {
    /// Matches the whole text when it is out of bounds.
    fn find(&self, text: &str, found: &mut Vec<Range<usize>>) {
        let characters = outside(|| text.chars().count(), self.min_characters, self.max_characters);
        if characters || outside(|| text.split_whitespace().count(), self.min_words, self.max_words) {
            found.push(0..text.len());
        }
    }

    fn needs(&self) -> Needs<'_> {
        Needs::Nothing
    }

    fn reach(&self) -> Reach {
        Reach::Whole
    }
}

#[cfg(test)]
mod tests {
    use super::{super::conformance, *};

    #[test]
    fn conforms() {
        conformance::holds(&Length { max_words: Some(2), ..Length::default() }, "one two three");
    }

    #[test]
    fn counts_characters_and_words() {
        let fires = |length: Length, text: &str| {
            let mut found = Vec::new();
            length.find(text, &mut found);
            !found.is_empty()
        };
        assert!(!fires(Length { max_characters: Some(3), ..Length::default() }, "äöü"));
        assert!(fires(Length { max_characters: Some(3), ..Length::default() }, "äöü!"));
        assert!(fires(Length { min_words: Some(2), ..Length::default() }, "one"));
        assert!(!fires(Length { min_words: Some(1), max_words: Some(1), ..Length::default() }, "one"));
    }
}
