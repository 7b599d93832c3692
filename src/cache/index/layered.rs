//! An index that grows: a flat part that takes what is new, and below it sealed layers that are only read.
//!
//! When the flat part is large, it is sealed, and a graph is built over everything that is sealed; see [`Build`]. That takes minutes for a
//! large index and needs no lock: until the graph is installed, what was sealed is scanned. An entry that is removed from a sealed layer
//! is dead: it is passed over, and gone with the next build.
//!
//! Nothing in here starts a thread. Whoever owns the index asks whether a build is due and where it should run.

use std::{collections::HashSet, mem, sync::Arc};

use super::{Best, Id, VectorIndex, flat::Flat, graph::Graph, planes::Planes};

/// Entries of the flat part from which on it is sealed and linked. By the bench of the index a graph is searched faster than its entries are scanned
/// from about 50,000 on, but takes up to twice the memory; and the flat part is scanned beside the graph, so this also bounds what it adds.
const LARGE: usize = 65_536;

/// Among so many entries of a sealed layer, one that is dead is too many: they are in the way of the live ones, and in memory.
const DEAD_ONE_IN: usize = 4;

/// See the module.
#[derive(Debug)]
pub struct Layered {
    tail: Flat,
    sealed: Vec<Sealed>,
    building: bool,
    large: usize,
}

/// Entries that no longer change, but may die.
#[derive(Debug, Clone)]
struct Sealed {
    generation: Arc<Generation>,
    dead: HashSet<Id>,
}

#[derive(Debug)]
struct Generation {
    entries: Arc<Flat>,
    graph: Option<Graph>,
}

/// A generation to be built out of all that is sealed.
#[derive(Debug)]
pub struct Build {
    layers: Vec<Sealed>,
    large: usize,
}

/// A generation, and what it was built out of.
#[derive(Debug)]
pub struct Built {
    layers: Vec<Sealed>,
    generation: Generation,
}

/// Layers that a newer one has replaced. Freeing their memory takes a while: drop them where nobody waits.
#[derive(Debug)]
#[must_use = "to be dropped when the index is no longer locked"]
pub struct Replaced {
    _layers: Vec<Sealed>,
    _built_from: Vec<Sealed>,
}

impl Default for Layered {
    fn default() -> Self {
        Self::new(LARGE)
    }
}

impl Layered {
    /// An empty index whose flat part is large with so many entries.
    pub fn new(large: usize) -> Self {
        Self { tail: Flat::default(), sealed: vec![], building: false, large }
    }

    /// Whether there is more than the flat part, so that dropping it takes a while.
    pub fn is_sealed(&self) -> bool {
        !self.sealed.is_empty()
    }

    /// Whether [`Layered::seal`] should be called now.
    pub fn due(&self) -> bool {
        !self.building && (self.tail.len() >= self.large || self.sealed.iter().any(Sealed::stale))
    }

    /// Seals the flat part. What is built out of it must be installed before the next call.
    pub fn seal(&mut self) -> Build {
        self.building = true;
        let entries = Arc::new(mem::take(&mut self.tail));
        self.sealed.push(Sealed { generation: Arc::new(Generation { entries, graph: None }), dead: HashSet::new() });
        Build { layers: self.sealed.clone(), large: self.large }
    }

    /// Puts a generation in the place of what it was built out of. What died since is dead in it too.
    pub fn install(&mut self, built: Built) -> Replaced {
        let since = self.sealed.iter().zip(&built.layers);
        let dead = since.flat_map(|(now, then)| now.dead.difference(&then.dead)).copied().collect();
        let layer = Sealed { generation: Arc::new(built.generation), dead };
        self.building = false;
        Replaced { _layers: mem::replace(&mut self.sealed, vec![layer]), _built_from: built.layers }
    }
}

impl Build {
    /// Copies what is live and links it if there is enough of it: about a millisecond an entry. Comes to an end soon when the
    /// index is no longer `wanted`.
    pub fn run(self, wanted: impl Fn() -> bool) -> Built {
        let mut entries = Flat::default();
        for layer in &self.layers {
            for (id, planes) in layer.generation.entries.iter().filter(|&(id, _)| layer.live(id)) {
                entries.put(id, planes);
            }
        }
        let entries = Arc::new(entries);
        let graph = if entries.len() >= self.large { Graph::over(&entries, &wanted) } else { None };
        Built { layers: self.layers, generation: Generation { entries, graph } }
    }
}

impl Sealed {
    fn live(&self, id: Id) -> bool {
        !self.dead.contains(&id)
    }

    fn len(&self) -> usize {
        self.generation.entries.len() - self.dead.len()
    }

    fn stale(&self) -> bool {
        self.dead.len() * DEAD_ONE_IN > self.generation.entries.len()
    }

