//! A walk over all entries, page by page: those on disk, then those that are in memory alone.

use std::{collections::HashSet, sync::Arc};

use super::{
    Cache, Entry,
    scope::Key,
    store::{Position, engine_id},
};

/// Few answers are long, so that a page is some megabytes at most times.
const PAGE: usize = 64;

/// An entry that was met.
pub(super) struct Met {
    pub(super) entry: Arc<Entry>,
    /// What its vectors are recognised by; empty where nothing is embedded.
    pub(super) engine: Box<str>,
}

/// Where a walk stands.
#[derive(Debug)]
pub(super) struct Walk {
    cache: Cache,
    stage: Stage,
    /// What was on disk. An entry that is used during the walk changes its place there, and is then found in memory.
    seen: HashSet<Key>,
}

#[derive(Debug)]
enum Stage {
    Disk(Option<Position>),
    Memory(Vec<Arc<Entry>>),
}

impl Walk {
    /// Begins one. Of what is on disk alone it holds one page.
    pub(super) fn over(cache: &Cache) -> Self {
        Self { cache: cache.clone(), stage: Stage::Disk(None), seen: HashSet::new() }
    }

    /// The next entries, each once, expired ones among them; `None` after the last.
    pub(super) async fn page(&mut self) -> Option<Vec<Met>> {
        let after = match &mut self.stage {
            Stage::Disk(after) => *after,
            Stage::Memory(left) if left.is_empty() => return None,
            Stage::Memory(left) => {
                let page = left.split_off(left.len().saturating_sub(PAGE));
                let unseen = page.into_iter().filter(|entry| !self.seen.contains(&entry.key));
                return Some(unseen.map(|entry| Met { entry, engine: self.cache.engine_id() }).collect());
            }
        };
        let page = match &self.cache.store {
            Some(store) => store.page_of_all(after, PAGE).await,
            None => None,
        };
        let (records, next) = page.map_or_else(Default::default, |page| (page.records, page.next));
        self.stage = if next.is_some() { Stage::Disk(next) } else { Stage::Memory(self.cache.in_memory()) };
        let unseen = records.into_iter().filter(|record| self.seen.insert(record.entry.key));
        Some(unseen.map(|record| Met { engine: engine_id(&record.engine).into(), entry: record.entry }).collect())
    }
}

impl Cache {
    /// What is in memory now; the entries themselves are shared.
    pub(super) fn in_memory(&self) -> Vec<Arc<Entry>> {
        self.entries.iter().map(|(_, entry)| entry).collect()
    }

    /// What the vectors made now are recognised by; empty where nothing is embedded.
    pub(super) fn engine_id(&self) -> Box<str> {
        let fingerprint = self.semantic.as_ref().map(|semantic| u128::from_be_bytes(*semantic.fingerprint.as_bytes()));
        fingerprint.map_or_else(Default::default, |fingerprint| format!("{fingerprint:032x}").into())
    }
}
