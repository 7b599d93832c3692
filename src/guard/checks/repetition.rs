//! Texts that say the same again and again: models that loop, and prompts that are meant to make them.

use std::collections::HashSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Kind,
    whole::{Judges, Whole},
};
use crate::guard::rules::Site;

/// Matches a text of which too much has been said before in it.
#[derive(Debug, Clone, Copy, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Repetition {
    /// What is compared.
    pub of: Unit,
    /// The largest share of repeated units, from 0 to 1: 0.5 lets every second one be a repetition.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub max_share: f64,
    /// A text with fewer units is not judged.
    #[serde(default = "few")]
    pub min_units: usize,
}

fn few() -> usize {
    8
}

/// What a text is cut into.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Lines that are not blank.
    Lines,
    /// Words.
    Words,
    /// Every four words in a row.
    Phrases,
}

/// Words in a phrase: long enough that ordinary prose seldom repeats one.
const PHRASE_WORDS: usize = 4;

impl Kind for Repetition {
    fn build(&self, site: &mut Site<'_, '_>) {
        site.keep(Whole(*self));
    }
}

impl Repetition {
    fn is_too_much<U: Eq + std::hash::Hash>(&self, units: impl Iterator<Item = U>) -> bool {
        let (mut distinct, mut total) = (HashSet::new(), 0_usize);
        for unit in units {
            distinct.insert(unit);
            total += 1;
        }
        total >= self.min_units.max(1) && (total - distinct.len()) as f64 > self.max_share * total as f64
    }
}

impl Judges for Repetition {
    fn matches(&self, text: &str) -> bool {
        match self.of {
            Unit::Lines => self.is_too_much(text.lines().map(str::trim).filter(|line| !line.is_empty())),
            Unit::Words => self.is_too_much(text.split_whitespace()),
            Unit::Phrases => {
                let words: Vec<&str> = text.split_whitespace().collect();
                self.is_too_much(words.windows(PHRASE_WORDS))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::conformance, *};

    fn of(of: Unit) -> Repetition {
        Repetition { of, max_share: 0.5, min_units: 4 }
    }

    #[test]
    fn conforms() {
        conformance::holds(&Whole(of(Unit::Lines)), &"again\n".repeat(5));
    }

    #[test]
    fn a_share_is_told_from_a_refrain() {
        let refrain = "one two\nla la\nthree four\nla la\nfive six\nla la\n";
        assert!(!of(Unit::Lines).matches(refrain) && !of(Unit::Lines).matches("a\na\na"));
        assert!(of(Unit::Lines).matches("a\na\n\na\n a \n"));
        assert!(of(Unit::Words).matches(&"poem ".repeat(50)) && !of(Unit::Words).matches("a rose is a rose"));
        assert!(of(Unit::Phrases).matches(&"I am not sure what you mean. ".repeat(6)));
        assert!(!of(Unit::Phrases).matches("The council meets on Tuesday at ten and wants one page in plain words"));
    }
}
