//! Checks that judge a text as a whole: they have no place in it.

use std::{fmt, ops::Range, sync::Arc};

use super::{Check, Needs, Reach};

/// What can be said only of a whole text. Sync and pure.
pub(in crate::guard) trait Judges: Send + Sync + fmt::Debug {
    /// Whether the text matches.
    fn matches(&self, text: &str) -> bool;
}

impl<J: Judges> Judges for Arc<J> {
    fn matches(&self, text: &str) -> bool {
        (**self).matches(text)
    }
}

/// A check that matches all of a text or nothing.
#[derive(Debug)]
pub(in crate::guard) struct Whole<J>(pub(in crate::guard) J);

impl<J: Judges> Check for Whole<J> {
    fn find(&self, text: &str, found: &mut Vec<Range<usize>>) {
        found.extend(self.0.matches(text).then_some(0..text.len()));
    }

    fn needs(&self) -> Needs<'_> {
        Needs::Nothing
    }

    fn reach(&self) -> Reach {
        Reach::Whole
    }
}
