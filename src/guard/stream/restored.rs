//! A stream as one caller gets it: the placeholders that it names are that caller's own values again.

use std::{borrow::Cow, sync::LazyLock};

use bytes::{Bytes, BytesMut};

use super::{
    chunk,
    window::{Edited, Editor, Window},
};
use crate::{
    guard::{
        checks::Shape,
        placeholder::{Bindings, SHAPE},
        restore::values,
        rules::Horizon,
    },
    wire::{channel::Channel, sse},
};

/// What may be the beginning of a placeholder is held back.
static HORIZON: LazyLock<Horizon> =
    LazyLock::new(|| Horizon::of_shapes(&regex_syntax::parse(SHAPE).map(|shape| Shape::of(&shape)).into_iter().collect::<Vec<_>>()));

/// Gives one caller its values back, last of all: what comes out is kept nowhere.
#[derive(Debug)]
pub struct Restoring(Window<Restorer>);

#[derive(Debug)]
struct Restorer(Bindings);

impl Restoring {
    /// With these values.
    pub fn new(bindings: Bindings) -> Self {
        Self(Window::new(Restorer(bindings)))
    }

    /// Takes whole events that were cleared; gives those that may be told.
    pub fn events(&mut self, events: &Bytes) -> Bytes {
        let mut at = 0;
        while at < events.len() {
            let end = at + sse::first_event(&events[at..]);
            self.take(events.slice(at..end));
            at = end;
        }
        self.told()
    }

    /// Nothing more will come: gives what was held back.
    pub fn finish(&mut self) -> Bytes {
        self.0.end();
        self.told()
    }

    fn take(&mut self, event: Bytes) {
        match sse::data_of(&event).pop() {
            None => self.0.push(event, None, false),
            Some(data) if data == sse::DONE => {
                self.0.end();
                self.0.push(event, None, true);
            }
            Some(data) => self.0.push(event, chunk(data).ok(), true),
        }
    }

    fn told(&mut self) -> Bytes {
        let mut told = std::iter::from_fn(|| self.0.next()).map(|told| told.event);
        let first = told.next().unwrap_or_default();
        let rest: Vec<Bytes> = told.collect();
        self.0.forget();
        if rest.is_empty() {
            return first;
        }
        let mut out = BytesMut::from(first);
        rest.iter().for_each(|event| out.extend_from_slice(event));
        out.freeze()
    }
}

impl Editor for Restorer {
    fn edit(&mut self, channel: Channel, text: &str, settled: usize, ended: bool) -> Edited {
        let end = if ended { text.len() } else { HORIZON.settled(text, settled).at };
        let found = values(&self.0, &text[settled..end], channel.field.is_json());
        let edits = found.into_iter().map(|(span, value)| (settled + span.start..settled + span.end, value.into_owned()));
        Edited { settled: end, edits: edits.collect() }
    }

    fn context(&self) -> usize {
        0
    }
}
