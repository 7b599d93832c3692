//! A rule as its author writes it. One rule a file; the file's stem is the rule's id.
//!
//! What must be written is marked `required` for the schema and still has a default for the reader, so that one bad value does not hide
//! the mistakes behind it.

use std::{collections::BTreeMap, fmt};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    guard::{
        checks::{
            Case, Code, Contains, Endpoint, EndsWith, Gibberish, JsonKeys, JsonSchema as Shape, Jwt, Language, Length, Log,
            Metadata, Model, Parameters, Pattern, Prefix, Repetition, StartsWith, Tools, Topic, Urls, ValidUrls, Webhook, Words,
        },
        verdict::{Action, Gate, OnError, Severity},
    },
    wire::{self, Part, Request},
};

/// A guardrail rule: what it is about, where it looks, what it does, and the examples that prove it.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Written {
    /// What the rule is about, in one line; clients read it when they are refused.
    #[serde(default)]
    #[schemars(required)]
    pub summary: String,
    /// Why it exists and what its author had in mind.
    #[serde(default)]
    #[schemars(required)]
    pub why: String,
    /// Where it looks: at what the model will read, at what it has written, or both.
    #[serde(default)]
    #[schemars(required)]
    pub stage: Stage,
    /// `preview` rules run only when the configuration names them.
    #[serde(default)]
    pub maturity: Maturity,
    /// How much harm what it finds can do; log and metrics say it.
    #[serde(default)]
    pub severity: Severity,
    /// What happens on a match.
    #[serde(default)]
    #[schemars(required)]
    pub action: Action,
    /// What is put in place of a match when the action is `replace`; `[REDACTED]` when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replace: Option<Replace>,
    /// How the client is told when the action is `block`; an error of status 400 when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refuse: Option<Refuse>,
    /// Whether it finds secrets: they never come back, in whatever they are replaced with.
    #[serde(default)]
    pub secret: bool,
    /// Where it looks; at everything that the model reads or has written when left out.
    #[serde(default)]
    pub look_at: LookAt,
    /// What it finds. Each kind that is written adds its matches.
    #[serde(default, rename = "match")]
    #[schemars(required)]
    pub matching: Match,
    /// Matches that are let through.
    #[serde(default)]
    pub exceptions: Exceptions,
    /// What follows where it cannot judge: because of its budget, its `max_span`, or another service that it asks.
    #[serde(default)]
    pub on_error: OnError,
    /// How long it may take for one request or answer, such as 5ms; unbounded when left out. It is stopped once it has taken longer, and `on_error` says what follows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<String>,
    /// How much of a stream is held back for a pattern that can match any length, such as 16KiB; 4KiB when left out. What is longer cannot be judged, and `on_error` says what follows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_span: Option<String>,
    /// Texts that must match and texts that must not. A rule without both does not load.
    #[serde(default)]
    #[schemars(required)]
    pub examples: Examples,
}

/// What is put in place of a match: one of these.
#[derive(Debug, Clone, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Replace {
    /// This text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// As many characters as the match has, all alike.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mask: Option<Mask>,
    /// A label and a keyed hash: the same value has the same hash wherever the same tenant writes it, and nobody else can tell which value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hash: Option<Hash>,
    /// A numbered placeholder, `{{EMAIL_ADDRESS_1}}`: the same value has the same number within a request. In an answer, `[EMAIL_ADDRESS]`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub placeholder: Option<Placeholder>,
}

/// As many characters as the match has, all alike.
#[derive(Debug, Clone, Copy, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Mask {
    /// How many of the last characters stay, and never more than half; none where other rules match there too.
    pub keep_last: usize,
    /// What the others become.
    pub character: char,
}

impl Default for Mask {
    fn default() -> Self {
        Self { keep_last: 0, character: '*' }
    }
}

/// A label and a keyed hash.
#[derive(Debug, Clone, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Hash {
    /// What the value is; the rule's id in capitals when left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^[A-Z][A-Z0-9_]{0,39}$"))]
    pub label: Option<String>,
}

/// A numbered placeholder.
#[derive(Debug, Clone, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Placeholder {
    /// What the value is; the rule's id in capitals when left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^[A-Z][A-Z0-9_]{0,39}$"))]
    pub label: Option<String>,
    /// Whether the caller gets its own value back where the answer names the placeholder.
    pub restore: bool,
}

/// How the client is told: one of these.
#[derive(Debug, Clone, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Refuse {
    /// An error of this status, from 400 to 599.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 400, max = 599))]
    pub status: Option<u16>,
    /// What looks like an answer of the model and says this, with `finish_reason: content_filter`; where vectors are asked for, an error of status 400.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answer: Option<String>,
}

/// Where a rule looks.
#[derive(Debug, Clone, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LookAt {
    /// Whose words; all when left out. Instructions of the app (`system`), tool descriptions among them, are only warned about unless they are named here.
    pub roles: Vec<RoleName>,
    /// Which messages.
    pub messages: Messages,
    /// What of them, and what beside them; all when left out.
    pub parts: Vec<Part>,
}

/// Which messages of a conversation.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Messages {
    /// All of them.
    #[default]
    All,
    /// The last one, and nothing beside the messages. A prompt, what is embedded and an answer are last.
    Last,
}