    fn remove(&mut self, id: Id) -> bool {
        self.generation.entries.contains(id) && self.dead.insert(id)
    }

    fn search(&self, query: &Arc<Planes>, best: &mut Best) {
        let entries = &self.generation.entries;
        let live = |place: &u32| self.live(entries.id(*place));
        let near = self.generation.graph.as_ref().and_then(|graph| graph.near(query));
        let near: Vec<u32> = near.into_iter().flatten().filter(live).collect();
        // Without a graph there are none. With one there are fewer than asked for only where the dead stand thick.
        if near.len() < best.count {
            entries.search(query, best, |id| self.live(id));
        } else {
            for &place in &near {
                entries.offer(place, query, best);
            }
            if let Some(&nearest) = near.first().filter(|_| best.wanting()) {
                entries.offer_stopgap(nearest, query, best);
            }
        }
    }
}

impl VectorIndex for Layered {
    fn insert(&mut self, id: Id, vector: &[f32]) -> bool {
        let Some(planes) = Planes::of(vector) else { return false };
        self.remove(id);
        self.tail.put(id, planes);
        true
    }

    fn remove(&mut self, id: Id) -> bool {
        self.tail.remove(id) || self.sealed.iter_mut().any(|layer| layer.remove(id))
    }

    fn nearest(&self, vector: &[f32], count: usize, floor: f32) -> Vec<(Id, f32)> {
        let mut best = Best::new(count, floor);
        if let Some(query) = Planes::of(vector).map(Arc::new) {
            self.tail.search(&query, &mut best, |_| true);
            self.sealed.iter().for_each(|layer| layer.search(&query, &mut best));
        }
        best.answer()
    }

    fn len(&self) -> usize {
        self.tail.len() + self.sealed.iter().map(Sealed::len).sum::<usize>()
    }

    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{
        super::{
            ANY,
            conformance::{self, vector},
        },
        *,
    };

    fn rebuild(index: &mut Layered) {
        let built = index.seal().run(|| true);
        drop(index.install(built));
    }

    /// Seals itself at every change that makes it due.
    #[derive(Debug)]
    struct Eager(Layered);

    impl Eager {
        fn settle(&mut self) {
            if self.0.due() {
                rebuild(&mut self.0);
            }
        }
    }

    impl VectorIndex for Eager {
        fn insert(&mut self, id: Id, vector: &[f32]) -> bool {
            let added = self.0.insert(id, vector);
            self.settle();
            added
        }

        fn remove(&mut self, id: Id) -> bool {
            let removed = self.0.remove(id);
            self.settle();
            removed
        }

        fn nearest(&self, vector: &[f32], count: usize, floor: f32) -> Vec<(Id, f32)> {
            self.0.nearest(vector, count, floor)
        }

        fn len(&self) -> usize {
            self.0.len()
        }

        fn is_empty(&self) -> bool {
            self.0.is_empty()
        }
    }

    fn filled(large: usize, entries: u64) -> Layered {
        let mut index = Layered::new(large);
        (0..entries).for_each(|id| assert!(index.insert(id, &vector(id))));
        index
    }

    fn graph(index: &Layered) -> Option<&Graph> {
        index.sealed.last().and_then(|layer| layer.generation.graph.as_ref())
    }

    #[test]
    fn conforms_flat_and_in_layers() {
        conformance::holds(Layered::default());
        conformance::holds(Eager(Layered::new(150)));
    }

    #[test]
    fn it_is_due_when_the_flat_part_is_large_or_many_are_dead() {
        let mut index = filled(20, 19);
        assert!(!index.due());
        index.insert(19, &vector(19));
        assert!(index.due());
        let build = index.seal();
        (20..40).for_each(|id| assert!(index.insert(id, &vector(id))));
        assert!(!index.due(), "one build at a time");
        drop(index.install(build.run(|| true)));
        assert!(index.due());
        rebuild(&mut index);
        assert!(graph(&index).is_some() && !index.due());
        (0..10).for_each(|id| assert!(index.remove(id)));
        assert!(!index.due());
        assert!(index.remove(10) && index.due());
    }

    #[test]
    fn a_build_frees_the_dead_and_needs_no_graph_for_few() {
        let mut index = filled(20, 30);
        rebuild(&mut index);
        (0..15).for_each(|id| assert!(index.remove(id)));
        rebuild(&mut index);
        assert!(graph(&index).is_none());
        assert_eq!((index.sealed[0].generation.entries.len(), index.sealed[0].dead.len(), index.len()), (15, 0, 15));
        assert!((0..30).all(|id| (index.nearest(&vector(id), 1, ANY)[0].0 == id) == (id >= 15)));
    }

