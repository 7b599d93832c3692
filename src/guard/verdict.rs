//! What follows from what the checks found: the strictest action wins, and nothing is lost.

use http::StatusCode;
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

/// Whether what a rule says is done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mode {
    /// It is only noted.
    Monitor,
    /// It is done.
    #[default]
    Enforce,
}

impl Mode {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Monitor, Self::Enforce];

    /// The word used in header, log and metric for an action under this mode: what was done, or would have been.
    pub fn noted(self, action: Action) -> &'static str {
        match (self, action) {
            (Self::Enforce, action) => action.as_str(),
            (Self::Monitor, Action::Warn) => "monitor-warn",
            (Self::Monitor, Action::Replace) => "monitor-replace",
            (Self::Monitor, Action::Block) => "monitor-block",
        }
    }

    /// Every word that [`Mode::noted`] has.
    pub fn words() -> impl Iterator<Item = &'static str> {
        Self::ALL.into_iter().flat_map(|mode| Action::ALL.map(|action| mode.noted(action)))
    }
}

/// How much harm what a rule finds can do, least first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Good to know.
    Low,
    /// Somebody should look.
    #[default]
    Medium,
    /// Somebody may be harmed.
    High,
    /// Somebody is, unless it is stopped.
    Critical,
}

impl Severity {
    /// The word used in log and metric.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
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

impl OnError {
    /// The word used in header, log and metric.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Closed => "closed",
        }
    }
}

/// Why a rule could not judge. Never silent: log and a metric of its own say so, whatever follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Failure {
    /// It took longer than its `budget`.
    Budget,
    /// What may be a match is longer than its `max_span`.
    Span,
    /// Whom it asks did not answer, or not in time, or made no sense.
    Away,
    /// There is no vector of the text whose meaning it looks at.
    Unembedded,
    /// It looked at the meaning of the text and cannot tell.
    Unsure,
}

impl Failure {
    /// The word used in log and metric.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Budget => "budget",
            Self::Span => "span",
            Self::Away => "away",
            Self::Unembedded => "unembedded",
            Self::Unsure => "unsure",
        }
    }

    /// As the end of a sentence about the rule.
    pub fn told(self) -> &'static str {
        match self {
            Self::Budget => "took longer than its budget",
            Self::Span => "met a text that is longer than its `max_span`",
            Self::Away => "had no answer from whom it asks",
            Self::Unembedded => "had no vector of the text to compare",
            Self::Unsure => "could not tell what the text means",
        }
    }
}

/// How a rule refuses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// With an error of this status.
    Error(StatusCode),
    /// With what looks like an answer, and says this.
    Answer(String),
    /// As Portkey's hooks do: with what all of them came to.
    Hooks,
}

impl Default for Refusal {
    fn default() -> Self {
        Self::Error(StatusCode::BAD_REQUEST)
    }
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
    /// How the client is told.
    pub refusal: Refusal,
    /// Why the rule could not judge, where that is why it refused.
    pub failure: Option<Failure>,
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
