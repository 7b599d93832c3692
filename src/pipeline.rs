//! The order of the stages, from top to bottom. Nothing else knows it.

use std::sync::Arc;

use http::HeaderMap;

use crate::{
    access::Access,
    cache::{Cache, Exact, flight::Flights},
    error::{Error, Result},
    exchange::Exchange,
    guard::{Callouts, ClearedStream, Clearing, Rules, Screening, hold},
    ledger::{self, Record, Savings},
    route::{AnswerBody, Router},
};

mod call;
mod flight;
mod stream;
mod tape;

pub use call::{Arriving, Call, Caller, Head, Passage, Reply, Unread, Wish};
pub use flight::{FlightKey, Landing};
pub use stream::Stream;

use flight::{Answered, Asked, Compared};

/// All stages.
#[derive(Debug)]
pub struct Pipeline {
    /// Who may call.
    pub access: Access,
    /// 1 and 4
    pub rules: Arc<Rules>,
    /// Whom rules ask.
    pub callouts: Callouts,
    /// 2 and 5
    pub cache: Cache,
    /// What is under way for more than one.
    pub flights: Flights<FlightKey, Landing>,
    /// 3
    pub router: Router,
    /// What the cache is worth.
    pub savings: Arc<Savings>,
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
    pub async fn handle(self: &Arc<Self>, call: Call, exchange: &mut Exchange) -> Result<Reply> {
        let mut record = Some(Record::of(&call.request, call.caller.key.clone(), &exchange.trace_id, &self.savings));
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

    async fn stages(self: &Arc<Self>, call: Call, exchange: &mut Exchange, record: &mut Option<Record>) -> Result<Reply> {
        let gates = self.rules.gates_for(call.caller.profiles.as_deref(), &call.profiles)?;
        // 1: nothing is looked up, embedded or sent before it is screened.
        let (screening, headers) = (gates.input.screen_aside(call.request, exchange).await?, &call.passage.headers);
        let screening = self.rules.meaning().screen(&gates.input, screening, exchange).await;
        let screened = match self.callouts.screen(&gates.input, screening, headers, exchange).await? {
            Screening::Passed(screened) => screened,
            Screening::Blocked(block) => return Ok(Reply::Blocked(block)),
        };
        // 2: a hit still has to pass the output gate.
        let plan = self.cache.plan(&call.wish);
        let scope = match self.cache.lookup_exact(&screened, &plan, self.router.identity(), exchange) {
            Exact::Hit(stored) => {
                return Ok(match self.callouts.clear_stored(&gates.output, stored, &screened, headers, exchange).await? {
                    Clearing::Passed(cleared, _) => {
                        Reply::restored(Head::json(), gates.output.restore(&cleared, screened.bindings(), exchange))
                    }
                    Clearing::Blocked(block) => Reply::Blocked(block),
                });
            }
            Exact::Miss(scope) => Some(scope),
            Exact::Bypass => None,
        };
        // The rest is done once for all who ask for the same at the same time.
        self.share(Asked { gates, screened, passage: call.passage, plan, scope }, exchange, record).await
    }

    /// What one flight comes to.
    async fn answer(&self, asked: &Asked, exchange: &mut Exchange) -> Result<Answered> {
        let (endpoint, output) = (asked.screened.request().endpoint(), &asked.gates.output);
        let headers = &asked.passage.headers;
        // 2: not the same request, but maybe one that means the same.
        let ticket = match self.compare(asked, exchange).await {
            Compared::Hit(stored) => {
                let clearing = self.callouts.clear_stored(output, stored, &asked.screened, headers, exchange).await?;
                return Ok(self.settle(clearing, Head::json(), None, exchange));
            }
            Compared::Blocked(block) => return Ok(Answered::Blocked(block)),
            Compared::Miss(ticket) => ticket,
        };
        // 3: on a miss or a bypass, the upstream.
        let answer = self.router.attempt(&asked.screened, &asked.passage, exchange).await?;
        // 4 and 5: what was cleared and is complete is kept.
        match answer.body {
            AnswerBody::Whole(body) if !answer.head.status.is_success() => {
                Ok(Answered::Whole(answer.head, output.wave_through(body)))
            }
            AnswerBody::Whole(body) => {
                let clearing = output.clear_body(endpoint, body, exchange)?;
                let clearing = self.callouts.clear(output, clearing, &asked.screened, headers, exchange).await?;
                Ok(self.settle(clearing, answer.head, ticket, exchange))
            }
            AnswerBody::Arriving(body) if output.holds_streams() => {
                let clearing = hold(body, output, endpoint, exchange).await?;
                let clearing = self.callouts.clear(output, clearing, &asked.screened, headers, exchange).await?;
                Ok(self.settle(clearing, answer.head.as_json(), ticket, exchange))
            }
            AnswerBody::Arriving(body) => {
                let mut stream = Box::new(ClearedStream::new(body, output.clone(), endpoint, exchange.tenant));
                let block = stream.begin(exchange).await;
                Ok(block.map_or_else(|| Answered::Stream(answer.head, stream, ticket), Answered::Blocked))
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
