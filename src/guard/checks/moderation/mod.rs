//! Harmful content by category: phrases and what they are said together with, and where there is a vector of the whole text, its direction.
//!
//! A fit over public labelled texts says what each number is worth; models/guard/README.md tells how well that works. Words alone judge streams and texts without a
//! vector, and do so with more caution. Between what is let pass and what matches lies a band in which the check abstains, which is counted.

use std::ops::Range;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Check, Embedding, Kind, Needs, Opinion, Reach, VectorCheck, meaning::share};
use crate::guard::rules::Site;

#[expect(clippy::approx_constant, reason = "a fit may come to any number")]
mod weights;
mod words;

/// What a text may be harmful as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum Category {
    /// Content meant to arouse, or that sells sex.
    #[serde(rename = "sexual")]
    Sexual,
    /// Contempt for people as members of a group.
    #[serde(rename = "hate")]
    Hate,
    /// Content that glorifies violence or wishes it on others.
    #[serde(rename = "violence")]
    Violence,
    /// Words thrown at a person.
    #[serde(rename = "harassment")]
    Harassment,
    /// Harm to oneself.
    #[serde(rename = "self-harm")]
    SelfHarm,
    /// Sexual content with a person under age.
    #[serde(rename = "sexual/minors")]
    SexualMinors,
    /// Hate with violence wished on the group.
    #[serde(rename = "hate/threatening")]
    HateThreatening,
    /// Death, violence or injury in detail.
    #[serde(rename = "violence/graphic")]
    ViolenceGraphic,
}

impl Category {
    /// All of them, in the order of their weights.
    pub const ALL: [Self; 8] = [
        Self::Sexual,
        Self::Hate,
        Self::Violence,
        Self::Harassment,
        Self::SelfHarm,
        Self::SexualMinors,
        Self::HateThreatening,
        Self::ViolenceGraphic,
    ];
}

/// Finds harmful content.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Moderation {
    /// What it looks for; everything when left out.
    #[serde(default = "Moderation::all")]
    pub categories: Vec<Category>,
    /// The least score that matches, above 0 and below 1; higher is stricter. At 0.5, one of a hundred harmless texts matches in a category.
    #[serde(default = "Moderation::default_threshold")]
    pub threshold: f32,
    /// From this score up to the threshold the rule abstains, and that is counted.
    #[serde(default = "Moderation::default_abstain")]
    pub abstain: f32,
    /// When the text's vector is looked at too.
    #[serde(default)]
    pub embedding: Embedding,
}

impl Moderation {
    fn all() -> Vec<Category> {
        Category::ALL.to_vec()
    }

    fn default_threshold() -> f32 {
        0.5
    }

    fn default_abstain() -> f32 {
        0.3
    }
}

impl Kind for Moderation {
    fn build(&self, site: &mut Site<'_, '_>) {
        if self.categories.is_empty() {
            site.problem("/categories", "without a category nothing is found", "name one, or leave the key out for all");
        } else if !(0.0 < self.abstain && self.abstain <= self.threshold && self.threshold < 1.0) {
            site.problem(
                "/threshold",
                "scores are above 0 and below 1, and `abstain` is not above `threshold`",
                "write numbers such as `threshold: 0.5` and `abstain: 0.3`",
            );
        } else {
            site.keep(Harm { written: self.clone() });
            site.keep_vector(Harm { written: self.clone() });
        }
    }
}

/// The phrases of a text as numbers, for a fit.
pub fn numbers(text: &str) -> Vec<f32> {
    words::numbers(text).to_vec()
}

/// The score of each category by the words alone, 0 to 1.
pub fn by_words(text: &str) -> [f32; Category::ALL.len()] {
    let numbers = words::numbers(text);
    weights::WORDS.each_ref().map(|(weights, bias)| share(product(weights, &numbers) + bias))
}

/// The score of each category by words and vector, 0 to 1.
pub fn by_meaning(text: &str, vector: &[f32]) -> [f32; Category::ALL.len()] {
    let numbers = words::numbers(text);
    let heads = weights::MEANING.each_ref();
    heads.map(|(direction, weights, bias)| share(product(direction, vector) + product(weights, &numbers) + bias))
}

fn product(weights: &[f32], numbers: &[f32]) -> f32 {
    weights.iter().zip(numbers).map(|(weight, number)| weight * number).sum()
}

/// The compiled kind.
#[derive(Debug)]
struct Harm {
    written: Moderation,
}

impl Harm {
    /// The highest score of the categories that are looked for.
    fn highest(&self, scores: &[f32; Category::ALL.len()]) -> f32 {
        let wanted = Category::ALL.iter().zip(scores).filter(|(category, _)| self.written.categories.contains(category));
        wanted.map(|(_, score)| *score).fold(0.0, f32::max)
    }
}

/// Bytes that are judged together by their words.
const PASSAGE: usize = 1200;

/// A text cut into passages, behind a sentence or a word where there is one.
fn passages(text: &str) -> impl Iterator<Item = Range<usize>> {
    let mut start = 0;
    std::iter::from_fn(move || {
        let rest = &text[start..];
        let longest = &rest[..rest.floor_char_boundary(PASSAGE)];
        let end = if longest.len() == rest.len() {
            rest.len()
        } else {
            longest.rfind(['.', '?', '!', '\n']).or_else(|| longest.rfind(' ')).map_or(longest.len(), |at| at + 1)
        };
        let span = start..start + end;
        start = span.end;
        (!span.is_empty()).then_some(span)
    })
}

impl Check for Harm {
    fn find(&self, text: &str, found: &mut Vec<Range<usize>>) {
        found.extend(passages(text).filter(|span| self.highest(&by_words(&text[span.clone()])) >= self.written.threshold));
    }

    fn needs(&self) -> Needs<'_> {
        Needs::Nothing
    }

    fn reach(&self) -> Reach {
        Reach::Unbounded
    }
}

impl VectorCheck for Harm {
    fn judge(&self, text: &str, vector: &[f32]) -> Opinion {
        Opinion::of(self.highest(&by_meaning(text, vector)), self.written.abstain, self.written.threshold)
    }

    fn embedding(&self) -> Embedding {
        self.written.embedding
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn harm(categories: &[Category]) -> Harm {
        let written =
            Moderation { categories: categories.to_vec(), threshold: 0.5, abstain: 0.3, embedding: Embedding::Available };
        Harm { written }
    }

    #[test]
    fn conforms() {
        let text = "We will hunt down and kill all of those immigrants, that vermin.";
        super::super::conformance::holds(&harm(&Category::ALL), text);
    }

    #[test]
    fn only_the_categories_that_are_named_match() {
        let text = "We will hunt down and kill all of those immigrants, that vermin.";
        let find = |categories: &[Category]| {
            let mut found = Vec::new();
            harm(categories).find(text, &mut found);
            found.len()
        };
        assert_eq!((find(&Category::ALL), find(&[Category::Sexual])), (1, 0));
    }

    #[test]
    fn a_long_text_is_judged_in_passages_and_nothing_is_left_out() {
        let text = "A quiet sentence. ".repeat(500) + "é🎉".repeat(900).as_str();
        let spans: Vec<_> = passages(&text).collect();
        assert!(spans.len() > 7 && spans.iter().all(|span| span.len() <= PASSAGE));
        assert!(spans.windows(2).all(|pair| pair[0].end == pair[1].start));
        assert_eq!((spans[0].start, spans[spans.len() - 1].end), (0, text.len()));
    }
}
