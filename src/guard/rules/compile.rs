//! From a rule as written to a rule that runs, with every problem of the file at once.

use std::path::Path;

use regex::{Regex, RegexBuilder};

use super::{
    set::Rule,
    written::{Match, Pattern, Stage, Written},
};
use crate::{
    diagnostics::{Document, Problem, Report, Source},
    guard::{checks, checks::Check, verdict::Action},
};

/// Compiled size beyond which a pattern is refused: nested counted repetitions explode.
const MAX_PATTERN_BYTES: usize = 4 << 20;

/// Compiles one rule file.
pub(super) fn compile(id: &str, source: Source) -> Result<Rule, Report> {
    let document = Document::parse(source)?;
    let reading = document.read::<Written>();
    let mut compiler = Compiler { document: &document, problems: reading.problems, checks: Vec::new() };
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
    checks: Vec<Box<dyn Check>>,
}

impl Compiler<'_> {
    fn rule(&mut self, id: &str, written: Written) -> Option<Rule> {
        self.actions(&written);
        self.matches(&written.matching);
        let except = self.exceptions(&written.except);
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
        // An action that could not be read is not one that replaces nothing.
        let read = self.problems.is_empty();
        if read && !replaces && written.replace_with.is_some() {
            self.problem(
                "/replace_with",
                "`replace_with` has no effect: the action is not `replace`",
                "write `action: replace`, or remove the line",
            );
        }
        let whole = written.matching.json_schema.is_some() || written.matching.length.is_some();
        if replaces && whole {
            self.problem(
                "/action",
                "a JSON Schema or a length judges the whole text, which cannot be replaced",
                "write `action: warn` or `action: block`",
            );
        }
        if written.matching.json_schema.is_some() && written.stage != Stage::Output {
            self.problem("/stage", "`json_schema` judges answers", "write `stage: output`");
        }
    }

    fn matches(&mut self, matching: &Match) {
        for (n, pattern) in matching.patterns.iter().enumerate() {
            self.pattern(&format!("/match/patterns/{n}"), pattern);
        }
        if !matching.words.is_empty() {
            self.words("/match/words", &matching.words);
        }
        if let Some(topic) = &matching.topic {
            let lists = [&topic.naming, &topic.asking];
            if lists.iter().any(|list| list.is_empty() || list.iter().any(|word| word.trim().is_empty())) {
                self.problem(
                    "/match/topic",
                    "`naming` and `asking` each need words that are not empty",
                    "list the words that name the topic, and those that ask",
                );
            } else {
                let check = checks::Topic::new(topic.naming.clone(), topic.asking.clone(), topic.except.clone());
                self.keep("/match/topic", check);
            }
        }
        if let Some(schema) = &matching.json_schema {
            let check = checks::JsonSchema::new(&serde_json::Value::Object(schema.clone()));
            self.keep("/match/json_schema", check);
        }
        if let Some(length) = matching.length {
            let (min_characters, max_characters) = (length.min_characters, length.max_characters);
            let (min_words, max_words) = (length.min_words, length.max_words);
            self.checks.push(Box::new(checks::Length { min_characters, max_characters, min_words, max_words }));
        }
        if self.checks.is_empty() && self.problems.is_empty() {
            self.problem(
                "/match",
                "the rule finds nothing: `match` is empty",
                "add `patterns`, `words`, `topic`, `json_schema` or `length`",
            );
        }
    }

    fn words(&mut self, pointer: &str, words: &[String]) {
        if words.iter().any(|word| word.trim().is_empty()) {
            self.problem(pointer, "an empty word would match everywhere", "remove it");
        } else {
            self.keep(pointer, checks::Words::new(words.to_vec()));
        }
    }

    fn pattern(&mut self, pointer: &str, pattern: &Pattern) {
        let Some(regex) = self.regex(&format!("{pointer}/regex"), &pattern.regex) else { return };
        if regex.is_match("") {
            self.problem(
                &format!("{pointer}/regex"),
                "this pattern matches the empty text, and so everything",
                "demand at least one character",
            );
            return;
        }
        self.checks.push(Box::new(checks::Pattern::new(regex, pattern.validate, pattern.keywords.clone())));
    }

    fn regex(&mut self, pointer: &str, pattern: &str) -> Option<Regex> {
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
                self.problem(pointer, format!("this regular expression cannot be compiled: {reason}"), remedy);
                None
            }
        }
    }

    fn exceptions(&mut self, except: &[String]) -> Vec<Regex> {
        let compile = |(n, pattern): (usize, &String)| self.regex(&format!("/except/{n}"), &format!("^(?:{pattern})$"));
        except.iter().enumerate().filter_map(compile).collect()
    }

    fn examples(&mut self, written: &Written) {
        for (name, list) in [("match", &written.examples.matching), ("pass", &written.examples.pass)] {
            if list.is_empty() {
                let message = format!("the rule has no `{name}` example, so nothing shows that it works");
                self.problem(&format!("/examples/{name}"), message, "add one");
            }
        }
    }

    fn keep<C: Check + 'static, E: std::fmt::Display>(&mut self, pointer: &str, check: Result<C, E>) {
        match check {
            Ok(check) => self.checks.push(Box::new(check)),
            Err(error) => self.problem(pointer, format!("this cannot be compiled: {error}"), "correct it"),
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
            ("summary: s\nwhy: w\nstage: output\naction: replace\nmatch: {length: {max_words: 3}}\n", "whole text"),
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
