//! Translation for one provider, without I/O: where a request goes, what it says there, and what its answer means here.
//!
//! Inside Lockgate everything is the chat wire. A [`Provider`] turns a request of it into what one host understands, and that host's answers and events into it
//! again. The table of hosts that are known by name is data ([`named`]); two shapes of bodies cover it.

use std::{collections::BTreeMap, fmt, sync::Arc};

use bytes::Bytes;
use http::{HeaderMap, StatusCode, Uri};

use crate::{
    error::Result,
    wire::{Endpoint, Request},
};

mod address;
mod anthropic;
mod openai;
mod table;

pub use crate::wire::dialect::Events;
pub use address::Unfit;
pub use table::{Entry, Kind, all, named};

/// Translates for one provider.
pub trait Provider: fmt::Debug + Send + Sync {
    /// Its name, as in `x-portkey-provider`.
    fn slug(&self) -> &str;

    /// Scheme, host and port.
    fn origin(&self) -> &Uri;

    /// What identifies it in a cache key: its base, with all that was told of it.
    fn identity(&self) -> &str;

    /// Path and query of a request; `None` if it has no such endpoint.
    fn path(&self, route: Route<'_>) -> Option<String>;

    /// The body that it understands.
    fn body(&self, request: &Request) -> Result<Bytes>;

    /// Adds its own headers, and the key in the form in which it takes one. Of the client's headers, only those that may go on are there.
    fn add_headers(&self, key: Option<&str>, headers: &mut HeaderMap) -> Result<()>;

    /// A whole answer, or an error, on the wire of the endpoint. `created` is the time in seconds since 1970, for providers that do not tell it.
    fn answer(&self, endpoint: Endpoint, status: StatusCode, body: Bytes, created: u64) -> Bytes;

    /// What turns its events into those of the endpoint; `None` if they are.
    fn events(&self, request: &Request, created: u64) -> Option<Box<dyn Events>>;
}

/// Where a request goes.
#[derive(Debug, Clone, Copy)]
pub enum Route<'r> {
    /// To an endpoint that is read, for this model.
    Read(Endpoint, &'r str),
    /// To one that is not: the path under the base, with the query.
    Unread(&'r str),
}

/// What is told of a provider beside its slug.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// Another base than the table's, such as `https://proxy.example/v1`.
    pub base_url: Option<Uri>,
    /// What the table has in braces, under the names of Portkey's configs: `azure_resource_name`, `vertex_region`, …
    pub values: BTreeMap<String, String>,
}

impl Entry {
    /// The provider, once it is told what it needs to know.
    pub fn provider(&'static self, options: &Options) -> std::result::Result<Arc<dyn Provider>, Unfit> {
        let address = address::Address::of(self, options)?;
        Ok(match self.kind {
            Kind::Openai => Arc::new(openai::OpenAi::new(self, address, options.base_url.is_some())),
            Kind::Anthropic => Arc::new(anthropic::Anthropic::new(self, address)),
        })
    }
}

#[cfg(test)]
mod tests;
