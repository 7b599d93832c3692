//! The order of the stages, from top to bottom. Nothing else knows it.

use std::sync::Arc;

use http::HeaderMap;

use crate::{
    access::Access,
    cache::{Cache, Exact, flight::Flights},
    error::{Error, Result},
    exchange::Exchange,
    guard::{Callouts, Rules, Screening},
    ledger::{self, Branches, Record, Savings},
    route::{Router, prompts::Prompts},
};

mod call;
mod cost;
mod flight;
mod hooks;
mod journey;
mod stream;
mod tape;

pub use call::{Arriving, Ask, Call, Caller, Head, Passage, Reply, Unread, Wish};
pub use flight::{FlightKey, Landing};
pub use stream::Stream;

use flight::{Answered, Asked, Compared};
use journey::{Outcome, wish};

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
    /// What each target is worth.
    pub branches: Branches,
    /// Requests that are made of templates.
    pub prompts: Prompts,
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
        let (way, bill) = (self.plan(&call, exchange)?, self.count(&call, exchange)?);
        let mut hooks = self.hooks(&way, &call.passage.headers)?;
        let gates = self.rules.gates_with(call.caller.profiles.as_deref(), &call.profiles, &hooks.first())?;
        // 1: nothing is looked up, embedded or sent before it is screened.
        let (screening, headers) = (gates.input.screen_aside(call.request, exchange).await?, &call.passage.headers);
        let screening = self.rules.meaning().screen(&gates.input, screening, exchange).await;
        let screening = self.callouts.screen(&gates.input, screening, headers, exchange).await?;
        let screened = match hooks.screen(&self.callouts, &gates.input, screening, headers, exchange).await? {
            Screening::Passed(screened) => screened,
            Screening::Blocked(block) => return Ok(Reply::Blocked(block)),
        };
        // 2: a hit still has to pass the output gate.
        let plan = self.cache.plan(&hooks.wish(wish(call.wish, &way)));
        let scope = match self.cache.lookup_exact(&screened, &plan, &hooks.identity(&way), exchange) {
            Exact::Hit(stored) => {
                let clearing = self.callouts.clear_stored(&gates.output, stored, &screened, headers, exchange).await?;
                return Ok(Reply::hit(clearing, &gates.output, &screened, exchange));
            }
            Exact::Miss(scope) => Some(scope),
            Exact::Bypass => None,
        };
        // The rest is done once for all who ask for the same at the same time.
        self.share(Asked { gates, screened, passage: call.passage, plan, scope, way, hooks, bill }, exchange, record).await
    }

    /// What one flight comes to.
    async fn answer(&self, asked: &Asked, exchange: &mut Exchange) -> Result<Answered> {
        let (output, headers) = (&asked.gates.output, &asked.passage.headers);
        // 2: not the same request, but maybe one that means the same.
        let ticket = match self.compare(asked, exchange).await {
            Compared::Hit(stored) => {
                let clearing = self.callouts.clear_stored(output, stored, &asked.screened, headers, exchange).await?;
                return Ok(self.settle(asked, clearing, Head::json(), None, exchange));
            }
            Compared::Blocked(block) => return Ok(Answered::Blocked(block)),
            Compared::Miss(ticket) => ticket,
        };
        // 3 and 4: on a miss or a bypass, one target after the other, as far as the plan goes.
        Ok(match self.travel(asked, exchange).await? {
            Outcome::Refused(head, body) => Answered::Whole(head, body),
            Outcome::Stream(head, stream) => Answered::Stream(head, stream, ticket),
            // 5: what was cleared and is complete is kept.
            Outcome::Judged(head, clearing) => self.settle(asked, clearing, head, ticket, exchange),
        })
    }

    /// Passes on an endpoint that is not read: no gate, no cache.
    pub async fn relay(
        &self,
        unread: Unread,
        ask: &Ask,
        caller: &Caller,
        passage: &Passage,
        exchange: &mut Exchange,
    ) -> Result<(Head, Arriving)> {
        let record = Record::unguarded(&unread.path, &exchange.trace_id);
        let way = self.plan_unread(&unread.path, ask, caller, exchange)?;
        let answer = self.router.relay(unread, &way, passage, exchange).await;
        match &answer {
            Ok((head, _)) => record.answered(exchange, head.status.is_success()),
            Err(error) => record.fail(exchange, error),
        }
        answer
    }
}
