//! The texts of a message: what a model will read or has written, each with its place in the body.

use std::{borrow::Cow, ops::Range};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::json::{Kind, Value};

/// Whose words a text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// Instructions by the app: `system` and `developer` messages.
    System,
    /// The person or program that asks.
    User,
    /// The model, now or in an earlier turn.
    Assistant,
    /// A tool's result.
    Tool,
}

impl Role {
    /// Reads the `role` of a message; an unknown role is treated as the user's, the most guarded one.
    pub fn parse(role: &str) -> Self {
        match role {
            "system" | "developer" => Self::System,
            "assistant" => Self::Assistant,
            "tool" | "function" => Self::Tool,
            _ => Self::User,
        }
    }

    /// The word used in logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::User => "user",
            Self::Assistant => "assistant",
            Self::Tool => "tool",
        }
    }
}

/// What a text is to the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// What is said: the contents of messages, prompts.
    Text,
    /// What a tool is called with: JSON in a string, or the free text of a custom tool.
    ToolArguments,
    /// What a tool has said.
    ToolResults,
    /// What the model thought.
    Reasoning,
    /// The names of those who speak.
    Names,
    /// What the app says of its tools and their parameters.
    ToolDescriptions,
    /// What the app says of the shape of the answer.
    ResponseFormat,
    /// What the app expects as the answer.
    Prediction,
    /// What is embedded.
    Input,
}

impl Part {
    /// Whether it is part of what is said and answered, rather than of what the app sets up around it.
    pub fn is_said(self) -> bool {
        !matches!(self, Self::Names | Self::ToolDescriptions | Self::ResponseFormat | Self::Prediction)
    }
}

/// One text and where it stands.
#[derive(Debug, Clone)]
pub struct Text<'j> {
    /// Whose words.
    pub role: Role,
    /// What it is to the model.
    pub part: Part,
    /// Whether it is of the last message; prompts, inputs and answers are.
    pub last: bool,
    /// The text without JSON escapes.
    pub text: Cow<'j, str>,
    /// Where the JSON string lies in the body, quotes included.
    pub span: Range<usize>,
}

impl<'j> Text<'j> {
    /// A text that stands in no body.
    pub fn alone(role: Role, text: impl Into<Cow<'j, str>>) -> Self {
        Self { role, part: Teller { role, last: true }.said(), last: true, text: text.into(), span: 0..0 }
    }
}

/// Who tells the texts of one message.
#[derive(Debug, Clone, Copy)]
pub(super) struct Teller {
    pub(super) role: Role,
    pub(super) last: bool,
}

impl Teller {
    /// What its plain words are.
    fn said(self) -> Part {
        if self.role == Role::Tool { Part::ToolResults } else { Part::Text }
    }

    fn text(self, part: Part, value: Value<'_>) -> Option<Text<'_>> {
        Some(Text { role: self.role, part, last: self.last, text: value.as_str()?, span: value.span() })
    }
}

/// Collects the texts of a chat request: contents of every role, text parts, refusals, names, and arguments of earlier tool calls.
pub(super) fn of_messages<'j>(messages: Value<'j>, out: &mut Vec<Text<'j>>) {
    let mut messages = messages.items().peekable();
    while let Some(message) = messages.next() {
        let role = message.get("role").and_then(Value::as_str).map_or(Role::User, |role| Role::parse(&role));
        of_message(Teller { role, last: messages.peek().is_none() }, message, out);
    }
}

/// Collects the texts of one message, asked or answered.
pub(super) fn of_message<'j>(teller: Teller, message: Value<'j>, out: &mut Vec<Text<'j>>) {
    for (key, value) in message.members() {
        match key.as_str().as_deref() {
            Some("content" | "refusal") => of_content(teller, teller.said(), value, out),
            Some("reasoning_content" | "reasoning") => of_content(teller, Part::Reasoning, value, out),
            Some("name") => out.extend(teller.text(Part::Names, value)),
            Some("tool_calls") => {
                for call in value.items() {
                    let arguments = call.get("function").and_then(|function| function.get("arguments"));
                    let input = call.get("custom").and_then(|custom| custom.get("input"));
                    let told = [arguments, input].into_iter().flatten();
                    out.extend(told.filter_map(|text| teller.text(Part::ToolArguments, text)));
                }
            }
            Some("function_call") => {
                let arguments = value.get("arguments");
                out.extend(arguments.and_then(|arguments| teller.text(Part::ToolArguments, arguments)));
            }
            _ => {}
        }
    }
}

