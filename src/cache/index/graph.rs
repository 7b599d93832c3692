//! A graph over the entries of a flat index: a search walks from neighbour to neighbour and looks at a few hundred entries, not at all.
//!
//! The graph is that of `hnsw_rs`, built once and never changed. Its points are places in the flat index, so no vector is there twice.
//! It is held to one layer: with this many dimensions the layers above save nothing, and each point would pay for them in memory.
//! `hnsw_rs` may link a point so that no search comes to it, and it panics where it should not. So every entry is looked for once, those that
//! are not found are listed and always compared, and a panic is an answer like any other: no graph.

use std::{
    fmt,
    panic::{self, AssertUnwindSafe},
    sync::Arc,
};

use hnsw_rs::prelude::{Distance, Hnsw};

use super::{
    VectorIndex,
    flat::Flat,
    planes::{Plane, Planes, Scale},
    simd::product,
};

/// Links of a point, of which it may have twice as many in the one layer. More cost memory, fewer lose entries.
const LINKS: usize = 16;

/// How many neighbours a new point is compared with before its links are chosen.
const BUILD_WIDTH: usize = 100;

/// How many of the nearest a search keeps in view: what is not among these is not found.
const SEARCH_WIDTH: usize = 128;

/// Layers of the graph.
const LAYERS: usize = 1;

/// How many points are linked between two questions whether the graph is still wanted.
const STRIDE: usize = 256;

/// See the module.
pub(super) struct Graph {
    hnsw: Hnsw<'static, Point, Entries>,
    /// Places that the graph does not lead to, in ascending order.
    lost: Vec<u32>,
}

/// What distances are taken between.
#[derive(Debug, Clone)]
enum Point {
    /// The entry at a place.
    Entry(u32),
    /// A vector that is looked for.
    Query(Arc<Planes>),
}

/// Where the vectors of the points are.
struct Entries(Arc<Flat>);

impl Entries {
    fn coarse<'a>(&'a self, point: &'a [Point]) -> Option<(&'a Plane, Scale)> {
        match point.first()? {
            Point::Entry(place) => Some(self.0.coarse(*place)),
            Point::Query(planes) => Some((&planes.coarse, planes.scale)),
        }
    }
}

impl Distance<Point> for Entries {
    /// One less the coarse similarity, and never below zero: `hnsw_rs` asserts that.
    fn eval(&self, a: &[Point], b: &[Point]) -> f32 {
        let (Some((a, a_scale)), Some((b, b_scale))) = (self.coarse(a), self.coarse(b)) else { return 1.0 };
        (1.0 - a_scale.similarity(product(a, b), b_scale)).max(0.0)
    }
}

impl Graph {
    /// Links all entries, about half a millisecond each. None if that is no longer `wanted`, if it fails, or if the graph would not help.
    pub(super) fn over(entries: &Arc<Flat>, wanted: &dyn Fn() -> bool) -> Option<Self> {
        let graph = caught(|| Self::linked(entries, wanted)).flatten()?;
        (graph.lost.len() < entries.len() / 2).then_some(graph)
    }

    fn linked(entries: &Arc<Flat>, wanted: &dyn Fn() -> bool) -> Option<Self> {
        let hnsw = Hnsw::new(LINKS, entries.len(), LAYERS, BUILD_WIDTH, Entries(Arc::clone(entries)));
        for (at, place) in entries.places().enumerate() {
            if at % STRIDE == 0 && !wanted() {
                return None;
            }
            hnsw.insert((&[Point::Entry(place)], place as usize));
        }
        let mut graph = Self { hnsw, lost: vec![] };
        for (at, place) in entries.places().enumerate() {
            if at % STRIDE == 0 && !wanted() {
                return None;
            }
            if !graph.reached(Point::Entry(place)).any(|reached| reached == place) {
                graph.lost.push(place);
            }
        }
        Some(graph)
    }

    /// The places that a search comes to.
    fn reached(&self, from: Point) -> impl Iterator<Item = u32> {
        let found = self.hnsw.search(&[from], SEARCH_WIDTH, SEARCH_WIDTH);
        found.into_iter().filter_map(|neighbour| u32::try_from(neighbour.d_id).ok())
    }

    /// Places that are near the query, and all that the graph does not lead to. None if the search failed.
    pub(super) fn near(&self, query: &Arc<Planes>) -> Option<Vec<u32>> {
        let known = |place: &u32| self.lost.binary_search(place).is_err();
        let reached = || self.reached(Point::Query(Arc::clone(query))).filter(known).collect::<Vec<_>>();
        let mut near = caught(reached)?;
        near.extend(&self.lost);
        Some(near)
    }
}

impl fmt::Debug for Graph {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Graph").field("points", &self.hnsw.get_nb_point()).field("lost", &self.lost.len()).finish()
    }
}

/// What a call into `hnsw_rs` comes to, unless it panics.
fn caught<T>(call: impl FnOnce() -> T) -> Option<T> {
    let result = panic::catch_unwind(AssertUnwindSafe(call));
    if result.is_err() {
        tracing::error!("The graph of a partition failed; its entries are compared one by one.");
    }
    result.ok()
}
