//! Days, months, parts of the day, and tenses: when something is asked about.

use super::{
    align::Pair,
    lexicon::{self, Class},
    reading::Word,
};

/// What an other tense weighs: "who is" and "who was" often ask the same.
const TENSE: f32 = 0.3;

/// Whether the two speak of different times.
pub(super) fn judge(pair: &Pair<'_>) -> f32 {
    let dated = |side: usize| pair.alone(side).any(|(_, word)| lexicon::is_calendar(&word.lower));
    if habit(pair.words(0)) != habit(pair.words(1)) || (dated(0) && dated(1)) {
        return 1.0;
    }
    let once: f32 = if dated(0) || dated(1) { 0.4 } else { 0.0 };
    let tense = |words: &[Word]| [Class::Past, Class::Future].map(|class| words.iter().any(|word| word.class() == Some(class)));
    let differs = tense(pair.words(0)) != tense(pair.words(1));
    once.max(if differs { TENSE } else { 0.0 })
}

/// "Used to be" is no longer; "is it used to" and "am I used to" are something else.
fn habit(words: &[Word]) -> bool {
    let used = |two: &[Word]| matches!(&*two[0].lower, "used" | "use") && two[1].lower == "to";
    let is_being = |word: &Word| matches!(&*word.lower, "is" | "are" | "am" | "was" | "were" | "be" | "been" | "get" | "got");
    let Some(at) = words.windows(2).position(used) else { return false };
    !words[at.saturating_sub(REACH)..at].iter().any(is_being)
}

/// How far before "used to" its auxiliary stands, in words.
const REACH: usize = 3;

#[cfg(test)]
mod tests {
    use super::super::{Check, examples::hold};

    #[test]
    fn holds_to_its_examples() {
        hold(
            Check::Time,
            &[
                ("Is the shop open on Sunday?", "Is the shop open on Monday?"),
                ("What was sold in March?", "What was sold in April?"),
                ("Is Ada an editor?", "Did Ada use to be an editor?"),
                ("Which trains run in the morning?", "Which trains run at night?"),
            ],
            &[
                ("Who is the author?", "Who was the author?"),
                ("Is the shop open on Sunday?", "is it open on Sunday, the shop?"),
                ("What is it used to make?", "What is it used for making?"),
            ],
        );
    }
}
