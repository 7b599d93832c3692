//! Checks on what of a request is not text.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::{
    super::{
        FactCheck, Facts, Listed, Model, NoFact, Parameters as RequestParameters, Quantity, Tools, Values,
        endpoint::Endpoint,
        metadata::{Required, Test},
        script::Script,
    },
    Parameters, Translated, fails_on_fact,
};

type Result = std::result::Result<Translated, String>;

pub(super) fn model_whitelist(parameters: &Parameters<'_>) -> Result {
    let models: Vec<String> = parameters.required("models")?;
    Ok(fails_on_fact(only(models), parameters))
}

/// These models and no other: an empty list allows none.
fn only(allow: Vec<String>) -> Model {
    let deny = if allow.is_empty() { vec!["*".to_owned()] } else { Vec::new() };
    Model { allow, deny, ..Model::default() }
}

#[derive(Deserialize)]
#[serde(default)]
#[derive(Default)]
struct ModelRules {
    defaults: Vec<String>,
    metadata: BTreeMap<String, BTreeMap<String, Vec<String>>>,
}

pub(super) fn model_rules(parameters: &Parameters<'_>) -> Result {
    let rules: ModelRules = parameters.required("rules")?;
    if rules.metadata.is_empty() {
        return Ok(fails_on_fact(only(rules.defaults), parameters));
    }
    let model = Model { allow: rules.defaults, by_metadata: rules.metadata, ..Model::default() };
    Ok(fails_on_fact(model, parameters))
}

/// What Portkey calls an endpoint of ours. Those that are not served here keep their names, and so are never called.
fn endpoint(request_type: &str) -> String {
    match request_type.trim() {
        "chatComplete" => "chat",
        "complete" => "completions",
        "embed" => "embeddings",
        other => other,
    }
    .to_owned()
}

/// Types of requests, listed by the config or, where it lists none, by the request's own metadata.
#[derive(Debug)]
struct RequestTypes(Listed);

impl FactCheck for RequestTypes {
    fn matches(&self, facts: &Facts<'_>) -> bool {
        let said = |key: &str| facts.metadata.get(key).map(|list| list.split(',').map(endpoint).collect()).unwrap_or_default();
        let listed = if self.0.is_empty() {
            Listed { allow: said("supported_endpoints"), deny: said("blocked_endpoints") }
        } else {
            self.0.clone()
        };
        Endpoint(listed).matches(facts)
    }
}

pub(super) fn allowed_request_types(parameters: &Parameters<'_>) -> Result {
    let list = |name: &str| parameters.texts(name).map(|list| list.iter().map(|word| endpoint(word)).collect::<Vec<_>>());
    let listed = Listed { allow: list("allowedTypes")?, deny: list("blockedTypes")? };
    Ok(fails_on_fact(RequestTypes(listed), parameters))
}

pub(super) fn required_metadata_keys(parameters: &Parameters<'_>) -> Result {
    let (quantity, keys) = (parameters.operator(Quantity::All)?, parameters.texts("metadataKeys")?);
    Ok(fails_on_fact(Required { quantity, keys, values: Vec::new() }, parameters))
}

/// Pairs as a list of objects, or as one object.
#[derive(Deserialize)]
#[serde(untagged)]
enum Pairs {
    Listed(Vec<Pair>),
    Keyed(BTreeMap<String, Value>),
}

#[derive(Deserialize)]
struct Pair {
    key: String,
    value: Value,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
enum MatchType {
    #[default]
    Exact,
    Contains,
    ContainsAll,
    Regex,
}

impl MatchType {
    /// What a value is held to. A list of texts may be written as one text, with commas.
    fn test(&self, wanted: &Value) -> std::result::Result<Test, String> {
        let texts: Vec<String> = match wanted {
            Value::Array(items) => items.iter().map(text_of).collect(),
            other => text_of(other).split(',').map(|part| part.trim().to_owned()).collect(),
        };
        Ok(match self {
            Self::Exact => Test::Exact(text_of(wanted)),
            Self::Contains => Test::ContainsAll(vec![text_of(wanted)]),
            Self::ContainsAll => Test::ContainsAll(texts),
            Self::Regex => Test::Script(Script::new(&text_of(wanted), "")?),
        })
    }
}

fn text_of(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

pub(super) fn required_metadata_pairs(parameters: &Parameters<'_>) -> Result {
    let pairs: Vec<(String, Value)> = match parameters.required("metadataPairs")? {
        Pairs::Listed(pairs) => pairs.into_iter().map(|pair| (pair.key, pair.value)).collect(),
        Pairs::Keyed(pairs) => pairs.into_iter().collect(),
    };
    let how: MatchType = parameters.read("matchType")?.unwrap_or_default();
    let values =
        pairs.into_iter().map(|(key, wanted)| Ok((key, how.test(&wanted)?))).collect::<std::result::Result<_, String>>()?;
    Ok(fails_on_fact(Required { quantity: parameters.operator(Quantity::All)?, keys: Vec::new(), values }, parameters))
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct OfTools {
    allowed_types: Vec<String>,
    blocked_types: Vec<String>,
    allowed_function_names: Vec<String>,
    blocked_function_names: Vec<String>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct OfParameters {
    allowed_keys: Vec<String>,
    blocked_keys: Vec<String>,
    values: BTreeMap<String, OfValues>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct OfValues {
    allowed_values: Vec<Value>,
    blocked_values: Vec<Value>,
}

pub(super) fn request_parameters(parameters: &Parameters<'_>) -> Result {
    let tools: OfTools = parameters.read("tools")?.unwrap_or_default();
    let params: OfParameters = parameters.read("params")?.unwrap_or_default();
    let tools = Tools {
        types: Listed { allow: tools.allowed_types, deny: tools.blocked_types },
        names: Listed { allow: tools.allowed_function_names, deny: tools.blocked_function_names },
    };
    let values = params.values.into_iter();
    let values = values.map(|(key, values)| (key, Values { allow: values.allowed_values, deny: values.blocked_values }));
    let keys = Listed { allow: params.allowed_keys, deny: params.blocked_keys };
    let request = RequestParameters { keys, values: values.collect() };
    // Either may fail the check: what is not without either is with one of them.
    let neither = NoFact(vec![Box::new(tools), Box::new(request)]);
    Ok(fails_on_fact(NoFact(vec![Box::new(neither)]), parameters))
}
