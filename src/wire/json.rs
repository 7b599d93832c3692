//! JSON as it was sent: a flat index over the bytes.
//!
//! A proxy must pass on what it received, field for field, so the bytes are kept and only looked at. One pass over the body checks the
//! grammar, refuses duplicate keys, and notes where each value lies; reading a field, hashing the body and replacing one
//! string all work on those notes. There is one allocation per body, however many values it has.

use std::{borrow::Cow, collections::HashSet, ops::Range};

use bytes::Bytes;
use jiter::{Jiter, Peek};

/// Nesting beyond this is refused; no client of these endpoints comes near it.
const MAX_DEPTH: usize = 96;
/// Values beyond this are refused, so that a body of small values cannot claim many times its size in memory.
const MAX_VALUES: usize = 1 << 20;
/// A key is named in a message up to this length: whoever sends it chooses it.
const MAX_NAMED_BYTES: usize = 40;
/// Objects up to this size are compared key by key; larger ones through a set.
const SMALL_OBJECT: usize = 16;

/// What a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `null`
    Null,
    /// `true` or `false`
    Bool,
    /// A number.
    Number,
    /// A string.
    String,
    /// An array.
    Array,
    /// An object.
    Object,
}

impl Kind {
    /// With its article, for messages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool => "a boolean",
            Self::Number => "a number",
            Self::String => "a string",
            Self::Array => "an array",
            Self::Object => "an object",
        }
    }
}

/// One value (or key) of the body: where it lies and where the next one that is not inside it stands.
#[derive(Debug, Clone, Copy)]
struct Node {
    kind: Kind,
    start: u32,
    end: u32,
    next: u32,
}

/// A body that is known to be JSON without duplicate keys.
#[derive(Debug, Clone)]
pub struct Json {
    bytes: Bytes,
    nodes: Vec<Node>,
}

/// Why a body is not accepted, and where.
#[derive(Debug, PartialEq, Eq)]
pub struct Malformed {
    /// What is wrong.
    pub message: String,
    /// Line, from 1.
    pub line: usize,
    /// Column, from 1, in bytes.
    pub column: usize,
}

impl Json {
    /// Reads a whole body.
    pub fn parse(bytes: Bytes) -> Result<Self, Malformed> {
        if u32::try_from(bytes.len()).is_err() {
            return Err(malformed(&bytes, 0, "the body is larger than 4 GiB"));
        }
        if let Err(error) = std::str::from_utf8(&bytes) {
            return Err(malformed(&bytes, error.valid_up_to(), "the body is not UTF-8"));
        }
        let mut reader = Reader { jiter: Jiter::new(&bytes), bytes: &bytes, nodes: Vec::with_capacity(32) };
        let read = reader.document();
        let nodes = reader.nodes;
        read.map_err(|(at, message)| malformed(&bytes, at, &message))?;
        Ok(Self { bytes, nodes })
    }

    /// The outermost value.
    pub fn root(&self) -> Value<'_> {
        Value { json: self, index: 0 }
    }

    /// Every value and key that holds no others, in the order of the bytes.
    pub fn leaves(&self) -> impl Iterator<Item = Value<'_>> {
        let holds_others = |node: &Node| matches!(node.kind, Kind::Array | Kind::Object);
        let leaves = self.nodes.iter().enumerate().filter(move |(_, node)| !holds_others(node));
        leaves.map(|(index, _)| Value { json: self, index })
    }

    /// The bytes as they were sent.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The body with some spans replaced by other JSON. `edits` are in order and do not overlap.
    pub fn splice<'t>(&self, edits: impl IntoIterator<Item = (Range<usize>, Cow<'t, str>)>) -> Bytes {
        let mut out = Vec::with_capacity(self.bytes.len() + 64);
        let mut from = 0;
        for (span, text) in edits {
            out.extend_from_slice(&self.bytes[from..span.start]);
            out.extend_from_slice(text.as_bytes());
            from = span.end;
        }
        out.extend_from_slice(&self.bytes[from..]);
        out.into()
    }
}

/// A value inside a [`Json`].
#[derive(Debug, Clone, Copy)]
pub struct Value<'j> {
    json: &'j Json,
    index: usize,
}

