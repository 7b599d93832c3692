//! Rules that call out, at both gates: asked after the others have let something pass, all at once, and each held to its own time.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::future::join_all;
use http::HeaderMap;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

use super::{
    checks::{Answer, Question, RemoteCheck},
    input::{InputGate, Screening},
    output::{Clearing, OutputGate},
    proof::{Screened, Stored},
    redact::decide_whole,
    rules::{Finding, RuleSet},
    verdict::{Action, Block, Failure, Gate},
};
use crate::{
    clock,
    error::{Error, Kind, Result},
    exchange::{Exchange, RuleFailure, RuleNote},
    outbound::Client,
    wire::{Endpoint, Request, response::Response},
};

/// So many requests and answers may be under way beside those that somebody waits for.
const MAX_BESIDE: usize = 256;

/// Asks whoever rules name.
#[derive(Debug, Clone)]
pub struct Callouts {
    client: Client,
    /// For what nobody waits for.
    beside: Arc<Semaphore>,
}

/// What is asked about, as it is by now.
#[derive(Debug, Clone)]
pub(super) struct Subject {
    pub(super) request: Request,
    pub(super) response: Option<Response>,
}

/// What one of those who were asked came to.
#[derive(Debug, Default)]
pub(super) struct Said {
    /// Whether the rule matches.
    pub(super) matches: bool,
    /// Whether it has changed what it was asked about.
    pub(super) changed: bool,
    /// Why it has said nothing, or nothing that makes sense.
    pub(super) error: Option<Error>,
    /// How long it took.
    pub(super) took: Duration,
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
        Self { client, beside: Arc::new(Semaphore::new(MAX_BESIDE)) }
    }

    /// A place among those whom nobody waits for; `None` if too many are under way.
    pub(super) fn room_beside(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.beside).try_acquire_owned().ok()
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

    /// Has all rules of a set judge that call out.
    async fn consult(&self, set: &RuleSet, mut subject: Subject, headers: &HeaderMap, exchange: &Exchange) -> Consulted {
        let (mut findings, mut notes) = (Vec::new(), Vec::new());
        let (rules, checks): (Vec<_>, Vec<_>) = set.remotes().unzip();
        let said = self.ask_all(&checks, &mut subject, headers, &exchange.metadata).await;
        for (rule, said) in rules.into_iter().zip(said) {
            findings.extend(said.matches.then_some(Finding { rule, place: None, failure: None }));
            notes.extend(said.changed.then(|| set.note(rule, Action::Replace)));
            if let Some(error) = said.error {
                unanswered(set.rules()[rule].id(), &error);
                findings.push(Finding { rule, place: None, failure: Some(Failure::Away) });
            }
        }
        let gate = if subject.response.is_some() { Gate::Output } else { Gate::Input };
        let outcome = decide_whole(gate, set, &findings, exchange.tenant);
        notes.extend(outcome.notes);
        Consulted { subject, notes, failures: outcome.failures, block: outcome.block }
    }

    /// Asks all at once. Of several who change the body the first one's change holds, and the others are asked again about what it
    /// has made, so that no change is lost.
    pub(super) async fn ask_all(
        &self,
        checks: &[&dyn RemoteCheck],
        subject: &mut Subject,
        headers: &HeaderMap,
        metadata: &BTreeMap<String, String>,
    ) -> Vec<Said> {
        let mut all: Vec<Said> = checks.iter().map(|_| Said::default()).collect();
        let mut waiting: Vec<usize> = (0..checks.len()).collect();
        while !waiting.is_empty() {
            let question = Question { request: &subject.request, response: subject.response.as_ref(), metadata, headers };
            let answers = join_all(waiting.iter().map(|&n| self.ask(checks[n], &question))).await;
            let (mut again, mut change) = (Vec::new(), None);
            for (n, (answer, took)) in waiting.into_iter().zip(answers) {
                all[n].took += took;
                match answer {
                    Err(error) => all[n].error = Some(error),
                    Ok(answer) if answer.changed.is_some() && change.is_some() => again.push(n),
                    Ok(answer) => {
                        all[n].matches = answer.matches;
                        change = change.or(answer.changed.map(|body| (n, body)));
                    }
                }
            }
            if let Some((n, body)) = change {
                let changed = subject.changed_to(body);
                all[n].changed = changed.is_ok();
                all[n].error = changed.err();
            }
            waiting = again;
        }
        all
    }

    async fn ask(&self, check: &dyn RemoteCheck, question: &Question<'_>) -> (Result<Answer>, Duration) {
        let (limit, started) = (check.timeout(), clock::now());
        let answered = timeout(limit, check.ask(&self.client, question)).await.unwrap_or_else(|_elapsed| {
            Err(Error::new(Kind::UpstreamTimeout, format!("There was no answer within {} s.", limit.as_secs_f64())))
        });
        (answered, clock::now().saturating_duration_since(started))
    }
}

impl Subject {
    /// Takes another body: of the answer, if there is one.
    pub(super) fn changed_to(&mut self, body: Bytes) -> Result<()> {
        match &mut self.response {
            Some(response) => *response = Response::decode(response.endpoint(), body)?,
            None => self.request = self.request.with_body(body)?,
        }
        Ok(())
    }
}

/// Nobody's words are in such an error: it says who was called and what went wrong.
pub(super) fn unanswered(rule: &str, error: &Error) {
    tracing::warn!(rule, cause = %error, "A rule could not call out.");
}