/// A string, or parts of which some are text.
pub(super) fn of_content<'j>(teller: Teller, part: Part, content: Value<'j>, out: &mut Vec<Text<'j>>) {
    match content.kind() {
        Kind::String => out.extend(teller.text(part, content)),
        Kind::Array => {
            for item in content.items() {
                // Some servers take bare strings as parts.
                out.extend(teller.text(part, item));
                let texts = [("text", part), ("refusal", part), ("thinking", Part::Reasoning)];
                out.extend(texts.into_iter().filter_map(|(name, part)| teller.text(part, item.get(name)?)));
                for (key, member) in item.members() {
                    if !key.as_str().is_some_and(|key| WITHOUT_MORE_TEXT.contains(&&*key)) {
                        of_block(teller, part, member, out);
                    }
                }
            }
        }
        _ => {}
    }
}

/// Members of a part whose texts are known, or whose strings are no text: names, marks, and what is encoded.
const WITHOUT_MORE_TEXT: [&str; 19] = [
    "type",
    "text",
    "refusal",
    "thinking",
    "id",
    "tool_use_id",
    "name",
    "signature",
    "cache_control",
    "image_url",
    "video_url",
    "input_audio",
    "file",
    "url",
    "file_id",
    "media_type",
    "encrypted_content",
    "encrypted_index",
    "data",
];

/// What a block says that chat has no word for, however deep it stands: the text of a document, its title, what a search found.
fn of_block<'j>(teller: Teller, part: Part, value: Value<'j>, out: &mut Vec<Text<'j>>) {
    out.extend(teller.text(part, value));
    for item in value.items() {
        of_block(teller, part, item, out);
    }
    // A source says in its type whether its data is text.
    let encoded = value.get("type").and_then(Value::as_str).is_some_and(|kind| kind == "base64");
    let told = |key: &str| match key {
        "text" | "thinking" => true,
        "data" => !encoded,
        key => !WITHOUT_MORE_TEXT.contains(&key),
    };
    for (key, member) in value.members() {
        if key.as_str().is_some_and(|key| told(&key)) {
            of_block(teller, part, member, out);
        }
    }
}

/// A string or an array of strings, as `prompt` and `input` may be; token arrays hold no text.
pub(super) fn of_strings<'j>(teller: Teller, part: Part, value: Value<'j>, out: &mut Vec<Text<'j>>) {
    match value.kind() {
        Kind::String => out.extend(teller.text(part, value)),
        Kind::Array => out.extend(value.items().filter_map(|item| teller.text(part, item))),
        _ => {}
    }
}

/// Collects what an app says of its tools, their parameters or the shape of the answer: every description, however deep it stands. They are the app's own words.
pub(super) fn of_descriptions<'j>(part: Part, value: Value<'j>, out: &mut Vec<Text<'j>>) {
    const APP: Teller = Teller { role: Role::System, last: false };
    for item in value.items() {
        of_descriptions(part, item, out);
    }
    for (key, member) in value.members() {
        if key.as_str().is_some_and(|key| key.eq_ignore_ascii_case("description")) {
            out.extend(APP.text(part, member));
        }
        of_descriptions(part, member, out);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::wire::{Endpoint, Json, Request};

    fn texts(part: &serde_json::Value) -> Vec<String> {
        let body = json!({ "model": "m", "messages": [{ "role": "user", "content": [part] }] }).to_string();
        let request = Request::decode(Endpoint::Chat, body.into()).unwrap();
        request.texts().into_iter().map(|text| text.text.into_owned()).collect()
    }

    #[test]
    fn a_part_that_chat_has_no_word_for_is_read_to_its_depth() {
        let part = json!({ "type": "document", "title": "a", "cache_control": { "type": "ephemeral" }, "source": {
            "type": "content", "content": [{ "type": "text", "text": "b", "citations": null }] } });
        assert_eq!(texts(&part), ["a", "b"]);
        let part = json!({ "type": "document", "source": { "type": "text", "media_type": "text/plain", "data": "c" } });
        assert_eq!(texts(&part), ["c"]);
        assert_eq!(texts(&json!({ "type": "text", "text": "d", "document": { "title": "e" } })), ["d", "e"]);
        assert_eq!(texts(&json!({ "type": "server_tool_use", "id": "i", "input": { "query": "f" } })), ["f"]);
    }

    #[test]
    fn what_is_encoded_or_names_something_is_no_text() {
        let base64 = json!({ "type": "base64", "media_type": "application/pdf", "data": "JVBERi0=" });
        for part in [
            json!({ "type": "document", "source": base64 }),
            json!({ "type": "image_url", "image_url": { "url": "https://example.org" } }),
            json!({ "type": "redacted_thinking", "data": "b3BhcXVl" }),
        ] {
            assert_eq!(texts(&part), [""; 0], "{part}");
        }
    }

    #[test]
    fn a_text_lies_where_it_says() {
        let body = r#"{"model":"m","messages":[{"role":"user","content":[{"type":"x","source":{"data":"here"}}]}]}"#;
        let json = Json::parse(body.into()).unwrap();
        let mut out = Vec::new();
        of_messages(json.root().get("messages").unwrap(), &mut out);
        assert_eq!(&body[out[0].span.clone()], "\"here\"");
    }
}
