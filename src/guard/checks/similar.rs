//! A topic by example: texts that mean what one of some sentences means, or what none of them does.

use std::sync::OnceLock;

use super::{Embedding, Opinion, VectorCheck};
use crate::embed::cosine;

/// What nearness to an example is a sign of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    /// Of a match.
    Near,
    /// Of no match: what is far from all of them matches.
    Far,
}

/// Sentences, and how near a text must come to one of them.
#[derive(Debug)]
pub(super) struct Similar {
    sentences: Vec<String>,
    similarity: f32,
    wanted: Wanted,
    embedding: Embedding,
    vectors: OnceLock<Vec<Vec<f32>>>,
}

impl Similar {
    pub(super) fn new(sentences: Vec<String>, similarity: f32, wanted: Wanted, embedding: Embedding) -> Self {
        Self { sentences, similarity, wanted, embedding, vectors: OnceLock::new() }
    }
}

impl VectorCheck for Similar {
    fn judge(&self, _: &str, vector: &[f32]) -> Opinion {
        let Some(vectors) = self.vectors.get() else { return Opinion::Unsure };
        let near = vectors.iter().any(|sentence| cosine(sentence, vector) >= self.similarity);
        if near == (self.wanted == Wanted::Near) { Opinion::Match } else { Opinion::Pass }
    }

    fn embedding(&self) -> Embedding {
        self.embedding
    }

    fn sentences(&self) -> &[String] {
        // What is learnt is not learnt again.
        if self.vectors.get().is_some() { &[] } else { &self.sentences }
    }

    fn learn(&self, vectors: Vec<Vec<f32>>) {
        if vectors.len() == self.sentences.len() {
            // The model is the same as long as the process runs, and so are the vectors.
            self.vectors.get_or_init(|| vectors);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::embed::{Bundled, Embedder, ModelFiles};

    fn similar(wanted: Wanted) -> Similar {
        let sentences = ["Which stock should I buy?", "How do I invest my savings?"].map(str::to_owned);
        Similar::new(sentences.to_vec(), 0.5, wanted, Embedding::Always)
    }

    #[test]
    fn what_means_the_same_is_near_and_anything_else_is_far() {
        let engine = Bundled::load(&ModelFiles::open(None).unwrap()).unwrap();
        let vector = |text: &str| engine.embed(text).unwrap().vector;
        let (near, far) = (similar(Wanted::Near), similar(Wanted::Far));
        let asked = vector("What shares are a good investment?");
        assert_eq!(near.judge("", &asked), Opinion::Unsure, "nothing is learnt yet");
        for check in [&near, &far] {
            check.learn(check.sentences().iter().map(|sentence| vector(sentence)).collect());
            assert!(check.sentences().is_empty(), "what is learnt is not learnt again");
        }
        assert_eq!((near.judge("", &asked), far.judge("", &asked)), (Opinion::Match, Opinion::Pass));
        let other = vector("How long do I boil an egg?");
        assert_eq!((near.judge("", &other), far.judge("", &other)), (Opinion::Pass, Opinion::Match));
    }
}
