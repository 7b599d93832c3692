//! A negation on one side only turns the question round, unless an opposite turns it back: "not safe" and "unsafe".

use super::{align::Pair, lexicon::Class, opposites, reading::Word};

/// Whether an odd number of turns separates the two.
pub(super) fn judge(pair: &Pair<'_>) -> f32 {
    let turned = turns(pair.words(0)) != turns(pair.words(1));
    if turned && opposites::turns(pair).is_multiple_of(2) { 1.0 } else { 0.0 }
}

/// Whether a text is negated, all in all.
pub(super) fn turns(words: &[Word]) -> bool {
    let negations = words.iter().enumerate().filter(|&(at, word)| word.class() == Some(Class::Negation) && !idle(words, at));
    negations.count() % 2 == 1
}

/// "Or not" and "why not" at the end ask the same as without.
fn idle(words: &[Word], at: usize) -> bool {
    let before = at.checked_sub(1).map(|before| &*words[before].lower);
    let last = words.get(at + 1).is_none_or(|next| next.opens || next.after_break);
    last && matches!(before, Some("or" | "why" | "if"))
}

#[cfg(test)]
mod tests {
    use super::super::{Check, examples::hold};

    #[test]
    fn holds_to_its_examples() {
        hold(
            Check::Negation,
            &[
                ("Cancel my subscription", "Don't cancel my subscription"),
                ("Is it legal to camp here?", "Is it not legal to camp here?"),
                ("What should a founder worry about?", "What should a founder not worry about?"),
                ("Can I travel with a visa?", "Can I travel without a visa?"),
                ("Why does it work?", "Why does it never work?"),
                ("Who can vote?", "Who cannot vote?"),
            ],
            &[
                ("Is it not safe to swim here?", "Is it unsafe to swim here?"),
                ("Don't cancel my plan", "do not cancel my plan"),
                ("Can I stay or not?", "Can I stay?"),
                ("Why can't I log in?", "What is the reason I cannot log in?"),
            ],
        );
    }
}
