//! A decoded request: the body as it was sent, and the few fields that Lockgate reads.

use bytes::Bytes;

use super::{
    json::{Json, Kind, Value},
    text::{self, Part, Role, Teller, Text},
};
use crate::error::{Error, Kind as ErrorKind, Result};

/// An endpoint whose bodies are understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// `POST /v1/chat/completions`
    Chat,
    /// `POST /v1/completions`
    Completions,
    /// `POST /v1/embeddings`
    Embeddings,
}

impl Endpoint {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Chat, Self::Completions, Self::Embeddings];

    /// The endpoint of this word; see [`Endpoint::as_str`].
    pub fn named(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|endpoint| endpoint.as_str() == word)
    }

    /// Its path under the upstream's base.
    pub fn path(self) -> &'static str {
        match self {
            Self::Chat => "/chat/completions",
            Self::Completions => "/completions",
            Self::Embeddings => "/embeddings",
        }
    }

    /// The word used in logs and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Completions => "completions",
            Self::Embeddings => "embeddings",
        }
    }
}

/// A request whose shape was checked as far as Lockgate reads it. What it does not read, it does not judge.
#[derive(Debug, Clone)]
pub struct Request {
    endpoint: Endpoint,
    json: Json,
    model: String,
    stream: bool,
    include_usage: bool,
}

impl Request {
    /// Reads a body.
    pub fn decode(endpoint: Endpoint, body: Bytes) -> Result<Self> {
        let json = json(body)?;
        let root = json.root();
        expect(root, "the body", "", &[Kind::Object])?;
        refuse_lookalikes(root, &TOP_LEVEL, "")?;
        let model = required(root, "model", &[Kind::String])?.as_str().unwrap_or_default().into_owned();
        match endpoint {
            Endpoint::Chat => check_messages(root)?,
            Endpoint::Completions => drop(required(root, "prompt", &[Kind::String, Kind::Array])?),
            Endpoint::Embeddings => drop(required(root, "input", &[Kind::String, Kind::Array])?),
        }
        let stream = optional(root, "stream", &[Kind::Bool])?.and_then(Value::as_bool).unwrap_or(false);
        let options = optional(root, "stream_options", &[Kind::Object])?;
        let include_usage = options.and_then(|options| options.get("include_usage")?.as_bool()).unwrap_or(false);
        Ok(Self { endpoint, json, model, stream, include_usage })
    }

    /// The same request with another body, which a rule has changed.
    pub fn with_body(&self, body: Bytes) -> Result<Self> {
        Self::decode(self.endpoint, body)
    }

    /// Which endpoint was called.
    pub fn endpoint(&self) -> Endpoint {
        self.endpoint
    }

    /// The body.
    pub fn json(&self) -> &Json {
        &self.json
    }

    /// The model asked for.
    pub fn model(&self) -> &str {
        &self.model
    }

    /// Whether the client wants events.
    pub fn stream(&self) -> bool {
        self.stream
    }

    /// Whether the client wants a last event with the usage.
    pub fn include_usage(&self) -> bool {
        self.include_usage
    }

    /// Every text that the model will read, in the order of the body.
    pub fn texts(&self) -> Vec<Text<'_>> {
        let mut out = Vec::new();
        let root = self.json.root();
        let field = |name: &str| root.get(name).into_iter();
        let asker = Teller { role: Role::User, last: true };
        match self.endpoint {
            Endpoint::Chat => {
                field("messages").for_each(|messages| text::of_messages(messages, &mut out));
                for tools in field("tools").chain(field("functions")) {
                    text::of_descriptions(Part::ToolDescriptions, tools, &mut out);
                }
                field("response_format").for_each(|format| text::of_descriptions(Part::ResponseFormat, format, &mut out));
                let asker = Teller { last: false, ..asker };
                for content in field("prediction").filter_map(|prediction| prediction.get("content")) {
                    text::of_content(asker, Part::Prediction, content, &mut out);
                }
            }
            Endpoint::Completions => {
                for prompt in field("prompt").chain(field("suffix")) {
                    text::of_strings(asker, Part::Text, prompt, &mut out);
                }
            }
            Endpoint::Embeddings => field("input").for_each(|input| text::of_strings(asker, Part::Input, input, &mut out)),
        }
        out.sort_by_key(|text| text.span.start);
        out
    }

    /// The field that holds tokens in place of text, if one does: the model reads in them what nobody here can.
    pub fn tokens(&self) -> Option<&'static str> {
        let field = match self.endpoint {
            Endpoint::Chat => return None,
            Endpoint::Completions => "prompt",
            Endpoint::Embeddings => "input",
        };
        let mut items = self.json.root().get(field)?.items();
        items.any(|item| item.kind() != Kind::String).then_some(field)
    }
}