impl<'j> Value<'j> {
    fn node(self) -> Node {
        self.json.nodes[self.index]
    }

    /// What it is.
    pub fn kind(self) -> Kind {
        self.node().kind
    }

    /// Where it lies in the bytes, quotes included.
    pub fn span(self) -> Range<usize> {
        let node = self.node();
        node.start as usize..node.end as usize
    }

    /// Its text as sent, quotes included.
    pub fn raw(self) -> &'j str {
        // The whole body was checked to be UTF-8, and a node begins and ends at ASCII.
        std::str::from_utf8(&self.json.bytes[self.span()]).unwrap_or_default()
    }

    /// The member of an object, if this is an object that has it.
    pub fn get(self, key: &str) -> Option<Value<'j>> {
        self.members().find(|(name, _)| name.as_str().is_some_and(|name| name == key)).map(|(_, value)| value)
    }

    /// The string without quotes and escapes, if this is a string.
    pub fn as_str(self) -> Option<Cow<'j, str>> {
        if self.kind() != Kind::String {
            return None;
        }
        let raw = self.raw();
        let inner = &raw[1..raw.len() - 1];
        if inner.contains('\\') { serde_json::from_str(raw).ok().map(Cow::Owned) } else { Some(Cow::Borrowed(inner)) }
    }

    /// The boolean, if this is one.
    pub fn as_bool(self) -> Option<bool> {
        (self.kind() == Kind::Bool).then(|| self.raw() == "true")
    }

    /// The number, if this is one.
    pub fn as_f64(self) -> Option<f64> {
        if self.kind() == Kind::Number { self.raw().parse().ok() } else { None }
    }

    /// Whether this is `null`.
    pub fn is_null(self) -> bool {
        self.kind() == Kind::Null
    }

    /// The items of an array; nothing for other values.
    pub fn items(self) -> impl Iterator<Item = Value<'j>> {
        let wanted = self.kind() == Kind::Array;
        self.children().filter(move |_| wanted)
    }

    /// The keys and values of an object, as they stand; nothing for other values.
    pub fn members(self) -> impl Iterator<Item = (Value<'j>, Value<'j>)> {
        let wanted = self.kind() == Kind::Object;
        let mut children = self.children();
        std::iter::from_fn(move || if wanted { Some((children.next()?, children.next()?)) } else { None })
    }

    fn children(self) -> impl Iterator<Item = Value<'j>> {
        let end = self.node().next as usize;
        let mut at = self.index + 1;
        std::iter::from_fn(move || {
            (at < end).then(|| {
                let child = Value { json: self.json, index: at };
                at = child.node().next as usize;
                child
            })
        })
    }
}

type ReadResult<T> = Result<T, (usize, String)>;

/// Fills the index. Recursion is bounded by [`MAX_DEPTH`].
struct Reader<'b> {
    jiter: Jiter<'b>,
    bytes: &'b [u8],
    nodes: Vec<Node>,
}

