//! The author's guide, `guardrails/README.md`: its files are written, its commands run, its tables held against the schema.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use lockgate::{diagnostics::Source, guard::rules::compile};
use serde_json::Value;

/// A fenced block: what stands behind the fence, and what it holds.
struct Block {
    language: String,
    file: Option<String>,
    text: String,
}

fn repository(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

fn guide() -> String {
    repository("guardrails/README.md")
}

/// What stands under a heading, up to the next of its level.
fn section(text: &str, heading: &str) -> String {
    let level = heading.split(' ').next().unwrap();
    let (_, after) = text.split_once(&format!("{heading}\n")).unwrap_or_else(|| panic!("the guide has no {heading:?}"));
    after.split(&format!("\n{level} ")).next().unwrap().to_owned()
}

fn blocks(text: &str) -> Vec<Block> {
    let (mut blocks, mut lines) = (Vec::new(), text.lines());
    while let Some(line) = lines.next() {
        let Some(info) = line.strip_prefix("```") else { continue };
        let mut info = info.split_whitespace().map(str::to_owned);
        let (language, file) = (info.next().unwrap_or_default(), info.next());
        let body: Vec<_> = lines.by_ref().take_while(|line| *line != "```").collect();
        blocks.push(Block { language, file, text: body.join("\n") + "\n" });
    }
    blocks
}

/// What a command of the guide prints, on either output.
fn printed(command: &str, folder: &Path) -> String {
    let binary = PathBuf::from(env!("CARGO_BIN_EXE_lockgate"));
    let path = format!("{}:{}", binary.parent().unwrap().display(), env::var("PATH").unwrap_or_default());
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("{command} 2>&1")]).current_dir(folder).env("PATH", path).env_remove("OPENAI_API_KEY");
    String::from_utf8(shell.output().unwrap().stdout).unwrap()
}

#[test]
fn every_file_and_command_of_the_tutorial_does_what_it_says() {
    let folder = tempfile::tempdir().unwrap();
    let mut commands = 0;
    for block in blocks(&section(&guide(), "## A rule in ten minutes")) {
        if let Some(file) = &block.file {
            fs::write(folder.path().join(file), &block.text).unwrap();
            continue;
        }
        assert_eq!(block.language, "console", "a block without a file: {}", block.text);
        for session in block.text.split("$ ").skip(1) {
            let (command, told) = session.split_once('\n').unwrap();
            let printed = printed(command, folder.path());
            let mut lines = printed.lines().map(str::trim_end);
            for line in told.lines().filter(|line| !line.is_empty()) {
                assert!(lines.any(|printed| printed == line), "`{command}` does not print {line:?}, but\n{printed}");
            }
            commands += 1;
        }
    }
    assert!(commands >= 8, "{commands} commands");
}

fn schema() -> Value {
    serde_json::from_str(&repository("guardrails/rule.schema.json")).unwrap()
}

fn keys(properties: &Value) -> Vec<String> {
    properties.as_object().unwrap().keys().cloned().collect()
}

#[test]
fn every_key_has_a_row() {
    let table = section(&guide(), "## Every key");
    for key in keys(&schema()["properties"]) {
        assert!(table.contains(&format!("\n| `{key}` | ")), "no row for `{key}` under \"Every key\"");
    }
    let rows = table.lines().filter(|line| line.starts_with("| `")).count();
    assert_eq!(rows, schema()["properties"].as_object().unwrap().len(), "a row for a key that is gone");
}

/// The keys of what a kind takes, wherever its definition stands.
fn inner_keys(schema: &Value, kind: &Value, out: &mut Vec<String>) {
    if let Some(name) = kind["$ref"].as_str().and_then(|at| at.strip_prefix('#')) {
        inner_keys(schema, schema.pointer(name).unwrap(), out);
    }
    if kind["properties"].is_object() {
        out.extend(keys(&kind["properties"]));
    }
    if kind["items"].is_object() {
        inner_keys(schema, &kind["items"], out);
    }
    for choice in ["anyOf", "oneOf"].into_iter().filter_map(|name| kind[name].as_array()).flatten() {
        inner_keys(schema, choice, out);
    }
}

#[test]
fn every_kind_has_its_keys_and_an_example_that_loads() {
    let (guide, schema) = (guide(), schema());
    let kinds = section(&guide, "## Every kind");
    for (name, kind) in schema["properties"]["match"]["properties"].as_object().unwrap() {
        let section = section(&kinds, &format!("### `{name}`"));
        let mut inner = Vec::new();
        inner_keys(&schema, kind, &mut inner);
        for key in inner {
            assert!(section.contains(&format!("`{key}`")), "no word of `{key}` under `{name}`");
        }
        let example = blocks(&section).into_iter().find(|block| block.language == "yaml");
        let example = example.unwrap_or_else(|| panic!("no example of `{name}`")).text;
        assert!(example.contains(&format!("  {name}:")), "the example of `{name}` is of another kind");
        compile("example", Source::new(format!("the example of `{name}`"), example)).unwrap_or_else(|report| panic!("{report}"));
    }
}

#[test]
fn every_lint_is_named() {
    use lockgate::guard::authoring::lint::Lint;
    let text = section(&guide(), "## In continuous integration");
    for lint in Lint::ALL {
        assert!(text.contains(&format!("`{}`", lint.as_str())), "no word of {}", lint.as_str());
    }
}
