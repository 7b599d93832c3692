//! Anthropic, through the dialect of its Messages.

use bytes::Bytes;
use http::{HeaderMap, StatusCode, Uri};
use serde_json::Value;

use super::{
    Entry, Events, Provider, Route,
    address::Address,
    openai::{add_key, object},
};
use crate::{
    error::Result,
    wire::{Endpoint, Request, dialect::messages},
};

/// A host that serves Messages.
#[derive(Debug)]
pub(super) struct Anthropic {
    entry: &'static Entry,
    address: Address,
}

impl Anthropic {
    pub(super) fn new(entry: &'static Entry, address: Address) -> Self {
        Self { entry, address }
    }
}

impl Provider for Anthropic {
    fn slug(&self) -> &str {
        &self.entry.slug
    }

    fn origin(&self) -> &Uri {
        &self.address.origin
    }

    fn identity(&self) -> &str {
        &self.address.identity
    }

    fn path(&self, route: Route<'_>) -> Option<String> {
        match route {
            Route::Read(Endpoint::Chat, _) => Some(self.address.path(Route::Unread("/messages"))),
            Route::Read(Endpoint::Completions | Endpoint::Embeddings, _) => None,
            unread @ Route::Unread(_) => Some(self.address.path(unread)),
        }
    }

    fn body(&self, request: &Request) -> Result<Bytes> {
        let body = messages::request_from_chat(object(request)?.into());
        Ok(body.to_string().into())
    }

    fn add_headers(&self, key: Option<&str>, headers: &mut HeaderMap) -> Result<()> {
        self.address.add_headers(headers);
        add_key(self.entry.auth, key, headers)
    }

    /// What is no answer of Anthropic's, such as a page of a proxy before it, stays as it is.
    fn answer(&self, _endpoint: Endpoint, status: StatusCode, body: Bytes, created: u64) -> Bytes {
        let Ok(told) = serde_json::from_slice::<Value>(&body) else { return body };
        let chat = if status.is_success() { messages::answer_to_chat(told, created) } else { messages::error_to_chat(told) };
        chat.map_or(body, |chat| chat.to_string().into())
    }

    fn events(&self, request: &Request, created: u64) -> Option<Box<dyn Events>> {
        Some(messages::events_to_chat(created, request.include_usage()))
    }
}
