//! A stream on its way through the output gate: relayed event by event, judged as a whole when it has ended.
//!
//! Only rules that warn run on a stream that is being told. Rules that refuse or replace need it whole, and the gate says so
//! before the first event ([`OutputGate::holds_streams`]).

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::{Body, Frame};

use super::{
    output::{Clearing, OutputGate},
    proof::{Cleared, Complete},
};
use crate::{
    error::{Error, Kind},
    exchange::{Ending, Exchange},
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

/// What is done when a stream has ended, however it ended: at its own end with what may be kept, or early.
pub type OnEnd = Box<dyn FnOnce(Exchange, Option<(Cleared, Complete)>, Ending) + Send>;

/// The only form in which a stream reaches a client.
pub struct ClearedStream<B> {
    inner: B,
    splitter: Splitter,
    follow: Option<Follow>,
    /// An event was broken; what came before it has been told.
    broken: Option<Error>,
}

struct Follow {
    gate: StreamGate,
    exchange: Exchange,
    on_end: OnEnd,
}

impl<B> std::fmt::Debug for ClearedStream<B> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ClearedStream").finish_non_exhaustive()
    }
}

impl<B> ClearedStream<B> {
    /// Relays `inner` through the gate.
    pub fn new(inner: B, gate: StreamGate, exchange: Exchange, on_end: OnEnd) -> Self {
        Self { inner, splitter: Splitter::default(), follow: Some(Follow { gate, exchange, on_end }), broken: None }
    }

    fn end(&mut self, ending: Ending) {
        let Some(Follow { gate, mut exchange, on_end }) = self.follow.take() else { return };
        let kept = match ending {
            Ending::Finished => gate.finish(&mut exchange),
            Ending::Failed(_) | Ending::Cancelled => None,
        };
        let kept = match kept {
            Some(Clearing::Passed(cleared, Some(complete))) => Some((cleared, complete)),
            _ => None,
        };
        on_end(exchange, kept, ending);
    }

    /// The events up to the first that is broken; the error is told after them.
    fn follow(&mut self, events: Bytes) -> Bytes {
        let Some(follow) = &mut self.follow else { return events };
        let mut fine = 0;
        while fine < events.len() {
            let end = fine + sse::first_event(&events[fine..]);
            if let Err(broken) = follow.gate.events(&events[fine..end]) {
                self.broken = Some(self.fail(broken_stream(broken)));
                break;
            }
            fine = end;
        }
        events.slice(..fine)
    }

    fn fail(&mut self, error: Error) -> Error {
        self.end(Ending::Failed(error.kind()));
        error
    }

    /// The last bytes, which may lack their blank line.
    fn rest(&mut self) -> Option<Result<Frame<Bytes>, Error>> {
        self.follow.as_ref()?;
        let rest = self.splitter.finish();
        let rest = self.follow(rest);
        self.end(Ending::Finished);
        if rest.is_empty() { self.broken.take().map(Err) } else { Some(Ok(Frame::data(rest))) }
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
            if let Some(error) = this.broken.take() {
                return Poll::Ready(Some(Err(error)));
            }
            let frame = match ready!(Pin::new(&mut this.inner).poll_frame(cx)) {
                Some(Ok(frame)) => frame,
                Some(Err(error)) => return Poll::Ready(Some(Err(this.fail(error)))),
                None => return Poll::Ready(this.rest()),
            };
            let data = match frame.into_data() {
                Ok(data) => data,
                Err(trailers) => return Poll::Ready(Some(Ok(trailers))),
            };
            let Ok(whole) = this.splitter.push(data) else {
                return Poll::Ready(Some(Err(this.fail(broken_stream(Broken::TooLarge)))));
            };
            let whole = this.follow(whole);
            if !whole.is_empty() {
                return Poll::Ready(Some(Ok(Frame::data(whole))));
            }
        }
    }
}

impl<B> Drop for ClearedStream<B> {
    fn drop(&mut self) {
        self.end(Ending::Cancelled);
    }
}

#[cfg(test)]
mod tests {
    use std::{
        collections::VecDeque,
        sync::{Arc, Mutex},
    };

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

    type Seen = Arc<Mutex<Option<(bool, Ending)>>>;

    fn stream(frames: Vec<Result<Bytes, Error>>) -> (ClearedStream<Frames>, Seen) {
        let settings = Settings { builtin: true, directory: None, overrides: Default::default() };
        let gate = OutputGate::new(Arc::new(load(&settings).unwrap()));
        let seen = Seen::default();
        let on_end: OnEnd = {
            let seen = Arc::clone(&seen);
            Box::new(move |_, kept, ending| *seen.lock().unwrap() = Some((kept.is_some(), ending)))
        };
        let exchange = Exchange::new("t".to_owned(), Tenant([0; 16]));
        (ClearedStream::new(Frames(frames.into()), StreamGate::new(gate, Endpoint::Chat), exchange, on_end), seen)
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
            let (mut stream, seen) = stream(frames(&text, size));
            let mut out = Vec::new();
            while let Some(frame) = poll(&mut stream) {
                out.extend_from_slice(&frame.unwrap());
            }
            assert_eq!(out, text.as_bytes());
            assert_eq!(*seen.lock().unwrap(), Some((true, Ending::Finished)));
        }
    }

    #[test]
    fn keeps_nothing_of_a_stream_that_did_not_end_well() {
        let start = chunk("{\"content\":\"hi\"}", "null");
        let cut =
            [start.clone(), start.clone() + "data: [DONE]\n\n", start.clone() + &chunk("{}", "\"length\"") + "data: [DONE]\n\n"];
        for text in cut {
            let (mut stream, seen) = stream(frames(&text, 1000));
            while poll(&mut stream).is_some() {}
            assert_eq!(*seen.lock().unwrap(), Some((false, Ending::Finished)), "{text}");
        }
    }

    #[test]
    fn tells_malformed_reset_and_cancelled_streams_apart() {
        let (mut malformed, seen) = stream(frames("data: {oops\n\n", 1000));
        assert_eq!(poll(&mut malformed).unwrap().unwrap_err().kind(), Kind::UpstreamMalformed);
        assert_eq!(*seen.lock().unwrap(), Some((false, Ending::Failed(Kind::UpstreamMalformed))));

        let (mut reset, seen) = stream(vec![Err(Error::new(Kind::UpstreamReset, "gone"))]);
        assert_eq!(poll(&mut reset).unwrap().unwrap_err().kind(), Kind::UpstreamReset);
        assert_eq!(*seen.lock().unwrap(), Some((false, Ending::Failed(Kind::UpstreamReset))));

        let (left, seen) = stream(frames(&chunk("{}", "null"), 1000));
        drop(left);
        assert_eq!(*seen.lock().unwrap(), Some((false, Ending::Cancelled)));
    }
}
