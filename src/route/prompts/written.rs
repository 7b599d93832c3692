//! A prompt's file as it is written. Doc comments here are what editors show.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

/// A prompt: requests with variables, in versions.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Written {
    /// What it is for.
    #[expect(dead_code, reason = "for those who read the file")]
    #[serde(default)]
    pub(super) summary: String,
    /// The version of requests that name none; the last when left out.
    #[serde(default)]
    pub(super) default: Option<u32>,
    /// In place of `default`: how often each version is taken, of any scale.
    #[serde(default)]
    pub(super) weights: BTreeMap<u32, f64>,
    /// What variables are when the client does not send them.
    #[serde(default)]
    pub(super) variables: Map<String, Value>,
    /// Texts that templates take in: `{{> name}}`.
    #[serde(default)]
    pub(super) partials: BTreeMap<String, String>,
    /// Each a request, by number. In every text `{{name}}` is a variable; `{{#if name}}…{{/if}}` and `{{#each names}}…{{/each}}` are there as well.
    pub(super) versions: BTreeMap<u32, Version>,
}

/// One version.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct Version {
    /// The config, of those under `configs`, that it follows when the client brings none.
    #[serde(default)]
    pub(super) config: Option<String>,
    /// The fields of a request: model, messages, temperature, …
    #[serde(flatten)]
    pub(super) body: Map<String, Value>,
}
