//! Portkey's guardrails in a config: hooks on a request before it is looked up or sent, and on an answer before it is kept or told.
//!
//! The rules of the gates have judged before, and judge again whatever a hook has made of it, so that no config brings back what they took out. A
//! config says in [`HookLists`] what it wants, [`Rules::hooks`](super::Rules::hooks) makes [`Hooks`] of it, and the pipeline asks those twice:
//!
//! ```text
//! let hooks = self.rules.hooks(&plan.hooks)?;                                     // a Fault names the place in the config
//! let gates = self.rules.gates_with(profiles, &call.profiles, &hooks)?;           // rules that are named stand at the gates, too
//! …
//! let screening = self.callouts.screen(…).await?;                                 // 1
//! let screening = hooks.before(&gates.input, screening, errand, exchange).await?; // a denial is a Block
//! …                                                                               // hooks.fingerprint() is part of scope and flight
//! let clearing = self.callouts.clear(…).await?;                                   // 4, of whole answers, and of streams when they are whole
//! let clearing = hooks.after(output, clearing, &asked.screened, errand, exchange).await?;
//! ```
//!
//! What they came to is in [`Exchange::hooks`]; egress tells it, and neither log nor cache has it. The texts are Portkey's: the prompt, the last message or
//! the input, and of an answer its last choice. A stream has been told when its hooks judge it, so that they only report; a hit was judged before it was kept.

mod compile;
mod judge;
mod reading;
mod report;
mod run;
#[cfg(test)]
mod tests;
mod written;

use std::sync::Arc;

use metrics::counter;

use self::{
    compile::{Compiler, Does, Hook},
    reading::Reading,
    run::{Outcome, Run, Stop, Warden},
};
use super::{
    Clearing, InputGate, OutputGate, Screening,
    callouts::Subject,
    placeholder::Bindings,
    profiles::Profiles,
    proof::Screened,
    rules::Pack,
    verdict::{Block, Gate, Refusal},
};
use crate::{
    error::Result,
    exchange::{Exchange, HookResult},
    telemetry::{label, metric},
    wire::{Endpoint, response::Response},
};

pub use crate::diagnostics::Fault;
pub use run::Errand;
pub use written::HookLists;

/// The hooks of a config, compiled. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Hooks {
    before: Arc<[Hook]>,
    after: Arc<[Hook]>,
    fingerprint: [u8; 16],
}

impl Hooks {
    /// Compiles what a config says, with the rules and profiles that there are to be named.
    pub fn compile(lists: &HookLists, pack: &Pack, profiles: &Profiles) -> std::result::Result<Self, Fault> {
        let of = |gate| {
            let compiler = Compiler { pack, profiles, gate };
            lists.written(gate)?.into_iter().map(|hook| compiler.hook(hook)).collect::<std::result::Result<Arc<[Hook]>, _>>()
        };
        let (before, after) = (of(Gate::Input)?, of(Gate::Output)?);
        let mut digest = blake3::Hasher::new();
        digest.update(&lists.digest());
        for check in before.iter().chain(&*after).flat_map(|hook| &hook.checks) {
            if let Does::Rules(rules) = &check.does {
                digest.update(&rules.set.id().0);
            }
        }
        let mut fingerprint = [0; 16];
        digest.finalize_xof().fill(&mut fingerprint);
        Ok(Self { before, after, fingerprint })
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.before.is_empty() && self.after.is_empty()
    }

    /// The same for hooks that do the same under the same rules: part of the cache's key and of the flight's. All zero if there is none.
    pub fn fingerprint(&self) -> [u8; 16] {
        if self.is_empty() { [0; 16] } else { self.fingerprint }
    }

    /// Whether they name rules that stand at a gate for their sake.
    pub fn names_rules(&self) -> bool {
        [Gate::Input, Gate::Output].into_iter().any(|gate| self.names(gate).next().is_some())
    }

    /// What names rules that are to do at this gate what they say themselves, or to block.
    pub fn names(&self, gate: Gate) -> impl Iterator<Item = &str> {
        let checks = self.of(gate).iter().filter(|hook| !hook.is_async).flat_map(|hook| &hook.checks);
        checks
            .filter(|check| matches!(&check.does, Does::Rules(rules) if rules.stand_at_the_gate()))
            .map(|check| check.id.as_str())
    }

    fn of(&self, gate: Gate) -> &Arc<[Hook]> {
        match gate {
            Gate::Input => &self.before,
            Gate::Output => &self.after,
        }
    }

