//! What goes into the pipeline and what comes out: all that ingress and egress need to know of the stages.

use super::Stream;
pub use crate::{
    access::Caller,
    cache::Wish,
    route::{Arriving, Head, Passage, Unread},
};
use crate::{
    guard::{Block, Restored},
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
