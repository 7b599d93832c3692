//! Bounds on the length of an answer or a prompt.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use unicode_segmentation::UnicodeSegmentation as _;

use super::{
    Kind,
    whole::{Judges, Whole},
};
use crate::guard::rules::Site;

/// Bounds on a text; what is left out is not bounded.
#[derive(Debug, Clone, Copy, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Length {
    /// Fewest characters (Unicode scalar values).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_characters: Option<usize>,
    /// Most characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_characters: Option<usize>,
    /// Fewest UTF-16 units: what JavaScript calls the length of a string.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_utf16: Option<usize>,
    /// Most UTF-16 units.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_utf16: Option<usize>,
    /// Fewest words, which are what stands between blanks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_words: Option<usize>,
    /// Most words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_words: Option<usize>,
    /// Fewest sentences, by the rules of Unicode: an abbreviation before a small letter ends none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_sentences: Option<usize>,
    /// Most sentences.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_sentences: Option<usize>,
    /// Fewest tokens: an estimate of one for every four bytes, because each model counts in its own way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_tokens: Option<usize>,
    /// Most tokens, estimated in the same way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<usize>,
}

impl Length {
    fn bounds(&self) -> [Bound; 5] {
        [
            Bound { of: Measure::Characters, min: self.min_characters, max: self.max_characters },
            Bound { of: Measure::Utf16, min: self.min_utf16, max: self.max_utf16 },
            Bound { of: Measure::Words, min: self.min_words, max: self.max_words },
            Bound { of: Measure::Sentences, min: self.min_sentences, max: self.max_sentences },
            Bound { of: Measure::Tokens, min: self.min_tokens, max: self.max_tokens },
        ]
    }
}

impl Kind for Length {
    fn build(&self, site: &mut Site<'_, '_>) {
        let bounds: Vec<_> = self.bounds().into_iter().filter(|bound| bound.min.is_some() || bound.max.is_some()).collect();
        if bounds.is_empty() {
            site.problem("", "nothing is bounded", "write a bound, such as `max_characters: 4000`");
        }
        if bounds.iter().any(|bound| bound.min.zip(bound.max).is_some_and(|(min, max)| min > max)) {
            site.problem("", "a least length is more than the most, so that every text is out of bounds", "exchange the two");
        }
        site.keep(Whole(Bounds(bounds)));
    }
}

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Measure {
    Characters,
    Utf16,
    Words,
    Sentences,
    /// Full stops, question and exclamation marks, each for itself: how Portkey counts sentences.
    Stops,
    Tokens,
}

/// Bytes in a token, about, in English prose.
const TOKEN_BYTES: usize = 4;

impl Measure {
    fn of(self, text: &str) -> usize {
        match self {
            Self::Characters => text.chars().count(),
            Self::Utf16 => text.encode_utf16().count(),
            Self::Words => text.split_whitespace().count(),
            Self::Sentences => text.unicode_sentences().count(),
            Self::Stops => text.bytes().filter(|byte| b".!?".contains(byte)).count(),
            Self::Tokens => text.len().div_ceil(TOKEN_BYTES),
        }
    }
}

/// One measure, and what it may come to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bound {
    pub(super) of: Measure,
    pub(super) min: Option<usize>,
    pub(super) max: Option<usize>,
}

impl Bound {
    fn holds(self, text: &str) -> bool {
        let count = self.of.of(text);
        self.min.is_none_or(|min| count >= min) && self.max.is_none_or(|max| count <= max)
    }
}

/// Matches a text that is outside of one of the bounds.
#[derive(Debug)]
pub(super) struct Bounds(pub(super) Vec<Bound>);

impl Judges for Bounds {
    fn matches(&self, text: &str) -> bool {
        !self.0.iter().all(|bound| bound.holds(text))
    }
}

#[cfg(test)]
mod tests {
    use super::{super::conformance, *};

    fn at_most(of: Measure, max: usize) -> Bounds {
        Bounds(vec![Bound { of, min: None, max: Some(max) }])
    }

    #[test]
    fn conforms() {
        conformance::holds(&Whole(at_most(Measure::Words, 2)), "one two three");
    }

    #[test]
    fn every_measure_counts_its_own_unit() {
        let text = "Is it 🎉? Dr. no said: yes, at 2.5 percent!";
        let counts = [
            (Measure::Characters, 42),
            (Measure::Utf16, 43),
            (Measure::Words, 10),
            (Measure::Sentences, 2),
            (Measure::Stops, 4),
            (Measure::Tokens, 12),
        ];
        for (measure, count) in counts {
            assert_eq!(measure.of(text), count, "{measure:?}");
            assert!(at_most(measure, count - 1).matches(text) && !at_most(measure, count).matches(text), "{measure:?}");
        }
    }

    #[test]
    fn a_text_can_be_too_short() {
        let bounds = Bounds(vec![Bound { of: Measure::Words, min: Some(1), max: Some(1) }]);
        assert!(bounds.matches("") && !bounds.matches("one") && bounds.matches("one two"));
    }
}
