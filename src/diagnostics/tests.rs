//! Documents as people write them, and what is said of them.

use std::collections::BTreeMap;

use proptest::prelude::*;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::{Document, Problem, Reading, Report, Source};

/// One of everything that a file of ours may hold.
#[derive(Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Canal {
    name: String,
    /// How deep the basin is, in metres.
    #[schemars(range(min = 1, max = 20))]
    depth: u64,
    slope: Option<f64>,
    gates: Vec<Gate>,
    signal: Option<Signal>,
    keeper: Option<Keeper>,
    pump: Option<Pump>,
    tags: BTreeMap<String, String>,
}

#[derive(Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Gate {
    id: String,
    #[serde(default)]
    wide: bool,
}

#[derive(Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Signal {
    /// Go.
    Green,
    /// Stop.
    Red,
}

#[derive(Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(untagged)]
enum Keeper {
    Name(String),
    Names(Vec<String>),
}

#[derive(Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
enum Pump {
    Hand { arms: u8 },
    Steam { boiler: String },
}

fn document(text: &str) -> Document {
    Document::parse(Source::new("canal.yaml", text)).unwrap()
}

fn read(text: &str) -> Reading<Canal> {
    document(text).read()
}

/// `line:column message | consequence | remedy` of every problem.
fn lines(source: &Source, problems: &[Problem]) -> Vec<String> {
    let line = |problem: &Problem| {
        let (line, column) = problem.span.as_ref().map_or((0, 0), |span| source.place(span.start));
        format!("{line}:{column} {} | {}", problem.message, problem.remedy)
    };
    problems.iter().map(line).collect()
}

fn refused(text: &str) -> Vec<String> {
    let report = Document::parse(Source::new("canal.yaml", text)).unwrap_err();
    lines(report.source(), report.problems())
}

fn misread(text: &str) -> Vec<String> {
    let document = document(text);
    let problems = document.read::<Canal>().problems;
    let report = document.report(problems);
    lines(report.source(), report.problems())
}

#[test]
fn a_file_is_read_whole() {
    let text = "# a comment\nname: Kanal ☕\ndepth: 0x10\nslope: 1e-3\ngates: [{id: a}, {id: b, wide: true}]\n\
                signal: red\nkeeper: [x, y]\npump: {kind: hand, arms: 2}\ntags:\n  off: 'no'\n  b: off\n";
    let canal = read(text).value.unwrap();
    assert_eq!(canal.name, "Kanal ☕");
    assert_eq!((canal.depth, canal.slope), (16, Some(0.001)));
    assert!(!canal.gates[0].wide && canal.gates[1].wide);
    assert_eq!(canal.signal, Some(Signal::Red));
    assert_eq!(canal.keeper, Some(Keeper::Names(vec!["x".into(), "y".into()])));
    assert_eq!(canal.pump, Some(Pump::Hand { arms: 2 }));
    assert_eq!(canal.tags, BTreeMap::from([("off".into(), "no".into()), ("b".into(), "off".into())]));
}

#[test]
fn nothing_written_is_nothing_wrong() {
    for text in ["", "# only a comment\n", "---\n", "name:\ndepth: ~\ngates: null\n", "\u{feff}name:\n"] {
        let reading = read(text);
        assert!(reading.problems.is_empty(), "{text:?}: {:?}", reading.problems);
        assert_eq!(reading.value.unwrap().gates, []);
    }
}

#[test]
fn places_are_bytes_whatever_the_characters() {
    let text = "\"ключ\": \"☕\"\r\nlist:\r\n  - один\r\n  - {a: 'б'}\r\nblock: |\r\n  две\r\n  строки\r\n\r\nlast: x";
    let document = document(text);
    let value = |pointer: &str| &text[document.span_of(pointer).unwrap()];
    assert_eq!(value("/ключ"), "\"☕\"");
    assert_eq!(value("/list/0"), "один");
    assert_eq!(value("/list/1"), "{a: 'б'}");
    assert_eq!(value("/list/1/a"), "'б'");
    assert_eq!(value("/list"), "- один\r\n  - {a: 'б'}");
    assert_eq!(value("/block"), "две\r\n  строки");
    assert_eq!(value("/last"), "x");
    assert_eq!(&text[document.key_span_of("/ключ").unwrap()], "\"ключ\"");
    assert_eq!(&text[document.key_span_of("/list/1/a").unwrap()], "a");
    assert_eq!(value("/list/1/absent"), "list", "the nearest key above");
    assert_eq!(document.span_of("/absent"), None);
}

