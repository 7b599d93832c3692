//! Findings to actions: what is refused, what is written over, what is only noted.

use std::{
    borrow::Cow,
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
    ops::Range,
    sync::LazyLock,
};

use super::{
    arguments,
    placeholder::placeholders,
    replace::{Cover, HashKey, Replacement, StandIns},
    rules::{Finding, Rule, RuleSet},
    verdict::{Action, Block, Gate, Mode},
};
use crate::{
    exchange::{Exchange, RuleFailure, RuleNote, Tenant},
    wire::{Part, Text},
};

/// What a client wrote in the shape of a placeholder is replaced as if by a rule, so that it is nobody's placeholder.
static LITERAL: LazyLock<Replacement> = LazyLock::new(Replacement::literal);

/// What the findings of one scan come to.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    pub(super) notes: Vec<RuleNote>,
    pub(super) failures: Vec<RuleFailure>,
    pub(super) block: Option<Block>,
    /// JSON strings that take the place of others in the body, in order.
    pub(super) edits: Vec<(Range<usize>, Cow<'static, str>)>,
}

impl Outcome {
    /// Writes down what the rules did.
    pub(super) fn note(&self, exchange: &mut Exchange) {
        exchange.note_rules(self.notes.clone());
        exchange.note_failures(self.failures.clone());
    }
}

/// Decides. Several rules on one text compose: spans merge, the strictest action wins, order does not matter.
pub(super) fn decide(gate: Gate, set: &RuleSet, texts: &[Text<'_>], findings: &[Finding], stand_ins: &mut StandIns) -> Outcome {
    let (mut done, mut failed, mut refusing) = (BTreeSet::new(), BTreeSet::new(), Vec::new());
    let mut claims: BTreeMap<usize, Vec<Claim<'_>>> = BTreeMap::new();
    for finding in findings {
        let rule = &set.rules()[finding.rule];
        let enforced = set.mode(finding.rule) == Mode::Enforce;
        if let Some(failure) = finding.failure {
            failed.insert((finding.rule, failure));
            continue;
        }
        let action = finding.place.as_ref().map_or(rule.written().action, |place| rule.action_on(texts[place.text].role));
        if done.insert((finding.rule, action)) {
            explain(rule, finding.place.as_ref().map(|place| &*texts[place.text].text));
        }
        match (action, &finding.place) {
            (Action::Block, _) if enforced => refusing.push((finding.rule, None)),
            (Action::Replace, Some(place)) if enforced => {
                let claim = Claim { span: place.span.clone(), rule: Some(finding.rule), replacement: rule.replacement() };
                claims.entry(place.text).or_default().push(claim);
            }
            _ => {}
        }
    }
    done.iter().map(|(rule, _)| *rule).collect::<BTreeSet<_>>().into_iter().for_each(|rule| set.rules()[rule].hit());
    if gate == Gate::Input && set.restores() {
        claim_literals(texts, stand_ins, &mut claims);
    }
    refusing.extend(failed.iter().filter(|(rule, _)| set.refuses_unjudged(*rule)).map(|&(rule, failure)| (rule, Some(failure))));
    let strictest =
        refusing.into_iter().min_by_key(|&(rule, failure)| (Reverse(set.rules()[rule].written().severity), rule, failure));
    Outcome {
        notes: done.into_iter().map(|(rule, action)| set.note(rule, action)).collect(),
        failures: failed.into_iter().map(|(rule, failure)| set.failed(rule, failure)).collect(),
        block: strictest.map(|(rule, failure)| set.rules()[rule].block(gate, failure)),
        edits: claims.into_iter().filter_map(|(n, claims)| edit(&texts[n], claims, stand_ins)).collect(),
    }
}

/// Decides on findings that have no place in a text, so that nothing is replaced.
pub(super) fn decide_whole(gate: Gate, set: &RuleSet, findings: &[Finding], tenant: Tenant) -> Outcome {
    decide(gate, set, &[], findings, &mut StandIns::new(gate, HashKey::new(&[0; 32]), tenant))
}

/// Tells the log why a rule matched, where that can be told without the text.
fn explain(rule: &Rule, text: Option<&str>) {
    for reason in text.into_iter().flat_map(|text| rule.reasons(text)) {
        tracing::info!(rule = rule.id(), reason, "A rule matched.");
    }
}

/// A place that a rule wants written over.
#[derive(Debug, Clone)]
pub(super) struct Claim<'r> {
    pub(super) span: Range<usize>,
    /// The rule's place among those of the gate; `None` is what only looks like a placeholder.
    pub(super) rule: Option<usize>,
    pub(super) replacement: &'r Replacement,
}

