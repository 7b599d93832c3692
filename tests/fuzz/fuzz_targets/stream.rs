//! Any texts as the pieces of a stream: what is told of them is what a whole answer would say, never a panic.
//!
//! `cargo fuzz run --fuzz-dir tests/fuzz stream`
#![no_main]

use std::{
    collections::{BTreeMap, VecDeque},
    pin::Pin,
    sync::LazyLock,
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use http_body::{Body, Frame};
use libfuzzer_sys::fuzz_target;
use lockgate::{
    error::Error,
    exchange::{Exchange, Tenant},
    guard::{ClearedStream, Clearing, Gates, OutputGate, Override, Settings, rules::load},
    wire::{Endpoint, sse},
};
use serde_json::{Value, json};

/// The output rules that ship, all of which replace.
static GATE: LazyLock<OutputGate> = LazyLock::new(|| {
    let overrides = BTreeMap::from([("violent-threat".to_owned(), Override::Replace)]);
    Gates::of(&load(&Settings { builtin: true, directory: None, overrides }).unwrap()).output
});

/// Frames that are all there.
struct Frames(VecDeque<Bytes>);

impl Body for Frames {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        Poll::Ready(self.0.pop_front().map(|frame| Ok(Frame::data(frame))))
    }
}

fuzz_target!(|pieces: Vec<String>| {
    let said = |delta: Value, reason: Value| {
        sse::event(json!({ "choices": [{ "index": 0, "delta": delta, "finish_reason": reason }] }).to_string().as_bytes())
    };
    let deltas = pieces.iter().map(|piece| said(json!({ "content": piece }), Value::Null));
    let end = [said(json!({ "content": "" }), json!("stop")), sse::event(sse::DONE)];
    let mut stream = ClearedStream::new(Frames(deltas.chain(end).collect()), GATE.clone(), Endpoint::Chat, Tenant([0; 16]));
    let mut told = String::new();
    while let Poll::Ready(Some(frame)) = Pin::new(&mut stream).poll_frame(&mut Context::from_waker(Waker::noop())) {
        for data in sse::data_of(&frame.unwrap().into_data().unwrap()).iter().filter(|data| *data != sse::DONE) {
            let chunk: Value = serde_json::from_slice(data).unwrap();
            told += chunk["choices"][0]["delta"]["content"].as_str().unwrap();
        }
    }
    let mut exchange = Exchange::new("fuzz".to_owned(), Tenant([0; 16]));
    assert!(matches!(stream.finish(&mut exchange), Some(Clearing::Passed(..))));
    let whole = json!({ "choices": [{ "message": { "content": pieces.concat() }, "finish_reason": "stop" }] });
    let Ok(Clearing::Passed(cleared, _)) = GATE.clear_body(Endpoint::Chat, whole.to_string().into(), &mut exchange) else {
        panic!("a rule that replaces blocks");
    };
    let cleared: Value = serde_json::from_slice(cleared.body()).unwrap();
    assert_eq!(cleared["choices"][0]["message"]["content"], told);
});
