//! Two prompts side by side: which word of the one stands for which of the other, and which stands alone.

use super::{
    lexicon,
    reading::{Kind, Reading, Word},
};
use crate::embed::{TokenVectors, products};

/// One of two prompts.
#[derive(Debug, Clone, Copy)]
pub struct Side<'p> {
    /// Its words.
    pub reading: &'p Reading,
    /// The vectors of its tokens; none for a long prompt.
    pub tokens: &'p TokenVectors,
}

/// Two prompts, aligned.
#[derive(Debug)]
pub struct Pair<'p> {
    /// Both sides.
    pub sides: [Side<'p>; 2],
    /// For each word of each side, its like on the other.
    pub partner: [Vec<Option<usize>>; 2],
    /// For each token of each side, how near the nearest of the other side is.
    reach: [Vec<f32>; 2],
}

/// A function word's share in how much is covered.
const LIGHT: f32 = 0.35;
/// What is said of a lone word where no vector tells.
const FAR: f32 = 0.6;

impl<'p> Pair<'p> {
    /// Aligns two prompts.
    pub fn of(one: Side<'p>, other: Side<'p>) -> Self {
        let mut pair = Self {
            partner: [vec![None; one.reading.words.len()], vec![None; other.reading.words.len()]],
            sides: [one, other],
            reach: reach([one, other]),
        };
        pair.align(same);
        pair.align(alike);
        pair.align_compounds();
        pair
    }

    /// The words of a side.
    pub fn words(&self, side: usize) -> &'p [Word] {
        &self.sides[side].reading.words
    }

    /// The words of a side that stand alone.
    pub fn alone(&self, side: usize) -> impl Iterator<Item = (usize, &'p Word)> {
        let partner = &self.partner[side];
        self.words(side).iter().enumerate().filter(|&(at, _)| partner[at].is_none())
    }

    fn align(&mut self, fits: fn(&Word, &Word) -> bool) {
        let [one, other] = [self.words(0), self.words(1)];
        for (at, word) in one.iter().enumerate() {
            if self.partner[0][at].is_some() {
                continue;
            }
            let free = other.iter().enumerate().filter(|&(to, candidate)| self.partner[1][to].is_none() && fits(word, candidate));
            // Of several, the one after the partner of the word before, else the one nearest to the same place.
            let after = at.checked_sub(1).and_then(|before| self.partner[0][before]).map_or(0, |to| to + 1);
            if let Some((to, _)) = free.min_by_key(|&(to, _)| (to != after, to.abs_diff(at))) {
                self.partner[0][at] = Some(to);
                self.partner[1][to] = Some(at);
            }
        }
    }

    /// "web site" and "website".
    fn align_compounds(&mut self) {
        for side in [0, 1] {
            let (here, there) = (self.words(side), self.words(1 - side));
            for at in 1..here.len() {
                let split = [at - 1, at];
                if split.iter().any(|&at| self.partner[side][at].is_some()) {
                    continue;
                }
                let whole = there.iter().enumerate().position(|(to, word)| {
                    self.partner[1 - side][to].is_none()
                        && word.lower.len() == here[at - 1].lower.len() + here[at].lower.len()
                        && word.lower.starts_with(&*here[at - 1].lower)
                        && word.lower.ends_with(&*here[at].lower)
                });
                if let Some(to) = whole {
                    for at in split {
                        self.partner[side][at] = Some(to);
                    }
                    self.partner[1 - side][to] = Some(at);
                }
            }
        }
    }

    /// How far the loneliest of these words is from every token of the other side, 0 to about 1. Of prompts too long for token vectors, words that stand alone are
    /// taken to be far.
    pub fn farthest(&self, side: usize, words: &[usize]) -> f32 {
        let far = |&at: &usize| match self.near(side, at) {
            Some(near) => 1.0 - near,
            None if self.partner[side][at].is_none() => FAR,
            None => 0.0,
        };
        words.iter().map(far).fold(0.0, f32::max)
    }

    /// How near the words of a side are to tokens of the other on average, function words counting less. Of prompts too long for token vectors: 1.
    pub fn covered(&self, side: usize) -> f32 {
        let (mut sum, mut weights) = (0.0, 0.0);
        for (at, word) in self.words(side).iter().enumerate() {
            let Some(near) = self.near(side, at) else { continue };
            let weight = if word.is_light() { LIGHT } else { 1.0 };
            sum += weight * near;
            weights += weight;
        }
        if weights > 0.0 { sum / weights } else { 1.0 }
    }

    /// How near the nearest token of the other side is to a word: the mean over the word's tokens.
    fn near(&self, side: usize, at: usize) -> Option<f32> {
        let (begin, end) = self.words(side)[at].span;
        let tokens = self.sides[side].tokens.offsets().iter().zip(&self.reach[side]);
        let own = tokens.filter(|&(&(from, to), _)| usize::from(from) < end && usize::from(to) > begin);
        let (sum, count) = own.fold((0.0, 0), |(sum, count), (_, near)| (sum + near, count + 1));
        (count > 0).then(|| sum / count as f32)
    }
}

/// For each token of both sides, the cosine to the nearest of the other side.
fn reach([one, other]: [Side<'_>; 2]) -> [Vec<f32>; 2] {
    let (ones, others) = (one.tokens.directions(), other.tokens.directions());
    if ones.is_empty() || others.is_empty() {
        return Default::default();
    }
    let mut best = [vec![-1.0_f32; ones.len()], vec![-1.0_f32; others.len()]];
    let mut sums = vec![0; others.len()];
    let (scales, other_scales) = (one.tokens.inverse_lengths(), other.tokens.inverse_lengths());
    for (at, direction) in ones.iter().enumerate() {
        products(direction, others, &mut sums);
        for (to, (&sum, scale)) in sums.iter().zip(other_scales).enumerate() {
            let near = sum as f32 * scales[at] * scale;
            best[0][at] = best[0][at].max(near);
            best[1][to] = best[1][to].max(near);
        }
    }
    best
}

/// The same word, or the same number.
fn same(one: &Word, other: &Word) -> bool {
    match (&one.kind, &other.kind) {
        (Kind::Quantity(one), Kind::Quantity(other)) => {
            (one.value - other.value).abs() <= f64::EPSILON * one.value.abs()
                && one.ordinal == other.ordinal
                && (one.unit.is_none() || other.unit.is_none() || one.unit == other.unit)
        }
        _ => one.lower == other.lower,
    }
}

/// The same word in another form.
fn alike(one: &Word, other: &Word) -> bool {
    match (&one.kind, &other.kind) {
        (Kind::Content, Kind::Content) => one.stem == other.stem && !lexicon::opposed(&one.lower, &other.lower),
        (Kind::Function(one), Kind::Function(other)) => one == other && one.interchangeable(),
        _ => false,
    }
}
