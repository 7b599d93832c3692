//! What no file may say: where somebody's machine keeps its files, and that there is work to do without saying which.

use crate::{Fault, File};

/// Folders whose content is one machine's own. Named alone they are the same everywhere.
const FOLDERS: [&str; 7] = ["home", "Users", "root", "tmp", "work", "workspace", "mnt"];

/// Marks of work left over, in two halves because this file is read too.
const MARKS: [&str; 2] = [concat!("TO", "DO"), concat!("FIX", "ME")];

/// Lines that name a machine's folder, or a task without its issue.
pub(crate) fn faults(files: &[File]) -> Vec<Fault> {
    let lines = files.iter().flat_map(|file| file.text.lines().enumerate().map(move |(at, line)| (file, at + 1, line)));
    lines.flat_map(|(file, number, line)| [machine(file, number, line), task(file, number, line)]).flatten().collect()
}

fn machine(file: &File, number: usize, line: &str) -> Option<Fault> {
    let path = words(line).find(|word| {
        let mut parts = word.split('/');
        let begins = parts.next().is_some_and(|first| first.is_empty() || first == "file:" || drive(first));
        let folder = parts.find(|part| !part.is_empty()).unwrap_or_default();
        begins && FOLDERS.contains(&folder) && parts.next().is_some_and(|name| name.starts_with(char::is_alphanumeric))
    })?;
    let rule = format!("`{path}` is a path of one machine");
    Some(Fault::new(&file.path, number, rule, "write it from the top of the repository, or let the reader name it"))
}

/// `C:`
fn drive(text: &str) -> bool {
    matches!(text.as_bytes(), [letter, b':'] if letter.is_ascii_alphabetic())
}

/// What stands between spaces, quotes and the like, with one kind of slash.
fn words(line: &str) -> impl Iterator<Item = String> {
    let breaks = |character: char| character.is_whitespace() || "\"'`()[]{}<>,;=|".contains(character);
    line.split(breaks).map(|word| word.replace('\\', "/"))
}

fn task(file: &File, number: usize, line: &str) -> Option<Fault> {
    let mark = MARKS.into_iter().find(|mark| {
        line.match_indices(mark).any(|(at, _)| {
            let (before, after) = (&line[..at], &line[at + mark.len()..]);
            let whole = |next: Option<char>| next.is_none_or(|next| !next.is_alphanumeric() && next != '_');
            whole(before.chars().next_back()) && whole(after.chars().next()) && !issue(after)
        })
    })?;
    let rule = format!("{mark} without the number of an issue");
    Some(Fault::new(&file.path, number, rule, format!("do it, or open an issue and write `{mark}(#1)` with its number")))
}

/// `(#12)` or ` #12`
fn issue(after: &str) -> bool {
    after.trim_start_matches(['(', ' ']).strip_prefix('#').is_some_and(|number| number.starts_with(|c: char| c.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(text: &str) -> Vec<String> {
        faults(&[File::new("README.md", text)]).into_iter().map(|fault| format!("{}: {}", fault.line, fault.rule)).collect()
    }

    /// These tests are among the files that are read, so what they look for is put together here.
    fn path(folder: &str, rest: &str) -> String {
        format!("/{folder}/{rest}")
    }

    #[test]
    fn a_path_of_a_machine_is_found() {
        for path in [path("home", "anna/x"), path("Users", "anna"), path("tmp", "out.log"), path("root", "x")] {
            assert_eq!(rules(&format!("fine\nsee `{path}`")), [format!("2: `{path}` is a path of one machine")]);
            assert_eq!(rules(&format!("OUT={path}")).len(), 1);
            assert_eq!(rules(&format!("file://{path}")).len(), 1);
        }
        assert_eq!(rules(&format!("C:{}", path("Users", "anna").replace('/', "\\"))).len(), 1);
    }

    #[test]
    fn a_path_that_is_the_same_everywhere_is_not() {
        for text in ["/usr/lib", "/tmp", "emptyDir at /tmp/", "/etc/lockgate/lockgate.yaml", "tests/work/x", "https://a.b/home/x"]
        {
            assert_eq!(rules(text), Vec::<String>::new(), "{text}");
        }
        assert_eq!(rules("/home/$USER and /home/<name>"), Vec::<String>::new());
    }

    #[test]
    fn a_task_names_its_issue() {
        let mark = MARKS[0];
        assert_eq!(rules(&format!("\n// {mark}: later")), [format!("2: {mark} without the number of an issue")]);
        assert_eq!(rules(mark).len(), 1);
        assert_eq!(rules(&format!("{mark}(#) {mark}(#7)")).len(), 1);
        for text in [format!("// {mark}(#12): later"), format!("{mark} #3"), format!("MY{mark}S"), mark.to_lowercase()] {
            assert_eq!(rules(&text), Vec::<String>::new(), "{text}");
        }
    }
}