/// The model must not take for a placeholder of ours what the client wrote, whoever wrote it: it would come back as somebody's value.
pub(super) fn claim_literals(texts: &[Text<'_>], stand_ins: &StandIns, claims: &mut BTreeMap<usize, Vec<Claim<'_>>>) {
    for (n, text) in texts.iter().enumerate() {
        let foreign = placeholders(&text.text).filter(|span| !stand_ins.knows(&text.text[span.clone()]));
        let literals = foreign.map(|span| Claim { span, rule: None, replacement: &LITERAL });
        let literals: Vec<_> = literals.collect();
        if !literals.is_empty() {
            claims.entry(n).or_default().extend(literals);
        }
    }
}

/// The text with every claim written over, as a JSON string; `None` if that changes nothing.
pub(super) fn edit(
    text: &Text<'_>,
    claims: Vec<Claim<'_>>,
    stand_ins: &mut StandIns,
) -> Option<(Range<usize>, Cow<'static, str>)> {
    let covers = merged(around_placeholders(&text.text, claims, stand_ins));
    let json = (text.part == Part::ToolArguments).then(|| arguments::read(&text.text)).flatten();
    let replaced = match json {
        Some(json) => arguments::rewrite(&json, &covers, stand_ins),
        None => rewrite(&text.text, &covers, stand_ins),
    };
    (replaced != text.text).then(|| (text.span.clone(), serde_json::Value::String(replaced).to_string().into()))
}

/// A placeholder of ours is taken whole or not at all: half of one would be nobody's.
fn around_placeholders<'r>(text: &str, mut claims: Vec<Claim<'r>>, stand_ins: &StandIns) -> Vec<Claim<'r>> {
    for kept in placeholders(text).filter(|span| stand_ins.knows(&text[span.clone()])) {
        let cut = |claim: Claim<'r>| {
            let Range { start, end } = claim.span;
            if end <= kept.start || kept.end <= start || (start <= kept.start && kept.end <= end) {
                return [Some(claim), None];
            }
            let part = |span: Range<usize>| (!span.is_empty()).then(|| Claim { span, ..claim.clone() });
            [part(start..kept.start.max(start)), part(kept.end.min(end)..end)]
        };
        claims = claims.into_iter().flat_map(cut).flatten().collect();
    }
    claims
}

