//! From a rule as written to a rule that runs, with every problem of the file at once.

use std::{mem, path::Path, sync::atomic::AtomicU64, time::Duration};

use bytesize::ByteSize;
use http::StatusCode;
use regex::Regex;

use super::{
    set::Rule,
    site::{Checks, Site},
    written::{Example, Examples, Exceptions, Mask, Match, Maturity, Placeholder, Replace, Written},
};
use crate::{
    diagnostics::{Document, Problem, Report, Source},
    guard::{
        checks::{Kind, NoFact, NoText, Whole},
        replace::Replacement,
        verdict::{Action, Refusal},
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
#[derive(Debug, Clone)]
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
    let mut compiler = Compiler::new(&document, reading.problems);
    let rule = reading.value.and_then(|written| compiler.rule(id, written));
    let problems = compiler.problems;
    Ok(Opened { document, rule, problems })
}

/// A rule of this file with something else written in it; `None` if that cannot be built.
pub(in crate::guard) fn variant(document: &Document, id: &str, written: Written) -> Option<Rule> {
    Compiler::new(document, Vec::new()).rule(id, written)
}

/// A rule that does not do what its own examples say is a mistake in the one or the other.
pub(in crate::guard) fn unproven(rule: &Rule) -> Vec<Unproven> {
    let Examples { matching, pass } = &rule.written.examples;
    if rule.checks.is_unproven() {
        return Vec::new();
    }
    let of = |name: &'static str, examples: &[Example], wanted| {
        let tried = |(n, example): (usize, &Example)| tried(rule, example, format!("/examples/{name}/{n}"), wanted);
        examples.iter().enumerate().filter_map(tried).collect::<Vec<_>>()
    };
    [of("match", matching, true), of("pass", pass, false)].concat()
}

/// What is wrong with an example that is wanted to match, or not to.
fn tried(rule: &Rule, example: &Example, pointer: String, wanted: bool) -> Option<Unproven> {
    let (pointer, message, remedy) = match (rule.matches(example), wanted) {
        (Ok(matches), _) if matches == wanted => return None,
        (Ok(_), true) => {
            let size = example.text().map(|text| format!(" ({} characters)", text.chars().count())).unwrap_or_default();
            let message = format!("the rule does not match this example{size}");
            (pointer, message, "widen `match`, narrow `exceptions`, or move the example to `pass`")
        }
        (Ok(_), false) => {
            let message = "the rule matches this example, which it should let pass".to_owned();
            (pointer, message, "narrow `match`, add to `exceptions`, or move the example to `match`")
        }
        (Err(error), _) => (format!("{pointer}/request"), error.told(), "write a request as a client sends it"),
    };
    Some(Unproven { pointer, message, remedy })
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
    /// The key under which kinds are now built: `/match`, or below it.
    below: String,
}

