//! All rules of a gate together: one prefilter over every keyword, then only the checks that can match.

use std::{collections::HashMap, sync::Arc};

use aho_corasick::{AhoCorasick, BuildError};

use super::set::Rule;
use crate::{guard::checks::Needs, wire::Text};

/// A check and whose it is, with whether it must run on every text.
#[derive(Debug, Clone, Copy)]
pub(super) struct Slot {
    pub(super) rule: usize,
    pub(super) check: usize,
    always: bool,
}

/// Every rule that was compiled for a gate, active or not.
#[derive(Debug)]
pub(super) struct Scanner {
    /// Changes whenever a rule does.
    pub(super) id: [u8; 16],
    pub(super) rules: Vec<Arc<Rule>>,
    slots: Vec<Slot>,
    prefilter: AhoCorasick,
    /// For each keyword of the prefilter, the slots that it wakes.
    wakes: Vec<Vec<usize>>,
}

impl Scanner {
    pub(super) fn new(id: [u8; 16], rules: Vec<Arc<Rule>>) -> Result<Self, BuildError> {
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
        Ok(Self { id, rules, slots, prefilter, wakes })
    }

    /// Calls `run` with every text, by its index, and each of the checks that can match it.
    pub(super) fn each_awake(&self, texts: &[Text<'_>], mut run: impl FnMut(usize, Slot)) {
        if self.slots.is_empty() {
            return;
        }
        let mut awake = vec![false; self.slots.len()];
        for (n, text) in texts.iter().enumerate() {
            self.wake(&text.text, &mut awake);
            for (slot, _) in self.slots.iter().zip(&awake).filter(|(_, awake)| **awake) {
                run(n, *slot);
            }
        }
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
