//! Stages 3 and 4 as long as they take turns: a target answers, the output gate judges, and what either says decides where the request goes on.

use std::sync::Arc;

use super::{
    Call, Caller, Pipeline, Wish,
    flight::{Asked, Live},
};
use crate::{
    access::Bill,
    cache::{Granted, Mode},
    clock,
    error::Result,
    exchange::{Exchange, RouteNote},
    guard::{Cleared, ClearedStream, Clearing, Screening, hold},
    route::{AnswerBody, Ask, Facts, Grant, Head, Journey, Named, Next, Verdict, Way},
};

/// What a target's answer came to.
pub(super) enum Outcome {
    /// The upstream said no in its own words.
    Refused(Head, Cleared),
    /// The output gate has judged a whole answer.
    Judged(Head, Clearing),
    /// Events, as they arrive.
    Stream(Head, Live),
}

impl Pipeline {
    /// Plans where a request goes, and notes where it goes first.
    pub(super) fn plan(&self, call: &Call, exchange: &mut Exchange) -> Result<Way> {
        let request = &call.request;
        let path = format!("/v1{}", request.endpoint().path());
        let facts = Facts { metadata: &exchange.metadata, params: Some(request.json().root()), path: &path };
        let way = self.router.plan(&call.ask, grant(&call.caller), request.model(), facts)?;
        exchange.route = Some(Arc::new(note(&Journey::new(&way.plan), 1, request.model())));
        Ok(way)
    }

    /// Counts a request for the limits of whoever asks.
    pub(super) fn count(&self, call: &Call, exchange: &mut Exchange) -> Result<Bill> {
        let limits = &self.access.limits;
        let bill = limits.bill(&call.caller, exchange.metadata.get("_user").map(String::as_str), call.request.model());
        let counted = limits.count(&bill);
        exchange.standing = limits.standing(&bill);
        counted.map(|()| bill)
    }

    /// Plans where a request goes that nobody here reads.
    pub(super) fn plan_unread(&self, path: &str, ask: &Ask, caller: &Caller, exchange: &Exchange) -> Result<Way> {
        let facts = Facts { metadata: &exchange.metadata, params: None, path };
        self.router.plan(ask, grant(caller), "", facts)
    }

    /// Asks one target after the other, until one of them answers or the plan stops.
    pub(super) async fn travel(&self, asked: &Asked, exchange: &mut Exchange) -> Result<Outcome> {
        self.access.limits.may_spend(&asked.bill)?;
        let mut journey = Journey::new(&asked.way.plan);
        let mut targets = 1;
        loop {
            let (leg, began) = (journey.leg(), clock::now());
            let outcome = self.call(asked, &journey, exchange).await;
            let noted = note(&journey, targets, asked.screened.request().model());
            let Some(verdict) = verdict(&outcome) else {
                exchange.route = Some(Arc::new(noted));
                return outcome;
            };
            let took = clock::now().saturating_duration_since(began);
            self.router.note(leg, &verdict, took);
            self.branches.attempted(&noted, verdict.code(), took);
            match journey.after(&verdict, fastrand::f64()) {
                Next::Done => {
                    exchange.route = Some(Arc::new(RouteNote { retries: journey.retries(), ..noted }));
                    return outcome;
                }
                Next::Again(wait) => tokio::time::sleep(wait).await,
                Next::Other => targets += 1,
            }
        }
    }

    /// One call, and what the output gate says of its answer.
    async fn call(&self, asked: &Asked, journey: &Journey<'_>, exchange: &mut Exchange) -> Result<Outcome> {
        let (output, headers, target) = (&asked.gates.output, &asked.passage.headers, journey.target());
        let entered = asked.hooks.enter(&self.callouts, asked, target, exchange).await?;
        let screened = match &entered {
            Some(Screening::Blocked(block)) => return Ok(Outcome::Judged(Head::json(), Clearing::Blocked(block.clone()))),
            Some(Screening::Passed(screened)) => screened,
            None => &asked.screened,
        };
        if let Some(key) = &target.destination.virtual_key {
            let limits = &self.access.limits;
            let bill = limits.bill_of_virtual_key(&key.name);
            limits.may_spend(&bill)?;
            limits.count(&bill)?;
        }
        let (endpoint, hooks) = (screened.request().endpoint(), asked.hooks.of(target));
        let answer = self.router.attempt(target, screened, &asked.passage, exchange).await?;
        let (head, clearing) = match answer.body {
            AnswerBody::Whole(body) if !answer.head.status.is_success() => {
                return Ok(Outcome::Refused(answer.head, output.wave_through(body)));
            }
            AnswerBody::Whole(body) => (answer.head, output.clear_body(endpoint, body, exchange)?),
            AnswerBody::Arriving(body) if output.holds_streams() => {
                (answer.head.as_json(), hold(body, output, endpoint, exchange).await?)
            }
            AnswerBody::Arriving(body) => {
                let mut stream = Box::new(ClearedStream::new(body, output.clone(), endpoint, exchange.tenant));
                let block = stream.begin(exchange).await?;
                return Ok(match block {
                    Some(block) => Outcome::Judged(answer.head, Clearing::Blocked(block)),
                    None => Outcome::Stream(answer.head, Live { stream, hooks }),
                });
            }
        };
        let clearing = self.callouts.clear(output, clearing, screened, headers, exchange).await?;
        Ok(Outcome::Judged(head, asked.judged(&self.callouts, &hooks, clearing, screened, exchange).await?))
    }
}

/// What a client wants of the cache, under what the config of its request says. A client's own config may only tighten.
pub(super) fn wish(wish: Wish, way: &Way) -> Wish {
    let Some(choice) = &way.cache else { return wish };
    let mode = match choice.mode {
        None => Mode::Off,
        Some(Named::Simple) => Mode::Exact,
        Some(Named::Semantic) => Mode::Semantic,
    };
    let named = Wish { mode: Some(mode), ..wish };
    if way.trusted {
        return Wish { granted: Granted { threshold: choice.threshold, ttl: choice.max_age }, ..named };
    }
    let threshold = named.threshold.into_iter().chain(choice.threshold).reduce(f32::max);
    let ttl = named.ttl.into_iter().chain(choice.max_age).min();
    Wish { threshold, ttl, ..named }
}

fn grant(caller: &Caller) -> Grant<'_> {
    Grant { config: caller.config.as_deref(), virtual_keys: caller.virtual_keys.as_deref() }
}

fn verdict(outcome: &Result<Outcome>) -> Option<Verdict> {
    match outcome {
        Ok(Outcome::Judged(_, Clearing::Blocked(_))) => Some(Verdict::blocked()),
        Ok(Outcome::Refused(head, _) | Outcome::Judged(head, _) | Outcome::Stream(head, _)) => {
            Some(Verdict::answered(head.status, &head.headers))
        }
        Err(error) => Verdict::failed(error),
    }
}

fn note(journey: &Journey<'_>, targets: u32, model: &str) -> RouteNote {
    let (target, destination) = (journey.target(), &journey.target().destination);
    RouteNote {
        option: target.path.clone(),
        provider: destination.provider.slug().to_owned(),
        virtual_key: destination.virtual_key.as_ref().map(|key| key.name.clone()),
        retries: journey.retries(),
        targets,
        model: target.overrides.model(model).to_owned(),
    }
}
