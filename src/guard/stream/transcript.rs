//! What a stream has said so far, put together to the answer that it is when it has come to its own end.

use bytes::Bytes;
use serde_json::Value;

use crate::wire::{Endpoint, assemble::Assembler, response::Response};

/// A stream is followed up to this many bytes of chunks; a longer one can be told, but neither judged as a whole nor kept.
pub(super) const MAX_FOLLOWED_BYTES: usize = 8 << 20;

/// Collects the chunks of one stream.
#[derive(Debug, Default)]
pub(super) struct Transcript {
    assembler: Assembler,
    followed: usize,
    done: bool,
    failed: bool,
}

impl Transcript {
    /// Takes the data of an event. With what cannot be read as text the answer is told, and not kept.
    pub(super) fn push(&mut self, chunk: &Bytes) {
        self.followed += chunk.len();
        let Ok(chunk) = serde_json::from_slice::<Value>(chunk) else {
            self.failed = true;
            return;
        };
        self.failed |= chunk.get("error").is_some_and(|error| !error.is_null());
        if self.follows() {
            self.assembler.push(chunk);
        }
    }

    /// The stream has said that it is done.
    pub(super) fn done(&mut self) {
        self.done = true;
    }

    /// Whether all of it is there.
    pub(super) fn follows(&self) -> bool {
        self.followed <= MAX_FOLLOWED_BYTES
    }

    /// The chunk that ends the stream here, for this reason.
    pub(super) fn last_chunk(&self, reason: &str) -> Value {
        self.assembler.last_chunk(reason)
    }

    /// The whole answer; `None` if the stream did not come to its own end.
    pub(super) fn finish(self, endpoint: Endpoint) -> Option<Response> {
        let whole = self.done && !self.failed && self.follows() && self.assembler.finished();
        whole.then(|| Response::decode(endpoint, self.assembler.finish().to_string().into()).ok())?
    }
}
