//! A rule that runs, and the active rules of one gate.

use std::{
    collections::HashMap,
    ops::Range,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use aho_corasick::BuildError;
use regex::Regex;

use super::{
    horizon::Horizon,
    scanner::Scanner,
    site::Checks,
    written::{Example, LookAt, Messages, RoleName, Written},
};
use crate::{
    clock, error,
    exchange::{RuleFailure, RuleNote},
    guard::{
        checks::{Embedding, Facts, Prefix, Reach, RemoteCheck, VectorCheck},
        placeholder::placeholders,
        replace::Replacement,
        verdict::{Action, Block, Failure, Gate, Mode, OnError, Refusal},
    },
    wire::{Request, Role, Text},
};

/// A compiled rule.
#[derive(Debug)]
pub struct Rule {
    pub(super) id: String,
    /// The folder that its file lies in.
    pub(super) group: Option<String>,
    /// Whether it runs where it is not named: one that is in preview does not.
    pub(super) stands: bool,
    pub(super) checks: Checks,
    pub(super) exceptions: Vec<Regex>,
    pub(super) replacement: Replacement,
    pub(super) refusal: Refusal,
    pub(super) budget: Option<Duration>,
    pub(super) max_span: usize,
    pub(super) written: Written,
    /// Requests and answers that it has matched in.
    pub(super) hits: AtomicU64,
}

impl Rule {
    /// The file's stem.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The folder that its file lies in, if it does not lie at the top.
    pub fn group(&self) -> Option<&str> {
        self.group.as_deref()
    }

    /// Whether it runs where it is not named.
    pub fn stands(&self) -> bool {
        self.stands
    }

    /// The rule as its author wrote it.
    pub fn written(&self) -> &Written {
        &self.written
    }

    /// What it does about words of this role: an app's own instructions are warned about, never rewritten or refused, unless the rule names them.
    pub fn action_on(&self, role: Role) -> Action {
        let named = self.written.look_at.roles.contains(&RoleName::System);
        if role == Role::System && !named { Action::Warn } else { self.written.action }
    }

    /// What stands in place of a match.
    pub fn replacement(&self) -> &Replacement {
        &self.replacement
    }

    /// How long it may take for one request or answer.
    pub fn budget(&self) -> Option<Duration> {
        self.budget
    }

    /// How much of a stream is held back for a pattern that can match any length, in bytes.
    pub fn max_span(&self) -> usize {
        self.max_span
    }

    /// Its refusal, because of a match or because it could not judge.
    pub fn block(&self, gate: Gate, failure: Option<Failure>) -> Block {
        let (rule, summary) = (self.id.clone(), self.written.summary.clone());
        Block { rule, summary, gate, refusal: self.refusal.clone(), failure }
    }

    /// Whether one of its kinds judges the whole, so that there is no place to replace.
    pub(in crate::guard) fn judges_the_whole(&self) -> bool {
        self.checks.judge_the_whole()
    }

    /// Whether the rule can only judge a whole answer.
    pub fn needs_whole_answer(&self) -> bool {
        !self.checks.remotes.is_empty() || self.checks.texts.iter().any(|check| check.reach() == Reach::Whole)
    }

    /// Where the rule matches a text, exceptions taken out: what its examples are held to.
    pub fn find(&self, text: &str) -> Vec<Range<usize>> {
        let mut found = Vec::new();
        self.checks.texts.iter().for_each(|check| check.find(text, &mut found));
        self.drop_exceptions(text, &mut found);
        found
    }

    /// Whether the rule matches an example: a text, or a request. Fails if the request cannot be read.
    pub fn matches(&self, example: &Example) -> error::Result<bool> {
        let call = match example {
            Example::Text(text) => return Ok(!self.find(text).is_empty()),
            Example::Call(call) => call,
        };
        let request = call.decoded()?;
        let facts = Facts { request: &request, metadata: &call.metadata };
        let texts = request.texts();
        let judged = |text: &Text<'_>| self.looks_at(text) && !self.find(&text.text).is_empty();
        Ok(self.matches_facts(&facts) || texts.iter().any(judged))
    }

    /// Why it matches a text, where the place of the match does not tell; without a word of the text.
    pub fn reasons(&self, text: &str) -> impl Iterator<Item = String> {
        self.checks.reasons.iter().filter_map(|reason| reason.reason(text))
    }

    fn matches_facts(&self, facts: &Facts<'_>) -> bool {
        self.checks.facts.iter().any(|check| check.matches(facts))
    }

    /// Counts a request or an answer that it matched in.
    pub(in crate::guard) fn hit(&self) {
        self.hits.fetch_add(1, Ordering::Relaxed);
    }

    /// How many requests and answers it has matched in since it was loaded, those of a stream as often as it was judged.
    pub fn hits(&self) -> u64 {
        self.hits.load(Ordering::Relaxed)
    }

    fn drop_exceptions(&self, text: &str, found: &mut Vec<Range<usize>>) {
        found.retain(|span| !self.exceptions.iter().any(|exception| exception.is_match(&text[span.clone()])));
    }

    /// Whether there must be a vector of what is asked: the rule says so, or what it blocks would pass where the cache computes none.
    pub(in crate::guard) fn demands_vector(&self) -> bool {
        let checks = &self.checks.vectors;
        let always = self.written.action == Action::Block || checks.iter().any(|check| check.embedding() == Embedding::Always);
        always && !checks.is_empty() && self.looks_at(&Text::alone(Role::User, ""))
    }

    /// Whether only a vector tells if it matches.
    pub(in crate::guard) fn is_of_meaning(&self) -> bool {
        self.checks.texts.is_empty() && self.checks.facts.is_empty() && !self.checks.vectors.is_empty()
    }

    /// Whether some of what it finds is found only where vectors are computed and others are asked.
    pub(in crate::guard) fn is_seen_at_the_gate_alone(&self) -> bool {
        !self.checks.vectors.is_empty() || !self.checks.remotes.is_empty()
    }

    /// Its checks on the meaning of a text.
    pub(in crate::guard) fn vector_checks(&self) -> &[Box<dyn VectorCheck>] {
        &self.checks.vectors
    }

    /// What it puts before a request's text.
    pub(in crate::guard) fn prefixes(&self) -> &[Prefix] {
        &self.checks.prefixes
    }

    /// Its checks that call out.
    pub(in crate::guard) fn remote_checks(&self) -> &[Box<dyn RemoteCheck>] {
        &self.checks.remotes
    }

    /// Whether it looks at such a text.
    pub fn looks_at(&self, text: &Text<'_>) -> bool {
        let LookAt { roles, messages, parts } = &self.written.look_at;
        let role = match text.role {
            Role::System => RoleName::System,
            Role::User => RoleName::User,
            Role::Assistant => RoleName::Assistant,
            Role::Tool => RoleName::Tool,
        };
        let last = *messages == Messages::All || text.last;
        last && (roles.is_empty() || roles.contains(&role)) && (parts.is_empty() || parts.contains(&text.part))
    }
}

/// Identifies a set of rules: an entry remembers the set that it was cleared under.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RuleSetId(pub(in crate::guard) [u8; 16]);

/// A match of a rule, or that it could not judge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Index of the rule in the set.
    pub rule: usize,
    /// Where it matched; `None` if what matched is not text.
    pub place: Option<Place>,
    /// Why it could not judge, if it could not.
    pub failure: Option<Failure>,
}

