//! Rules that look at the meaning of the last message, by its vector.
//!
//! Where the cache computes a vector anyway, they cost a few microseconds. A rule that blocks, or that demands a vector, is asked before anything is
//! looked up: what it refuses is refused on a hit too. Such a verdict is remembered by rules and text, so that a prompt that comes again is not embedded again.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    InputGate, Screened,
    checks::Opinion,
    redact::decide,
    rules::{Finding, Pack, Rule, RuleSet, RuleSetId},
    verdict::{Block, Gate},
};
use crate::{
    diagnostics::{Problem, Report, Source},
    embed::Worker,
    exchange::Exchange,
    telemetry::{label, metric},
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
    /// Which rules of the set matched.
    verdicts: moka::sync::Cache<Key, Arc<[usize]>>,
}

/// Why a rule could not judge.
#[derive(Debug, Clone, Copy)]
enum Unjudged {
    NoEngine,
    Busy,
    EngineFailed,
    /// The rule abstains.
    Unsure,
}

impl Unjudged {
    fn as_str(self) -> &'static str {
        match self {
            Self::NoEngine => "no-engine",
            Self::Busy => "busy",
            Self::EngineFailed => "engine-failed",
            Self::Unsure => "unsure",
        }
    }
}

impl Meaning {
    /// With the threads that embed.
    pub fn new(worker: Option<Worker>) -> Self {
        Self { worker, verdicts: moka::sync::Cache::new(REMEMBERED) }
    }

    /// Has the sentences embedded that rules compare with, without which those rules match nothing; then holds the rules that only a vector tells to their
    /// examples. Where nothing embeds, neither is done.
    pub async fn prepare(&self, pack: &Pack) -> Result<(), Vec<Report>> {
        let rules = pack.input.rules().iter().chain(pack.output.rules());
        let rules: BTreeMap<&str, &Rule> = rules.map(|rule| (rule.id(), &**rule)).collect();
        let mut reports = Vec::new();
        for rule in rules.into_values().filter(|rule| !rule.vector_checks().is_empty()) {
            match self.prepare_rule(rule).await {
                Ok(problems) if problems.is_empty() => {}
                Ok(problems) => reports.push(Report::new(Source::new(rule.id(), ""), problems)),
                Err(reason) => unjudged(rule, reason),
            }
        }
        if reports.is_empty() { Ok(()) } else { Err(reports) }
    }

    async fn prepare_rule(&self, rule: &Rule) -> Result<Vec<Problem>, Unjudged> {
        for check in rule.vector_checks() {
            let mut vectors = Vec::new();
            for sentence in check.sentences() {
                vectors.push(self.vector(sentence.clone()).await?);
            }
            check.learn(vectors);
        }
        let mut problems = Vec::new();
        let examples = &rule.written().examples;
        let (matching, pass) =
            (examples.matching.iter().map(|text| (text, true)), examples.pass.iter().map(|text| (text, false)));
        for (text, wanted) in matching.chain(pass).filter(|_| rule.is_of_meaning()) {
            if matches(rule, text, &self.vector(text.clone()).await?) != wanted {
                let message = format!("the rule does not do with the example \"{text}\" what its list says");
                problems.push(Problem::new(
                    None,
                    message,
                    "change `similarity` or the sentences, or move the example to the other list",
                ));
            }
        }
        Ok(problems)
    }

    /// Asks the rules of the input gate that demand a vector.
    pub async fn screen(&self, gate: &InputGate, screened: &Screened, exchange: &mut Exchange) -> Option<Block> {
        let set = gate.rules();
        let demanding = || set.rules().iter().enumerate().filter(|(_, rule)| rule.demands_vector());
        demanding().next()?;
        let text = last_of_user(&screened.request().texts())?;
        let key = (set.id(), *blake3::hash(text.as_bytes()).as_bytes());
        let matching = match self.verdicts.get(&key) {
            Some(matching) => matching,
            None => match self.vector(text.clone()).await {
                Ok(vector) => {
                    let matching = demanding().filter(|(_, rule)| matches(rule, &text, &vector)).map(|(n, _)| n);
                    let matching: Arc<[usize]> = matching.collect();
                    self.verdicts.insert(key, Arc::clone(&matching));
                    matching
                }
                Err(reason) => {
                    demanding().for_each(|(_, rule)| unjudged(rule, reason));
                    return None;
                }
            },
        };
        verdict(set, matching.iter().copied(), exchange)
    }

    async fn vector(&self, text: String) -> Result<Vec<f32>, Unjudged> {
        let worker = self.worker.as_ref().ok_or(Unjudged::NoEngine)?;
        let embedded = worker.embed(text, |_, embedding| embedding.vector).await;
        embedded.map_err(|_busy| Unjudged::Busy)?.map_err(|error| {
            tracing::error!(%error, "A text could not be embedded; the rules that look at its vector did not judge it.");
            Unjudged::EngineFailed
        })
    }
}

/// Asks the rules that have not been asked, now that the cache has computed a vector.
pub(super) fn judge(set: &RuleSet, text: &str, vector: &[f32], exchange: &mut Exchange) -> Option<Block> {
    let asked = |rule: &Rule| !rule.demands_vector() && rule.looks_at(Role::User) && matches(rule, text, vector);
    let matching: Vec<usize> = set.rules().iter().enumerate().filter(|(_, rule)| asked(rule)).map(|(n, _)| n).collect();
    verdict(set, matching, exchange)
}

fn matches(rule: &Rule, text: &str, vector: &[f32]) -> bool {
    let opinion = rule.vector_checks().iter().map(|check| check.judge(text, vector)).max();
    if opinion == Some(Opinion::Unsure) {
        unjudged(rule, Unjudged::Unsure);
    }
    opinion == Some(Opinion::Match)
}

fn verdict(set: &RuleSet, matching: impl IntoIterator<Item = usize>, exchange: &mut Exchange) -> Option<Block> {
    let findings: Vec<Finding> = matching.into_iter().map(|rule| Finding { rule, place: None }).collect();
    let outcome = decide(Gate::Input, set, &[], &findings);
    exchange.note_rules(outcome.notes);
    outcome.block
}

/// What the user said last, all parts of it.
fn last_of_user(texts: &[Text<'_>]) -> Option<String> {
    let of_user = |text: &&Text<'_>| text.role == Role::User;
    let mut parts: Vec<&str> =
        texts.iter().rev().skip_while(|text| !of_user(text)).take_while(of_user).map(|text| &*text.text).collect();
    parts.reverse();
    (!parts.is_empty()).then(|| parts.join("\n"))
}

fn unjudged(rule: &Rule, reason: Unjudged) {
    metrics::counter!(metric::RULES_UNJUDGED, label::RULE => rule.id().to_owned(), label::REASON => reason.as_str()).increment(1);
}
