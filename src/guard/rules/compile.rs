//! From a rule as written to a rule that runs, with every problem of the file at once.

use std::{path::Path, sync::atomic::AtomicU64};

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

/// A rule file that was read, before the rule is held to its examples.
#[derive(Debug)]
pub(in crate::guard) struct Opened {
    pub(in crate::guard) document: Document,
    /// The rule, if it can be built.
    pub(in crate::guard) rule: Option<Rule>,
    /// What keeps it from running.
    pub(in crate::guard) problems: Vec<Problem>,
}

/// An example that its rule belies.
#[derive(Debug)]
pub(in crate::guard) struct Unproven {
    /// Where it stands, as a JSON pointer.
    pub(in crate::guard) pointer: String,
    message: String,
    remedy: &'static str,
}

impl Unproven {
    /// As a problem of the file.
    pub(in crate::guard) fn problem(&self, document: &Document) -> Problem {
        document.problem(&self.pointer, self.message.as_str(), self.remedy)
    }
}

/// Compiles one rule file. `id` is the rule's, by which everything else names it.
pub fn compile(id: &str, source: Source) -> Result<Rule, Report> {
    let Opened { document, rule, mut problems } = open(id, source)?;
    problems.extend(rule.iter().flat_map(unproven).map(|example| example.problem(&document)));
    match rule {
        Some(rule) if problems.is_empty() => Ok(rule),
        _ => Err(document.report(problems)),
    }
}

/// Reads one rule file and builds what can be built. It fails where there is not even YAML.
pub(in crate::guard) fn open(id: &str, source: Source) -> Result<Opened, Report> {
    let document = Document::parse(source)?;
    let reading = document.read::<Written>();
    let mut compiler = Compiler { document: &document, problems: reading.problems, checks: Checks::default() };
    let rule = reading.value.and_then(|written| compiler.rule(id, written));
    let problems = compiler.problems;
    Ok(Opened { document, rule, problems })
}

/// A rule of this file with something else written in it; `None` if that cannot be built.
pub(in crate::guard) fn variant(document: &Document, id: &str, written: Written) -> Option<Rule> {
    Compiler { document, problems: Vec::new(), checks: Checks::default() }.rule(id, written)
}

/// A rule that does not do what its own examples say is a mistake in the one or the other.
pub(in crate::guard) fn unproven(rule: &Rule) -> Vec<Unproven> {
    let examples = &rule.written.examples;
    let missed = examples.matching.iter().enumerate().filter(|(_, text)| rule.find(text).is_empty()).map(|(n, text)| Unproven {
        pointer: format!("/examples/match/{n}"),
        message: format!("the rule does not match this example ({} characters)", text.chars().count()),
        remedy: "widen `match`, narrow `except`, or move the text to `pass`",
    });
    let caught = examples.pass.iter().enumerate().filter(|(_, text)| !rule.find(text).is_empty()).map(|(n, _)| Unproven {
        pointer: format!("/examples/pass/{n}"),
        message: "the rule matches this example, which it should let pass".to_owned(),
        remedy: "narrow `match`, add an `except`, or move the text to `match`",
    });
    missed.chain(caught).collect()
}

/// A rule's id is its file's stem, and it ends up in headers, metrics and the configuration.
pub(super) fn id_of(path: &Path) -> Option<&str> {
    path.file_stem()?.to_str().filter(|stem| is_id(stem))
}

/// Whether this can be a rule's id: small letters, digits and dashes.
pub fn is_id(id: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    !id.is_empty() && id.bytes().all(plain)
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
        self.required();
        if !self.problems.is_empty() {
            return None;
        }
        Some(Rule { id: id.to_owned(), checks: std::mem::take(&mut self.checks), except, written, hits: AtomicU64::default() })
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

    /// What has a default for the reader alone: no two rules mean the same by leaving it out.
    fn required(&mut self) {
        for key in ["summary", "why", "stage", "action"] {
            if !self.document.contains(&format!("/{key}")) {
                self.problem(
                    &format!("/{key}"),
                    format!("the rule lacks `{key}`"),
                    format!("add `{key}: …`; guardrails/README.md says what it is"),
                );
            }
        }
    }

    /// One line for each kind of match.
    fn matches(&mut self, written: &Written) {
        let Match { patterns, words, topic, json_schema, length } = &written.matching;
        self.kind(written, "patterns", Some(patterns));
        self.kind(written, "words", Some(words));
        self.kind(written, "topic", topic.as_ref());
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
        let compile = |(n, pattern): (usize, &String)| site.covering_regex(&format!("/{n}"), pattern);
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
    use proptest::prelude::*;

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
    fn does_not_load_a_rule_that_leaves_out_what_it_is_about() {
        let report = compile_text("match: {words: [a]}\nexamples: {match: [a], pass: [b]}\n").unwrap_err().to_string();
        for key in ["summary", "why", "stage", "action"] {
            assert!(report.contains(&format!("lacks `{key}`")), "no {key} in {report}");
        }
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

    const WHOLE: &str = "summary: s\nwhy: w\nstage: both\naction: replace\nreplace_with: x\nroles: [user]\nmatch:\n  patterns:\n    - regex: '(?i)a|b(c)'\n      \
                         validate: luhn\n      keywords: [a]\n  words: [zebra]\nexcept: ['x(y)']\nexamples:\n  match: [zebra]\n  pass: [horse]\n";

    proptest! {
        #[test]
        fn any_change_of_a_rule_is_compiled_or_criticised_in_place(
            at in 0..WHOLE.len(), cut in 0..9_usize, put in r#"[-?:,\[\]{}()|*+<=!'" \n\\a1é]{0,6}"#,
        ) {
            let text = format!("{}{put}{}", &WHOLE[..at], &WHOLE[(at + cut).min(WHOLE.len())..]);
            if let Err(report) = compile_text(&text) {
                for span in report.problems().iter().filter_map(|problem| problem.span.clone()) {
                    prop_assert!(text.get(span.clone()).is_some(), "{:?}", span);
                }
            }
        }
    }

    #[test]
    fn ids_are_plain() {
        assert_eq!(id_of(Path::new("a/payment-card.yaml")), Some("payment-card"));
        assert_eq!(id_of(Path::new("Payment Card.yaml")), None);
    }
}
