//! From a rule as written to a rule that runs, with every problem of the file at once.

use std::{path::Path, time::Duration};

use bytesize::ByteSize;
use http::StatusCode;
use regex::Regex;

use super::{
    set::Rule,
    site::{Checks, Site},
    written::{Exceptions, Mask, Match, Maturity, Placeholder, Replace, Written},
};
use crate::{
    diagnostics::{Document, Problem, Report, Source},
    guard::{
        checks::Kind,
        replace::Replacement,
        verdict::{Action, Refusal},
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

/// Held back for a pattern without an end whose author says nothing: longer than any URL, token or key that is not made to be long.
const MAX_SPAN: usize = 4 << 10;
/// More is a stream no more.
const LARGEST_MAX_SPAN: usize = 1 << 20;

/// Says only that something was there.
fn redacted() -> Replacement {
    Replacement::Text("[REDACTED]".to_owned())
}

/// A rule's id in the letters of a placeholder's label, which begins with a letter.
fn label_of(id: &str) -> String {
    let label = id.to_ascii_uppercase().replace('-', "_");
    if label.starts_with(|first: char| first.is_ascii_uppercase()) {
        label
    } else {
        format!("RULE_{}", label.trim_start_matches('_'))
    }
}

struct Compiler<'d> {
    document: &'d Document,
    problems: Vec<Problem>,
    checks: Checks,
}

impl Compiler<'_> {
    fn rule(&mut self, id: &str, written: Written) -> Option<Rule> {
        // What could not be read is not what was left out.
        let read = self.problems.is_empty();
        self.matches(&written);
        let exceptions = self.exceptions(&written);
        let (budget, max_span) = (self.budget(&written), self.max_span(&written));
        let (mut replacement, mut refusal) = (redacted(), Refusal::default());
        if read {
            self.actions(&written);
            (replacement, refusal) = (self.replacement(id, &written), self.refusal(&written));
        }
        self.examples(&written);
        if !self.problems.is_empty() {
            return None;
        }
        let (id, checks) = (id.to_owned(), std::mem::take(&mut self.checks));
        let stands = written.maturity == Maturity::Stable;
        let rule = Rule { id, group: None, stands, checks, exceptions, replacement, refusal, budget, max_span, written };
        self.prove(&rule);
        Some(rule)
    }

    /// A rule that does not do what its own examples say is a mistake in the one or the other.
    fn prove(&mut self, rule: &Rule) {
        let examples = &rule.written.examples;
        for (n, text) in examples.matching.iter().enumerate().filter(|(_, text)| rule.find(text).is_empty()) {
            let message = format!("the rule does not match this example ({} characters)", text.chars().count());
            self.problem(
                &format!("/examples/match/{n}"),
                message,
                "widen `match`, narrow `exceptions`, or move the text to `pass`",
            );
        }
        for (n, _) in examples.pass.iter().enumerate().filter(|(_, text)| !rule.find(text).is_empty()) {
            self.problem(
                &format!("/examples/pass/{n}"),
                "the rule matches this example, which it should let pass",
                "narrow `match`, add to `exceptions`, or move the text to `match`",
            );
        }
    }

    fn problem(&mut self, pointer: &str, message: impl Into<String>, remedy: impl Into<String>) {
        self.problems.push(self.document.problem(pointer, message, remedy));
    }

    fn actions(&mut self, written: &Written) {
        for (key, action, is_written) in
            [("replace", Action::Replace, written.replace.is_some()), ("refuse", Action::Block, written.refuse.is_some())]
        {
            if is_written && written.action != action {
                let message = format!("`{key}` has no effect: the action is not `{}`", action.as_str());
                self.problem(&format!("/{key}"), message, format!("write `action: {}`, or remove it", action.as_str()));
            }
        }
        if written.action == Action::Replace && self.checks.judge_the_whole() {
            self.problem(
                "/action",
                "`match` has a kind that judges the whole, which cannot be replaced",
                "write `action: warn` or `action: block`",
            );
        }
    }

    /// What stands in place of a match.
    fn replacement(&mut self, id: &str, written: &Written) -> Replacement {
        let Some(Replace { text, mask, hash, placeholder }) = &written.replace else { return redacted() };
        let label = |label: &Option<String>| label.clone().unwrap_or_else(|| label_of(id));
        let ways = [
            text.clone().map(Replacement::Text),
            mask.map(|Mask { keep_last, character }| Replacement::Mask { keep_last, character }),
            hash.as_ref().map(|hash| Replacement::Hash { label: label(&hash.label) }),
            placeholder
                .as_ref()
                .map(|Placeholder { label: own, restore }| Replacement::Placeholder { label: label(own), restore: *restore }),
        ];
        let mut ways = ways.into_iter().flatten();
        let (Some(way), None) = (ways.next(), ways.next()) else {
            let remedy = "write exactly one of `text`, `mask`, `hash` and `placeholder`";
            self.problem("/replace", "it is not clear what is put in place of a match", remedy);
            return redacted();
        };
        if written.secret && way.restores() {
            self.problem(
                "/replace/placeholder/restore",
                "a secret must not come back: an answer may be read by others than who wrote the secret",
                "write `restore: false`, or remove `secret: true` if this is no secret",
            );
        }
        way
    }

    /// How the rule refuses.
    fn refusal(&mut self, written: &Written) -> Refusal {
        let Some(refuse) = &written.refuse else { return Refusal::default() };
        match (refuse.status, &refuse.answer) {
            (Some(status), None) => StatusCode::from_u16(status).map_or_else(|_| Refusal::default(), Refusal::Error),
            (None, Some(answer)) => Refusal::Answer(answer.clone()),
            _ => {
                self.problem("/refuse", "it is not clear how the client is told", "write either `status` or `answer`");
                Refusal::default()
            }
        }
    }

    fn budget(&mut self, written: &Written) -> Option<Duration> {
        let budget = humantime::parse_duration(written.budget.as_deref()?).ok().filter(|budget| !budget.is_zero());
        if budget.is_none() {
            self.problem(
                "/budget",
                "`budget` is not a duration that anything could be done in",
                "write 500us, 5ms or 1s: a number and its unit",
            );
        }
        budget
    }

    fn max_span(&mut self, written: &Written) -> usize {
        let Some(text) = written.max_span.as_deref() else { return MAX_SPAN };
        let size = text.parse::<ByteSize>().ok().and_then(|ByteSize(size)| usize::try_from(size).ok());
        let size = size.filter(|size| (1..=LARGEST_MAX_SPAN).contains(size));
        if size.is_none() {
            let message = "`max_span` is not a size up to 1MiB: a stream holds back as much before it goes on";
            self.problem("/max_span", message, "write 4KiB or 64KiB: a number and its unit");
        }
        size.unwrap_or(MAX_SPAN)
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
        let Exceptions { patterns, words } = &written.exceptions;
        let mut site = self.site(written, "/exceptions".to_owned());
        let patterns = patterns.iter().enumerate().map(|(n, pattern)| (format!("/patterns/{n}"), format!("^(?:{pattern})$")));
        let words = words.iter().enumerate().map(|(n, word)| (format!("/words/{n}"), format!("(?i)^{}$", regex::escape(word))));
        patterns.chain(words).filter_map(|(place, pattern)| site.regex(&place, &pattern)).collect()
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
            "summary: s\nwhy: w\nstage: inptu\naction: warn\nreplace: {text: x}\nmatch:\n  patterns:\n    - regex: 'a('\n    - regex: '(?=x)y'\n  words: ['']\n\
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
            ("summary: s\nwhy: w\nstage: input\naction: warn\nreplace: {text: x}\nmatch: {words: [a]}\n", "no effect"),
            ("summary: s\nwhy: w\nstage: input\naction: warn\nrefuse: {status: 403}\nmatch: {words: [a]}\n", "no effect"),
            ("summary: s\nwhy: w\nstage: output\naction: replace\nmatch: {length: {max_words: 3}}\n", "judges the whole"),
            ("summary: s\nwhy: w\nstage: input\naction: warn\nmatch: {patterns: [{regex: 'x*'}]}\n", "empty text"),
        ];
        for (text, expected) in cases {
            let report = compile_text(&format!("{text}{tail}")).unwrap_err().to_string();
            assert!(report.contains(expected), "{expected} is not in:\n{report}");
        }
    }

    #[test]
    fn says_what_is_wrong_with_how_a_rule_acts() {
        let cases = [
            ("action: replace\nreplace: {}", "4:1", "exactly one of"),
            ("action: replace\nreplace: {text: x, hash: {}}", "4:10", "exactly one of"),
            ("action: replace\nsecret: true\nreplace: {placeholder: {restore: true}}", "6:33", "a secret must not come back"),
            ("action: replace\nreplace: {placeholder: {label: e-mail}}", "5:31", "label"),
            ("action: block\nrefuse: {status: 451, answer: no}", "4:1", "either `status` or `answer`"),
            ("action: block\nrefuse: {status: 200}", "5:18", "400"),
            ("action: warn\nbudget: soon", "5:9", "is not a duration"),
            ("action: warn\nbudget: 0s", "5:9", "is not a duration"),
            ("action: warn\nmax_span: 1GiB", "5:11", "up to 1MiB"),
            ("action: warn\nexceptions: {patterns: ['a(']}", "5:25", "cannot be compiled"),
        ];
        for (lines, place, expected) in cases {
            let report = compile_text(&format!(
                "summary: s\nwhy: w\nstage: input\n{lines}\nmatch: {{words: [a]}}\nexamples: {{match: [a], pass: [b]}}\n"
            ));
            let report = report.unwrap_err().to_string();
            assert!(report.contains(expected), "{place} {expected} is not in:\n{report}");
            assert!(report.contains("1 problem"), "{report}");
        }
    }

    #[test]
    fn exceptions_cover_a_match_whole() {
        let rule = compile_text(
            "summary: s\nwhy: w\nstage: input\naction: warn\nmatch: {patterns: [{regex: '[a-z.]+@[a-z.]+'}]}\n\
             exceptions: {patterns: ['.*@example[.]org'], words: [Help@acme.com]}\n\
             examples:\n  match: [ann@acme.com, xhelp@acme.com, a@example.org.uk, help@acme-com]\n  pass: [write to help@acme.com, b@example.org]\n",
        );
        assert!(rule.is_ok(), "{}", rule.unwrap_err());
    }

    #[test]
    fn what_is_left_out_has_a_careful_default() {
        let text = "summary: s\nwhy: w\nstage: input\naction: replace\nreplace: {placeholder: {}}\nmatch: {words: [a]}\nexamples: {match: [a], pass: [b]}\n";
        let of = |id| compile(id, Source::new("test.yaml", text)).unwrap();
        let placeholder = |label: &str| Replacement::Placeholder { label: label.to_owned(), restore: false };
        assert_eq!(of("e-mail").replacement, placeholder("E_MAIL"));
        assert_eq!(of("2fa-code").replacement, placeholder("RULE_2FA_CODE"), "a label begins with a letter");
        assert_eq!((of("a").max_span, of("a").budget, &of("a").refusal), (4096, None, &Refusal::default()));
    }

    #[test]
    fn ids_are_plain() {
        assert_eq!(id_of(Path::new("a/payment-card.yaml")), Some("payment-card"));
        assert_eq!(id_of(Path::new("Payment Card.yaml")), None);
    }
}
