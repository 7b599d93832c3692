//! Every vector, one after the other, scanned from end to end: exact, and the fastest way up to tens of thousands of entries.

use std::collections::HashMap;

use super::{
    Best, Id, VectorIndex,
    planes::{Planes, Scale},
};
use crate::embed::{Plane, product, products};

/// Entries that lie together. What is scanned at once, and what stays empty at most when there are many.
const BLOCK: usize = 1024;

/// Vectors in blocks; a removed one is overwritten by the last.
#[derive(Debug, Default)]
pub struct Flat {
    blocks: Vec<Block>,
    places: HashMap<Id, u32>,
}

/// Up to [`BLOCK`] vectors. The scan reads `coarse` and `scales`, the rest only of what may be among the nearest.
#[derive(Debug, Default)]
struct Block {
    ids: Vec<Id>,
    coarse: Vec<Plane>,
    fine: Vec<Plane>,
    scales: Vec<Scale>,
}

impl Block {
    /// Makes room for one more. A vector that doubles would leave half of it empty.
    fn reserve(&mut self) {
        let len = self.ids.len();
        if len == self.ids.capacity() {
            let more = (len / 16).clamp(4, BLOCK - len);
            self.ids.reserve_exact(more);
            self.coarse.reserve_exact(more);
            self.fine.reserve_exact(more);
            self.scales.reserve_exact(more);
        }
    }

    fn push(&mut self, id: Id, planes: Planes) {
        self.reserve();
        self.ids.push(id);
        self.coarse.push(planes.coarse);
        self.fine.push(planes.fine);
        self.scales.push(planes.scale);
    }

    fn pop(&mut self) -> Option<(Id, Planes)> {
        let planes = Planes { coarse: self.coarse.pop()?, fine: self.fine.pop()?, scale: self.scales.pop()? };
        Some((self.ids.pop()?, planes))
    }

    fn planes(&self, at: usize) -> Planes {
        Planes { coarse: self.coarse[at].clone(), fine: self.fine[at].clone(), scale: self.scales[at] }
    }

    fn set(&mut self, at: usize, id: Id, planes: Planes) {
        self.ids[at] = id;
        self.coarse[at] = planes.coarse;
        self.fine[at] = planes.fine;
        self.scales[at] = planes.scale;
    }

    /// Offers all that may be among the best and is live.
    fn search(&self, query: &Planes, best: &mut Best, live: &impl Fn(Id) -> bool) {
        let mut sums = [0; BLOCK];
        products(&query.coarse, &self.coarse, &mut sums);
        for (at, (&scale, sum)) in self.scales.iter().zip(sums).enumerate() {
            if query.most(sum, scale) > best.worst() && live(self.ids[at]) {
                best.offer(self.ids[at], query.similarity(&self.coarse[at], &self.fine[at], scale));
            }
        }
    }
}

impl Flat {
    /// Adds a vector in planes, or gives an id a new one.
    pub(super) fn put(&mut self, id: Id, planes: Planes) {
        self.remove(id);
        // An index holds far less than 2^32 vectors: those would be three terabytes.
        let Ok(place) = u32::try_from(self.places.len()) else { return };
        if self.blocks.last().is_none_or(|block| block.ids.len() == BLOCK) {
            self.blocks.push(Block::default());
        }
        if let Some(block) = self.blocks.last_mut() {
            block.push(id, planes);
            self.places.insert(id, place);
        }
    }

    /// Offers all that may be among the best and is live.
    pub(super) fn search(&self, query: &Planes, best: &mut Best, live: impl Fn(Id) -> bool) {
        self.blocks.iter().for_each(|block| block.search(query, best, &live));
    }

    /// The vector at a place, as far as the coarse plane says.
    pub(super) fn coarse(&self, place: u32) -> (&Plane, Scale) {
        let (block, at) = self.at(place);
        (&block.coarse[at], block.scales[at])
    }

    /// Offers the vector at a place, if it may be among the best.
    pub(super) fn offer(&self, place: u32, query: &Planes, best: &mut Best) {
        let (block, at) = self.at(place);
        let scale = block.scales[at];
        if query.most(product(&query.coarse, &block.coarse[at]), scale) > best.worst() {
            best.offer(block.ids[at], query.similarity(&block.coarse[at], &block.fine[at], scale));
        }
    }

    /// Whose vector is at a place.
    pub(super) fn id(&self, place: u32) -> Id {
        let (block, at) = self.at(place);
        block.ids[at]
    }

    fn at(&self, place: u32) -> (&Block, usize) {
        (&self.blocks[place as usize / BLOCK], place as usize % BLOCK)
    }

    pub(super) fn contains(&self, id: Id) -> bool {
        self.places.contains_key(&id)
    }

    /// All places, in order.
    pub(super) fn places(&self) -> impl Iterator<Item = u32> {
        (0..).take(self.places.len())
    }

