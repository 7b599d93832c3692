//! 2 and 5: lookup and admit.
//!
//! The exact tier knows requests that are the same; the semantic tier finds, within one scope, the entry whose last message means the same.
//! Whatever goes wrong in here is a miss, never an error.

use std::{
    hash::{BuildHasher, Hasher},
    sync::Arc,
    time::{Duration, Instant},
};

mod background;
mod entry;
mod index;
mod partitions;
pub mod policy;
pub mod scope;

pub use entry::{Entry, Place};
pub use index::{Build, Built, Flat, Id, Layered, Replaced, VectorIndex};
pub use policy::{CachePlan, Wish};

use partitions::Partitions;
use scope::{Key, Scope};

use crate::{
    clock,
    embed::{Embedding, Fingerprint, Worker},
    exchange::{Bypass, CacheStatus, Exchange},
    guard::{Cleared, Complete, Screened, Stored},
};

/// How many neighbours are looked at: the nearest one may have expired.
const NEIGHBOURS: usize = 4;
/// Share of unknown tokens above which a vector says little about the text.
const MAX_UNKNOWN: f32 = 0.2;

/// How much may be answered from the cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Nothing.
    Off,
    /// Requests that are the same, field for field.
    Exact,
    /// Also requests whose last message means the same.
    Semantic,
}

/// What the cache keeps and serves.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Which tiers answer.
    pub mode: Mode,
    /// Least cosine similarity of a semantic hit, 0 to 1; higher is stricter.
    pub threshold: f32,
    /// How long an entry is served.
    pub ttl: Duration,
    /// Bytes of answers kept in memory.
    pub max_bytes: u64,
    /// Largest answer kept, in bytes.
    pub max_entry_bytes: usize,
}

/// The threads that embed, and what identifies their vectors.
#[derive(Debug, Clone)]
pub struct Semantic {
    /// The threads.
    pub worker: Worker,
    /// Part of every partition: vectors of different engines never meet.
    pub fingerprint: Fingerprint,
}

/// Both tiers.
#[derive(Debug, Clone)]
pub struct Cache {
    entries: moka::sync::Cache<Key, Arc<Entry>, KeyHash>,
    partitions: Arc<Partitions>,
    semantic: Option<Semantic>,
    max_entry_bytes: usize,
}

/// What a lookup came to.
#[derive(Debug)]
pub enum Lookup {
    /// An answer, to be cleared again.
    Hit(Stored),
    /// Nothing that may be served; the ticket says where the fresh answer belongs.
    Miss(Ticket),
    /// The cache has no part in this request.
    Bypass,
}

/// Where an answer belongs. Made by a lookup, spent by [`Cache::settle`].
#[derive(Debug)]
pub struct Ticket {
    key: Key,
    ttl: Duration,
    vector: Option<(Key, Vec<f32>)>,
}

/// A key is a hash already; eight of its bytes place it in a table.
#[derive(Debug, Clone, Copy, Default)]
struct KeyHash;

impl BuildHasher for KeyHash {
    type Hasher = FirstBytes;

    fn build_hasher(&self) -> FirstBytes {
        FirstBytes(0)
    }
}

/// See [`KeyHash`].
#[derive(Debug)]
struct FirstBytes(u64);

impl Hasher for FirstBytes {
    fn write(&mut self, bytes: &[u8]) {
        if let Some(first) = bytes.first_chunk() {
            self.0 = u64::from_le_bytes(*first);
        }
    }

    /// The length that comes before the bytes of an array.
    fn write_usize(&mut self, _: usize) {}

    fn finish(&self) -> u64 {
        self.0
    }
}

/// Entries end at their own time.
struct PerEntry;

impl moka::Expiry<Key, Arc<Entry>> for PerEntry {
    fn expire_after_create(&self, _: &Key, entry: &Arc<Entry>, _: Instant) -> Option<Duration> {
        Some(entry.ttl)
    }

    fn expire_after_update(&self, _: &Key, entry: &Arc<Entry>, _: Instant, _: Option<Duration>) -> Option<Duration> {
        Some(entry.ttl)
    }
}

impl Cache {
    /// An empty cache. Without `semantic` only the exact tier answers.
    pub fn new(settings: &Settings, semantic: Option<Semantic>) -> Self {
        let partitions = Arc::new(Partitions::default());
        let listener = {
            let partitions = Arc::clone(&partitions);
            move |_: Arc<Key>, entry: Arc<Entry>, _| entry.place.into_iter().for_each(|place| partitions.remove(place))
        };
        let entries = moka::sync::Cache::builder()
            .max_capacity(settings.max_bytes)
            .weigher(|_, entry: &Arc<Entry>| u32::try_from(entry.size()).unwrap_or(u32::MAX))
            .expire_after(PerEntry)
            .eviction_listener(listener)
            .build_with_hasher(KeyHash);
        Self { entries, partitions, semantic, max_entry_bytes: settings.max_entry_bytes }
    }

