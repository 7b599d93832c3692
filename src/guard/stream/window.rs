//! The events of a stream, each held back until the texts that it goes on with are settled.
//!
//! Events are told whole and in their order: what is replaced is put into the event in which it begins and taken out of those in which
//! it goes on, and everything else in them stays as it came.

use std::{
    collections::{BTreeMap, VecDeque},
    ops::Range,
};

use bytes::Bytes;

use crate::wire::{
    Json,
    channel::{self, Channel, Piece, Place},
    sse,
};

/// Who says how much of a text is settled, and what is put in place of what.
pub(super) trait Editor {
    /// Looks at a text that has grown. What is before `settled` was looked at before; once it has `ended`, all of it is settled.
    fn edit(&mut self, channel: Channel, text: &str, settled: usize, ended: bool) -> Edited;

    /// How many bytes before what is settled it must still see.
    fn context(&self) -> usize;
}

/// What an editor says of a text.
#[derive(Debug, Default)]
pub(super) struct Edited {
    /// It is settled up to here, in bytes.
    pub(super) settled: usize,
    /// Texts for spans that are settled now, in order.
    pub(super) edits: Vec<(Range<usize>, String)>,
}

/// The events that are held back, and the texts that they tell.
#[derive(Debug)]
pub(super) struct Window<E> {
    pub(super) editor: E,
    lines: BTreeMap<Channel, Line>,
    held: VecDeque<Held>,
}

/// One text. Offsets count from its beginning, of which the first `gone` bytes are not kept.
#[derive(Debug, Default)]
struct Line {
    text: String,
    gone: usize,
    settled: usize,
    edits: Vec<(Range<usize>, String)>,
}

/// An event and where it stands in the texts.
#[derive(Debug)]
struct Held {
    event: Bytes,
    chunk: Option<Json>,
    slots: Vec<Slot>,
}

/// A piece of a text: which, where in the text, where in the chunk.
#[derive(Debug)]
struct Slot {
    channel: Channel,
    told: Range<usize>,
    place: Place,
}

/// An event that may be told.
#[derive(Debug)]
pub(super) struct Told {
    pub(super) event: Bytes,
    /// Its data, if that is a chunk.
    pub(super) chunk: Option<Bytes>,
    /// Whether it is another than came.
    pub(super) edited: bool,
    /// Whether it tells some text.
    pub(super) speaks: bool,
}

impl<E: Editor> Window<E> {
    pub(super) fn new(editor: E) -> Self {
        Self { editor, lines: BTreeMap::new(), held: VecDeque::new() }
    }

    /// Takes an event, and its data if that is a chunk. One without data keeps the connection alive, and need not wait.
    pub(super) fn push(&mut self, event: Bytes, chunk: Option<Json>, waits: bool) {
        let slots: Vec<_> = chunk.iter().flat_map(channel::pieces).map(|piece| self.grow(piece)).collect();
        for slot in slots.iter().filter(|slot| !slot.told.is_empty()) {
            self.settle(slot.channel, false);
        }
        let held = Held { event, chunk, slots };
        if waits { self.held.push_back(held) } else { self.held.push_front(held) }
    }

    /// Nothing more will come: all texts are settled.
    pub(super) fn end(&mut self) {
        let channels: Vec<_> = self.lines.keys().copied().collect();
        for channel in channels {
            self.settle(channel, true);
        }
    }

    /// The next event that may be told.
    pub(super) fn next(&mut self) -> Option<Told> {
        let settled = |slot: &Slot| self.lines.get(&slot.channel).is_none_or(|line| slot.told.end <= line.settled);
        if !self.held.front()?.slots.iter().all(settled) {
            return None;
        }
        let held = self.held.pop_front()?;
        Some(self.told(held))
    }

    /// Whether nothing is held back.
    pub(super) fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// Forgets what need not be seen again of texts that are told.
    pub(super) fn forget(&mut self) {
        if self.is_empty() {
            let context = self.editor.context();
            self.lines.values_mut().for_each(|line| line.forget(context));
        }
    }

    /// The texts as they came, if none of it was forgotten.
    pub(super) fn texts(&self) -> impl Iterator<Item = (Channel, &str)> {
        self.lines.iter().map(|(channel, line)| (*channel, line.text.as_str()))
    }

    fn grow(&mut self, piece: Piece<'_>) -> Slot {
        let Piece { channel, text, place } = piece;
        let line = self.lines.entry(channel).or_default();
        let start = line.end();
        line.text.push_str(&text);
        Slot { channel, told: start..line.end(), place }
    }

    fn settle(&mut self, channel: Channel, ended: bool) {
        let Some(line) = self.lines.get_mut(&channel) else { return };
        let gone = line.gone;
        let Edited { settled, edits } = self.editor.edit(channel, &line.text, line.settled - gone, ended);
        line.settled = gone + settled;
        line.edits.extend(edits.into_iter().map(|(span, with)| (gone + span.start..gone + span.end, with)));
    }

