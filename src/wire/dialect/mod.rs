//! Other shapes of the same conversation. Lockgate reads, judges, caches and shares the chat wire alone; what comes in or goes out in another shape is
//! translated at the door.
//!
//! All of it is pure. What chat has no word for stays in the chat body under the name that it had: [`messages`] there and back is the same request, and
//! [`messages::strip`] takes it out for a host that knows chat alone.

use std::fmt;

use bytes::{Bytes, BytesMut};
use serde_json::{Map, Value};

use super::{
    Json,
    request::{self, refuse_lookalikes},
    sse::{self, Splitter},
};
use crate::error::{Error, Kind, Result};

pub mod messages;
pub mod responses;

/// The shape in which a client speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// OpenAI's chat, completions and embeddings: what is read here as it is.
    Chat,
    /// Anthropic's Messages.
    Messages,
    /// OpenAI's Responses.
    Responses,
}

/// A client that has asked, and how it wants to be answered.
#[derive(Debug, Clone)]
pub enum Speaker {
    /// As it is.
    Chat,
    /// As Messages.
    Messages,
    /// As Responses, which repeat what was asked for.
    Responses(responses::Echo),
}

/// Where a Messages request has what the app says.
const OF_MESSAGES: [&str; 2] = ["system", "output_config"];

impl Dialect {
    /// Reads a request: its body on the chat wire, and who asks.
    pub fn read(self, body: Bytes) -> Result<(Bytes, Speaker)> {
        match self {
            Self::Chat => Ok((body, Speaker::Chat)),
            Self::Messages => {
                let json = request::json(body)?;
                refuse_lookalikes(json.root(), &OF_MESSAGES, "")?;
                Ok((messages::request_to_chat(value(&json)?)?.to_string().into(), Speaker::Messages))
            }
            Self::Responses => {
                let (chat, echo) = responses::request_to_chat(value(&request::json(body)?)?)?;
                Ok((chat.to_string().into(), Speaker::Responses(echo)))
            }
        }
    }

    /// An error in the shape that its clients read, which is chat's for all of OpenAI's. Where it cannot be read, they are told the status alone.
    pub fn error_body(self, status: u16, error: Bytes) -> Bytes {
        match self {
            Self::Chat | Self::Responses => error,
            Self::Messages => {
                let error = serde_json::from_slice(&error).unwrap_or_default();
                messages::error_from_chat(status, error).to_string().into()
            }
        }
    }
}

impl Speaker {
    /// One of whose request nothing is known.
    pub fn of(dialect: Dialect) -> Self {
        match dialect {
            Dialect::Chat => Self::Chat,
            Dialect::Messages => Self::Messages,
            Dialect::Responses => Self::Responses(responses::Echo::default()),
        }
    }

    /// How it speaks.
    pub fn dialect(&self) -> Dialect {
        match self {
            Self::Chat => Dialect::Chat,
            Self::Messages => Dialect::Messages,
            Self::Responses(_) => Dialect::Responses,
        }
    }

    /// A whole answer in its words. What is no answer stays as it is.
    pub fn answer(&self, body: Bytes) -> Bytes {
        let chat = || serde_json::from_slice(&body).ok();
        let told = match self {
            Self::Chat => None,
            Self::Messages => chat().and_then(messages::answer_from_chat),
            Self::Responses(echo) => chat().and_then(|chat| responses::answer_from_chat(chat, echo)),
        };
        told.map_or(body, |told| told.to_string().into())
    }

    /// What turns events into its own; `None` if they are.
    pub fn events(&self) -> Option<Box<dyn Events>> {
        match self {
            Self::Chat => None,
            Self::Messages => Some(messages::events_from_chat()),
            Self::Responses(echo) => Some(responses::events_from_chat(echo.clone())),
        }
    }
}

/// A body as it can be taken apart. Numbers that no double holds are not accepted where that is needed.
fn value(json: &Json) -> Result<Value> {
    serde_json::from_slice(json.bytes()).map_err(|error| {
        let message = "The request has a number that is not accepted here. Write numbers as a double holds them.";
        Error::new(Kind::InvalidRequest, message).because(error)
    })
}

/// Turns a stream of events into another, as its bytes arrive.
pub trait Events: fmt::Debug + Send + Sync {
    /// Takes the next bytes, however they are cut; gives the events that are whole (maybe none).
    fn push(&mut self, bytes: Bytes) -> Result<Bytes>;

    /// Nothing more will come; gives what is left to say.
    fn finish(&mut self) -> Result<Bytes>;
}

/// Translates one event after the other.
trait Translate: fmt::Debug + Send + Sync {
    /// Takes the data of one event.
    fn event(&mut self, data: &[u8], out: &mut BytesMut) -> Result<()>;

    /// Takes a comment, which keeps a connection alive.
    fn comment(&mut self, out: &mut BytesMut);

    /// Nothing more will come.
    fn end(&mut self, out: &mut BytesMut);
}

/// A translator of events, and the bytes that are no whole event yet.
#[derive(Debug)]
struct Translated<T> {
    splitter: Splitter,
    inner: T,
}

impl<T: Translate> Translated<T> {
    fn of(inner: T) -> Self {
        Self { splitter: Splitter::default(), inner }
    }

    fn whole(&mut self, events: &[u8]) -> Result<Bytes> {
        let (mut out, data) = (BytesMut::new(), sse::data_of(events));
        if data.is_empty() && !events.is_empty() {
            self.inner.comment(&mut out);
        }
        for data in data {
            self.inner.event(&data, &mut out)?;
        }
        Ok(out.freeze())
    }
}

impl<T: Translate> Events for Translated<T> {
    fn push(&mut self, bytes: Bytes) -> Result<Bytes> {
        let endless = |_| Error::new(Kind::UpstreamMalformed, "The upstream's stream has an event without an end.");
        let events = self.splitter.push(bytes).map_err(endless)?;
        self.whole(&events)
    }

    fn finish(&mut self) -> Result<Bytes> {
        let rest = self.splitter.finish();
        let mut out = BytesMut::from(&*self.whole(&rest)?);
        self.inner.end(&mut out);
        Ok(out.freeze())
    }
}

/// Takes a field out of an object, unless it is null.
fn taken(object: &mut Map<String, Value>, key: &str) -> Option<Value> {
    object.shift_remove(key).filter(|value| !value.is_null())
}

/// Takes a string out of an object. What is no string is taken as well.
fn text(object: &mut Map<String, Value>, key: &str) -> Option<String> {
    match object.shift_remove(key) {
        Some(Value::String(text)) => Some(text),
        _ => None,
    }
}

/// Takes an array out of an object; what is none is an empty one.
fn list(object: &mut Map<String, Value>, key: &str) -> Vec<Value> {
    match object.shift_remove(key) {
        Some(Value::Array(items)) => items,
        _ => Vec::new(),
    }
}

/// Takes an object out of an object; what is none is an empty one.
fn members(object: &mut Map<String, Value>, key: &str) -> Map<String, Value> {
    match object.shift_remove(key) {
        Some(Value::Object(members)) => members,
        _ => Map::new(),
    }
}

/// The members of a value that is an object.
fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}

/// Whether this is the `type` of a block, a part, a tool or an event.
fn is(value: &Value, kind: &str) -> bool {
    value.get("type").is_some_and(|found| found == kind)
}

#[cfg(test)]
mod golden;