#[test]
fn a_part_of_a_value_has_a_place_whatever_quotes_stand_around_it() {
    let text = "plain: é(a)(a)\nquoted: 'it''s (a) (a)'\ndouble: \"\\t(a)\\\\d\"\nblock: |\n  one\n  (a)\n";
    let document = document(text);
    let within = |pointer: &str, value: &str, part: std::ops::Range<usize>| {
        let span = document.span_within(pointer, value, part).unwrap();
        (document.source().place(span.start), &text[span])
    };
    assert_eq!(within("/plain", "é(a)(a)", 5..8), ((1, 12), "(a)"), "the second of two");
    assert_eq!(within("/quoted", "it's (a) (a)", 5..8), ((2, 16), "(a)"));
    assert_eq!(within("/double", "\t(a)\\d", 1..4), ((3, 12), "(a)"));
    assert_eq!(within("/block", "one\n(a)\n", 4..7), ((6, 3), "(a)"));
    assert_eq!(within("/double", "\t(a)\\d", 0..2).1, "\"\\t(a)\\\\d\"", "an escape is not found, so the whole is shown");
}

#[test]
fn what_is_not_a_plain_document_is_refused() {
    let cases = [
        ("a: 1\na: 2\na: 3\n", vec!["2:1 `a` is written twice | remove one of the two"]),
        ("a: &x 1\nb: *x\n", vec!["2:4 aliases are not supported | write the value out in place of the `*` alias"]),
        (
            "a: !!str 5\n",
            vec!["1:4 tags such as `!!str` are not supported | remove the tag; put the value in quotes to make it a string"],
        ),
        ("a: 1\n---\nb: 2\n", vec!["2:1 a second document begins here | keep one document per file: remove `---`"]),
        ("? [a]\n: 1\n", vec!["1:3 a list or mapping cannot be a key | write a word before the colon"]),
    ];
    for (text, expected) in cases {
        let found = refused(text);
        assert_eq!(found[..expected.len()], expected, "{text:?}");
    }
}

#[test]
fn bad_syntax_has_a_place_and_a_guess_at_the_cause() {
    let found = refused("a: 1\n\tb: 2\n");
    assert!(found[0].starts_with("1:") && found[0].ends_with("YAML does not take tabs"), "{found:?}");
    let found = refused("a: {b: ${X}}\n");
    assert!(found[0].starts_with("1:") && found[0].ends_with("\"${NAME}\""), "{found:?}");
    let found = refused("a: b: c\n");
    assert!(found[0].starts_with("1:") && found[0].contains("not valid YAML"), "{found:?}");
}

#[test]
fn size_and_depth_are_bounded() {
    assert_eq!(refused(&"#".repeat(1024 * 1024 + 1)), ["0:0 larger than 1 MiB | split it, or remove what is not needed"]);
    let deeper = refused(&"[".repeat(1024 * 1024));
    assert_eq!(deeper.len(), 1, "{deeper:?}");
    let deep = refused(&"[".repeat(100));
    assert_eq!(deep, ["1:65 nested more than 64 levels deep | remove levels: nothing here goes as deep"]);
}

#[test]
fn every_problem_comes_at_once_and_in_place() {
    let text = "nam: x\ndepth: deep\nslope: '1.5'\ngates:\n  - id: a\n    wide: yes\n  - wide: true\nsignal: grene\n\
                keeper: 5\npump: {kind: steem}\ntags: [a]\n";
    assert_eq!(
        misread(text),
        [
            "1:1 unknown key `nam` | did you mean `name`? The keys here are `name`, `depth`, `slope`, `gates`, \
             `signal`, `keeper`, `pump` and `tags`",
            "2:8 `depth` takes a whole number, not a string | write a whole number, such as 0",
            "3:8 `slope` takes a number, not a string | remove the quotes",
            "6:11 `wide` takes true or false, not a string | write true or false",
            "7:5 an item of `gates` lacks `id` | add `id: …`",
            "8:9 `signal` does not take this value | did you mean `green`? Write `green` or `red`",
            "9:9 `keeper` takes a string or a list, not a number | put it in quotes",
            "10:14 `kind` does not take this value | did you mean `steam`? Write `hand` or `steam`",
            "11:7 `tags` takes a mapping, not a list | write its keys on the lines below it, indented",
        ]
    );
}