    /// Has a request judged that the gate has let pass.
    pub async fn before(
        &self,
        gate: &InputGate,
        screening: Screening,
        errand: Errand<'_>,
        exchange: &mut Exchange,
    ) -> Result<Screening> {
        exchange.hooks.expected = self.after.iter().any(|hook| !hook.is_async);
        let Screening::Passed(screened) = screening else { return Ok(screening) };
        if self.before.is_empty() {
            return Ok(Screening::Passed(screened));
        }
        let subject = Subject { request: screened.request().clone(), response: None };
        self.beside(Gate::Input, &subject, errand, exchange);
        let sent = Reading::of(&subject).joined();
        let noted = exchange.rules.clone();
        let mut run = Run::new(subject, screened.bindings().clone(), Warden::Input(gate), errand, noted);
        let waited: Vec<&Hook> = self.before.iter().filter(|hook| !hook.is_async).collect();
        let all = match run.hooks(&waited, exchange).await {
            Ok(all) => all,
            Err(Stop::Block(block)) => return Ok(Screening::Blocked(block)),
            Err(Stop::Error(error)) => return Err(error),
        };
        exchange.hooks.before = told(Gate::Input, &waited, all, Some(&sent));
        Ok(match denial(Gate::Input, &exchange.hooks.before) {
            Some(block) => Screening::Blocked(block),
            None if run.changed => Screening::Passed(Screened::new(run.subject.request, run.bindings)),
            None => Screening::Passed(screened),
        })
    }

    /// Has a whole answer judged that the gate has let pass. Vectors hold no text, and pass.
    pub async fn after(
        &self,
        gate: &OutputGate,
        clearing: Clearing,
        asked: &Screened,
        errand: Errand<'_>,
        exchange: &mut Exchange,
    ) -> Result<Clearing> {
        let Clearing::Passed(cleared, complete) = clearing else { return Ok(clearing) };
        let endpoint = asked.request().endpoint();
        if self.after.is_empty() || endpoint == Endpoint::Embeddings {
            return Ok(Clearing::Passed(cleared, complete));
        }
        let response = Response::decode(endpoint, cleared.body().clone())?;
        let subject = Subject { request: asked.request().clone(), response: Some(response) };
        self.beside(Gate::Output, &subject, errand, exchange);
        let noted = exchange.rules.clone();
        let mut run = Run::new(subject, asked.bindings().clone(), Warden::Output(gate), errand, noted);
        let waited: Vec<&Hook> = self.after.iter().filter(|hook| !hook.is_async).collect();
        let all = match run.hooks(&waited, exchange).await {
            Ok(all) => all,
            Err(Stop::Block(block)) => return Ok(Clearing::Blocked(block)),
            Err(Stop::Error(error)) => return Err(error),
        };
        exchange.hooks.after = told(Gate::Output, &waited, all, None);
        Ok(match (denial(Gate::Output, &exchange.hooks.after), run.cleared) {
            (Some(block), _) => Clearing::Blocked(block),
            // What was not the whole answer before is none now.
            (None, Some((changed, again))) => Clearing::Passed(changed, complete.and(again)),
            (None, None) => Clearing::Passed(cleared, complete),
        })
    }

    /// Runs the hooks that nobody waits for: they judge what came past, and only the log and a metric say what they came to.
    fn beside(&self, gate: Gate, subject: &Subject, errand: Errand<'_>, exchange: &Exchange) {
        let hooks = self.of(gate);
        if !hooks.iter().any(|hook| hook.is_async) {
            return;
        }
        let Some(room) = errand.callouts.room_beside() else {
            count(gate, "dropped");
            tracing::warn!(gate = gate.as_str(), "Too many asynchronous hooks are under way, so one request goes without.");
            return;
        };
        let (hooks, callouts, headers) = (Arc::clone(hooks), errand.callouts.clone(), errand.headers.clone());
        let (subject, mut exchange) = (subject.clone(), exchange.clone());
        tokio::spawn(async move {
            let errand = Errand { callouts: &callouts, headers: &headers };
            let hooks: Vec<&Hook> = hooks.iter().filter(|hook| hook.is_async).collect();
            let noted = std::mem::take(&mut exchange.rules);
            let mut run = Run::new(subject, Bindings::default(), Warden::Nobody, errand, noted);
            if let Ok(all) = run.hooks(&hooks, &mut exchange).await {
                told(gate, &hooks, all, None);
            }
            drop(room);
        });
    }
}

/// What hooks came to, counted.
fn told(gate: Gate, hooks: &[&Hook], all: Vec<Vec<Outcome>>, sent: Option<&str>) -> Vec<HookResult> {
    let results = hooks.iter().zip(all).map(|(hook, outcomes)| report::result(hook, outcomes, sent));
    let results: Vec<_> = results.collect();
    for result in &results {
        let outcome = match (result.verdict, result.deny && !result.is_async) {
            (true, _) => "passed",
            (false, true) => "denied",
            (false, false) => "failed",
        };
        count(gate, outcome);
        tracing::debug!(gate = gate.as_str(), outcome, waited = !result.is_async, "A hook has judged.");
    }
    results
}

fn count(gate: Gate, outcome: &'static str) {
    counter!(metric::HOOKS, label::GATE => gate.as_str(), label::OUTCOME => outcome).increment(1);
}

/// The refusal that follows, if one of them refuses.
fn denial(gate: Gate, results: &[HookResult]) -> Option<Block> {
    let denying = results.iter().find(|result| result.deny && !result.verdict)?;
    let failed = denying.checks.iter().filter(|check| !check.verdict).map(|check| check.id.as_str());
    let summary = format!("These checks failed: {}", failed.collect::<Vec<_>>().join(", "));
    Some(Block { rule: denying.id.clone(), summary, gate, refusal: Refusal::Hooks, failure: None })
}
