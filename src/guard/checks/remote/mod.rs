//! Kinds that call out. They are asked after all others, at once with each other, and only where none of the others blocks.

use std::{collections::BTreeMap, fmt, future::Future, pin::Pin, time::Duration};

use crate::{
    error::Result,
    guard::verdict::Gate,
    outbound::Client,
    wire::{Request, response::Response},
};
use bytes::Bytes;
use http::HeaderMap;

mod call;
mod jwt;
mod log;
mod valid_urls;
mod webhook;

pub use jwt::Jwt;
pub use log::Log;
pub use valid_urls::ValidUrls;
pub use webhook::Webhook;

pub(super) use jwt::{Terms, Token};
pub(super) use log::Sink;
pub(super) use valid_urls::Follow;
pub(super) use webhook::Hook;

/// A check that calls out. Its rule cannot replace; it may itself say what takes a body's place.
pub trait RemoteCheck: Send + Sync + fmt::Debug {
    /// Asks about a request, or about a whole answer.
    fn ask<'a>(&'a self, client: &'a Client, question: &'a Question<'a>) -> Asking<'a>;

    /// How long that may take.
    fn timeout(&self) -> Duration;
}

/// An answer that is awaited.
pub type Asking<'a> = Pin<Box<dyn Future<Output = Result<Answer>> + Send + 'a>>;

/// What a check that calls out is asked about.
#[derive(Debug, Clone, Copy)]
pub struct Question<'q> {
    /// The request, as the rules left it.
    pub request: &'q Request,
    /// At the output gate the answer, as the rules left it.
    pub response: Option<&'q Response>,
    /// What the client says of the request.
    pub metadata: &'q BTreeMap<String, String>,
    /// The client's headers.
    pub headers: &'q HeaderMap,
}

impl Question<'_> {
    /// At which gate it is asked.
    pub fn gate(&self) -> Gate {
        if self.response.is_some() { Gate::Output } else { Gate::Input }
    }
}

/// What such a check says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answer {
    /// Whether the rule matches.
    pub matches: bool,
    /// The body that takes the place of the one that was asked about.
    pub changed: Option<Bytes>,
}

impl Answer {
    fn of(matches: bool) -> Self {
        Self { matches, changed: None }
    }
}
