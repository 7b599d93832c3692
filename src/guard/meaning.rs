//! Rules that look at the meaning of the last message, by its vector.
//!
//! Where the cache computes a vector anyway, they cost a few microseconds. A rule that blocks, or that demands a vector, is asked before anything is
//! looked up: what it refuses is refused on a hit too. Such a verdict is remembered by rules and text, so that a prompt that comes again is not embedded again.

use std::sync::Arc;

use super::{
    InputGate, Screening,
    checks::Opinion,
    redact::decide_whole,
    rules::{Finding, Pack, Rule, RuleSet, RuleSetId, written::Example},
    verdict::{Block, Failure, Gate},
};
use crate::{
    diagnostics::{Problem, Report, Source},
    embed::{EmbedError, Worker},
    exchange::Exchange,
    wire::{Role, Text},
};

/// Verdicts that are remembered.
const REMEMBERED: u64 = 20_000;

/// A text as it stands among remembered verdicts.
type Key = (RuleSetId, [u8; 32]);

/// Asks the rules that demand a vector.
#[derive(Debug, Clone)]
pub struct Meaning {
    /// `None` where nothing embeds: such rules cannot judge then.
    worker: Option<Worker>,
    /// What the rules of a set found.
    verdicts: moka::sync::Cache<Key, Arc<[Finding]>>,
}

impl Meaning {
    /// With the threads that embed.
    pub fn new(worker: Option<Worker>) -> Self {
        Self { worker, verdicts: moka::sync::Cache::new(REMEMBERED) }
    }

    /// Embeds the sentences that rules compare with, without which those rules match nothing; then holds the rules that only a vector tells to their examples.
    /// Where nothing embeds, neither is done. Computes on the caller's own thread, which may block.
    pub fn prepare(&self, pack: &Pack) -> Result<(), Vec<Report>> {
        let mut reports = Vec::new();
        for rule in pack.input.compiled() {
            match self.prepare_rule(rule) {
                Ok(problems) if problems.is_empty() => {}
                Ok(problems) => reports.push(Report::new(Source::new(rule.id(), ""), problems)),
                Err(error) => {
                    tracing::error!(rule = rule.id(), %error, "A rule cannot be compared with, and will match nothing.");
                }
            }
        }
        if reports.is_empty() { Ok(()) } else { Err(reports) }
    }

    fn prepare_rule(&self, rule: &Rule) -> Result<Vec<Problem>, EmbedError> {
        if !rule.is_of_meaning() && rule.vector_checks().iter().all(|check| check.sentences().is_empty()) {
            return Ok(Vec::new());
        }
        let Some(worker) = &self.worker else {
            tracing::warn!(rule = rule.id(), "Nothing embeds here, so a rule that compares meanings matches nothing.");
            return Ok(Vec::new());
        };
        for check in rule.vector_checks() {
            let vectors = check.sentences().iter().map(|sentence| Ok(worker.embed_here(sentence)?.vector));
            check.learn(vectors.collect::<Result<_, EmbedError>>()?);
        }
        let mut problems = Vec::new();
        let examples = &rule.written().examples;
        let (matching, pass) = (examples.matching.iter().map(|it| (it, true)), examples.pass.iter().map(|it| (it, false)));
        for (example, wanted) in matching.chain(pass).filter(|_| rule.is_of_meaning()) {
            let Some(text) = asked(example) else { continue };
            if (opinion(rule, &text, &worker.embed_here(&text)?.vector) == Opinion::Match) != wanted {
                let message = format!("the rule does not do with the example \"{text}\" what its list says");
                let remedy = "change `similarity` or the sentences, or move the example to the other list";
                problems.push(Problem::new(None, message, remedy));
            }
        }
        Ok(problems)
    }

