//! Where a kind of match is built: it leaves its checks here, and its problems with their places in the file.

use std::{fmt, sync::Arc};

use regex::{Regex, RegexBuilder};

use super::{
    expression::{self, Fault},
    written::Stage,
};
use crate::{
    diagnostics::{Document, Problem},
    guard::{
        checks::{Check, FactCheck, Prefix, Reach, Reason, RemoteCheck, VectorCheck},
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
    /// On what is asked of others.
    pub(in crate::guard) remotes: Vec<Box<dyn RemoteCheck>>,
    /// What is put before a request's text.
    pub(in crate::guard) prefixes: Vec<Prefix>,
    /// Why a text matches, where that can be said.
    pub(in crate::guard) reasons: Vec<Arc<dyn Reason>>,
}

impl Checks {
    /// Whether one of them judges the whole, so that there is no place to replace.
    pub(super) fn judge_the_whole(&self) -> bool {
        let placeless = !self.facts.is_empty() || !self.vectors.is_empty() || !self.remotes.is_empty();
        placeless || self.texts.iter().any(|check| check.reach() == Reach::Whole)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.texts.is_empty() && self.facts.is_empty() && self.vectors.is_empty() && !self.is_unproven()
    }

    /// Whether examples could not prove what they do: others are asked, or nothing is looked for.
    pub(super) fn is_unproven(&self) -> bool {
        !self.remotes.is_empty() || !self.prefixes.is_empty()
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
        if let Some(check) = self.built(check) {
            self.keep(check);
        }
    }

    /// What could be built; else it is told why not.
    pub(in crate::guard) fn built<T, E: fmt::Display>(&mut self, built: Result<T, E>) -> Option<T> {
        built.map_err(|error| self.problem("", format!("this cannot be compiled: {error}"), "correct it")).ok()
    }

    /// Keeps what says why a text matches.
    pub(in crate::guard) fn keep_reason(&mut self, reason: Arc<dyn Reason>) {
        self.checks.reasons.push(reason);
    }

    /// Keeps a check on a request's facts.
    pub(in crate::guard) fn keep_fact(&mut self, check: impl FactCheck + 'static) {
        self.checks.facts.push(Box::new(check));
    }

    /// Keeps a check that calls out.
    pub(in crate::guard) fn keep_remote(&mut self, check: impl RemoteCheck + 'static) {
        self.checks.remotes.push(Box::new(check));
    }

    /// Keeps what is put before a request's text.
    pub(in crate::guard) fn keep_prefix(&mut self, prefix: Prefix) {
        self.checks.prefixes.push(prefix);
    }

    /// Keeps a check on the meaning of a text.
    #[expect(dead_code, reason = "no kind that is built yet leaves one")]
    pub(in crate::guard) fn keep_vector(&mut self, check: impl VectorCheck + 'static) {
        self.checks.vectors.push(Box::new(check));
    }

    /// Whether something is written at a place of the file, by JSON pointer.
    pub(in crate::guard) fn says(&self, pointer: &str) -> bool {
        self.document.contains(pointer)
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
        self.compiled(below, pattern, pattern)
    }

    /// The same, of an expression that is to cover the whole of a text.
    pub(in crate::guard) fn covering_regex(&mut self, below: &str, pattern: &str) -> Option<Regex> {
        self.compiled(below, pattern, &format!("^(?:{pattern})$"))
    }

    fn compiled(&mut self, below: &str, written: &str, pattern: &str) -> Option<Regex> {
        if let Some(Fault { span, message, remedy }) = expression::fault(written) {
            let place = self.document.span_within(&format!("{}{below}", self.pointer), written, span);
            self.problems.push(Problem::new(place, message, remedy));
            return None;
        }
        match RegexBuilder::new(pattern).size_limit(MAX_PATTERN_BYTES).build() {
            Ok(regex) => Some(regex),
            Err(error) => {
                let reason = match error {
                    regex::Error::CompiledTooBig(_) => "it is too large when compiled".to_owned(),
                    other => other.to_string(),
                };
                let remedy = "write smaller counts, such as `{1,64}`, inside others: counted repetitions multiply";
                self.problem(below, format!("this regular expression cannot be compiled: {reason}"), remedy);
                None
            }
        }
    }
}
