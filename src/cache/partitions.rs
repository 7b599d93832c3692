//! The vectors of the semantic tier, one index a partition.

use std::{
    collections::HashMap,
    mem,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard,
        atomic::{AtomicU64, Ordering},
    },
};

use super::{
    background::Background,
    entry::Place,
    index::{Id, Layered, VectorIndex},
    scope::Key,
};

/// One index, and the exact key that each of its vectors leads to.
#[derive(Debug)]
struct Partition {
    index: Layered,
    keys: HashMap<Id, Key>,
    /// No longer among the partitions: what is put in here would not be found.
    closed: bool,
}

/// A partition that searches share. It is locked for a search, a change or an exchange of layers, never while a graph is built.
#[derive(Debug)]
struct Shared(RwLock<Partition>);

impl Shared {
    fn read(&self) -> RwLockReadGuard<'_, Partition> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Partition> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// All partitions. The map is locked for a look, never while a partition is searched or waited for: whoever needs both locks takes the partition's first.
#[derive(Debug)]
pub(super) struct Partitions {
    open: Mutex<HashMap<Key, Arc<Shared>>>,
    next: AtomicU64,
    background: Background,
    fresh: fn() -> Layered,
}

impl Default for Partitions {
    fn default() -> Self {
        Self::with(Layered::default)
    }
}

impl Partitions {
    /// No partitions yet; each begins with a `fresh` index.
    fn with(fresh: fn() -> Layered) -> Self {
        Self { open: Mutex::default(), next: AtomicU64::default(), background: Background::default(), fresh }
    }

    /// A name that no vector has had before.
    pub(super) fn place(&self, partition: Key) -> Place {
        Place { partition, id: self.next.fetch_add(1, Ordering::Relaxed) }
    }

    /// Adds a vector that leads to an entry; `false` if the index refuses it.
    pub(super) fn insert(&self, place: Place, key: Key, vector: &[f32]) -> bool {
        loop {
            let shared = Arc::clone(self.map().entry(place.partition).or_insert_with(|| self.opened()));
            let mut partition = shared.write();
            if partition.closed {
                continue;
            }
            let added = partition.index.insert(place.id, vector);
            if added {
                partition.keys.insert(place.id, key);
            }
            self.build(&shared, &mut partition);
            if partition.index.is_empty() {
                self.close(&place.partition, &mut partition);
            }
            return added;
        }
    }

    /// Takes a vector out, and its partition when that was the last.
    pub(super) fn remove(&self, place: Place) {
        let Some(shared) = self.find(&place.partition) else { return };
        let mut partition = shared.write();
        partition.index.remove(place.id);
        partition.keys.remove(&place.id);
        if partition.closed {
            return;
        }
        if partition.index.is_empty() {
            self.close(&place.partition, &mut partition);
        } else {
            self.build(&shared, &mut partition);
        }
    }

    /// The exact keys of the nearest entries, nearest first, with their similarity. See [`VectorIndex::nearest`].
    pub(super) fn nearest(&self, partition: &Key, vector: &[f32], count: usize, floor: f32) -> Vec<(Key, f32)> {
        let Some(shared) = self.find(partition) else { return Vec::new() };
        let partition = shared.read();
        let found = partition.index.nearest(vector, count, floor);
        found.into_iter().filter_map(|(id, similarity)| Some((*partition.keys.get(&id)?, similarity))).collect()
    }

    /// How many vectors there are.
    pub(super) fn len(&self) -> usize {
        let all: Vec<_> = self.map().values().cloned().collect();
        all.iter().map(|shared| shared.read().index.len()).sum()
    }

    fn map(&self) -> MutexGuard<'_, HashMap<Key, Arc<Shared>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn find(&self, partition: &Key) -> Option<Arc<Shared>> {
        self.map().get(partition).cloned()
    }

    fn opened(&self) -> Arc<Shared> {
        Arc::new(Shared(RwLock::new(Partition { index: (self.fresh)(), keys: HashMap::new(), closed: false })))
    }

    /// Takes an empty partition out. One that is not closed is the one under its key, so this takes no other.
    fn close(&self, key: &Key, partition: &mut Partition) {
        partition.closed = true;
        // A graph takes a while to free, and the partition itself must go now: that ends a build that is running for it.
        if partition.index.is_sealed() {
            let index = mem::replace(&mut partition.index, (self.fresh)());
            self.background.run(move || drop(index));
        }
        self.map().remove(key);
    }

