//! Every vector, one after the other, scanned from end to end: exact, and the fastest way up to tens of thousands of entries.

use std::collections::HashMap;

use super::{
    Best, Id, VectorIndex,
    planes::{Planes, Scale, joined, product_with_halves, split, sum},
};
use crate::embed::{Nibbles, Plane, nibble_products};

/// Entries that lie together. What is scanned at once, and what stays empty at most when there are many.
const BLOCK: usize = 1024;

/// Entries that are passed over together.
const GROUP: usize = 32;

/// Vectors in blocks; a removed one is overwritten by the last.
#[derive(Debug, Default)]
pub struct Flat {
    blocks: Vec<Block>,
    places: HashMap<Id, u32>,
}

/// Up to [`BLOCK`] vectors. The scan reads `upper` and `scales`, the rest only of what may be among the nearest.
#[derive(Debug, Default)]
struct Block {
    ids: Vec<Id>,
    upper: Vec<Nibbles>,
    lower: Vec<Nibbles>,
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
            self.upper.reserve_exact(more);
            self.lower.reserve_exact(more);
            self.fine.reserve_exact(more);
            self.scales.reserve_exact(more);
        }
    }

    fn push(&mut self, id: Id, planes: Planes) {
        self.reserve();
        let [upper, lower] = split(&planes.coarse);
        self.ids.push(id);
        self.upper.push(upper);
        self.lower.push(lower);
        self.fine.push(planes.fine);
        self.scales.push(planes.scale);
    }

    fn pop(&mut self) -> Option<(Id, Planes)> {
        let coarse = joined(&self.upper.pop()?, &self.lower.pop()?);
        let planes = Planes::new(coarse, self.fine.pop()?, self.scales.pop()?);
        Some((self.ids.pop()?, planes))
    }

    fn coarse(&self, at: usize) -> Plane {
        joined(&self.upper[at], &self.lower[at])
    }

    fn planes(&self, at: usize) -> Planes {
        Planes::new(self.coarse(at), self.fine[at].clone(), self.scales[at])
    }

    fn set(&mut self, at: usize, id: Id, planes: Planes) {
        self.ids[at] = id;
        [self.upper[at], self.lower[at]] = split(&planes.coarse);
        self.fine[at] = planes.fine;
        self.scales[at] = planes.scale;
    }

    /// Offers all that may be among the best and is live.
    fn search(&self, query: &Planes, best: &mut Best, live: &impl Fn(Id) -> bool) {
        let (mut products, mut most) = ([0; BLOCK], [f32::NEG_INFINITY; BLOCK]);
        nibble_products(&query.coarse, &self.upper, &mut products);
        query.most_by_upper(&products, &self.scales, &mut most);
        let mut top = (0, f32::NEG_INFINITY);
        for (from, group) in (0..).step_by(GROUP).zip(most.chunks(GROUP)) {
            let most_of_group = group.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            if most_of_group > top.1 {
                top = (from, most_of_group);
            }
            if most_of_group <= best.worst() {
                continue;
            }
            for (at, &most) in (from..).zip(group) {
                if most > best.worst() && live(self.ids[at]) {
                    self.offer(at, query, best);
                }
            }
        }
        if best.wanting() {
            let group = top.0..self.ids.len().min(top.0 + GROUP);
            let nearest = group.filter(|&at| live(self.ids[at])).max_by(|&one, &other| most[one].total_cmp(&most[other]));
            if let Some(at) = nearest {
                best.offer_stopgap(self.ids[at], self.similarity(at, query));
            }
        }
    }

    /// Offers the vector at a place, if it may be among the best.
    fn offer(&self, at: usize, query: &Planes, best: &mut Best) {
        if query.most(query.product(&self.upper[at], &self.lower[at]), self.scales[at]) > best.worst() {
            best.offer(self.ids[at], self.similarity(at, query));
        }
    }

    fn similarity(&self, at: usize, query: &Planes) -> f32 {
        query.similarity(&self.coarse(at), &self.fine[at], self.scales[at])
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

    /// The similarity to the vector at a place, as far as the coarse planes say.
    pub(super) fn coarse_similarity(&self, place: u32, query: &Planes) -> f32 {
        let (block, at) = self.at(place);
        query.scale.similarity(query.product(&block.upper[at], &block.lower[at]), block.scales[at])
    }

    /// The similarity of the vectors at two places, as far as the coarse planes say.
    pub(super) fn coarse_similarity_of(&self, places: [u32; 2]) -> f32 {
        let [(one, at), (other, to)] = places.map(|place| self.at(place));
        let coarse = one.coarse(at);
        let product = product_with_halves(&coarse, sum(&coarse), &other.upper[to], &other.lower[to]);
        one.scales[at].similarity(product, other.scales[to])
    }

    /// Offers the vector at a place, if it may be among the best.
    pub(super) fn offer(&self, place: u32, query: &Planes, best: &mut Best) {
        let (block, at) = self.at(place);
        block.offer(at, query, best);
    }

    /// Offers the vector at a place for want of a better one.
    pub(super) fn offer_stopgap(&self, place: u32, query: &Planes, best: &mut Best) {
        let (block, at) = self.at(place);
        best.offer_stopgap(block.ids[at], block.similarity(at, query));
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

    fn nearest(&self, vector: &[f32], count: usize, floor: f32) -> Vec<(Id, f32)> {
        let mut best = Best::new(count, floor);
        if let Some(query) = Planes::of(vector) {
            self.search(&query, &mut best, |_| true);
        }
        best.answer()
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

    use super::{
        super::{ANY, conformance},
        *,
    };
    use crate::embed::DIMENSIONS;

    /// Bytes that are allocated.
    fn bytes(flat: &Flat) -> usize {
        let block = |block: &Block| {
            let halves = (block.upper.capacity() + block.lower.capacity()) * size_of::<Nibbles>();
            let vectors = halves + block.fine.capacity() * size_of::<Plane>();
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
        assert!((788..=900).contains(&most), "{most}");
    }

    /// Vectors in a few directions, so that many are nearly as near as the nearest.
    fn near(seed: u64) -> Vec<f32> {
        let (first, second) = (conformance::vector(seed % 3), conformance::vector(1000 + seed));
        first.iter().zip(second).map(|(a, b)| a + 0.02 * (seed % 7) as f32 * b).collect()
    }

    /// Those, and vectors whose halves say as much or as little as they can: in one direction, in all alike, and their opposites.
    fn odd(seed: u64) -> Vec<f32> {
        let mut vector = match seed % 5 {
            0 => vec![1.0; DIMENSIONS],
            1 => vec![0.0; DIMENSIONS],
            // Whatever the largest number makes of the others: the upper half is the same for all, and the lower as far off as it can be.
            2 => vec![(7.0 + (seed % 4) as f32) / 119.0; DIMENSIONS],
            _ => near(seed),
        };
        vector[usize::try_from(seed % 11).unwrap()] = 1.0;
        let sign = if seed.is_multiple_of(7) { -1.0 } else { 1.0 };
        vector.into_iter().map(|number| sign * number).collect()
    }

    /// All similarities to a query by the plain computation, the best first.
    fn similarities(flat: &Flat, query: &[f32]) -> Vec<f32> {
        let query = Planes::of(query).unwrap();
        let similarity = |(_, planes): (Id, Planes)| query.similarity(&planes.coarse, &planes.fine, planes.scale);
        let mut all: Vec<f32> = flat.iter().map(similarity).collect();
        all.sort_by(|a, b| b.total_cmp(a));
        all
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn the_halves_pass_over_nothing_that_is_among_the_nearest(
            vector in prop_oneof![Just(near as fn(u64) -> Vec<f32>), Just(odd as fn(u64) -> Vec<f32>)],
            seed in 0_u64..1000,
            entries in 1_u64..200,
            count in 1_usize..9,
            floor in prop_oneof![Just(ANY), -1.0_f32..1.0, Just(2.0)],
        ) {
            let mut flat = Flat::default();
            for id in 0..entries {
                flat.insert(id, &vector(seed + id));
            }
            let query = vector(seed + entries);
            let found: Vec<f32> = flat.nearest(&query, count, floor).into_iter().map(|(_, similarity)| similarity).collect();
            let all = similarities(&flat, &query);
            let near: Vec<f32> = all.iter().copied().filter(|&similarity| similarity >= floor).take(count).collect();
            if near.is_empty() {
                prop_assert!(found.len() == 1 && all.contains(&found[0]), "one that is as near as any at a glance");
            } else {
                prop_assert_eq!(found, near);
            }
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
        assert_eq!(flat.nearest(&conformance::vector(BLOCK as u64), 1, ANY)[0].0, BLOCK as u64);
    }
}
