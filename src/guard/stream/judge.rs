//! The output rules on a text that grows: what they replace, and when they refuse.

use std::{collections::BTreeSet, ops::Range};

use super::window::{Edited, Editor};
use crate::{
    exchange::{Exchange, RuleFailure, RuleNote, Tenant},
    guard::{
        OutputGate,
        redact::{Outcome, decide},
        rules::{Finding, Place},
        verdict::{Block, Failure, Gate},
    },
    wire::{Part, Role, Text, channel::Channel},
};

/// Judges the texts of one stream, as far as they are settled.
#[derive(Debug)]
pub(super) struct Judge {
    gate: OutputGate,
    tenant: Tenant,
    /// What the rules that act have done.
    notes: Vec<RuleNote>,
    /// Which of them could not judge.
    pub(super) failures: Vec<RuleFailure>,
    /// Why the stream is cut.
    pub(super) block: Option<Block>,
    /// The arguments in which something was found.
    waiting: BTreeSet<Channel>,
}

/// A match: the rule's index, and where.
type Found = (usize, Range<usize>);

impl Judge {
    pub(super) fn new(gate: OutputGate, tenant: Tenant) -> Self {
        Self { gate, tenant, notes: Vec::new(), failures: Vec::new(), block: None, waiting: BTreeSet::new() }
    }

    /// Writes down what the rules did so far.
    pub(super) fn note(&self, exchange: &mut Exchange) {
        exchange.note_rules(self.notes.clone());
        exchange.note_failures(self.failures.clone());
    }

    /// What all rules say of the texts of an answer, those included that only warn or judge the whole.
    pub(super) fn judge_whole<'t>(&self, texts: impl Iterator<Item = (Channel, &'t str)>) -> Outcome {
        let set = self.gate.rules();
        let texts: Vec<_> = texts.map(|(channel, text)| written(channel.field.part(), text, 0..0)).collect();
        let mut findings = set.scan(&texts);
        findings.retain(|finding| !set.judged_restored(finding, &texts));
        self.decided(&texts, &findings)
    }

    fn decided(&self, texts: &[Text<'_>], findings: &[Finding]) -> Outcome {
        decide(Gate::Output, self.gate.rules(), texts, findings, &mut self.gate.stand_ins(self.tenant))
    }

    /// What the rules that act find in a text, in its order. What begins before `settled` was found before.
    fn find(&mut self, part: Part, text: &str, settled: usize) -> Vec<Found> {
        let mut found = self.scan(part, text, text.floor_char_boundary(settled.saturating_sub(self.context())));
        if found.iter().any(|(_, span)| span.start < settled && settled < span.end) {
            // Nothing crosses what is settled: this match begins only where the text was cut, and hides what stands behind it.
            found = self.scan(part, text, settled);
        }
        found.retain(|(_, span)| span.start >= settled);
        found
    }

    fn scan(&mut self, part: Part, text: &str, from: usize) -> Vec<Found> {
        let set = self.gate.rules();
        let mut findings = set.scan(&[written(part, &text[from..], 0..0)]);
        findings.retain(|finding| set.acts(finding.rule));
        let (failed, found): (Vec<_>, Vec<_>) = findings.into_iter().partition(|finding| finding.failure.is_some());
        let outcome = self.decided(&[], &failed);
        self.take(outcome);
        let places = found.into_iter().filter_map(|finding| Some((finding.rule, finding.place?.span)));
        let mut found: Vec<_> = places.map(|(rule, span)| (rule, from + span.start..from + span.end)).collect();
        found.sort_by_key(|(_, span)| (span.start, span.end));
        found
    }

    /// Decides on what was found. What overlaps is decided on together.
    fn decide(&mut self, text: &str, found: Vec<Found>) -> Vec<(Range<usize>, String)> {
        let (mut clusters, mut findings) = (Vec::<Range<usize>>::new(), Vec::new());
        for (rule, span) in found {
            match clusters.last_mut().filter(|last| span.start < last.end) {
                Some(last) => last.end = last.end.max(span.end),
                None => clusters.push(span.clone()),
            }
            let (n, start) = (clusters.len() - 1, clusters[clusters.len() - 1].start);
            findings.push(matched(rule, n, span.start - start..span.end - start));
        }
        let texts: Vec<_> = clusters.into_iter().map(|span| written(Part::Text, &text[span.clone()], span)).collect();
        let outcome = self.decided(&texts, &findings);
        self.take(outcome)
    }

    /// Notes what was decided, and gives the edits.
    fn take(&mut self, outcome: Outcome) -> Vec<(Range<usize>, String)> {
        let Outcome { mut notes, mut failures, block, edits } = outcome;
        notes.retain(|note| !self.notes.contains(note));
        failures.retain(|failure| !self.failures.contains(failure));
        self.notes.extend(notes);
        self.failures.extend(failures);
        self.block = self.block.take().or(block);
        // An edit is JSON, as it stands in a body; a text is what it says.
        edits.into_iter().map(|(span, with)| (span, serde_json::from_str(&with).unwrap_or_default())).collect()
    }

    /// How far a text is settled. A match that may be longer than its rule can wait for is not judged, and whoever wrote the rule says what follows.
    fn reached(&mut self, text: &str, settled: usize, ended: bool) -> usize {
        if ended {
            return text.len();
        }
        let reached = self.gate.rules().horizon().settled(text, settled);
        for rule in reached.overflowed {
            if !self.failures.contains(&self.gate.rules().failed(rule, Failure::Span)) {
                let outcome = self.decided(&[], &[Finding { rule, place: None, failure: Some(Failure::Span) }]);
                self.take(outcome);
            }
        }
        reached.at
    }

    /// Arguments are JSON again whatever is replaced in them, and only their end tells what in them is a string and what a number: from the first match on,
    /// they wait for it.
    fn edit_arguments(&mut self, channel: Channel, text: &str, settled: usize, ended: bool) -> Edited {
        if self.waiting.contains(&channel) && !ended {
            return Edited { settled, edits: Vec::new() };
        }
        let reached = self.reached(text, settled, ended);
        let found = self.find(Part::ToolArguments, text, settled);
        if found.is_empty() || !ended {
            if !found.is_empty() {
                self.waiting.insert(channel);
            }
            let end = found.first().map_or(reached, |(_, span)| span.start.min(reached));
            let end = if ended { end } else { before_word(text, end).max(settled) };
            return Edited { settled: end, edits: Vec::new() };
        }
        let findings: Vec<_> = found.into_iter().map(|(rule, span)| matched(rule, 0, span)).collect();
        let outcome = self.decided(&[written(Part::ToolArguments, text, 0..text.len())], &findings);
        let rest = |(_, edited): (_, String)| edited.strip_prefix(&text[..settled]).unwrap_or_default().to_owned();
        let edits = self.take(outcome).pop().map(|edit| (settled..text.len(), rest(edit)));
        Edited { settled: text.len(), edits: edits.into_iter().collect() }
    }
}

