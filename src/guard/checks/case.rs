//! Texts that shout, and texts that never raise a letter.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Kind,
    whole::{Judges, Whole},
};
use crate::guard::rules::Site;

/// Matches a text whose letters are all of one case. Only a to z and A to Z are looked at.
#[derive(Debug, Clone, Copy, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// Which case.
    pub all: LetterCase,
    /// A text with fewer letters does not match.
    #[serde(default = "one")]
    pub min_letters: usize,
}

fn one() -> usize {
    1
}

/// Large or small.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LetterCase {
    /// LIKE THIS.
    Upper,
    /// like this.
    Lower,
}

impl Kind for Case {
    fn build(&self, site: &mut Site<'_, '_>) {
        site.keep(Whole(*self));
    }
}

impl Judges for Case {
    fn matches(&self, text: &str) -> bool {
        let mut letters = text.bytes().filter(u8::is_ascii_alphabetic);
        let of_case = |letter: u8| match self.all {
            LetterCase::Upper => letter.is_ascii_uppercase(),
            LetterCase::Lower => letter.is_ascii_lowercase(),
        };
        let mut count = 0;
        letters.all(|letter| {
            count += 1;
            of_case(letter)
        }) && count >= self.min_letters
    }
}

#[cfg(test)]
mod tests {
    use super::{super::conformance, *};

    const SHOUTING: Case = Case { all: LetterCase::Upper, min_letters: 4 };

    #[test]
    fn conforms() {
        conformance::holds(&Whole(SHOUTING), "STOP THAT, 007!");
    }

    #[test]
    fn marks_digits_and_short_texts_do_not_count() {
        assert!(SHOUTING.matches("STOP 1!") && !SHOUTING.matches("STOp 1!") && !SHOUTING.matches("OK 12345"));
        let lower = Case { all: LetterCase::Lower, min_letters: 0 };
        assert!(lower.matches("é so quiet") && lower.matches("123") && !lower.matches("Not so"));
    }
}
