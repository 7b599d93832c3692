//! Which parts of a rule its examples show: each pattern with every branch of it, each word, each option, each exception.
//!
//! A part is shown when an example tells the rule that has only this part, of all beside it, from the rule that has none of them. So it is learned by asking
//! variants of the rule, and every kind of match is covered without knowing of this.

use std::ops::Range;

use regex_syntax::ast::{self, Ast, Visitor};
use serde_json::{Map, Value};

use crate::{
    diagnostics::Document,
    guard::rules::{Rule, variant, written::Example},
};

/// Keys whose value is no part of what is matched in a text: keywords only say where to look first, and the others are about vectors.
const NO_PARTS: [&str; 4] = ["keywords", "embedding", "abstain", "threshold"];
/// Kinds of match that are one part, whatever is written in them: a schema is judged as a whole.
const ONE_PART: [&str; 1] = ["json_schema"];
/// Kinds of match that no example can show: others are asked, or nothing is looked for.
const UNPROVEN: [&str; 5] = ["webhook", "log", "valid_urls", "jwt", "prefix"];
/// Matches nothing.
const NEVER: &str = r"[^\s\S]";

/// What the examples of a rule show of it.
#[derive(Debug, Default)]
pub struct Coverage {
    /// How many parts it has.
    pub parts: usize,
    /// Those that no example shows, in the order of the file.
    pub uncovered: Vec<Part>,
}

/// A part of a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Which: `match.words: colour`.
    pub name: String,
    /// Line and column in the file.
    pub place: (usize, usize),
}

/// Looks for parts of a rule that its examples do not show.
pub(super) fn of(document: &Document, rule: &Rule) -> Coverage {
    let Ok(whole) = serde_json::to_value(rule.written()) else { return Coverage::default() };
    // Words of an example show nothing of what only its vector tells.
    if rule.is_of_meaning() {
        return Coverage::default();
    }
    let mut probe = Probe { document, rule, whole, coverage: Coverage::default() };
    probe.kinds("/match");
    probe.descend("/exceptions");
    probe.coverage
}

struct Probe<'r> {
    document: &'r Document,
    rule: &'r Rule,
    whole: Value,
    coverage: Coverage,
}

