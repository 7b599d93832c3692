//! The body of a response, in its few forms.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};

use tokio::sync::mpsc;

use super::{events::Events, refusal};
use crate::{
    error::Error,
    pipeline::Arriving,
    wire::{replay::Replay, sse},
};

/// A response body.
#[derive(Debug)]
pub struct Body(Form);

#[derive(Debug)]
enum Form {
    Whole(Option<Bytes>),
    Told(Box<Replay>),
    Events(Box<Events>),
    Arriving(Box<Arriving>),
    Made(mpsc::Receiver<Bytes>),
}

impl Body {
    /// All of it.
    pub fn whole(bytes: Bytes) -> Self {
        Self(Form::Whole(Some(bytes).filter(|bytes| !bytes.is_empty())))
    }

    /// The events of a whole answer, made as the client takes them.
    pub(super) fn told(events: Replay) -> Self {
        Self(Form::Told(Box::new(events)))
    }

    /// Events as they come. A failure in the middle is told as a last event, in the shape of an error.
    pub(super) fn events(events: Events) -> Self {
        Self(Form::Events(Box::new(events)))
    }

    /// Pieces as somebody makes them, until the other end is dropped.
    pub fn made(pieces: mpsc::Receiver<Bytes>) -> Self {
        Self(Form::Made(pieces))
    }

    /// Bytes as they come. A failure in the middle breaks the connection, so that nobody takes half for the whole.
    pub(super) fn arriving(body: Arriving) -> Self {
        Self(Form::Arriving(Box::new(body)))
    }
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        match &mut self.0 {
            Form::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Form::Told(events) => Poll::Ready(events.next().map(|events| Ok(Frame::data(events)))),
            Form::Arriving(body) => Pin::new(body).poll_frame(cx),
            Form::Made(pieces) => pieces.poll_recv(cx).map(|piece| piece.map(|piece| Ok(Frame::data(piece)))),
            Form::Events(events) => {
                let polled = events.poll(cx);
                if let Poll::Ready(Some(Err(error))) = &polled {
                    let last = sse::event(refusal::shape(error).to_string().as_bytes());
                    self.0 = Form::Whole(None);
                    return Poll::Ready(Some(Ok(Frame::data(last))));
                }
                polled
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.0, Form::Whole(None))
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Form::Whole(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, Bytes::len) as u64),
            Form::Told(_) | Form::Events(_) | Form::Arriving(_) | Form::Made(_) => SizeHint::default(),
        }
    }
}
