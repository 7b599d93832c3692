//! The order of the stages, from top to bottom. Nothing else knows it.

use bytes::Bytes;

use crate::{
    access::Caller,
    cache::{self, Cache, CachePlan, Lookup, Ticket, Wish},
    error::{Error, Kind, Result},
    exchange::Exchange,
    guard::{
        Block, Cleared, ClearedStream, Clearing, Complete, Ending, InputGate, OutputGate, Screening, Stored, StreamGate, hold,
    },
    ledger::{Outcome, Record},
    route::{AnswerBody, Arriving, Head, Passage, Router, Unread},
    wire::{
        Endpoint, Request,
        response::{self, Response},
    },
};

/// A request that has come in.
#[derive(Debug)]
pub struct Call {
    /// What is asked.
    pub request: Request,
    /// Who asks.
    pub caller: Caller,
    /// What travels beside the body.
    pub passage: Passage,
    /// What the client wants of the cache.
    pub wish: Wish,
}

/// What goes back.
#[derive(Debug)]
pub enum Reply {
    /// A whole answer.
    Whole(Head, Cleared),
    /// Events as they arrive.
    Stream(Head, Box<ClearedStream<Arriving>>),
    /// A rule said no.
    Blocked(Block),
}

/// All stages.
#[derive(Debug)]
pub struct Pipeline {
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
    /// Takes a request through all stages, and writes down how it ended.
    pub async fn handle(&self, call: Call, exchange: &mut Exchange) -> Result<Reply> {
        let endpoint = call.request.endpoint().as_str();
        let record = Record::open(endpoint, call.request.model(), call.caller.key.clone(), &exchange.trace_id);
        let mut record = Some(record);
        let reply = self.stages(call, exchange, &mut record).await;
        // The record of a stream is closed when the stream ends.
        if let Some(record) = record {
            match &reply {
                Ok(Reply::Blocked(_)) => record.close(exchange, Outcome::Blocked),
                Ok(Reply::Whole(head, _)) if !head.status.is_success() => record.close(exchange, Outcome::UpstreamRefused),
                Ok(_) => record.close(exchange, Outcome::Answered),
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
        let ticket = match self.cache.lookup(&screened, &plan, self.router.identity().as_bytes(), exchange).await {
            Lookup::Hit(stored) => return self.hit(endpoint, stored, exchange),
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
                Ok(self.settle(clearing, Head::json(), ticket))
            }
            AnswerBody::Arriving(body) => Ok(self.stream(endpoint, answer.head, body, ticket, exchange, record)),
        }
    }

    fn hit(&self, endpoint: Endpoint, stored: Stored, exchange: &mut Exchange) -> Result<Reply> {
        let clearing = self.output.clear_stored(endpoint, stored, exchange);
        let clearing = clearing.ok_or_else(|| {
            Error::new(Kind::Internal, "A stored answer could not be read. Ask again with `cache-control: no-cache`.")
        })?;
        Ok(self.settle(clearing, Head::json(), None))
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
        if endpoint == Endpoint::Embeddings {
            response::check_vectors(&body)?;
            return Ok(self.settle(self.output.clear_vectors(body), head, ticket));
        }
        let response = Response::decode(endpoint, body)?;
        Ok(self.settle(self.output.clear(&response, exchange), head, ticket))
    }

    fn settle(&self, clearing: Clearing, head: Head, ticket: Option<Ticket>) -> Reply {
        match clearing {
            Clearing::Blocked(block) => Reply::Blocked(block),
            Clearing::Passed(cleared, complete) => {
                admit(&self.cache, ticket, complete.map(|complete| (cleared.clone(), complete)));
                Reply::Whole(head, cleared)
            }
        }
    }

    fn stream(
        &self,
        endpoint: Endpoint,
        head: Head,
        body: Arriving,
        ticket: Option<Ticket>,
        exchange: &Exchange,
        record: &mut Option<Record>,
    ) -> Reply {
        let (cache, record) = (self.cache.clone(), record.take());
        let on_end = move |exchange: Exchange, kept: Option<(Cleared, Complete)>, ending: Ending| {
            admit(&cache, ticket, kept);
            let Some(record) = record else { return };
            match ending {
                Ending::Finished => record.close(&exchange, Outcome::Answered),
                Ending::Failed(kind) => record.fail(&exchange, &Error::new(kind, "The stream broke off.")),
                Ending::Cancelled => record.close(&exchange, Outcome::Cancelled),
            }
        };
        let gate = StreamGate::new(self.output.clone(), endpoint);
        Reply::Stream(head, Box::new(ClearedStream::new(body, gate, exchange.clone(), Box::new(on_end))))
    }

    /// Passes on an endpoint that is not read: no gate, no cache.
    pub async fn relay(&self, unread: Unread, passage: &Passage, exchange: &mut Exchange) -> Result<(Head, AnswerBody)> {
        let record = Record::open("unguarded", &unread.path, None, &exchange.trace_id);
        match self.router.relay(unread, passage, exchange).await {
            Ok(answer) => {
                record
                    .close(exchange, if answer.head.status.is_success() { Outcome::Answered } else { Outcome::UpstreamRefused });
                Ok((answer.head, answer.body))
            }
            Err(error) => {
                record.fail(exchange, &error);
                Err(error)
            }
        }
    }
}

fn admit(cache: &Cache, ticket: Option<Ticket>, kept: Option<(Cleared, Complete)>) {
    if let (Some(ticket), Some((cleared, complete))) = (ticket, kept) {
        cache.admit(ticket, cleared, complete);
    }
}
