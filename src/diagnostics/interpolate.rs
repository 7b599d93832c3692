//! Variables inside values: `${NAME}`, `${NAME:-default}`, and `$${` for a literal `${`.

use std::{ops::Range, sync::LazyLock};

use regex::{Captures, Regex};

use super::{Document, Problem, Source, document::Scalar};

#[expect(clippy::unwrap_used, reason = "a literal pattern, exercised by every test that interpolates")]
static VARIABLE: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"\$\$\{|\$\{(?<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?<default>[^}]*))?\}|\$\{").unwrap());

impl Document {
    /// Puts variables into every value; keys are left alone. What is put in is not searched again.
    ///
    /// A plain value is typed after this, so that `${N:-5}` can be a number. As in a shell, a default also stands in
    /// for a variable that is set but empty.
    pub fn interpolate(&mut self, lookup: &dyn Fn(&str) -> Option<String>) -> Vec<Problem> {
        let Self { source, root } = self;
        let mut problems = Vec::new();
        root.each_scalar(&mut |scalar, span| {
            if scalar.text.contains("${") {
                let found = interpolate(scalar, lookup);
                scalar.unresolved = !found.is_empty();
                problems.extend(found.into_iter().map(|missing| missing.problem(source, span)));
            }
        });
        problems
    }
}

/// A variable that could not be put in.
struct Missing {
    /// As it is written.
    token: String,
    name: Option<String>,
}

fn interpolate(scalar: &mut Scalar, lookup: &dyn Fn(&str) -> Option<String>) -> Vec<Missing> {
    let mut missing = Vec::new();
    let text = VARIABLE.replace_all(&scalar.text, |token: &Captures<'_>| {
        value_of(token, lookup).unwrap_or_else(|unset| {
            // The token stays: an empty value would look as if nothing were written.
            let token = unset.token.clone();
            missing.push(unset);
            token
        })
    });
    scalar.text = text.into_owned();
    scalar.interpolated = true;
    missing
}

fn value_of(token: &Captures<'_>, lookup: &dyn Fn(&str) -> Option<String>) -> Result<String, Missing> {
    if &token[0] == "$${" {
        return Ok("${".to_owned());
    }
    let missing = |name| Missing { token: token[0].to_owned(), name };
    let name = token.name("name").ok_or_else(|| missing(None))?.as_str();
    let value = lookup(name);
    match token.name("default") {
        Some(default) => Ok(value.filter(|value| !value.is_empty()).unwrap_or_else(|| default.as_str().to_owned())),
        None => value.ok_or_else(|| missing(Some(name.to_owned()))),
    }
}

impl Missing {
    fn problem(&self, source: &Source, span: &Range<usize>) -> Problem {
        // An escape or a folded line can keep the token from being found; then the whole value is shown.
        let found = source.text()[span.clone()].find(&self.token).map(|at| span.start + at);
        let span = found.map_or_else(|| span.clone(), |at| at..at + self.token.len());
        match &self.name {
            Some(name) => Problem::new(
                span,
                format!("the environment has no `{name}`"),
                format!("set {name}, or give a default: ${{{name}:-default}}"),
            ),
            None => Problem::new(
                span,
                "`${` begins a variable that is not finished",
                "write ${NAME} or ${NAME:-default}; a literal `${` is written `$${`",
            ),
        }
    }
}
