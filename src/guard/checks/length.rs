//! Bounds on the length of an answer or a prompt.

use std::ops::Range;

use super::{Check, Needs};

/// Bounds; what is left out is not bounded.
#[derive(Debug, Clone, Copy, Default)]
pub struct Length {
    /// Fewest characters.
    pub min_characters: Option<usize>,
    /// Most characters.
    pub max_characters: Option<usize>,
    /// Fewest words.
    pub min_words: Option<usize>,
    /// Most words.
    pub max_words: Option<usize>,
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

    fn needs_whole_answer(&self) -> bool {
        true
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