    #[test]
    fn an_id_that_moved_on_while_a_graph_was_built_is_found_where_it_is() {
        let mut index = filled(20, 30);
        let build = index.seal();
        assert!(index.insert(7, &vector(900)) && index.remove(8) && index.insert(8, &vector(8)));
        drop(index.install(build.run(|| true)));
        assert_eq!(index.len(), 30);
        assert_eq!(index.nearest(&vector(900), 1, ANY)[0].0, 7);
        assert!(index.nearest(&vector(7), 1, ANY)[0].1 < 0.9, "the vector that 7 had is gone");
        rebuild(&mut index);
        assert!(index.remove(7) && index.remove(8) && !index.remove(7));
        assert!(index.nearest(&vector(900), 1, ANY)[0].1 < 0.9 && index.len() == 28);
    }

    #[test]
    fn copies_of_one_vector_all_live() {
        let mut index = Layered::new(50);
        (0..60).for_each(|id| assert!(index.insert(id, &vector(1))));
        rebuild(&mut index);
        let mut found: Vec<Id> = index.nearest(&vector(1), 60, ANY).into_iter().map(|(id, _)| id).collect();
        found.sort_unstable();
        assert!(found.into_iter().eq(0..60));
        for id in 0..59 {
            assert!(index.remove(id));
            assert!(
                index.nearest(&vector(1), 1, ANY).first().is_some_and(|&(found, similarity)| found > id && similarity > 0.999)
            );
        }
    }

    #[test]
    fn copies_among_others_are_found_when_those_in_view_are_dead() {
        let mut index = filled(20, 80);
        (1000..1132).for_each(|id| assert!(index.insert(id, &vector(1))));
        rebuild(&mut index);
        assert!(graph(&index).is_some());
        for id in 1000..1132 {
            assert_eq!(index.nearest(&vector(1), 3, ANY).len(), 3);
            assert!(index.nearest(&vector(1), 1, ANY)[0].1 > 0.999 && index.remove(id));
        }
    }

    #[test]
    fn what_is_alike_shares_a_point_until_it_is_crowded_and_is_found() {
        let alike = |id: Id| -> Vec<f32> { vector(id % 3).iter().zip(vector(100 + id)).map(|(a, b)| a + 0.4 * b).collect() };
        let mut index = Layered::new(20);
        (0..210).for_each(|id| assert!(index.insert(id, &alike(id))));
        rebuild(&mut index);
        assert_eq!(graph(&index).map(Graph::points), Some(6), "64 of 70 and 6 of 70, three times");
        assert!((0..210).step_by(5).all(|id| index.nearest(&alike(id), 1, ANY)[0].0 == id));
    }

    #[test]
    fn a_build_that_nobody_wants_ends_without_a_graph() {
        let mut index = filled(20, 30);
        let built = index.seal().run(|| false);
        assert!(built.generation.graph.is_none());
        drop(index.install(built));
        assert!((0..30).all(|id| index.nearest(&vector(id), 1, ANY)[0].0 == id));
    }

    #[derive(Debug, Clone, Copy)]
    enum Step {
        Insert(Id),
        Remove(Id),
        Seal,
        Install,
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            12 => (0_u64..50).prop_map(Step::Insert),
            6 => (0_u64..50).prop_map(Step::Remove),
            1 => Just(Step::Seal),
            1 => Just(Step::Install),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]
        #[test]
        fn whatever_happens_it_finds_what_the_flat_index_finds(steps in prop::collection::vec(step(), 1..100)) {
            let (mut index, mut oracle, mut build) = (Layered::new(20), Flat::default(), None);
            for (seed, step) in (1000..).zip(steps) {
                match step {
                    Step::Insert(id) => prop_assert!(index.insert(id, &vector(seed)) && oracle.insert(id, &vector(seed))),
                    Step::Remove(id) => prop_assert_eq!(index.remove(id), oracle.remove(id)),
                    Step::Seal if build.is_none() => build = Some(index.seal()),
                    Step::Seal => {}
                    Step::Install => if let Some(build) = build.take() {
                        drop(index.install(build.run(|| true)));
                    },
                }
                prop_assert_eq!(index.len(), oracle.len());
            }
            for (id, planes) in oracle.iter() {
                let own: Vec<f32> = planes.coarse.0.iter().zip(planes.fine.0).map(|(&a, b)| f32::from(a) + f32::from(b) / 254.0).collect();
                prop_assert_eq!(index.nearest(&own, 1, ANY)[0].0, id, "every live entry finds itself");
                for floor in [ANY, 0.1, 0.9] {
                    prop_assert_eq!(index.nearest(&own, 4, floor), oracle.nearest(&own, 4, floor));
                }
            }
            prop_assert!(index.nearest(&vector(1), 100, ANY).iter().all(|&(id, _)| oracle.contains(id)), "what was removed is not found");
        }
    }
}
