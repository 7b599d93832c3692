//! A text and the name it is criticised under.

use std::{
    fmt,
    fs::File,
    io::{self, Read as _},
    ops::Range,
    path::Path,
    sync::{Arc, LazyLock},
};

use regex::{Captures, Regex};

use super::{Problem, Report};

/// Largest file that is read: far above what a person writes, far below what would hurt.
pub(super) const MAX_BYTES: usize = 1024 * 1024;

/// A text and the name it is criticised under.
#[derive(Clone)]
pub struct Source {
    name: String,
    text: Arc<str>,
}

/// The name alone: the text may hold a secret.
impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Source").field(&self.name).finish()
    }
}

impl Source {
    /// A text under a name, which is usually a path as the user wrote it.
    pub fn new(name: impl Into<String>, text: impl Into<Arc<str>>) -> Self {
        Self { name: name.into(), text: text.into() }
    }

    /// Reads a file whole, up to 1 MiB.
    pub fn read(path: &Path) -> Result<Self, Report> {
        let name = path.display().to_string();
        let refuse = |problem| Report::new(Self::new(name.clone(), ""), vec![problem]);
        let bytes = read_capped(path).map_err(|error| refuse(unreadable(&error)))?;
        let text = String::from_utf8(bytes).map_err(|error| refuse(not_text(&error)))?;
        Ok(Self::new(name, text))
    }

    /// The name that reports print.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Line and column of a byte offset, both counted from 1, the column in characters.
    pub fn place(&self, offset: usize) -> (usize, usize) {
        let (number, line) = self.line_at(offset);
        let offset = self.text.floor_char_boundary(offset);
        (number, self.text[line.start..offset.max(line.start)].chars().count() + 1)
    }

    /// The line around a byte offset: its number, and its bytes without the line break.
    pub(super) fn line_at(&self, offset: usize) -> (usize, Range<usize>) {
        let offset = self.text.floor_char_boundary(offset);
        let (before, after) = self.text.split_at(offset);
        let start = before.rfind('\n').map_or(0, |at| at + 1);
        let end = after.find(['\r', '\n']).map_or(self.text.len(), |at| offset + at);
        (before.matches('\n').count() + 1, start..end)
    }

    /// A line fit to be printed: what looks like a secret is starred out, byte for byte, so that carets still point.
    pub(super) fn shown(&self, line: Range<usize>) -> String {
        mask(&self.text[line])
    }
}

/// What follows a key that is named like a secret, and credentials inside a URL.
#[expect(clippy::unwrap_used, reason = "a literal pattern, exercised by every test that renders a report")]
static SECRET: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r#"(?ix) (?<before> \b[\w-]*(?:key|secret|token|password)["']?\s*:\s+ )
                 (?<value> "(?:\\.|[^"\\])*"? | '[^']*'? | \$\{[^}]*\}? [^,}\]]* | [^\s,}\]][^,}\]]* )
           | (?<scheme> ://) (?<user> [^/@\s]+ @)"#,
    )
    .unwrap()
});

/// A value that is nothing but a reference to a variable is no secret.
fn is_reference(value: &str) -> bool {
    let value = value.trim_matches(['"', '\'', ' ']);
    value.strip_prefix("${").is_some_and(|rest| rest.find(['}', ':']) == Some(rest.len() - 1))
}

fn mask(line: &str) -> String {
    let starred = |found: &Captures<'_>| {
        let part = |name| found.name(name).map_or("", |part| part.as_str());
        if is_reference(part("value")) {
            return found[0].to_owned();
        }
        let hidden = part("value").len() + part("user").len();
        format!("{}{}{}", part("before"), part("scheme"), "*".repeat(hidden))
    };
    SECRET.replace_all(line, starred).into_owned()
}

/// One byte more than is allowed is enough to know that a file is too large.
fn read_capped(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(MAX_BYTES as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn unreadable(error: &io::Error) -> Problem {
    let remedy = match error.kind() {
        io::ErrorKind::NotFound => "check the path: there is no such file",
        io::ErrorKind::PermissionDenied => "let the user that Lockgate runs as read it",
        io::ErrorKind::IsADirectory => "name a file: this is a folder",
        _ => "check the path and the disk",
    };
    Problem::new(None, format!("cannot be read: {error}"), remedy)
}

fn not_text(error: &std::string::FromUtf8Error) -> Problem {
    let valid = error.utf8_error().valid_up_to();
    let line = error.as_bytes()[..valid].split(|byte| *byte == b'\n').count();
    Problem::new(None, format!("line {line} is not UTF-8"), "save the file as UTF-8")
}
