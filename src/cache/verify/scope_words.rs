//! How far a question reaches: only, all, first, other.

use super::{align::Pair, lexicon::Class};

/// What one such word weighs.
const EACH: f32 = 0.5;

/// How many such words stand alone.
pub(super) fn judge(pair: &Pair<'_>) -> f32 {
    let lone = |side: usize| pair.alone(side).filter(|(_, word)| word.class() == Some(Class::Scope)).count();
    (EACH * (lone(0) + lone(1)) as f32).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::super::{Check, examples::hold};

    #[test]
    fn holds_to_its_examples() {
        hold(
            Check::Scope,
            &[
                ("Delete my last message", "Delete all messages"),
                ("Which birds can fly?", "Which birds can only fly?"),
                ("Is it always cold there?", "Is it cold there?"),
            ],
            &[("Delete all messages", "Please delete all of the messages"), ("Are there many lakes?", "Are there lakes?")],
        );
    }
}
