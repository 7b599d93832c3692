//! A stream as one client is told it, and the record that is closed when it ends.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::{Body, Frame};

use super::{
    flight::Waiting,
    tape::{End, Reader},
};
use crate::{
    error::{Error, Result},
    exchange::{Ending, Exchange},
    ledger::Record,
};

/// Events as they arrive. Dropped before its end, it was cancelled by its client.
#[derive(Debug)]
pub struct Stream {
    reader: Reader,
    /// The flight goes on as long as this is there.
    _waiting: Waiting,
    open: Option<(Option<Record>, Exchange)>,
}

impl Stream {
    pub(super) fn new(reader: Reader, waiting: Waiting, record: Option<Record>, exchange: Exchange) -> Self {
        Self { reader, _waiting: waiting, open: Some((record, exchange)) }
    }

    fn close(&mut self, ending: Ending) {
        let Some((record, mut exchange)) = self.open.take() else { return };
        if let Some(End { rules, cost, .. }) = self.reader.end() {
            exchange.note_rules(rules);
            exchange.cost = cost;
        }
        if let Some(record) = record {
            record.ended(&exchange, ending);
        }
    }
}

impl Body for Stream {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>>>> {
        let frame = ready!(Pin::new(&mut self.reader).poll_frame(cx));
        match &frame {
            Some(Ok(_)) => {}
            Some(Err(error)) => self.close(Ending::Failed(error.kind())),
            None => self.close(Ending::Finished),
        }
        Poll::Ready(frame)
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.close(Ending::Cancelled);
    }
}
