//! The texts of a message: what a model will read or has written, each with its place in the body.

use std::{borrow::Cow, ops::Range};

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

/// One text and where it stands.
#[derive(Debug, Clone)]
pub struct Text<'j> {
    /// Whose words.
    pub role: Role,
    /// The text without JSON escapes.
    pub text: Cow<'j, str>,
    /// Where the JSON string lies in the body, quotes included.
    pub span: Range<usize>,
}

impl<'j> Text<'j> {
    fn of(role: Role, value: Value<'j>) -> Option<Self> {
        Some(Self { role, text: value.as_str()?, span: value.span() })
    }
}

/// Collects the texts of a chat request: contents of every role, text parts, refusals, and arguments of earlier tool calls.
pub(super) fn of_messages<'j>(messages: Value<'j>, out: &mut Vec<Text<'j>>) {
    for message in messages.items() {
        let role = message.get("role").and_then(Value::as_str).map_or(Role::User, |role| Role::parse(&role));
        of_message(role, message, out);
    }
}

/// Collects the texts of one message, asked or answered.
pub(super) fn of_message<'j>(role: Role, message: Value<'j>, out: &mut Vec<Text<'j>>) {
    for (key, value) in message.members() {
        match key.as_str().as_deref() {
            Some("content" | "refusal" | "reasoning_content" | "reasoning") => of_content(role, value, out),
            Some("tool_calls") => {
                for call in value.items() {
                    let arguments = call.get("function").and_then(|function| function.get("arguments"));
                    let input = call.get("custom").and_then(|custom| custom.get("input"));
                    out.extend([arguments, input].into_iter().flatten().filter_map(|text| Text::of(role, text)));
                }
            }
            Some("function_call") => out.extend(value.get("arguments").and_then(|arguments| Text::of(role, arguments))),
            _ => {}
        }
    }
}

/// A string, or parts of which some are text.
fn of_content<'j>(role: Role, content: Value<'j>, out: &mut Vec<Text<'j>>) {
    match content.kind() {
        Kind::String => out.extend(Text::of(role, content)),
        Kind::Array => {
            for part in content.items() {
                // Some servers take bare strings as parts.
                out.extend(Text::of(role, part));
                let texts = ["text", "refusal", "thinking"].into_iter().filter_map(|name| part.get(name));
                out.extend(texts.filter_map(|text| Text::of(role, text)));
            }
        }
        _ => {}
    }
}

/// A string or an array of strings, as `prompt` and `input` may be; token arrays hold no text.
pub(super) fn of_strings<'j>(value: Value<'j>, out: &mut Vec<Text<'j>>) {
    match value.kind() {
        Kind::String => out.extend(Text::of(Role::User, value)),
        Kind::Array => out.extend(value.items().filter_map(|item| Text::of(Role::User, item))),
        _ => {}
    }
}