/// What overlaps is one cover: the claim that begins first and reaches furthest says how, and the value comes back only if all of them let it.
fn merged(mut claims: Vec<Claim<'_>>) -> Vec<(Range<usize>, Cover<'_>)> {
    claims.sort_by_key(|claim| (claim.span.start, Reverse(claim.span.end), claim.rule));
    let mut covers: Vec<(Range<usize>, Option<usize>, Cover<'_>)> = Vec::with_capacity(claims.len());
    for Claim { span, rule, replacement } in claims {
        match covers.last_mut() {
            Some((covered, first, cover)) if span.start < covered.end => {
                covered.end = covered.end.max(span.end);
                cover.alone &= *first == rule;
                cover.restore &= replacement.restores();
            }
            _ => covers.push((span, rule, Cover { replacement, alone: true, restore: replacement.restores() })),
        }
    }
    covers.into_iter().map(|(span, _, cover)| (span, cover)).collect()
}

fn rewrite(text: &str, covers: &[(Range<usize>, Cover<'_>)], stand_ins: &mut StandIns) -> String {
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    for (span, cover) in covers {
        out.push_str(&text[at..span.start]);
        out.push_str(&stand_ins.of(cover, &text[span.clone()]));
        at = span.end;
    }
    out.push_str(&text[at..]);
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        exchange::Tenant,
        guard::{Settings, replace::HashKey, rules::load, verdict::Failure},
    };

    fn stand_ins() -> StandIns {
        StandIns::new(Gate::Input, HashKey::new(&[0; 32]), Tenant([0; 16]))
    }

    fn replaced(text: &str, claims: &[Claim<'_>]) -> String {
        rewrite(text, &merged(claims.to_vec()), &mut stand_ins())
    }

    fn text(text: &str) -> Replacement {
        Replacement::Text(text.to_owned())
    }

    fn placeholder(label: &str, restore: bool) -> Replacement {
        Replacement::Placeholder { label: label.to_owned(), restore }
    }

    #[test]
    fn a_rule_that_could_not_judge_has_not_matched() {
        let set = load(&Settings { builtin: true, directory: None, overrides: Default::default() }).unwrap().input;
        let decided = |failure| decide_whole(Gate::Input, &set, &[Finding { rule: 0, place: None, failure }], Tenant([0; 16]));
        assert_eq!((decided(Some(Failure::Budget)).failures.len(), set.rules()[0].hits()), (1, 0));
        assert_eq!((decided(None).notes.len(), set.rules()[0].hits()), (1, 1));
    }

    #[test]
    fn merges_what_overlaps_in_any_order() {
        let (a, b, c) = (text("[A]"), text("[B]"), text("[C]"));
        let claim = |span, rule, replacement| Claim { span, rule: Some(rule), replacement };
        let mut claims = [claim(5..9, 0, &a), claim(7..12, 1, &b), claim(0..2, 2, &c)];
        assert_eq!(replaced("call 4111 now", &claims), "[C]ll [A]w");
        claims.reverse();
        assert_eq!(replaced("call 4111 now", &claims), "[C]ll [A]w");
    }

    #[test]
    fn a_merged_value_comes_back_whole_unless_one_rule_forbids_it() {
        let (mail, name, key) = (placeholder("MAIL", true), placeholder("NAME", true), placeholder("KEY", false));
        let claim = |span, rule, replacement| Claim { span, rule: Some(rule), replacement };
        let bound = |claims: &[Claim<'_>]| {
            let mut stand_ins = stand_ins();
            let text = rewrite("to ann@a.org!", &merged(claims.to_vec()), &mut stand_ins);
            let restored = stand_ins.into_bindings().restore(&text).into_owned();
            (text, restored)
        };
        let own = |text: &str, restored: &str| (text.to_owned(), restored.to_owned());
        assert_eq!(bound(&[claim(7..12, 0, &mail), claim(3..6, 1, &name)]), own("to {{NAME_1}}@{{MAIL_1}}!", "to ann@a.org!"));
        assert_eq!(bound(&[claim(5..12, 0, &mail), claim(3..6, 1, &name)]), own("to {{NAME_1}}!", "to ann@a.org!"));
        let sealed = own("to {{NAME_1}}!", "to {{NAME_1}}!");
        assert_eq!(bound(&[claim(5..12, 0, &mail), claim(3..6, 1, &name), claim(6..8, 2, &key)]), sealed);
    }

    /// Rules of every kind of replacement.
    fn rules() -> Vec<Replacement> {
        vec![
            text("_"),
            Replacement::Mask { keep_last: 3, character: '*' },
            Replacement::Hash { label: "H".to_owned() },
            placeholder("P", true),
            placeholder("Q", false),
        ]
    }

    proptest! {
        #[test]
        fn nothing_that_matched_is_left_and_order_does_not_matter(
            claims in prop::collection::vec((0_usize..30, 1_usize..8, 0_usize..5), 0..8),
            order in any::<prop::sample::Index>(),
        ) {
            // Letters that no replacement writes.
            let text = "αβγδεζηθικλμνξοπρστυφχψωΓΔΘΛΞΠΣΦΨΩЖЙЛФЦ";
            let places: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
            let rules = rules();
            let mut claims: Vec<_> = claims
                .into_iter()
                .map(|(start, len, rule)| Claim { span: places[start]..places[start + len], rule: Some(rule), replacement: &rules[rule] })
                .collect();
            let out = replaced(text, &claims);
            for (at, char) in text.char_indices() {
                let by: Vec<_> = claims.iter().filter(|claim| claim.span.contains(&at)).collect();
                let kept_by_mask = !by.is_empty() && by.iter().all(|claim| claim.rule == Some(1));
                prop_assert!(out.contains(char) == by.is_empty() || kept_by_mask, "{} in {}", char, out);
            }
            if !claims.is_empty() {
                let middle = order.index(claims.len());
                claims.rotate_left(middle);
                prop_assert_eq!(&replaced(text, &claims), &out);
                claims.reverse();
                prop_assert_eq!(replaced(text, &claims), out);
            }
        }
    }
}
