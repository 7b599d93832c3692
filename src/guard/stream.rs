//! A stream on its way through the output gate: relayed event by event, judged as a whole when it has ended.
//!
//! Only rules that warn run on a stream that is being told. Rules that refuse or replace need it whole, and the gate says so
//! before the first event ([`OutputGate::holds_streams`]).

use std::{
    mem,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::{Body, Frame};

use super::output::{Clearing, OutputGate};
use crate::{
    error::{Error, Kind},
    exchange::Exchange,
    wire::{
        Endpoint,
        assemble::Assembler,
        collect::{self, NotWhole},
        response::Response,
        sse::{self, Splitter},
    },
};

/// A stream is followed up to this many bytes of events; a longer one is still relayed, but neither judged nor kept.
const MAX_FOLLOWED_BYTES: usize = 8 << 20;

/// Why a stream was not what it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Broken {
    /// An event is not JSON.
    NotJson,
    /// An event has no end.
    TooLarge,
}

/// Follows the events of one stream.
#[derive(Debug)]
pub struct StreamGate {
    gate: OutputGate,
    endpoint: Endpoint,
    assembler: Assembler,
    followed: usize,
    done: bool,
    failed: bool,
}

impl StreamGate {
    /// Follows a stream of this endpoint's answers.
    pub fn new(gate: OutputGate, endpoint: Endpoint) -> Self {
        Self { gate, endpoint, assembler: Assembler::default(), followed: 0, done: false, failed: false }
    }

    /// Takes the bytes of whole events.
    pub fn events(&mut self, events: &[u8]) -> Result<(), Broken> {
        self.followed += events.len();
        for data in sse::data_of(events) {
            if data == sse::DONE {
                self.done = true;
                continue;
            }
            let chunk: serde_json::Value = serde_json::from_slice(&data).map_err(|_| Broken::NotJson)?;
            self.failed |= chunk.get("error").is_some_and(|error| !error.is_null());
            if self.followed <= MAX_FOLLOWED_BYTES {
                self.assembler.push(chunk);
            }
        }
        Ok(())
    }

    /// The whole answer, judged; `None` if the stream did not come to its own end.
    pub fn finish(self, exchange: &mut Exchange) -> Option<Clearing> {
        let whole = self.done && !self.failed && self.followed <= MAX_FOLLOWED_BYTES && self.assembler.finished();
        let response = whole.then(|| Response::decode(self.endpoint, self.assembler.finish().to_string().into()).ok())??;
        Some(self.gate.clear(&response, exchange))
    }
}

/// Waits for a stream that cannot be told before it was judged.
pub async fn hold<B>(body: B, mut gate: StreamGate, exchange: &mut Exchange) -> Result<Clearing, Error>
where
    B: Body<Data = Bytes, Error = Error> + Unpin,
{
    let events = collect::whole(body, MAX_FOLLOWED_BYTES).await.map_err(|error| match error {
        NotWhole::TooLarge => Error::new(Kind::UpstreamMalformed, "The upstream's stream is too long to be judged as a whole."),
        NotWhole::Broken(error) => error,
    })?;
    gate.events(&events).map_err(broken_stream)?;
    gate.finish(exchange).ok_or_else(|| {
        let message = "The upstream's stream ended early, so it could not be judged. Try again, or ask the provider.";
        Error::new(Kind::UpstreamReset, message)
    })
}

/// The only form in which events reach a client.
#[derive(Debug)]
pub struct ClearedStream<B> {
    inner: B,
    splitter: Splitter,
    gate: StreamGate,
    state: State,
}

/// How far a stream has come.
#[derive(Debug)]
enum State {
    /// More may come.
    Open,
    /// It broke off, or an event is broken; what came before that has been told.
    Broken(Error),
    /// The upstream has said all.
    Ended,
    /// The error has been told, too.
    Failed,
}

impl<B> ClearedStream<B> {
    /// Relays `inner` through the gate.
    pub fn new(inner: B, gate: StreamGate) -> Self {
        Self { inner, splitter: Splitter::default(), gate, state: State::Open }
    }

    /// The whole answer, judged; `None` if it has not been read to its own end.
    pub fn finish(self, exchange: &mut Exchange) -> Option<Clearing> {
        matches!(self.state, State::Ended).then(|| self.gate.finish(exchange))?
    }

    /// The events up to the first that is broken; the error is told after them.
    fn follow(&mut self, events: &Bytes) -> Bytes {
        let mut fine = 0;
        while fine < events.len() {
            let end = fine + sse::first_event(&events[fine..]);
            if let Err(broken) = self.gate.events(&events[fine..end]) {
                self.state = State::Broken(broken_stream(broken));
                break;
            }
            fine = end;
        }
        events.slice(..fine)
    }

    /// The last bytes, which may lack their blank line.
    fn rest(&mut self) -> Option<Result<Frame<Bytes>, Error>> {
        self.state = State::Ended;
        let rest = self.splitter.finish();
        let rest = self.follow(&rest);
        (!rest.is_empty()).then(|| Ok(Frame::data(rest)))
    }
}

fn broken_stream(broken: Broken) -> Error {
    let reason = match broken {
        Broken::NotJson => "an event that is not JSON",
        Broken::TooLarge => "an event without an end",
    };
    Error::new(
        Kind::UpstreamMalformed,
        format!("The upstream's stream has {reason}; it was cut off there. Try again, or ask the provider."),
    )
}

impl<B: Body<Data = Bytes, Error = Error> + Unpin> Body for ClearedStream<B> {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let this = &mut *self;
        loop {
            match mem::replace(&mut this.state, State::Failed) {
                State::Open => this.state = State::Open,
                State::Broken(error) => return Poll::Ready(Some(Err(error))),
                over @ (State::Ended | State::Failed) => {
                    this.state = over;
                    return Poll::Ready(None);
                }
            }
            let frame = match ready!(Pin::new(&mut this.inner).poll_frame(cx)) {
                Some(Ok(frame)) => frame,
                Some(Err(error)) => {
                    this.state = State::Broken(error);
                    continue;
                }
                None => match this.rest() {
                    Some(rest) => return Poll::Ready(Some(rest)),
                    None => continue,
                },
            };
            let data = match frame.into_data() {
                Ok(data) => data,
                Err(trailers) => return Poll::Ready(Some(Ok(trailers))),
            };
            let Ok(whole) = this.splitter.push(data) else {
                this.state = State::Broken(broken_stream(Broken::TooLarge));
                continue;
            };
            let whole = this.follow(&whole);
            if !whole.is_empty() {
                return Poll::Ready(Some(Ok(Frame::data(whole))));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::*;
    use crate::{
        exchange::Tenant,
        guard::{Gates, Settings, rules::load},
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
        let gate = Gates::of(&load(&settings).unwrap()).output;
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
}
