//! Hooks on their way: what each check says of a request or an answer, and what it makes of it.
//!
//! Checks that judge by themselves run first, all on the same text, and what they write over is put together: no change is lost, and where two overlap, one
//! covers both. Then those are asked who are asked, about what was made of it. Whatever has changed passes the gate again before it goes on.

use std::{borrow::Cow, ops::Range, sync::Arc, time::Duration};

use http::HeaderMap;

use super::{
    compile::{Asked, Check, Does, Hook},
    judge::{Claims, Verdict, judge},
    reading::Reading,
};
use crate::{
    clock,
    error::{Error, Result},
    exchange::{Exchange, RuleNote},
    guard::{
        Callouts, Clearing, InputGate, OutputGate, Screening,
        callouts::{Said, Subject, unanswered},
        placeholder::Bindings,
        proof::{Cleared, Complete},
        redact::{claim_literals, edit},
        verdict::Block,
    },
};

/// The gate that what has changed passes again.
#[derive(Debug, Clone, Copy)]
pub(super) enum Warden<'g> {
    Input(&'g InputGate),
    Output(&'g OutputGate),
    /// Nobody waits, so what would be changed goes nowhere.
    Nobody,
}

/// Why hooks stop.
#[derive(Debug)]
pub(super) enum Stop {
    /// A rule of the gate refuses what they made of it.
    Block(Block),
    /// What they made of it cannot be read.
    Error(Error),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

/// What one check came to.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) verdict: Verdict,
    pub(super) took: Duration,
}

/// With what hooks go and ask others.
#[derive(Debug, Clone, Copy)]
pub struct Errand<'e> {
    /// Who asks.
    pub callouts: &'e Callouts,
    /// The client's headers.
    pub headers: &'e HeaderMap,
}

/// One request or answer on its way through the hooks of its gate.
#[derive(Debug)]
pub(super) struct Run<'r> {
    pub(super) subject: Subject,
    /// What stands for the caller's values in it.
    pub(super) bindings: Bindings,
    /// What the gate has made of an answer that hooks have changed.
    pub(super) cleared: Option<(Cleared, Option<Complete>)>,
    /// Whether a hook has changed it.
    pub(super) changed: bool,
    /// What the rules of the gate have done before.
    noted: Vec<RuleNote>,
    warden: Warden<'r>,
    errand: Errand<'r>,
}

impl<'r> Run<'r> {
    pub(super) fn new(
        subject: Subject,
        bindings: Bindings,
        warden: Warden<'r>,
        errand: Errand<'r>,
        noted: Vec<RuleNote>,
    ) -> Self {
        Self { subject, bindings, cleared: None, changed: false, noted, warden, errand }
    }

    /// Runs hooks, each of whose checks comes to something.
    pub(super) async fn hooks(
        &mut self,
        hooks: &[&Hook],
        exchange: &mut Exchange,
    ) -> std::result::Result<Vec<Vec<Outcome>>, Stop> {
        let mut all: Vec<Vec<Outcome>> = hooks.iter().map(|_| Vec::new()).collect();
        let together: Vec<(usize, &Check)> = hooks
            .iter()
            .enumerate()
            .filter(|(_, hook)| !hook.sequential)
            .flat_map(|(n, hook)| hook.checks.iter().map(move |check| (n, check)))
            .collect();
        let checks: Vec<&Check> = together.iter().map(|(_, check)| *check).collect();
        for ((n, _), outcome) in together.iter().zip(self.batch(&checks, exchange).await?) {
            all[*n].push(outcome);
        }
        for (n, hook) in hooks.iter().enumerate().filter(|(_, hook)| hook.sequential) {
            for check in &hook.checks {
                all[n].extend(self.batch(&[check], exchange).await?);
            }
        }
        Ok(all)
    }

    /// Runs checks side by side.
    async fn batch(&mut self, checks: &[&Check], exchange: &mut Exchange) -> std::result::Result<Vec<Outcome>, Stop> {
        let mut outcomes = self.judge(checks, exchange)?;
        self.pass_again(exchange)?;
        let asked: Vec<(usize, &Asked)> = checks.iter().enumerate().filter_map(|(n, check)| Some((n, asked(check)?))).collect();
        let remote: Vec<_> = asked.iter().filter_map(|(_, asked)| asked.check()).collect();
        if !remote.is_empty() {
            let metadata = Arc::clone(&exchange.metadata);
            let Errand { callouts, headers } = self.errand;
            let said = callouts.ask_all(&remote, &mut self.subject, headers, &metadata).await;
            for ((n, _), said) in asked.into_iter().zip(said) {
                self.changed |= said.changed;
                outcomes[n] = answered(checks[n], said);
            }
            self.pass_again(exchange)?;
        }
        Ok(outcomes)
    }

