//! What a client says of a request beside it: the metadata of `x-portkey-metadata`.

use std::collections::BTreeMap;

use regex::Regex;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{FactCheck, Facts, Kind};
use crate::guard::rules::Site;

/// Matches a request whose metadata lacks what is required.
#[derive(Debug, Clone, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Metadata {
    /// How much of `keys` and `values` must be there.
    pub require: Quantity,
    /// Keys, whatever their values are.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<String>,
    /// Keys, each with what its value must be.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub values: BTreeMap<String, Wanted>,
}

/// How much of a list.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Quantity {
    /// Each.
    #[default]
    All,
    /// At least one.
    Any,
    /// Not one.
    None,
}

impl Quantity {
    pub(super) fn holds(self, mut each: impl Iterator<Item = bool>) -> bool {
        match self {
            Self::All => each.all(|holds| holds),
            Self::Any => each.any(|holds| holds),
            Self::None => !each.any(|holds| holds),
        }
    }
}

/// What a value must be.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Wanted {
    /// This text.
    Exact(String),
    /// A text with this in it.
    Contains(String),
    /// A text with all of these in it.
    ContainsAll(Vec<String>),
    /// A text that this regular expression matches somewhere.
    Regex(String),
}

impl Kind for Metadata {
    fn build(&self, site: &mut Site<'_, '_>) {
        if self.keys.is_empty() && self.values.is_empty() {
            site.problem("", "nothing is required", "list keys under `keys`, or what their values must be under `values`");
        }
        let mut values = Vec::new();
        for (key, wanted) in &self.values {
            let place = format!("/values/{}/regex", key.replace('~', "~0").replace('/', "~1"));
            let test = match wanted {
                Wanted::Exact(text) => Some(Test::Exact(text.clone())),
                Wanted::Contains(text) => Some(Test::ContainsAll(vec![text.clone()])),
                Wanted::ContainsAll(texts) => Some(Test::ContainsAll(texts.clone())),
                Wanted::Regex(pattern) => site.regex(&place, pattern).map(Test::Regex),
            };
            values.extend(test.map(|test| (key.clone(), test)));
        }
        site.keep_fact(Required { quantity: self.require, keys: self.keys.clone(), values });
    }
}

/// What a value is held to.
#[derive(Debug)]
pub(super) enum Test {
    Exact(String),
    ContainsAll(Vec<String>),
    Regex(Regex),
    /// JavaScript's, for what comes from a Portkey config.
    Script(super::script::Script),
}

impl Test {
    fn holds(&self, value: &str) -> bool {
        match self {
            Self::Exact(text) => value == text,
            Self::ContainsAll(texts) => texts.iter().all(|text| value.contains(text)),
            Self::Regex(regex) => regex.is_match(value),
            Self::Script(script) => script.is_match(value),
        }
    }
}

/// Matches a request without the metadata that is required.
#[derive(Debug)]
pub(super) struct Required {
    pub(super) quantity: Quantity,
    pub(super) keys: Vec<String>,
    pub(super) values: Vec<(String, Test)>,
}

impl FactCheck for Required {
    fn matches(&self, facts: &Facts<'_>) -> bool {
        let keys = self.keys.iter().map(|key| facts.metadata.contains_key(key));
        let values = self.values.iter().map(|(key, test)| facts.metadata.get(key).is_some_and(|value| test.holds(value)));
        !self.quantity.holds(keys.chain(values))
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::conformance::{asking, facts},
        *,
    };

    fn matches(check: &Required) -> bool {
        let request = asking(r#"{"model":"m","messages":[]}"#);
        let metadata = [("env", "prod"), ("team", "search, ranking")].map(|(key, value)| (key.to_owned(), value.to_owned()));
        check.matches(&facts(&request, &metadata.into()))
    }

    #[test]
    fn keys_are_required_all_any_or_none() {
        let required = |quantity, keys: &[&str]| Required {
            quantity,
            keys: keys.iter().map(|&key| key.to_owned()).collect(),
            values: vec![],
        };
        let cases: [(Quantity, &[&str], bool); 7] = [
            (Quantity::All, &["env", "team"], false),
            (Quantity::All, &["env", "user"], true),
            (Quantity::Any, &["env", "user"], false),
            (Quantity::Any, &["user"], true),
            (Quantity::None, &["user"], false),
            (Quantity::None, &["user", "env"], true),
            (Quantity::All, &["Env"], true),
        ];
        for (quantity, keys, expected) in cases {
            assert_eq!(matches(&required(quantity, keys)), expected, "{quantity:?} of {keys:?}");
        }
    }

    #[test]
    fn values_are_held_to_what_is_wanted_of_them() {
        let required = |key: &str, test| Required { quantity: Quantity::All, keys: vec![], values: vec![(key.to_owned(), test)] };
        let list = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect();
        let cases = [
            ("env", Test::Exact("prod".to_owned()), false),
            ("env", Test::Exact("pro".to_owned()), true),
            ("team", Test::ContainsAll(list(&["search", "ranking"])), false),
            ("team", Test::ContainsAll(list(&["search", "ads"])), true),
            ("env", Test::Regex(Regex::new("^pro").unwrap()), false),
            ("env", Test::Regex(Regex::new("^o").unwrap()), true),
            ("user", Test::Regex(Regex::new("").unwrap()), true),
        ];
        for (key, test, expected) in cases {
            let required = required(key, test);
            assert_eq!(matches(&required), expected, "{required:?}");
        }
    }
}