/// A place in one of the texts that were scanned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Index of the text.
    pub text: usize,
    /// Where in it, in bytes.
    pub span: Range<usize>,
}

/// The active rules of one gate: a selection of all that were compiled for it.
#[derive(Debug, Clone)]
pub struct RuleSet {
    id: RuleSetId,
    scanner: Arc<Scanner>,
    rules: Vec<Arc<Rule>>,
    modes: Vec<Mode>,
    /// For each rule that was compiled, its place among those that are active.
    places: Vec<Option<usize>>,
    restores: bool,
    /// Made for the first stream; the same for all copies.
    horizon: Arc<OnceLock<Horizon>>,
}

impl RuleSet {
    /// Puts the rules that stand at a gate together; all of them are active. `id` changes whenever a rule does.
    pub fn new(gate: Gate, id: [u8; 16], rules: &[Arc<Rule>]) -> Result<Self, BuildError> {
        let rules = rules.iter().filter(|rule| rule.written.stage.stands_at(gate)).cloned().collect();
        let scanner = Arc::new(Scanner::new(id, rules)?);
        Ok(Self::over(&scanner, |_| Some(Mode::Enforce)))
    }

    /// Another selection of the same compiled rules: those that have a mode.
    #[must_use]
    pub fn select(&self, mode_of: impl Fn(&Rule) -> Option<Mode>) -> Self {
        Self::over(&self.scanner, mode_of)
    }