impl Probe<'_> {
    /// The keys that are written in a mapping.
    fn keys(&self, at: &str) -> Vec<String> {
        let map = self.whole.pointer(at).and_then(Value::as_object);
        let written = |key: &&String| self.document.contains(&format!("{at}/{key}"));
        map.into_iter().flat_map(Map::keys).filter(written).cloned().collect()
    }

    /// Each kind of match: its parts, or the whole of it.
    fn kinds(&mut self, at: &str) {
        for kind in self.keys(at).into_iter().filter(|kind| !UNPROVEN.contains(&kind.as_str())) {
            let (below, before) = (format!("{at}/{kind}"), self.coverage.parts);
            match kind.as_str() {
                "not" => self.kinds(&below),
                kind if ONE_PART.contains(&kind) => {}
                _ => self.descend(&below),
            }
            if self.coverage.parts == before {
                self.option(&below, true);
            }
        }
    }

    fn descend(&mut self, at: &str) {
        match self.whole.pointer(at).cloned() {
            Some(Value::Array(items)) => self.items(at, &items),
            Some(Value::Object(_)) => self.members(at),
            _ => {}
        }
    }

    fn members(&mut self, at: &str) {
        for key in self.keys(at).into_iter().filter(|key| !NO_PARTS.contains(&key.as_str())) {
            let below = format!("{at}/{key}");
            match self.whole.pointer(&below) {
                Some(Value::Array(_) | Value::Object(_)) => self.descend(&below),
                _ => self.option(&below, false),
            }
        }
    }

    /// Each item of a list, alone against none of them.
    fn items(&mut self, at: &str, items: &[Value]) {
        let none = self.found_with(at, Some(Value::Array(Vec::new()))).unwrap_or_else(|| self.nothing(at));
        for (n, item) in items.iter().enumerate() {
            let place = format!("{at}/{n}");
            let Some(alone) = self.found_with(at, Some(Value::Array(vec![item.clone()]))) else { continue };
            let name = item.as_str().map_or_else(|| named(&place), |text| format!("{}: {text}", named(at)));
            let span = self.document.span_of(&place);
            self.note(name, span, alone != none);
            if let Some(regex) = item["regex"].as_str() {
                self.branches(at, &place, item, regex);
            }
            if item.is_object() {
                self.members(&place);
            }
        }
    }

    /// Each branch of each alternation of a pattern, alone against none of them, the pattern itself alone in its list.
    fn branches(&mut self, list: &str, place: &str, item: &Value, regex: &str) {
        for alternation in alternations(regex) {
            let with = |probe: &Self, branch: &str| {
                let mut item = item.clone();
                let Range { start, end } = alternation.whole;
                item["regex"] = format!("{}{branch}{}", &regex[..start], &regex[end..]).into();
                probe.found_with(list, Some(Value::Array(vec![item])))
            };
            let none = with(self, NEVER).unwrap_or_else(|| self.nothing(list));
            for (flags, branch) in &alternation.branches {
                let text = &regex[branch.clone()];
                let Some(alone) = with(self, &format!("{flags}{text}")) else { continue };
                let span = self.document.span_within(&format!("{place}/regex"), regex, branch.clone());
                self.note(format!("{}: branch {text}", named(place)), span, alone != none);
            }
        }
    }

    /// A value that may be left out, with it against without it.
    fn option(&mut self, at: &str, kind: bool) {
        let without = self.found_with(at, None);
        // What cannot be left out is shown by what it belongs to.
        if without.is_none() && !kind {
            return;
        }
        let with = self.finds(self.rule);
        let span = self.document.span_of(at);
        self.note(named(at), span, with != without.unwrap_or_else(|| self.nothing(at)));
    }

    fn note(&mut self, name: String, span: Option<Range<usize>>, shown: bool) {
        self.coverage.parts += 1;
        if !shown {
            let place = self.document.source().place(span.map_or(0, |span| span.start));
            self.coverage.uncovered.push(Part { name, place });
        }
    }

    /// What the rule finds in its examples with another value at a place, or with none; `None` if it cannot be built so.
    fn found_with(&self, at: &str, value: Option<Value>) -> Option<Vec<Vec<Range<usize>>>> {
        let mut whole = self.whole.clone();
        let (parent, key) = at.rsplit_once('/')?;
        match (whole.pointer_mut(parent)?, value) {
            (Value::Object(map), Some(value)) => drop(map.insert(key.to_owned(), value)),
            (Value::Object(map), None) => drop(map.shift_remove(key)),
            _ => return None,
        }
        let written = serde_json::from_value(whole).ok()?;
        variant(self.document, self.rule.id(), written).map(|rule| self.finds(&rule))
    }

    /// What a rule finds that looks for nothing at a place: nothing, or everything where `not` turns it round.
    fn nothing(&self, at: &str) -> Vec<Vec<Range<usize>>> {
        let turned = at.split('/').skip(2).take_while(|key| *key == "not").count() % 2 == 1;
        let whole = |example: &Example| 0..example.text().map_or(0, str::len);
        let examples = &self.rule.written().examples;
        let each = examples.matching.iter().chain(&examples.pass);
        each.map(|example| turned.then(|| whole(example)).into_iter().collect()).collect()
    }

    fn finds(&self, rule: &Rule) -> Vec<Vec<Range<usize>>> {
        let examples = &self.rule.written().examples;
        examples.matching.iter().chain(&examples.pass).map(|example| found(rule, example)).collect()
    }
}

/// What a rule finds in an example: of a request, whether it matches.
fn found(rule: &Rule, example: &Example) -> Vec<Range<usize>> {
    match example.text() {
        Some(text) => rule.find(text),
        None => rule.matches(example).is_ok_and(|matches| matches).then_some(0..0).into_iter().collect(),
    }
}

/// `/match/words/0` as `match.words.1`: people count from one.
fn named(pointer: &str) -> String {
    let name = |part: &str| part.parse::<usize>().map_or_else(|_| part.to_owned(), |n| (n + 1).to_string());
    pointer.split('/').skip(1).map(name).collect::<Vec<_>>().join(".")
}

/// An alternation of a pattern, and its branches, each with the flags that were set before it.
struct Alternation {
    whole: Range<usize>,
    branches: Vec<(String, Range<usize>)>,
}

fn alternations(regex: &str) -> Vec<Alternation> {
    let ast = ast::parse::Parser::new().parse(regex);
    ast.ok().and_then(|ast| ast::visit(&ast, Alternations { regex, found: Vec::new() }).ok()).unwrap_or_default()
}

struct Alternations<'r> {
    regex: &'r str,
    found: Vec<Alternation>,
}

impl Visitor for Alternations<'_> {
    type Output = Vec<Alternation>;
    type Err = ();

    fn finish(self) -> Result<Self::Output, ()> {
        Ok(self.found)
    }

    fn visit_pre(&mut self, ast: &Ast) -> Result<(), ()> {
        let Ast::Alternation(alternation) = ast else { return Ok(()) };
        let range = |span: &ast::Span| span.start.offset..span.end.offset;
        let mut flags = String::new();
        let branches = alternation.asts.iter().map(|branch| {
            let before = flags.clone();
            flags.extend(set_flags(branch).map(|span| &self.regex[range(span)]));
            (before, range(branch.span()))
        });
        let branches = branches.collect();
        self.found.push(Alternation { whole: range(&alternation.span), branches });
        Ok(())
    }
}

