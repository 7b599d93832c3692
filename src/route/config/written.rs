//! A Portkey config as clients and operators write it, in snake_case or camelCase.

use secrecy::SecretString;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::diagnostics::Fault;

/// One level of a config: targets below it, or a target itself.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Written {
    pub(super) strategy: Option<Strategy>,
    pub(super) targets: Option<Vec<Written>>,
    pub(super) name: Option<String>,
    pub(super) weight: Option<f64>,
    pub(super) provider: Option<String>,
    pub(super) api_key: Option<SecretString>,
    pub(super) virtual_key: Option<String>,
    pub(super) custom_host: Option<String>,
    pub(super) forward_headers: Option<Vec<String>>,
    pub(super) request_timeout: Option<u64>,
    pub(super) cache: Option<Value>,
    pub(super) retry: Option<Retry>,
    pub(super) override_params: Option<Map<String, Value>>,
    pub(super) default_params: Option<Map<String, Value>>,
    pub(super) drop_params: Option<Vec<String>>,
    pub(super) strict_open_ai_compliance: Option<bool>,
    /// Guardrails, and what providers are told beside a key (`azure_resource_name`).
    #[serde(flatten)]
    pub(super) rest: Map<String, Value>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Strategy {
    pub(super) mode: Option<String>,
    pub(super) on_status_codes: Option<Vec<u16>>,
    pub(super) conditions: Option<Vec<Branch>>,
    pub(super) default: Option<String>,
    pub(super) sticky: Option<Sticky>,
    pub(super) sticky_session: Option<Sticky>,
    pub(super) cb_config: Option<Breaker>,
    pub(super) pick: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Branch {
    pub(super) query: Value,
    pub(super) then: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Sticky {
    pub(super) enabled: Option<bool>,
    pub(super) hash_fields: Vec<String>,
}

#[derive(Debug, Default, Clone, Deserialize)]
#[serde(default)]
pub(super) struct Breaker {
    pub(super) failure_threshold: Option<u32>,
    pub(super) failure_threshold_percentage: Option<f64>,
    pub(super) cooldown_interval: Option<u64>,
    pub(super) failure_status_codes: Option<Vec<u16>>,
    pub(super) minimum_requests: Option<u32>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Retry {
    pub(super) attempts: u32,
    pub(super) on_status_codes: Option<Vec<u16>>,
    /// The documentation spells it in the plural as well.
    #[serde(default, alias = "use_retry_after_headers")]
    pub(super) use_retry_after_header: bool,
}

/// Under these keys stand names that are the client's own, or another wire's.
const VERBATIM: [&str; 13] = [
    "override_params",
    "default_params",
    "params",
    "parameters",
    "checks",
    "conditions",
    "input_guardrails",
    "output_guardrails",
    "default_input_guardrails",
    "default_output_guardrails",
    "input_mutators",
    "output_mutators",
    "cb_config",
];

impl Written {
    /// Reads a config. The error names the place.
    pub(super) fn read(config: Value) -> Result<Self, Fault> {
        if !config.is_object() {
            return Err(Fault::new("", "a config is a JSON object, such as {\"provider\": \"openai\"}"));
        }
        serde_path_to_error::deserialize(snake_cased(config)).map_err(|error| {
            let path = error.path().to_string();
            Fault::new(if path == "." { String::new() } else { path }, error.into_inner().to_string())
        })
    }
}

/// `overrideParams` is `override_params`, at every level that is not somebody else's.
fn snake_cased(value: Value) -> Value {
    match value {
        Value::Object(members) => Value::Object(
            members
                .into_iter()
                .map(|(key, value)| {
                    let key = snake_case(&key);
                    let value = if VERBATIM.contains(&key.as_str()) { value } else { snake_cased(value) };
                    (key, value)
                })
                .collect(),
        ),
        Value::Array(items) => Value::Array(items.into_iter().map(snake_cased).collect()),
        other => other,
    }
}

fn snake_case(key: &str) -> String {
    let mut out = String::with_capacity(key.len() + 4);
    for char in key.chars() {
        if char.is_ascii_uppercase() {
            out.push('_');
        }
        out.push(char.to_ascii_lowercase());
    }
    match out.as_str() {
        // Two words in OpenAI's own spelling, three in its capitals.
        "strict_open_a_i_compliance" | "strict_openai_compliance" => "strict_open_ai_compliance".to_owned(),
        _ => out,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn both_spellings_mean_the_same_and_what_is_not_ours_stays() {
        let config = json!({"overrideParams": {"maxTokens": 5}, "virtualKey": "a", "retry": {"attempts": 2, "onStatusCodes": [429]},
            "strategy": {"mode": "conditional", "conditions": [{"query": {"metadata.userPlan": "paid"}, "then": "a"}]}});
        let read = Written::read(config).unwrap();
        assert_eq!(read.virtual_key.as_deref(), Some("a"));
        assert_eq!(read.override_params.unwrap()["maxTokens"], 5);
        assert_eq!(read.retry.unwrap().on_status_codes, Some(vec![429]));
        let branch = &read.strategy.unwrap().conditions.unwrap()[0];
        assert_eq!(branch.query, json!({"metadata.userPlan": "paid"}));
    }

    #[test]
    fn the_place_of_a_mistake_is_named() {
        for (config, path) in [
            (json!([]), ""),
            (json!({"targets": {}}), "targets"),
            (json!({"targets": [{"retry": {"attempts": "three"}}]}), "targets[0].retry.attempts"),
            (json!({"targets": [{}, {"request_timeout": -1}]}), "targets[1].request_timeout"),
            (json!({"strategy": {"conditions": [{"then": "a"}]}}), "strategy.conditions[0]"),
        ] {
            assert_eq!(Written::read(config.clone()).unwrap_err().path, path, "{config}");
        }
    }
}
