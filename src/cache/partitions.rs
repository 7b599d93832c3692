//! The vectors of the semantic tier, one index a partition.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
};

use super::{
    entry::Place,
    index::{Flat, Id, VectorIndex},
    scope::Key,
};

/// One index, and the exact key that each of its vectors leads to.
#[derive(Debug)]
struct Partition {
    index: Box<dyn VectorIndex>,
    keys: HashMap<Id, Key>,
}

/// All partitions. Locks are held for a map operation or a scan, never across an await.
#[derive(Debug, Default)]
pub(super) struct Partitions {
    partitions: Mutex<HashMap<Key, Arc<RwLock<Partition>>>>,
    next: AtomicU64,
}

impl Partitions {
    /// A name that no vector has had before.
    pub(super) fn place(&self, partition: Key) -> Place {
        Place { partition, id: self.next.fetch_add(1, Ordering::Relaxed) }
    }

    /// Adds a vector that leads to an entry; `false` if the index refuses it.
    pub(super) fn insert(&self, place: Place, key: Key, vector: &[f32]) -> bool {
        let mut partitions = self.partitions.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = || Arc::new(RwLock::new(Partition { index: Box::new(Flat::default()), keys: HashMap::new() }));
        let partition = partitions.entry(place.partition).or_insert_with(fresh);
        let mut partition = partition.write().unwrap_or_else(PoisonError::into_inner);
        let added = partition.index.insert(place.id, vector);
        if added {
            partition.keys.insert(place.id, key);
        }
        added
    }

    /// Takes a vector out, and its partition when that was the last.
    pub(super) fn remove(&self, place: Place) {
        let mut partitions = self.partitions.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(partition) = partitions.get(&place.partition) else { return };
        let emptied = {
            let mut partition = partition.write().unwrap_or_else(PoisonError::into_inner);
            partition.index.remove(place.id);
            partition.keys.remove(&place.id);
            partition.index.is_empty()
        };
        if emptied {
            partitions.remove(&place.partition);
        }
    }

    /// The exact keys of the nearest entries, nearest first, with their similarity.
    pub(super) fn nearest(&self, partition: &Key, vector: &[f32], count: usize) -> Vec<(Key, f32)> {
        let partition = self.partitions.lock().unwrap_or_else(PoisonError::into_inner).get(partition).cloned();
        let Some(partition) = partition else { return Vec::new() };
        let partition = partition.read().unwrap_or_else(PoisonError::into_inner);
        let found = partition.index.nearest(vector, count);
        found.into_iter().filter_map(|(id, similarity)| Some((*partition.keys.get(&id)?, similarity))).collect()
    }

    /// How many vectors there are.
    pub(super) fn len(&self) -> usize {
        let partitions: Vec<_> = self.partitions.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect();
        partitions.iter().map(|partition| partition.read().unwrap_or_else(PoisonError::into_inner).index.len()).sum()
    }
}