impl Reader<'_> {
    fn document(&mut self) -> ReadResult<()> {
        let peek = self.jiter.peek().map_err(|error| described(&error))?;
        self.value(peek, 0)?;
        self.jiter.finish().map_err(|error| described(&error))
    }

    fn value(&mut self, peek: Peek, depth: usize) -> ReadResult<()> {
        let start = self.jiter.current_index();
        if depth > MAX_DEPTH {
            return Err((start, format!("values are nested more than {MAX_DEPTH} deep")));
        }
        let index = self.open(kind_of(peek), start)?;
        match self.nodes[index].kind {
            Kind::Null => self.jiter.known_null(),
            Kind::Bool => self.jiter.known_bool(peek).map(drop),
            Kind::Number => self.jiter.known_number_bytes(peek).map(drop),
            Kind::String => self.jiter.known_bytes().map(drop),
            Kind::Array => return self.array(index, depth),
            Kind::Object => return self.object(index, depth),
        }
        .map_err(|error| described(&error))?;
        self.close(index);
        Ok(())
    }

    fn array(&mut self, index: usize, depth: usize) -> ReadResult<()> {
        let mut next = self.jiter.known_array().map_err(|error| described(&error))?;
        while let Some(peek) = next {
            self.value(peek, depth + 1)?;
            next = self.jiter.array_step().map_err(|error| described(&error))?;
        }
        self.close(index);
        Ok(())
    }

    fn object(&mut self, index: usize, depth: usize) -> ReadResult<()> {
        let base = self.bytes.as_ptr() as usize;
        let mut key = self.jiter.next_object_bytes().map(|key| key.map(|key| (key.as_ptr() as usize - base, key.len())));
        while let Some((at, len)) = key.map_err(|error| described(&error))? {
            let name = self.open(Kind::String, at - 1)?;
            self.nodes[name].end = u32_of(at + len + 1);
            self.nodes[name].next = u32_of(name + 1);
            let peek = self.jiter.peek().map_err(|error| described(&error))?;
            self.value(peek, depth + 1)?;
            key = self.jiter.next_key_bytes().map(|key| key.map(|key| (key.as_ptr() as usize - base, key.len())));
        }
        self.close(index);
        self.refuse_duplicates(index)
    }

    fn open(&mut self, kind: Kind, start: usize) -> ReadResult<usize> {
        if self.nodes.len() >= MAX_VALUES {
            return Err((start, format!("the body has more than {MAX_VALUES} values")));
        }
        self.nodes.push(Node { kind, start: u32_of(start), end: 0, next: 0 });
        Ok(self.nodes.len() - 1)
    }

    fn close(&mut self, index: usize) {
        self.nodes[index].end = u32_of(self.jiter.current_index());
        self.nodes[index].next = u32_of(self.nodes.len());
    }

    /// Two readers of one body may disagree about which of two equal keys counts: what is judged must be what is sent.
    fn refuse_duplicates(&self, index: usize) -> ReadResult<()> {
        let (mut small, mut large) = (Vec::new(), HashSet::new());
        let mut at = index + 1;
        while at < self.nodes[index].next as usize {
            let key = self.nodes[at];
            let raw = &self.bytes[key.start as usize..key.end as usize];
            let name: Cow<'_, [u8]> = if raw.contains(&b'\\') {
                serde_json::from_slice::<String>(raw).map_or(Cow::Borrowed(raw), |name| Cow::Owned(name.into_bytes()))
            } else {
                Cow::Borrowed(&raw[1..raw.len() - 1])
            };
            let seen =
                if small.len() < SMALL_OBJECT { small.contains(&name) } else { small.contains(&name) || large.contains(&name) };
            if seen {
                let name = String::from_utf8_lossy(&name);
                let name = &name[..name.floor_char_boundary(MAX_NAMED_BYTES)];
                return Err((key.start as usize, format!("the key `{name}` appears twice in one object")));
            }
            if small.len() < SMALL_OBJECT {
                small.push(name);
            } else {
                large.insert(name);
            }
            at = self.nodes[at + 1].next as usize;
        }
        Ok(())
    }
}

fn kind_of(peek: Peek) -> Kind {
    match peek {
        Peek::Null => Kind::Null,
        Peek::True | Peek::False => Kind::Bool,
        Peek::String => Kind::String,
        Peek::Array => Kind::Array,
        Peek::Object => Kind::Object,
        // Anything else is a number or no value at all, which reading it as a number finds out.
        _ => Kind::Number,
    }
}

/// Offsets fit: `Json::parse` refuses bodies over 4 GiB before the reader starts.
fn u32_of(offset: usize) -> u32 {
    u32::try_from(offset).unwrap_or(u32::MAX)
}

fn described(error: &jiter::JiterError) -> (usize, String) {
    (error.index, error.error_type.to_string())
}

