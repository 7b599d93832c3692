//! From the parser's events to a [`Document`].
//!
//! What a configuration has no use for is refused, with its place: aliases (a few lines of them can grow to
//! gigabytes), tags, keys that are not words, a second document.

use std::{collections::HashSet, ops::Range};

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Span};

use super::{
    Document, Problem, Report, Source,
    document::{Entry, Kind, Node, Scalar},
    source::MAX_BYTES,
};

/// Deeper nesting than any file of ours has; later walks over the tree recurse, so it is what keeps the stack small.
const MAX_DEPTH: usize = 64;

impl Document {
    /// Parses a text that holds exactly one YAML document; an empty text is a document without keys.
    pub fn parse(source: Source) -> Result<Self, Report> {
        if source.text().len() > MAX_BYTES {
            let problem = Problem::new(None, "larger than 1 MiB", "split it, or remove what is not needed");
            return Err(Report::new(source, vec![problem]));
        }
        let mut builder = Builder::new(source.text());
        builder.run(source.text());
        let Builder { problems, root, .. } = builder;
        if problems.is_empty() {
            return Ok(Self { source, root: root.unwrap_or_else(|| Node::null(0)) });
        }
        Err(Report::new(source, problems))
    }
}

/// A list or mapping whose end has not come yet.
struct Open {
    start: usize,
    end: usize,
    /// Written in brackets, so that its end is a character of its own.
    flow: bool,
    children: Children,
}

enum Children {
    Items(Vec<Node>),
    Entries { entries: Vec<Entry>, seen: HashSet<String>, key: Option<(String, Range<usize>)> },
}

struct Builder<'a> {
    text: &'a str,
    /// The byte offset of every character, because the parser counts characters; none where both are the same.
    offsets: Option<Vec<usize>>,
    open: Vec<Open>,
    root: Option<Node>,
    documents: usize,
    problems: Vec<Problem>,
}

impl<'a> Builder<'a> {
    fn new(text: &'a str) -> Self {
        let offsets = (!text.is_ascii()).then(|| text.char_indices().map(|(at, _)| at).collect());
        Self { text, offsets, open: Vec::new(), root: None, documents: 0, problems: Vec::new() }
    }

    fn run(&mut self, text: &str) {
        for event in Parser::new_from_str(text) {
            let going = match event {
                Ok((event, span)) => self.event(event, span),
                Err(error) => {
                    self.syntax(&error);
                    false
                }
            };
            if !going {
                return;
            }
        }
    }

    /// Takes one event; false when nothing after it would make sense.
    fn event(&mut self, event: Event<'_>, span: Span) -> bool {
        let span = self.bytes(span);
        match event {
            Event::DocumentStart(_) => return self.start_document(span),
            Event::Alias(_) => self.alias(span),
            Event::Scalar(text, style, _, tag) => {
                self.refuse_tag(tag.is_some(), &span);
                self.scalar(text.into_owned(), style, span);
            }
            Event::SequenceStart(_, tag) => {
                self.refuse_tag(tag.is_some(), &span);
                return self.push(Children::Items(Vec::new()), span);
            }
            Event::MappingStart(_, tag) => {
                self.refuse_tag(tag.is_some(), &span);
                let children = Children::Entries { entries: Vec::new(), seen: HashSet::new(), key: None };
                return self.push(children, span);
            }
            Event::SequenceEnd | Event::MappingEnd => self.pop(&span),
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => {}
        }
        true
    }

    fn start_document(&mut self, span: Range<usize>) -> bool {
        self.documents += 1;
        if self.documents > 1 {
            self.refuse(span, "a second document begins here", "keep one document per file: remove `---`");
        }
        self.documents == 1
    }

    fn alias(&mut self, span: Range<usize>) {
        self.refuse(span.clone(), "aliases are not supported", "write the value out in place of the `*` alias");
        self.complete(Node::null(span.start));
    }

