//! Words of the operator's before those of a client.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Owned, json};

use super::Kind;
use crate::{
    error::Result,
    guard::{rules::Site, verdict::Gate},
    wire::{
        Endpoint, Request,
        json::{Kind as JsonKind, Value},
    },
};

/// Puts a text before what one role says, in a request that is not yet judged. It matches nothing; its rule says `action: replace`, and needs no examples.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Prefix {
    /// What is put there.
    pub text: String,
    /// Before the first message of this role, and before every prompt of a completion.
    #[serde(default = "user")]
    pub role: String,
    /// Whether it becomes part of that message, or a message of its own before it.
    #[serde(default = "yes")]
    pub to_existing: bool,
    /// Whether it is left out where there is such a message.
    #[serde(default)]
    pub only_if_absent: bool,
}

fn user() -> String {
    "user".to_owned()
}

fn yes() -> bool {
    true
}

impl Kind for Prefix {
    fn build(&self, site: &mut Site<'_, '_>) {
        if site.stands_at(Gate::Output) {
            site.problem_at("/stage", "`prefix` changes requests", "write `stage: input`");
        }
        site.keep_prefix(self.clone());
    }
}

/// What takes the place of a part of the body.
type Edit = (std::ops::Range<usize>, Cow<'static, str>);

impl Prefix {
    /// The request with the prefix.
    pub fn amend(&self, request: &Request) -> Result<Request> {
        let root = request.json().root();
        let edits = match request.endpoint() {
            Endpoint::Chat => root.get("messages").map(|messages| vec![self.of_chat(messages)]).unwrap_or_default(),
            Endpoint::Completions => root.get("prompt").map(|prompt| self.of_prompt(prompt)).unwrap_or_default(),
            Endpoint::Embeddings => Vec::new(),
        };
        request.with_body(request.json().splice(edits))
    }

    fn of_chat(&self, messages: Value<'_>) -> Edit {
        let is_meant = |message: &Value<'_>| message.get("role").and_then(Value::as_str).is_some_and(|role| role == self.role);
        let own = json!({ "role": self.role, "content": self.text }).to_string();
        match messages.items().find(is_meant) {
            None if self.role == "system" || self.role == "developer" => first_of(messages, &own),
            None => last_of(messages, &own),
            Some(message) if self.only_if_absent => (message.span(), message.raw().to_owned().into()),
            Some(message) if !self.to_existing => (message.span(), format!("{own},{}", message.raw()).into()),
            Some(message) => match message.get("content") {
                Some(content) => self.of_content(content),
                None => (message.span(), own.into()),
            },
        }
    }

    fn of_content(&self, content: Value<'_>) -> Edit {
        match content.kind() {
            JsonKind::Array => first_of(content, &json!({ "type": "text", "text": self.text }).to_string()),
            _ => self.before(content),
        }
    }

    fn of_prompt(&self, prompt: Value<'_>) -> Vec<Edit> {
        match prompt.kind() {
            JsonKind::Array => {
                prompt.items().filter(|item| item.kind() == JsonKind::String).map(|item| self.before(item)).collect()
            }
            _ => vec![self.before(prompt)],
        }
    }

    /// A string with the prefix; `null` is the empty one.
    fn before(&self, text: Value<'_>) -> Edit {
        let joined = format!("{}{}", self.text, text.as_str().unwrap_or_default());
        (text.span(), Owned::String(joined).to_string().into())
    }
}

/// An array with one more item at its beginning.
fn first_of(array: Value<'_>, item: &str) -> Edit {
    let rest = array.raw()[1..].trim_start();
    let comma = if rest.starts_with(']') { "" } else { "," };
    (array.span(), format!("[{item}{comma}{rest}").into())
}

/// An array with one more item at its end.
fn last_of(array: Value<'_>, item: &str) -> Edit {
    let raw = array.raw();
    let rest = raw[..raw.len() - 1].trim_end();
    let comma = if rest.ends_with('[') { "" } else { "," };
    (array.span(), format!("{rest}{comma}{item}]").into())
}

#[cfg(test)]
mod tests {
    use super::{super::conformance::asking, *};

    fn amended(role: &str, to_existing: bool, only_if_absent: bool, messages: &Owned) -> Owned {
        let prefix = Prefix { text: "Be \"kind\". ".to_owned(), role: role.to_owned(), to_existing, only_if_absent };
        let request = asking(&json!({ "model": "m", "messages": messages, "seed": 1 }).to_string());
        let body: Owned = serde_json::from_slice(prefix.amend(&request).unwrap().json().bytes()).unwrap();
        assert_eq!(body["seed"], 1);
        body["messages"].clone()
    }

    #[test]
    fn the_first_message_of_the_role_begins_with_the_prefix() {
        let said = |role: &str, content: Owned| json!({ "role": role, "content": content });
        let (user, more) = (said("user", json!("Hi")), said("user", json!("More")));
        let chat = json!([said("assistant", json!("Oh")), user, more]);
        let cases = [
            ("user", true, false, chat.clone(), json!([chat[0], said("user", json!("Be \"kind\". Hi")), more])),
            ("user", false, false, chat.clone(), json!([chat[0], said("user", json!("Be \"kind\". ")), user, more])),
            ("user", true, true, chat.clone(), chat.clone()),
            ("system", true, true, chat.clone(), json!([said("system", json!("Be \"kind\". ")), chat[0], user, more])),
            ("tool", true, false, json!([user]), json!([user, said("tool", json!("Be \"kind\". "))])),
            ("user", true, false, json!([]), json!([said("user", json!("Be \"kind\". "))])),
            ("user", true, false, json!([said("user", json!(null))]), json!([said("user", json!("Be \"kind\". "))])),
            (
                "user",
                true,
                false,
                json!([said("user", json!([{ "type": "image_url" }]))]),
                json!([said("user", json!([{ "type": "text", "text": "Be \"kind\". " }, { "type": "image_url" }]))]),
            ),
        ];
        for (role, to_existing, only_if_absent, messages, expected) in cases {
            assert_eq!(amended(role, to_existing, only_if_absent, &messages), expected, "{role} {to_existing} {only_if_absent}");
        }
    }

    #[test]
    fn every_prompt_of_a_completion_begins_with_it() {
        let prefix = Prefix { text: "> ".to_owned(), role: "user".to_owned(), to_existing: true, only_if_absent: false };
        let body = json!({ "model": "m", "prompt": ["a", "b"] }).to_string();
        let request = Request::decode(Endpoint::Completions, body.into()).unwrap();
        let amended: Owned = serde_json::from_slice(prefix.amend(&request).unwrap().json().bytes()).unwrap();
        assert_eq!(amended["prompt"], json!(["> a", "> b"]));
    }
}
