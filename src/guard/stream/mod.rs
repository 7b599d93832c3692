//! A stream on its way through the output gate: told event by event, as far as the rules are sure of it.
//!
//! [`window`] holds back what a rule may still match, [`judge`] says what it is, and [`transcript`] puts together what was told. A rule that needs the
//! whole answer to refuse it makes the stream wait ([`hold`]); the gate says so before the first event ([`OutputGate::holds_streams`]).
//! Last of all, [`restored`] gives each caller its own values back.

mod hold;
mod judge;
mod restored;
mod transcript;
mod window;

pub use hold::hold;
pub use restored::Restoring;

use std::{
    collections::VecDeque,
    future::poll_fn,
    mem,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Body, Frame};

use self::{judge::Judge, transcript::Transcript, window::Window};
use super::{
    Block, Cleared, Complete,
    output::{Clearing, OutputGate},
};
use crate::{
    error::{Error, Kind},
    exchange::{Exchange, Tenant},
    wire::{
        Endpoint,
        halves::Halves,
        json::Value,
        response,
        sse::{self, Splitter},
    },
};

/// How long a response waits for its first text, so that a refusal of it can still be one. A model that thinks longer is not waited for.
const HEAD_WAIT: Duration = Duration::from_millis(250);

/// Why a stream ends that a rule has cut.
const CUT: &str = "content_filter";

/// Why a stream was not what it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Broken {
    /// An event is not JSON, or not the same JSON to everybody.
    NotJson,
    /// An event has no end.
    TooLarge,
    /// Before it has said anything it says that it cannot, in these words.
    Refused(String),
}

/// The only form in which events reach a client.
#[derive(Debug)]
pub struct ClearedStream<B> {
    inner: B,
    splitter: Splitter,
    halves: Halves,
    gate: OutputGate,
    endpoint: Endpoint,
    window: Window<Judge>,
    transcript: Transcript,
    /// Cleared, and not yet taken.
    ready: VecDeque<Bytes>,
    /// Whether some text was cleared.
    spoken: bool,
    state: State,
}

/// How far a stream has come.
#[derive(Debug)]
enum State {
    /// More may come.
    Open,
    /// It broke off, or an event is broken; what came before that has been told.
    Broken(Error),
    /// The upstream has said all, or a rule has cut it.
    Ended,
    /// The error has been told, too.
    Failed,
}

impl<B: Body<Data = Bytes, Error = Error> + Unpin> ClearedStream<B> {
    /// Relays `inner` through the gate; it answers a request of this tenant.
    pub fn new(inner: B, gate: OutputGate, endpoint: Endpoint, tenant: Tenant) -> Self {
        Self {
            inner,
            splitter: Splitter::default(),
            halves: Halves::default(),
            window: Window::new(Judge::new(gate.clone(), tenant)),
            gate,
            endpoint,
            transcript: Transcript::default(),
            ready: VecDeque::new(),
            spoken: false,
            state: State::Open,
        }
    }

    /// Waits a little for the first text. A stream that is cut before it is refused like a whole answer, and one that breaks before it has failed like one: nobody
    /// has been told anything, and another may be asked.
    pub async fn begin(&mut self, exchange: &mut Exchange) -> Result<Option<Block>, Error> {
        let begun = poll_fn(|cx| {
            while !self.spoken && matches!(self.state, State::Open) {
                ready!(self.advance(cx));
            }
            Poll::Ready(())
        });
        // Who is not waited for any more goes on where it is.
        let _late = tokio::time::timeout(HEAD_WAIT, begun).await;
        self.window.editor.note(exchange);
        match mem::replace(&mut self.state, State::Failed) {
            State::Broken(error) if !self.spoken => return Err(error),
            state => self.state = state,
        }
        Ok(self.window.editor.block.clone().filter(|_| !self.spoken))
    }

    /// The whole answer, judged; `None` if it has not been read to its own end.
    pub fn finish(self, exchange: &mut Exchange) -> Option<Clearing> {
        let Self { gate, endpoint, window, transcript, state, .. } = self;
        let judge = &window.editor;
        judge.note(exchange);
        if let Some(block) = judge.block.clone() {
            return Some(Clearing::Blocked(block));
        }
        let response = transcript.finish(endpoint).filter(|_| matches!(state, State::Ended))?;
        let outcome = judge.judge_whole(window.texts());
        outcome.note(exchange);
        if let Some(block) = outcome.block {
            // It has been told, but nobody else gets it.
            return Some(Clearing::Blocked(block));
        }
        // What could not be judged is not kept: the next time it may be.
        let judged = judge.failures.is_empty() && outcome.failures.is_empty();
        let complete = (response.complete() && judged).then(|| Complete::new(response.usage()));
        Some(Clearing::Passed(Cleared::new(response.json().bytes().clone(), gate.rules().id(), outcome.notes), complete))
    }