    /// Has a request that the other rules let pass judged by those that demand a vector.
    pub async fn screen(&self, gate: &InputGate, screening: Screening, exchange: &mut Exchange) -> Screening {
        let Screening::Passed(screened) = screening else { return screening };
        let set = gate.rules();
        if !set.rules().iter().any(|rule| rule.demands_vector()) {
            return Screening::Passed(screened);
        }
        let Some(text) = last_of_user(&screened.request().texts()) else { return Screening::Passed(screened) };
        let findings = self.findings(set, text).await;
        verdict(set, &findings, exchange).map_or(Screening::Passed(screened), Screening::Blocked)
    }

    /// What the rules say that demand a vector.
    async fn findings(&self, set: &RuleSet, text: String) -> Arc<[Finding]> {
        let key = (set.id(), *blake3::hash(text.as_bytes()).as_bytes());
        if let Some(findings) = self.verdicts.get(&key) {
            return findings;
        }
        let Some(vector) = self.vector(text.clone()).await else {
            let unjudged = set.rules().iter().enumerate().filter(|(_, rule)| rule.demands_vector());
            return unjudged.map(|(rule, _)| Finding { rule, place: None, failure: Some(Failure::Unembedded) }).collect();
        };
        let findings: Arc<[Finding]> = found(set, &text, &vector, Rule::demands_vector).collect();
        self.verdicts.insert(key, Arc::clone(&findings));
        findings
    }

    async fn vector(&self, text: String) -> Option<Vec<f32>> {
        let embedded = self.worker.as_ref()?.embed(text, |_, embedding| embedding.vector).await;
        let told = |error: &dyn std::fmt::Display| tracing::warn!(%error, "A text could not be embedded for the rules.");
        match embedded {
            Ok(Ok(vector)) => return Some(vector),
            Ok(Err(error)) => told(&error),
            Err(_busy) => told(&"too many texts wait to be embedded"),
        }
        None
    }
}

/// Asks the rules that have not been asked, now that the cache has computed a vector.
pub(super) fn judge(set: &RuleSet, text: &str, vector: &[f32], exchange: &mut Exchange) -> Option<Block> {
    let findings: Vec<Finding> = found(set, text, vector, |rule| !rule.demands_vector()).collect();
    verdict(set, &findings, exchange)
}

/// What those rules find that are asked.
fn found<'s>(
    set: &'s RuleSet,
    text: &'s str,
    vector: &'s [f32],
    asked: impl Fn(&Rule) -> bool + 's,
) -> impl Iterator<Item = Finding> + 's {
    let looking = move |rule: &Rule| asked(rule) && rule.looks_at(&Text::alone(Role::User, text));
    let rules = set.rules().iter().enumerate().filter(move |(_, rule)| looking(rule));
    rules.filter_map(move |(n, rule)| match opinion(rule, text, vector) {
        Opinion::Pass => None,
        Opinion::Unsure => Some(Finding { rule: n, place: None, failure: Some(Failure::Unsure) }),
        Opinion::Match => Some(Finding { rule: n, place: None, failure: None }),
    })
}

fn opinion(rule: &Rule, text: &str, vector: &[f32]) -> Opinion {
    rule.vector_checks().iter().map(|check| check.judge(text, vector)).max().unwrap_or(Opinion::Pass)
}

fn verdict(set: &RuleSet, findings: &[Finding], exchange: &mut Exchange) -> Option<Block> {
    let outcome = decide_whole(Gate::Input, set, findings, exchange.tenant);
    outcome.note(exchange);
    outcome.block
}

/// What the user said last, all parts of it.
fn last_of_user(texts: &[Text<'_>]) -> Option<String> {
    let of_user = |text: &&Text<'_>| text.role == Role::User && text.part.is_said();
    let mut parts: Vec<&str> =
        texts.iter().rev().skip_while(|text| !of_user(text)).take_while(of_user).map(|text| &*text.text).collect();
    parts.reverse();
    (!parts.is_empty()).then(|| parts.join("\n"))
}

/// What an example asks.
fn asked(example: &Example) -> Option<String> {
    match example {
        Example::Text(text) => Some(text.clone()),
        Example::Call(call) => last_of_user(&call.decoded().ok()?.texts()),
    }
}
