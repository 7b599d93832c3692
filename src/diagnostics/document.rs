//! A YAML tree that remembers where everything stands.

use std::ops::Range;

use serde_json::{Map, Value};

use super::{Problem, Report, Source};

/// A YAML tree with the place of every key and value.
///
/// Places are named by JSON pointers: `/server/listen`, `/access/client_keys/0/name`.
#[derive(Debug)]
pub struct Document {
    pub(super) source: Source,
    pub(super) root: Node,
}

/// A value and where it stands.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) span: Range<usize>,
    pub(super) kind: Kind,
}

#[derive(Debug)]
pub(super) enum Kind {
    Scalar(Scalar),
    Sequence(Vec<Node>),
    Mapping(Vec<Entry>),
}

/// The text of a scalar, and what decides how it is typed.
#[derive(Default)]
pub(super) struct Scalar {
    pub(super) text: String,
    /// Neither quoted nor a block: typed by the core schema.
    pub(super) plain: bool,
    /// A variable was put in, so that its look says nothing of the type that its author meant.
    pub(super) interpolated: bool,
    /// A variable could not be put in, so that the text means nothing.
    pub(super) unresolved: bool,
}

/// Not the text, which may be a secret.
impl std::fmt::Debug for Scalar {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scalar").field("plain", &self.plain).finish_non_exhaustive()
    }
}

#[derive(Debug)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) key_span: Range<usize>,
    pub(super) value: Node,
}

/// How far a pointer leads.
struct Found<'a> {
    node: &'a Node,
    /// The nearest key above or at the node.
    key: Option<&'a Range<usize>>,
    /// Whether the pointer leads all the way.
    whole: bool,
}

impl Document {
    /// The text this was parsed from.
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// Whether something is written at the pointer; an empty value is as good as none.
    pub fn contains(&self, pointer: &str) -> bool {
        self.node(pointer).is_some_and(|node| !node.is_null())
    }

    /// Where the value at the pointer stands. An empty value is shown by its key, a value that is not there by the
    /// nearest key above; nothing when there is none.
    pub fn span_of(&self, pointer: &str) -> Option<Range<usize>> {
        let found = self.find(pointer);
        if found.whole && !found.node.span.is_empty() {
            return Some(found.node.span.clone());
        }
        found.key.cloned()
    }

    /// Where the key at the pointer stands; an item of a list has none and is shown itself.
    pub fn key_span_of(&self, pointer: &str) -> Option<Range<usize>> {
        let (parent, name) = pointer.rsplit_once('/')?;
        let is_item = matches!(self.node(parent)?.kind, Kind::Sequence(_)) && name.parse::<usize>().is_ok();
        if is_item { self.span_of(pointer) } else { self.find(pointer).key.cloned() }
    }

    /// Where a part of the value at the pointer stands, when the value is this text. Quotes and escapes part what is written from what it means, so
    /// that a part is found by how often it comes before; where that does not lead to it, the place is the whole value's.
    pub fn span_within(&self, pointer: &str, value: &str, part: Range<usize>) -> Option<Range<usize>> {
        let whole = self.span_of(pointer)?;
        let (written, needle) = (self.source.text().get(whole.clone())?, value.get(part.clone())?);
        if needle.is_empty() {
            return Some(whole);
        }
        let before = value.match_indices(needle).take_while(|(at, _)| *at < part.start).count();
        let found = written.match_indices(needle).nth(before);
        Some(found.map_or(whole.clone(), |(at, _)| whole.start + at..whole.start + at + needle.len()))
    }

    /// A problem with the value at the pointer.
    pub fn problem(&self, pointer: &str, message: impl Into<String>, remedy: impl Into<String>) -> Problem {
        Problem::new(self.span_of(pointer), message, remedy)
    }

    /// Everything that was found wrong with this document.
    pub fn report(self, problems: Vec<Problem>) -> Report {
        Report::new(self.source, problems)
    }

    pub(super) fn node(&self, pointer: &str) -> Option<&Node> {
        let found = self.find(pointer);
        found.whole.then_some(found.node)
    }