/// Reads a body as JSON without repeated keys.
pub(super) fn json(body: Bytes) -> Result<Json> {
    Json::parse(body).map_err(|malformed| {
        let message = format!(
            "The request body is not accepted: {} (line {}, column {}). Send one JSON object without repeated keys.",
            malformed.message, malformed.line, malformed.column
        );
        Error::new(ErrorKind::MalformedJson, message)
    })
}

/// The keys that are read here, by where they stand.
pub(crate) const TOP_LEVEL: [&str; 11] = [
    "model",
    "messages",
    "tools",
    "functions",
    "response_format",
    "prediction",
    "prompt",
    "suffix",
    "input",
    "stream",
    "stream_options",
];
pub(crate) const OF_A_MESSAGE: [&str; 8] =
    ["role", "content", "name", "refusal", "reasoning", "reasoning_content", "tool_calls", "function_call"];
pub(crate) const OF_A_PART: [&str; 4] = ["type", "text", "refusal", "thinking"];

/// Some servers read `Messages` as `messages`: what the one judges and what the other reads must be the same.
pub(super) fn refuse_lookalikes(object: Value<'_>, known: &[&str], place: &str) -> Result<()> {
    for (key, _) in object.members() {
        let Some(key) = key.as_str() else { continue };
        let Some(meant) = known.iter().find(|known| *known != &key && folded(&key).eq(known.chars())) else { continue };
        let place = if place.is_empty() { String::new() } else { format!("{place}.") };
        let message = format!("`{place}{meant}` is written in another case. Write it in small letters.");
        return Err(Error::new(ErrorKind::InvalidRequest, message).param(format!("{place}{meant}")));
    }
    Ok(())
}

/// Small letters, by way of the capitals: some letters of other alphabets have an ASCII one as theirs.
fn folded(key: &str) -> impl Iterator<Item = char> {
    key.chars().flat_map(char::to_uppercase).flat_map(char::to_lowercase)
}

fn check_messages(root: Value<'_>) -> Result<()> {
    let messages = required(root, "messages", &[Kind::Array])?;
    for (n, message) in messages.items().enumerate() {
        let place = format!("messages[{n}]");
        expect(message, &place, &place, &[Kind::Object])?;
        refuse_lookalikes(message, &OF_A_MESSAGE, &place)?;
        for part in message.get("content").into_iter().flat_map(Value::items) {
            refuse_lookalikes(part, &OF_A_PART, &place)?;
        }
        let role = message.get("role").ok_or_else(|| missing(&format!("{place}.role"), "a string"))?;
        let (role_place, content_place) = (format!("{place}.role"), format!("{place}.content"));
        expect(role, &role_place, &role_place, &[Kind::String])?;
        if let Some(content) = message.get("content") {
            expect(content, &content_place, &content_place, &[Kind::String, Kind::Array, Kind::Null])?;
        }
    }
    Ok(())
}

fn required<'j>(root: Value<'j>, key: &str, kinds: &[Kind]) -> Result<Value<'j>> {
    let value = root.get(key).ok_or_else(|| missing(key, &listed(kinds)))?;
    expect(value, key, key, kinds)?;
    Ok(value)
}

fn optional<'j>(root: Value<'j>, key: &str, kinds: &[Kind]) -> Result<Option<Value<'j>>> {
    let Some(value) = root.get(key).filter(|value| !value.is_null()) else { return Ok(None) };
    expect(value, key, key, kinds)?;
    Ok(Some(value))
}

