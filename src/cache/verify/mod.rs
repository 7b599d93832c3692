//! What a cosine cannot see: whether two prompts that look alike ask for the same answer.
//!
//! Two prompts are aligned word by word, and every [`Check`] says how much speaks against them, from 0 to 1. A check that vetoes ends it; the others lower one
//! score that begins at the similarity. No check can raise it above what the similarity and the words that stand alone allow, and the same text always
//! scores 1.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

mod added;
mod align;
mod arguments;
mod calibration;
mod lexicon;
mod literals;
mod names;
mod negation;
mod numbers;
mod opposites;
mod people;
mod quantity;
mod question;
mod reading;
mod scope_words;
mod shared;
mod time;
mod unmatched;
mod weights;

pub use align::{Pair, Side};
pub use calibration::{Calibrated, Count, Labels, ScoringId, enough, interval, scoring_id, threshold_for};
pub use reading::Reading;

use weights::WEIGHTS;

/// From this on, what a vetoing check found ends it.
const VETO_AT: f32 = 0.5;

/// One kind of difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Check {
    /// Numbers, amounts, units.
    Numbers,
    /// URLs, addresses, ids, versions, dates, code.
    Literals,
    /// Not, never, without: on one side only.
    Negation,
    /// A word stands against its opposite.
    Opposites,
    /// Who does what to whom is the other way round.
    Arguments,
    /// Other names.
    Names,
    /// He, she, or somebody by name.
    People,
    /// Days, months, tenses.
    Time,
    /// Why, how, where, how many.
    Question,
    /// Only, all, first, every.
    Scope,
    /// A word was added that the other side does not account for.
    Added,
    /// A word has nothing like it on the other side.
    Unmatched,
    /// The likeness is one of words rather than of meaning.
    Shared,
}

/// How many there are.
pub const CHECKS: usize = 13;

impl Check {
    /// All of them, those that speak loudest first.
    pub const ALL: [Self; CHECKS] = [
        Self::Numbers,
        Self::Literals,
        Self::Negation,
        Self::Opposites,
        Self::Arguments,
        Self::Names,
        Self::People,
        Self::Time,
        Self::Question,
        Self::Scope,
        Self::Added,
        Self::Unmatched,
        Self::Shared,
    ];

    /// The word used in configuration, header, log and metric.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Numbers => "numbers",
            Self::Literals => "literals",
            Self::Negation => "negation",
            Self::Opposites => "opposites",
            Self::Arguments => "arguments",
            Self::Names => "names",
            Self::People => "people",
            Self::Time => "time",
            Self::Question => "question",
            Self::Scope => "scope",
            Self::Added => "added",
            Self::Unmatched => "unmatched",
            Self::Shared => "shared",
        }
    }

    /// How much speaks against the pair, 0 to 1.
    fn judge(self, pair: &Pair<'_>) -> f32 {
        match self {
            Self::Numbers => numbers::judge(pair),
            Self::Literals => literals::judge(pair),
            Self::Negation => negation::judge(pair),
            Self::Opposites => opposites::judge(pair),
            Self::Arguments => arguments::judge(pair),
            Self::Names => names::judge(pair),
            Self::People => people::judge(pair),
            Self::Time => time::judge(pair),
            Self::Question => question::judge(pair),
            Self::Scope => scope_words::judge(pair),
            Self::Added => added::judge(pair),
            Self::Unmatched => unmatched::judge(pair),
            Self::Shared => shared::judge(pair),
        }
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a check may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Stance {
    /// What it finds ends the comparison.
    Veto,
    /// What it finds lowers the score.
    Weigh,
    /// It is not asked.
    Off,
}

/// What each check may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Stances([Stance; CHECKS]);

impl Default for Stances {
    /// What changes the answer whenever it changes vetoes; the rest weighs.
    fn default() -> Self {
        use Check::{Arguments, Literals, Names, Negation, Numbers, Opposites, People, Question, Time};
        let vetoes = [Numbers, Literals, Negation, Opposites, Arguments, Names, People, Time, Question];
        Self(Check::ALL.map(|check| if vetoes.contains(&check) { Stance::Veto } else { Stance::Weigh }))
    }
}

impl Stances {
    /// No check is asked: the score is the cosine.
    pub const COSINE_ALONE: Self = Self([Stance::Off; CHECKS]);

    /// What a check may do.
    pub fn of(&self, check: Check) -> Stance {
        self.0[check as usize]
    }

    /// The same with another stance of one check.
    #[must_use]
    pub fn with(mut self, check: Check, stance: Stance) -> Self {
        self.0[check as usize] = stance;
        self
    }
}

/// What verification came to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Verdict {
    /// The similarity, lowered by what was found: at most 1.
    pub score: f32,
    /// The check that ended it.
    pub veto: Option<Check>,
    /// What each check found, 0 to 1; nothing of those that were not asked.
    pub found: [f32; CHECKS],
}

impl Verdict {
    /// No check was asked.
    pub fn unverified(similarity: f32) -> Self {
        Self { score: similarity, veto: None, found: [0.0; CHECKS] }
    }

