//! Keys that were hit at random. Words of any language are made of groups of letters that come again; noise is not.

use std::sync::LazyLock;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Kind,
    whole::{Judges, Whole},
};
use crate::{embed::ModelFiles, guard::rules::Site};

/// Matches a text of random letters. Only words in Latin letters are judged, and a text with few of them does not match.
#[derive(Debug, Clone, Copy, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Gibberish {
    /// The largest share of groups of three letters that no word has, from 0 to 1. English has next to none, other European languages up to 0.4, noise 0.7 and more.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub max_share: f64,
    /// A text with fewer such groups is not judged.
    pub min_groups: usize,
}

impl Default for Gibberish {
    fn default() -> Self {
        Self { max_share: 0.6, min_groups: 12 }
    }
}

impl Kind for Gibberish {
    fn build(&self, site: &mut Site<'_, '_>) {
        match &*FAMILIAR {
            Ok(_) => site.keep(Whole(*self)),
            Err(error) => site.problem("", format!("the words to compare with cannot be read: {error}"), "build Lockgate anew"),
        }
    }
}

/// In how many words of the vocabulary a group must be, to be familiar: names and abbreviations have odd ones.
const FAMILIAR_IN: u32 = 2;
/// Shorter words are abbreviations as often as not.
const MIN_WORD: usize = 4;

/// Which groups of three letters words are made of, by their place in the table of [`groups`]; from the bundled model's vocabulary.
static FAMILIAR: LazyLock<Result<Vec<bool>, String>> = LazyLock::new(|| {
    let vocabulary = ModelFiles::open(None).and_then(|files| files.vocabulary()).map_err(|error| error.to_string())?;
    let mut counts = vec![0_u32; 26 * 26 * 26];
    for word in vocabulary.iter().filter(|word| word.bytes().all(|byte| byte.is_ascii_lowercase())) {
        groups(word).for_each(|place| counts[place] += 1);
    }
    Ok(counts.into_iter().map(|count| count >= FAMILIAR_IN).collect())
});

/// The groups of a word of small letters, as places in a table of 26 by 26 by 26; none of a short word.
fn groups(word: &str) -> impl Iterator<Item = usize> + '_ {
    let letters = if word.len() < MIN_WORD { &[] } else { word.as_bytes() };
    letters.windows(3).map(|group| group.iter().fold(0, |place, letter| place * 26 + usize::from(letter - b'a')))
}

impl Judges for Gibberish {
    fn matches(&self, text: &str) -> bool {
        let Ok(familiar) = &*FAMILIAR else { return false };
        let lower = text.to_ascii_lowercase();
        // A word with a letter of another alphabet, an accent or a digit in it says nothing here.
        let words = lower.split(|char: char| !char.is_alphanumeric());
        let words = words.filter(|word| word.bytes().all(|byte| byte.is_ascii_lowercase()));
        let (mut strange, mut total) = (0_usize, 0_usize);
        for place in words.flat_map(groups) {
            strange += usize::from(!familiar[place]);
            total += 1;
        }
        total >= self.min_groups.max(1) && strange as f64 > self.max_share * total as f64
    }
}

#[cfg(test)]
mod tests {
    use super::{super::conformance, *};

    fn matches(text: &str) -> bool {
        Gibberish::default().matches(text)
    }

    #[test]
    fn conforms() {
        conformance::holds(&Whole(Gibberish::default()), "asdfghjkl qwertyuiop zxcvbnm");
    }

    #[test]
    fn noise_is_told_from_languages_and_code() {
        for noise in ["sdkfjh hgiuoweqhrf weoifjqw eoirjqp woeifj", "KJHGF lkjdsf OIUWER mnbvcx", "xvqzkjwpfhgtrmnbdzqx"] {
            assert!(matches(noise), "{noise}");
        }
        let words = [
            "Please compare the two proposals for the new library.",
            "Vergelijk de twee voorstellen alsjeblieft; angstschreeuw.",
            "Porównaj proszę obie propozycje nowej biblioteki i powiedz, którą łatwiej utrzymać.",
            "Vertaa kahta ehdotusta uudesta kirjastosta ja kerro, kumpi on helpompi.",
            "let mut parser = Parser::new(tokens, config)?; serde_json::from_str(&text)",
            "tgif btw imho rofl lol",
            "请比较两个方案",
            "asdf",
        ];
        for text in words {
            assert!(!matches(text), "{text}");
        }
    }
}
