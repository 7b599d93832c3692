//! 2 and 5: lookup and admit.

use std::time::Duration;

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
#[derive(Debug, Clone)]
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
