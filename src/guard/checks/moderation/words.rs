//! A text's phrases as numbers: what a fit weighs, with or without a vector.

use std::sync::LazyLock;

use crate::guard::checks::phrases::{Parts, Phrases, sentences};

/// The phrases, one part a line.
const PHRASES: &str = include_str!("phrases.txt");

/// The parts that phrases play.
const PARTS: [&str; 15] = [
    "sexual", "minor", "kin", "group", "contempt", "insult", "slur", "violence", "weapon", "gore", "intent", "you", "them",
    "selfharm", "sober",
];

/// Parts that say more together in one sentence than each by itself.
const TOGETHER: [&[&str]; 22] = [
    &["group", "contempt"],
    &["group", "insult"],
    &["group", "violence"],
    &["group", "violence", "intent"],
    &["you", "insult"],
    &["you", "contempt"],
    &["you", "violence", "intent"],
    &["them", "violence", "intent"],
    &["you", "violence"],
    &["them", "contempt"],
    &["group", "contempt", "them"],
    &["sexual", "minor"],
    &["sexual", "kin"],
    &["violence", "gore"],
    &["violence", "weapon"],
    &["slur", "contempt"],
    &["slur", "violence"],
    &["slur", "you"],
    &["group", "you"],
    &["violence", "intent"],
    &["selfharm", "sober"],
    &["violence", "sober"],
];

/// How many numbers there are: for each part whether it is played and how often, and for each of [`TOGETHER`] whether a sentence shows it.
pub(super) const NUMBERS: usize = 2 * PARTS.len() + TOGETHER.len();
/// The logarithm of a count beyond which more of the same says nothing.
const OFTEN: f32 = 2.5;
/// What a 1 weighs beside a vector of length 1.
const SCALE: f32 = 0.3;

/// The numbers of a text.
pub(super) type Numbers = [f32; NUMBERS];

/// Reads a text.
pub(super) fn numbers(text: &str) -> Numbers {
    static SHIPPED: LazyLock<Option<(Phrases, Vec<Parts>)>> =
        LazyLock::new(|| Some((Phrases::parse(PHRASES, &PARTS)?, together())));
    let mut numbers = [0.0; NUMBERS];
    let Some((phrases, together)) = &*SHIPPED else { return numbers };
    let (played, shown) = numbers.split_at_mut(2 * PARTS.len());
    let (played, often) = played.split_at_mut(PARTS.len());
    let small = text.to_lowercase();
    // What is one byte is what ended a sentence, once more.
    for sentence in sentences(&small).filter(|sentence| sentence.len() > 1) {
        let mut parts = Parts::default();
        for part in phrases.find(sentence) {
            parts.add(part);
            played[part] = SCALE;
            often[part] += 1.0;
        }
        shown.iter_mut().zip(together).filter(|(_, wanted)| parts.has(**wanted)).for_each(|(number, _)| *number = SCALE);
    }
    for count in often {
        *count = count.ln_1p().min(OFTEN) / OFTEN * SCALE;
    }
    numbers
}

fn together() -> Vec<Parts> {
    let place = |name: &&str| PARTS.iter().position(|known| known == name);
    TOGETHER.iter().map(|names| names.iter().filter_map(place).fold(Parts::NONE, Parts::plus)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_read_and_its_parts_are_known() {
        assert!(Phrases::parse(PHRASES, &PARTS).is_some());
        assert!(TOGETHER.iter().zip(together()).all(|(names, parts)| names.len() == parts.count()), "a name is not a part");
        assert!(
            PARTS.iter().all(|name| PHRASES.lines().any(|line| line.trim_start_matches('~').starts_with(&format!("{name}: "))))
        );
    }

    #[test]
    fn parts_are_together_in_one_sentence_only() {
        let insult = 2 * PARTS.len() + 4;
        assert!(numbers("You are an idiot.")[insult] > 0.0);
        assert!(numbers("You came. An idiot left.")[insult] <= 0.0);
        assert!(numbers("Which dictionary is the best?")[..PARTS.len()].iter().sum::<f32>() <= 0.0);
    }
}
