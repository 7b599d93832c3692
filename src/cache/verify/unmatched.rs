//! The one word that has nothing like it on the other side.

use super::align::Pair;

/// How far the loneliest word is from all that the other side says.
pub(super) fn judge(pair: &Pair<'_>) -> f32 {
    let far = |side: usize| {
        let content: Vec<usize> = (0..pair.words(side).len()).filter(|&at| !pair.words(side)[at].is_light()).collect();
        pair.farthest(side, &content)
    };
    far(0).max(far(1)).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::super::{Check, examples::hold};

    #[test]
    fn holds_to_its_examples() {
        hold(
            Check::Unmatched,
            &[("Can I feed my dog grapes?", "Can I feed my cat grapes?"), ("How do I open a shop?", "How do I rob a shop?")],
            &[
                ("Can I feed my dog grapes?", "could I feed grapes to my dog"),
                ("How do I open a shop?", "How does one open a shop?"),
            ],
        );
    }
}