#[test]
fn what_is_inside_a_form_is_criticised_as_that_form() {
    assert_eq!(misread("keeper: [a, 5]\n"), ["1:13 an item of `keeper` takes a string, not a number | put it in quotes"]);
    assert_eq!(
        misread("pump: {kind: steam, boler: x}\n"),
        [
            "1:1 `pump` lacks `boiler` | add `boiler: …`",
            "1:21 unknown key `boler` | did you mean `boiler`? The keys here are `kind` and `boiler`",
        ]
    );
    assert_eq!(misread("- a\n"), ["1:1 the file takes a mapping, not a list | write its keys on the lines below it, indented"]);
    assert_eq!(misread("gates: [{id: }]\n"), ["1:10 `id` has no value | write its value"]);
}

#[test]
fn limits_are_told_without_the_value() {
    assert_eq!(
        misread("depth: 77\n"),
        ["1:8 `depth`: the value is greater than the maximum of 20 | How deep the basin is, in metres."]
    );
    assert_eq!(misread("depth: 1.5\n"), ["1:8 `depth` takes a whole number, not a number | write a whole number, such as 0"]);
}

#[test]
fn the_rest_is_still_read() {
    let reading = read("name: x\ndepth: deep\nkeeper: [a, 5]\nother: 1\nsignal: red\n");
    assert_eq!(reading.problems.len(), 3);
    let canal = reading.value.unwrap();
    assert_eq!((canal.name.as_str(), canal.depth, canal.keeper, canal.signal), ("x", 0, None, Some(Signal::Red)));
}

#[test]
fn variables_are_put_in_and_typed_after() {
    let lookup = |name: &str| match name {
        "DEPTH" => Some("7".to_owned()),
        "NAME" => Some("12345".to_owned()),
        "SECRET" => Some("depth: 3 ${NAME}".to_owned()),
        "EMPTY" => Some(String::new()),
        _ => None,
    };
    let text = "name: ${NAME}\ndepth: ${DEPTH}\nslope: ${SLOPE:-0.5}\ntags:\n  a: $${DEPTH} $5\n  b: <${SECRET}>\n  \
                c: ${EMPTY:-x}\n  d: \"${DEPTH}\"\nsignal: ${EMPTY}\n";
    let mut document = document(text);
    assert_eq!(document.interpolate(&lookup), []);
    let canal = document.read::<Canal>().value.unwrap();
    assert_eq!((canal.name.as_str(), canal.depth, canal.slope), ("12345", 7, Some(0.5)));
    assert_eq!(json!(canal.tags), json!({"a": "${DEPTH} $5", "b": "<depth: 3 ${NAME}>", "c": "x", "d": "7"}));
    assert_eq!(canal.signal, None);
}

#[test]
fn missing_variables_are_told_once_each() {
    let mut document = document("name: a ${ONE} ${TWO}\ndepth: ${THREE}\ngates:\n  - id: ${FOUR\n");
    let mut problems = document.interpolate(&|_| None);
    let reading = document.read::<Canal>();
    assert_eq!(reading.value.unwrap(), Canal::default());
    problems.extend(reading.problems);
    let report = document.report(problems);
    assert_eq!(
        lines(report.source(), report.problems()),
        [
            "1:9 the environment has no `ONE` | set ONE, or give a default: ${ONE:-default}",
            "1:16 the environment has no `TWO` | set TWO, or give a default: ${TWO:-default}",
            "2:8 the environment has no `THREE` | set THREE, or give a default: ${THREE:-default}",
            "4:9 `${` begins a variable that is not finished | write ${NAME} or ${NAME:-default}; a literal `${` is \
             written `$${`",
        ]
    );
}

