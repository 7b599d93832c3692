//! Decisions about the cache, pure: what one request wants of it, and which neighbour may answer.

use std::time::Duration;

use super::{Mode, Settings};
use crate::exchange::{Bypass, CacheStatus};

/// What a client asks of the cache. It may ask for less than the configuration gives, never for more.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Wish {
    /// A fresh answer, which replaces this request's own entry.
    pub refresh: bool,
    /// No part in the cache at all: neither answered from it nor kept in it.
    pub no_store: bool,
    /// Keeps entries apart that would be shared.
    pub namespace: Option<String>,
    /// A stricter least similarity.
    pub threshold: Option<f32>,
    /// A shorter time to live.
    pub ttl: Option<Duration>,
}

/// What the cache does for one request.
#[derive(Debug, Clone, PartialEq)]
pub struct CachePlan {
    /// Which tiers answer.
    pub mode: Mode,
    /// Whether the lookup is skipped.
    pub refresh: bool,
    /// Least cosine similarity of a semantic hit.
    pub threshold: f32,
    /// How long the answer is served.
    pub ttl: Duration,
    /// Part of the scope.
    pub namespace: String,
    /// Why the cache has no part in this request, where that is so.
    pub bypass: Option<Bypass>,
}

impl CachePlan {
    /// The configuration, tightened by what the client asks.
    pub fn of(settings: &Settings, wish: &Wish) -> Self {
        let bypass = match (settings.mode, wish.no_store) {
            (Mode::Off, _) => Some(Bypass::Configured),
            (_, true) => Some(Bypass::Client),
            _ => None,
        };
        Self {
            mode: settings.mode,
            refresh: wish.refresh,
            threshold: wish.threshold.map_or(settings.threshold, |asked| asked.max(settings.threshold)),
            ttl: wish.ttl.map_or(settings.ttl, |asked| asked.min(settings.ttl)),
            namespace: wish.namespace.clone().unwrap_or_default(),
            bypass,
        }
    }

    /// What is said before the cache was asked.
    pub fn status(&self) -> CacheStatus {
        match (self.bypass, self.refresh) {
            (Some(_), _) => CacheStatus::Disabled,
            (None, true) => CacheStatus::Refresh,
            (None, false) => CacheStatus::Miss,
        }
    }
}

/// Whether an entry of this similarity may answer. A similarity that is not a number is near to nothing.
pub fn near_enough(similarity: f32, threshold: f32) -> bool {
    similarity >= threshold
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> Settings {
        Settings {
            mode: Mode::Semantic,
            threshold: 0.95,
            ttl: Duration::from_mins(1),
            max_bytes: 1,
            max_entries: 1,
            max_entry_bytes: 1,
        }
    }

    #[test]
    fn a_client_tightens_and_never_loosens() {
        let plan = |threshold, ttl| {
            let wish = Wish { threshold: Some(threshold), ttl: Some(Duration::from_secs(ttl)), ..Wish::default() };
            let plan = CachePlan::of(&settings(), &wish);
            (plan.threshold, plan.ttl.as_secs())
        };
        assert_eq!(plan(0.99, 10), (0.99, 10));
        assert_eq!(plan(0.10, 1000), (0.95, 60));
        assert_eq!(plan(f32::NAN, 60), (0.95, 60));
    }

    #[test]
    fn says_why_the_cache_has_no_part() {
        let off = Settings { mode: Mode::Off, ..settings() };
        assert_eq!(CachePlan::of(&off, &Wish::default()).bypass, Some(Bypass::Configured));
        let wish = Wish { no_store: true, refresh: true, ..Wish::default() };
        let plan = CachePlan::of(&settings(), &wish);
        assert_eq!((plan.bypass, plan.status()), (Some(Bypass::Client), CacheStatus::Disabled));
        let wish = Wish { refresh: true, ..Wish::default() };
        assert_eq!(CachePlan::of(&settings(), &wish).status(), CacheStatus::Refresh);
    }

    #[test]
    fn the_threshold_itself_is_near_enough() {
        assert!(near_enough(0.95, 0.95) && !near_enough(0.949, 0.95) && !near_enough(f32::NAN, 0.0));
    }
}