    /// Runs the checks that judge by themselves, and makes of the text what they come to.
    fn judge(&mut self, checks: &[&Check], exchange: &mut Exchange) -> Result<Vec<Outcome>> {
        let reading = Reading::of(&self.subject);
        let mut claims = Claims::default();
        let outcomes = checks.iter().enumerate().map(|(n, check)| {
            let started = clock::now();
            let verdict = judge(check, n, &reading, &self.subject.request, &exchange.metadata, &self.noted, &mut claims);
            Outcome { verdict, took: clock::now().saturating_duration_since(started) }
        });
        let outcomes: Vec<_> = outcomes.collect();
        exchange.note_rules(outcomes.iter().flat_map(|outcome| outcome.verdict.notes.clone()).collect());
        let mut stand_ins = match self.warden {
            Warden::Input(gate) => gate.stand_ins(exchange.tenant, self.bindings.clone()),
            Warden::Output(gate) => gate.stand_ins(exchange.tenant),
            Warden::Nobody => return Ok(outcomes),
        };
        let restores = claims.0.values().flatten().any(|claim| claim.replacement.restores());
        if restores && self.subject.response.is_none() {
            claim_literals(&reading.texts, &stand_ins, &mut claims.0);
        }
        let claims = std::mem::take(&mut claims.0).into_iter();
        let edits: Vec<_> = claims.filter_map(|(n, claims)| edit(&reading.texts[n], claims, &mut stand_ins)).collect();
        drop(reading);
        self.bindings = stand_ins.into_bindings();
        self.write_over(edits)?;
        for check in checks {
            if let Does::Prefix(prefix) = &check.does {
                self.subject.request = prefix.amend(&self.subject.request)?;
                self.changed = true;
            }
        }
        Ok(outcomes)
    }

    fn write_over(&mut self, mut edits: Vec<(Range<usize>, Cow<'static, str>)>) -> Result<()> {
        if edits.is_empty() {
            return Ok(());
        }
        self.changed = true;
        let body = match &self.subject.response {
            Some(response) => {
                edits.extend(response.spellings().into_iter().map(|span| (span, "null".into())));
                edits.sort_by_key(|(span, _)| span.start);
                response.json().splice(edits)
            }
            None => self.subject.request.json().splice(edits),
        };
        self.subject.changed_to(body)
    }

    /// What hooks have changed may have in it what the rules of the gate had taken out.
    fn pass_again(&mut self, exchange: &mut Exchange) -> std::result::Result<(), Stop> {
        if !self.changed {
            return Ok(());
        }
        match self.warden {
            Warden::Input(gate) => match gate.screen_with(self.bindings.clone(), self.subject.request.clone(), exchange)? {
                Screening::Passed(screened) => {
                    self.subject.request = screened.request().clone();
                    self.bindings = screened.bindings().clone();
                    Ok(())
                }
                Screening::Blocked(block) => Err(Stop::Block(block)),
            },
            Warden::Nobody => Ok(()),
            Warden::Output(gate) => {
                let Some(response) = &self.subject.response else { return Ok(()) };
                match gate.clear(response, exchange) {
                    Clearing::Passed(cleared, complete) => {
                        self.subject.changed_to(cleared.body().clone())?;
                        self.cleared = Some((cleared, complete));
                        Ok(())
                    }
                    Clearing::Blocked(block) => Err(Stop::Block(block)),
                }
            }
        }
    }
}

fn asked(check: &Check) -> Option<&Asked> {
    match &check.does {
        Does::Remote(asked) if asked.check().is_some() => Some(asked),
        _ => None,
    }
}

/// What somebody who was asked came to.
fn answered(check: &Check, said: Said) -> Outcome {
    if let Some(error) = &said.error {
        unanswered(&check.id, error);
    }
    let verdict = Verdict {
        passed: !said.matches && said.error.is_none(),
        transformed: said.changed,
        error: said.error,
        ..Verdict::default()
    };
    Outcome { verdict, took: said.took }
}
