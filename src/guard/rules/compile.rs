//! From a rule as written to a rule that runs, with every problem of the file at once.

use std::path::Path;

use regex::Regex;

use super::{
    set::Rule,
    site::{Checks, Site},
    written::{Match, Written},
};
use crate::{
    diagnostics::{Document, Problem, Report, Source},
    guard::{
        checks::{Kind, Reach},
        verdict::Action,
    },
};

/// Compiles one rule file.
pub(super) fn compile(id: &str, source: Source) -> Result<Rule, Report> {
    let document = Document::parse(source)?;
    let reading = document.read::<Written>();
    let mut compiler = Compiler { document: &document, problems: reading.problems, checks: Checks::default() };
    let rule = reading.value.and_then(|written| compiler.rule(id, written));
    let problems = compiler.problems;
    match rule {
        Some(rule) if problems.is_empty() => Ok(rule),
        _ => Err(document.report(problems)),
    }
}

/// A rule's id is its file's stem, and it ends up in headers, metrics and the configuration.
pub(super) fn id_of(path: &Path) -> Option<&str> {
    let stem = path.file_stem()?.to_str()?;
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (!stem.is_empty() && stem.bytes().all(plain)).then_some(stem)
}

struct Compiler<'d> {
    document: &'d Document,
    problems: Vec<Problem>,
    checks: Checks,
}

