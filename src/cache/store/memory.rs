//! Entries in a map: the oracle for the other stores, and one that fails when it is told to.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use super::{Change, Page, Pair, Position, Record, Secret, Settings, Size, Store, StoreError, rank};
use crate::cache::{
    scope::Key,
    verify::{Labels, ScoringId},
};

#[derive(Debug)]
struct Kept {
    record: Record,
    hits: u32,
    used: u64,
}

#[derive(Debug)]
pub(in crate::cache) struct Memory {
    kept: BTreeMap<Key, Kept>,
    pairs: BTreeSet<Pair>,
    labels: BTreeMap<(Arc<str>, ScoringId), Labels>,
    settings: Settings,
    /// From then on every write fails.
    pub(super) full: Arc<AtomicBool>,
    /// No write ends while a test holds it.
    pub(super) busy: Arc<Mutex<()>>,
}

impl Memory {
    pub(in crate::cache) fn new(settings: &Settings) -> Self {
        let (full, busy) = Default::default();
        let (kept, pairs, labels) = Default::default();
        Self { kept, pairs, labels, settings: settings.clone(), full, busy }
    }

    fn size(&self) -> Size {
        let bytes = self.kept.values().map(|kept| kept.record.size() as u64).sum();
        Size { entries: self.kept.len() as u64, bytes }
    }

    fn position(key: Key, kept: &Kept) -> Position {
        Position { rank: rank(kept.used, kept.hits), key }
    }
}

impl Store for Memory {
    fn place(&self) -> String {
        "memory".to_owned()
    }

    fn secret(&self) -> Secret {
        [7; 32]
    }

    fn write(&mut self, changes: &[Change]) -> Result<(), StoreError> {
        let _held = self.busy.lock().unwrap();
        if self.full.load(Ordering::Relaxed) {
            return Err(StoreError::Full);
        }
        for change in changes {
            match change {
                Change::Put(record) => {
                    let kept = Kept { record: record.clone(), hits: 0, used: record.entry.created };
                    self.kept.insert(record.entry.key, kept);
                }
                Change::Used { key, hits, at } => {
                    if let Some(kept) = self.kept.get_mut(key) {
                        (kept.hits, kept.used) = (kept.hits + hits, *at);
                    }
                }
                Change::Remove(key) => drop(self.kept.remove(key)),
                Change::Clear => self.kept.clear(),
                Change::Differ(pair) => drop(self.pairs.insert(*pair)),
                Change::Label { engine, scoring, labels } => {
                    self.labels.insert((Arc::clone(engine), *scoring), (**labels).clone());
                }
            }
        }
        while self.size().entries > self.settings.max_entries || self.size().bytes > self.settings.max_bytes {
            let lowest = self.kept.iter().map(|(&key, kept)| Self::position(key, kept)).min();
            self.kept.remove(&lowest.unwrap().key);
        }
        Ok(())
    }

    fn page(&mut self, engine: Option<&str>, after: Option<Position>, most: usize) -> Result<Page, StoreError> {
        let of_engine = |kept: &Kept| engine.is_none_or(|engine| *kept.record.engine == *engine);
        let mut places: Vec<Position> =
            self.kept.iter().filter(|(_, kept)| of_engine(kept)).map(|(&key, kept)| Self::position(key, kept)).collect();
        places.retain(|place| after.is_none_or(|after| *place < after));
        places.sort_by(|a, b| b.cmp(a));
        places.truncate(most);
        let records = places.iter().map(|place| {
            let record = &self.kept[&place.key].record;
            // As from a disk: nobody else holds the entry.
            Record::from_bytes(&place.key, &record.engine, &record.to_bytes().unwrap()).unwrap()
        });
        let next = places.last().copied().filter(|_| places.len() == most);
        Ok(Page { records: records.collect(), damaged: 0, next })
    }

    fn engines(&mut self) -> Result<Vec<(String, u64)>, StoreError> {
        let mut engines = BTreeMap::new();
        self.kept.values().for_each(|kept| *engines.entry(kept.record.engine.to_string()).or_default() += 1);
        Ok(engines.into_iter().collect())
    }

    fn differences(&mut self) -> Result<Vec<Pair>, StoreError> {
        Ok(self.pairs.iter().copied().collect())
    }

    fn labels(&mut self, engine: &str, scoring: &ScoringId) -> Result<Option<Labels>, StoreError> {
        Ok(self.labels.get(&(engine.into(), *scoring)).cloned())
    }

    fn tidy(&mut self, now: u64) -> Result<Size, StoreError> {
        self.kept.retain(|_, kept| kept.record.expires() > now);
        Ok(self.size())
    }

    fn close(&mut self) -> Result<(), StoreError> {
        Ok(())
    }
}

#[test]
fn conforms() {
    super::conformance::holds(|settings| Box::new(Memory::new(settings)));
}
