//! Decisions about the cache, pure: what one request wants of it, and which neighbour may answer.

use std::time::Duration;

use super::{
    Mode, Settings,
    verify::{Check, Stances, Verdict},
};
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
    /// What a config names; `None` is what the settings say.
    pub mode: Option<Mode>,
    /// What the operator says for this request in place of the settings.
    pub granted: Granted,
}

/// What the operator says for some requests in place of the cache's settings.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Granted {
    /// The least score of a semantic hit.
    pub threshold: Option<f32>,
    /// How long answers are served.
    pub ttl: Option<Duration>,
}

/// What the cache does for one request.
#[derive(Debug, Clone, PartialEq)]
pub struct CachePlan {
    /// Which tiers answer.
    pub mode: Mode,
    /// Whether the lookup is skipped.
    pub refresh: bool,
    /// Least score of a semantic hit.
    pub threshold: f32,
    /// What each check may do.
    pub stances: Stances,
    /// How long the answer is served.
    pub ttl: Duration,
    /// Part of the scope.
    pub namespace: String,
    /// Why the cache has no part in this request, where that is so.
    pub bypass: Option<Bypass>,
    /// Whether answers to what means the same were asked for by name.
    pub semantic: bool,
    /// The threshold, where the client asked for a lower one.
    pub clamped: Option<f32>,
}

impl CachePlan {
    /// The configuration with the threshold that is in use, tightened by what the client asks.
    pub fn of(settings: &Settings, threshold: f32, wish: &Wish) -> Self {
        let bypass = match (settings.mode, wish.no_store, wish.mode) {
            (Mode::Off, ..) => Some(Bypass::Configured),
            (_, true, _) => Some(Bypass::Client),
            (.., Some(Mode::Off)) => Some(Bypass::Config),
            _ => None,
        };
        let (least, ttl) = (wish.granted.threshold.unwrap_or(threshold), wish.granted.ttl.unwrap_or(settings.ttl));
        Self {
            mode: wish.mode.map_or(settings.mode, |asked| settings.mode.tightened(asked)),
            refresh: wish.refresh,
            stances: settings.stances,
            threshold: wish.threshold.map_or(least, |asked| asked.max(least)),
            ttl: wish.ttl.map_or(ttl, |asked| asked.min(ttl)),
            namespace: wish.namespace.clone().unwrap_or_default(),
            bypass,
            semantic: wish.mode == Some(Mode::Semantic),
            clamped: wish.threshold.filter(|asked| *asked < least).map(|_| least),
        }
    }

    /// What is said before the cache was asked.
    pub fn status(&self) -> CacheStatus {
        match (self.bypass, self.refresh) {
            (Some(_), _) => CacheStatus::Disabled,
            (None, true) => CacheStatus::Refresh,
            (None, false) if self.semantic => CacheStatus::SemanticMiss,
            (None, false) => CacheStatus::Miss,
        }
    }
}

/// What becomes of a neighbour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It may answer.
    Served,
    /// Its score is too low.
    BelowThreshold,
    /// A check said no.
    Vetoed(Check),
    /// Somebody reported the two as different.
    ReportedDifferent,
}

impl Fate {
    /// The word that operators are shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Served => "served",
            Self::BelowThreshold => "below-threshold",
            Self::Vetoed(_) => "vetoed",
            Self::ReportedDifferent => "reported-different",
        }
    }
}

/// Whether a neighbour may answer. A score that is not a number is near to nothing.
pub fn fate(verdict: &Verdict, threshold: f32) -> Fate {
    match verdict.veto {
        Some(check) => Fate::Vetoed(check),
        None if verdict.score >= threshold => Fate::Served,
        None => Fate::BelowThreshold,
    }
}

/// Puts what may answer before what may not, and the better score first.
pub fn rank(fate: Fate, score: f32) -> f32 {
    if fate == Fate::Served { score + 2.0 } else { score }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::cache) fn settings() -> Settings {
        Settings {
            mode: Mode::Semantic,
            threshold: 0.95,
            max_error: None,
            stances: Stances::default(),
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
            let plan = CachePlan::of(&settings(), 0.95, &wish);
            (plan.threshold, plan.ttl.as_secs())
        };
        assert_eq!(plan(0.99, 10), (0.99, 10));
        assert_eq!(plan(0.10, 1000), (0.95, 60));
        assert_eq!(plan(f32::NAN, 60), (0.95, 60));
    }

    #[test]
    fn says_why_the_cache_has_no_part() {
        let off = Settings { mode: Mode::Off, ..settings() };
        assert_eq!(CachePlan::of(&off, 0.95, &Wish::default()).bypass, Some(Bypass::Configured));
        let wish = Wish { no_store: true, refresh: true, ..Wish::default() };
        let plan = CachePlan::of(&settings(), 0.95, &wish);
        assert_eq!((plan.bypass, plan.status()), (Some(Bypass::Client), CacheStatus::Disabled));
        let wish = Wish { refresh: true, ..Wish::default() };
        assert_eq!(CachePlan::of(&settings(), 0.95, &wish).status(), CacheStatus::Refresh);
    }

    #[test]
    fn what_is_near_enough_and_vetoed_by_none_may_answer() {
        let verdict = |score, veto| Verdict { veto, ..Verdict::unverified(score) };
        assert_eq!(fate(&verdict(0.95, None), 0.95), Fate::Served);
        assert_eq!(fate(&verdict(0.949, None), 0.95), Fate::BelowThreshold);
        assert_eq!(fate(&verdict(f32::NAN, None), 0.0), Fate::BelowThreshold);
        assert_eq!(fate(&verdict(0.99, Some(Check::Negation)), 0.95), Fate::Vetoed(Check::Negation));
        assert!(rank(Fate::Served, 0.9) > rank(Fate::BelowThreshold, 0.99));
    }
}
