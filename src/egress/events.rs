//! The events of a stream, with what hooks came to before and behind what it says.
//!
//! Clients stop reading at `[DONE]`, so it waits until the hooks have judged the whole.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Bytes, BytesMut};
use http_body::{Body, Frame};

use super::hooks;
use crate::{
    error::Error,
    exchange::{Exchange, HookReport},
    guard::Gate,
    pipeline::Stream,
    wire::sse,
};

/// What is still to be told of a stream.
#[derive(Debug)]
pub(super) struct Events {
    stream: Box<Stream>,
    /// Told before it.
    first: Option<Bytes>,
    /// Whether something is told behind it.
    more: bool,
    /// The last event, while it waits.
    done: Option<Bytes>,
}

impl Events {
    /// The events alone.
    pub(super) fn of(stream: Box<Stream>) -> Self {
        Self { stream, first: None, more: false, done: None }
    }

    /// With what hooks come to.
    pub(super) fn with_hooks(stream: Box<Stream>, exchange: &Exchange) -> Self {
        let first = hooks::chunk(Gate::Input, &exchange.hooks).map(|chunk| sse::event(chunk.to_string().as_bytes()));
        Self { stream, first, more: exchange.hooks.expected, done: None }
    }

    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(Ok(Frame::data(first))));
        }
        loop {
            let frame = ready!(Pin::new(&mut self.stream).poll_frame(cx));
            let Some(Ok(frame)) = frame else {
                let last = self.done.take().filter(|_| frame.is_none()).map(|done| self.last(&done));
                return Poll::Ready(last.map(|last| Ok(Frame::data(last))).or(frame));
            };
            let Ok(events) = frame.into_data() else { continue };
            if !self.more {
                return Poll::Ready(Some(Ok(Frame::data(events))));
            }
            let (events, done) = without_done(events);
            self.done = self.done.take().or(done);
            if !events.is_empty() {
                return Poll::Ready(Some(Ok(Frame::data(events))));
            }
        }
    }

    /// The last event, and before it what the hooks came to.
    fn last(&self, done: &[u8]) -> Bytes {
        let report = HookReport { after: self.stream.hook_results(), ..HookReport::default() };
        let mut out = BytesMut::new();
        if let Some(chunk) = hooks::chunk(Gate::Output, &report) {
            sse::push_event(&mut out, chunk.to_string().as_bytes());
        }
        out.extend_from_slice(done);
        out.freeze()
    }
}

/// Whole events, those from `[DONE]` on apart.
fn without_done(events: Bytes) -> (Bytes, Option<Bytes>) {
    let mut at = 0;
    while events[at..].windows(sse::DONE.len()).any(|word| word == sse::DONE) {
        let end = at + sse::first_event(&events[at..]);
        if sse::data_of(&events[at..end]).iter().any(|data| data == sse::DONE) {
            return (events.slice(..at), Some(events.slice(at..)));
        }
        at = end;
    }
    (events, None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_event_is_told_apart_and_no_other() {
        let cases = [
            ("data: a\n\ndata: [DONE]\n\n", "data: a\n\n", Some("data: [DONE]\n\n")),
            ("data: [DONE]\n\n: bye\n\n", "", Some("data: [DONE]\n\n: bye\n\n")),
            ("data:[DONE]\r\n\r\n", "", Some("data:[DONE]\r\n\r\n")),
            ("data: say [DONE]\n\ndata: b\n\n", "data: say [DONE]\n\ndata: b\n\n", None),
            ("", "", None),
        ];
        for (events, rest, done) in cases {
            let told = without_done(Bytes::from_static(events.as_bytes()));
            assert_eq!(told, (Bytes::from_static(rest.as_bytes()), done.map(Bytes::from)), "{events:?}");
        }
    }
}
