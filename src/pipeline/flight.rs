//! The part of a request's way that it shares with all who ask for the same at the same time.
//!
//! A flight that fails frees its followers: they form one more among themselves, so that at most one call for the same is in the air at any time, and what
//! that one comes to, they all get. A block is no failure, since the same rules say the same again, and an upstream that was silent for
//! as long as one waits is not waited for again.

use std::{
    hash::{Hash, Hasher},
    sync::Arc,
    time::Duration,
};

use http::header::SET_COOKIE;

use super::{
    Pipeline, Reply,
    hooks::WayHooks,
    stream::Stream,
    tape::{End, Reader, Recorder, Tape, Whole},
};
use crate::{
    access::Bill,
    cache::{
        CachePlan, Lookup, Mode, Ticket,
        flight::{Flight, Landed, Role, Subscriber, Task},
        scope::{self, Scope},
    },
    error::{Error, Kind, Result},
    exchange::Exchange,
    guard::{Bindings, Block, Cleared, ClearedStream, Clearing, Gates, Hooks, OutputGate, Screened, Stored, rules::RuleSetId},
    ledger::Record,
    route::{Arriving, Head, Passage, Way},
};

/// What a request asks for, from where it may be shared on.
#[derive(Debug)]
pub(super) struct Asked {
    /// The rules that it began with.
    pub(super) gates: Gates,
    pub(super) screened: Screened,
    pub(super) passage: Passage,
    pub(super) plan: CachePlan,
    /// Where its answer belongs, unless the cache has no part in it.
    pub(super) scope: Option<Scope>,
    /// Where it goes.
    pub(super) way: Way,
    /// What the targets on it say of hooks.
    pub(super) hooks: WayHooks,
    /// The limits that it counts for.
    pub(super) bill: Bill,
}

/// Requests with the same key are answered alike: the same is asked, and rules and client allow the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FlightKey {
    exact: scope::Key,
    mode: Mode,
    threshold: u32,
    ttl: Duration,
    rules: [RuleSetId; 2],
}

/// The exact key is a hash already, and the rest seldom differs.
impl Hash for FlightKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.exact.first_chunk::<8>().hash(state);
    }
}

/// What the upstream, or an entry that means the same, said.
pub(super) enum Answered {
    Whole(Head, Cleared),
    Blocked(Block),
    /// Events, as they arrive, and where what they say belongs when it is whole.
    Stream(Head, Live, Option<Box<Ticket>>),
}

/// Events as they arrive, and the hooks that judge them when they have.
pub(super) struct Live {
    pub(super) stream: Box<ClearedStream<Arriving>>,
    pub(super) hooks: Hooks,
}

/// What came of looking for an answer to a request that means the same.
pub(super) enum Compared {
    /// An answer, to be cleared again.
    Hit(Stored),
    /// None; the ticket says where the fresh answer belongs, unless the cache has no part in it.
    Miss(Option<Box<Ticket>>),
    /// A rule that looks at the meaning said no.
    Blocked(Block),
}

/// What all who share a flight hear.
#[derive(Debug, Clone)]
pub struct Landing {
    exchange: Exchange,
    outcome: Result<Outcome>,
}

#[derive(Debug, Clone)]
enum Outcome {
    Whole(Head, Cleared),
    /// With the form that the leader asked for.
    Stream(Head, Tape, Form),
    Blocked(Block),
}

/// A client that reads one form cannot read another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Form {
    stream: bool,
    include_usage: bool,
}

/// A place among those who wait for a flight.
pub(super) type Waiting = Subscriber<FlightKey, Landing>;

