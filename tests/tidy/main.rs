//! Holds the house to its plan: who may import whom, how long a file may be, and what may lie where.
//!
//! `cargo test --test tidy`. Each failure names a place, the rule it breaks and the remedy.

mod edges;
mod files;
mod paths;
mod words;

use std::{fmt, fs, path::Path, process::Command};

/// What is wrong, where, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Fault {
    file: String,
    line: usize,
    rule: String,
    remedy: String,
}

impl Fault {
    fn new(file: &str, line: usize, rule: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { file: file.to_owned(), line, rule: rule.into(), remedy: remedy.into() }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}\n    {}", self.file, self.line, self.rule, self.remedy)
    }
}

/// A text file of the repository, by its path from the top.
#[derive(Debug, Clone)]
struct File {
    path: String,
    text: String,
}

impl File {
    fn new(path: &str, text: &str) -> Self {
        Self { path: path.to_owned(), text: text.to_owned() }
    }

    fn is_rust(&self) -> bool {
        Path::new(&self.path).extension().is_some_and(|extension| extension == "rs")
    }
}

fn top() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every file that is committed or could be: what Git lists, or, where there is no Git, what lies there.
fn repository() -> Vec<String> {
    let git = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(top())
        .output()
        .ok()
        .filter(|output| output.status.success())
        .and_then(|output| String::from_utf8(output.stdout).ok());
    let mut paths = match git {
        Some(list) => list.split_terminator('\0').map(str::to_owned).collect(),
        None => walked(top()),
    };
    paths.retain(|path| top().join(path).is_file());
    paths.sort();
    paths
}

/// What `.gitignore` names, for where there is no Git to ask.
const IGNORED: [&str; 5] = [".git", "target", "__pycache__", "node_modules", ".venv"];

fn walked(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let kept = entries.filter(|entry| !IGNORED.iter().any(|name| entry.file_name() == *name)).map(|entry| entry.path());
    kept.flat_map(|path| if path.is_dir() { walked(&path) } else { path.strip_prefix(top()).into_iter().map(relative).collect() })
        .collect()
}

fn relative(path: &Path) -> String {
    path.iter().map(|part| part.to_string_lossy()).collect::<Vec<_>>().join("/")
}

/// The repository's text files; a model or a picture is not text.
fn texts() -> Vec<File> {
    let read = |path: String| fs::read_to_string(top().join(&path)).ok().map(|text| File { path, text });
    repository().into_iter().filter_map(read).collect()
}

#[track_caller]
fn none(faults: &[Fault]) {
    let list: Vec<String> = faults.iter().map(Fault::to_string).collect();
    assert!(faults.is_empty(), "{} to tidy:\n{}", faults.len(), list.join("\n"));
}

#[test]
fn rooms_import_only_what_the_table_allows() {
    none(&edges::faults(&texts()));
}

#[test]
fn files_are_short_and_say_what_they_are_for() {
    none(&files::faults(&texts()));
}

#[test]
fn nothing_lies_at_the_top_that_the_plan_does_not_name() {
    none(&files::strays(&repository()));
}

#[test]
fn no_file_names_a_machine_or_leaves_a_task_without_its_issue() {
    none(&words::faults(&texts()));
}

#[test]
fn the_repository_is_seen() {
    let paths = repository();
    for path in ["Cargo.toml", "src/lib.rs", "src/main.rs", "tests/tidy/main.rs"] {
        assert!(paths.iter().any(|seen| seen == path), "{path} is not among {} files", paths.len());
    }
    let mut walked = walked(top());
    walked.sort();
    assert!(walked.iter().any(|seen| seen == "src/lib.rs"), "{walked:?}");
}