    fn find(&self, pointer: &str) -> Found<'_> {
        let mut found = Found { node: &self.root, key: None, whole: true };
        for name in pointer.split('/').skip(1).map(unescape) {
            let Some((node, key)) = found.node.child(&name) else {
                found.whole = false;
                break;
            };
            found.node = node;
            found.key = key.or(found.key);
        }
        found
    }
}

impl Node {
    pub(super) fn null(at: usize) -> Self {
        Self { span: at..at, kind: Kind::Scalar(Scalar { plain: true, ..Scalar::default() }) }
    }

    pub(super) fn scalar(&self) -> Option<&Scalar> {
        match &self.kind {
            Kind::Scalar(scalar) => Some(scalar),
            Kind::Sequence(_) | Kind::Mapping(_) => None,
        }
    }

    pub(super) fn is_null(&self) -> bool {
        self.scalar().is_some_and(|scalar| scalar.to_value().is_null())
    }

    fn child(&self, name: &str) -> Option<(&Self, Option<&Range<usize>>)> {
        match &self.kind {
            Kind::Scalar(_) => None,
            Kind::Sequence(items) => Some((items.get(name.parse::<usize>().ok()?)?, None)),
            Kind::Mapping(entries) => {
                let entry = entries.iter().find(|entry| entry.key == name)?;
                Some((&entry.value, Some(&entry.key_span)))
            }
        }
    }

    /// The tree as JSON. A key without a value is left out: it is as if it were not written.
    pub(super) fn to_value(&self) -> Value {
        match &self.kind {
            Kind::Scalar(scalar) => scalar.to_value(),
            Kind::Sequence(items) => items.iter().map(Self::to_value).collect(),
            Kind::Mapping(entries) => {
                let written = entries.iter().filter(|entry| !entry.value.is_null());
                Value::Object(written.map(|entry| (entry.key.clone(), entry.value.to_value())).collect::<Map<_, _>>())
            }
        }
    }

    /// Calls `visit` with every scalar value and its place.
    pub(super) fn each_scalar(&mut self, visit: &mut dyn FnMut(&mut Scalar, &Range<usize>)) {
        match &mut self.kind {
            Kind::Scalar(scalar) => visit(scalar, &self.span),
            Kind::Sequence(items) => items.iter_mut().for_each(|item| item.each_scalar(visit)),
            Kind::Mapping(entries) => entries.iter_mut().for_each(|entry| entry.value.each_scalar(visit)),
        }
    }
}

impl Scalar {
    /// The value by the [core schema](https://yaml.org/spec/1.2.2/#103-core-schema) of YAML 1.2, in which `off` and
    /// `no` are words. Infinities and NaN stay text, because JSON has none.
    pub(super) fn to_value(&self) -> Value {
        match self.text.as_str() {
            text if !self.plain => text.into(),
            "" | "~" | "null" | "Null" | "NULL" => Value::Null,
            "true" | "True" | "TRUE" => true.into(),
            "false" | "False" | "FALSE" => false.into(),
            text => number(text).unwrap_or_else(|| text.into()),
        }
    }
}

fn number(text: &str) -> Option<Value> {
    if let Some(digits) = text.strip_prefix("0x") {
        return integer(digits, 16);
    }
    if let Some(digits) = text.strip_prefix("0o") {
        return integer(digits, 8);
    }
    // Rust also reads "inf" and "nan", which are words here.
    let numeric = |c: char| matches!(c, '0'..='9' | '+' | '-' | '.' | 'e' | 'E');
    if !text.chars().all(numeric) || text.starts_with(['e', 'E']) {
        return None;
    }
    let whole = text.parse::<i64>().map(Value::from).or_else(|_| text.parse::<u64>().map(Value::from));
    whole.ok().or_else(|| serde_json::Number::from_f64(text.parse().ok()?).map(Value::Number))
}

fn integer(digits: &str, radix: u32) -> Option<Value> {
    let unsigned = digits.chars().all(|c| c.is_digit(radix));
    unsigned.then(|| u64::from_str_radix(digits, radix).ok().map(Value::from)).flatten()
}

/// The name inside a segment of a JSON pointer.
pub(super) fn unescape(segment: &str) -> String {
    segment.replace("~1", "/").replace("~0", "~")
}

/// A segment of a JSON pointer for a name.
pub(super) fn escape(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}
