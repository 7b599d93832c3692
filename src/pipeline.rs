//! The order of the stages, from top to bottom. Nothing else knows it.

use bytes::Bytes;
use http::HeaderMap;

use crate::{
    access::Access,
    cache::{self, Cache, CachePlan, Lookup, Ticket},
    error::{Error, Result},
    exchange::{Ending, Exchange},
    guard::{Cleared, ClearedStream, Clearing, Complete, InputGate, OutputGate, Screening, StreamGate, hold},
    ledger::{self, Record},
    route::{AnswerBody, Router},
    wire::Endpoint,
};

mod call;

pub use call::{Arriving, Call, Caller, Head, Passage, Reply, Unread, Wish};

/// All stages.
#[derive(Debug)]
pub struct Pipeline {
    /// Who may call.
    pub access: Access,
    /// 1
    pub input: InputGate,
    /// 2 and 5
    pub cache: Cache,
    /// What the operator gives of the cache.
    pub cache_settings: cache::Settings,
    /// 3
    pub router: Router,
    /// 4
    pub output: OutputGate,
}

impl Pipeline {
    /// Says who calls, before anything is read.
    pub fn admit(&self, headers: &HeaderMap) -> Result<Caller> {
        self.access.admit(headers)
    }

    /// Writes down a request that never became a call.
    pub fn refused(&self, error: &Error, trace_id: &str) {
        ledger::refused(error, trace_id);
    }

    /// Takes a request through all stages, and writes down how it ended.
    pub async fn handle(&self, call: Call, exchange: &mut Exchange) -> Result<Reply> {
        let mut record = Some(Record::of(&call.request, call.caller.key.clone(), &exchange.trace_id));
        let reply = self.stages(call, exchange, &mut record).await;
        // The record of a stream is closed when the stream ends.
        if let Some(record) = record {
            match &reply {
                Ok(Reply::Blocked(_)) => record.blocked(exchange),
                Ok(Reply::Whole(head, _)) => record.answered(exchange, head.status.is_success()),
                Ok(Reply::Stream(..)) => record.answered(exchange, true),
                Err(error) => record.fail(exchange, error),
            }
        }
        reply
    }

    async fn stages(&self, call: Call, exchange: &mut Exchange, record: &mut Option<Record>) -> Result<Reply> {
        let endpoint = call.request.endpoint();
        // 1: nothing is looked up, embedded or sent before it is screened.
        let screened = match self.input.screen(call.request, exchange)? {
            Screening::Passed(screened) => screened,
            Screening::Blocked(block) => return Ok(Reply::Blocked(block)),
        };
        // 2: a hit still has to pass the output gate.
        let plan = CachePlan::of(&self.cache_settings, &call.wish);
        let ticket = match self.cache.lookup(&screened, &plan, self.router.identity(), exchange).await {
            Lookup::Hit(stored) => {
                let clearing = self.output.clear_stored(endpoint, stored, exchange)?;
                return Ok(self.settle(clearing, Head::json(), None));
            }
            Lookup::Miss(ticket) => Some(ticket),
            Lookup::Bypass => None,
        };
        // 3: on a miss or a bypass, the upstream.
        let answer = self.router.attempt(&screened, &call.passage, exchange).await?;
        // 4 and 5: what was cleared and is complete is kept.
        match answer.body {
            AnswerBody::Whole(body) => self.whole(endpoint, answer.head, body, ticket, exchange),
            AnswerBody::Arriving(body) if self.output.holds_streams() => {
                let clearing = hold(body, StreamGate::new(self.output.clone(), endpoint), exchange).await?;
                Ok(self.settle(clearing, answer.head.as_json(), ticket))
            }
            AnswerBody::Arriving(body) => {
                let on_end = self.on_end(ticket, record.take());
                let gate = StreamGate::new(self.output.clone(), endpoint);
                let stream = ClearedStream::new(body, gate, exchange.clone(), Box::new(on_end));
                Ok(Reply::Stream(answer.head, Box::new(stream)))
            }
        }
    }

    fn whole(
        &self,
        endpoint: Endpoint,
        head: Head,
        body: Bytes,
        ticket: Option<Ticket>,
        exchange: &mut Exchange,
    ) -> Result<Reply> {
        if !head.status.is_success() {
            return Ok(Reply::Whole(head, self.output.wave_through(body)));
        }
        let clearing = self.output.clear_body(endpoint, body, exchange)?;
        Ok(self.settle(clearing, head, ticket))
    }

    fn settle(&self, clearing: Clearing, head: Head, ticket: Option<Ticket>) -> Reply {
        match clearing {
            Clearing::Blocked(block) => Reply::Blocked(block),
            Clearing::Passed(cleared, complete) => {
                self.cache.settle(ticket, complete.map(|complete| (cleared.clone(), complete)));
                Reply::Whole(head, cleared)
            }
        }
    }

    /// What happens after the last event of a stream, wherever it came from.
    fn on_end(
        &self,
        ticket: Option<Ticket>,
        record: Option<Record>,
    ) -> impl FnOnce(Exchange, Option<(Cleared, Complete)>, Ending) + use<> {
        let cache = self.cache.clone();
        move |exchange, kept, ending| {
            cache.settle(ticket, kept);
            if let Some(record) = record {
                record.ended(&exchange, ending);
            }
        }
    }

    /// Passes on an endpoint that is not read: no gate, no cache.
    pub async fn relay(&self, unread: Unread, passage: &Passage, exchange: &mut Exchange) -> Result<(Head, Arriving)> {
        let record = Record::unguarded(&unread.path, &exchange.trace_id);
        let answer = self.router.relay(unread, passage, exchange).await;
        match &answer {
            Ok((head, _)) => record.answered(exchange, head.status.is_success()),
            Err(error) => record.fail(exchange, error),
        }
        answer
    }
}