    fn over(scanner: &Arc<Scanner>, mode_of: impl Fn(&Rule) -> Option<Mode>) -> Self {
        let (mut rules, mut modes) = (Vec::new(), Vec::new());
        let mut id = blake3::Hasher::new();
        id.update(&scanner.id);
        let mut select = |rule: &Arc<Rule>| {
            let mode = mode_of(rule)?;
            id.update(rule.id.as_bytes()).update(&[0, u8::from(mode == Mode::Enforce)]);
            rules.push(Arc::clone(rule));
            modes.push(mode);
            Some(rules.len() - 1)
        };
        let places = scanner.rules.iter().map(&mut select).collect();
        let restores = |(rule, mode): (&Arc<Rule>, &Mode)| {
            *mode == Mode::Enforce && rule.written.action == Action::Replace && rule.replacement.restores()
        };
        let restores = rules.iter().zip(&modes).any(restores);
        let mut bytes = [0; 16];
        id.finalize_xof().fill(&mut bytes);
        Self { id: RuleSetId(bytes), scanner: Arc::clone(scanner), rules, modes, places, restores, horizon: Arc::default() }
    }

    /// Identifies this set.
    pub fn id(&self) -> RuleSetId {
        self.id
    }

    /// The rules, in the order of their ids.
    pub fn rules(&self) -> &[Arc<Rule>] {
        &self.rules
    }

    /// Every rule that was compiled, active or not.
    pub fn compiled(&self) -> impl Iterator<Item = &Rule> {
        self.scanner.rules.iter().map(Arc::as_ref)
    }

    /// Whether what a rule says is done.
    pub fn mode(&self, rule: usize) -> Mode {
        self.modes[rule]
    }

    /// What the rules want held back of a stream.
    pub fn horizon(&self) -> &Horizon {
        self.horizon.get_or_init(|| Horizon::of(self))
    }

    /// Whether a rule wants more of an answer than to say that it matched.
    pub fn acts(&self, rule: usize) -> bool {
        self.modes[rule] == Mode::Enforce && self.rules[rule].action_on(Role::Assistant) != Action::Warn
    }

