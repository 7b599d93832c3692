//! Types that only the gates can make: to hold one is to have passed.

use bytes::Bytes;

use super::{
    placeholder::Bindings,
    rules::RuleSetId,
    verdict::{Mode, Severity},
};
use crate::{
    exchange::RuleNote,
    wire::{Request, response::Usage},
};

/// A request that has passed the input gate. Cache keys, vectors and upstream calls are made from nothing else.
#[derive(Debug, Clone)]
pub struct Screened {
    request: Request,
    bindings: Bindings,
}

impl Screened {
    pub(super) fn new(request: Request, bindings: Bindings) -> Self {
        Self { request, bindings }
    }

    /// The request as the rules left it.
    pub fn request(&self) -> &Request {
        &self.request
    }

    /// The caller's own values, which the answer gets back last of all.
    pub fn bindings(&self) -> &Bindings {
        &self.bindings
    }
}

/// A whole answer that has passed the output gate.
#[derive(Debug, Clone)]
pub struct Cleared {
    body: Bytes,
    rules: RuleSetId,
    notes: Vec<RuleNote>,
}

impl Cleared {
    pub(super) fn new(body: Bytes, rules: RuleSetId, notes: Vec<RuleNote>) -> Self {
        Self { body, rules, notes }
    }

    /// The answer as the rules left it.
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// The same answer after somebody who was asked has had a say: its body then, and what was noted beside.
    pub(super) fn amended(mut self, body: Bytes, notes: Vec<RuleNote>) -> Self {
        self.notes.extend(notes);
        Self { body, ..self }
    }

    /// The form in which it may be kept.
    pub fn into_stored(self) -> Stored {
        Stored { body: self.body, rules: self.rules, notes: self.notes }
    }
}

/// The model said all that it had to say. Nothing enters the cache without this.
#[derive(Debug)]
pub struct Complete(Usage);

impl Complete {
    pub(super) fn new(usage: Usage) -> Self {
        Self(usage)
    }

    /// The tokens that the answer cost.
    pub fn usage(&self) -> Usage {
        self.0
    }

    /// The token is spent; the tokens that the answer cost remain.
    pub fn into_usage(self) -> Usage {
        self.0
    }
}

/// An answer that was cleared once, under the rules of its day. Only the output gate makes it [`Cleared`] again.
#[derive(Debug, Clone)]
pub struct Stored {
    pub(super) body: Bytes,
    pub(super) rules: RuleSetId,
    pub(super) notes: Vec<RuleNote>,
}

impl Stored {
    /// Puts one together again from what a store wrote down; `None` if a note says what no rule does.
    pub fn from_store(body: Bytes, rules: [u8; 16], notes: &[(&str, &str)]) -> Option<Self> {
        let note = |&(rule, word): &(&str, &str)| {
            let action = Mode::words().find(|known| *known == word)?;
            // The severity is not kept; the gate, which knows the rule, says it.
            Some(RuleNote { rule: rule.to_owned(), action, severity: Severity::default().as_str() })
        };
        let notes = notes.iter().map(note).collect::<Option<_>>()?;
        Some(Self { body, rules: RuleSetId(rules), notes })
    }

    /// The answer.
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// Whether it names no placeholder but those of this request: any other was made for somebody else.
    pub fn suits(&self, screened: &Screened) -> bool {
        std::str::from_utf8(&self.body).is_ok_and(|body| !screened.bindings.lacks_one_of(body))
    }

    /// What identifies the rule set that it was cleared under.
    pub fn rules(&self) -> [u8; 16] {
        self.rules.0
    }

    /// What those rules did.
    pub fn notes(&self) -> &[RuleNote] {
        &self.notes
    }

    /// Bytes that it occupies, about.
    pub fn size(&self) -> usize {
        self.body.len() + self.notes.iter().map(|note| note.rule.len() + size_of::<RuleNote>()).sum::<usize>()
    }
}
