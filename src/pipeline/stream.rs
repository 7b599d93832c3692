//! A stream as one client is told it, and the record that is closed when it ends.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::{Body, Frame};

use super::{
    flight::Waiting,
    tape::{End, Reader, Whole},
};
use crate::{
    error::{Error, Result},
    exchange::{Ending, Exchange, HookResult},
    guard::{Bindings, Restoring},
    ledger::Record,
};

/// Events as they arrive. Dropped before its end, it was cancelled by its client.
#[derive(Debug)]
pub struct Stream {
    reader: Reader,
    /// The flight goes on as long as this is there.
    _waiting: Waiting,
    open: Option<(Option<Record>, Exchange)>,
    /// Gives this client its own values back, if it has any.
    restoring: Option<Box<Restoring>>,
    /// The end, while what was held back before it is told.
    end: Option<Result<()>>,
}

impl Stream {
    pub(super) fn new(reader: Reader, waiting: Waiting, bindings: &Bindings, record: Option<Record>, exchange: Exchange) -> Self {
        let restoring = (!bindings.is_empty()).then(|| Box::new(Restoring::new(bindings.clone())));
        Self { reader, _waiting: waiting, open: Some((record, exchange)), restoring, end: None }
    }

    /// What the hooks on the whole came to, once it is at its end.
    pub fn hook_results(&self) -> Vec<HookResult> {
        self.reader.end().map(|end| end.hooks).unwrap_or_default()
    }

    /// The next events for this client, or the end, with the last of what was held back before it.
    fn poll_events(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes>>> {
        loop {
            if let Some(end) = self.end.take() {
                return Poll::Ready(end.err().map(Err));
            }
            let arrived = ready!(self.reader.poll_events(cx));
            let Some(restoring) = &mut self.restoring else { return Poll::Ready(arrived) };
            let events = match arrived {
                Some(Ok(events)) => restoring.events(&events),
                over => {
                    self.end = Some(over.map_or(Ok(()), |arrived| arrived.map(drop)));
                    restoring.finish()
                }
            };
            if !events.is_empty() {
                return Poll::Ready(Some(Ok(events)));
            }
        }
    }

    fn close(&mut self, ending: Ending) {
        let Some((record, mut exchange)) = self.open.take() else { return };
        let mut cut = false;
        if let Some(End { rules, failures, cost, usd, estimated, whole, .. }) = self.reader.end() {
            exchange.note_rules(rules);
            exchange.note_failures(failures);
            (exchange.cost, exchange.usd, exchange.estimated) = (cost, usd, estimated);
            cut = ending == Ending::Finished && matches!(whole, Some(Whole::Blocked(_)));
        }
        match record {
            Some(record) if cut => record.blocked(&exchange),
            Some(record) => record.ended(&exchange, ending),
            None => {}
        }
    }
}

impl Body for Stream {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>>>> {
        let events = ready!(self.poll_events(cx));
        match &events {
            Some(Ok(_)) => {}
            Some(Err(error)) => self.close(Ending::Failed(error.kind())),
            None => self.close(Ending::Finished),
        }
        Poll::Ready(events.map(|events| events.map(Frame::data)))
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.close(Ending::Cancelled);
    }
}
