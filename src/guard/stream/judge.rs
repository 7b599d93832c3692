//! The output rules on a text that grows: what they replace, and when they refuse.

use std::{borrow::Cow, collections::BTreeSet, ops::Range};

use metrics::counter;

use super::window::{Edited, Editor};
use crate::{
    exchange::RuleNote,
    guard::{
        OutputGate,
        redact::{Outcome, decide},
        restore::spelled,
        rules::{Finding, Place},
        verdict::{Block, Gate, OnError},
    },
    telemetry::{label, metric},
    wire::{
        Role, Text,
        channel::{Channel, Field},
    },
};

/// Judges the texts of one stream, as far as they are settled.
#[derive(Debug)]
pub(super) struct Judge {
    gate: OutputGate,
    /// What the rules that act have done.
    pub(super) notes: Vec<RuleNote>,
    /// Why the stream is cut.
    pub(super) block: Option<Block>,
    overflowed: BTreeSet<usize>,
}

impl Judge {
    pub(super) fn new(gate: OutputGate) -> Self {
        Self { gate, notes: Vec::new(), block: None, overflowed: BTreeSet::new() }
    }

    /// What all rules find in the texts of an answer, those included that only warn or judge the whole.
    pub(super) fn judge_whole<'t>(&self, texts: impl Iterator<Item = (Channel, &'t str)>) -> Vec<RuleNote> {
        let set = self.gate.rules();
        let texts: Vec<_> = texts.map(|(_, text)| written(Cow::Borrowed(text), 0..0)).collect();
        let mut findings = set.scan(&texts);
        findings.retain(|finding| !set.judged_restored(finding, &texts));
        decide(Gate::Output, set, &texts, &findings).notes
    }

    /// What the rules that act find in a text, in its order. What begins before `settled` was found before.
    fn find(&self, text: &str, settled: usize) -> Vec<(usize, Range<usize>)> {
        let set = self.gate.rules();
        let scan = |from: usize| {
            let findings = set.scan(&[written(Cow::Borrowed(&text[from..]), 0..0)]).into_iter();
            let places = findings.filter_map(|finding| Some((finding.rule, finding.place?.span)));
            let mut found: Vec<_> = places
                .filter(|(rule, _)| set.acts(*rule))
                .map(|(rule, span)| (rule, from + span.start..from + span.end))
                .collect();
            found.sort_by_key(|(_, span)| (span.start, span.end));
            found
        };
        let mut found = scan(text.floor_char_boundary(settled.saturating_sub(set.horizon().context())));
        if found.iter().any(|(_, span)| span.start < settled && settled < span.end) {
            // Nothing crosses what is settled: this match begins only where the text was cut, and hides what stands behind it.
            found = scan(settled);
        }
        found.retain(|(_, span)| span.start >= settled);
        found
    }

    /// Decides on what was found. What overlaps is decided on together.
    fn decide(&mut self, field: Field, text: &str, found: Vec<(usize, Range<usize>)>) -> Vec<(Range<usize>, String)> {
        let (mut clusters, mut findings) = (Vec::<Range<usize>>::new(), Vec::new());
        for (rule, span) in found {
            match clusters.last_mut().filter(|last| span.start < last.end) {
                Some(last) => last.end = last.end.max(span.end),
                None => clusters.push(span.clone()),
            }
            let (n, start) = (clusters.len() - 1, clusters[clusters.len() - 1].start);
            findings.push(Finding { rule, place: Some(Place { text: n, span: span.start - start..span.end - start }) });
        }
        let texts: Vec<_> = clusters.into_iter().map(|span| written(Cow::Borrowed(&text[span.clone()]), span)).collect();
        let Outcome { notes, block, edits } = decide(Gate::Output, self.gate.rules(), &texts, &findings);
        for note in notes {
            if !self.notes.contains(&note) {
                self.notes.push(note);
            }
        }
        self.block = self.block.take().or(block);
        // An edit is JSON, as it stands in a body; a text is what it says.
        let said = |with: &str| serde_json::from_str::<String>(with).unwrap_or_default();
        edits.into_iter().map(|(span, with)| (span, spelled(&said(&with), field.is_json()).into_owned())).collect()
    }

    /// A match that may be longer than its rule can wait for was not judged, and whoever wrote the rule says what follows.
    fn overflow(&mut self, rule: usize) {
        let failed = self.gate.rules().rules()[rule].clone();
        if self.overflowed.insert(rule) {
            counter!(metric::RULE_OVERFLOWS, label::RULE => failed.id().to_owned()).increment(1);
        }
        if failed.on_error() == OnError::Closed {
            let block = Block { rule: failed.id().to_owned(), summary: failed.written().summary.clone(), gate: Gate::Output };
            self.block.get_or_insert(block);
        }
    }
}

impl Editor for Judge {
    fn edit(&mut self, channel: Channel, text: &str, settled: usize, ended: bool) -> Edited {
        let horizon = self.gate.rules().horizon();
        if horizon.is_clear() || self.block.is_some() {
            return Edited { settled: text.len(), edits: Vec::new() };
        }
        let longest = horizon.longest();
        let reached = if ended {
            text.len()
        } else {
            let reached = horizon.settled(text, settled);
            reached.overflowed.into_iter().for_each(|rule| self.overflow(rule));
            reached.at
        };
        if reached == settled {
            return Edited { settled, edits: Vec::new() };
        }
        let mut found = self.find(text, settled);
        let mut cut = before_crossing(&found, reached);
        if text.len() - cut > 2 * longest {
            // Matches that overlap without end are taken as far as they are there.
            cut = found.iter().fold(reached, |cut, (_, span)| if span.start < cut { cut.max(span.end) } else { cut });
        }
        found.retain(|(_, span)| span.start < cut);
        Edited { settled: cut, edits: self.decide(channel.field, text, found) }
    }

    fn context(&self) -> usize {
        self.gate.rules().horizon().context()
    }
}

/// Where the text can be cut at or before `cut` so that no match is.
fn before_crossing(found: &[(usize, Range<usize>)], cut: usize) -> usize {
    let crosses = |cut: usize| found.iter().find(|(_, span)| span.start < cut && cut < span.end).map(|(_, span)| span.start);
    std::iter::successors(Some(cut), |&cut| crosses(cut)).last().unwrap_or(cut)
}

/// A text of the model's.
fn written(text: Cow<'_, str>, span: Range<usize>) -> Text<'_> {
    Text { role: Role::Assistant, text, span }
}