    /// Whether a finding is about the whole of a text that names placeholders: it is another text to each caller.
    pub fn judged_restored(&self, finding: &Finding, texts: &[Text<'_>]) -> bool {
        let names = |place: &Place| placeholders(&texts[place.text].text).next().is_some();
        self.rules[finding.rule].needs_whole_answer() && finding.place.as_ref().is_some_and(names)
    }

    /// Whether some rule gives callers their own values back.
    pub fn restores(&self) -> bool {
        self.restores
    }

    /// Whether a rule that could not judge refuses.
    pub fn refuses_unjudged(&self, rule: usize) -> bool {
        let written = &self.rules[rule].written;
        self.modes[rule] == Mode::Enforce && written.on_error == OnError::Closed && written.action != Action::Warn
    }

    /// What is written down of what a rule did.
    pub fn note(&self, rule: usize, action: Action) -> RuleNote {
        let written = &self.rules[rule];
        RuleNote { rule: written.id.clone(), action: self.modes[rule].noted(action), severity: written.written.severity.as_str() }
    }

    /// What was written down of a rule of this set when its answer was kept, with what is not kept.
    pub fn told_again(&self, note: RuleNote) -> RuleNote {
        let rule = self.rules.iter().find(|rule| rule.id == note.rule);
        RuleNote { severity: rule.map_or(note.severity, |rule| rule.written.severity.as_str()), ..note }
    }

    /// What is written down of a rule that could not judge.
    pub fn failed(&self, rule: usize, failure: Failure) -> RuleFailure {
        let outcome = if self.refuses_unjudged(rule) { OnError::Closed } else { OnError::Open };
        RuleFailure { rule: self.rules[rule].id.clone(), reason: failure.as_str(), outcome: outcome.as_str() }
    }

    /// Everything that the rules find in these texts.
    pub fn scan(&self, texts: &[Text<'_>]) -> Vec<Finding> {
        let mut scan = Scan { set: self, found: Vec::new(), findings: Vec::new(), spent: HashMap::new() };
        self.scanner.each_awake(texts, |n, slot| {
            if let Some(rule) = self.places[slot.rule] {
                scan.run(rule, slot.check, n, &texts[n]);
            }
        });
        scan.findings
    }

    /// The rules that match what of a request is not text.
    pub fn scan_facts(&self, facts: &Facts<'_>) -> impl Iterator<Item = Finding> {
        let matching = self.rules.iter().enumerate().filter(|(_, rule)| rule.matches_facts(facts));
        matching.map(|(rule, _)| Finding { rule, place: None, failure: None })
    }

    /// The request with what rules put before its text, and what is noted of that.
    pub(in crate::guard) fn amended(&self, mut request: Request) -> error::Result<(Request, Vec<RuleNote>)> {
        let mut notes = Vec::new();
        for (n, rule) in self.rules.iter().enumerate().filter(|(_, rule)| rule.written.action == Action::Replace) {
            for prefix in &rule.checks.prefixes {
                notes.push(self.note(n, Action::Replace));
                if self.modes[n] == Mode::Enforce {
                    request = prefix.amend(&request)?;
                }
            }
        }
        Ok((request, notes))
    }

    /// The checks that call out, each with the index of its rule.
    pub(in crate::guard) fn remotes(&self) -> impl Iterator<Item = (usize, &dyn RemoteCheck)> {
        let rules = self.rules.iter().enumerate();
        rules.flat_map(|(n, rule)| rule.remote_checks().iter().map(move |check| (n, &**check)))
    }
}

/// One scan on its way.
struct Scan<'s> {
    set: &'s RuleSet,
    found: Vec<Range<usize>>,
    findings: Vec<Finding>,
    /// What rules with a budget have spent of it.
    spent: HashMap<usize, Duration>,
}

impl Scan<'_> {
    /// Runs one check of a rule on one text.
    fn run(&mut self, index: usize, check: usize, n: usize, text: &Text<'_>) {
        let rule = &self.set.rules[index];
        if !rule.looks_at(text) {
            return;
        }
        let Some(budget) = rule.budget else { return self.find(index, check, n, text) };
        if self.spent.get(&index).is_some_and(|spent| *spent > budget) {
            return;
        }
        let started = clock::now();
        self.find(index, check, n, text);
        let spent = self.spent.entry(index).or_default();
        *spent += clock::now().saturating_duration_since(started);
        if *spent > budget {
            self.findings.push(Finding { rule: index, place: None, failure: Some(Failure::Budget) });
        }
    }

    fn find(&mut self, index: usize, check: usize, n: usize, text: &Text<'_>) {
        let rule = &self.set.rules[index];
        rule.checks.texts[check].find(&text.text, &mut self.found);
        rule.drop_exceptions(&text.text, &mut self.found);
        let place = |span| Some(Place { text: n, span });
        let finding = |span| Finding { rule: index, place: place(span), failure: None };
        self.findings.extend(self.found.drain(..).map(finding));
    }
}
