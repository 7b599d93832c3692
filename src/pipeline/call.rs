//! What goes into the pipeline and what comes out: all that ingress and egress need to know of the stages.

use std::collections::BTreeSet;

use super::Stream;
pub use crate::{
    access::Caller,
    cache::Wish,
    route::{Arriving, Ask, Head, Passage, Unread},
};
use crate::{
    exchange::Exchange,
    guard::{Block, Clearing, OutputGate, Restoration, Restored, Screened},
    wire::Request,
};

/// A request that has come in.
#[derive(Debug)]
pub struct Call {
    /// What is asked.
    pub request: Request,
    /// Who asks.
    pub caller: Caller,
    /// What travels beside the body.
    pub passage: Passage,
    /// What the client wants of the cache.
    pub wish: Wish,
    /// The profiles of guardrails that it asks for.
    pub profiles: BTreeSet<String>,
    /// What the client says of where it goes.
    pub ask: Ask,
}

/// What goes back.
#[derive(Debug)]
pub enum Reply {
    /// A whole answer, with the caller's own values.
    Whole(Head, Restored),
    /// Events as they arrive.
    Stream(Head, Box<Stream>),
    /// A rule said no.
    Blocked(Block),
}

impl Reply {
    /// The reply that an answer from the cache is, which was cleared again.
    pub(super) fn hit(clearing: Clearing, output: &OutputGate, screened: &Screened, exchange: &mut Exchange) -> Self {
        match clearing {
            Clearing::Passed(cleared, _) => Self::restored(Head::json(), output.restore(&cleared, screened.bindings(), exchange)),
            Clearing::Blocked(block) => Self::Blocked(block),
        }
    }

    /// The reply that a whole answer is to one caller.
    pub(super) fn restored(head: Head, restoration: Restoration) -> Self {
        match restoration {
            Restoration::Passed(restored) => Self::Whole(head, restored),
            Restoration::Blocked(block) => Self::Blocked(block),
        }
    }
}
