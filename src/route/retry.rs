//! When a target is asked again, and after how long: pure.

use std::time::Duration;

use http::{HeaderMap, StatusCode};

use crate::error::{Error, Kind};

/// More attempts than this help nobody: the budget ends first.
pub(super) const MAX_ATTEMPTS: u32 = 5;
/// Before the second try; it doubles each time.
const FIRST_WAIT: Duration = Duration::from_millis(500);
/// What all waits of one request may come to. A provider that asks for more is not waited for.
const BUDGET: Duration = Duration::from_mins(1);
/// What a provider recovers from.
const TRANSIENT: [u16; 6] = [429, 500, 502, 503, 504, 529];
/// Where providers say how long to wait, and in how many milliseconds they count.
const RETRY_AFTER: [(&str, f64); 3] = [("retry-after-ms", 1.0), ("x-ms-retry-after-ms", 1.0), ("retry-after", 1000.0)];

/// Status codes that something is done for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Codes(Vec<u16>);

impl Codes {
    pub(super) fn new(codes: Vec<u16>) -> Self {
        Self(codes)
    }

    /// Whether one of these is among them.
    pub fn contain(&self, statuses: &[u16]) -> bool {
        statuses.iter().any(|status| self.0.contains(status))
    }
}

/// How often and for what a target is asked again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// Tries beside the first.
    pub attempts: u32,
    /// For what.
    pub on: Codes,
    /// Whether a provider that is asked too much says itself how long to wait.
    pub use_retry_after: bool,
}

impl Policy {
    pub(super) fn new(attempts: u32, on: Option<Vec<u16>>, use_retry_after: bool) -> Self {
        Self { attempts: attempts.min(MAX_ATTEMPTS), on: Codes::new(on.unwrap_or_else(|| TRANSIENT.to_vec())), use_retry_after }
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self::new(0, None, false)
    }
}

/// What an attempt came to, as far as the way on depends on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// The status of the answer. What has none stands for several that a config may name it by.
    pub statuses: &'static [u16],
    /// The same, of an answer.
    pub status: Option<StatusCode>,
    /// How long the provider wants to be left alone.
    pub retry_after: Option<Duration>,
}

impl Verdict {
    /// Of an answer.
    pub fn answered(status: StatusCode, headers: &HeaderMap) -> Self {
        let retry_after = (status == StatusCode::TOO_MANY_REQUESTS).then(|| retry_after(headers)).flatten();
        Self { statuses: &[], status: Some(status), retry_after }
    }

    /// Of an answer that a guardrail refused.
    pub fn blocked() -> Self {
        Self { statuses: &[446], status: None, retry_after: None }
    }

    /// Of a failure. `None` if another try would come to the same: the request is at fault, or Lockgate.
    pub fn failed(error: &Error) -> Option<Self> {
        let statuses: &[u16] = match error.kind() {
            Kind::Unreachable | Kind::ForbiddenAddress => &[503, 502, 500],
            Kind::UpstreamTimeout | Kind::RequestTimeout => &[408, 504],
            Kind::UpstreamReset | Kind::UpstreamMalformed | Kind::UpstreamError => &[502, 500],
            Kind::Limited => &[429],
            Kind::OverBudget => &[412],
            Kind::Forbidden => &[403],
            _ => return None,
        };
        Some(Self { statuses, status: None, retry_after: None })
    }

    /// Whether it is an answer that counts as one.
    pub fn is_success(&self) -> bool {
        self.status.is_some_and(|status| status.is_success())
    }

    /// Whether one of these codes names it.
    pub fn is_in(&self, codes: &Codes) -> bool {
        self.status.map_or_else(|| codes.contain(self.statuses), |status| codes.contain(&[status.as_u16()]))
    }

    /// The code that stands for it in counts.
    pub fn code(&self) -> u16 {
        self.status.map_or_else(|| self.statuses.first().copied().unwrap_or(500), |status| status.as_u16())
    }
}

