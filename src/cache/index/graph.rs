//! A graph over the entries of a flat index: a search walks from neighbour to neighbour and looks at a few thousand entries, not at all.
//!
//! The graph is that of `hnsw_rs`, built once and never changed. Its points are places in the flat index, so no vector is there twice. `hnsw_rs`
//! keeps only the shortest links of a point. Where more entries are alike than a point has links, as where one question is asked with many
//! names, all links would lead to each other, and no search would come in from outside. So what is alike shares one point, its
//! first entry, and a search compares all that the nearest points stand for.
//! The graph is held to one layer: with this many dimensions the layers above save nothing, and each point would pay for them in memory.
//! `hnsw_rs` may link a point so that no search comes to it, and it panics where it should not. So every entry is looked for once, those that
//! are not found are listed and always compared, and a panic is an answer like any other: no graph.

use std::{
    fmt,
    panic::{self, AssertUnwindSafe},
    sync::Arc,
};

use hnsw_rs::prelude::{Distance, Hnsw};

use super::{VectorIndex as _, flat::Flat, planes::Planes};

/// Links of a point, of which it may have twice as many in the one layer. More cost memory, fewer lose entries.
const LINKS: usize = 16;

/// How many neighbours a new point is compared with before its links are chosen.
const BUILD_WIDTH: usize = 100;

/// How many points a new entry is compared with before it gets one of its own.
const JOIN_WIDTH: usize = 32;

/// An entry shares a point from this similarity on.
const ALIKE: f32 = 0.75;

/// Entries that share a point at most: all of them are compared.
const CROWD: usize = 64;

/// How many of the nearest points a search keeps in view: what these do not stand for is not found.
const SEARCH_WIDTH: usize = 128;

/// Layers of the graph.
const LAYERS: usize = 1;

/// How many entries are linked between two questions whether the graph is still wanted.
const STRIDE: u32 = 256;

/// See the module.
pub(super) struct Graph {
    hnsw: Hnsw<'static, Point, Entries>,
    /// The places that each point stands for.
    crowds: Vec<Vec<u32>>,
    /// Places that no search comes to, in ascending order.
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
    fn similarity(&self, one: &Point, other: &Point) -> f32 {
        match (one, other) {
            (Point::Entry(one), Point::Entry(other)) => self.0.coarse_similarity_of([*one, *other]),
            (Point::Query(query), Point::Entry(place)) | (Point::Entry(place), Point::Query(query)) => {
                self.0.coarse_similarity(*place, query)
            }
            // Only entries are in the graph.
            (Point::Query(_), Point::Query(_)) => 0.0,
        }
    }
}

impl Distance<Point> for Entries {
    /// One less the coarse similarity, and never below zero: `hnsw_rs` asserts that.
    fn eval(&self, a: &[Point], b: &[Point]) -> f32 {
        let ([a], [b]) = (a, b) else { return 1.0 };
        (1.0 - self.similarity(a, b)).max(0.0)
    }
}

impl Graph {
    /// Links all entries, up to a millisecond each. None if that is no longer `wanted`, if it fails, or if the graph would not help.
    pub(super) fn over(entries: &Arc<Flat>, wanted: &dyn Fn() -> bool) -> Option<Self> {
        let graph = caught(|| Self::linked(entries, wanted)).flatten()?;
        (graph.lost.len() < entries.len() / 2).then_some(graph)
    }

    fn linked(entries: &Arc<Flat>, wanted: &dyn Fn() -> bool) -> Option<Self> {
        let hnsw = Hnsw::new(LINKS, entries.len(), LAYERS, BUILD_WIDTH, Entries(Arc::clone(entries)));
        let mut graph = Self { hnsw, crowds: vec![], lost: vec![] };
        let unwanted = |place: u32| place.is_multiple_of(STRIDE) && !wanted();
        let mut homes = Vec::with_capacity(entries.len());
        for place in entries.places() {
            if unwanted(place) {
                return None;
            }
            homes.push(graph.join(place));
        }
        for (place, home) in entries.places().zip(homes) {
            if unwanted(place) {
                return None;
            }
            if !graph.reached(Point::Entry(place), SEARCH_WIDTH).any(|(point, _)| point == home) {
                graph.lost.push(place);
            }
        }
        Some(graph)
    }

    /// Adds an entry to a point that it is like, or as a point of its own; returns the point.
    fn join(&mut self, place: u32) -> usize {
        let alike = |&(point, similarity): &(usize, f32)| similarity >= ALIKE && self.crowds[point].len() < CROWD;
        let found = self.reached(Point::Entry(place), JOIN_WIDTH).find(alike);
        let point = found.map_or(self.crowds.len(), |(point, _)| point);
        if found.is_some() {
            self.crowds[point].push(place);
        } else {
            self.hnsw.insert((&[Point::Entry(place)], point));
            self.crowds.push(vec![place]);
        }
        point
    }

    /// The points that a search comes to, nearest first, with their similarity.
    fn reached(&self, from: Point, width: usize) -> impl Iterator<Item = (usize, f32)> {
        let found = self.hnsw.search(&[from], width, width);
        found.into_iter().map(|neighbour| (neighbour.d_id, 1.0 - neighbour.distance))
    }

    /// How many points there are.
    #[cfg(test)]
    pub(super) fn points(&self) -> usize {
        self.crowds.len()
    }

    /// Places that are near the query, and all that no search comes to. None if the search failed.
    pub(super) fn near(&self, query: &Arc<Planes>) -> Option<Vec<u32>> {
        let points: Vec<usize> =
            caught(|| self.reached(Point::Query(Arc::clone(query)), SEARCH_WIDTH).map(|(point, _)| point).collect())?;
        let reached = points.into_iter().flat_map(|point| self.crowds[point].iter().copied());
        let known = reached.filter(|place| self.lost.binary_search(place).is_err());
        Some(known.chain(self.lost.iter().copied()).collect())
    }
}

impl fmt::Debug for Graph {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Graph").field("points", &self.crowds.len()).field("lost", &self.lost.len()).finish_non_exhaustive()
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