impl<'d> Compiler<'d> {
    fn new(document: &'d Document, problems: Vec<Problem>) -> Self {
        Self { document, problems, checks: Checks::default(), below: "/match".to_owned() }
    }

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
        self.required();
        if !self.problems.is_empty() {
            return None;
        }
        let (id, checks) = (id.to_owned(), mem::take(&mut self.checks));
        let (stands, hits) = (written.maturity == Maturity::Stable, AtomicU64::default());
        Some(Rule { id, group: None, stands, checks, exceptions, replacement, refusal, budget, max_span, written, hits })
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
        let replaces = written.action == Action::Replace;
        if !replaces && !self.checks.prefixes.is_empty() {
            self.problem("/action", "`prefix` has no effect: the action is not `replace`", "write `action: replace`");
        }
        if replaces && self.checks.judge_the_whole() {
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

    fn matches(&mut self, written: &Written) {
        self.kinds(written, &written.matching);
        if self.checks.is_empty() && self.problems.is_empty() {
            self.problem(
                "/match",
                "the rule finds nothing: `match` is empty",
                "add a kind of match, such as `patterns` or `words`; guardrails/README.md lists them all",
            );
        }
    }

    /// One line for each kind of match.
    fn kinds(&mut self, written: &Written, matching: &Match) {
        let Match { patterns, words, topic, json_schema, length, contains, starts_with, ends_with, .. } = matching;
        let Match { json_keys, case, repetition, gibberish, language, code, urls, .. } = matching;
        let Match { model, metadata, endpoint, parameters, tools, webhook, log, valid_urls, jwt, prefix, not, .. } = matching;
        self.kind(written, "patterns", Some(patterns));
        self.kind(written, "words", Some(words));
        self.kind(written, "topic", topic.as_ref());
        self.kind(written, "json_schema", json_schema.as_ref());
        self.kind(written, "json_keys", json_keys.as_ref());
        self.kind(written, "length", length.as_ref());
        self.kind(written, "contains", contains.as_ref());
        self.kind(written, "starts_with", starts_with.as_ref());
        self.kind(written, "ends_with", ends_with.as_ref());
        self.kind(written, "case", case.as_ref());
        self.kind(written, "repetition", repetition.as_ref());
        self.kind(written, "gibberish", gibberish.as_ref());
        self.kind(written, "language", language.as_ref());
        self.kind(written, "code", code.as_ref());
        self.kind(written, "urls", urls.as_ref());
        self.kind(written, "model", model.as_ref());
        self.kind(written, "metadata", metadata.as_ref());
        self.kind(written, "endpoint", endpoint.as_ref());
        self.kind(written, "parameters", parameters.as_ref());
        self.kind(written, "tools", tools.as_ref());
        self.kind(written, "webhook", webhook.as_ref());
        self.kind(written, "log", log.as_ref());
        self.kind(written, "valid_urls", valid_urls.as_ref());
        self.kind(written, "jwt", jwt.as_ref());
        self.kind(written, "prefix", prefix.as_ref());
        if let Some(not) = not {
            self.not(written, not);
        }
    }

    /// The kinds under `not` are built like others, and what they come to is turned round.
    fn not(&mut self, written: &Written, matching: &Match) {
        let outer = mem::take(&mut self.checks);
        let above = self.below.len();
        self.below.push_str("/not");
        self.kinds(written, matching);
        let Checks { texts, facts, .. } = mem::replace(&mut self.checks, outer);
        if texts.is_empty() == facts.is_empty() && self.problems.is_empty() {
            let place = self.below.clone();
            let remedy = "write one kind that does not call out, and a rule of its own for another";
            self.problem(&place, "`not` takes one kind, and none that calls out", remedy);
        }
        self.below.truncate(above);
        if !texts.is_empty() {
            self.checks.texts.push(Box::new(Whole(NoText(texts))));
        }
        if !facts.is_empty() {
            self.checks.facts.push(Box::new(NoFact(facts)));
        }
    }

    fn kind(&mut self, written: &Written, key: &str, kind: Option<&impl Kind>) {
        if let Some(kind) = kind {
            let pointer = format!("{}/{key}", self.below);
            kind.build(&mut self.site(written, pointer));
        }
    }

    fn site(&mut self, written: &Written, pointer: String) -> Site<'_, '_> {
        let Self { document, checks, problems, .. } = self;
        Site { document, stage: written.stage, pointer, checks, problems }
    }

    fn exceptions(&mut self, written: &Written) -> Vec<Regex> {
        let Exceptions { patterns, words } = &written.exceptions;
        let mut site = self.site(written, "/exceptions".to_owned());
        let covering = patterns.iter().enumerate().map(|(n, pattern)| (format!("/patterns/{n}"), pattern.clone()));
        let words = words.iter().enumerate().map(|(n, word)| (format!("/words/{n}"), format!("(?i:{})", regex::escape(word))));
        covering.chain(words).filter_map(|(place, pattern)| site.covering_regex(&place, &pattern)).collect()
    }

    fn examples(&mut self, written: &Written) {
        if self.checks.is_unproven() {
            return;
        }
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

    const WHOLE: &str = "summary: s\nwhy: w\nstage: both\naction: replace\nreplace: {text: x}\nlook_at: {roles: [user]}\nmatch:\n  patterns:\n    - regex: '(?i)a|b(c)'\n      \
                         validate: luhn\n      keywords: [a]\n  words: [zebra]\nexceptions: {patterns: ['x(y)']}\nexamples:\n  match: [zebra]\n  pass: [horse]\n";

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
