//! Every vector, one after the other, scanned from end to end: exact, and fast up to tens of thousands of entries.

use std::collections::HashMap;

use super::{Id, VectorIndex};
use crate::embed::{DIMENSIONS, cosine};

/// Vectors in one contiguous run; a removed one is overwritten by the last.
#[derive(Debug, Default)]
pub struct Flat {
    ids: Vec<Id>,
    vectors: Vec<f32>,
    places: HashMap<Id, usize>,
}

impl Flat {
    fn vector(&self, place: usize) -> &[f32] {
        &self.vectors[place * DIMENSIONS..(place + 1) * DIMENSIONS]
    }
}

impl VectorIndex for Flat {
    fn insert(&mut self, id: Id, vector: &[f32]) -> bool {
        if vector.len() != DIMENSIONS || !vector.iter().all(|number| number.is_finite()) {
            return false;
        }
        self.remove(id);
        self.places.insert(id, self.ids.len());
        self.ids.push(id);
        self.vectors.extend_from_slice(vector);
        true
    }

    fn remove(&mut self, id: Id) -> bool {
        let Some(place) = self.places.remove(&id) else { return false };
        let last = self.ids.len() - 1;
        self.ids.swap_remove(place);
        self.vectors.copy_within(last * DIMENSIONS.., place * DIMENSIONS);
        self.vectors.truncate(last * DIMENSIONS);
        if let Some(&moved) = self.ids.get(place) {
            self.places.insert(moved, place);
        }
        true
    }

    fn nearest(&self, vector: &[f32], count: usize) -> Vec<(Id, f32)> {
        let mut best: Vec<(Id, f32)> = Vec::with_capacity(count + 1);
        for (place, &id) in self.ids.iter().enumerate() {
            let similarity = cosine(vector, self.vector(place));
            if best.len() < count || best.last().is_some_and(|&(_, worst)| similarity > worst) {
                let rank = best.partition_point(|&(_, better)| better >= similarity);
                best.insert(rank, (id, similarity));
                best.truncate(count);
            }
        }
        best
    }

    fn len(&self) -> usize {
        self.ids.len()
    }

    fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::{super::conformance, *};

    #[test]
    fn conforms() {
        conformance::holds(Flat::default());
    }
}