impl Pipeline {
    /// Answers from a flight: from the one that is under way for the same, or from a new one.
    pub(super) async fn share(
        self: &Arc<Self>,
        asked: Asked,
        exchange: &mut Exchange,
        record: &mut Option<Record>,
    ) -> Result<Reply> {
        let (key, asked) = (Self::flight_key(&asked), Arc::new(asked));
        let mut freed = false;
        loop {
            let mut waiting =
                self.flights.join(key, |flight| fly(Arc::clone(self), Arc::clone(&asked), exchange.shared(), flight));
            let follower = waiting.role == Role::Follower;
            let landing = waiting.landed().await;
            let (output, bindings) = (&asked.gates.output, asked.screened.bindings());
            let passenger = Passenger { waiting, follower, form: Form::of(&asked.screened), output, bindings };
            let reply = match landing {
                Some(landing) => passenger.take(landing, exchange, record).await,
                None => Err(Error::new(Kind::Internal, "The shared call was given up because of a bug. Try again.")),
            };
            if follower && !freed && failed(&reply) {
                freed = true;
            } else if let Some(reply) = reply.transpose() {
                return reply;
            }
        }
    }

    /// Looks for an answer to a request that means the same, and has the vector judged that this takes.
    pub(super) async fn compare(&self, asked: &Asked, exchange: &mut Exchange) -> Compared {
        let Some(scope) = &asked.scope else { return Compared::Miss(None) };
        let lookup = self.cache.lookup(scope, &asked.screened, &asked.plan, exchange).await;
        let judged = lookup.meaning().and_then(|(text, vector)| asked.gates.input.judge(text, vector, exchange));
        match (judged, lookup) {
            (Some(block), _) => Compared::Blocked(block),
            (None, Lookup::Hit(stored, _)) => Compared::Hit(stored),
            (None, Lookup::Miss(ticket)) => Compared::Miss(Some(ticket)),
        }
    }

    /// Keeps a whole answer that may be kept.
    pub(super) fn settle(
        &self,
        asked: &Asked,
        clearing: Clearing,
        head: Head,
        ticket: Option<Box<Ticket>>,
        exchange: &mut Exchange,
    ) -> Answered {
        match clearing {
            Clearing::Blocked(block) => Answered::Blocked(block),
            Clearing::Passed(cleared, complete) => {
                self.charge(asked, &cleared, complete.as_ref(), exchange);
                self.cache.settle(ticket, complete.map(|complete| (cleared.clone(), complete)));
                Answered::Whole(head, cleared)
            }
        }
    }

    /// A request with which the cache has no part flies alone, and so does one that wants a fresh answer.
    fn flight_key(asked: &Asked) -> Option<FlightKey> {
        let Asked { gates, scope, plan, .. } = asked;
        let scope = scope.as_ref().filter(|_| !plan.refresh)?;
        Some(FlightKey {
            exact: scope.exact,
            mode: plan.mode,
            threshold: plan.threshold.to_bits(),
            ttl: plan.ttl,
            rules: [gates.input.rules().id(), gates.output.rules().id()],
        })
    }
}

/// What happens once for all who share a flight.
async fn fly(
    pipeline: Arc<Pipeline>,
    asked: Arc<Asked>,
    mut exchange: Exchange,
    flight: Flight<FlightKey, Landing>,
) -> Landed<Landing> {
    let (outcome, rest) = match pipeline.answer(&asked, &mut exchange).await {
        Ok(Answered::Whole(head, cleared)) => (Ok(Outcome::Whole(head, cleared)), None),
        Ok(Answered::Blocked(block)) => (Ok(Outcome::Blocked(block)), None),
        Ok(Answered::Stream(head, live, ticket)) => {
            let recorder = Recorder::default();
            let outcome = Outcome::Stream(head, recorder.tape().clone(), Form::of(&asked.screened));
            let telling = tell(pipeline, asked, live, ticket, exchange.shared(), recorder, flight);
            (Ok(outcome), Some(Box::pin(telling) as Task<()>))
        }
        Err(error) => (Err(error), None),
    };
    Landed { outcome: Landing { exchange, outcome }, rest }
}

