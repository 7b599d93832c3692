//! The only `now()`. Everything that measures or expires asks here, so that tests can see what reads the time.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The monotonic time, for durations and deadlines.
#[expect(clippy::disallowed_methods, reason = "this is the one place that reads the clock")]
pub fn now() -> Instant {
    Instant::now()
}

/// Seconds since the Unix epoch, for what is shown to people or leaves the process.
#[expect(clippy::disallowed_methods, reason = "this is the one place that reads the clock")]
pub fn unix_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// Milliseconds since the Unix epoch, for what is kept longer than the process runs.
#[expect(clippy::disallowed_methods, reason = "this is the one place that reads the clock")]
pub fn unix_millis() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// The time as JSON writes it, for people and their programs: `2026-01-31T23:59:59.000Z`.
pub fn timestamp() -> String {
    humantime::format_rfc3339_millis(UNIX_EPOCH + Duration::from_millis(unix_millis())).to_string()
}
