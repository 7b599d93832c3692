//! How targets have fared lately: which ones a circuit breaker leaves out, and which one is the quickest.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use moka::sync::Cache;

use super::{config::TargetId, retry::Verdict};

/// Targets that are remembered: who calls may name any.
const MAX_TARGETS: u64 = 4096;
/// How much the latest latency counts beside those before it.
const LATEST: f64 = 0.3;
/// A breaker never closes sooner.
pub(super) const LEAST_COOLDOWN: Duration = Duration::from_secs(30);

/// When a target is left out.
#[derive(Debug, Clone, PartialEq)]
pub struct Breaker {
    /// After so many failures since the last good answer.
    pub failures: Option<u32>,
    /// When so many of a hundred requests fail.
    pub percentage: Option<f64>,
    /// Once so many were made.
    pub minimum_requests: u32,
    /// For so long.
    pub cooldown: Duration,
    /// What counts as a failure; every status above 500 if silent.
    pub codes: Option<Vec<u16>>,
}

/// What is known of one target.
#[derive(Debug, Default)]
struct Record {
    requests: u32,
    failed: u32,
    in_a_row: u32,
    open_since: Option<Instant>,
    latency: Option<f64>,
}

/// What is known of all of them.
#[derive(Debug, Clone)]
pub struct Health {
    records: Cache<TargetId, Arc<Mutex<Record>>>,
}

impl Default for Health {
    fn default() -> Self {
        Self { records: Cache::new(MAX_TARGETS) }
    }
}

impl Breaker {
    fn counts(&self, verdict: &Verdict) -> bool {
        let code = verdict.code();
        self.codes.as_ref().map_or(code > 500, |codes| codes.contains(&code))
    }

    fn trips(&self, record: &Record) -> bool {
        let by_count = self.failures.is_some_and(|most| record.in_a_row >= most);
        let share = 100.0 * f64::from(record.failed) / f64::from(record.requests.max(1));
        let by_share = self.percentage.is_some_and(|most| share >= most);
        record.requests >= self.minimum_requests && (by_count || by_share)
    }
}

impl Health {
    /// Whether a target is left out now.
    pub(super) fn is_open(&self, target: TargetId, breaker: &Breaker, now: Instant) -> bool {
        self.look(target, |record| match record.open_since {
            Some(since) if now.saturating_duration_since(since) >= breaker.cooldown => {
                // It is tried again from a clean slate.
                *record = Record { latency: record.latency, ..Record::default() };
                false
            }
            open => open.is_some(),
        })
        .unwrap_or(false)
    }

    /// Remembers what came of a request; true if that opened the breaker.
    pub(super) fn note(
        &self,
        target: TargetId,
        breaker: Option<&Breaker>,
        verdict: &Verdict,
        took: Duration,
        now: Instant,
    ) -> bool {
        let record = self.records.get_with(target, Arc::default);
        let mut record = record.lock().unwrap_or_else(PoisonError::into_inner);
        if verdict.is_success() {
            let took = took.as_secs_f64();
            record.latency = Some(record.latency.map_or(took, |known| known + LATEST * (took - known)));
        }
        let Some(breaker) = breaker else { return false };
        record.requests = record.requests.saturating_add(1);
        if breaker.counts(verdict) {
            record.failed += 1;
            record.in_a_row += 1;
        } else {
            record.in_a_row = 0;
        }
        let trips = record.open_since.is_none() && breaker.trips(&record);
        if trips {
            record.open_since = Some(now);
        }
        trips
    }

    /// What good answers of a target take, in seconds; none is known of one that has not answered yet.
    pub(super) fn latency(&self, target: TargetId) -> Option<f64> {
        self.look(target, |record| record.latency).flatten()
    }

    fn look<T>(&self, target: TargetId, read: impl FnOnce(&mut Record) -> T) -> Option<T> {
        let record = self.records.get(&target)?;
        let mut record = record.lock().unwrap_or_else(PoisonError::into_inner);
        Some(read(&mut record))
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, StatusCode};

    use super::*;
    use crate::clock;

    const TARGET: TargetId = [7; 16];

    fn breaker() -> Breaker {
        Breaker { failures: Some(2), percentage: None, minimum_requests: 0, cooldown: LEAST_COOLDOWN, codes: None }
    }

    fn verdict(status: u16) -> Verdict {
        Verdict::answered(StatusCode::from_u16(status).unwrap(), &HeaderMap::new())
    }

    fn note(health: &Health, breaker: &Breaker, statuses: &[u16]) -> Vec<bool> {
        let noted = |&status: &u16| health.note(TARGET, Some(breaker), &verdict(status), Duration::from_secs(1), clock::now());
        statuses.iter().map(noted).collect()
    }

    #[test]
    fn failures_in_a_row_open_it_and_the_cooldown_closes_it() {
        let (health, breaker) = (Health::default(), breaker());
        assert_eq!(note(&health, &breaker, &[503, 200, 503]), [false; 3]);
        assert!(!health.is_open(TARGET, &breaker, clock::now()));
        assert_eq!(note(&health, &breaker, &[503]), [true]);
        assert!(health.is_open(TARGET, &breaker, clock::now()));
        assert!(!health.is_open([8; 16], &breaker, clock::now()));
        assert!(!health.is_open(TARGET, &breaker, clock::now() + LEAST_COOLDOWN));
        assert!(!health.is_open(TARGET, &breaker, clock::now()), "it begins anew");
    }

    #[test]
    fn a_share_of_failures_opens_it_once_there_are_enough_requests() {
        let share = Breaker { failures: None, percentage: Some(50.0), minimum_requests: 4, ..breaker() };
        assert_eq!(note(&Health::default(), &share, &[503, 503, 200, 200]), [false, false, false, true]);
        let codes = Breaker { codes: Some(vec![418]), ..breaker() };
        assert_eq!(note(&Health::default(), &codes, &[503, 418, 418]), [false, false, true]);
    }

    #[test]
    fn the_latency_follows_the_latest_good_answers() {
        let health = Health::default();
        assert_eq!(health.latency(TARGET), None);
        let note = |status, seconds| health.note(TARGET, None, &verdict(status), Duration::from_secs(seconds), clock::now());
        for (status, seconds) in [(200, 1), (503, 60), (200, 2)] {
            note(status, seconds);
        }
        let latency = health.latency(TARGET).unwrap();
        assert!((latency - 1.3).abs() < 1e-9, "{latency}");
    }
}
