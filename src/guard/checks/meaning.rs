//! What the kinds share that look at a text's vector: when there must be one, and how odds become scores.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Whether a rule asks for a vector.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Embedding {
    /// It looks at the vector that the cache computes, and goes without where the cache computes none.
    #[default]
    Available,
    /// The text is embedded before anything is looked up, which costs about a millisecond for each text that is new.
    Always,
}

/// The share that belongs to odds.
pub(super) fn share(logit: f32) -> f32 {
    1.0 / (1.0 + (-logit).exp())
}
