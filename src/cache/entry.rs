//! One answer that is kept.

use std::time::{Duration, Instant};

use super::{index::Id, scope::Key};
use crate::{clock, guard::Stored};

/// What an entry occupies beside its answer: keys, times, and its places in the maps.
const OVERHEAD_BYTES: usize = 256;

/// An answer, when it was given, and how long it may be served.
#[derive(Debug)]
pub struct Entry {
    /// The answer, in the form that the output gate clears again.
    pub stored: Stored,
    /// When the upstream gave it.
    pub created: Instant,
    /// How long it may be served.
    pub ttl: Duration,
    /// Where its vector stands, if it has one.
    pub place: Option<Place>,
}

/// A vector's partition, and its name in there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The partition.
    pub partition: Key,
    /// The name.
    pub id: Id,
}

impl Entry {
    /// How long ago the upstream gave the answer.
    pub fn age(&self) -> Duration {
        clock::now().saturating_duration_since(self.created)
    }

    /// Whether it may still be served.
    pub fn live(&self) -> bool {
        self.age() < self.ttl
    }

    /// Bytes that it occupies, its vector included.
    pub fn size(&self) -> usize {
        let vector = if self.place.is_some() { crate::embed::DIMENSIONS * size_of::<f32>() } else { 0 };
        OVERHEAD_BYTES + self.stored.size() + vector
    }
}
