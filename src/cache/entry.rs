//! One answer that is kept, and what is remembered of the question.

use std::{
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use super::{
    index::Id,
    scope::Key,
    verify::{Reading, Side},
};
use crate::{
    clock,
    embed::TokenVectors,
    exchange::{Cost, Tenant},
    guard::Stored,
    wire::Endpoint,
};

/// What an entry occupies beside its answer: keys, times, and its places in the maps.
const OVERHEAD_BYTES: usize = 384;
/// What a vector occupies in its index: two planes and its place.
const VECTOR_BYTES: usize = 900;

/// An answer, when it was given, and how long it may be served.
#[derive(Debug)]
pub struct Entry {
    /// The exact key that leads here.
    pub key: Key,
    /// The answer, in the form that the output gate clears again.
    pub stored: Stored,
    /// When the upstream gave it, in milliseconds since the Unix epoch: entries outlive the process.
    pub created: u64,
    /// How long it may be served.
    pub ttl: Duration,
    /// Whose it is.
    pub about: About,
    /// What it cost, and what each hit saves.
    pub cost: Cost,
    /// What it is compared with by meaning, where it is.
    pub asked: Option<Asked>,
    /// How often it was served since that was last written down.
    pub hits: AtomicU32,
}

/// What operators select entries by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct About {
    /// Whose request it answered.
    pub tenant: Tenant,
    /// The namespace that the client named, or nothing.
    pub namespace: Box<str>,
    /// Which endpoint was called.
    pub endpoint: Endpoint,
    /// The model asked for.
    pub model: Box<str>,
}

/// The last message of a request, as it is compared with others.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Where its vector stands.
    pub place: Place,
    /// Its words, as the input gate left them.
    pub text: Box<str>,
    /// A vector for each of its tokens.
    pub tokens: TokenVectors,
    /// The words taken apart, once they are first held against others.
    reading: OnceLock<Reading>,
}

/// A vector's partition, and its name in there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The partition.
    pub partition: Key,
    /// The name.
    pub id: Id,
}

impl Entry {
    /// How long ago the upstream gave the answer.
    pub fn age(&self) -> Duration {
        Duration::from_millis(clock::unix_millis().saturating_sub(self.created))
    }

    /// How much longer it may be served; zero when its time is over.
    pub fn remaining(&self) -> Duration {
        self.ttl.saturating_sub(self.age())
    }

    /// Whether it may still be served.
    pub fn live(&self) -> bool {
        !self.remaining().is_zero()
    }

    /// Counts a hit; `true` for the first since they were taken.
    pub fn count_hit(&self) -> bool {
        self.hits.fetch_add(1, Ordering::Relaxed) == 0
    }

    /// The hits so far, which are counted from zero again.
    pub fn take_hits(&self) -> u32 {
        self.hits.swap(0, Ordering::Relaxed)
    }

    /// Where its vector stands, if it has one.
    pub fn place(&self) -> Option<Place> {
        self.asked.as_ref().map(|asked| asked.place)
    }

    /// Bytes that it occupies, its vector included.
    pub fn size(&self) -> usize {
        let asked = self.asked.as_ref().map_or(0, Asked::size);
        OVERHEAD_BYTES + self.about.namespace.len() + self.about.model.len() + self.stored.size() + asked
    }
}

impl Asked {
    /// The words of a question, with the place of its vector.
    pub fn new(place: Place, text: Box<str>, tokens: TokenVectors) -> Self {
        Self { place, text, tokens, reading: OnceLock::new() }
    }

    /// What it is verified by; its words are taken apart when that is first asked.
    pub fn side(&self) -> Side<'_> {
        Side { reading: self.reading.get_or_init(|| Reading::of(&self.text)), tokens: &self.tokens }
    }

    fn size(&self) -> usize {
        VECTOR_BYTES + self.text.len() + self.tokens.size()
    }
}

/// A time to live that is up to 1/20 shorter, by the key: entries made together do not all end together, and none outlives what was asked.
pub(super) fn jittered(ttl: Duration, key: &Key) -> Duration {
    let share = f64::from(u16::from_le_bytes([key[0], key[1]])) / f64::from(u16::MAX);
    ttl.mul_f64(1.0 - share / 20.0)
}

/// Whole milliseconds, for what is written down.
pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_jittered_time_is_shorter_by_a_few_per_cent_and_the_same_for_the_same_key() {
        let day = Duration::from_hours(24);
        let times: Vec<Duration> = (0..=u8::MAX).map(|n| jittered(day, &[n; 32])).collect();
        assert!(times.iter().all(|time| *time <= day && *time >= day.mul_f64(0.949)));
        let distinct: std::collections::HashSet<_> = times.iter().collect();
        assert!(distinct.len() > 200 && times[7] == jittered(day, &[7; 32]));
        assert_eq!(jittered(Duration::ZERO, &[7; 32]), Duration::ZERO);
    }
}
