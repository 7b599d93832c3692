//! Rules that call out, at both gates: asked after the others have let something pass, all at once, and each held to its own time.

use bytes::Bytes;
use futures_util::future::join_all;
use http::HeaderMap;
use tokio::time::timeout;

use super::{
    checks::{Answer, Question},
    input::{InputGate, Screening},
    output::{Clearing, OutputGate},
    proof::{Screened, Stored},
    redact::decide,
    replace::{HashKey, StandIns},
    rules::{Finding, Remote, RuleSet},
    verdict::{Action, Block, Failure, Gate},
};
use crate::{
    error::{Error, Kind, Result},
    exchange::{Exchange, RuleFailure, RuleNote},
    outbound::Client,
    wire::{Endpoint, Request, response::Response},
};

/// Asks whoever rules name.
#[derive(Debug, Clone)]
pub struct Callouts {
    client: Client,
}

/// What is asked about, as it is by now.
struct Subject {
    request: Request,
    response: Option<Response>,
}

/// What all who were asked come to.
struct Consulted {
    subject: Subject,
    notes: Vec<RuleNote>,
    failures: Vec<RuleFailure>,
    block: Option<Block>,
}

impl Callouts {
    /// Asks through this client, which knows what addresses may be called.
    pub fn new(client: Client) -> Self {
        Self { client }
    }

    /// Has a request that the other rules let pass judged by those that call out.
    pub async fn screen(
        &self,
        gate: &InputGate,
        screening: Screening,
        headers: &HeaderMap,
        exchange: &mut Exchange,
    ) -> Result<Screening> {
        let Screening::Passed(screened) = screening else { return Ok(screening) };
        if gate.rules().remotes().next().is_none() {
            return Ok(Screening::Passed(screened));
        }
        let subject = Subject { request: screened.request().clone(), response: None };
        let consulted = self.consult(gate.rules(), subject, headers, exchange).await;
        exchange.note_rules(consulted.notes);
        exchange.note_failures(consulted.failures);
        Ok(match consulted.block {
            Some(block) => Screening::Blocked(block),
            None => Screening::Passed(Screened::new(consulted.subject.request, screened.bindings().clone())),
        })
    }

    /// Has an answer that the other rules let pass judged by those that call out. Vectors hold no text, and pass.
    pub async fn clear(
        &self,
        gate: &OutputGate,
        clearing: Clearing,
        asked: &Screened,
        headers: &HeaderMap,
        exchange: &mut Exchange,
    ) -> Result<Clearing> {
        let Clearing::Passed(cleared, complete) = clearing else { return Ok(clearing) };
        let endpoint = asked.request().endpoint();
        if endpoint == Endpoint::Embeddings || gate.rules().remotes().next().is_none() {
            return Ok(Clearing::Passed(cleared, complete));
        }
        let response = Response::decode(endpoint, cleared.body().clone())?;
        let subject = Subject { request: asked.request().clone(), response: Some(response) };
        let Consulted { subject, notes, failures, block } = self.consult(gate.rules(), subject, headers, exchange).await;
        exchange.note_rules(notes.clone());
        exchange.note_failures(failures);
        Ok(match (block, subject.response) {
            (Some(block), _) => Clearing::Blocked(block),
            (None, Some(response)) => Clearing::Passed(cleared.amended(response.json().bytes().clone(), notes), complete),
            (None, None) => Clearing::Passed(cleared, complete),
        })
    }

    /// Clears an answer from the cache. Under the rules that it was put there with, nobody is asked again.
    pub async fn clear_stored(
        &self,
        gate: &OutputGate,
        stored: Stored,
        asked: &Screened,
        headers: &HeaderMap,
        exchange: &mut Exchange,
    ) -> Result<Clearing> {
        let known = stored.rules == gate.rules().id();
        let clearing = gate.clear_stored(asked.request().endpoint(), stored, exchange)?;
        if known { Ok(clearing) } else { self.clear(gate, clearing, asked, headers, exchange).await }
    }

    /// Asks all at once. Of several who change the body the first one's change holds, and the others are asked again about what it
    /// has made, so that no change is lost.
    async fn consult(&self, set: &RuleSet, mut subject: Subject, headers: &HeaderMap, exchange: &Exchange) -> Consulted {
        let (mut findings, mut notes) = (Vec::new(), Vec::new());
        let mut waiting: Vec<Remote<'_>> = set.remotes().collect();
        while !waiting.is_empty() {
            let question = subject.question(headers, exchange);
            let answers = join_all(waiting.iter().map(|remote| self.ask(set, remote, &question))).await;
            let (mut again, mut change) = (Vec::new(), None);
            for (remote, answer) in waiting.into_iter().zip(answers) {
                let Ok(answer) = answer else {
                    findings.push(away(remote.rule));
                    continue;
                };
                if answer.changed.is_some() && change.is_some() {
                    again.push(remote);
                    continue;
                }
                findings.extend(answer.matches.then_some(Finding { rule: remote.rule, place: None, failure: None }));
                change = change.or(answer.changed.map(|body| (remote.rule, body)));
            }
            if let Some((rule, body)) = change {
                match subject.changed_to(body) {
                    Ok(()) => notes.push(set.note(rule, Action::Replace)),
                    Err(error) => {
                        unanswered(set, rule, &error);
                        findings.push(away(rule));
                    }
                }
            }
            waiting = again;
        }
        let gate = if subject.response.is_some() { Gate::Output } else { Gate::Input };
        // Whom a rule asks finds no place in a text, so that nothing is replaced.
        let mut stand_ins = StandIns::new(gate, HashKey::new(&[0; 32]), exchange.tenant);
        let outcome = decide(gate, set, &[], &findings, &mut stand_ins);
        notes.extend(outcome.notes);
        Consulted { subject, notes, failures: outcome.failures, block: outcome.block }
    }

    async fn ask(&self, set: &RuleSet, remote: &Remote<'_>, question: &Question<'_>) -> Result<Answer> {
        let limit = remote.check.timeout();
        let answered = timeout(limit, remote.check.ask(&self.client, question)).await.unwrap_or_else(|_elapsed| {
            Err(Error::new(Kind::UpstreamTimeout, format!("There was no answer within {} s.", limit.as_secs_f64())))
        });
        answered.inspect_err(|error| unanswered(set, remote.rule, error))
    }
}

impl Subject {
    fn question<'q>(&'q self, headers: &'q HeaderMap, exchange: &'q Exchange) -> Question<'q> {
        Question { request: &self.request, response: self.response.as_ref(), metadata: &exchange.metadata, headers }
    }

    /// Takes another body: of the answer, if there is one.
    fn changed_to(&mut self, body: Bytes) -> Result<()> {
        match &mut self.response {
            Some(response) => *response = Response::decode(response.endpoint(), body)?,
            None => self.request = self.request.with_body(body)?,
        }
        Ok(())
    }
}

/// It could not judge, and its rule says what follows.
fn away(rule: usize) -> Finding {
    Finding { rule, place: None, failure: Some(Failure::Away) }
}

/// Nobody's words are in such an error: it says who was called and what went wrong.
fn unanswered(set: &RuleSet, rule: usize, error: &Error) {
    tracing::warn!(rule = set.rules()[rule].id(), cause = %error, "A rule could not call out.");
}
