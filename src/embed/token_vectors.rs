//! The vectors of a prompt's tokens, small enough to keep: what aligns two prompts word by word.

use super::{DIMENSIONS, Embedding, Plane, product, rounded};

/// A longer prompt keeps no token vectors: by then the pooled vector says little about single words, and the space would be another answer's.
const MAX_TOKENS: usize = 64;
/// A direction needs little precision: eight bits keep a cosine to three digits.
const LEVELS: f32 = 127.0;

/// One direction a token, in `i8`, and where in the text each token stands.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TokenVectors {
    directions: Box<[Plane]>,
    offsets: Box<[(u16, u16)]>,
    inverse_lengths: Box<[f32]>,
}

impl TokenVectors {
    /// The directions of all tokens but the two that mark begin and end; none at all for a prompt of more than 64.
    pub fn of(embedding: &Embedding) -> Self {
        let inner = 1..embedding.offsets.len().saturating_sub(1);
        let offsets: Option<Box<[_]>> =
            embedding.offsets.get(inner.clone()).unwrap_or_default().iter().copied().map(small).collect();
        let Some(offsets) = offsets.filter(|offsets| !offsets.is_empty() && offsets.len() <= MAX_TOKENS) else {
            return Self::default();
        };
        let vectors = embedding.token_vectors.chunks_exact(DIMENSIONS).skip(inner.start).take(offsets.len());
        Self::new(vectors.map(quantized).collect(), offsets)
    }

    fn new(directions: Box<[Plane]>, offsets: Box<[(u16, u16)]>) -> Self {
        let inverse = |direction: &Plane| 1.0 / (product(direction, direction) as f32).sqrt().max(1.0);
        let inverse_lengths = directions.iter().map(inverse).collect();
        Self { directions, offsets, inverse_lengths }
    }

    /// Bytes of the text that each token stands for, begin and end.
    pub fn offsets(&self) -> &[(u16, u16)] {
        &self.offsets
    }

    /// The direction of each token, not of length 1.
    pub fn directions(&self) -> &[Plane] {
        &self.directions
    }

    /// What makes each direction one of length 1.
    pub fn inverse_lengths(&self) -> &[f32] {
        &self.inverse_lengths
    }

    /// Bytes that it occupies.
    pub fn size(&self) -> usize {
        size_of_val(&*self.directions) + size_of_val(&*self.offsets) + size_of_val(&*self.inverse_lengths)
    }

    /// For a store: the number of tokens, then offsets and numbers, little-endian.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.size());
        for (begin, end) in &self.offsets {
            bytes.extend(begin.to_le_bytes());
            bytes.extend(end.to_le_bytes());
        }
        bytes.extend(self.directions.iter().flat_map(|direction| direction.0).map(i8::cast_unsigned));
        bytes
    }

    /// Back from [`TokenVectors::to_bytes`]; `None` if these bytes cannot have come from there.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let token = DIMENSIONS + size_of::<(u16, u16)>();
        let tokens = bytes.len() / token;
        if !bytes.len().is_multiple_of(token) || tokens > MAX_TOKENS {
            return None;
        }
        let (offsets, numbers) = bytes.split_at(tokens * size_of::<(u16, u16)>());
        let offset = |pair: &[u8]| (u16::from_le_bytes([pair[0], pair[1]]), u16::from_le_bytes([pair[2], pair[3]]));
        let offsets = offsets.chunks_exact(size_of::<(u16, u16)>()).map(offset).collect();
        let direction = |bytes: &[u8; DIMENSIONS]| Plane(bytes.map(u8::cast_signed));
        Some(Self::new(numbers.as_chunks().0.iter().map(direction).collect(), offsets))
    }
}

fn small((begin, end): (u32, u32)) -> Option<(u16, u16)> {
    Some((u16::try_from(begin).ok()?, u16::try_from(end).ok()?))
}

fn quantized(vector: &[f32]) -> Plane {
    // The longest component takes the whole range.
    let peak = vector.iter().fold(f32::MIN_POSITIVE, |peak, number| peak.max(number.abs()));
    let mut plane = Plane([0; DIMENSIONS]);
    plane.0.iter_mut().zip(vector).for_each(|(small, number)| *small = rounded(number / peak * LEVELS));
    plane
}

#[cfg(test)]
mod tests {
    use super::*;

    fn embedding(tokens: usize) -> Embedding {
        let numbers = (0..tokens * DIMENSIONS).map(|n| ((n * 31 % 200) as f32 - 100.0) / 50.0).collect();
        let offsets = (0..u32::try_from(tokens).unwrap()).map(|n| (n, n + 1)).collect();
        Embedding { vector: vec![], token_vectors: numbers, offsets, tokens, truncated: false, unknown: 0.0 }
    }

    #[test]
    fn comes_back_from_its_bytes() {
        let kept = TokenVectors::of(&embedding(9));
        assert_eq!(kept.offsets().len(), 7, "the marks at begin and end are nobody's words");
        assert_eq!(TokenVectors::from_bytes(&kept.to_bytes()), Some(kept));
        assert_eq!(TokenVectors::from_bytes(&[]), Some(TokenVectors::default()));
        assert_eq!(TokenVectors::from_bytes(&[1; 5]), None);
    }

    #[test]
    fn keeps_the_direction_of_each_token() {
        let embedding = embedding(5);
        let kept = TokenVectors::of(&embedding);
        let sent = &embedding.token_vectors[2 * DIMENSIONS..3 * DIMENSIONS];
        let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
        let back: Vec<f32> = kept.directions()[1].0.iter().map(|&number| f32::from(number)).collect();
        let cosine = dot(sent, &back) / (dot(sent, sent) * dot(&back, &back)).sqrt();
        assert!(cosine > 0.9999, "{cosine}");
    }

    #[test]
    fn a_long_prompt_keeps_none() {
        assert_eq!(TokenVectors::of(&embedding(67)), TokenVectors::default());
    }
}
