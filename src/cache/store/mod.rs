//! Entries kept across restarts: what a store is, and what it is told.
//!
//! A store blocks, so it lives on a thread of its own ([`Writer`]); requests hand records over and never wait. Only what both gates have let pass
//! gets here, and what comes back is [`crate::guard::Stored`]: the output gate judges it again. A store that fails is given up with one line in the log,
//! and requests go on from memory.

use std::{fmt, path::PathBuf, sync::Arc};

use metrics::gauge;

mod record;
mod sqlite;
mod writer;

pub use record::Record;
pub use sqlite::Sqlite;
pub use writer::Writer;

use super::{
    scope::Key,
    verify::{Labels, ScoringId},
};
use crate::telemetry::metric;

/// What is kept on disk, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The file; `None` where neither configuration nor environment names a place.
    pub path: Option<PathBuf>,
    /// Bytes of the file.
    pub max_bytes: u64,
    /// Entries in the file.
    pub max_entries: u64,
}

/// 32 random bytes, as old as the store: what tenants are hashed with, so that they own their entries after a restart.
pub type Secret = [u8; 32];

/// Two requests that somebody said are not the same, as a keyed hash.
pub type Pair = [u8; 32];

/// One thing to write down.
#[derive(Debug)]
pub enum Change {
    /// Keeps an entry, in place of one with its key.
    Put(Record),
    /// The entry was served.
    Used {
        /// Which.
        key: Key,
        /// How often, since this was last said.
        hits: u32,
        /// When, in milliseconds since the Unix epoch.
        at: u64,
    },
    /// Drops an entry, if it is there.
    Remove(Key),
    /// Drops all entries.
    Clear,
    /// Remembers that two requests are not the same.
    Differ(Pair),
    /// Keeps the labels of an engine's scores, in place of those that were there.
    Label {
        /// The engine's label.
        engine: Arc<str>,
        /// What its scores mean.
        scoring: ScoringId,
        /// All of them.
        labels: Box<Labels>,
    },
}

/// A place among entries that are ordered by their rank, highest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    rank: i64,
    key: Key,
}

/// Some entries, the most worth keeping first.
#[derive(Debug)]
pub struct Page {
    /// Those that could be read.
    pub records: Vec<Record>,
    /// How many could not, and are gone.
    pub damaged: usize,
    /// Where the next page begins; `None` after the last.
    pub next: Option<Position>,
}

/// How much is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Size {
    /// Entries.
    pub entries: u64,
    /// Bytes on disk that are in use.
    pub bytes: u64,
}

/// Keeps entries, within bounds of its own. Every call may block.
pub trait Store: Send + fmt::Debug {
    /// Where it is, for people.
    fn place(&self) -> String;

    /// The secret that is kept with the entries.
    fn secret(&self) -> Secret;

    /// Writes all of the changes, in order, or none. Over its bounds it drops what ranks lowest.
    fn write(&mut self, changes: &[Change]) -> Result<(), StoreError>;

    /// At most `most` entries after a position, of one engine or of all. What is damaged is dropped.
    fn page(&mut self, engine: Option<&str>, after: Option<Position>, most: usize) -> Result<Page, StoreError>;

    /// How many entries each engine has filled it with.
    fn engines(&mut self) -> Result<Vec<(String, u64)>, StoreError>;

    /// All pairs that are not the same.
    fn differences(&mut self) -> Result<Vec<Pair>, StoreError>;

    /// The labels of an engine's scores; `None` if there are none, or they are damaged.
    fn labels(&mut self, engine: &str, scoring: &ScoringId) -> Result<Option<Labels>, StoreError>;

    /// Drops what has expired by `now`, in milliseconds since the Unix epoch, and gives space back. It does not take long: of thousands, some may
    /// be left for the next time.
    fn tidy(&mut self, now: u64) -> Result<Size, StoreError>;

    /// Leaves everything as the next start would like to find it.
    fn close(&mut self) -> Result<(), StoreError>;
}

/// Why a store cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreError {
    /// Neither configuration nor environment names a place.
    Nowhere,
    /// Another process has it.
    InUse,
    /// It is damaged, or was never a store.
    Corrupt(String),
    /// It is a database of another program, or of another version of Lockgate.
    Foreign(String),
    /// There is no room left.
    Full,
    /// It cannot be opened, read or written.
    Io(String),
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nowhere => f.write_str(
                "neither XDG_STATE_HOME nor HOME is set; name a file in `cache.store.path`, or set `cache.store.enabled: false`",
            ),
            Self::InUse => f.write_str("another process has the file open; give each Lockgate a `cache.store.path` of its own"),
            Self::Corrupt(reason) => {
                write!(f, "the file is damaged or no database ({reason}); move it away, and the next start makes a new one")
            }
            Self::Foreign(reason) => write!(f, "{reason}; move the file away, or name another one in `cache.store.path`"),
            Self::Full => f.write_str("the disk is full; make room, or lower `cache.store.max_size`, and start again"),
            Self::Io(reason) => {
                write!(f, "{reason}; check the file, its folder and their permissions, or name another one in `cache.store.path`")
            }
        }
    }
}

impl std::error::Error for StoreError {}

/// Says that a store is given up: once, and loudly.
pub fn give_up(place: &str, error: &StoreError) {
    gauge!(metric::STORE_UP).set(0.0);
    tracing::error!(place, %error, "Answers are no longer kept on disk and will not outlive this process; requests go on from memory.");
}

/// The engine in a record: its name, and what its vectors are recognised by. Empty where nothing is embedded.
pub fn engine_label(name: &str, fingerprint: &[u8; 16]) -> Arc<str> {
    format!("{name}-{:032x}", u128::from_be_bytes(*fingerprint)).into()
}

/// What an engine's vectors are recognised by, in a label.
pub fn engine_id(label: &str) -> &str {
    label.rsplit_once('-').map_or("", |(_, id)| id)
}

/// The name in an engine's label.
pub fn engine_name(label: &str) -> Option<&str> {
    label.rsplit_once('-').map(|(name, _)| name)
}

/// What a hit adds to an entry's rank: as much as being an hour younger.
const HIT_MS: i64 = 3_600_000;
/// Hits beyond this many add nothing, so that what was loved once does not stay for ever.
const MAX_HITS: u32 = 24;

/// What is worth keeping: what was used lately, and more so if it was used often.
fn rank(used: u64, hits: u32) -> i64 {
    i64::try_from(used).unwrap_or(i64::MAX).saturating_add(HIT_MS * i64::from(hits.min(MAX_HITS)))
}

#[cfg(test)]
pub(super) mod conformance;
#[cfg(test)]
pub(super) mod memory;
