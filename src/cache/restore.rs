//! What a store kept, back in memory after a start, while requests are already answered.

use std::sync::{Arc, atomic::Ordering};

use metrics::counter;

use super::{Cache, store::Record};
use crate::{clock, telemetry::metric};

/// Entries read at once: between two pages the store writes what waits.
const PAGE: usize = 256;

impl Cache {
    /// Reads entries back, the most worth keeping first, until memory is full. Those that were made since then stay as they are.
    pub async fn restore(&self) {
        let Some(store) = &self.store else { return };
        let started = clock::now();
        let (mut restored, mut bytes, mut damaged, mut after) = (0_u64, 0, 0, None);
        while let Some(page) = store.page(after, PAGE).await {
            damaged += page.damaged;
            for record in page.records {
                let size = record.size() as u64;
                if restored < self.max.entries && bytes + size <= self.max.bytes && self.put_back(record) {
                    (restored, bytes) = (restored + 1, bytes + size);
                }
            }
            after = page.next;
            if after.is_none() || restored >= self.max.entries || bytes >= self.max.bytes / 100 * 99 {
                break;
            }
        }
        if damaged > 0 {
            counter!(metric::STORE_DAMAGED).increment(damaged as u64);
            tracing::warn!(damaged, "Entries on disk were damaged and are gone; their requests are misses.");
        }
        if restored > 0 {
            let took_ms = clock::now().saturating_duration_since(started).as_millis();
            tracing::info!(entries = restored, bytes, took_ms, "Entries of an earlier run are in memory again.");
        }
    }

    /// Whether the entry is in memory now and was not before.
    fn put_back(&self, mut record: Record) -> bool {
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