    fn told(&mut self, held: Held) -> Told {
        let Held { event, chunk, slots } = held;
        let speaks = slots.iter().any(|slot| !slot.told.is_empty());
        let Some(json) = chunk else { return Told { event, chunk: None, edited: false, speaks } };
        let mut changes = Vec::new();
        for slot in slots {
            let Some(line) = self.lines.get_mut(&slot.channel) else { continue };
            changes.extend(line.edited(&slot.told).map(|text| (slot.place, text)));
            line.edits.retain(|(span, _)| span.end > slot.told.end);
        }
        if changes.is_empty() {
            return Told { event, chunk: Some(json.bytes().clone()), edited: false, speaks };
        }
        let data = channel::rewritten(&json, changes);
        Told { event: sse::with_data(&event, &data), chunk: Some(data), edited: true, speaks }
    }
}

impl Line {
    fn end(&self) -> usize {
        self.gone + self.text.len()
    }

    /// What stands in place of a part of the text; `None` if it stays.
    fn edited(&self, part: &Range<usize>) -> Option<String> {
        let edits = self.edits.iter().filter(|(span, _)| span.start < part.end && part.start < span.end);
        let mut out = None;
        let mut at = part.start;
        for (span, with) in edits {
            let out = out.get_or_insert_with(String::new);
            if span.start >= part.start {
                out.push_str(&self.text[at - self.gone..span.start - self.gone]);
                out.push_str(with);
            }
            at = span.end.min(part.end);
        }
        out.map(|out| out + &self.text[at - self.gone..part.end - self.gone])
    }

    fn forget(&mut self, context: usize) {
        let cut = self.text.floor_char_boundary((self.settled - self.gone).saturating_sub(context));
        self.text.drain(..cut);
        self.gone += cut;
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// Settles words, and replaces `bad` by `[B]`.
    struct Words;

    impl Editor for Words {
        fn edit(&mut self, _: Channel, text: &str, settled: usize, ended: bool) -> Edited {
            let end = if ended { text.len() } else { text.rfind(' ').map_or(settled, |space| space.max(settled)) };
            let found = text[settled..end].match_indices("bad");
            let edits = found.map(|(at, bad)| (settled + at..settled + at + bad.len(), "[B]".to_owned())).collect();
            Edited { settled: end, edits }
        }

        fn context(&self) -> usize {
            2
        }
    }

    fn push(window: &mut Window<Words>, chunk: &Value) {
        let data = chunk.to_string();
        window.push(sse::event(data.as_bytes()), Some(Json::parse(data.into()).unwrap()), true);
    }

    fn said(text: &str) -> Value {
        json!({"id": "x", "choices": [{"index": 0, "delta": {"content": text}, "logprobs": {"content": [{"token": text}]}}]})
    }

    fn told(window: &mut Window<Words>) -> Vec<(String, bool)> {
        let told = std::iter::from_fn(|| window.next());
        told.map(|told| serde_json::from_slice::<Value>(&told.chunk.unwrap()).unwrap())
            .map(|chunk| {
                let choice = &chunk["choices"][0];
                (choice["delta"]["content"].as_str().unwrap().to_owned(), choice["logprobs"].is_null())
            })
            .collect()
    }

    #[test]
    fn an_event_waits_until_its_text_is_settled_and_keeps_what_is_not_replaced() {
        let mut window = Window::new(Words);
        push(&mut window, &said("a"));
        assert!(window.next().is_none());
        push(&mut window, &said(" b"));
        assert_eq!(told(&mut window), [("a".to_owned(), false)]);
        push(&mut window, &said("a"));
        push(&mut window, &said("d"));
        assert_eq!(told(&mut window), []);
        window.end();
        let expected = [(" [B]", true), ("", true), ("", true)];
        assert_eq!(told(&mut window), expected.map(|(text, unspelled)| (text.to_owned(), unspelled)));
    }

    #[test]
    fn what_is_told_is_forgotten_and_what_follows_stands_where_it_stood() {
        let mut window = Window::new(Words);
        for text in ["one ", "two ", "a bad ", "three ", "bad "] {
            push(&mut window, &said(text));
            told(&mut window);
            window.forget();
        }
        window.end();
        assert_eq!(told(&mut window), [("[B] ".to_owned(), true)]);
        window.forget();
        assert_eq!(window.texts().next().unwrap().1, "d ");
    }

    #[test]
    fn an_event_that_says_nothing_goes_ahead_of_those_that_wait() {
        let mut window = Window::new(Words);
        push(&mut window, &said("a"));
        window.push(Bytes::from_static(b": alive\n\n"), None, false);
        assert_eq!(window.next().unwrap().event, ": alive\n\n");
        assert!(window.next().is_none());
    }
}
