//! Where a kind of match is built: it leaves its checks here, and its problems with their places in the file.

use std::fmt;

use regex::{Regex, RegexBuilder};

use super::written::Stage;
use crate::{
    diagnostics::{Document, Problem},
    guard::{
        checks::{Check, FactCheck, VectorCheck},
        verdict::Gate,
    },
};

/// Compiled size beyond which a pattern is refused: nested counted repetitions explode.
const MAX_PATTERN_BYTES: usize = 4 << 20;

/// All that a rule's kinds of match have been built to.
#[derive(Debug, Default)]
pub(in crate::guard) struct Checks {
    /// On texts.
    pub(in crate::guard) texts: Vec<Box<dyn Check>>,
    /// On what of a request is not text.
    pub(in crate::guard) facts: Vec<Box<dyn FactCheck>>,
    /// On the meaning of a text.
    pub(in crate::guard) vectors: Vec<Box<dyn VectorCheck>>,
}

impl Checks {
    pub(super) fn is_empty(&self) -> bool {
        self.texts.is_empty() && self.facts.is_empty() && self.vectors.is_empty()
    }
}

/// One key under `match`.
pub(in crate::guard) struct Site<'c, 'd> {
    pub(super) document: &'d Document,
    pub(super) stage: Stage,
    pub(super) pointer: String,
    pub(super) checks: &'c mut Checks,
    pub(super) problems: &'c mut Vec<Problem>,
}

impl Site<'_, '_> {
    /// Keeps a check on texts.
    pub(in crate::guard) fn keep(&mut self, check: impl Check + 'static) {
        self.checks.texts.push(Box::new(check));
    }

    /// Keeps a check that could be built, and tells why another could not.
    pub(in crate::guard) fn keep_built<E: fmt::Display>(&mut self, check: Result<impl Check + 'static, E>) {
        match check {
            Ok(check) => self.keep(check),
            Err(error) => self.problem("", format!("this cannot be compiled: {error}"), "correct it"),
        }
    }

    /// Keeps a check on a request's facts.
    #[expect(dead_code, reason = "no kind that is built yet leaves one")]
    pub(in crate::guard) fn keep_fact(&mut self, check: impl FactCheck + 'static) {
        self.checks.facts.push(Box::new(check));
    }

    /// Keeps a check on the meaning of a text.
    pub(in crate::guard) fn keep_vector(&mut self, check: impl VectorCheck + 'static) {
        self.checks.vectors.push(Box::new(check));
    }

    /// Whether the rule stands at this gate.
    pub(in crate::guard) fn stands_at(&self, gate: Gate) -> bool {
        self.stage.stands_at(gate)
    }

    /// A problem at a place below this key: `""` is the key itself, `/0/regex` the pattern of its first item.
    pub(in crate::guard) fn problem(&mut self, below: &str, message: impl Into<String>, remedy: impl Into<String>) {
        let place = format!("{}{below}", self.pointer);
        self.problem_at(&place, message, remedy);
    }

    /// A problem anywhere in the file, by JSON pointer.
    pub(in crate::guard) fn problem_at(&mut self, pointer: &str, message: impl Into<String>, remedy: impl Into<String>) {
        self.problems.push(self.document.problem(pointer, message, remedy));
    }

    /// Compiles a regular expression that stands below this key.
    pub(in crate::guard) fn regex(&mut self, below: &str, pattern: &str) -> Option<Regex> {
        match RegexBuilder::new(pattern).size_limit(MAX_PATTERN_BYTES).build() {
            Ok(regex) => Some(regex),
            Err(error) => {
                let reason = error.to_string();
                let reason = reason.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
                let remedy = if reason.contains("look-around") || reason.contains("backreference") {
                    "match a little more and narrow it with `except`, `validate` or `keywords`: patterns run in linear time, which rules this construct out"
                } else {
                    "correct the expression; its syntax is that of the Rust `regex` crate, and single quotes keep YAML from reading backslashes"
                };
                self.problem(below, format!("this regular expression cannot be compiled: {reason}"), remedy);
                None
            }
        }
    }
}
