//! All rules of a gate together: one prefilter over every keyword, then only the checks that can match.

use std::{collections::HashMap, sync::Arc};

use aho_corasick::{AhoCorasick, AhoCorasickKind, BuildError};

use super::set::Rule;
use crate::{guard::checks::Digits, wire::Text};

/// Keywords of up to so many bytes in all become a table in which each byte of a text is one look-up. It has some hundred bytes for each of theirs; more of them
/// are looked for at half the speed, in an eighth of the memory.
const MAX_TABLE_BYTES: usize = 64 << 10;

/// A check and whose it is, with how many digits a text must have for it to match, and in how many bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Slot {
    pub(super) rule: usize,
    pub(super) check: usize,
    digits: (usize, usize),
}

/// Every rule that was compiled for a gate, active or not.
#[derive(Debug)]
pub(super) struct Scanner {
    /// Changes whenever a rule does.
    pub(super) id: [u8; 16],
    pub(super) rules: Vec<Arc<Rule>>,
    slots: Vec<Slot>,
    /// The slots that need no keyword.
    always: Vec<usize>,
    prefilter: AhoCorasick,
    /// For each keyword of the prefilter, the slots that it wakes.
    wakes: Vec<Vec<usize>>,
}

impl Scanner {
    pub(super) fn new(id: [u8; 16], rules: Vec<Arc<Rule>>) -> Result<Self, BuildError> {
        let (mut slots, mut always, mut keywords) = (Vec::new(), Vec::new(), Keywords::default());
        for (rule, compiled) in rules.iter().enumerate() {
            for (check, kind) in compiled.checks.texts.iter().enumerate() {
                let needs = kind.needs();
                if needs.words().is_empty() {
                    always.push(slots.len());
                }
                needs.words().iter().for_each(|word| keywords.wake(word, slots.len()));
                slots.push(Slot { rule, check, digits: needs.digits() });
            }
        }
        let Keywords { words, wakes, .. } = keywords;
        let bytes: usize = words.iter().map(String::len).sum();
        let kind = (bytes <= MAX_TABLE_BYTES).then_some(AhoCorasickKind::DFA);
        let prefilter = AhoCorasick::builder().ascii_case_insensitive(true).kind(kind).build(&words)?;
        Ok(Self { id, rules, slots, always, prefilter, wakes })
    }

    /// Calls `run` with every text, by its index, and each of the checks that can match it.
    pub(super) fn each_awake(&self, texts: &[Text<'_>], mut run: impl FnMut(usize, Slot)) {
        if self.slots.is_empty() {
            return;
        }
        let mut awake = Awake { woken: vec![0; self.slots.len()], list: Vec::new() };
        for (n, text) in texts.iter().enumerate() {
            self.wake(n + 1, &text.text, &mut awake);
            let digits = Digits::of(&text.text);
            for slot in awake.list.drain(..).chain(self.always.iter().copied()).map(|slot| self.slots[slot]) {
                if digits.are_there(slot.digits.0, slot.digits.1) {
                    run(n, slot);
                }
            }
        }
    }

    /// Lists the slots whose keywords are in a text.
    fn wake(&self, turn: usize, text: &str, awake: &mut Awake) {
        for hit in self.prefilter.find_overlapping_iter(text) {
            for &slot in &self.wakes[hit.pattern().as_usize()] {
                if awake.woken[slot] != turn {
                    awake.woken[slot] = turn;
                    awake.list.push(slot);
                }
            }
        }
    }
}

/// Which slots are awake, without a list of all that would have to be cleared for each text.
struct Awake {
    /// For each slot the turn in which it was last woken, from 1.
    woken: Vec<usize>,
    /// Those of this turn.
    list: Vec<usize>,
}

/// The keywords of all checks, each once.
#[derive(Default)]
struct Keywords {
    words: Vec<String>,
    wakes: Vec<Vec<usize>>,
    places: HashMap<String, usize>,
}

impl Keywords {
    fn wake(&mut self, word: &str, slot: usize) {
        let word = word.to_ascii_lowercase();
        let place = *self.places.entry(word.clone()).or_insert_with(|| {
            self.words.push(word);
            self.wakes.push(Vec::new());
            self.words.len() - 1
        });
        self.wakes[place].push(slot);
    }
}