/// Matches that are let through: those that one of these covers whole.
#[derive(Debug, Clone, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Exceptions {
    /// Regular expressions.
    pub patterns: Vec<String>,
    /// Words and phrases, in any case.
    pub words: Vec<String>,
}

/// Which gate a rule stands at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// What the model will read.
    #[default]
    Input,
    /// What the model has written.
    Output,
    /// Both.
    Both,
}

impl Stage {
    pub(super) fn stands_at(self, gate: Gate) -> bool {
        matches!((self, gate), (Self::Both, _) | (Self::Input, Gate::Input) | (Self::Output, Gate::Output))
    }
}

/// How far a rule may be trusted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Maturity {
    /// On by default.
    #[default]
    Stable,
    /// Off until it is named.
    Preview,
}

/// Whose words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RoleName {
    /// `system` and `developer` messages.
    System,
    /// `user` messages, prompts and inputs.
    User,
    /// What the model said.
    Assistant,
    /// Results of tools.
    Tool,
}

/// The kinds of match; at least one is written.
#[derive(Debug, Clone, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Match {
    /// Regular expressions.
    pub patterns: Vec<Pattern>,
    /// Words and phrases, found whole and in any case.
    pub words: Words,
    /// A topic: two kinds of words in one sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub topic: Option<Topic>,
    /// An answer that has no JSON of this shape. JSON Schema 2020-12, or the draft that `$schema` names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub json_schema: Option<Shape>,
    /// An answer that has no JSON object with these keys.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub json_keys: Option<JsonKeys>,
    /// A text outside of these bounds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub length: Option<Length>,
    /// Substrings, letter for letter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contains: Option<Contains>,
    /// A text that begins with one of these.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub starts_with: Option<StartsWith>,
    /// A text that ends with one of these.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ends_with: Option<EndsWith>,
    /// A text whose letters are all of one case.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub case: Option<Case>,
    /// A text that says the same again and again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repetition: Option<Repetition>,
    /// A text of random letters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gibberish: Option<Gibberish>,
    /// A text in a language that is not allowed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub language: Option<Language>,
    /// Code, of any language or of some.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<Code>,
    /// Links that are not allowed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub urls: Option<Urls>,
    /// A request for a model that is not allowed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<Model>,
    /// A request without the metadata that is required.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Metadata>,
    /// A request to an endpoint that is not allowed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<Endpoint>,
    /// A request with parameters that are not allowed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parameters: Option<Parameters>,
    /// A request with tools that are not allowed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tools: Option<Tools>,
    /// Asks a webhook of yours. A rule that calls out needs no examples.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub webhook: Option<Webhook>,
    /// Sends a copy, and never matches.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log: Option<Log>,
    /// An answer with a link that leads nowhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub valid_urls: Option<ValidUrls>,
    /// A request without a good token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jwt: Option<Jwt>,
    /// Words of yours before those of a client.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prefix: Option<Prefix>,
    /// One kind the other way round: matches what it does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not: Option<Box<Match>>,
}

/// The rule's proof.
#[derive(Debug, Clone, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Examples {
    /// What matches.
    #[serde(default, rename = "match")]
    #[schemars(required)]
    pub matching: Vec<Example>,
    /// What does not, chosen to be tempting.
    #[serde(default)]
    #[schemars(required)]
    pub pass: Vec<Example>,
}

/// Something that a rule is tried on.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Example {
    /// A text.
    Text(String),
    /// A whole request, for rules about more than text.
    Call(ExampleCall),
}

/// A request as an example.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExampleCall {
    /// The body; what is left out of a chat request is filled in.
    pub request: serde_json::Map<String, serde_json::Value>,
    /// What the client says of it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
}

impl Example {
    /// The text, if it is one.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Call(_) => None,
        }
    }
}

/// A text as it is, a request as JSON.
impl fmt::Display for Example {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Call(call) => f.write_str(&serde_json::to_string(call).map_err(|_| fmt::Error)?),
        }
    }
}

impl ExampleCall {
    /// The request that it stands for: to the endpoint whose body it is, a chat if it can be of any.
    pub fn decoded(&self) -> crate::error::Result<Request> {
        let mut body = self.request.clone();
        let has = |key: &str| body.contains_key(key);
        let endpoint = if has("prompt") {
            wire::Endpoint::Completions
        } else if has("input") {
            wire::Endpoint::Embeddings
        } else {
            wire::Endpoint::Chat
        };
        body.entry("model").or_insert_with(|| "a-model".into());
        if endpoint == wire::Endpoint::Chat {
            body.entry("messages").or_insert_with(|| serde_json::Value::Array(Vec::new()));
        }
        Request::decode(endpoint, serde_json::Value::Object(body).to_string().into())
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::Written;

    #[test]
    fn the_committed_schema_is_current() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("guardrails/rule.schema.json");
        let schema = schemars::schema_for!(Written).to_value();
        let current = serde_json::to_string_pretty(&schema).unwrap() + "\n";
        if crate::config::environment("LOCKGATE_UPDATE_SCHEMA").is_some() {
            fs::write(&path, &current).unwrap();
        }
        let committed = fs::read_to_string(&path).unwrap_or_default();
        assert!(committed == current, "stale: run LOCKGATE_UPDATE_SCHEMA=1 cargo test schema");
    }
}