    /// Looks for an answer: the same request first, then one that means the same.
    pub async fn lookup(&self, screened: &Screened, plan: &CachePlan, context: &str, exchange: &mut Exchange) -> Lookup {
        exchange.cache = plan.status();
        exchange.bypass = plan.bypass;
        if plan.bypass.is_some() {
            return Lookup::Bypass;
        }
        let engine = self.semantic.as_ref().map_or(&[][..], |semantic| semantic.fingerprint.as_bytes());
        let scope = Scope::of(screened, exchange.tenant, &[context.as_bytes(), plan.namespace.as_bytes(), engine]);
        if !plan.refresh
            && let Some(entry) = self.live(&scope.exact)
        {
            return hit(&entry, CacheStatus::Hit, exchange);
        }
        let mut ticket = Ticket { key: scope.exact, ttl: plan.ttl, vector: None };
        match self.by_meaning(&scope, plan, exchange).await {
            Ok((vector, nearest)) => {
                ticket.vector = Some((scope.partition, vector));
                exchange.similarity = nearest.first().map(|&(_, similarity)| similarity);
                let live = nearest.into_iter().filter_map(|(key, similarity)| Some((self.live(&key)?, similarity)));
                let served = live.into_iter().find(|&(_, similarity)| policy::near_enough(similarity, plan.threshold));
                if let Some((entry, similarity)) = served.filter(|_| !plan.refresh) {
                    exchange.similarity = Some(similarity);
                    return hit(&entry, CacheStatus::SemanticHit, exchange);
                }
            }
            Err(reason) => exchange.bypass = Some(reason),
        }
        Lookup::Miss(ticket)
    }

    /// The vector of the last message and the entries nearest to it, or why there is none.
    async fn by_meaning(&self, scope: &Scope, plan: &CachePlan, exchange: &mut Exchange) -> Result<Near, Bypass> {
        let semantic = self.semantic.as_ref().filter(|_| plan.mode == Mode::Semantic).ok_or(Bypass::Configured)?;
        let text = scope.text.as_deref().ok_or(scope.without_text)?;
        let (partitions, partition) = (Arc::clone(&self.partitions), scope.partition);
        let started = clock::now();
        // The scan runs where the vector was made: both are work for a thread that may be busy for a millisecond.
        let search = move |embedding: Embedding| {
            let usable = usable(&embedding);
            usable.map(|()| (partitions.nearest(&partition, &embedding.vector, NEIGHBOURS), embedding.vector))
        };
        let found = semantic.worker.embed(text, search).await;
        exchange.timings.embed = Some(clock::now().saturating_duration_since(started));
        match found {
            Ok(Ok(found)) => found.map(|(nearest, vector)| (vector, nearest)),
            Ok(Err(error)) => {
                tracing::error!(%error, trace_id = exchange.trace_id, "The prompt could not be embedded; the request goes on as a miss.");
                Err(Bypass::EngineFailed)
            }
            Err(_busy) => Err(Bypass::Busy),
        }
    }

    fn live(&self, key: &Key) -> Option<Arc<Entry>> {
        self.entries.get(key).filter(|entry| entry.live())
    }

    /// Keeps an answer, if there is a place for it and it was cleared and complete.
    pub fn settle(&self, ticket: Option<Ticket>, kept: Option<(Cleared, Complete)>) {
        if let (Some(ticket), Some((cleared, complete))) = (ticket, kept) {
            self.admit(ticket, cleared, complete);
        }
    }

    /// Keeps an answer that was cleared and is complete.
    fn admit(&self, ticket: Ticket, cleared: Cleared, _: Complete) {
        let stored = cleared.into_stored();
        if stored.size() > self.max_entry_bytes || ticket.ttl.is_zero() {
            return;
        }
        let place = ticket.vector.as_ref().map(|(partition, _)| self.partitions.place(*partition));
        let entry = Arc::new(Entry { stored, created: clock::now(), ttl: ticket.ttl, place });
        // First the entry, then its vector: a vector without an entry leads nowhere and is passed over.
        self.entries.insert(ticket.key, Arc::clone(&entry));
        if let (Some(place), Some((_, vector))) = (place, ticket.vector) {
            self.index(place, ticket.key, &vector);
        }
    }

    /// The entry may have been evicted before its vector is there, and then nobody else would take the vector out.
    fn index(&self, place: Place, key: Key, vector: &[f32]) {
        self.partitions.insert(place, key, vector);
        if self.entries.get(&key).is_none_or(|entry| entry.place != Some(place)) {
            self.partitions.remove(place);
        }
    }

    /// Drops what has expired, and its vectors.
    pub fn tidy(&self) {
        self.entries.run_pending_tasks();
    }

    /// Entries, bytes and vectors, for metrics.
    pub fn size(&self) -> Size {
        // The counts lag behind until then.
        self.tidy();
        Size { entries: self.entries.entry_count(), bytes: self.entries.weighted_size(), vectors: self.partitions.len() }
    }
}

/// A vector and the entries nearest to it.
type Near = (Vec<f32>, Vec<(Key, f32)>);

/// How much is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Answers.
    pub entries: u64,
    /// What they occupy, about.
    pub bytes: u64,
    /// Vectors of the semantic tier.
    pub vectors: usize,
}

fn usable(embedding: &Embedding) -> Result<(), Bypass> {
    if embedding.truncated {
        Err(Bypass::TooLong)
    } else if embedding.unknown > MAX_UNKNOWN {
        Err(Bypass::UnknownWords)
    } else {
        Ok(())
    }
}

fn hit(entry: &Entry, status: CacheStatus, exchange: &mut Exchange) -> Lookup {
    exchange.cache = status;
    exchange.bypass = None;
    exchange.age = Some(entry.age());
    Lookup::Hit(entry.stored.clone())
}

#[cfg(test)]
mod tests;
