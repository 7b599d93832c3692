//! Hosts that speak OpenAI's wire, each with its own gaps in it.

use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, StatusCode, Uri,
    header::{AUTHORIZATION, InvalidHeaderValue},
};
use serde_json::{Map, Value};

use super::{Entry, Events, Provider, Route, address::Address, table::Auth};
use crate::{
    error::{Error, Kind, Result},
    wire::{Endpoint, Request, dialect::messages, json},
};

/// A host that understands chat as it is, or nearly so.
#[derive(Debug)]
pub(super) struct OpenAi {
    entry: &'static Entry,
    address: Address,
    /// Whether the host is another than the table's: what it refuses is then not known.
    custom: bool,
    /// Fields that it knows by another name.
    rename: Vec<(&'static str, &'static str)>,
    /// Fields of Anthropic's that it knows.
    keep: Vec<String>,
}

/// Servers of open models take these too, and one that does not, ignores them.
const KEPT_ELSEWHERE: [&str; 2] = ["top_k", "thinking"];

impl OpenAi {
    pub(super) fn new(entry: &'static Entry, address: Address, custom: bool) -> Self {
        let elsewhere = KEPT_ELSEWHERE.into_iter().filter(|_| custom).map(str::to_owned);
        let keep = entry.keep.iter().cloned().chain(elsewhere).collect();
        let own_names = entry.own_names.iter().filter(|_| !custom);
        let rename = entry.rename.iter().chain(own_names).map(|(from, to)| (from.as_str(), to.as_str())).collect();
        Self { entry, address, custom, rename, keep }
    }

    /// Whether some of the body must change. Most bodies go on byte for byte.
    fn changes(&self, request: &Request) -> bool {
        let root = request.json().root();
        let known =
            |key: &str| self.rename.iter().any(|(from, _)| *from == key) || self.entry.drop.iter().any(|drop| drop == key);
        let gaps = root.members().any(|(key, _)| key.as_str().is_some_and(|key| known(&key)));
        gaps || (self.entry.system && has_developer(root)) || messages::has_more_than_chat(request.json(), &self.keep)
    }

    fn change(&self, body: &mut Map<String, Value>) {
        messages::strip(body, &self.keep);
        for (from, to) in &self.rename {
            if let Some(value) = body.shift_remove(*from) {
                body.entry(*to).or_insert(value);
            }
        }
        body.retain(|key, _| !self.entry.drop.contains(key));
        if self.entry.system {
            let messages = body.get_mut("messages").and_then(Value::as_array_mut).into_iter().flatten();
            let roles = messages.filter_map(|message| message.get_mut("role"));
            roles.filter(|role| **role == "developer").for_each(|role| *role = "system".into());
        }
    }
}

/// Whether a message is the app's under OpenAI's newer word for it.
fn has_developer(root: json::Value<'_>) -> bool {
    let mut messages = root.get("messages").into_iter().flat_map(json::Value::items);
    messages.any(|message| message.get("role").and_then(json::Value::as_str).is_some_and(|role| role == "developer"))
}

impl Provider for OpenAi {
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
        let served = |endpoint| self.custom || self.entry.serves(endpoint);
        let has = !matches!(route, Route::Read(endpoint, _) if !served(endpoint));
        has.then(|| self.address.path(route))
    }

    fn body(&self, request: &Request) -> Result<Bytes> {
        // The gaps are in chat; the other endpoints are older than what is missing.
        if request.endpoint() != Endpoint::Chat || !self.changes(request) {
            return Ok(request.json().bytes().clone());
        }
        let mut body = object(request)?;
        self.change(&mut body);
        Ok(Value::Object(body).to_string().into())
    }

    fn add_headers(&self, key: Option<&str>, headers: &mut HeaderMap) -> Result<()> {
        self.address.add_headers(headers);
        add_key(self.entry.auth, key, headers)
    }

    fn answer(&self, _endpoint: Endpoint, _status: StatusCode, body: Bytes, _created: u64) -> Bytes {
        body
    }

    fn events(&self, _request: &Request, _created: u64) -> Option<Box<dyn Events>> {
        None
    }
}

/// The body as it can be changed. Numbers that no double holds are not accepted where it is.
pub(super) fn object(request: &Request) -> Result<Map<String, Value>> {
    serde_json::from_slice(request.json().bytes()).map_err(|error| {
        let message = "The request has a number that this provider cannot be sent. Write numbers as a double holds them.";
        Error::new(Kind::InvalidRequest, message).because(error)
    })
}

/// Sends a key in the form in which it is taken.
pub(super) fn add_key(auth: Auth, key: Option<&str>, headers: &mut HeaderMap) -> Result<()> {
    let Some(key) = key else { return Ok(()) };
    let (name, value) = match auth {
        Auth::Bearer => (AUTHORIZATION, format!("Bearer {key}")),
        Auth::ApiKey => (HeaderName::from_static("api-key"), key.to_owned()),
        Auth::XApiKey => (HeaderName::from_static("x-api-key"), key.to_owned()),
        Auth::None => return Ok(()),
    };
    let unfit = |_: InvalidHeaderValue| {
        Error::new(Kind::Internal, "The provider's key has characters that no header can hold. Write it without line breaks.")
    };
    let mut value = HeaderValue::from_str(&value).map_err(unfit)?;
    value.set_sensitive(true);
    headers.insert(name, value);
    Ok(())
}
