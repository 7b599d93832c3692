//! What is allowed and what is not, by name: the form that every kind with such lists shares.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::guard::rules::Site;

/// Names that are allowed, and names that are not. `*` at the end of a name stands for all that begin so.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Listed {
    /// Nothing else is allowed; when empty, all is that is not denied.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub allow: Vec<String>,
    /// Not allowed, whatever `allow` says.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub deny: Vec<String>,
}

impl Listed {
    /// Whether a name is allowed.
    pub fn permits(&self, name: &str) -> bool {
        let named = |list: &[String]| list.iter().any(|listed| covers(listed, name));
        (self.allow.is_empty() || named(&self.allow)) && !named(&self.deny)
    }

    /// Whether it says nothing.
    pub(super) fn is_empty(&self) -> bool {
        self.allow.is_empty() && self.deny.is_empty()
    }

    /// A list that says nothing allows all: its author meant something else.
    pub(super) fn check(&self, below: &str, site: &mut Site<'_, '_>) {
        if self.is_empty() {
            site.problem(below, "both lists are empty, so that everything is allowed", "list names under `allow` or `deny`");
        }
        let lists = [("allow", &self.allow), ("deny", &self.deny)];
        for (name, n) in lists.into_iter().flat_map(|(name, list)| empties(list).map(move |n| (name, n))) {
            site.problem(&format!("{below}/{name}/{n}"), "an empty name names nothing", "remove it");
        }
    }
}

/// Where a list has names that are empty.
fn empties(list: &[String]) -> impl Iterator<Item = usize> + '_ {
    list.iter().enumerate().filter(|(_, name)| name.trim().is_empty()).map(|(n, _)| n)
}

/// Whether a listed name means this one.
pub(super) fn covers(listed: &str, name: &str) -> bool {
    listed.strip_suffix('*').map_or(listed == name, |beginning| name.starts_with(beginning))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_denied_is_not_allowed_by_the_other_list() {
        let list = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        let cases: [(&[&str], &[&str], &str, bool); 7] = [
            (&[], &[], "a", true),
            (&["a"], &[], "a", true),
            (&["a"], &[], "b", false),
            (&["gpt-*"], &[], "gpt-4o", true),
            (&["gpt-*"], &["gpt-4*"], "gpt-4o", false),
            (&[], &["b"], "a", true),
            (&["*"], &[], "anything", true),
        ];
        for (allow, deny, name, permitted) in cases {
            assert_eq!(
                Listed { allow: list(allow), deny: list(deny) }.permits(name),
                permitted,
                "{name} in {allow:?} and {deny:?}"
            );
        }
    }
}
