//! A stream as one caller gets it: the placeholders that it names are that caller's own values again.

use std::sync::LazyLock;

use bytes::{Bytes, BytesMut};

use super::window::{Edited, Editor, Window};
use crate::{
    guard::{
        checks::Shape,
        placeholder::{Bindings, SHAPE},
        restore::values,
        rules::Horizon,
    },
    wire::{Json, channel::Channel, sse},
};

/// What may be the beginning of a placeholder is held back.
static HORIZON: LazyLock<Horizon> = LazyLock::new(|| {
    Horizon::of_shapes(&regex_syntax::parse(SHAPE).map(|shape| Shape::of(&shape)).into_iter().collect::<Vec<_>>())
});

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
            // What was cleared is JSON.
            Some(data) => self.0.push(event, Json::parse(data.into()).ok(), true),
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
        for event in rest {
            out.extend_from_slice(&event);
        }
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn restoring() -> Restoring {
        let mut bindings = Bindings::default();
        let _ = bindings.bind("NAME", "Ann \"A\" Lee");
        Restoring::new(bindings)
    }

    /// The pieces of a stream as the caller gets them, with the delta that `delta` makes of each.
    fn told<'p>(pieces: impl IntoIterator<Item = &'p str>, delta: impl Fn(&str) -> Value) -> Vec<Value> {
        let mut restoring = restoring();
        let mut out = Vec::new();
        for piece in pieces {
            let chunk = json!({"choices": [{"index": 0, "delta": delta(piece)}]});
            out.extend_from_slice(&restoring.events(&sse::event(chunk.to_string().as_bytes())));
        }
        out.extend_from_slice(&restoring.finish());
        sse::data_of(&out)
            .iter()
            .map(|data| serde_json::from_slice::<Value>(data).unwrap()["choices"][0]["delta"].clone())
            .collect()
    }

    fn said<'p>(pieces: impl IntoIterator<Item = &'p str>) -> Vec<String> {
        let told = told(pieces, |piece| json!({ "content": piece }));
        told.into_iter().map(|delta| delta["content"].as_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn a_placeholder_in_three_pieces_comes_back_in_one() {
        assert_eq!(said(["Hi {{NA", "ME", "_1}}!"]), ["Hi Ann \"A\" Lee", "", "!"]);
    }

    #[test]
    fn what_is_no_placeholder_of_this_caller_stays() {
        for text in ["{{NAME_2}}", "{{name_1}}", "{NAME_1}", "{{NAME_", "{{"] {
            assert_eq!(said([text]), [text]);
        }
    }

    #[test]
    fn nothing_is_held_back_where_no_placeholder_can_have_begun() {
        let mut restoring = restoring();
        let event = sse::event(json!({"choices": [{"delta": {"content": "fn main() { x }"}}]}).to_string().as_bytes());
        assert_eq!(restoring.events(&event), event);
    }

    #[test]
    fn inside_of_arguments_values_are_written_as_json() {
        let call = |arguments: &str| json!({"tool_calls": [{"index": 0, "function": {"arguments": arguments}}]});
        let told = told(["{\"to\":\"{{NA", "ME_1}}\"}"], call);
        let arguments = told.iter().map(|delta| delta["tool_calls"][0]["function"]["arguments"].as_str().unwrap());
        let arguments: Value = serde_json::from_str(&arguments.collect::<String>()).unwrap();
        assert_eq!(arguments["to"], "Ann \"A\" Lee");
    }

    proptest! {
        #[test]
        fn any_split_restores_the_same(parts in prop::collection::vec("\\{\\{NAME_1\\}\\}|\\{\\{NAME_2\\}\\}|\\{|\\}|[aé_ ]{1,3}|NAME_1", 0..8), sizes in prop::collection::vec(1_usize..9, 1..9)) {
            let text = parts.concat();
            let (mut pieces, mut rest, mut sizes) = (Vec::new(), text.as_str(), sizes.into_iter().cycle());
            while !rest.is_empty() {
                let (piece, after) = rest.split_at(rest.ceil_char_boundary(sizes.next().unwrap_or(1)));
                pieces.push(piece);
                rest = after;
            }
            prop_assert_eq!(said(pieces).concat(), restoring().0.editor.0.restore(&text));
        }
    }
}
