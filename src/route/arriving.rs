//! A body as it arrives, in the words of the endpoint whoever the provider is.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};

use super::provider::Events;
use crate::{error::Error, outbound::Body};

/// A body as it arrives.
#[derive(Debug)]
pub struct Arriving {
    body: Body,
    events: Option<Box<dyn Events>>,
}

impl Arriving {
    /// A body that is passed on as it is, or translated.
    pub(super) fn new(body: Body, events: Option<Box<dyn Events>>) -> Self {
        Self { body, events }
    }
}

impl HttpBody for Arriving {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let Self { body, events } = &mut *self;
        loop {
            let frame = ready!(Pin::new(&mut *body).poll_frame(cx));
            let Some(translator) = events else { return Poll::Ready(frame) };
            let told = match frame {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => translator.push(data),
                    Err(_trailers) => continue,
                },
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => {
                    let last = translator.finish();
                    *events = None;
                    return Poll::Ready(match last {
                        Ok(last) if last.is_empty() => None,
                        last => Some(last.map(Frame::data)),
                    });
                }
            };
            match told {
                Ok(told) if told.is_empty() => {}
                told => return Poll::Ready(Some(told.map(Frame::data))),
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.events.is_none() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        if self.events.is_none() { self.body.size_hint() } else { SizeHint::default() }
    }
}