    fn scalar(&mut self, text: String, style: ScalarStyle, span: Range<usize>) {
        // A block scalar's span runs on over the blank lines behind it.
        let end = span.start + self.text[span.clone()].trim_end().len();
        let plain = style == ScalarStyle::Plain;
        let scalar = Scalar { text, plain, ..Scalar::default() };
        self.complete(Node { span: span.start..end, kind: Kind::Scalar(scalar) });
    }

    fn push(&mut self, children: Children, span: Range<usize>) -> bool {
        if self.open.len() == MAX_DEPTH {
            self.refuse(span, "nested more than 64 levels deep", "remove levels: nothing here goes as deep");
            return false;
        }
        let flow = self.text[span.start..].starts_with(['[', '{']);
        self.open.push(Open { start: span.start, end: span.start, flow, children });
        true
    }

    fn pop(&mut self, span: &Range<usize>) {
        let Some(open) = self.open.pop() else { return };
        let end = if open.flow { span.end } else { open.end };
        let kind = match open.children {
            Children::Items(items) => Kind::Sequence(items),
            Children::Entries { entries, .. } => Kind::Mapping(entries),
        };
        self.complete(Node { span: open.start..end.max(open.start), kind });
    }

    /// Hangs a finished node where it belongs.
    fn complete(&mut self, node: Node) {
        let Some(open) = self.open.last_mut() else {
            self.root = Some(node);
            return;
        };
        open.end = open.end.max(node.span.end);
        match &mut open.children {
            Children::Items(items) => items.push(node),
            Children::Entries { entries, key, .. } if key.is_some() => {
                if let Some((key, key_span)) = key.take() {
                    entries.push(Entry { key, key_span, value: node });
                }
            }
            Children::Entries { .. } => self.key(node),
        }
    }

    fn key(&mut self, node: Node) {
        let Node { span, kind } = node;
        let Kind::Scalar(Scalar { text, .. }) = kind else {
            self.refuse(span.clone(), "a list or mapping cannot be a key", "write a word before the colon");
            self.set_key(String::new(), span);
            return;
        };
        if self.set_key(text.clone(), span.clone()) {
            return;
        }
        let problem = Problem::new(span, format!("`{text}` is written twice"), "remove one of the two")
            .consequence("only one of them could count");
        self.problems.push(problem);
    }

    /// Remembers the key for the value to come; false when it was there before.
    fn set_key(&mut self, text: String, span: Range<usize>) -> bool {
        match self.open.last_mut().map(|open| &mut open.children) {
            Some(Children::Entries { seen, key, .. }) => {
                *key = Some((text.clone(), span));
                seen.insert(text)
            }
            Some(Children::Items(_)) | None => true,
        }
    }

    fn refuse_tag(&mut self, tagged: bool, span: &Range<usize>) {
        if tagged {
            let remedy = "remove the tag; put the value in quotes to make it a string";
            self.refuse(span.clone(), "tags such as `!!str` are not supported", remedy);
        }
    }

    fn syntax(&mut self, error: &ScanError) {
        let at = self.byte(error.marker().index());
        let start = self.text[..at].rfind('\n').map_or(0, |at| at + 1);
        let line = self.text[start..].lines().next().unwrap_or_default();
        let remedy = if line.contains("${") {
            "inside [ ] and { }, put `${NAME}` in quotes: \"${NAME}\""
        } else if error.info().contains("tab") {
            "indent with spaces: YAML does not take tabs"
        } else {
            "check the indentation, colons and quotes here and on the line above"
        };
        self.refuse(at..at, format!("not valid YAML: {}", error.info()), remedy);
    }

    fn refuse(&mut self, span: Range<usize>, message: impl Into<String>, remedy: &str) {
        self.problems.push(Problem::new(span, message, remedy));
    }

    fn bytes(&self, span: Span) -> Range<usize> {
        let start = self.byte(span.start.index());
        start..self.byte(span.end.index()).max(start)
    }

    fn byte(&self, character: usize) -> usize {
        let len = self.text.len();
        match &self.offsets {
            Some(offsets) => offsets.get(character).copied().unwrap_or(len),
            None => character.min(len),
        }
    }
}
