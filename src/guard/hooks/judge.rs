//! What one check that asks nobody says.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    compile::{Check, Does, Rules},
    reading::Reading,
};
use crate::{
    error::{Error, Kind},
    exchange::RuleNote,
    guard::{
        checks::{Check as TextCheck, Facts},
        placeholder::placeholders,
        redact::Claim,
        replace::Replacement,
        rules::{Finding, Rule},
        verdict::{Action, Mode},
    },
    wire::{Request, Role, Text},
};

/// What checks want written over, by text.
#[derive(Debug, Default)]
pub(super) struct Claims<'h>(pub(super) BTreeMap<usize, Vec<Claim<'h>>>);

/// What one check says.
#[derive(Debug, Default)]
pub(super) struct Verdict {
    pub(super) passed: bool,
    /// Whether the hook refuses for its sake, whatever it says of itself.
    pub(super) denies: bool,
    pub(super) transformed: bool,
    /// Why it cannot say.
    pub(super) error: Option<Error>,
    /// The rules that have found something.
    pub(super) rules: BTreeSet<String>,
    /// The same, as it is written down.
    pub(super) notes: Vec<RuleNote>,
}

impl Verdict {
    fn of(passed: bool) -> Self {
        Self { passed, ..Self::default() }
    }
}

/// Has a check judge, the `n`th of those that run beside each other. Who is asked is asked later.
pub(super) fn judge<'h>(
    check: &'h Check,
    n: usize,
    reading: &Reading<'_>,
    request: &Request,
    metadata: &BTreeMap<String, String>,
    noted: &[RuleNote],
    claims: &mut Claims<'h>,
) -> Verdict {
    match &check.does {
        Does::Text(check) => Verdict::of(!finds(&**check, &reading.joined())),
        Does::Facts(check) => Verdict::of(!check.matches(&Facts { request, metadata })),
        Does::Remote(_) => Verdict::of(true),
        Does::Prefix(_) => Verdict { transformed: true, ..Verdict::of(true) },
        Does::Replace { check, with, fails } => {
            let found = claims.of_check(&**check, n, with, reading);
            Verdict { transformed: found, ..Verdict::of(!(found && *fails)) }
        }
        Does::Rules(rules) => rules.judge(n, reading, &Facts { request, metadata }, noted, claims),
    }
}

fn finds(check: &dyn TextCheck, text: &str) -> bool {
    let mut found = Vec::new();
    check.find(text, &mut found);
    !found.is_empty()
}

impl<'h> Claims<'h> {
    /// Claims all that a check finds; whether that is something.
    fn of_check(&mut self, check: &dyn TextCheck, n: usize, with: &'h Replacement, reading: &Reading<'_>) -> bool {
        let mut any = false;
        for &at in &reading.open {
            let mut found = Vec::new();
            check.find(&reading.texts[at].text, &mut found);
            // What matches nothing between two letters has nothing to be written over.
            for span in found.into_iter().filter(|span| !span.is_empty()) {
                any = true;
                self.0.entry(at).or_default().push(Claim { span, rule: Some(n), replacement: with });
            }
        }
        any
    }
}

impl Rules {
    fn judge<'h>(
        &'h self,
        n: usize,
        reading: &Reading<'_>,
        facts: &Facts<'_>,
        noted: &[RuleNote],
        claims: &mut Claims<'h>,
    ) -> Verdict {
        let mut verdict = Verdict::of(true);
        for finding in self.findings(reading, facts) {
            self.follow(&finding, n, reading, &mut verdict, claims);
        }
        let said = reading.joined();
        for rule in self.set.rules() {
            self.recall(rule, noted, &said, &mut verdict);
        }
        verdict.passed ^= self.not;
        verdict
    }

    fn findings(&self, reading: &Reading<'_>, facts: &Facts<'_>) -> Vec<Finding> {
        if !self.said_only {
            let mut findings = self.set.scan(&reading.texts);
            findings.extend(self.set.scan_facts(facts));
            return findings;
        }
        // As if a user had said it: that is where rules look that look at all.
        let texts: Vec<_> = reading.texts.iter().map(|text| Text { role: Role::User, last: true, ..text.clone() }).collect();
        let mut findings = self.set.scan(&texts);
        findings.retain(|finding| finding.place.as_ref().is_some_and(|place| reading.open.contains(&place.text)));
        findings
    }

    fn follow<'h>(&'h self, finding: &Finding, n: usize, reading: &Reading<'_>, verdict: &mut Verdict, claims: &mut Claims<'h>) {
        let rule = &self.set.rules()[finding.rule];
        if let Some(failure) = finding.failure {
            let message = format!("The rule `{}` {}.", rule.id(), failure.told());
            verdict.error = Some(Error::new(Kind::Internal, message));
            verdict.denies |= self.set.refuses_unjudged(finding.rule);
            verdict.passed = false;
            return;
        }
        let place = finding.place.as_ref().filter(|_| !self.said_only);
        let action = self.action_of(rule, place.map(|place| reading.texts[place.text].role));
        verdict.notes.push(self.set.note(finding.rule, action));
        if verdict.rules.insert(rule.id().to_owned()) {
            rule.hit();
        }
        if self.action.is_none() && self.set.mode(finding.rule) == Mode::Monitor {
            return;
        }
        if let (Action::Replace, Some(place)) = (action, &finding.place) {
            verdict.transformed = true;
            let claim = Claim { span: place.span.clone(), rule: Some(n), replacement: rule.replacement() };
            claims.0.entry(place.text).or_default().push(claim);
        } else {
            verdict.passed = false;
            verdict.denies |= action == Action::Block;
        }
    }

    /// What is done about a rule's find in the words of this role. What has no place to be replaced is refused.
    fn action_of(&self, rule: &Rule, teller: Option<Role>) -> Action {
        let own = teller.map_or(rule.written().action, |teller| rule.action_on(teller));
        if own != rule.written().action {
            return own;
        }
        match self.action.unwrap_or(own) {
            Action::Replace if rule.judges_the_whole() => Action::Block,
            action => action,
        }
    }

    /// What the gate has found is not there any more, or cannot be seen from here.
    fn recall(&self, rule: &Rule, noted: &[RuleNote], said: &str, verdict: &mut Verdict) {
        let has = |action: Action| noted.iter().any(|note| note.rule == rule.id() && note.action == action.as_str());
        let replaced = has(Action::Replace) && (!self.said_only || stood_in(rule, said));
        let warned = has(Action::Warn) && !self.said_only && rule.is_seen_at_the_gate_alone();
        if !replaced && !warned {
            return;
        }
        verdict.rules.insert(rule.id().to_owned());
        match self.action {
            None | Some(Action::Replace) if replaced => verdict.transformed |= self.action.is_some(),
            action => {
                verdict.passed = false;
                verdict.denies |= action == Some(Action::Block);
            }
        }
    }
}

/// Whether a stand-in of the rule's is in a text, as far as one can be told.
fn stood_in(rule: &Rule, text: &str) -> bool {
    let Replacement::Placeholder { label, .. } = rule.replacement() else { return true };
    placeholders(text).any(|span| text[span].strip_prefix("{{").is_some_and(|rest| rest.starts_with(label.as_str())))
}
