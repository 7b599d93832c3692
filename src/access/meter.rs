//! Counts use in windows of time. What it holds is a few numbers by the hash of whose they are, so that a fleet can share it later.

use std::sync::{Arc, Mutex, PoisonError};

use moka::sync::Cache;
use serde::{Deserialize, Serialize};
use std::time::Duration;

use super::limits::whole_seconds;

/// Whose use, of what, in which window.
pub type Id = [u8; 16];

/// Counts that are kept: who calls may name any user.
const MAX_COUNTS: u64 = 100_000;
/// The longest window, and a little more.
const KEPT: Duration = Duration::from_hours(24 * 32);

/// A window of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Window {
    /// The last 60 seconds.
    Minute,
    /// The last 60 minutes.
    Hour,
    /// The day, by UTC.
    Day,
    /// The month, by UTC.
    Month,
}

impl Window {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Minute, Self::Hour, Self::Day, Self::Month];

    /// The word in the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Month => "month",
        }
    }

    /// The number of the window that holds a second, with its first second and that of the next.
    fn around(self, now: u64) -> (u64, u64, u64) {
        let even = |length: u64| (now / length, now - now % length, now - now % length + length);
        match self {
            Self::Minute => even(60),
            Self::Hour => even(3600),
            Self::Day => even(86_400),
            Self::Month => month(now),
        }
    }

    /// Whether it moves with the clock, so that nobody has twice as much around its end.
    fn slides(self) -> bool {
        matches!(self, Self::Minute | Self::Hour)
    }

    /// How long until it ends.
    pub fn left(self, now: u64) -> Duration {
        Duration::from_secs(self.around(now).2 - now)
    }

    /// How long until less than `most` of what was used is in it.
    pub fn wait(self, now: u64, used: f64, most: f64) -> Duration {
        let (_, start, end) = self.around(now);
        let fraction = if self.slides() && used > 0.0 { ((used - most + 1.0) / used).clamp(0.0, 1.0) } else { 1.0 };
        whole_seconds(((end - start) as f64 * fraction).min((end - now) as f64))
    }
}

/// The month that holds a second.
fn month(now: u64) -> (u64, u64, u64) {
    let day = |date: jiff::civil::Date| date.to_zoned(jiff::tz::TimeZone::UTC).map_or(0, |date| date.timestamp().as_second());
    let today =
        jiff::Timestamp::from_second(now.try_into().unwrap_or(0)).unwrap_or_default().to_zoned(jiff::tz::TimeZone::UTC).date();
    let (first, next) = (today.first_of_month(), today.last_of_month().tomorrow().unwrap_or(today));
    let number = i64::from(first.year()) * 12 + i64::from(first.month());
    let [number, start, end] = [number, day(first), day(next)].map(|number| u64::try_from(number).unwrap_or(0));
    (number, start, end.max(now + 1))
}

/// What was used in a window and in the one before it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
struct Count {
    window: u64,
    used: f64,
    before: f64,
}

impl Count {
    /// Goes over to the window of now.
    fn turn(&mut self, number: u64) {
        if self.window != number {
            let before = if self.window + 1 == number { self.used } else { 0.0 };
            *self = Self { window: number, used: 0.0, before };
        }
    }
}

/// Counts.
#[derive(Debug, Clone)]
pub struct Meter {
    counts: Cache<Id, Arc<Mutex<Count>>>,
}

impl Default for Meter {
    fn default() -> Self {
        Self { counts: Cache::builder().max_capacity(MAX_COUNTS).time_to_idle(KEPT).build() }
    }
}

impl Meter {
    /// The id of what is counted under these words.
    pub fn id(parts: &[&str]) -> Id {
        let mut hasher = blake3::Hasher::new();
        for part in parts {
            hasher.update(&(part.len() as u64).to_le_bytes()).update(part.as_bytes());
        }
        let mut id = [0; 16];
        hasher.finalize_xof().fill(&mut id);
        id
    }

    /// What was used in the window of now.
    pub fn used(&self, id: Id, window: Window, now: u64) -> f64 {
        self.with(id, window, now, |count, part| count.used + part * count.before)
    }

    /// Adds what was used, or takes it back.
    pub fn add(&self, id: Id, window: Window, now: u64, amount: f64) {
        self.with(id, window, now, |count, _| count.used = (count.used + amount).max(0.0));
    }