    /// The check that vetoed, else the one that lowered the score most.
    pub fn reason(&self) -> Option<Check> {
        let cost = |check: &Check| self.found[*check as usize] * WEIGHTS[*check as usize];
        let heaviest = Check::ALL.into_iter().filter(|check| cost(check) > 0.0 && *check != Check::Shared);
        self.veto.or_else(|| heaviest.max_by(|one, other| cost(one).total_cmp(&cost(other))))
    }
}

/// Judges a pair of prompts of this cosine similarity.
pub fn verify(similarity: f32, pair: &Pair<'_>, stances: &Stances) -> Verdict {
    let mut verdict = Verdict::unverified(similarity);
    let (mut penalty, mut room) = (0.0, 1.0);
    for check in Check::ALL {
        let stance = stances.of(check);
        if stance == Stance::Off {
            continue;
        }
        let found = check.judge(pair);
        verdict.found[check as usize] = found;
        penalty += found * WEIGHTS[check as usize];
        // The same text shares all its words: that much is taken off again, so that it scores 1.
        if check == Check::Shared {
            room -= WEIGHTS[check as usize];
        }
        if stance == Stance::Veto && found >= VETO_AT && verdict.veto.is_none() {
            verdict.veto = Some(check);
        }
    }
    verdict.score = (1.0 - (room - (similarity - penalty)) / room).min(1.0);
    verdict
}

#[cfg(test)]
mod examples {
    //! Each check is held to examples of its own.

    use super::*;
    use crate::embed::TokenVectors;

    /// What a check says of two texts, without their token vectors.
    pub(super) fn judge(check: Check, one: &str, other: &str) -> f32 {
        let (one, other, tokens) = (Reading::of(one), Reading::of(other), TokenVectors::default());
        let pair = Pair::of(Side { reading: &one, tokens: &tokens }, Side { reading: &other, tokens: &tokens });
        check.judge(&pair)
    }

    /// Pairs that a check must speak against, in either order, and pairs that it must let be.
    pub(super) fn hold(check: Check, against: &[(&str, &str)], silent: &[(&str, &str)]) {
        for &(one, other) in against {
            for (one, other) in [(one, other), (other, one)] {
                assert!(judge(check, one, other) >= VETO_AT, "{check} is silent on {one:?} and {other:?}");
            }
        }
        for &(one, other) in silent {
            for (one, other) in [(one, other), (other, one)] {
                let found = judge(check, one, other);
                assert!(found < VETO_AT, "{check} says {found} of {one:?} and {other:?}");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::embed::TokenVectors;

    fn verdict(similarity: f32, one: &str, other: &str, stances: &Stances) -> Verdict {
        let (one, other, tokens) = (Reading::of(one), Reading::of(other), TokenVectors::default());
        verify(similarity, &Pair::of(Side { reading: &one, tokens: &tokens }, Side { reading: &other, tokens: &tokens }), stances)
    }

    proptest! {
        #[test]
        fn no_text_is_too_strange(one in ".{0,80}", other in ".{0,80}") {
            let verdict = verdict(0.9, &one, &other, &Stances::default());
            prop_assert!(verdict.score.is_finite() && verdict.score <= 1.0);
            prop_assert!(verdict.found.iter().all(|found| (0.0..=1.0).contains(found)), "{:?}", verdict.found);
        }

        #[test]
        fn a_text_asks_for_the_same_as_itself(text in ".{0,120}") {
            let verdict = verdict(1.0, &text, &text, &Stances::default());
            prop_assert_eq!((verdict.veto, verdict.score > 0.999), (None, true), "{:?}", verdict);
        }

        #[test]
        fn the_order_of_a_pair_does_not_matter(one in "([a-z]{2,6}|not|to|3|7|[A-Z][a-z]{3}| ){1,14}", other in "([a-z]{2,6}|not|from|3|8|[A-Z][a-z]{3}| ){1,14}") {
            let (there, back) = (verdict(0.9, &one, &other, &Stances::default()), verdict(0.9, &other, &one, &Stances::default()));
            prop_assert_eq!(there.veto.is_some(), back.veto.is_some(), "{:?} {:?}", there, back);
        }
    }

    #[test]
    fn what_vetoes_and_what_weighs_is_set_check_by_check() {
        let pair = ("Cancel my subscription", "Don't cancel my subscription");
        let judged = |stance| verdict(0.96, pair.0, pair.1, &Stances::default().with(Check::Negation, stance));
        assert_eq!(judged(Stance::Veto).veto, Some(Check::Negation));
        let (weighed, off) = (judged(Stance::Weigh), judged(Stance::Off));
        assert!(weighed.veto.is_none() && off.veto.is_none() && weighed.score < off.score);
        assert_eq!(weighed.reason(), Some(Check::Negation));
        let alone = verdict(0.96, pair.0, pair.1, &Stances::COSINE_ALONE);
        assert!((alone.score - 0.96).abs() < 1e-6 && alone.reason().is_none());
    }
}
