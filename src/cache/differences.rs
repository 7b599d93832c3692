//! Pairs of prompts that somebody reported as different: neither is answered with the other's answer again.
//!
//! A pair is kept as a keyed hash of its scope and both texts, so that a store that outlives its entries does not keep their words.

use std::{
    collections::HashSet,
    sync::{PoisonError, RwLock},
};

use super::{
    scope::Key,
    store::{Pair, Secret},
};

/// Pairs in memory: some megabytes. Reports come one by one, from people.
const MAX_PAIRS: usize = 100_000;

/// All pairs that are known. Its lock is held for a look-up, never across an await.
#[derive(Default)]
pub(super) struct Differences {
    secret: Secret,
    pairs: RwLock<HashSet<Pair>>,
}

impl std::fmt::Debug for Differences {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Differences").finish_non_exhaustive()
    }
}

impl Differences {
    /// None yet. Pairs are hashed with this secret, and mean nothing under another.
    pub(super) fn new(secret: Secret) -> Self {
        Self { secret, pairs: RwLock::default() }
    }

    /// Tells other stores' secrets from this one without telling the secret.
    pub(super) fn secret_id(&self) -> String {
        blake3::keyed_hash(&self.secret, b"which secret this is").to_hex()[..32].to_owned()
    }

    /// The pair of two prompts, whichever comes first; `None` if they are the same, word for word.
    pub(super) fn pair(&self, partition: &Key, one: &str, other: &str) -> Option<Pair> {
        let (mut one, mut other) = (spaced(one), spaced(other));
        if one == other {
            return None;
        }
        // Capitals seldom change what is asked. Where they are all that differs, they are what was reported.
        let (low, other_low) = (one.to_lowercase(), other.to_lowercase());
        if low != other_low {
            (one, other) = (low, other_low);
        }
        let (first, second) = if one < other { (one, other) } else { (other, one) };
        let mut hasher = blake3::Hasher::new_keyed(&self.secret);
        hasher.update(partition).update(&(first.len() as u64).to_le_bytes()).update(first.as_bytes()).update(second.as_bytes());
        Some(*hasher.finalize().as_bytes())
    }

    /// Whether a pair was reported.
    pub(super) fn contains(&self, partition: &Key, one: &str, other: &str) -> bool {
        let pairs = self.pairs.read().unwrap_or_else(PoisonError::into_inner);
        !pairs.is_empty() && self.pair(partition, one, other).is_some_and(|pair| pairs.contains(&pair))
    }

    /// Remembers pairs; `false` if there is no room for all of them.
    pub(super) fn extend(&self, new: impl IntoIterator<Item = Pair>) -> bool {
        let mut pairs = self.pairs.write().unwrap_or_else(PoisonError::into_inner);
        new.into_iter().all(|pair| (pairs.len() < MAX_PAIRS && pairs.insert(pair)) || pairs.contains(&pair))
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.pairs.read().unwrap_or_else(PoisonError::into_inner).len()
    }
}

/// A text with one space where it has any.
fn spaced(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HERE: Key = [1; 32];

    fn with(one: &str, other: &str) -> Differences {
        let differences = Differences::new([7; 32]);
        assert!(differences.extend(differences.pair(&HERE, one, other)));
        differences
    }

    #[test]
    fn a_pair_is_known_in_either_order_and_however_it_is_spaced_and_written() {
        let differences = with("How do I open an account?", "How do I close an account?");
        for (one, other) in [
            ("How do I open an account?", "How do I close an account?"),
            ("How do I close an account?", "How do I open an account?"),
            (" how do I open\tan  ACCOUNT?\n", "How do I close an account?"),
        ] {
            assert!(differences.contains(&HERE, one, other), "{one:?} {other:?}");
        }
        assert!(!differences.contains(&HERE, "How do I open an account?", "How can I open an account?"));
        assert!(!differences.contains(&[2; 32], "How do I open an account?", "How do I close an account?"), "another scope");
    }

    #[test]
    fn where_only_capitals_differ_they_count() {
        let differences = with("Who makes polish nails?", "Who makes Polish nails?");
        assert!(differences.contains(&HERE, "Who makes Polish nails?", "Who makes polish nails?"));
        assert!(!differences.contains(&HERE, "Who makes polish nails?", "who makes polish nails?"));
        assert_eq!(differences.pair(&HERE, "The same", " The  same "), None);
    }

    #[test]
    fn the_border_between_the_texts_counts_and_so_does_the_secret() {
        let differences = with("ab", "c");
        assert!(!differences.contains(&HERE, "a", "bc"));
        let other = Differences::new([8; 32]);
        assert_ne!(other.pair(&HERE, "ab", "c"), differences.pair(&HERE, "ab", "c"));
        assert_ne!(other.secret_id(), differences.secret_id());
    }

    #[test]
    fn their_number_is_bounded_and_what_is_known_stays_known() {
        let differences = Differences::default();
        let pair = |n: usize| {
            let mut pair = [0; 32];
            pair[..8].copy_from_slice(&n.to_le_bytes());
            pair
        };
        assert!(differences.extend((0..MAX_PAIRS).map(pair)));
        assert!(!differences.extend([pair(MAX_PAIRS)]) && differences.extend([pair(3)]));
        assert_eq!(differences.len(), MAX_PAIRS);
    }

    proptest! {
        #[test]
        fn no_text_is_too_strange(one in ".{0,40}", other in ".{0,40}") {
            let differences = Differences::default();
            let pair = differences.pair(&HERE, &one, &other);
            prop_assert_eq!(pair, differences.pair(&HERE, &other, &one));
            differences.extend(pair);
            prop_assert_eq!(differences.contains(&HERE, &one, &other), pair.is_some());
        }
    }
}
