//! Findings to actions: what is refused, what is written over, what is only noted.

use std::{borrow::Cow, collections::BTreeMap, ops::Range};

use super::{
    rules::{Finding, Rule, RuleSet},
    verdict::{Action, Block, Gate},
};
use crate::{exchange::RuleNote, wire::Text};

/// What the findings of one scan come to.
#[derive(Debug, Default)]
pub(super) struct Outcome<'t> {
    pub(super) notes: Vec<RuleNote>,
    pub(super) block: Option<Block>,
    /// JSON strings that take the place of others in the body, in order.
    pub(super) edits: Vec<(Range<usize>, Cow<'t, str>)>,
}

/// Decides. Several rules on one text compose: spans merge, the strictest action wins, order does not matter.
pub(super) fn decide<'t>(gate: Gate, set: &RuleSet, texts: &[Text<'_>], findings: &[Finding]) -> Outcome<'t> {
    let mut outcome = Outcome::default();
    let mut replaced: BTreeMap<usize, Vec<(Range<usize>, &str)>> = BTreeMap::new();
    for finding in findings {
        let rule = &set.rules()[finding.rule];
        let place = finding.place.as_ref();
        let action = place.map_or(rule.written().action, |place| rule.action_on(texts[place.text].role));
        let note = RuleNote { rule: rule.id().to_owned(), action: action.as_str() };
        if !outcome.notes.contains(&note) {
            explain(rule, place.map(|place| &*texts[place.text].text));
            outcome.notes.push(note);
        }
        match action {
            Action::Warn => {}
            Action::Replace => {
                if let Some(place) = place {
                    replaced.entry(place.text).or_default().push((place.span.clone(), rule.replacement()));
                }
            }
            Action::Block => {
                let summary = rule.written().summary.clone();
                outcome.block.get_or_insert(Block { rule: rule.id().to_owned(), summary, gate });
            }
        }
    }
    outcome.edits = replaced.into_iter().map(|(n, spans)| edit(&texts[n], spans)).collect();
    outcome
}

/// Tells the log why a rule matched, where that can be told without the text.
fn explain(rule: &Rule, text: Option<&str>) {
    for reason in text.into_iter().flat_map(|text| rule.reasons(text)) {
        tracing::info!(rule = rule.id(), reason, "A rule matched.");
    }
}

fn edit<'t>(text: &Text<'_>, spans: Vec<(Range<usize>, &str)>) -> (Range<usize>, Cow<'t, str>) {
    let literal = serde_json::Value::String(replace(&text.text, spans)).to_string();
    (text.span.clone(), Cow::Owned(literal))
}

/// Writes over every span. Where spans overlap, the one that begins first and reaches furthest names what stood there.
fn replace(text: &str, mut spans: Vec<(Range<usize>, &str)>) -> String {
    spans.sort_by(|(a, a_with), (b, b_with)| (a.start, b.end, *a_with).cmp(&(b.start, a.end, *b_with)));
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    for (span, with) in spans {
        if span.start >= at {
            out.push_str(&text[at..span.start]);
            out.push_str(with);
        }
        at = at.max(span.end);
    }
    out.push_str(&text[at..]);
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn merges_what_overlaps_in_any_order() {
        let text = "call 4111 now";
        let spans = [(5..9, "[A]"), (7..13, "[B]"), (0..2, "[C]")];
        assert_eq!(replace(text, spans.to_vec()), "[C]ll [A]");
        assert_eq!(replace(text, spans.iter().rev().cloned().collect()), "[C]ll [A]");
    }

    proptest! {
        #[test]
        fn nothing_that_matched_is_left(spans in prop::collection::vec((0_usize..20, 1_usize..8), 0..6)) {
            let text = "abcdefghijklmnopqrstuvwxyz0";
            let spans: Vec<_> = spans.into_iter().map(|(start, len)| (start..start + len, "_")).collect();
            let out = replace(text, spans.clone());
            for (n, char) in text.char_indices() {
                let matched = spans.iter().any(|(span, _)| span.contains(&n));
                prop_assert_eq!(out.contains(char), !matched);
            }
        }
    }
}
