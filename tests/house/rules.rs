//! `lockgate rules …`: what each verb prints, and with which exit code.

use std::{
    fs,
    io::Write as _,
    path::Path,
    process::{Output, Stdio},
};

use lockgate::guard::Override;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{House, Upstream, binary::lockgate};

const CARD: &str = "Charge 4111 1111 1111 1111, please.";

const ZEBRA: &str = "summary: No zebras\nwhy: A test.\nstage: input\naction: block\nmatch: {words: [zebra, okapi]}\nexamples:\n  match:\n    - A zebra.\n  pass:\n    - A horse.\n";

/// A folder `rules` with these files in it.
fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("rules")).unwrap();
    for (name, text) in files {
        fs::write(folder.path().join("rules").join(name), text).unwrap();
    }
    folder
}

fn run(folder: &Path, arguments: &[&str]) -> Output {
    lockgate(&[&["rules"], arguments].concat(), folder).output().unwrap()
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[track_caller]
fn has(text: &str, words: &[&str]) {
    for word in words {
        assert!(text.contains(word), "no {word:?} in {text}");
    }
}

/// What a verb prints that ends well.
#[track_caller]
fn says(folder: &Path, arguments: &[&str]) -> String {
    let output = run(folder, arguments);
    assert_eq!((output.status.code(), err(&output).as_str()), (Some(0), ""), "{arguments:?}: {}", out(&output));
    out(&output)
}

fn json_of(folder: &Path, arguments: &[&str]) -> Value {
    serde_json::from_str(&says(folder, arguments)).unwrap()
}

#[test]
fn the_pack_that_ships_holds_its_examples() {
    let folder = folder(&[]);
    let told = json_of(folder.path(), &["test", "--format", "json"]);
    assert_eq!(told["ok"], true, "{told:#}");
    assert!(told["examples"].as_u64() > Some(50) && told["covered"].as_u64() <= told["parts"].as_u64(), "{told:#}");
}

#[test]
fn a_test_names_what_no_example_shows_and_can_demand_more() {
    let folder = folder(&[("zebra.yaml", ZEBRA)]);
    let told = says(folder.path(), &["test", "rules"]);
    has(
        &told,
        &[
            "ok      zebra",
            "2 examples",
            "rules/zebra.yaml:5:24  no example shows match.words: okapi",
            "1 of 2 parts, 50 %",
            "Next:",
        ],
    );
    let output = run(folder.path(), &["test", "rules/zebra.yaml", "--coverage", "80"]);
    assert_eq!(output.status.code(), Some(1));
    has(&out(&output), &["less than the 80 %"]);
    assert_eq!(run(folder.path(), &["test", "rules", "--coverage", "50"]).status.code(), Some(0));
}

#[test]
fn an_example_that_does_not_hold_fails_in_every_format() {
    let folder = folder(&[("zebra.yaml", &ZEBRA.replace("A horse.", "An okapi."))]);
    let text = run(folder.path(), &["test", "rules"]);
    assert_eq!(text.status.code(), Some(1));
    has(
        &out(&text),
        &["failed  zebra", "rules/zebra.yaml:10:7", "^^^", "which it should let pass", "1 rule wrong", "Next: correct"],
    );
    let told = run(folder.path(), &["test", "rules", "--format", "json"]);
    let value: Value = serde_json::from_str(&out(&told)).unwrap();
    assert_eq!(
        (told.status.code(), &value["ok"], &value["rules"][0]["examples"][1]["line"]),
        (Some(1), &json!(false), &json!(10))
    );
    let junit = run(folder.path(), &["test", "rules", "--format", "junit"]);
    assert_eq!(junit.status.code(), Some(1));
    has(&out(&junit), &["<testsuite name=\"zebra\" tests=\"2\"", "failures=\"1\"", "name=\"pass 1\"", "line=\"10\"", "let pass"]);
}

#[test]
fn every_mistake_of_a_rule_has_a_place_a_caret_and_a_remedy() {
    let rule = |from: &str, to: &str| ZEBRA.replace(from, to);
    let pattern = |regex: &str| rule("{words: [zebra, okapi]}", &format!("{{patterns: [{{regex: '{regex}'}}]}}"));
    for (text, words) in [
        (rule("stage: input", "stage: inptu"), &["3:8", "did you mean `input`"][..]),
        (rule("why: A test.", "wy: A test."), &["2:1", "unknown key `wy`", "lacks `why`"]),
        (rule("[zebra, okapi]", "[zebra, '']"), &["5:", "empty word"]),
        (rule("  pass:\n    - A horse.\n", "  pass: []\n"), &["9:9", "no `pass` example", "add one"]),
        (rule("action: block", "action: block\nreplace: {text: x}"), &["5:10", "has no effect"]),
        (rule("{words: [zebra, okapi]}", "{}"), &["5:8", "`match` is empty", "guardrails/README.md"]),
        (pattern("zebra(?=s)"), &["5:34", "look-ahead", "linear time", "match the text after it"]),
        (pattern("(?<!a)zebra"), &["5:29", "look-behind", "`except`"]),
        (pattern("(z)ebra\\1"), &["5:36", "a backreference", "write what it repeats out"]),
        (pattern("ze++bra"), &["5:31", "possessive"]),
        (pattern("(?>ze)bra"), &["5:29", "atomic group", "(?:…)"]),
        (pattern("zebra("), &["5:34", "unclosed group", "close it"]),
        (pattern("z*"), &["5:", "matches the empty text"]),
        (pattern("(?:(?:a{999}){999}){9}"), &["5:", "too large when compiled", "counted repetitions multiply"]),
        (format!("{ZEBRA}except: ['a', 'b(?!c)']\n"), &["11:17", "look-ahead"]),
    ] {
        let folder = folder(&[("zebra.yaml", &text)]);
        let output = run(folder.path(), &["list", "--rules", "rules"]);
        assert_eq!((output.status.code(), out(&output).as_str()), (Some(1), ""), "{text}");
        has(&err(&output), words);
        has(&err(&output), &["rules/zebra.yaml:", "^", "help:"]);
    }
}

#[test]
fn a_text_is_tried_from_wherever_it_comes() {
    let folder = folder(&[]);
    let path = folder.path();
    let told = says(path, &["try", CARD]);
    has(&told, &["replace: payment-card: Payment card numbers", "^^^^^^^^^^^^^^^^^^^", "The model would read:", " µs", "Next:"]);
    let seen = told.split("would read:").nth(1).unwrap().lines().nth(1).unwrap();
    assert!(seen.trim().starts_with("Charge ") && !seen.contains("4111"), "{told}");
    fs::write(path.join("prompt.txt"), CARD).unwrap();
    has(&says(path, &["try", "--file", "prompt.txt"]), &["prompt.txt:1:8", "payment-card"]);
    let mut child = lockgate(&["rules", "try"], path).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(CARD.as_bytes()).unwrap();
    has(&out(&child.wait_with_output().unwrap()), &["payment-card"]);
    has(&says(path, &["try", "Hello."]), &["goes to the model as it is", "Nothing was found"]);
    has(
        &says(path, &["try", "--stage", "output", "--rule", "answer-is-json", "Sure!"]),
        &["block: answer-is-json", "refused", "client"],
    );
    has(&says(path, &["try", "--role", "system", CARD]), &["warn: payment-card"]);
    let told = json_of(path, &["try", "--json", CARD]);
    assert_eq!((&told["findings"][0]["rule"], &told["findings"][0]["spans"]), (&json!("payment-card"), &json!([[7, 26]])));
    assert!(told["took_us"]["payment-card"].as_f64() > Some(0.0), "{told:#}");
}

#[test]
fn a_text_that_is_tried_cannot_steer_the_terminal() {
    let folder = folder(&[]);
    let told = says(folder.path(), &["try", "\u{1b}[2J Charge 4111 1111 1111 1111\u{7}"]);
    assert!(!told.contains(['\u{1b}', '\u{7}']), "{told:?}");
}

#[test]
fn a_new_rule_of_every_kind_proves_itself() {
    let folder = folder(&[]);
    let kinds = says(folder.path(), &["new"]);
    let kinds: Vec<_> = kinds.lines().take_while(|line| !line.is_empty()).collect();
    assert!(kinds.contains(&"patterns") && kinds.contains(&"words"), "{kinds:?}");
    for kind in &kinds {
        let id = format!("a-{}", kind.replace('_', "-"));
        has(&says(folder.path(), &["new", kind, &id, "--rules", "rules"]), &["Wrote rules/a-", "lockgate rules test rules/a-"]);
        assert!(says(folder.path(), &["new", kind]).contains("examples:"), "without an id it is printed");
    }
    says(folder.path(), &["test", "rules"]);
    let again = run(folder.path(), &["new", "words", "a-words", "--rules", "rules"]);
    assert_eq!(again.status.code(), Some(1));
    has(&err(&again), &["is there already", "another id"]);
}

#[test]
fn a_rule_is_explained_with_what_the_configuration_says_of_it() {
    let folder = folder(&[("zebra.yaml", ZEBRA)]);
    let config = "upstream: {url: https://a.b/v1}\nguardrails: {directory: rules, rules: {zebra: warn, jwt: off}}\n";
    fs::write(folder.path().join("lockgate.yaml"), config).unwrap();
    let explain = |id: &str| says(folder.path(), &["explain", id, "--config", "lockgate.yaml"]);
    has(
        &explain("zebra"),
        &[
            "zebra: No zebras",
            "A test.",
            "rules/zebra.yaml",
            "what the model will read",
            "words (2)",
            "warn, by the configuration",
        ],
    );
    has(&explain("zebra"), &["match   A zebra.", "pass    A horse.", "Next:", "zebra: block"]);
    has(&explain("jwt"), &["off, by the configuration"]);
    has(&explain("medical-dosage"), &["off: a preview rule", "said by user"]);
    let list = says(folder.path(), &["list", "--config", "lockgate.yaml"]);
    let line = |id: &str| list.lines().find(|line| line.starts_with(id)).unwrap().split_whitespace().nth(2).unwrap().to_owned();
    assert_eq!((line("zebra").as_str(), line("jwt").as_str(), line("private-key").as_str()), ("warn", "off", "replace"));
    let listed = json_of(folder.path(), &["list", "--json", "--config", "lockgate.yaml"]);
    let zebra = listed.as_array().unwrap().iter().find(|rule| rule["id"] == "zebra").unwrap();
    assert_eq!((&zebra["action"], &zebra["does"]), (&json!("block"), &json!("warn")));
}

#[test]
fn lint_says_what_is_wrong_and_fails_only_when_it_is_asked_to() {
    let folder = folder(&[("zebra.yaml", &ZEBRA.replace("[zebra, okapi]", "[the, zebra]"))]);
    let arguments = ["lint", "--rules", "rules"];
    has(
        &says(folder.path(), &arguments),
        &["zebra (always-matching)", "rules/zebra.yaml", "ordinary sentences", "help:", "Next:"],
    );
    assert_eq!(run(folder.path(), &[&arguments[..], &["--strict"]].concat()).status.code(), Some(1));
    let remarks = json_of(folder.path(), &["lint", "--json", "--rules", "rules"]);
    assert!(remarks.as_array().unwrap().iter().any(|remark| remark["lint"] == "always-matching"), "{remarks:#}");
}

/// Traffic of three lines: one with a card, one that a zebra rule would block, and one of nothing.
fn traffic(folder: &TempDir) {
    let body = |text: &str| json!({ "model": "m", "messages": [{ "role": "user", "content": text }] }).to_string();
    let lines = [body(CARD), body("Where is the zebra?"), "Plain words.".to_owned()].join("\n");
    fs::write(folder.path().join("traffic.jsonl"), lines).unwrap();
}

#[test]
fn recorded_traffic_is_judged_and_shown_only_on_demand() {
    let folder = folder(&[("zebra.yaml", ZEBRA)]);
    traffic(&folder);
    let arguments = ["replay", "traffic.jsonl", "--rules", "rules"];
    let told = says(folder.path(), &arguments);
    has(&told, &["payment-card", "zebra", "line 2, bytes 13 to 18", "3 lines judged, 1 would be blocked.", "--show-text"]);
    assert!(!told.contains("4111") && !told.contains("Where is"), "{told}");
    has(&says(folder.path(), &[&arguments[..], &["--show-text"]].concat()), &["Where is the zebra?"]);
    assert_eq!(run(folder.path(), &[&arguments[..], &["--strict"]].concat()).status.code(), Some(1));
    let only = json_of(folder.path(), &[&arguments[..], &["--json", "--rule", "zebra"]].concat());
    assert_eq!((only["rules"].as_array().unwrap().len(), &only["rules"][0]["lines"]), (1, &json!(1)));
}

#[test]
fn what_is_new_against_another_configuration_is_told_apart() {
    let folder = folder(&[("zebra.yaml", ZEBRA)]);
    traffic(&folder);
    fs::write(folder.path().join("before.yaml"), "upstream: {url: https://a.b/v1}\n").unwrap();
    let arguments = ["replay", "traffic.jsonl", "--rules", "rules", "--against", "before.yaml"];
    has(&says(folder.path(), &arguments), &["1 would be blocked, 1 newly", "NEW"]);
    let told = json_of(folder.path(), &[&arguments[..], &["--json"]].concat());
    let new: Vec<_> = told["rules"].as_array().unwrap().iter().map(|rule| (rule["rule"].clone(), rule["new"].clone())).collect();
    assert!(new.contains(&(json!("zebra"), json!(1))) && new.contains(&(json!("payment-card"), json!(0))), "{told:#}");
}

#[tokio::test]
async fn what_is_new_against_a_lockgate_that_runs_is_told_apart() {
    let upstream = Upstream::plain().await;
    let house = House::with(&upstream, |config| {
        config.guard.overrides.insert("payment-card".to_owned(), Override::Off);
    })
    .await;
    let folder = folder(&[("zebra.yaml", ZEBRA)]);
    traffic(&folder);
    let admin = house.admin.to_string();
    let arguments = ["rules", "replay", "traffic.jsonl", "--rules", "rules", "--json", "--against", "running", "--admin", &admin];
    let mut command = lockgate(&arguments, folder.path());
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let told: Value = serde_json::from_str(&out(&output)).unwrap_or_else(|_| panic!("{}", err(&output)));
    let new = |id: &str| told["rules"].as_array().unwrap().iter().find(|rule| rule["rule"] == id).unwrap()["new"].clone();
    assert_eq!((new("zebra"), new("payment-card"), &told["newly_blocked"]), (json!(1), json!(1), &json!(1)));
}

#[test]
fn every_failure_says_the_next_step() {
    let folder = folder(&[]);
    fs::write(folder.path().join("empty.jsonl"), "").unwrap();
    fs::write(folder.path().join("latin.txt"), b"caf\xe9").unwrap();
    for (arguments, code, words) in [
        (&["explain", "payment-crad"][..], 1, &["did you mean `payment-card`", "lockgate rules list"][..]),
        (&["try", "--rule", "nothing-like-it", "x"], 1, &["no rule `nothing-like-it`"]),
        (&["try", "--file", "missing.txt"], 1, &["missing.txt", "check the path"]),
        (&["try", "--file", "latin.txt"], 1, &["latin.txt", "UTF-8"]),
        (&["test", "rules"], 1, &["no rule file", "lockgate rules new"]),
        (&["test", "missing.yaml"], 1, &["missing.yaml", "no such file"]),
        (&["new", "wrods"], 1, &["no kind `wrods`", "words"]),
        (&["new", "words", "No Id"], 1, &["is no id", "payment-card"]),
        (&["replay", "missing.jsonl"], 1, &["missing.jsonl", "check the path"]),
        (&["replay", "empty.jsonl"], 1, &["no line to judge"]),
        (&["list", "--config", "missing.yaml"], 1, &["missing.yaml", "check the path"]),
        (&["reload", "--admin", "127.0.0.1:1"], 1, &["nothing listens on", "lockgate serve"]),
        (&["tset"], 2, &["test"]),
    ] {
        let output = run(folder.path(), arguments);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}", err(&output));
        has(&err(&output), words);
    }
}