/// Tells a stream to all who have joined, and keeps it when it has ended well.
async fn tell(
    pipeline: Arc<Pipeline>,
    asked: Arc<Asked>,
    Live { mut stream, hooks }: Live,
    ticket: Option<Box<Ticket>>,
    mut exchange: Exchange,
    recorder: Recorder,
    flight: Flight<FlightKey, Landing>,
) {
    let result = recorder.record(&mut *stream, || flight.leave()).await;
    let whole = match told_in_full(&pipeline, &asked, &hooks, stream.finish(&mut exchange), &mut exchange).await {
        Some(Clearing::Passed(cleared, complete)) => {
            pipeline.charge(&asked, &cleared, complete.as_ref(), &mut exchange);
            pipeline.cache.settle(ticket, complete.map(|complete| (cleared.clone(), complete)));
            Some(Whole::Cleared(cleared))
        }
        Some(Clearing::Blocked(block)) => Some(Whole::Blocked(block)),
        None => None,
    };
    // Who has heard the end and asks again finds the answer in the cache, or makes a new call.
    flight.leave();
    let Exchange { rules, failures, cost, usd, estimated, hooks, .. } = exchange;
    recorder.end(End { result, rules, failures, cost, usd, estimated, hooks: hooks.after, whole });
}

/// Has a stream that was told judged by whoever must see it whole: too late to refuse it, and in time to say so and to keep it out of the cache.
async fn told_in_full(
    pipeline: &Pipeline,
    asked: &Asked,
    hooks: &Hooks,
    clearing: Option<Clearing>,
    exchange: &mut Exchange,
) -> Option<Clearing> {
    let Asked { gates, screened, passage, .. } = asked;
    let clearing = pipeline.callouts.clear(&gates.output, clearing?, screened, &passage.headers, exchange).await.ok()?;
    asked.judged(&pipeline.callouts, hooks, clearing, screened, exchange).await.ok()
}

/// Whether another flight may come to more.
fn failed(reply: &Result<Option<Reply>>) -> bool {
    match reply {
        Ok(Some(Reply::Whole(head, _))) => !head.status.is_success(),
        Ok(_) => false,
        Err(error) => error.kind() != Kind::UpstreamTimeout,
    }
}

/// One who waits, when the flight has landed.
struct Passenger<'a> {
    waiting: Waiting,
    follower: bool,
    form: Form,
    output: &'a OutputGate,
    /// Its own, whoever else shares the flight.
    bindings: &'a Bindings,
}

impl Passenger<'_> {
    /// This one's part of a landing; `None` if it is a stream whose beginning is gone.
    async fn take(self, landing: Landing, exchange: &mut Exchange, record: &mut Option<Record>) -> Result<Option<Reply>> {
        exchange.land(landing.exchange, self.follower);
        let mut reply = match landing.outcome? {
            Outcome::Whole(head, cleared) => Reply::restored(head, self.output.restore(&cleared, self.bindings, exchange)),
            Outcome::Blocked(block) => Reply::Blocked(block),
            Outcome::Stream(head, tape, form) => {
                let Some(reader) = tape.join() else { return Ok(None) };
                if form == self.form {
                    let stream = Stream::new(reader, self.waiting, self.bindings, record.take(), exchange.clone());
                    Reply::Stream(head, Box::new(stream))
                } else {
                    match whole(reader, exchange).await? {
                        Whole::Cleared(cleared) => {
                            Reply::restored(head.as_json(), self.output.restore(&cleared, self.bindings, exchange))
                        }
                        Whole::Blocked(block) => Reply::Blocked(block),
                    }
                }
            }
        };
        if let (true, Reply::Whole(head, _) | Reply::Stream(head, _)) = (self.follower, &mut reply) {
            // Cookies are between the upstream and the client whose request it was.
            head.headers.remove(SET_COOKIE);
        }
        Ok(Some(reply))
    }
}

/// The whole of a stream, for a client that cannot be told it as it comes.
async fn whole(reader: Reader, exchange: &mut Exchange) -> Result<Whole> {
    let End { rules, failures, cost, usd, estimated, whole, .. } = reader.ended().await?;
    exchange.note_rules(rules);
    exchange.note_failures(failures);
    (exchange.cost, exchange.usd, exchange.estimated) = (cost, usd, estimated);
    whole.ok_or_else(|| Error::new(Kind::UpstreamReset, "The upstream's stream ended early. Try again, or ask the provider."))
}

impl Form {
    fn of(screened: &Screened) -> Self {
        let request = screened.request();
        Self { stream: request.stream(), include_usage: request.include_usage() }
    }
}
