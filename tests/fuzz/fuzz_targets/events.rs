//! Any bytes as a stream of events, split anywhere: the same bytes come out, and the same events, never a panic.
//!
//! `cargo fuzz run --fuzz-dir tests/fuzz events`
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use lockgate::wire::sse::{Splitter, data_of};

fuzz_target!(|input: (Vec<u8>, Vec<u8>)| {
    let (stream, cuts) = input;
    let (mut splitter, mut out, mut at) = (Splitter::default(), Vec::new(), 0);
    let mut events = Vec::new();
    let mut take = |whole: Bytes| {
        events.extend(data_of(&whole));
        out.extend_from_slice(&whole);
    };
    for cut in cuts {
        let end = stream.len().min(at + usize::from(cut));
        if let Ok(whole) = splitter.push(Bytes::copy_from_slice(&stream[at..end])) {
            take(whole);
        }
        at = end;
    }
    if let Ok(whole) = splitter.push(Bytes::copy_from_slice(&stream[at..])) {
        take(whole);
    }
    take(splitter.finish());
    assert_eq!(out, stream);
    assert_eq!(events, data_of(&stream));
});
