//! 2 and 5: lookup and admit.
//!
//! The exact tier knows requests that are the same; the semantic tier finds, within one scope, the entry whose last message means the same.
//! Whatever goes wrong in here is a miss, never an error.

use std::{
    hash::{BuildHasher, Hasher},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

mod background;
mod calibrator;
mod differences;
mod entry;
pub mod flight;
mod index;
mod inspect;
mod partitions;
pub mod policy;
mod purge;
mod restore;
pub mod scope;
mod semantic;
mod shadow;
pub mod store;
mod transfer;
pub mod verify;
mod walk;

pub use crate::exchange::Cost;
pub use calibrator::{Calibration, Recommendation, Source};
pub use entry::{About, Asked, Entry, Place};
pub use index::{ANY, Build, Built, Flat, Id, Layered, Replaced, VectorIndex};
pub use inspect::{Group, Neighbour, Neighbourhood, Seen, Stats};
pub use policy::{CachePlan, Fate, Granted, Wish};
pub use purge::{FalseHit, Purge, Selection};
pub use semantic::{Candidate, Question, Semantic, usable};
pub use transfer::{Export, Import, Imported};

use calibrator::Calibrator;
use differences::Differences;
use partitions::Partitions;
use scope::{Key, Scope};
use shadow::Shadow;
use store::Writer;
use verify::Stances;

use tokio::sync::watch;

use crate::{
    clock,
    exchange::{CacheStatus, Exchange},
    guard::{Cleared, Complete, Screened, Stored},
};

/// How much may be answered from the cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mode {
    /// Nothing.
    Off,
    /// Requests that are the same, field for field.
    Exact,
    /// Also requests whose last message means the same.
    Semantic,
    /// As `Semantic`, but what would be served for its meaning is only written down, and the upstream answers: to see before one believes.
    Shadow,
}

impl Mode {
    /// Whether neighbours are looked for.
    pub fn compares_meaning(self) -> bool {
        matches!(self, Self::Semantic | Self::Shadow)
    }

    /// This mode for a request that asks for another: the more careful of the two.
    #[must_use]
    pub fn tightened(self, asked: Self) -> Self {
        match (self, asked) {
            (Self::Off, _) | (_, Self::Off) => Self::Off,
            (Self::Exact, _) | (_, Self::Exact) => Self::Exact,
            (Self::Semantic | Self::Shadow, _) => self,
        }
    }
}

/// What the cache keeps and serves.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Which tiers answer.
    pub mode: Mode,
    /// Least score of a semantic hit, 0 to 1; higher is stricter. With `max_error` it is where it begins.
    pub threshold: f32,
    /// The share of semantic hits that may be wrong, above 0 to 1: labels of this traffic move the threshold to it.
    pub max_error: Option<f64>,
    /// What each check may do.
    pub stances: Stances,
    /// How long an entry is served.
    pub ttl: Duration,
    /// Bytes of answers kept in memory.
    pub max_bytes: u64,
    /// Answers kept in memory.
    pub max_entries: u64,
    /// Largest answer kept, in bytes.
    pub max_entry_bytes: usize,
}

/// Both tiers.
#[derive(Debug, Clone)]
pub struct Cache {
    entries: moka::sync::Cache<Key, Arc<Entry>, KeyHash>,
    partitions: Arc<Partitions>,
    semantic: Option<Semantic>,
    store: Option<Writer>,
    /// Whether all that the store kept is in memory again, as far as there is room.
    restored: Arc<watch::Sender<bool>>,
    differences: Arc<Differences>,
    calibrator: Arc<Calibrator>,
    settings: Arc<Settings>,
    /// What the entries occupy; the map weighs them otherwise.
    bytes: Arc<AtomicU64>,
    max: Max,
}

/// What no entry and no number of them may exceed.
#[derive(Debug, Clone, Copy)]
struct Max {
    bytes: u64,
    /// What even the smallest entry weighs, so that no more of them fit than may be kept.
    share: u64,
    entry_bytes: usize,
    ttl: Duration,
}

impl Max {
    fn of(settings: &Settings) -> Self {
        let &Settings { max_bytes, max_entries, max_entry_bytes, ttl, .. } = settings;
        Self { bytes: max_bytes, share: max_bytes / max_entries.max(1), entry_bytes: max_entry_bytes, ttl }
    }

    /// What an entry takes of the one capacity that both bounds have become.
    fn weight(&self, entry: &Entry) -> u64 {
        self.share.max(entry.size() as u64)
    }
}

/// What the exact tier came to.
#[derive(Debug)]
pub enum Exact {
    /// An answer, to be cleared again.
    Hit(Stored),
    /// This very request has no answer that may be served.
    Miss(Scope),
    /// The cache has no part in this request.
    Bypass,
}

