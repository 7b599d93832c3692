//! A rule as its author writes it. One rule a file; the file's stem is the rule's id.
//!
//! What must be written is marked `required` for the schema and still has a default for the reader, so that one bad value does not hide
//! the mistakes behind it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::guard::{
    checks::{Injection, JsonSchema as Shape, Length, Moderation, Pattern, Topic, Words},
    verdict::{Action, Gate},
};

/// A guardrail rule: what it is about, where it looks, what it does, and the examples that prove it.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Written {
    /// What the rule is about, in one line; clients read it when they are refused.
    #[serde(default)]
    #[schemars(required)]
    pub summary: String,
    /// Why it exists and what its author had in mind.
    #[serde(default)]
    #[schemars(required)]
    pub why: String,
    /// Where it looks: at what the model will read, at what it has written, or both.
    #[serde(default)]
    #[schemars(required)]
    pub stage: Stage,
    /// `preview` rules run only when the configuration names them.
    #[serde(default)]
    pub maturity: Maturity,
    /// What happens on a match.
    #[serde(default)]
    #[schemars(required)]
    pub action: Action,
    /// The text put in place of a match when the action is `replace`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replace_with: Option<String>,
    /// Whose words it looks at; all when left out. Instructions of the app (`system`) are only warned about unless they are named here.
    #[serde(default)]
    pub roles: Vec<RoleName>,
    /// What it finds. Each kind that is written adds its matches.
    #[serde(default, rename = "match")]
    #[schemars(required)]
    pub matching: Match,
    /// Matches that one of these regular expressions covers whole are let through.
    #[serde(default)]
    pub except: Vec<String>,
    /// Texts that must match and texts that must not. A rule without both does not load.
    #[serde(default)]
    #[schemars(required)]
    pub examples: Examples,
}

/// Which gate a rule stands at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// What the model will read.
    #[default]
    Input,
    /// What the model has written.
    Output,
    /// Both.
    Both,
}

impl Stage {
    pub(super) fn stands_at(self, gate: Gate) -> bool {
        matches!((self, gate), (Self::Both, _) | (Self::Input, Gate::Input) | (Self::Output, Gate::Output))
    }
}

/// How far a rule may be trusted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Maturity {
    /// On by default.
    #[default]
    Stable,
    /// Off until it is named.
    Preview,
}

/// Whose words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RoleName {
    /// `system` and `developer` messages.
    System,
    /// `user` messages, prompts and inputs.
    User,
    /// What the model said.
    Assistant,
    /// Results of tools.
    Tool,
}

/// The kinds of match; at least one is written.
#[derive(Debug, Clone, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Match {
    /// Regular expressions.
    pub patterns: Vec<Pattern>,
    /// Words and phrases, found whole and in any case.
    pub words: Words,
    /// A topic: two kinds of words in one sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub topic: Option<Topic>,
    /// Attempts to make the model do what its app does not want.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub injection: Option<Injection>,
    /// Harmful content, by category.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub moderation: Option<Moderation>,
    /// Matches an answer that is not JSON of this shape (JSON Schema 2020-12).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub json_schema: Option<Shape>,
    /// Matches a text outside of these bounds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub length: Option<Length>,
}

/// The rule's proof.
#[derive(Debug, Clone, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Examples {
    /// Texts that match.
    #[serde(default, rename = "match")]
    #[schemars(required)]
    pub matching: Vec<String>,
    /// Texts that do not, chosen to be tempting.
    #[serde(default)]
    #[schemars(required)]
    pub pass: Vec<String>,
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::Written;

    #[test]
    fn the_committed_schema_is_current() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("guardrails/rule.schema.json");
        let schema = schemars::schema_for!(Written).to_value();
        let current = serde_json::to_string_pretty(&schema).unwrap() + "\n";
        if crate::config::environment("LOCKGATE_UPDATE_SCHEMA").is_some() {
            fs::write(&path, &current).unwrap();
        }
        let committed = fs::read_to_string(&path).unwrap_or_default();
        assert!(committed == current, "stale: run LOCKGATE_UPDATE_SCHEMA=1 cargo test schema");
    }
}
