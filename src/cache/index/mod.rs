//! Nearest vectors of one partition.
//!
//! [`Flat`] compares all of them, one by one. [`Layered`] does so too while it is small, and puts a graph over what is there when it is large.

use std::fmt;

mod flat;
mod graph;
mod layered;
mod planes;

pub use flat::Flat;
pub use layered::{Build, Built, Layered, Replaced};

/// Names an entry within its index.
pub type Id = u64;

/// A set of vectors of length 1, asked for those nearest to another. The flat index is the oracle for every other.
pub trait VectorIndex: Send + Sync + fmt::Debug {
    /// Adds a vector, or gives an id a new one. A vector is refused with `false` that has the wrong number of dimensions, a number that is
    /// not finite, or no length.
    fn insert(&mut self, id: Id, vector: &[f32]) -> bool;

    /// Takes a vector out; `false` if it was not there.
    fn remove(&mut self, id: Id) -> bool;

    /// The `count` nearest of those that have at least the similarity `floor`, nearest first, with their cosine similarity. If none has it,
    /// one that at a glance is as near as any. The higher the floor, the less has to be looked at.
    fn nearest(&self, vector: &[f32], count: usize, floor: f32) -> Vec<(Id, f32)>;

    /// How many vectors there are.
    fn len(&self) -> usize;

    /// Whether there are none.
    fn is_empty(&self) -> bool;
}

/// The floor of a search for all, however far.
pub const ANY: f32 = f32::NEG_INFINITY;

/// The nearest so far, nearest first.
#[derive(Debug)]
struct Best {
    count: usize,
    floor: f32,
    found: Vec<(Id, f32)>,
    /// What is answered if nothing is found from the floor on.
    stopgap: Option<(Id, f32)>,
}

impl Best {
    fn new(count: usize, floor: f32) -> Self {
        Self { count, floor, found: Vec::with_capacity(count + 1), stopgap: None }
    }

    /// What is not more similar than this is not among them.
    fn worst(&self) -> f32 {
        match self.found.last() {
            Some(&(_, worst)) if self.found.len() == self.count => worst,
            _ if self.count == 0 => f32::INFINITY,
            _ => self.floor.next_down(),
        }
    }

    fn offer(&mut self, id: Id, similarity: f32) {
        if similarity > self.worst() {
            let rank = self.found.partition_point(|&(_, better)| better >= similarity);
            self.found.insert(rank, (id, similarity));
            self.found.truncate(self.count);
        }
    }

    /// Whether there is nothing to answer but a stopgap.
    fn wanting(&self) -> bool {
        self.found.is_empty() && self.count > 0
    }

    fn offer_stopgap(&mut self, id: Id, similarity: f32) {
        if self.stopgap.is_none_or(|(_, other)| similarity > other) {
            self.stopgap = Some((id, similarity));
        }
    }

    fn answer(self) -> Vec<(Id, f32)> {
        let wanting = self.wanting();
        if wanting { self.stopgap.into_iter().collect() } else { self.found }
    }
}

#[cfg(test)]
pub(super) mod conformance {
    //! What holds for every index.

    use super::*;

    /// Vectors of length 1 that are the same on every run.
    pub(in crate::cache) fn vector(seed: u64) -> Vec<f32> {
        let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 40) as f32 / 16_777_216.0 - 0.5
        };
        let vector: Vec<f32> = (0..crate::embed::DIMENSIONS).map(|_| next()).collect();
        let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
        vector.into_iter().map(|x| x / length).collect()
    }

    pub(in crate::cache) fn holds(mut index: impl VectorIndex) {
        assert!(index.is_empty() && index.nearest(&vector(1), 3, ANY).is_empty());
        for id in 0..200 {
            assert!(index.insert(id, &vector(id)));
        }
        for id in 0..200 {
            let found = index.nearest(&vector(id), 2, ANY);
            assert_eq!(found[0].0, id, "every entry finds itself");
            assert!((found[0].1 - 1.0).abs() < 1e-3 && found[1].1 <= found[0].1);
        }
        for id in (0..200).step_by(2) {
            assert!(index.remove(id) && !index.remove(id));
        }
        assert_eq!(index.len(), 100);
        for id in 0..200 {
            let own = index.nearest(&vector(id), 1, ANY)[0].0 == id;
            assert_eq!(own, id % 2 == 1, "what was removed is not found, what was not is");
        }
        assert!(!index.insert(500, &[f32::NAN; crate::embed::DIMENSIONS]), "a vector that is not finite is refused");
        assert!(index.insert(1, &vector(900)), "an id may be given a new vector");
        assert_eq!((index.nearest(&vector(900), 1, ANY)[0].0, index.len()), (1, 100));
        assert_eq!(index.nearest(&vector(900), 3, 0.9).len(), 1, "what is below the floor is not among the nearest");
        let stopgap = index.nearest(&vector(901), 3, 0.9);
        assert!(stopgap.len() == 1 && stopgap[0].1 < 0.9, "but it is better than nothing");
        assert!(index.nearest(&vector(901), 0, ANY).is_empty() && index.nearest(&vector(901), 0, 0.9).is_empty());
    }
}
