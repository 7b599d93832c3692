//! What every section is resolved with: the kinds of values that stay text in the file, and the problems found so far.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use bytesize::ByteSize;

use crate::diagnostics::{Document, Problem};

/// Longer waits are typing errors, and some timers panic on very long ones.
const LONGEST: Duration = Duration::from_hours(24 * 366);

/// Resolves values one by one. A value that is wrong is noted and a stand-in goes on in its place: with a problem
/// noted, nobody runs the result.
#[derive(Debug)]
pub(super) struct Resolver<'a> {
    document: &'a Document,
    base: &'a Path,
    problems: Vec<Problem>,
}

impl<'a> Resolver<'a> {
    pub(super) fn new(document: &'a Document, base: &'a Path) -> Self {
        Self { document, base, problems: Vec::new() }
    }

    pub(super) fn into_problems(self) -> Vec<Problem> {
        self.problems
    }

    /// Whether something is written there, be it right or wrong.
    pub(super) fn is_written(&self, pointer: &str) -> bool {
        self.document.contains(pointer)
    }

    /// Notes a problem with the value at the pointer; the message begins with the key's name.
    pub(super) fn refuse(&mut self, pointer: &str, message: &str, remedy: &str) {
        self.problems.push(self.problem(pointer, message, remedy));
    }

    /// Notes a problem with the key at the pointer.
    pub(super) fn refuse_key(&mut self, pointer: &str, message: &str, remedy: &str) {
        let span = self.document.key_span_of(pointer);
        self.problems.push(Problem { span, ..self.problem(pointer, message, remedy) });
    }

    /// The same, with what would come of it.
    pub(super) fn refuse_because(&mut self, pointer: &str, message: &str, consequence: &str, remedy: &str) {
        self.problems.push(self.problem(pointer, message, remedy).consequence(consequence));
    }

    fn problem(&self, pointer: &str, message: &str, remedy: &str) -> Problem {
        let name = pointer.trim_start_matches('/').replace('/', ".");
        self.document.problem(pointer, format!("`{name}` {message}"), remedy)
    }

    /// A duration that is longer than nothing.
    pub(super) fn duration(&mut self, pointer: &str, text: &str) -> Duration {
        if humantime::parse_duration(text).is_ok_and(|duration| duration.is_zero()) {
            self.refuse(pointer, "is zero, so that it would always have passed", "write 30s, 5m or 24h");
        }
        self.duration_or_zero(pointer, text)
    }

    pub(super) fn duration_or_zero(&mut self, pointer: &str, text: &str) -> Duration {
        match humantime::parse_duration(text) {
            Ok(duration) if duration <= LONGEST => return duration,
            Ok(_) => self.refuse(pointer, "is longer than a year", "write 30s, 5m or 24h"),
            Err(_) => self.refuse(pointer, "is not a duration", "write 30s, 5m or 24h: a number and its unit"),
        }
        Duration::ZERO
    }

    /// A size in bytes, at least `least`.
    pub(super) fn size(&mut self, pointer: &str, text: &str, least: u64) -> u64 {
        match text.parse::<ByteSize>() {
            Ok(ByteSize(size)) if size >= least => return size,
            Ok(_) => self.refuse(pointer, "is too small", &format!("write {} or more", ByteSize(least))),
            Err(_) => self.refuse(pointer, "is not a size", "write 64KiB, 10MiB or 1GiB: a number and its unit"),
        }
        least
    }

    /// A size that has to fit into memory.
    pub(super) fn memory(&mut self, pointer: &str, text: &str, least: u64) -> usize {
        let size = self.size(pointer, text, least);
        usize::try_from(size).unwrap_or(usize::MAX)
    }

    pub(super) fn address(&mut self, pointer: &str, text: &str) -> Option<SocketAddr> {
        let address = text.parse().ok();
        if address.is_none() {
            let remedy = "write an IP address and a port, such as 127.0.0.1:8787, or 0.0.0.0:8787 for every interface";
            self.refuse(pointer, "is not an address and port", remedy);
        }
        address
    }

    /// Relative paths start at the file's own folder.
    pub(super) fn path(&self, text: &str) -> PathBuf {
        self.base.join(text)
    }

    /// A folder that is there; relative paths start at the file's own folder.
    pub(super) fn folder(&mut self, pointer: &str, text: &str) -> PathBuf {
        let path = self.path(text);
        if !path.is_dir() {
            let remedy = "create it, or correct the path: it starts at the folder of this file";
            self.refuse(pointer, "is not a folder that can be read", remedy);
        }
        path
    }
}
