//! What a store kept, back in memory after a start, while requests are already answered.

use std::sync::{Arc, atomic::Ordering};

use metrics::counter;

use super::{Cache, store::Record};
use crate::{clock, telemetry::metric};

/// Entries read at once: between two pages the store writes what waits.
const PAGE: usize = 256;

/// How much has come back.
#[derive(Default)]
struct Restored {
    entries: u64,
    weight: u64,
    damaged: u64,
}

impl Cache {
    /// Reads entries back, the most worth keeping first, until memory is full. Those that were made since then stay as they are.
    pub async fn restore(&self) {
        self.read_back().await;
        self.restored.send_replace(true);
    }

    /// Waits until no entry comes back any more: what is removed from then on stays away.
    pub(super) async fn restored(&self) {
        // The sender is this cache's own.
        drop(self.restored.subscribe().wait_for(|restored| *restored).await);
    }

    async fn read_back(&self) {
        let Some(store) = &self.store else { return };
        let started = clock::now();
        let (mut restored, mut after) = (Restored::default(), None);
        while let Some(page) = store.page(after, PAGE).await {
            restored.damaged += page.damaged as u64;
            let has_room = page.records.into_iter().all(|record| self.take_back(record, &mut restored));
            after = page.next;
            if after.is_none() || !has_room {
                break;
            }
        }
        let Restored { entries, damaged, .. } = restored;
        if damaged > 0 {
            counter!(metric::STORE_DAMAGED).increment(damaged);
            tracing::warn!(damaged, "Entries on disk were damaged and are gone; their requests are misses.");
        }
        if entries > 0 {
            let took_ms = clock::now().saturating_duration_since(started).as_secs_f64() * 1e3;
            tracing::info!(entries, took_ms, "Entries of an earlier run are in memory again.");
        }
    }

    /// Whether memory had room for one more.
    fn take_back(&self, record: Record, restored: &mut Restored) -> bool {
        let weight = restored.weight + self.max.weight(&record.entry);
        if weight > self.max.bytes {
            return false;
        }
        if self.put_back(record) {
            restored.weight = weight;
            restored.entries += 1;
        }
        true
    }

