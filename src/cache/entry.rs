//! One answer that is kept, and what is remembered of the question.

use std::time::Duration;

use super::{index::Id, scope::Key};
use crate::{
    clock,
    embed::TokenVectors,
    exchange::Tenant,
    guard::Stored,
    wire::{Endpoint, response::Usage},
};

/// What an entry occupies beside its answer: keys, times, and its places in the maps.
const OVERHEAD_BYTES: usize = 384;

/// An answer, when it was given, and how long it may be served.
#[derive(Debug)]
pub struct Entry {
    /// The answer, in the form that the output gate clears again.
    pub stored: Stored,
    /// When the upstream gave it, in milliseconds since the Unix epoch: entries outlive the process.
    pub created: u64,
    /// How long it may be served.
    pub ttl: Duration,
    /// Whose it is.
    pub about: About,
    /// What it cost, and what each hit saves.
    pub cost: Cost,
    /// What it is compared with by meaning, where it is.
    pub asked: Option<Asked>,
}

/// What operators select entries by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct About {
    /// Whose request it answered.
    pub tenant: Tenant,
    /// The namespace that the client named, or nothing.
    pub namespace: Box<str>,
    /// Which endpoint was called.
    pub endpoint: Endpoint,
    /// The model asked for.
    pub model: Box<str>,
}

/// What the upstream took for an answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cost {
    /// Tokens, as the provider counts them.
    pub usage: Usage,
    /// Time, from the lookup that missed to the end of the answer.
    pub took: Duration,
}

/// The last message of a request, as it is compared with others.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Where its vector stands.
    pub place: Place,
    /// Its words, as the input gate left them.
    pub text: Box<str>,
    /// A vector for each of its tokens.
    pub tokens: TokenVectors,
}

/// A vector's partition, and its name in there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The partition.
    pub partition: Key,
    /// The name.
    pub id: Id,
}

impl Entry {
    /// How long ago the upstream gave the answer.
    pub fn age(&self) -> Duration {
        Duration::from_millis(clock::unix_millis().saturating_sub(self.created))
    }

    /// How much longer it may be served; zero when its time is over.
    pub fn remaining(&self) -> Duration {
        self.ttl.saturating_sub(self.age())
    }

    /// Whether it may still be served.
    pub fn live(&self) -> bool {
        !self.remaining().is_zero()
    }

    /// Where its vector stands, if it has one.
    pub fn place(&self) -> Option<Place> {
        self.asked.as_ref().map(|asked| asked.place)
    }

    /// Bytes that it occupies, its vector included.
    pub fn size(&self) -> usize {
        let asked = self.asked.as_ref().map_or(0, Asked::size);
        OVERHEAD_BYTES + self.about.namespace.len() + self.about.model.len() + self.stored.size() + asked
    }
}

impl Asked {
    fn size(&self) -> usize {
        crate::embed::DIMENSIONS * size_of::<f32>() + self.text.len() + self.tokens.size()
    }
}
