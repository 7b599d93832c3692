//! Who does what to whom: "transfer from savings to current" and the other way round.
//!
//! Two words have changed places when each stands where the other stood, between the same neighbours. That is harmless where they are listed ("cats or dogs"), where the
//! relation has no direction ("married to"), and where one side is in the passive voice; there it is the *same* order that is wrong.

use super::{
    align::Pair,
    lexicon::{self, Class},
    reading::Word,
};

/// Whether two words have changed places, or should have and have not.
pub(super) fn judge(pair: &Pair<'_>) -> f32 {
    let matched = matched(pair);
    let swap = swaps(pair, &matched);
    let conflict = if passive(pair.words(0)) == passive(pair.words(1)) {
        swap == Swap::Directed
    } else {
        // "Did the dog chase the cat" and "was the dog chased by the cat".
        swap == Swap::None && matched.len() >= 2 && in_order(&matched) && !symmetric(pair)
    };
    if conflict { 1.0 } else { 0.0 }
}

/// Whether words have changed places.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Swap {
    None,
    /// And it makes no difference.
    Harmless,
    Directed,
}

/// Places of the words that can be arguments, on both sides.
fn matched(pair: &Pair<'_>) -> Vec<(usize, usize)> {
    let can_be = |word: &Word| {
        word.is_content() || matches!(word.class(), Some(Class::He | Class::She | Class::They | Class::Anyone | Class::Own))
    };
    let words = pair.words(0).iter().enumerate().filter(|(_, word)| can_be(word));
    words.filter_map(|(at, _)| Some((at, pair.partner[0][at]?))).collect()
}

fn in_order(matched: &[(usize, usize)]) -> bool {
    matched.windows(2).all(|two| two[0].1 < two[1].1)
}

fn swaps(pair: &Pair<'_>, matched: &[(usize, usize)]) -> Swap {
    let [one, other] = [pair.words(0), pair.words(1)];
    let mut swap = Swap::None;
    for (nth, &(first, to_first)) in matched.iter().enumerate() {
        for &(second, to_second) in &matched[nth + 1..] {
            if to_first < to_second {
                continue;
            }
            let places = [Slot::of(one, first), Slot::of(one, second), Slot::of(other, to_first), Slot::of(other, to_second)];
            if !exchanged(places) {
                continue;
            }
            if !(symmetric(pair) || listed(one, first, second) && listed(other, to_second, to_first)) {
                return Swap::Directed;
            }
            swap = Swap::Harmless;
        }
    }
    swap
}

/// The neighbours of a word; articles are passed over, and the parts of a name are one.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Slot<'w> {
    before: &'w str,
    after: &'w str,
}

/// The edge of a text is a neighbour too.
const EDGE: &str = "";

impl<'w> Slot<'w> {
    fn of(words: &'w [Word], at: usize) -> Self {
        let skipped = |word: &&Word| word.name || matches!(word.class(), Some(Class::Article));
        let before = words[..at].iter().rev().find(|word| !skipped(word));
        let after = words[at + 1..].iter().find(|word| !word.name);
        Self { before: before.map_or(EDGE, |word| &*word.stem), after: after.map_or(EDGE, |word| &*word.stem) }
    }

    fn meets(self, other: Self) -> bool {
        self.before == other.before || self.after == other.after
    }
}

/// Whether each of two words stands where the other stood.
fn exchanged([first, second, to_first, to_second]: [Slot<'_>; 4]) -> bool {
    first.meets(to_second) && second.meets(to_first) && (first != to_first || second != to_second)
}

/// Whether two words stand in one list: "cats and dogs", "a cat or a dog".
fn listed(words: &[Word], first: usize, second: usize) -> bool {
    let joins = |word: &Word| word.name || matches!(word.class(), Some(Class::Article | Class::Conjunction));
    words.get(first + 1..second).is_some_and(|between| between.iter().all(joins))
}

fn symmetric(pair: &Pair<'_>) -> bool {
    [0, 1].into_iter().all(|side| pair.words(side).iter().any(|word| lexicon::is_symmetric(&word.lower)))
}

/// "Was chased by", "is owned by".
fn passive(words: &[Word]) -> bool {
    let Some(by) = words.iter().position(|word| word.lower == "by") else { return false };
    let is_being =
        |word: &Word| matches!(&*word.lower, "is" | "are" | "was" | "were" | "be" | "been" | "being" | "get" | "gets" | "got");
    let Some(being) = words[..by].iter().position(is_being) else { return false };
    words[being..by].iter().any(|word| word.is_content() && lexicon::is_participle(&word.lower))
}

#[cfg(test)]
mod tests {
    use super::super::{Check, examples::hold};

    #[test]
    fn holds_to_its_examples() {
        hold(
            Check::Arguments,
            &[
                ("Transfer 100 from savings to current", "Transfer 100 from current to savings"),
                ("Is Maria taller than Petra?", "Is Petra taller than Maria?"),
                ("What do cats think of dogs?", "What do dogs think of cats?"),
                ("Did Tom remember the letter?", "Was Tom remembered by the letter?"),
                ("Translate this from Dutch to Greek", "Translate this from Greek to Dutch"),
                ("Is Nora hurting Samuel?", "Is Samuel hurting Nora?"),
            ],
            &[
                ("Is Maria married to Petra?", "Is Petra married to Maria?"),
                ("Which is better, tea or coffee?", "Which is better, coffee or tea?"),
                ("Did Tom write the letter?", "Was the letter written by Tom?"),
                ("What is the difference between tea and coffee?", "What is the difference between coffee and tea?"),
                ("Is Lena a Dutch painter?", "Is Lena a painter and Dutch?"),
                ("Is she a nurse and a poet?", "Is she a poet and a nurse?"),
                ("How do I use chat for customer service?", "How do I use chat as a customer service tool?"),
            ],
        );
    }
}