impl Editor for Judge {
    fn edit(&mut self, channel: Channel, text: &str, settled: usize, ended: bool) -> Edited {
        let horizon = self.gate.rules().horizon();
        if horizon.is_clear() || self.block.is_some() {
            return Edited { settled: text.len(), edits: Vec::new() };
        }
        let (part, longest) = (channel.field.part(), horizon.longest());
        if part == Part::ToolArguments {
            return self.edit_arguments(channel, text, settled, ended);
        }
        let reached = self.reached(text, settled, ended);
        if reached == settled {
            return Edited { settled, edits: Vec::new() };
        }
        let mut found = self.find(part, text, settled);
        let mut cut = before_crossing(&found, reached);
        if text.len() - cut > 2 * longest {
            // Matches that overlap without end are taken as far as they are there.
            cut = found.iter().fold(reached, |cut, (_, span)| if span.start < cut { cut.max(span.end) } else { cut });
        }
        found.retain(|(_, span)| span.start < cut);
        Edited { settled: cut, edits: self.decide(text, found) }
    }

    fn context(&self) -> usize {
        self.gate.rules().horizon().context()
    }
}

/// Where the text can be cut at or before `cut` so that no match is.
fn before_crossing(found: &[Found], cut: usize) -> usize {
    let crosses = |cut: usize| found.iter().find(|(_, span)| span.start < cut && cut < span.end).map(|(_, span)| span.start);
    std::iter::successors(Some(cut), |&cut| crosses(cut)).last().unwrap_or(cut)
}

/// Where JSON can be cut at or before `end` so that neither a number nor an escape is.
fn before_word(text: &str, end: usize) -> usize {
    text[..end].trim_end_matches(|c: char| c.is_ascii_alphanumeric() || "+-.\\".contains(c)).len()
}

fn matched(rule: usize, text: usize, span: Range<usize>) -> Finding {
    Finding { rule, place: Some(Place { text, span }), failure: None }
}

/// A text of the model's.
fn written(part: Part, text: &str, span: Range<usize>) -> Text<'_> {
    Text { role: Role::Assistant, part, last: true, text: text.into(), span }
}
