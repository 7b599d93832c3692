//! How much of the likeness is one of words. Where two prompts share nearly all their words, a high cosine says little about the one that differs; where they
//! share few and are near all the same, it is their meaning that is near.

use super::align::Pair;

/// How near the words of the better covered side are to words of the other, on average: 1 for the same words.
pub(super) fn judge(pair: &Pair<'_>) -> f32 {
    pair.covered(0).max(pair.covered(1)).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::super::{Check, examples::judge};

    #[test]
    fn the_same_words_share_all_in_any_order() {
        assert!(judge(Check::Shared, "a cat and a dog", "a dog and a cat") > 0.99);
    }
}
