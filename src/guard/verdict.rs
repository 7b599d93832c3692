//! What follows from what the checks found: the strictest action wins, and nothing is lost.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a rule does about a match, mildest first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Goes on; header, log and metric say so.
    #[default]
    Warn,
    /// The matched text is replaced, then it goes on.
    Replace,
    /// The request or the answer is refused.
    Block,
}

impl Action {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Warn, Self::Replace, Self::Block];

    /// The word used in header, log and metric.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Warn => "warn",
            Self::Replace => "replace",
            Self::Block => "block",
        }
    }
}

/// What follows where a rule could not judge.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnError {
    /// As if it had not matched.
    #[default]
    Open,
    /// As if all had matched: what a rule would block or replace is refused, and what it would warn about goes on.
    Closed,
}

/// A refusal: a verdict, not an error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// The rule that refused.
    pub rule: String,
    /// What the rule is about, in its author's words.
    pub summary: String,
    /// At which gate.
    pub gate: Gate,
}

/// Which of the two gates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gate {
    /// On the way in.
    Input,
    /// On the way out.
    Output,
}

impl Gate {
    /// The word used in messages, logs and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::Output => "output",
        }
    }
}