    /// Builds a graph if one is due. The map does not wait for it, nor does the partition, which may even go meanwhile.
    fn build(&self, shared: &Arc<Shared>, partition: &mut Partition) {
        if !partition.index.due() {
            return;
        }
        let (sealed, shared) = (partition.index.seal(), Arc::downgrade(shared));
        self.background.run(move || {
            let built = sealed.run(|| shared.strong_count() > 0);
            if let Some(shared) = shared.upgrade() {
                let replaced = shared.write().index.install(built);
                // The lock is open again, and freeing the memory of a graph takes a while.
                drop(replaced);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::AtomicBool,
        thread::{scope, spawn},
    };

    use super::{
        super::index::{ANY, conformance::vector},
        *,
    };

    const LARGE: u64 = 30;

    fn partitions() -> Partitions {
        Partitions::with(|| Layered::new(usize::try_from(LARGE).unwrap()))
    }

    fn key(number: u64) -> Key {
        let mut key = Key::default();
        key[..8].copy_from_slice(&number.to_le_bytes());
        key
    }

    fn place(id: Id) -> Place {
        Place { partition: key(0), id }
    }

    fn add(partitions: &Partitions, ids: std::ops::Range<Id>) {
        ids.for_each(|id| assert!(partitions.insert(place(id), key(id), &vector(id))));
    }

    fn sealed(partitions: &Partitions) -> bool {
        partitions.find(&key(0)).unwrap().read().index.is_sealed()
    }

    /// The one that is found with the vector of `id`.
    fn found(partitions: &Partitions, id: Id) -> Option<Key> {
        partitions.nearest(&key(0), &vector(id), 1, ANY).first().map(|&(key, _)| key)
    }

    /// Keeps the background thread busy until the answer is dropped.
    fn busy(partitions: &Partitions) -> crossbeam_channel::Sender<()> {
        let (hold, released) = crossbeam_channel::bounded::<()>(0);
        partitions.background.run(move || assert!(released.recv().is_err()));
        hold
    }

    #[test]
    fn a_large_partition_gets_a_graph_and_keeps_its_entries() {
        let partitions = partitions();
        add(&partitions, 0..LARGE - 1);
        assert!(!sealed(&partitions));
        add(&partitions, LARGE - 1..LARGE + 20);
        partitions.background.finish();
        assert!(sealed(&partitions));
        assert_eq!(partitions.len() as u64, LARGE + 20);
        assert!((0..LARGE + 20).all(|id| found(&partitions, id) == Some(key(id))));
    }

    #[test]
    fn what_changes_while_a_graph_is_built_is_seen_before_and_after() {
        let partitions = partitions();
        let hold = busy(&partitions);
        add(&partitions, 0..LARGE + 10);
        (0..5).for_each(|id| partitions.remove(place(id)));
        let check = || {
            assert_eq!(partitions.len() as u64, LARGE + 5);
            assert!((0..LARGE + 10).all(|id| (found(&partitions, id) == Some(key(id))) == (id >= 5)));
        };
        check();
        drop(hold);
        partitions.background.finish();
        check();
    }

    #[test]
    fn a_partition_may_go_while_its_graph_is_built() {
        let partitions = partitions();
        let hold = busy(&partitions);
        add(&partitions, 0..LARGE);
        let gone = Arc::downgrade(&partitions.find(&key(0)).unwrap());
        (0..LARGE).for_each(|id| partitions.remove(place(id)));
        assert!(partitions.map().is_empty());
        assert!(gone.upgrade().is_none(), "the build is told that nobody wants it");
        add(&partitions, 500..501);
        drop(hold);
        partitions.background.finish();
        assert_eq!((found(&partitions, 500), partitions.len()), (Some(key(500)), 1));
    }

    #[test]
    fn all_partitions_may_go_while_a_graph_is_built() {
        let partitions = partitions();
        let hold = busy(&partitions);
        add(&partitions, 0..LARGE);
        let (ended, end) = crossbeam_channel::bounded(1);
        partitions.background.run(move || ended.send(()).unwrap());
        drop(partitions);
        drop(hold);
        end.recv().unwrap();
    }

    #[test]
    fn threads_search_and_remove_while_graphs_are_built() {
        let (partitions, done) = (partitions(), AtomicBool::new(false));
        add(&partitions, 0..20);
        scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    while !done.load(Ordering::Acquire) {
                        (0..20).for_each(|id| assert_eq!(found(&partitions, id), Some(key(id)), "it is there all the time"));
                    }
                });
            }
            let writers: Vec<_> = (1..3)
                .map(|writer| {
                    let partitions = &partitions;
                    scope.spawn(move || {
                        let first = writer * 1000;
                        add(partitions, first..first + 60);
                        (first..first + 60).step_by(2).for_each(|id| partitions.remove(place(id)));
                    })
                })
                .collect();
            for writer in writers {
                writer.join().unwrap();
            }
            partitions.background.finish();
            done.store(true, Ordering::Release);
        });
        assert!(sealed(&partitions));
        assert_eq!(partitions.len(), 20 + 60);
        for id in (1000..1060).chain(2000..2060) {
            assert_eq!(found(&partitions, id) == Some(key(id)), id % 2 == 1);
        }
    }

    #[test]
    fn an_entry_that_comes_as_the_last_one_goes_is_found() {
        let partitions = Arc::new(partitions());
        let threads = (0..4_u64).map(|thread| {
            let partitions = Arc::clone(&partitions);
            spawn(move || {
                for id in (0..50).map(|n| thread * 1000 + n) {
                    assert!(partitions.insert(place(id), key(id), &vector(id)));
                    assert_eq!(found(&partitions, id), Some(key(id)));
                    partitions.remove(place(id));
                }
            })
        });
        for thread in threads.collect::<Vec<_>>() {
            thread.join().unwrap();
        }
        assert!(partitions.map().is_empty());
    }

    #[test]
    fn a_vector_that_is_refused_leaves_no_partition() {
        let partitions = partitions();
        assert!(!partitions.insert(place(1), key(1), &[f32::NAN; 384]));
        assert!(partitions.map().is_empty());
    }
}
