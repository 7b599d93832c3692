//! Which endpoints may be called.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{FactCheck, Facts, Kind, listed::Listed};
use crate::{guard::rules::Site, wire};

/// Matches a request to an endpoint that is not allowed: `chat`, `completions` or `embeddings`.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(transparent)]
pub struct Endpoint(pub(super) Listed);

impl Kind for Endpoint {
    fn build(&self, site: &mut Site<'_, '_>) {
        self.0.check("", site);
        for (name, list) in [("allow", &self.0.allow), ("deny", &self.0.deny)] {
            let unknown = list.iter().enumerate().filter(|(_, word)| wire::Endpoint::named(word).is_none());
            for (n, word) in unknown {
                let known: Vec<_> = wire::Endpoint::ALL.map(wire::Endpoint::as_str).into();
                let remedy = format!("write one of {}", known.join(", "));
                site.problem(&format!("/{name}/{n}"), format!("there is no endpoint `{word}`"), remedy);
            }
        }
        site.keep_fact(self.clone());
    }
}

impl FactCheck for Endpoint {
    fn matches(&self, facts: &Facts<'_>) -> bool {
        !self.0.permits(facts.request.endpoint().as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::conformance::{asking, facts},
        *,
    };

    #[test]
    fn endpoints_are_allowed_and_denied() {
        let list = |allow: &[&str], deny: &[&str]| {
            let own = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect();
            Endpoint(Listed { allow: own(allow), deny: own(deny) })
        };
        let chat = asking(r#"{"model":"m","messages":[]}"#);
        let cases = [
            (list(&["chat"], &[]), false),
            (list(&["embeddings"], &[]), true),
            (list(&[], &["chat"]), true),
            (list(&[], &["completions"]), false),
        ];
        for (endpoint, matches) in cases {
            assert_eq!(endpoint.matches(&facts(&chat, &[].into())), matches, "{endpoint:?}");
        }
    }
}
