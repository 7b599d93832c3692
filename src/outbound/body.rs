//! An upstream's answer as it arrives. Reading it drives its connection; dropping it early closes it.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame};
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep, sleep};

use super::{connection::Connection, pool::Return, seconds};
use crate::error::{Error, Kind};

/// A response body.
#[derive(Debug)]
pub struct Body {
    incoming: Incoming,
    connection: Option<(Connection, Return)>,
    idle: Duration,
    /// Made when the upstream is silent for the first time: most answers are there at once.
    timer: Option<Pin<Box<Sleep>>>,
}

impl Body {
    pub(super) fn new(incoming: Incoming, connection: Connection, back: Return, idle: Duration) -> Self {
        Self { incoming, connection: Some((connection, back)), idle, timer: None }
    }

    fn finish(&mut self) {
        if let Some((connection, back)) = self.connection.take() {
            back.give(connection);
        }
    }

    /// Bytes that were read let the connection read more, so it is driven before and after. Trailers end here, and are the
    /// end: a server connection that is given trailers which its client did not ask for never ends the answer.
    fn poll_incoming(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        for _ in 0..2 {
            if let Some((connection, _)) = &mut self.connection {
                connection.drive(cx);
            }
            match Pin::new(&mut self.incoming).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) if frame.is_trailers() => return Poll::Ready(None),
                Poll::Ready(frame) => return Poll::Ready(frame),
                Poll::Pending => {}
            }
        }
        Poll::Pending
    }

    fn poll_silence(&mut self, cx: &mut Context<'_>) -> Poll<Error> {
        let idle = self.idle;
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep(idle)));
        timer.as_mut().poll(cx).map(|()| {
            let message = format!(
                "The upstream was silent for {} in the middle of its answer. Try again, or raise `upstream.idle_timeout`.",
                seconds(idle)
            );
            Error::new(Kind::UpstreamTimeout, message)
        })
    }
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let this = &mut *self;
        match this.poll_incoming(cx) {
            Poll::Ready(Some(Ok(frame))) => {
                if let Some(timer) = &mut this.timer {
                    timer.as_mut().reset(Instant::now() + this.idle);
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(cause))) => {
                this.connection = None;
                let message = "The upstream broke off in the middle of its answer. Try again, or ask the provider.";
                Poll::Ready(Some(Err(Error::new(Kind::UpstreamReset, message).because(cause))))
            }
            Poll::Ready(None) => {
                this.finish();
                Poll::Ready(None)
            }
            Poll::Pending => this.poll_silence(cx).map(|error| {
                this.connection = None;
                Some(Err(error))
            }),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream() && self.connection.is_none()
    }
}