#[test]
fn a_report_reads_like_a_compiler() {
    let text = "name: x\n  # a comment\ndepht: 5\n";
    let document = document(text);
    let problems = document.read::<Canal>().problems;
    let report = document.report(problems);
    assert_eq!(
        report.to_string(),
        "\
error: unknown key `depht`
 --> canal.yaml:3:1
  |
3 | depht: 5
  | ^^^^^
  |
  = note: keys that are not known are refused, so that a typing error never silently changes a setting
  = help: did you mean `depth`? The keys here are `name`, `depth`, `slope`, `gates`, `signal`, `keeper`, `pump` and `tags`

1 problem in canal.yaml
"
    );
    assert!(report.render(true).contains("\u{1b}["));
}

#[test]
fn secrets_are_starred_out() {
    let text = "api_key: sk-one # x\nlist: [{key: 'two', name: a}, {token: three}]\nurl: http://me:four@host/\n\
                key: ${FIVE}\npassword: ${SIX:-six}\nkeys: seven\n";
    let source = Source::new("canal.yaml", text);
    let shown = text.lines().map(|line| text.find(line).unwrap()).map(|at| source.shown(source.line_at(at).1));
    let shown = shown.collect::<Vec<_>>().join("\n");
    for secret in ["sk-one", "two", "three", "four", "six"] {
        assert!(!shown.contains(secret), "{secret} in {shown}");
    }
    assert!(shown.contains("${FIVE}") && shown.contains("keys: seven") && shown.contains("name: a"), "{shown}");
    assert_eq!(shown.len(), text.trim_end().len());
}

#[test]
fn terminal_control_never_comes_out() {
    let document = document("\"na\\u001b[31mme\": 1\n");
    let problems = document.read::<Canal>().problems;
    assert!(!document.report(problems).to_string().contains('\u{1b}'));
}

#[test]
fn a_file_that_cannot_be_read_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("canal.yaml");
    let report = |path| Source::read(path).unwrap_err().to_string();
    assert!(report(&path).contains("check the path: there is no such file"), "{}", report(&path));
    assert!(report(folder.path()).contains("cannot be read"));
    std::fs::write(&path, b"a: 1\nb: \xff\n").unwrap();
    assert!(report(&path).contains("line 2 is not UTF-8"));
    std::fs::write(&path, "a: 1\n").unwrap();
    assert_eq!(Source::read(&path).unwrap().text(), "a: 1\n");
}

const WHOLE: &str = "name: \"Kanal ☕\"\ndepth: ${D:-5}\ngates:\n  - {id: a, wide: true}\n  - id: |\n      b\n\
                     signal: red\nkeeper: [x, 'y']\npump: {kind: hand, arms: 2}\ntags: &t\n  a: $${x}\n";

/// Whatever the text, every step ends, and every place is one.
fn survives(text: &str) {
    let report = match Document::parse(Source::new("canal.yaml", text)) {
        Err(report) => report,
        Ok(mut document) => {
            let mut problems = document.interpolate(&|name| (name.len() > 1).then(|| name.to_owned()));
            problems.extend(document.read::<Canal>().problems);
            document.report(problems)
        }
    };
    assert_places(&report);
    assert!(!report.render(false).is_empty());
}

fn assert_places(report: &Report) {
    for span in report.problems().iter().filter_map(|problem| problem.span.clone()) {
        assert!(report.source().text().get(span).is_some());
    }
}

proptest! {
    #[test]
    fn any_text_survives(text in any::<String>()) {
        survives(&text);
    }

    #[test]
    fn any_punctuation_survives(text in r#"[-?:,\[\]{}#&*!|>'"%@`~ \n\r\tab1.$☕\u{feff}\u{85}]{0,60}"#) {
        survives(&text);
    }

    #[test]
    fn any_change_survives(at in 0..WHOLE.len(), cut in 0..8_usize, put in r#"[-?:,\[\]{}#&*!|>'"$ \n\ta☕]{0,4}"#) {
        let start = WHOLE.floor_char_boundary(at);
        let end = WHOLE.ceil_char_boundary((at + cut).min(WHOLE.len()));
        survives(&format!("{}{put}{}", &WHOLE[..start], &WHOLE[end..]));
    }
}