/// How long a provider wants to be left alone.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    RETRY_AFTER.iter().find_map(|(name, unit)| {
        let count: f64 = headers.get(*name)?.to_str().ok()?.trim().parse().ok()?;
        Duration::try_from_secs_f64(count * unit / 1000.0).ok()
    })
}

/// The tries at one target.
#[derive(Debug, Clone, Default)]
pub(super) struct Tries {
    /// Beside the first.
    pub(super) again: u32,
    /// Whether the budget ended them.
    pub(super) given_up: bool,
}

impl Tries {
    /// How long to wait before the next try, if there is one. `dice` is from 0 to 1, and `waited` what all targets have cost so far.
    pub(super) fn next(&mut self, policy: &Policy, verdict: &Verdict, waited: &mut Duration, dice: f64) -> Option<Duration> {
        if self.again >= policy.attempts || !verdict.is_in(&policy.on) {
            return None;
        }
        let told = verdict.retry_after.filter(|_| policy.use_retry_after);
        // Half of the wait is left to chance, so that clients that failed together do not come back together.
        let wait = told.unwrap_or_else(|| FIRST_WAIT.saturating_mul(1 << self.again).mul_f64(0.5 + dice.clamp(0.0, 1.0) / 2.0));
        if waited.saturating_add(wait) > BUDGET {
            self.given_up = true;
            return None;
        }
        *waited += wait;
        self.again += 1;
        Some(wait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(status: u16, headers: &[(&'static str, &str)]) -> Verdict {
        let headers =
            headers.iter().map(|&(name, value)| (http::HeaderName::from_static(name), value.parse().unwrap())).collect();
        Verdict::answered(StatusCode::from_u16(status).unwrap(), &headers)
    }

    #[test]
    fn waits_double_and_vary_and_end_with_the_attempts() {
        let policy = Policy::new(3, None, false);
        let (mut tries, mut waited) = (Tries::default(), Duration::ZERO);
        let mut next = |dice| tries.next(&policy, &verdict(503, &[]), &mut waited, dice).map(|wait| wait.as_millis());
        assert_eq!([next(1.0), next(0.0), next(1.0), next(1.0)], [Some(500), Some(500), Some(2000), None]);
    }

    #[test]
    fn only_the_codes_that_are_listed_are_tried_again() {
        let policy = Policy::new(9, Some(vec![418]), false);
        assert_eq!(policy.attempts, MAX_ATTEMPTS);
        let again = |status| Tries::default().next(&policy, &verdict(status, &[]), &mut Duration::default(), 0.5).is_some();
        assert!(again(418) && !again(503) && !again(200));
        let timeout = Verdict::failed(&Error::new(Kind::UpstreamTimeout, "")).unwrap();
        assert!(timeout.is_in(&Codes::new(vec![504])) && timeout.is_in(&Codes::new(vec![408])) && !timeout.is_in(&policy.on));
        assert!(Verdict::failed(&Error::new(Kind::InvalidRequest, "")).is_none());
    }

    #[test]
    fn a_provider_says_how_long_to_wait_and_is_not_waited_for_too_long() {
        let policy = Policy::new(3, None, true);
        let wait = |headers: &[(&'static str, &str)]| {
            let mut tries = Tries::default();
            let wait = tries.next(&policy, &verdict(429, headers), &mut Duration::default(), 1.0);
            (wait.map(|wait| wait.as_millis()), tries.given_up)
        };
        assert_eq!(wait(&[("retry-after", "2")]), (Some(2000), false));
        assert_eq!(wait(&[("retry-after", "2"), ("x-ms-retry-after-ms", "70")]), (Some(70), false));
        assert_eq!(wait(&[("retry-after", "61")]), (None, true));
        assert_eq!(wait(&[("retry-after", "Wed, 21 Oct 2015 07:28:00 GMT")]), (Some(500), false));
        assert_eq!(wait(&[("retry-after", "-3")]), (Some(500), false));
    }
}
