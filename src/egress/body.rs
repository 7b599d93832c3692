//! The body of a response, in its few forms.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::StatusCode;
use http_body::{Body as HttpBody, Frame, SizeHint};

use tokio::sync::mpsc;

use super::{events::Events, refusal};
use crate::{
    error::{Error, Result},
    pipeline::Arriving,
    wire::{Speaker, dialect, replay::Replay, sse},
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
    Spoken(Box<Spoken>),
}

/// Events, told in other words.
#[derive(Debug)]
struct Spoken {
    told: Body,
    words: Box<dyn dialect::Events>,
    over: bool,
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

    /// The same in the words of who asked. What was passed on unread stays as it is.
    pub(super) fn spoken(self, status: StatusCode, speaker: &Speaker) -> Self {
        match (self.0, speaker.events()) {
            (Form::Whole(Some(bytes)), _) if status.is_success() => Self::whole(speaker.answer(bytes)),
            (Form::Whole(Some(bytes)), _) => Self::whole(speaker.dialect().error_body(status.as_u16(), bytes)),
            (told @ (Form::Told(_) | Form::Events(_)), Some(words)) => {
                Self(Form::Spoken(Box::new(Spoken { told: Self(told), words, over: false })))
            }
            (other, _) => Self(other),
        }
    }

    /// Bytes as they come. A failure in the middle breaks the connection, so that nobody takes half for the whole.
    pub(super) fn arriving(body: Arriving) -> Self {
        Self(Form::Arriving(Box::new(body)))
    }
}

impl Spoken {
    /// The next events that say something.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>>>> {
        while !self.over {
            let events = if let Some(frame) = ready!(Pin::new(&mut self.told).poll_frame(cx)) {
                frame?.into_data().map_or_else(|_| Ok(Bytes::new()), |data| self.words.push(data))?
            } else {
                self.over = true;
                self.words.finish()?
            };
            if !events.is_empty() {
                return Poll::Ready(Some(Ok(Frame::data(events))));
            }
        }
        Poll::Ready(None)
    }
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>>>> {
        match &mut self.0 {
            Form::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Form::Told(events) => Poll::Ready(events.next().map(|events| Ok(Frame::data(events)))),
            Form::Arriving(body) => Pin::new(body).poll_frame(cx),
            Form::Made(pieces) => pieces.poll_recv(cx).map(|piece| piece.map(|piece| Ok(Frame::data(piece)))),
            Form::Spoken(spoken) => spoken.poll(cx),
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
            Form::Told(_) | Form::Events(_) | Form::Arriving(_) | Form::Made(_) | Form::Spoken(_) => SizeHint::default(),
        }
    }
}