    /// Whether the entry is in memory now and was not before.
    pub(super) fn put_back(&self, mut record: Record) -> bool {
        let Some(entry) = Arc::get_mut(&mut record.entry) else { return false };
        // The configuration may have become stricter since then.
        entry.ttl = entry.ttl.min(self.max.ttl);
        if !entry.live() || entry.created > clock::unix_millis() || entry.stored.size() > self.max.entry_bytes {
            return false;
        }
        if let Some(asked) = &mut entry.asked {
            asked.place = self.partitions.place(asked.place.partition);
        }
        let Record { entry, vector, .. } = record;
        let size = entry.size() as u64;
        self.bytes.fetch_add(size, Ordering::Relaxed);
        let is_fresh = self.entries.entry(entry.key).or_insert_with(|| Arc::clone(&entry)).is_fresh();
        if !is_fresh {
            self.bytes.fetch_sub(size, Ordering::Relaxed);
            return false;
        }
        if let Some(place) = entry.place() {
            self.index(place, entry.key, &vector);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{
        super::index::{ANY, conformance::vector},
        *,
    };
    use crate::cache::{
        Mode, Selection, Settings,
        store::{
            Change, Store as _, Writer,
            conformance::{ROOMY, record},
            memory::Memory,
        },
    };

    fn settings() -> Settings {
        Settings {
            mode: Mode::Semantic,
            threshold: 0.95,
            max_error: None,
            stances: crate::cache::verify::Stances::default(),
            ttl: Duration::from_hours(2),
            max_bytes: 1 << 20,
            max_entries: 1000,
            max_entry_bytes: 1 << 16,
        }
    }

    /// As [`record`], but made `n` seconds after an instant that is not long ago.
    fn fresh(n: u8, engine: &str) -> Record {
        let mut record = record(n, 1, engine);
        Arc::get_mut(&mut record.entry).unwrap().created = clock::unix_millis() - 300_000 + 1000 * u64::from(n);
        record
    }

    /// A cache whose store holds these.
    fn cache(settings: &Settings, records: impl IntoIterator<Item = Record>) -> Cache {
        let mut store = Memory::new(&ROOMY);
        store.write(&records.into_iter().map(Change::Put).collect::<Vec<_>>()).unwrap();
        Cache::new(settings, None).kept_in(Some(Writer::start(Box::new(store), "rten-1".into()).unwrap()))
    }

    fn bytes(cache: &Cache) -> u64 {
        cache.entries.iter().map(|(_, entry)| entry.size() as u64).sum()
    }

    #[tokio::test]
    async fn entries_come_back_with_their_vectors_and_their_age() {
        let cache = cache(&settings(), (1..=100).map(|n| fresh(n, "rten-1")));
        cache.restore().await;
        let size = cache.size();
        assert_eq!((size.entries, size.vectors), (100, 100));
        let entry = cache.live(&[7; 32]).unwrap();
        assert!(entry.age() > Duration::from_secs(280) && size.bytes == bytes(&cache), "{size:?}");
        let found = cache.partitions.nearest(&[1; 32], &vector(1), 1, ANY);
        assert!(cache.live(&found[0].0).is_some(), "a vector leads to its entry");
    }

    #[tokio::test]
    async fn of_another_engine_none_comes_back() {
        let cache = cache(&settings(), [fresh(1, "rten-1"), fresh(2, "rten-2"), fresh(3, "")]);
        cache.restore().await;
        assert_eq!((cache.size().entries, cache.size().vectors), (1, 1));
    }

    #[tokio::test]
    async fn what_the_configuration_no_longer_allows_stays_away() {
        let few_minutes = Settings { ttl: Duration::from_secs(250), ..settings() };
        let cache_ = cache(&few_minutes, [fresh(1, "rten-1"), fresh(200, "rten-1")]);
        cache_.restore().await;
        assert!(cache_.live(&[1; 32]).is_none() && cache_.live(&[200; 32]).is_some());
        let small = Settings { max_entry_bytes: 5, ..settings() };
        let cache_ = cache(&small, [fresh(1, "rten-1")]);
        cache_.restore().await;
        assert_eq!(cache_.size().entries, 0);
    }

    #[tokio::test]
    async fn a_time_that_has_not_come_yet_is_no_time() {
        let mut future = fresh(1, "rten-1");
        Arc::get_mut(&mut future.entry).unwrap().created = clock::unix_millis() + 3_600_000;
        let cache = cache(&settings(), [future]);
        cache.restore().await;
        assert_eq!(cache.size().entries, 0);
    }

    #[tokio::test]
    async fn memory_takes_what_it_has_room_for_the_most_used_first() {
        let records = || (1..=100).map(|n| fresh(n, "rten-1"));
        let few = cache(&Settings { max_entries: 10, ..settings() }, records());
        few.restore().await;
        assert_eq!(few.size().entries, 10);
        assert!((91..=100).all(|n| few.live(&[n; 32]).is_some()));
        let each = fresh(100, "").size() as u64;
        let narrow = cache(&Settings { max_bytes: 20 * each, ..settings() }, records());
        narrow.restore().await;
        assert_eq!(narrow.size().entries, 20);
    }

    #[tokio::test]
    async fn what_is_purged_while_entries_come_back_stays_away() {
        let cache = cache(&settings(), (1..=100).map(|n| fresh(n, "rten-1")));
        let all = Selection::default();
        let (purged, ()) = tokio::join!(cache.purge(&all, true), cache.restore());
        assert_eq!((purged.unwrap().entries, cache.size().entries), (100, 0));
    }

    #[tokio::test]
    async fn what_was_made_since_the_start_stays() {
        let cache = cache(&settings(), [fresh(1, "rten-1")]);
        let newer = fresh(1, "rten-1");
        let created = newer.entry.created;
        assert!(cache.put_back(newer));
        cache.restore().await;
        assert_eq!((cache.live(&[1; 32]).unwrap().created, cache.size().entries, cache.size().vectors), (created, 1, 1));
        assert_eq!(cache.size().bytes, cache.live(&[1; 32]).unwrap().size() as u64);
    }

    #[tokio::test]
    async fn no_more_entries_stay_in_memory_than_the_configuration_says() {
        let cache = cache(&Settings { max_entries: 10, ..settings() }, []);
        for n in 1..=100 {
            cache.put_back(fresh(n, "rten-1"));
        }
        let size = cache.size();
        assert!(size.entries <= 10 && size.vectors as u64 == size.entries, "{size:?}");
        assert_eq!(size.bytes, bytes(&cache));
    }
}
