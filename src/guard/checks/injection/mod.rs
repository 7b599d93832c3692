//! Prompt injection by its structure: what is set aside, revealed, pretended, demanded, and how it is disguised.
//!
//! No single word makes an attack: phrases play parts, parts that are played together are signs, and a fit over public attacks and harmless prompts says what each
//! sign is worth; models/guard/README.md tells how, and what it finds. A text is judged by sentences and by windows of sentences, so that a long one does not
//! dilute what is in it. Where there is a vector of the text, its direction and the nearest known attack are weighed with the signs.

use std::ops::Range;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Check, Embedding, Kind, Needs, Reach, VectorCheck};
use crate::guard::rules::Site;

mod detector;
mod disguise;
mod phrases;
mod sentences;
mod signs;
mod weights;

pub use detector::{Detector, Weights, Window, windows};

/// Finds attempts to make the model do what its app does not want.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Injection {
    /// The least score that matches, above 0 and below 1; higher is stricter. 0.5 spares 99 of 100 ordinary questions and 95 of 100 that are meant to tempt it.
    #[serde(default = "Injection::default_threshold")]
    pub threshold: f32,
    /// When the text's vector is looked at too.
    #[serde(default)]
    pub embedding: Embedding,
}

impl Injection {
    fn default_threshold() -> f32 {
        0.5
    }
}

impl Kind for Injection {
    fn build(&self, site: &mut Site<'_, '_>) {
        if self.threshold > 0.0 && self.threshold < 1.0 {
            let attempts = || Attempts { detector: Detector::new(Weights::shipped()), written: self.clone() };
            site.keep(attempts());
            site.keep_vector(attempts());
        } else {
            site.problem("/threshold", "a score is above 0 and below 1", "write a number such as 0.5");
        }
    }
}

/// What the signs are called, in the order of their weights.
pub fn sign_names() -> Vec<String> {
    signs::names().collect()
}

/// The compiled kind.
#[derive(Debug)]
struct Attempts {
    detector: Detector,
    written: Injection,
}

impl Check for Attempts {
    fn find(&self, text: &str, found: &mut Vec<Range<usize>>) {
        let mut end = 0;
        for window in windows(text).into_iter().filter(|window| self.detector.score(window) >= self.written.threshold) {
            // Windows overlap: what an earlier one has shown is not shown again.
            if window.span.start >= end {
                end = window.span.end;
                found.push(window.span);
            }
        }
    }

    fn needs(&self) -> Needs<'_> {
        Needs::Nothing
    }

    fn reach(&self) -> Reach {
        Reach::Unbounded
    }
}

impl VectorCheck for Attempts {
    fn matches(&self, text: &str, vector: &[f32]) -> bool {
        self.detector.score_with(&windows(text), vector) >= self.written.threshold
    }

    fn embedding(&self) -> Embedding {
        self.written.embedding
    }
}