    /// Everything, in the order of the places.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Id, Planes)> {
        self.blocks.iter().flat_map(|block| (0..block.ids.len()).map(|at| (block.ids[at], block.planes(at))))
    }
}

impl VectorIndex for Flat {
    fn insert(&mut self, id: Id, vector: &[f32]) -> bool {
        let planes = Planes::of(vector);
        planes.map(|planes| self.put(id, planes)).is_some()
    }

    fn remove(&mut self, id: Id) -> bool {
        let Some(place) = self.places.remove(&id) else { return false };
        let Some((last, planes)) = self.blocks.last_mut().and_then(Block::pop) else { return false };
        if self.blocks.last().is_some_and(|block| block.ids.is_empty()) {
            self.blocks.pop();
        }
        if last != id {
            self.blocks[place as usize / BLOCK].set(place as usize % BLOCK, last, planes);
            self.places.insert(last, place);
        }
        true
    }

    fn nearest(&self, vector: &[f32], count: usize) -> Vec<(Id, f32)> {
        let mut best = Best::new(count);
        if let Some(query) = Planes::of(vector) {
            self.search(&query, &mut best, |_| true);
        }
        best.found
    }

    fn len(&self) -> usize {
        self.places.len()
    }

    fn is_empty(&self) -> bool {
        self.places.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{super::conformance, *};

    /// Bytes that are allocated.
    fn bytes(flat: &Flat) -> usize {
        let block = |block: &Block| {
            let vectors = block.coarse.capacity() * size_of::<Plane>() + block.fine.capacity() * size_of::<Plane>();
            vectors + block.ids.capacity() * size_of::<Id>() + block.scales.capacity() * size_of::<Scale>()
        };
        // A table is full at seven eighths, its sizes are powers of two, and each slot has a byte of its own.
        let slots = (flat.places.capacity() * 8 / 7).next_power_of_two();
        let blocks = flat.blocks.capacity() * size_of::<Block>() + flat.blocks.iter().map(block).sum::<usize>();
        blocks + slots * (size_of::<(Id, u32)>() + 1)
    }

    #[test]
    fn conforms() {
        conformance::holds(Flat::default());
    }

    #[test]
    fn an_entry_takes_at_most_nine_hundred_bytes() {
        let mut flat = Flat::default();
        let planes = Planes::of(&conformance::vector(1)).unwrap();
        let mut most = 0;
        for id in 0..5000 {
            flat.put(id, planes.clone());
            if flat.len() >= 64 {
                most = most.max(bytes(&flat) / flat.len());
            }
        }
        assert!((784..=900).contains(&most), "{most}");
    }

    /// Vectors in a few directions, so that many are nearly as near as the nearest.
    fn near(seed: u64) -> Vec<f32> {
        let (first, second) = (conformance::vector(seed % 3), conformance::vector(1000 + seed));
        first.iter().zip(second).map(|(a, b)| a + 0.02 * (seed % 7) as f32 * b).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn the_coarse_planes_pass_over_nothing_that_is_among_the_nearest(seed in 0_u64..1000, entries in 1_u64..200, count in 1_usize..9) {
            let mut flat = Flat::default();
            for id in 0..entries {
                flat.insert(id, &near(seed + id));
            }
            let query = Planes::of(&near(seed + entries)).unwrap();
            let mut all: Vec<f32> = flat.iter().map(|(_, planes)| query.similarity(&planes.coarse, &planes.fine, planes.scale)).collect();
            all.sort_by(|a, b| b.total_cmp(a));
            all.truncate(count);
            let found: Vec<f32> = flat.nearest(&near(seed + entries), count).into_iter().map(|(_, similarity)| similarity).collect();
            prop_assert_eq!(found, all);
        }

        #[test]
        fn each_id_keeps_its_own_vector(changes in prop::collection::vec((0_u64..40, any::<bool>()), 1..200)) {
            let mut flat = Flat::default();
            let mut expected = std::collections::BTreeMap::new();
            for (step, (id, insert)) in (0..).zip(changes) {
                if insert {
                    flat.insert(id, &conformance::vector(step));
                    expected.insert(id, Planes::of(&conformance::vector(step)).unwrap());
                } else {
                    prop_assert_eq!(flat.remove(id), expected.remove(&id).is_some());
                }
            }
            prop_assert_eq!(flat.iter().collect::<std::collections::BTreeMap<_, _>>(), expected);
        }
    }

    #[test]
    fn a_removed_vector_of_a_full_block_is_overwritten_by_the_last_of_another() {
        let mut flat = Flat::default();
        for id in 0..=BLOCK as u64 {
            flat.insert(id, &conformance::vector(id));
        }
        assert!(flat.remove(3) && flat.blocks.len() == 1 && flat.len() == BLOCK);
        assert_eq!(flat.nearest(&conformance::vector(BLOCK as u64), 1)[0].0, BLOCK as u64);
    }
}