fn expect(value: Value<'_>, name: &str, param: &str, kinds: &[Kind]) -> Result<()> {
    if kinds.contains(&value.kind()) {
        return Ok(());
    }
    let name = if name == param { format!("`{name}`") } else { name.to_owned() };
    let message = format!("Expected {name} to be {}, found {}.", listed(kinds), value.kind().as_str());
    Err(Error::new(ErrorKind::InvalidRequest, message).param(param))
}

fn missing(key: &str, kinds: &str) -> Error {
    Error::new(ErrorKind::InvalidRequest, format!("The request has no `{key}`. Add it: {kinds}.")).param(key)
}

fn listed(kinds: &[Kind]) -> String {
    kinds.iter().map(|kind| kind.as_str()).collect::<Vec<_>>().join(" or ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(endpoint: Endpoint, body: &str) -> Result<Request> {
        Request::decode(endpoint, Bytes::copy_from_slice(body.as_bytes()))
    }

    #[test]
    fn reads_every_text_of_a_chat() {
        let request = decode(
            Endpoint::Chat,
            r#"{"model":"m","stream":true,"messages":[
                {"role":"system","content":"be kind"},
                {"content":[{"type":"text","text":"a\nb"},{"type":"image_url","image_url":{"url":"x"}}],"role":"user"},
                {"role":"assistant","content":null,"tool_calls":[{"id":"1","type":"function","function":{"name":"f","arguments":"{}"}}]},
                {"role":"tool","tool_call_id":"1","content":"42"}]}"#,
        )
        .unwrap();
        let texts: Vec<_> = request.texts().iter().map(|text| (text.role, text.text.to_string())).collect();
        let expected = [(Role::System, "be kind"), (Role::User, "a\nb"), (Role::Assistant, "{}"), (Role::Tool, "42")];
        assert_eq!(texts, expected.map(|(role, text)| (role, text.to_owned())));
        assert!(request.stream() && !request.include_usage());
    }

    #[test]
    fn names_the_field_that_is_wrong() {
        let cases = [
            (Endpoint::Chat, "[]", "Expected the body to be an object, found an array.", ""),
            (Endpoint::Chat, r#"{"messages":[]}"#, "The request has no `model`. Add it: a string.", "model"),
            (Endpoint::Chat, r#"{"model":"m"}"#, "The request has no `messages`. Add it: an array.", "messages"),
            (
                Endpoint::Chat,
                r#"{"model":"m","messages":[3]}"#,
                "Expected `messages[0]` to be an object, found a number.",
                "messages[0]",
            ),
            (
                Endpoint::Chat,
                r#"{"model":"m","messages":[{"role":"user","content":5}]}"#,
                "Expected `messages[0].content` to be a string or an array or null, found a number.",
                "messages[0].content",
            ),
            (
                Endpoint::Chat,
                r#"{"model":"m","stream":"yes","messages":[]}"#,
                "Expected `stream` to be a boolean, found a string.",
                "stream",
            ),
            (
                Endpoint::Chat,
                r#"{"model":"m","messages":[],"Messages":[]}"#,
                "`messages` is written in another case. Write it in small letters.",
                "messages",
            ),
            (
                Endpoint::Chat,
                r#"{"model":"m","messages":[{"role":"user","ſ":1,"CONTENT":"x"}]}"#,
                "`messages[0].content` is written in another case. Write it in small letters.",
                "messages[0].content",
            ),
            (
                Endpoint::Chat,
                r#"{"model":"m","messages":[],"meſſages":[]}"#,
                "`messages` is written in another case. Write it in small letters.",
                "messages",
            ),
            (
                Endpoint::Embeddings,
                r#"{"model":"m","input":{}}"#,
                "Expected `input` to be a string or an array, found an object.",
                "input",
            ),
        ];
        for (endpoint, body, message, param) in cases {
            let error = decode(endpoint, body).unwrap_err();
            assert_eq!((error.message(), error.field()), (message, Some(param)));
        }
    }
}
