//! Which models may be asked for.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    FactCheck, Facts, Kind,
    listed::{Listed, covers},
};
use crate::guard::rules::Site;

/// Matches a request for a model that is not allowed. `*` at the end of a name stands for all that begin so.
#[derive(Debug, Clone, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Model {
    /// The models that are allowed; when empty, all that are not denied.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub allow: Vec<String>,
    /// The models that are not allowed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub deny: Vec<String>,
    /// By key and value of the request's metadata, the models that are allowed in place of `allow`. Those of several values that apply are added up.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub by_metadata: BTreeMap<String, BTreeMap<String, Vec<String>>>,
}

impl Kind for Model {
    fn build(&self, site: &mut Site<'_, '_>) {
        if self.by_metadata.is_empty() {
            Listed { allow: self.allow.clone(), deny: self.deny.clone() }.check("", site);
        }
        site.keep_fact(self.clone());
    }
}

impl FactCheck for Model {
    fn matches(&self, facts: &Facts<'_>) -> bool {
        let model = facts.request.model();
        let named = |list: &[String]| list.iter().any(|listed| covers(listed, model));
        let applying: Vec<_> =
            self.by_metadata.iter().filter_map(|(key, by_value)| by_value.get(facts.metadata.get(key)?)).collect();
        let allowed = match applying[..] {
            [] if self.by_metadata.is_empty() => self.allow.is_empty() || named(&self.allow),
            // With models by metadata, who has none of it has those of `allow`, and no other.
            [] => named(&self.allow),
            _ => applying.into_iter().any(|list| named(list)),
        };
        !allowed || named(&self.deny)
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::conformance::{asking, facts},
        *,
    };

    fn list(names: &[&str]) -> Vec<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    #[test]
    fn models_are_allowed_and_denied_by_name() {
        let model = Model { allow: list(&["gpt-4o*"]), deny: list(&["gpt-4o-audio"]), ..Model::default() };
        for (name, matches) in [("gpt-4o", false), ("gpt-4o-mini", false), ("gpt-4o-audio", true), ("o1", true)] {
            let request = asking(&format!(r#"{{"model":"{name}","messages":[]}}"#));
            assert_eq!(model.matches(&facts(&request, &[].into())), matches, "{name}");
        }
    }

    #[test]
    fn metadata_chooses_other_models() {
        let by_metadata = [
            ("tier".to_owned(), [("gold".to_owned(), list(&["large"]))].into()),
            ("team".to_owned(), [("ml".to_owned(), list(&["lab-*"]))].into()),
        ];
        let model = Model { allow: list(&["small"]), by_metadata: by_metadata.into(), ..Model::default() };
        let cases = [
            ("small", vec![], false),
            ("large", vec![], true),
            ("large", vec![("tier", "gold")], false),
            ("small", vec![("tier", "gold")], true),
            ("lab-1", vec![("tier", "gold"), ("team", "ml")], false),
            ("small", vec![("tier", "tin")], false),
        ];
        for (name, metadata, matches) in cases {
            let request = asking(&format!(r#"{{"model":"{name}","messages":[]}}"#));
            let metadata = metadata.iter().map(|&(key, value)| (key.to_owned(), value.to_owned())).collect();
            assert_eq!(model.matches(&facts(&request, &metadata)), matches, "{name} {metadata:?}");
        }
    }
}
