//! The hosts that are known by name, as `providers.yaml` lists them.

use std::{collections::BTreeMap, sync::LazyLock};

use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    diagnostics::{Document, Report, Source},
    wire::Endpoint,
};

const TABLE: &str = include_str!("providers.yaml");

/// The entries; none if the file is broken, which a test rules out.
static ENTRIES: LazyLock<Vec<Entry>> = LazyLock::new(|| read(TABLE).unwrap_or_default());

/// A provider, as the table has it.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Entry {
    /// Its name.
    pub slug: String,
    /// Other names for it.
    pub aliases: Vec<String>,
    /// Its base, with what must be told in braces.
    pub url: Option<String>,
    /// What follows each path.
    pub query: Option<String>,
    /// Of what is in braces.
    pub defaults: BTreeMap<String, String>,
    /// The shape of its bodies.
    pub kind: Kind,
    /// How it takes its key.
    pub auth: Auth,
    /// The environment variable that usually holds the key.
    pub key: Option<String>,
    /// The endpoints that it serves; chat alone if none are listed.
    endpoints: Vec<Served>,
    /// What is sent with every request.
    pub(super) headers: BTreeMap<String, String>,
    /// Fields that it knows by another name.
    pub(super) rename: BTreeMap<String, String>,
    /// Fields that its own host alone knows by another name.
    pub(super) own_names: BTreeMap<String, String>,
    /// Fields that it refuses.
    pub(super) drop: Vec<String>,
    /// Fields of Anthropic's that it knows as well.
    pub(super) keep: Vec<String>,
    /// Whether `developer` is not among its roles.
    pub(super) system: bool,
}

/// The shape of a provider's bodies.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// OpenAI's.
    #[default]
    Openai,
    /// Anthropic's.
    Anthropic,
}

/// How a provider takes its key.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Auth {
    /// `authorization: Bearer …`
    #[default]
    Bearer,
    /// `api-key: …`
    ApiKey,
    /// `x-api-key: …`
    XApiKey,
    /// Not at all.
    None,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Served {
    Chat,
    Completions,
    Embeddings,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Table {
    providers: Vec<Entry>,
}

impl Entry {
    /// Whether it serves this endpoint.
    pub fn serves(&self, endpoint: Endpoint) -> bool {
        let served = match endpoint {
            Endpoint::Chat => Served::Chat,
            Endpoint::Completions => Served::Completions,
            Endpoint::Embeddings => Served::Embeddings,
        };
        self.endpoints.contains(&served) || (self.endpoints.is_empty() && served == Served::Chat)
    }
}

/// The provider of this slug or alias.
pub fn named(slug: &str) -> Option<&'static Entry> {
    all().iter().find(|entry| entry.slug == slug || entry.aliases.iter().any(|alias| alias == slug))
}

/// All of them, in the order of the table.
pub fn all() -> &'static [Entry] {
    &ENTRIES
}

fn read(text: &'static str) -> Result<Vec<Entry>, Report> {
    let document = Document::parse(Source::new("providers.yaml", text))?;
    let reading = document.read::<Table>();
    match reading.value {
        Some(table) if reading.problems.is_empty() => Ok(table.providers),
        _ => Err(document.report(reading.problems)),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_table_is_sound_and_no_name_is_given_twice() {
        let entries = read(TABLE).unwrap_or_else(|report| panic!("{report}"));
        let names: Vec<_> = entries.iter().flat_map(|entry| entry.aliases.iter().chain([&entry.slug])).collect();
        let distinct: BTreeSet<_> = names.iter().collect();
        assert_eq!(names.len(), distinct.len(), "{names:?}");
        assert!(entries.len() > 30, "{} providers", entries.len());
    }

    #[test]
    fn a_provider_is_found_by_its_aliases_too_and_serves_what_is_listed() {
        let mistral = named("mistral").unwrap();
        assert_eq!(mistral.slug, "mistral-ai");
        assert!(mistral.serves(Endpoint::Chat) && mistral.serves(Endpoint::Embeddings) && !mistral.serves(Endpoint::Completions));
        assert!(named("groq").unwrap().serves(Endpoint::Chat) && !named("voyage").unwrap().serves(Endpoint::Chat));
        assert!(named("nobody").is_none());
    }
}