/// What a lookup came to.
#[derive(Debug)]
pub enum Lookup {
    /// An answer, to be cleared again, and what it was compared by.
    Hit(Stored, Option<Box<Question>>),
    /// Nothing that may be served; the ticket says where the fresh answer belongs.
    Miss(Box<Ticket>),
}

impl Lookup {
    /// The text that was compared and its vector, where one was computed.
    pub fn meaning(&self) -> Option<(&str, &[f32])> {
        let question = match self {
            Self::Hit(_, question) => question.as_deref(),
            Self::Miss(ticket) => ticket.question.as_ref(),
        };
        question.map(|question| (&*question.text, &*question.vector))
    }
}

/// Where an answer belongs. Made by a lookup, spent by [`Cache::settle`].
#[derive(Debug)]
pub struct Ticket {
    key: Key,
    ttl: Duration,
    about: About,
    since: Instant,
    question: Option<Question>,
    /// What would have been served in its place, at this threshold or at a lower one.
    shadow: Option<Shadow>,
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
        Some(entry.remaining())
    }

    fn expire_after_update(&self, _: &Key, entry: &Arc<Entry>, _: Instant, _: Option<Duration>) -> Option<Duration> {
        Some(entry.remaining())
    }
}

impl Cache {
    /// An empty cache. Without `semantic` only the exact tier answers.
    pub fn new(settings: &Settings, semantic: Option<Semantic>) -> Self {
        if semantic.is_some() {
            scope::prepare();
        }
        let (partitions, bytes) = (Arc::new(Partitions::default()), Arc::new(AtomicU64::new(0)));
        let listener = {
            let (partitions, bytes) = (Arc::clone(&partitions), Arc::clone(&bytes));
            move |_: Arc<Key>, entry: Arc<Entry>, _| {
                bytes.fetch_sub(entry.size() as u64, Ordering::Relaxed);
                entry.place().into_iter().for_each(|place| partitions.remove(place));
            }
        };
        let max = Max::of(settings);
        let entries = moka::sync::Cache::builder()
            .max_capacity(max.bytes)
            .weigher(move |_, entry: &Arc<Entry>| u32::try_from(max.weight(entry)).unwrap_or(u32::MAX))
            .expire_after(PerEntry)
            .eviction_listener(listener)
            .build_with_hasher(KeyHash);
        let (restored, differences) = (Arc::new(watch::Sender::new(true)), Arc::default());
        let (calibrator, settings) = (Arc::new(Calibrator::new(settings)), Arc::new(settings.clone()));
        Self { entries, partitions, semantic, store: None, restored, differences, calibrator, settings, bytes, max }
    }

    /// The same cache, whose entries are kept in a store as well.
    #[must_use]
    pub fn kept_in(self, store: Option<Writer>) -> Self {
        self.restored.send_replace(store.is_none());
        Self { store, ..self }
    }

    /// What is done for a request that wishes this, by the threshold of the moment.
    pub fn plan(&self, wish: &Wish) -> CachePlan {
        CachePlan::of(&self.settings, self.calibrator.threshold(), wish)
    }

    /// The threshold in use, and what labels of this traffic say of it.
    pub fn calibration(&self) -> Calibration {
        self.calibrator.told()
    }

    /// Reads back what an earlier run was told: the pairs that are different, and the labels.
    pub async fn recall(&self) {
        if let Some(store) = &self.store {
            self.differences.extend(store.differences().await.unwrap_or_default());
            self.calibrator.recall(store).await;
        }
    }

    /// Looks for the answer to the same request.
    pub fn lookup_exact(&self, screened: &Screened, plan: &CachePlan, context: &[u8], exchange: &mut Exchange) -> Exact {
        (exchange.cache, exchange.clamped) = (plan.status(), plan.clamped);
        exchange.bypass = plan.bypass;
        if plan.bypass.is_some() {
            return Exact::Bypass;
        }
        let engine = self.semantic.as_ref().map_or(&[][..], |semantic| semantic.fingerprint.as_bytes());
        let scope = Scope::of(screened, exchange.tenant, &[context, plan.namespace.as_bytes(), engine]);
        match self.live(&scope.exact).filter(|entry| !plan.refresh && entry.stored.suits(screened)) {
            Some(entry) => Exact::Hit(self.served(&entry, CacheStatus::Hit, exchange)),
            None => Exact::Miss(scope),
        }
    }

