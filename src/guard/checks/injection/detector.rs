//! Signs to scores: what each sign is worth, and what the vector adds.

use std::{borrow::Cow, ops::Range};

use serde::Deserialize;

use super::{
    parts,
    sentences::{self, Sentence},
    signs::{self, SIGNS},
    weights,
};
use crate::{embed::DIMENSIONS, guard::checks::meaning::share};

/// Bytes in which parts belong together.
const WINDOW: usize = 1200;
/// The structure's part in a score with a vector is kept within these bounds: a long text with many signs is no more of an attack.
const CLEAR: Range<f32> = -4.0..6.0;

/// The vectors of known attacks, [`DIMENSIONS`] numbers each, one after the other; see models/guard/README.md.
static ATTACKS: &[u8] = include_bytes!("attacks.i8");
/// The number 1 in a vector of them.
const UNIT: f32 = 400.0;

/// What a fit came to. Scores of 0.5 are where the fit puts the bar.
#[derive(Debug, Clone, Deserialize)]
pub struct Weights {
    /// For each sign.
    pub signs: Cow<'static, [f32]>,
    /// Added to the sum of the signs.
    pub bias: f32,
    /// For each number of a vector.
    pub vector: Cow<'static, [f32]>,
    /// For the cosine to the nearest known attack.
    pub nearest: f32,
    /// Added to the sum of structure, vector and nearest attack.
    pub vector_bias: f32,
    /// A set of attacks that is not looked at, because a detector is judged on it.
    #[serde(default)]
    pub left_out: Option<String>,
}

impl Weights {
    /// Those that ship with Lockgate.
    pub fn shipped() -> Self {
        Self {
            signs: Cow::Borrowed(&weights::SIGNS),
            bias: weights::BIAS,
            vector: Cow::Borrowed(&weights::VECTOR),
            nearest: weights::NEAREST,
            vector_bias: weights::VECTOR_BIAS,
            left_out: None,
        }
    }
}

/// A window of a text.
#[derive(Debug, Clone, PartialEq)]
pub struct Window {
    /// Where it stands, in bytes.
    pub span: Range<usize>,
    /// The signs that it shows, in the order of [`super::sign_names`].
    pub signs: [bool; SIGNS],
}

/// Every sentence of a text that shows anything, and every window of sentences.
pub fn windows(text: &str) -> Vec<Window> {
    let sentences = parts::shipped().map(|phrases| sentences::read(phrases, text)).unwrap_or_default();
    candidates(&sentences).map(|window| Window { span: span(window), signs: signs::signs(window) }).collect()
}

/// Each sentence by itself, and with those behind it that belong to it.
fn candidates(sentences: &[Sentence]) -> impl Iterator<Item = &[Sentence]> {
    sentences.iter().enumerate().flat_map(|(n, first)| {
        let rest = &sentences[n..];
        let count = rest.iter().take_while(|sentence| sentence.span.end <= first.span.start + WINDOW).count();
        [Some(&rest[..1]), Some(&rest[..count]).filter(|window| window.len() > 1)].into_iter().flatten()
    })
}

fn span(window: &[Sentence]) -> Range<usize> {
    let end = window.iter().map(|sentence| sentence.span.end).max();
    window.first().map_or(0, |first| first.span.start)..end.unwrap_or(0)
}

/// Weighs the signs of a text, and its vector.
#[derive(Debug, Clone)]
pub struct Detector {
    weights: Weights,
}

impl Detector {
    /// With these weights.
    pub fn new(weights: Weights) -> Self {
        Self { weights }
    }

    /// The score of a window by its signs, 0 to 1.
    pub fn score(&self, window: &Window) -> f32 {
        share(self.logit(window))
    }

    /// The score of a text by its signs and its vector of length 1, 0 to 1.
    pub fn score_with(&self, windows: &[Window], vector: &[f32]) -> f32 {
        let structure = windows.iter().map(|window| self.logit(window)).fold(self.weights.bias, f32::max);
        let direction: f32 = self.weights.vector.iter().zip(vector).map(|(weight, number)| weight * number).sum();
        let nearest = self.weights.nearest * self.nearest_attack(vector);
        share(structure.clamp(CLEAR.start, CLEAR.end) + direction + nearest + self.weights.vector_bias)
    }

    fn logit(&self, window: &Window) -> f32 {
        let shown = self.weights.signs.iter().zip(&window.signs).filter(|(_, shown)| **shown);
        shown.map(|(weight, _)| weight).sum::<f32>() + self.weights.bias
    }

    /// The cosine to the known attack that is nearest.
    fn nearest_attack(&self, vector: &[f32]) -> f32 {
        let mut sets = weights::ATTACKS.iter().flat_map(|&(set, count)| std::iter::repeat_n(set, count));
        let known = ATTACKS.chunks_exact(DIMENSIONS).filter(|_| sets.next() != self.weights.left_out.as_deref());
        let cosine = |attack: &[u8]| {
            let sum: f32 = attack.iter().zip(vector).map(|(&number, own)| f32::from(number.cast_signed()) * own).sum();
            sum / UNIT
        };
        known.map(cosine).fold(0.0, f32::max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(n: usize) -> Vec<f32> {
        ATTACKS.chunks_exact(DIMENSIONS).nth(n).unwrap().iter().map(|&number| f32::from(number.cast_signed()) / UNIT).collect()
    }

    #[test]
    fn every_known_attack_has_its_vector() {
        let count: usize = weights::ATTACKS.iter().map(|(_, count)| count).sum();
        assert_eq!(ATTACKS.len(), count * DIMENSIONS);
        assert!((Detector::new(Weights::shipped()).nearest_attack(&known(3)) - 1.0).abs() < 0.03);
    }

    #[test]
    fn a_set_that_is_left_out_is_not_looked_at() {
        let (set, _) = weights::ATTACKS[0];
        let detector = Detector::new(Weights { left_out: Some(set.to_owned()), ..Weights::shipped() });
        assert!(detector.nearest_attack(&known(3)) < 0.97);
    }

    #[test]
    fn a_vector_like_that_of_an_attack_raises_the_score_and_its_opposite_does_not() {
        let detector = Detector::new(Weights::shipped());
        let opposite: Vec<f32> = known(3).iter().map(|number| -number).collect();
        assert!(detector.score_with(&[], &known(3)) > detector.score_with(&[], &opposite));
    }
}
