//! How long a file may be, how it begins, and which names may lie at the top.

use std::collections::BTreeSet;

use crate::{Fault, File};

/// Lines, for any Rust file.
const MOST: usize = 600;

/// Files that are shorter because they are the summary of what lies below them.
const SHORT: [(&str, usize); 2] = [("src/pipeline.rs", 150), ("src/main.rs", 60)];

/// What may lie at the top, beside names that begin with a dot.
const TOP: [&str; 11] = [
    "Cargo.toml",
    "Cargo.lock",
    "src",
    "models",
    "guardrails",
    "tests",
    "benches",
    "deploy",
    "README.md",
    "LICENSE",
    "CHANGELOG.md",
];

/// Files that are too long or do not say what they are for.
pub(crate) fn faults(files: &[File]) -> Vec<Fault> {
    files.iter().filter(|file| file.is_rust()).flat_map(|file| [length(file), header(file)]).flatten().collect()
}

fn length(file: &File) -> Option<Fault> {
    let most = SHORT.iter().find(|(path, _)| *path == file.path).map_or(MOST, |(_, most)| *most);
    let lines = file.text.lines().count();
    let rule = format!("{lines} lines, {most} at most");
    (lines > most).then(|| Fault::new(&file.path, most + 1, rule, "move one of its ideas into a file of its own"))
}

fn header(file: &File) -> Option<Fault> {
    let first = file.text.lines().next().unwrap_or_default();
    let rule = "the first line does not say what the file is for";
    let remedy = "begin with `//!` and one sentence: what it is for, and what it is not for";
    (!first.starts_with("//! ")).then(|| Fault::new(&file.path, 1, rule, remedy))
}

/// Names at the top that the plan does not know.
pub(crate) fn strays(paths: &[String]) -> Vec<Fault> {
    let names: BTreeSet<&str> = paths.iter().filter_map(|path| path.split('/').next()).collect();
    let strays = names.into_iter().filter(|name| !name.starts_with('.') && !TOP.contains(name));
    let remedy = format!("move it into one of the folders, or, if it belongs there, name it in {}", file!());
    strays.map(|name| Fault::new(name, 1, "does not belong at the top of the repository", &*remedy)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(path: &str, count: usize) -> File {
        File::new(path, &"//! What it is for.\n".repeat(count))
    }

    #[test]
    fn a_long_file_is_found_and_the_summaries_are_shorter() {
        for (path, most) in [("src/cache/mod.rs", 600), ("tests/proxy.rs", 600), ("src/pipeline.rs", 150), ("src/main.rs", 60)] {
            assert_eq!(faults(&[lines(path, most)]), []);
            let [fault] = &faults(&[lines(path, most + 1)])[..] else { panic!("{path} of {} lines passes", most + 1) };
            assert_eq!((fault.line, &*fault.rule), (most + 1, &*format!("{} lines, {most} at most", most + 1)));
        }
        assert_eq!(faults(&[File::new("deploy/lockgate.schema.json", &"\n".repeat(5000))]), []);
    }

    #[test]
    fn a_file_begins_with_what_it_is_for() {
        assert_eq!(faults(&[File::new("src/a.rs", "//! Says it.\nfn f() {}")]), []);
        for text in ["", "fn f() {}", "// not a doc comment", "\n//! Too late.", "//!"] {
            assert_eq!(faults(&[File::new("src/a.rs", text)]).len(), 1, "{text:?}");
        }
    }

    #[test]
    fn a_stray_name_at_the_top_is_found() {
        let paths = ["src/lib.rs", ".ci/run", ".gitignore", "README.md", "notes.md", "scripts/x.sh", "scripts/y.sh"];
        let found: Vec<String> = strays(&paths.map(str::to_owned)).into_iter().map(|fault| fault.file).collect();
        assert_eq!(found, ["notes.md", "scripts"]);
    }
}