    /// Looks for an answer: to the same request, which may have come since the first look, then to one that means the same.
    pub async fn lookup(&self, scope: &Scope, screened: &Screened, plan: &CachePlan, exchange: &mut Exchange) -> Lookup {
        if !plan.refresh
            && self.entries.contains_key(&scope.exact)
            && let Some(entry) = self.live(&scope.exact).filter(|entry| entry.stored.suits(screened))
        {
            return Lookup::Hit(self.served(&entry, CacheStatus::Hit, exchange), None);
        }
        let about = about(screened, plan, exchange);
        let mut ticket =
            Box::new(Ticket { key: scope.exact, ttl: plan.ttl, about, since: clock::now(), question: None, shadow: None });
        match self.by_meaning(scope.partition, scope::question(screened), plan, exchange).await {
            Ok((question, mut candidates)) => {
                ticket.question = Some(question);
                candidates.retain(|candidate| candidate.entry.stored.suits(screened));
                exchange.judged = candidates.first().map(Candidate::note);
                if plan.mode == Mode::Shadow && !plan.refresh {
                    ticket.shadow = candidates.into_iter().find_map(Shadow::of);
                } else if let Some(best) = candidates.first().filter(|best| best.fate == Fate::Served && !plan.refresh) {
                    let stored = self.served(&best.entry, CacheStatus::SemanticHit, exchange);
                    return Lookup::Hit(stored, ticket.question.map(Box::new));
                }
            }
            Err(reason) => exchange.bypass = Some(reason),
        }
        Lookup::Miss(ticket)
    }

    fn live(&self, key: &Key) -> Option<Arc<Entry>> {
        self.entries.get(key).filter(|entry| entry.live())
    }

    /// What is noted of an answer from the cache before it is cleared.
    fn served(&self, entry: &Arc<Entry>, status: CacheStatus, exchange: &mut Exchange) -> Stored {
        exchange.cache = status;
        exchange.bypass = None;
        exchange.age = Some(entry.age());
        (exchange.entry, exchange.cost) = (Some(entry.key), Some(entry.cost));
        if let Some(store) = &self.store {
            store.used(entry);
        }
        entry.stored.clone()
    }

    /// Keeps an answer, if there is a place for it and it was cleared and complete.
    pub fn settle(&self, ticket: Option<Box<Ticket>>, kept: Option<(Cleared, Complete)>) {
        if let (Some(ticket), Some((cleared, complete))) = (ticket, kept) {
            self.admit(*ticket, cleared, complete);
        }
    }

    /// Keeps an answer that was cleared and is complete.
    fn admit(&self, ticket: Ticket, cleared: Cleared, complete: Complete) {
        let stored = cleared.into_stored();
        if stored.size() > self.max.entry_bytes || ticket.ttl.is_zero() {
            return;
        }
        let Ticket { key, ttl, about, since, question, shadow } = ticket;
        if let Some(shadow) = shadow {
            self.compare(shadow, &stored);
        }
        let cost = Cost { usage: complete.into_usage(), took: clock::now().saturating_duration_since(since) };
        let (asked, vector) = match question {
            Some(question) => {
                let place = self.partitions.place(question.partition);
                (Some(Asked::new(place, question.text, question.tokens)), question.vector)
            }
            None => (None, Vec::new()),
        };
        let (created, ttl) = (clock::unix_millis(), entry::jittered(ttl, &key));
        let entry = Arc::new(Entry { key, stored, created, ttl, about, cost, asked, hits: 0.into() });
        self.bytes.fetch_add(entry.size() as u64, Ordering::Relaxed);
        // First the store, so that whoever finds the entry and takes it out takes it out there too.
        if let Some(store) = &self.store {
            store.put(Arc::clone(&entry), vector.clone());
        }
        // Then the entry, then its vector: a vector without an entry leads nowhere and is passed over.
        self.entries.insert(key, Arc::clone(&entry));
        if let Some(place) = entry.place() {
            self.index(place, key, &vector);
        }
    }

    /// The entry may have been evicted before its vector is there, and then nobody else would take the vector out.
    fn index(&self, place: Place, key: Key, vector: &[f32]) {
        self.partitions.insert(place, key, vector);
        if self.entries.get(&key).is_none_or(|entry| entry.place() != Some(place)) {
            self.partitions.remove(place);
        }
    }

    /// Drops what has expired, and its vectors.
    pub fn tidy(&self) {
        self.entries.run_pending_tasks();
        if let Some(store) = &self.store {
            store.tidy();
        }
    }

    /// Writes down what the store has not written yet. Nothing is kept after that.
    pub async fn close(&self) {
        if let Some(store) = &self.store {
            store.close().await;
        }
    }

    /// Entries, bytes and vectors, for metrics.
    pub fn size(&self) -> Size {
        // The counts lag behind until then.
        self.entries.run_pending_tasks();
        let bytes = self.bytes.load(Ordering::Relaxed);
        Size { entries: self.entries.entry_count(), bytes, vectors: self.partitions.len() }
    }
}

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

fn about(screened: &Screened, plan: &CachePlan, exchange: &Exchange) -> About {
    let request = screened.request();
    About {
        tenant: exchange.tenant,
        namespace: plan.namespace.as_str().into(),
        endpoint: request.endpoint(),
        model: request.model().into(),
    }
}

#[cfg(test)]
mod tests;
