//! What a request asks of the model beside its text: temperature, seed, format and the like.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{FactCheck, Facts, Kind, listed::Listed};
use crate::guard::rules::Site;

/// Matches a request with a parameter that is not allowed, or that has a value that is not. What is written of them must all hold.
#[derive(Debug, Clone, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Parameters {
    /// Which parameters a request may have: the keys of its body, but for `model`, `messages`, `prompt` and `input`, which make the request.
    #[serde(skip_serializing_if = "Listed::is_empty")]
    pub keys: Listed,
    /// By parameter, the values that it may have. One that is left out of the request has none.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub values: BTreeMap<String, Values>,
}

/// JSON values that are allowed, and values that are not. Numbers are equal by value: 1 is 1.0.
#[derive(Debug, Clone, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Values {
    /// No other value is allowed; when empty, all are that are not denied.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub allow: Vec<Value>,
    /// Not allowed, whatever `allow` says.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub deny: Vec<Value>,
}

impl Kind for Parameters {
    fn build(&self, site: &mut Site<'_, '_>) {
        if self.keys.is_empty() && self.values.is_empty() {
            site.problem("", "every parameter is allowed", "write `keys` or `values`");
        }
        site.keep_fact(self.clone());
    }
}

impl Values {
    fn permit(&self, value: &Value) -> bool {
        let named = |list: &[Value]| list.iter().any(|listed| equal(listed, value));
        (self.allow.is_empty() || named(&self.allow)) && !named(&self.deny)
    }
}

fn equal(a: &Value, b: &Value) -> bool {
    a == b || a.as_f64().is_some_and(|number| b.as_f64() == Some(number))
}

/// What makes a request is no parameter of it.
const NO_PARAMETERS: [&str; 4] = ["model", "messages", "prompt", "input"];

impl FactCheck for Parameters {
    fn matches(&self, facts: &Facts<'_>) -> bool {
        facts.request.json().root().members().any(|(key, value)| {
            let Some(key) = key.as_str().filter(|key| !NO_PARAMETERS.contains(&key.as_ref())) else { return false };
            let judged = self.values.get(key.as_ref());
            let has_value = |values: &Values| serde_json::from_str(value.raw()).is_ok_and(|value| values.permit(&value));
            !self.keys.permits(&key) || judged.is_some_and(|values| !has_value(values))
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{
        super::conformance::{asking, facts},
        *,
    };

    fn matches(parameters: &Value, body: &str) -> bool {
        let parameters: Parameters = serde_json::from_value(parameters.clone()).unwrap();
        parameters.matches(&facts(&asking(body), &[].into()))
    }

    #[test]
    fn parameters_are_allowed_by_name() {
        let body = r#"{"model":"m","messages":[],"temperature":0.5,"seed":1}"#;
        for (keys, expected) in [
            (json!({"allow": ["temperature", "seed"]}), false),
            (json!({"allow": ["temperature"]}), true),
            (json!({"deny": ["seed"]}), true),
            (json!({"deny": ["logit_*"]}), false),
        ] {
            assert_eq!(matches(&json!({"keys": keys}), body), expected, "{keys}");
        }
    }

    #[test]
    fn values_are_judged_as_json() {
        let body = r#"{"model":"m","messages":[],"temperature":1.0,"stop":["a"],"user":"\u0061nn"}"#;
        for (values, expected) in [
            (json!({"temperature": {"allow": [0, 1]}}), false),
            (json!({"temperature": {"allow": [0]}}), true),
            (json!({"temperature": {"deny": [1]}}), true),
            (json!({"stop": {"allow": [["a"]]}}), false),
            (json!({"user": {"deny": ["ann"]}}), true),
            (json!({"seed": {"allow": [1]}}), false),
        ] {
            assert_eq!(matches(&json!({"values": values}), body), expected, "{values}");
        }
    }
}