impl Compiler<'_> {
    fn rule(&mut self, id: &str, written: Written) -> Option<Rule> {
        // An action that could not be read is not one that replaces nothing.
        let read = self.problems.is_empty();
        self.matches(&written);
        let except = self.exceptions(&written);
        if read {
            self.actions(&written);
        }
        self.examples(&written);
        if !self.problems.is_empty() {
            return None;
        }
        let rule = Rule { id: id.to_owned(), checks: std::mem::take(&mut self.checks), except, written };
        self.prove(&rule);
        Some(rule)
    }

    /// A rule that does not do what its own examples say is a mistake in the one or the other.
    fn prove(&mut self, rule: &Rule) {
        // What only a vector tells is proven where vectors are computed: `Meaning::prepare`.
        if rule.is_of_meaning() {
            return;
        }
        let examples = &rule.written.examples;
        for (n, text) in examples.matching.iter().enumerate().filter(|(_, text)| rule.find(text).is_empty()) {
            let message = format!("the rule does not match this example ({} characters)", text.chars().count());
            self.problem(&format!("/examples/match/{n}"), message, "widen `match`, narrow `except`, or move the text to `pass`");
        }
        for (n, _) in examples.pass.iter().enumerate().filter(|(_, text)| !rule.find(text).is_empty()) {
            self.problem(
                &format!("/examples/pass/{n}"),
                "the rule matches this example, which it should let pass",
                "narrow `match`, add an `except`, or move the text to `match`",
            );
        }
    }

    fn problem(&mut self, pointer: &str, message: impl Into<String>, remedy: impl Into<String>) {
        self.problems.push(self.document.problem(pointer, message, remedy));
    }

    fn actions(&mut self, written: &Written) {
        let replaces = written.action == Action::Replace;
        if !replaces && written.replace_with.is_some() {
            self.problem(
                "/replace_with",
                "`replace_with` has no effect: the action is not `replace`",
                "write `action: replace`, or remove the line",
            );
        }
        let Checks { texts, facts, vectors } = &self.checks;
        let placeless = !facts.is_empty() || !vectors.is_empty() || texts.iter().any(|check| check.reach() == Reach::Whole);
        if replaces && placeless {
            self.problem(
                "/action",
                "`match` has a kind that judges the whole, which cannot be replaced",
                "write `action: warn` or `action: block`",
            );
        }
    }

    /// One line for each kind of match.
    fn matches(&mut self, written: &Written) {
        let Match { patterns, words, topic, injection, moderation, json_schema, length } = &written.matching;
        self.kind(written, "patterns", Some(patterns));
        self.kind(written, "words", Some(words));
        self.kind(written, "topic", topic.as_ref());
        self.kind(written, "injection", injection.as_ref());
        self.kind(written, "moderation", moderation.as_ref());
        self.kind(written, "json_schema", json_schema.as_ref());
        self.kind(written, "length", length.as_ref());
        if self.checks.is_empty() && self.problems.is_empty() {
            self.problem(
                "/match",
                "the rule finds nothing: `match` is empty",
                "add a kind of match, such as `patterns` or `words`; guardrails/README.md lists them all",
            );
        }
    }

    fn kind(&mut self, written: &Written, key: &str, kind: Option<&impl Kind>) {
        if let Some(kind) = kind {
            kind.build(&mut self.site(written, format!("/match/{key}")));
        }
    }

    fn site(&mut self, written: &Written, pointer: String) -> Site<'_, '_> {
        let Self { document, checks, problems } = self;
        Site { document, stage: written.stage, pointer, checks, problems }
    }

    fn exceptions(&mut self, written: &Written) -> Vec<Regex> {
        let mut site = self.site(written, "/except".to_owned());
        let compile = |(n, pattern): (usize, &String)| site.regex(&format!("/{n}"), &format!("^(?:{pattern})$"));
        written.except.iter().enumerate().filter_map(compile).collect()
    }

    fn examples(&mut self, written: &Written) {
        for (name, list) in [("match", &written.examples.matching), ("pass", &written.examples.pass)] {
            if list.is_empty() {
                let message = format!("the rule has no `{name}` example, so nothing shows that it works");
                self.problem(&format!("/examples/{name}"), message, "add one");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compile_text(text: &str) -> Result<Rule, Report> {
        compile("test", Source::new("test.yaml", text))
    }

    #[test]
    fn reports_every_mistake_of_a_file_with_its_place() {
        let report = compile_text(
            "summary: s\nwhy: w\nstage: inptu\naction: warn\nreplace_with: x\nmatch:\n  patterns:\n    - regex: 'a('\n    - regex: '(?=x)y'\n  words: ['']\n\
             colour: red\nexamples:\n  match: [a]\n  pass: [b]\n",
        )
        .unwrap_err();
        let text = report.to_string();
        for expected in
            ["test.yaml:3:", "test.yaml:8:", "test.yaml:9:", "test.yaml:10:", "test.yaml:11:", "linear time", "colour"]
        {
            assert!(text.contains(expected), "{expected} is not in:\n{text}");
        }
    }

    #[test]
    fn does_not_load_a_rule_without_both_kinds_of_examples() {
        let report = compile_text(
            "summary: s\nwhy: w\nstage: input\naction: warn\nmatch: {words: [a]}\nexamples: {match: [a], pass: []}\n",
        );
        assert!(report.unwrap_err().to_string().contains("pass"));
    }

    #[test]
    fn does_not_load_a_rule_that_its_own_examples_belie() {
        let report = compile_text(
            "summary: s\nwhy: w\nstage: input\naction: warn\nmatch: {words: [a]}\nexamples:\n  match: [a, b]\n  pass: [c, a cat]\n",
        );
        let text = report.unwrap_err().to_string();
        assert!(text.contains("test.yaml:7:14") && text.contains("test.yaml:8:13") && text.contains("2 problems"), "{text}");
    }

    #[test]
    fn refuses_what_would_have_no_effect() {
        let tail = "examples: {match: [a], pass: [b]}\n";
        let cases = [
            ("summary: s\nwhy: w\nstage: input\naction: warn\nmatch: {}\n", "finds nothing"),
            ("summary: s\nwhy: w\nstage: input\naction: warn\nreplace_with: x\nmatch: {words: [a]}\n", "no effect"),
            ("summary: s\nwhy: w\nstage: output\naction: replace\nmatch: {length: {max_words: 3}}\n", "judges the whole"),
            ("summary: s\nwhy: w\nstage: input\naction: warn\nmatch: {patterns: [{regex: 'x*'}]}\n", "empty text"),
        ];
        for (text, expected) in cases {
            let report = compile_text(&format!("{text}{tail}")).unwrap_err().to_string();
            assert!(report.contains(expected), "{expected} is not in:\n{report}");
        }
    }

    #[test]
    fn ids_are_plain() {
        assert_eq!(id_of(Path::new("a/payment-card.yaml")), Some("payment-card"));
        assert_eq!(id_of(Path::new("Payment Card.yaml")), None);
    }
}
