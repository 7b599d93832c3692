//! All active rules together: one prefilter over every keyword, then only the checks that can match.

use std::{
    collections::HashMap,
    ops::Range,
    sync::{Arc, OnceLock},
};

use aho_corasick::{AhoCorasick, BuildError};
use regex::Regex;

use super::{
    horizon::Horizon,
    site::Checks,
    written::{RoleName, Written},
};
use crate::{
    guard::{
        checks::{Facts, Needs, Reach},
        placeholder::placeholders,
        verdict::{Action, Gate, OnError},
    },
    wire::{Role, Text},
};

/// A compiled rule.
#[derive(Debug)]
pub struct Rule {
    pub(super) id: String,
    pub(super) checks: Checks,
    pub(super) except: Vec<Regex>,
    pub(super) written: Written,
}

/// Replaced text that says only that something was there.
const DEFAULT_REPLACEMENT: &str = "[REDACTED]";

/// How much of a stream is held back for a match that can be of any length.
const MAX_SPAN: usize = 4 << 10;

impl Rule {
    /// The file's stem.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The rule as its author wrote it.
    pub fn written(&self) -> &Written {
        &self.written
    }

    /// What it does about words of this role: an app's own instructions are warned about, never rewritten or refused, unless the rule names them.
    pub fn action_on(&self, role: Role) -> Action {
        let named = self.written.roles.contains(&RoleName::System);
        if role == Role::System && !named { Action::Warn } else { self.written.action }
    }

    /// How much of a stream is held back for a match that can be of any length, in bytes.
    pub fn max_span(&self) -> usize {
        MAX_SPAN
    }

    /// What follows where it could not judge.
    pub fn on_error(&self) -> OnError {
        OnError::default()
    }

    /// What stands in place of a match.
    pub fn replacement(&self) -> &str {
        self.written.replace_with.as_deref().unwrap_or(DEFAULT_REPLACEMENT)
    }

    /// Whether the rule can only judge a whole answer.
    pub fn needs_whole_answer(&self) -> bool {
        self.checks.texts.iter().any(|check| check.reach() == Reach::Whole)
    }

    /// Where the rule matches a text, exceptions taken out: what its examples are held to.
    pub fn find(&self, text: &str) -> Vec<Range<usize>> {
        let mut found = Vec::new();
        self.checks.texts.iter().for_each(|check| check.find(text, &mut found));
        self.drop_exceptions(text, &mut found);
        found
    }

    fn drop_exceptions(&self, text: &str, found: &mut Vec<Range<usize>>) {
        found.retain(|span| !self.except.iter().any(|except| except.is_match(&text[span.clone()])));
    }

    fn looks_at(&self, role: Role) -> bool {
        let name = match role {
            Role::System => RoleName::System,
            Role::User => RoleName::User,
            Role::Assistant => RoleName::Assistant,
            Role::Tool => RoleName::Tool,
        };
        self.written.roles.is_empty() || self.written.roles.contains(&name)
    }
}

/// Identifies a set of rules: an entry remembers the set that it was cleared under.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RuleSetId(pub(in crate::guard) [u8; 16]);

/// A match of a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Index of the rule in the set.
    pub rule: usize,
    /// Where it matched; `None` if what matched is not text.
    pub place: Option<Place>,
}

/// A place in one of the texts that were scanned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Index of the text.
    pub text: usize,
    /// Where in it, in bytes.
    pub span: Range<usize>,
}

/// A check and whose it is, with whether it must run on every text.
#[derive(Debug, Clone, Copy)]
struct Slot {
    rule: usize,
    check: usize,
    always: bool,
}

/// The active rules of one gate.
#[derive(Debug)]
pub struct RuleSet {
    id: RuleSetId,
    rules: Vec<Arc<Rule>>,
    slots: Vec<Slot>,
    prefilter: AhoCorasick,
    /// For each keyword of the prefilter, the slots that it wakes.
    wakes: Vec<Vec<usize>>,
    horizon: OnceLock<Horizon>,
}

