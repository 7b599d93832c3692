//! How a text begins and ends.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Kind,
    whole::{Judges, Whole},
};
use crate::guard::rules::Site;

/// Matches a text that begins with one of these, letter for letter.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(transparent)]
pub struct StartsWith(Vec<String>);

/// Matches a text that ends with one of these, letter for letter.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(transparent)]
pub struct EndsWith(Vec<String>);

impl Kind for StartsWith {
    fn build(&self, site: &mut Site<'_, '_>) {
        check(&self.0, site);
        site.keep(Whole(Prefix(self.0.clone())));
    }
}

impl Kind for EndsWith {
    fn build(&self, site: &mut Site<'_, '_>) {
        check(&self.0, site);
        site.keep(Whole(Suffix(self.0.clone())));
    }
}

fn check(list: &[String], site: &mut Site<'_, '_>) {
    if list.is_empty() || list.iter().any(|part| part.trim().is_empty()) {
        site.problem("", "this needs texts that are not empty: every text begins and ends with nothing", "list them");
    }
}

/// Matches a text with one of these beginnings.
#[derive(Debug)]
struct Prefix(Vec<String>);

impl Judges for Prefix {
    fn matches(&self, text: &str) -> bool {
        self.0.iter().any(|prefix| text.starts_with(prefix))
    }
}

/// Matches a text with one of these ends.
#[derive(Debug)]
pub(super) struct Suffix(pub(super) Vec<String>);

impl Judges for Suffix {
    fn matches(&self, text: &str) -> bool {
        self.0.iter().any(|suffix| text.ends_with(suffix))
    }
}

#[cfg(test)]
mod tests {
    use super::{super::conformance, *};

    #[test]
    fn conforms() {
        conformance::holds(&Whole(Prefix(vec!["Sure".to_owned()])), "Sure, here it is");
        conformance::holds(&Whole(Suffix(vec!["?".to_owned()])), "Is it?");
    }

    #[test]
    fn beginnings_and_ends_are_told_apart() {
        let (prefix, suffix) = (Prefix(vec!["ab".to_owned()]), Suffix(vec!["ab".to_owned(), "!".to_owned()]));
        assert!(prefix.matches("abc") && !prefix.matches("cab") && !prefix.matches("ABC"));
        assert!(suffix.matches("cab") && suffix.matches("oh!") && !suffix.matches("abc"));
    }
}
