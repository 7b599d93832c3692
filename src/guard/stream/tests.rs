//! Streams through the output gate, frame by frame.

use std::{collections::VecDeque, sync::Arc};

use super::*;
use crate::{
    exchange::Tenant,
    guard::{Settings, rules::load},
};

/// A body from frames that are all there.
struct Frames(VecDeque<Result<Bytes, Error>>);

impl Body for Frames {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        Poll::Ready(self.0.pop_front().map(|frame| frame.map(Frame::data)))
    }
}

fn stream(frames: Vec<Result<Bytes, Error>>) -> ClearedStream<Frames> {
    let settings = Settings { builtin: true, directory: None, overrides: Default::default() };
    let gate = OutputGate::new(Arc::new(load(&settings).unwrap()));
    ClearedStream::new(Frames(frames.into()), StreamGate::new(gate, Endpoint::Chat))
}

/// Whether what has been read is an answer that may be kept.
fn kept(stream: ClearedStream<Frames>) -> bool {
    let clearing = stream.finish(&mut Exchange::new("t".to_owned(), Tenant([0; 16])));
    matches!(clearing, Some(Clearing::Passed(_, Some(_))))
}

fn poll(stream: &mut ClearedStream<Frames>) -> Option<Result<Bytes, Error>> {
    let mut cx = Context::from_waker(std::task::Waker::noop());
    match Pin::new(stream).poll_frame(&mut cx) {
        Poll::Ready(frame) => frame.map(|frame| frame.map(|frame| frame.into_data().unwrap())),
        Poll::Pending => panic!("frames are all there"),
    }
}

fn chunk(delta: &str, finish: &str) -> String {
    format!("data: {{\"choices\":[{{\"index\":0,\"delta\":{delta},\"finish_reason\":{finish}}}]}}\n\n")
}

fn frames(text: &str, size: usize) -> Vec<Result<Bytes, Error>> {
    text.as_bytes().chunks(size).map(|chunk| Ok(Bytes::copy_from_slice(chunk))).collect()
}

#[test]
fn relays_the_same_bytes_and_keeps_a_whole_answer() {
    let text = chunk("{\"content\":\"hi\"}", "null") + &chunk("{}", "\"stop\"") + "data: [DONE]\n\n";
    for size in [1, 7, 1000] {
        let mut stream = stream(frames(&text, size));
        let mut out = Vec::new();
        while let Some(frame) = poll(&mut stream) {
            out.extend_from_slice(&frame.unwrap());
        }
        assert_eq!(out, text.as_bytes());
        assert!(kept(stream));
    }
}

#[test]
fn keeps_nothing_of_a_stream_that_did_not_end_well() {
    let start = chunk("{\"content\":\"hi\"}", "null");
    let cut =
        [start.clone(), start.clone() + "data: [DONE]\n\n", start.clone() + &chunk("{}", "\"length\"") + "data: [DONE]\n\n"];
    for text in cut {
        let mut stream = stream(frames(&text, 1000));
        while poll(&mut stream).is_some() {}
        assert!(!kept(stream), "{text}");
    }
}

#[test]
fn what_came_before_a_failure_is_told_and_nothing_after_it() {
    let whole = chunk("{}", "\"stop\"") + "data: [DONE]\n\n";
    let reset = || Err(Error::new(Kind::UpstreamReset, "gone"));
    let malformed = vec![Ok(Bytes::from(whole.clone() + "data: {oops\n\n")), Ok(Bytes::from(whole.clone()))];
    let cases = [(malformed, Kind::UpstreamMalformed), (vec![Ok(Bytes::from(whole.clone())), reset()], Kind::UpstreamReset)];
    for (frames, kind) in cases {
        let mut stream = stream(frames);
        assert_eq!(poll(&mut stream).unwrap().unwrap(), whole);
        assert_eq!(poll(&mut stream).unwrap().unwrap_err().kind(), kind);
        assert!(poll(&mut stream).is_none());
        assert!(!kept(stream), "{kind:?}");
    }
}

#[test]
fn a_stream_that_nobody_read_to_its_end_is_not_kept() {
    let mut stream = stream(frames(&(chunk("{}", "\"stop\"") + "data: [DONE]\n\n"), 1000));
    assert!(poll(&mut stream).is_some());
    assert!(!kept(stream));
}