fn malformed(bytes: &[u8], at: usize, message: &str) -> Malformed {
    let before = &bytes[..at.min(bytes.len())];
    let lines = before.split(|&byte| byte == b'\n').enumerate();
    let (line, column) = lines.last().map_or((0, 0), |(line, text)| (line, text.len()));
    Malformed { message: message.to_owned(), line: line + 1, column: column + 1 }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(text: &str) -> Result<Json, Malformed> {
        Json::parse(Bytes::copy_from_slice(text.as_bytes()))
    }

    /// The same value through serde_json, for comparison.
    fn to_serde(value: Value<'_>) -> serde_json::Value {
        match value.kind() {
            Kind::Array => value.items().map(to_serde).collect(),
            Kind::Object => value
                .members()
                .map(|(key, value)| (key.as_str().unwrap().into_owned(), to_serde(value)))
                .collect::<serde_json::Map<_, _>>()
                .into(),
            Kind::String => value.as_str().unwrap().into_owned().into(),
            _ => serde_json::from_str(value.raw()).unwrap(),
        }
    }

    #[test]
    fn finds_fields_and_their_places() {
        let json = parse(r#" {"a": [1, "x\n", {"b": null}], "c": "é"} "#).unwrap();
        let root = json.root();
        assert_eq!(root.get("c").unwrap().raw(), "\"é\"");
        let items: Vec<_> = root.get("a").unwrap().items().collect();
        assert_eq!(items[0].as_f64(), Some(1.0));
        assert_eq!(items[1].as_str().unwrap(), "x\n");
        assert!(items[2].get("b").unwrap().is_null());
        assert!(root.get("missing").is_none());
    }

    #[test]
    fn refuses_a_key_written_twice_however_it_is_written() {
        for text in [r#"{"a":1,"a":2}"#, r#"{"a":1,"\u0061":2}"#, r#"{"x":[{"k":1,"k":1}]}"#] {
            assert!(parse(text).unwrap_err().message.contains("appears twice"), "{text}");
        }
        let many: String = (0..40).map(|n| format!("\"k{n}\":0,")).collect();
        assert!(parse(&format!("{{{many}\"k39\":1}}")).unwrap_err().message.contains("k39"));
        assert!(parse(&format!("{{{many}\"k0\":1}}")).unwrap_err().message.contains("k0"));
    }

    #[test]
    fn names_the_line_and_column_of_a_mistake() {
        let error = parse("{\n  \"a\": tru\n}").unwrap_err();
        assert_eq!((error.line, error.column > 7), (2, true), "{error:?}");
        assert!(parse("{\"a\":1} x").is_err());
        assert!(parse("").is_err());
        assert!(Json::parse(Bytes::from_static(b"\"\xff\"")).unwrap_err().message.contains("UTF-8"));
    }

    #[test]
    fn refuses_bottomless_nesting_without_overflowing_the_stack() {
        let deep = "[".repeat(1_000_000);
        assert!(parse(&deep).is_err());
    }

    #[test]
    fn replaces_spans_and_leaves_every_other_byte() {
        let json = parse(r#"{"keep": 1.50,  "text":"secret" , "z":[1]}"#).unwrap();
        let span = json.root().get("text").unwrap().span();
        assert_eq!(json.splice([(span, "\"***\"".into())]), r#"{"keep": 1.50,  "text":"***" , "z":[1]}"#);
    }

    fn any_json() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(Into::into),
            any::<i64>().prop_map(Into::into),
            any::<String>().prop_map(Into::into),
        ];
        leaf.prop_recursive(4, 64, 8, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..8).prop_map(Into::into),
                prop::collection::hash_map(any::<String>(), inner, 0..8)
                    .prop_map(|map| map.into_iter().collect::<serde_json::Map<_, _>>().into()),
            ]
        })
    }

    proptest! {
        #[test]
        fn reads_what_serde_writes(value in any_json()) {
            let json = parse(&value.to_string()).unwrap();
            prop_assert_eq!(to_serde(json.root()), value);
        }

        #[test]
        fn never_panics_and_accepts_only_what_serde_accepts(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            if Json::parse(Bytes::copy_from_slice(&bytes)).is_ok() {
                prop_assert!(serde_json::from_slice::<serde_json::Value>(&bytes).is_ok());
            }
        }

        #[test]
        fn survives_damage(value in any_json(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
            let mut bytes = value.to_string().into_bytes();
            let at = at.index(bytes.len());
            bytes[at] = byte;
            let _ = Json::parse(bytes.into());
        }
    }
}
