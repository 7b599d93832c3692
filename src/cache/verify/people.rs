//! He, she, or somebody by name: who is meant.

use super::{align::Pair, lexicon::Class};

/// Whether the two speak of different people.
pub(super) fn judge(pair: &Pair<'_>) -> f32 {
    let lone = |side: usize, class: Class| pair.alone(side).any(|(_, word)| word.class() == Some(class));
    let named = |side: usize| pair.alone(side).any(|(_, word)| word.name);
    let third = |side: usize| lone(side, Class::He) || lone(side, Class::She);
    let gender = [0, 1].into_iter().any(|side| lone(side, Class::He) && lone(1 - side, Class::She));
    let by_name = [0, 1].into_iter().any(|side| third(side) && named(1 - side));
    // "My order" and "his order"; whoever asks may ask as I, you or one.
    let others = [0, 1].into_iter().any(|side| lone(side, Class::Own) && third(1 - side));
    if gender || by_name || others { 1.0 } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::super::{Check, examples::hold};

    #[test]
    fn holds_to_its_examples() {
        hold(
            Check::People,
            &[
                ("If Ann and Bob met, would he greet her?", "If Ann and Bob met, would she greet him?"),
                ("If Ann and Bob met, would her friends cheer?", "If Ann and Bob met, would Bob's friends cheer?"),
                ("What should I write in my letter?", "What should I write in his letter?"),
            ],
            &[
                ("How do I reset my password?", "How do you reset your password?"),
                ("Is he married?", "Is he still married?"),
                ("Where are they now?", "Where are they?"),
            ],
        );
    }
}