/// Flags such as `(?i)`, which hold for the branches behind them as well.
fn set_flags(branch: &Ast) -> impl Iterator<Item = &ast::Span> {
    let parts = match branch {
        Ast::Concat(concat) => concat.asts.as_slice(),
        single => std::slice::from_ref(single),
    };
    parts.iter().filter_map(|part| if let Ast::Flags(flags) = part { Some(&flags.span) } else { None })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        diagnostics::Source,
        guard::{
            authoring::{template, tests::rule},
            rules::open,
        },
    };

    fn coverage(text: &str) -> (usize, Vec<String>) {
        let opened = open("test", Source::new("test.yaml", text)).unwrap();
        let rule = opened.rule.unwrap_or_else(|| panic!("{:?}", opened.problems));
        let coverage = of(&opened.document, &rule);
        (coverage.parts, coverage.uncovered.into_iter().map(|part| part.name).collect())
    }

    #[test]
    fn a_word_that_no_example_has_is_named() {
        let text = rule("{words: [zebra, lion, tiger]}", "{match: [A zebra., A tiger.], pass: [A cat.]}");
        assert_eq!(coverage(&text), (3, vec!["match.words: lion".to_owned()]));
    }

    #[test]
    fn every_branch_of_a_pattern_counts_whatever_flags_stand_before_it() {
        let pattern = r"{patterns: [{regex: '(?i)\b(?:ignore|forget) (?:all|this)\b|^stop$'}]}";
        let (parts, uncovered) = coverage(&rule(pattern, "{match: [IGNORE all, STOP], pass: [go on]}"));
        assert_eq!(parts, 7, "the pattern, two branches at the top, and two times two below");
        assert_eq!(uncovered, ["match.patterns.1: branch forget", "match.patterns.1: branch this"]);
    }

    #[test]
    fn an_option_is_shown_by_an_example_that_needs_it() {
        let with = |pass: &str| {
            let pattern = "{patterns: [{regex: '[0-9]{16}', validate: luhn, keywords: ['4']}]}";
            coverage(&rule(pattern, &format!("{{match: ['4111111111111111'], pass: ['{pass}']}}"))).1
        };
        assert_eq!(with("no number"), ["match.patterns.1.validate"]);
        assert_eq!(with("4111111111111112"), [""; 0]);
        let length = rule("{length: {min_words: 2, max_words: 4}}", "{match: [one], pass: [one two]}");
        assert_eq!(coverage(&length).1, ["match.length.max_words"]);
    }

    #[test]
    fn exceptions_and_both_lists_of_a_topic_count() {
        let topic = "{topic: {naming: [aspirin, insulin], asking: [dose], exceptions: [history of]}}\nexceptions: {patterns: ['.*zzz.*']}";
        let (_, uncovered) =
            coverage(&rule(topic, "{match: [The dose of aspirin?], pass: [The history of one dose of aspirin.]}"));
        assert_eq!(uncovered, ["match.topic.naming: insulin", "exceptions.patterns: .*zzz.*"]);
    }

    #[test]
    fn a_kind_without_parts_is_one() {
        let schema = "summary: s\nwhy: w\nstage: output\naction: warn\nmatch: {json_schema: {type: object}}\nexamples: {match: [no], pass: ['{}']}\n";
        assert_eq!(coverage(schema), (1, vec![]));
        assert_eq!(coverage(&schema.replace("{type: object}}", "{type: object}, not: {gibberish: {}}}")).0, 2);
    }

    #[test]
    fn what_no_example_can_show_is_no_part() {
        let webhook = "{webhook: {url: 'https://a.test', timeout: 1s}}";
        assert_eq!(coverage(&rule(webhook, "{match: [], pass: []}")), (0, vec![]));
    }

    #[test]
    fn what_stands_under_not_is_covered_like_the_rest() {
        let words = rule("{not: {words: [zebra, lion]}}", "{match: [A cat.], pass: [A zebra.]}");
        assert_eq!(coverage(&words), (2, vec!["match.not.words: lion".to_owned()]));
    }

    #[test]
    fn every_template_shows_all_its_parts() {
        let uncovered = |kind: &str| coverage(template::of(kind).unwrap()).1;
        let uncovered: Vec<_> =
            template::kinds().map(|kind| (kind, uncovered(kind))).filter(|(_, parts)| !parts.is_empty()).collect();
        assert!(uncovered.is_empty(), "{uncovered:?}");
    }
}
