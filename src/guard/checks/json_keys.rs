//! The keys of the JSON that an answer must be.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    Kind,
    json::candidates,
    whole::{Judges, Whole},
};
use crate::guard::{rules::Site, verdict::Gate};

/// Matches an answer without a JSON object that has these keys at its top. Every list that is written must hold.
#[derive(Debug, Clone, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct JsonKeys {
    /// Keys that must all be there.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub all: Vec<String>,
    /// Keys of which one must be there.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub any: Vec<String>,
    /// Keys that must not be there.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub none: Vec<String>,
}

impl Kind for JsonKeys {
    fn build(&self, site: &mut Site<'_, '_>) {
        if site.stands_at(Gate::Input) {
            site.problem_at("/stage", "`json_keys` judges answers", "write `stage: output`");
        }
        if self.all.is_empty() && self.any.is_empty() && self.none.is_empty() {
            site.problem("", "all lists are empty", "list keys under `all`, `any` or `none`");
        }
        site.keep(Whole(self.clone()));
    }
}

impl JsonKeys {
    fn holds(&self, value: &Value) -> bool {
        let Some(object) = value.as_object() else { return false };
        let has = |key: &String| object.contains_key(key);
        self.all.iter().all(has) && (self.any.is_empty() || self.any.iter().any(has)) && !self.none.iter().any(has)
    }
}

impl Judges for JsonKeys {
    fn matches(&self, text: &str) -> bool {
        !candidates(text).iter().any(|value| self.holds(value))
    }
}

#[cfg(test)]
mod tests {
    use super::{super::conformance, *};

    fn keys(all: &[&str], any: &[&str], none: &[&str]) -> JsonKeys {
        let list = |keys: &[&str]| keys.iter().map(|&key| key.to_owned()).collect();
        JsonKeys { all: list(all), any: list(any), none: list(none) }
    }

    #[test]
    fn conforms() {
        conformance::holds(&Whole(keys(&["a"], &[], &[])), "{\"b\": 1}");
    }

    #[test]
    fn every_list_must_hold_of_one_object() {
        let keys = keys(&["a"], &["b", "c"], &["d"]);
        assert!(!keys.matches("Here: {\"a\": 1, \"c\": 2}"));
        for text in [
            "{\"a\": 1}",
            "{\"b\": 1}",
            "{\"a\": 1, \"b\": 1, \"d\": 1}",
            "{\"x\": {\"a\": 1, \"b\": 1}}",
            "[\"a\", \"b\"]",
            "{}",
            "a b",
        ] {
            assert!(keys.matches(text), "{text}");
        }
        assert!(!keys.matches("{\"a\": 1} {\"a\": 1, \"b\": 1}"), "any object will do");
    }
}