    /// Adds one, if it is then no more than `most`.
    pub fn take(&self, id: Id, window: Window, now: u64, most: f64) -> bool {
        self.with(id, window, now, |count, part| {
            let free = count.used + part * count.before + 1.0 <= most;
            count.used += f64::from(u8::from(free));
            free
        })
    }

    /// Whether a bound was passed since this was asked last in this window.
    pub fn passed(&self, id: Id, window: Window, now: u64, bound: f64) -> bool {
        let used = self.used(id, window, now);
        let told = Self::id(&["told", &format!("{id:?}")]);
        used > bound && self.take(told, window, now, 1.0)
    }

    fn with<T>(&self, id: Id, window: Window, now: u64, read: impl FnOnce(&mut Count, f64) -> T) -> T {
        let (number, start, end) = window.around(now);
        let count = self.counts.get_with(id, Arc::default);
        let mut count = count.lock().unwrap_or_else(PoisonError::into_inner);
        count.turn(number);
        let part = if window.slides() { (end - now) as f64 / (end - start) as f64 } else { 0.0 };
        read(&mut count, part)
    }

    /// All counts, to be kept across restarts.
    pub fn export(&self) -> String {
        let counts = self.counts.iter().map(|(id, count)| {
            let count = *count.lock().unwrap_or_else(PoisonError::into_inner);
            (format!("{:032x}", u128::from_be_bytes(*id)), count)
        });
        serde_json::to_string(&counts.collect::<std::collections::BTreeMap<_, _>>()).unwrap_or_default()
    }

    /// Takes up what an earlier run has kept; false if it cannot be read.
    pub fn import(&self, kept: &str) -> bool {
        let Ok(counts) = serde_json::from_str::<std::collections::BTreeMap<String, Count>>(kept) else { return false };
        for (id, count) in counts {
            if let Ok(id) = u128::from_str_radix(&id, 16) {
                self.counts.insert(id.to_be_bytes(), Arc::new(Mutex::new(count)));
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ID: Id = [1; 16];
    /// 2026-11-20, noon.
    const NOON: u64 = 1_795_176_000;

    #[test]
    fn a_day_and_a_month_begin_anew() {
        let meter = Meter::default();
        for (window, length) in [(Window::Day, 12 * 3600), (Window::Month, 10 * 86_400 + 12 * 3600)] {
            let id = Meter::id(&[window.as_str()]);
            meter.add(id, window, NOON, 5.0);
            assert_eq!(window.left(NOON), Duration::from_secs(length));
            assert!((meter.used(id, window, NOON + length - 1) - 5.0).abs() < 1e-9);
            assert!(meter.used(id, window, NOON + length) <= 0.0);
        }
    }

    #[test]
    fn a_minute_slides() {
        let meter = Meter::default();
        meter.add(ID, Window::Minute, NOON, 60.0);
        assert!((meter.used(ID, Window::Minute, NOON + 75) - 45.0).abs() < 1e-9);
        assert!(meter.used(ID, Window::Minute, NOON + 120) <= 0.0);
    }

    #[test]
    fn a_bound_is_passed_once_a_window() {
        let meter = Meter::default();
        let passed = || meter.passed(ID, Window::Day, NOON, 3.0);
        assert!(!passed());
        meter.add(ID, Window::Day, NOON, 4.0);
        assert!(passed() && !passed());
    }

    #[test]
    fn what_was_used_is_kept_across_restarts() {
        let (before, after) = (Meter::default(), Meter::default());
        before.add(ID, Window::Month, NOON, 7.5);
        assert!(after.import(&before.export()));
        assert!((after.used(ID, Window::Month, NOON) - 7.5).abs() < 1e-9);
        assert!(!after.import("{\"x\": 3}") && !after.import("no"));
    }

    proptest! {
        #[test]
        fn nobody_has_more_than_the_limit_in_any_window(mut times in prop::collection::vec(0_u64..300, 1..200), most in 1_u32..20) {
            times.sort_unstable();
            let meter = Meter::default();
            let taken: Vec<u64> = times.into_iter().filter(|at| meter.take(ID, Window::Minute, NOON + at, f64::from(most))).collect();
            // Between two windows the count is an estimate; within one it is exact.
            for minute in 0..5 {
                let within = taken.iter().filter(|at| *at / 60 == minute).count();
                prop_assert!(within <= most as usize);
            }
        }
    }
}