impl RuleSet {
    /// Puts the rules that stand at a gate together. `id` changes whenever a rule does.
    pub fn new(gate: Gate, id: [u8; 16], rules: &[Arc<Rule>]) -> Result<Self, BuildError> {
        let rules: Vec<Arc<Rule>> = rules.iter().filter(|rule| rule.written.stage.stands_at(gate)).cloned().collect();
        let (mut slots, mut keywords, mut wakes) = (Vec::new(), Vec::new(), Vec::<Vec<usize>>::new());
        let mut known = HashMap::new();
        for (rule, compiled) in rules.iter().enumerate() {
            for (check, kind) in compiled.checks.texts.iter().enumerate() {
                let slot = slots.len();
                let needs = kind.needs();
                slots.push(Slot { rule, check, always: matches!(needs, Needs::Nothing) });
                let Needs::AnyOf(words) = needs else { continue };
                for word in words.iter().map(|word| word.to_ascii_lowercase()) {
                    let keyword = *known.entry(word.clone()).or_insert_with(|| {
                        keywords.push(word);
                        wakes.push(Vec::new());
                        keywords.len() - 1
                    });
                    wakes[keyword].push(slot);
                }
            }
        }
        let prefilter = AhoCorasick::builder().ascii_case_insensitive(true).build(&keywords)?;
        Ok(Self { id: RuleSetId(id), rules, slots, prefilter, wakes, horizon: OnceLock::new() })
    }

    /// Identifies this set.
    pub fn id(&self) -> RuleSetId {
        self.id
    }

    /// The rules, in the order of their ids.
    pub fn rules(&self) -> &[Arc<Rule>] {
        &self.rules
    }

    /// What the rules want held back of a stream; made for the first that is one.
    pub fn horizon(&self) -> &Horizon {
        self.horizon.get_or_init(|| Horizon::of(self))
    }

    /// Whether a rule wants more of an answer than to say that it matched.
    pub fn acts(&self, rule: usize) -> bool {
        self.rules[rule].action_on(Role::Assistant) != Action::Warn
    }

    /// Whether a finding is about the whole of a text that names placeholders: it is another text to each caller.
    pub fn judged_restored(&self, finding: &Finding, texts: &[Text<'_>]) -> bool {
        let names = |place: &Place| placeholders(&texts[place.text].text).next().is_some();
        self.rules[finding.rule].needs_whole_answer() && finding.place.as_ref().is_some_and(names)
    }

    /// Everything that the rules find in these texts.
    pub fn scan(&self, texts: &[Text<'_>]) -> Vec<Finding> {
        let mut findings = Vec::new();
        if self.slots.is_empty() {
            return findings;
        }
        let mut awake = vec![false; self.slots.len()];
        let mut found = Vec::new();
        for (n, text) in texts.iter().enumerate() {
            self.wake(&text.text, &mut awake);
            for (slot, _) in self.slots.iter().zip(&awake).filter(|(_, awake)| **awake) {
                let rule = &self.rules[slot.rule];
                if !rule.looks_at(text.role) {
                    continue;
                }
                rule.checks.texts[slot.check].find(&text.text, &mut found);
                rule.drop_exceptions(&text.text, &mut found);
                let place = |span| Some(Place { text: n, span });
                findings.extend(found.drain(..).map(|span| Finding { rule: slot.rule, place: place(span) }));
            }
        }
        findings
    }

    /// The rules that match what of a request is not text.
    pub fn scan_facts(&self, facts: &Facts<'_>) -> impl Iterator<Item = Finding> {
        let matches = |rule: &Rule| rule.checks.facts.iter().any(|check| check.matches(facts));
        let matching = self.rules.iter().enumerate().filter(move |(_, rule)| matches(rule));
        matching.map(|(rule, _)| Finding { rule, place: None })
    }

    /// Marks the slots that can match this text.
    fn wake(&self, text: &str, awake: &mut [bool]) {
        for (awake, slot) in awake.iter_mut().zip(&self.slots) {
            *awake = slot.always;
        }
        for hit in self.prefilter.find_overlapping_iter(text) {
            for &slot in &self.wakes[hit.pattern().as_usize()] {
                awake[slot] = true;
            }
        }
    }
}
