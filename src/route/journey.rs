//! A request's way from target to target: pure.

use std::time::Duration;

use super::{
    config::{
        Target,
        plan::{Leg, Plan},
    },
    retry::{Tries, Verdict},
};

/// What follows on a verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// It stays at that.
    Done,
    /// The same target is asked again after a while.
    Again(Duration),
    /// Another target is asked.
    Other,
}

/// A request on its way.
#[derive(Debug)]
pub struct Journey<'p> {
    plan: &'p Plan,
    leg: usize,
    tries: Tries,
    waited: Duration,
}

impl<'p> Journey<'p> {
    /// Begins with the first target.
    pub fn new(plan: &'p Plan) -> Self {
        Self { plan, leg: 0, tries: Tries::default(), waited: Duration::ZERO }
    }

    /// Where it is now.
    pub fn leg(&self) -> &'p Leg {
        &self.plan.legs[self.leg]
    }

    /// The target that is asked now.
    pub fn target(&self) -> &'p Target {
        &self.leg().target
    }

    /// How often the present target was asked again; -1 if it asked to be left alone for too long.
    pub fn retries(&self) -> i32 {
        if self.tries.given_up { -1 } else { self.tries.again.try_into().unwrap_or(i32::MAX) }
    }

    /// Goes on: to the same target while its policy allows it, then to the next that the strategy has for this verdict.
    pub fn after(&mut self, verdict: &Verdict, dice: f64) -> Next {
        if let Some(wait) = self.tries.next(&self.target().retry, verdict, &mut self.waited, dice) {
            return Next::Again(wait);
        }
        match self.leg().next(verdict) {
            Some(next) => {
                (self.leg, self.tries) = (next, Tries::default());
                Next::Other
            }
            None => Next::Done,
        }
    }
}