    /// Takes what has arrived.
    fn advance(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match ready!(Pin::new(&mut self.inner).poll_frame(cx)) {
            Some(Ok(frame)) => {
                // What is no data are trailers, which end here.
                let Ok(data) = frame.into_data() else { return Poll::Ready(()) };
                let followed = self.splitter.push(data).map_err(|_| Broken::TooLarge).and_then(|events| self.follow(&events));
                if let Err(broken) = followed {
                    self.end(State::Broken(broken.into()));
                }
            }
            Some(Err(error)) => self.end(State::Broken(error)),
            None => {
                // The last bytes may lack their blank line.
                let rest = self.splitter.finish();
                let followed = self.follow(&rest);
                self.end(followed.map_or_else(|broken| State::Broken(broken.into()), |()| State::Ended));
            }
        }
        if self.window.editor.block.is_some() && matches!(self.state, State::Open) {
            self.cut();
        }
        Poll::Ready(())
    }

    /// Takes whole events, up to the first that is broken.
    fn follow(&mut self, events: &Bytes) -> Result<(), Broken> {
        let (waiting, mut as_it_came) = (self.ready.len(), self.window.is_empty());
        let (mut at, mut followed) = (0, Ok(()));
        while at < events.len() && followed.is_ok() && self.window.editor.block.is_none() {
            let end = at + sse::first_event(&events[at..]);
            match self.take(events.slice(at..end)) {
                Ok(same) => {
                    as_it_came &= same & self.tell();
                    at = end;
                }
                Err(broken) => followed = Err(broken),
            }
        }
        // What goes on as it came goes on in one piece.
        if as_it_came && at > 0 && self.window.is_empty() {
            self.ready.truncate(waiting);
            self.ready.push_back(events.slice(..at));
        }
        followed
    }

    /// Takes an event; whether it is as it came.
    fn take(&mut self, event: Bytes) -> Result<bool, Broken> {
        match sse::data_of(&event).pop() {
            // A comment keeps the connection alive, and need not wait.
            None => self.window.push(event, None, false),
            Some(data) if data == sse::DONE => {
                self.window.end();
                self.transcript.done();
                self.window.push(event, None, true);
            }
            Some(data) => {
                let (chunk, as_it_came) = self.halves.read(data).map_err(|_| Broken::NotJson)?;
                if let Some(error) = chunk.root().get("error").filter(|error| !self.spoken && !error.is_null()) {
                    let message = error.get("message").and_then(Value::as_str).unwrap_or_default();
                    return Err(Broken::Refused(message.into_owned()));
                }
                let event = if as_it_came { event } else { sse::with_data(&event, chunk.bytes()) };
                self.window.push(event, Some(chunk), true);
                return Ok(as_it_came);
            }
        }
        Ok(true)
    }

    /// Clears the events that may be told; whether they are as they came.
    fn tell(&mut self) -> bool {
        let mut as_it_came = true;
        while self.window.editor.block.is_none()
            && let Some(told) = self.window.next()
        {
            told.chunk.iter().for_each(|chunk| self.transcript.push(chunk));
            as_it_came &= !told.edited;
            self.spoken |= told.speaks;
            self.ready.push_back(told.event);
        }
        if !self.transcript.follows() {
            self.window.forget();
        }
        as_it_came
    }

    /// Nothing more will come; what was held back is judged as it stands.
    fn end(&mut self, state: State) {
        self.window.end();
        self.tell();
        if self.window.editor.block.is_some() {
            self.cut();
        } else {
            self.state = state;
        }
    }

    /// What was told stays told; what was not never is.
    fn cut(&mut self) {
        let last = self.transcript.last_chunk(CUT).to_string();
        self.ready.extend([sse::event(last.as_bytes()), sse::event(sse::DONE)]);
        self.state = State::Ended;
    }
}

impl From<Broken> for Error {
    fn from(broken: Broken) -> Self {
        let reason = match broken {
            Broken::NotJson => "an event that is not JSON",
            Broken::TooLarge => "an event without an end",
            Broken::Refused(message) => return response::refused(&message),
        };
        let message = format!("The upstream's stream has {reason}; it was cut off there. Try again, or ask the provider.");
        Self::new(Kind::UpstreamMalformed, message)
    }
}

impl<B: Body<Data = Bytes, Error = Error> + Unpin> Body for ClearedStream<B> {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let this = &mut *self;
        loop {
            if let Some(events) = this.ready.pop_front() {
                return Poll::Ready(Some(Ok(Frame::data(events))));
            }
            match mem::replace(&mut this.state, State::Failed) {
                State::Open => this.state = State::Open,
                State::Broken(error) => return Poll::Ready(Some(Err(error))),
                over @ (State::Ended | State::Failed) => {
                    this.state = over;
                    return Poll::Ready(None);
                }
            }
            ready!(this.advance(cx));
        }
    }
}

#[cfg(test)]
mod splits;
#[cfg(test)]
mod tests;
