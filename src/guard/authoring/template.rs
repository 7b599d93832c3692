//! `rules new`: a rule of each kind to begin with, which loads and proves itself.

use include_dir::{Dir, include_dir};

static TEMPLATES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/src/guard/authoring/templates");

/// The kinds of match that there is a template for: the keys under `match`.
pub fn kinds() -> impl Iterator<Item = &'static str> {
    TEMPLATES.files().filter_map(|file| file.path().file_stem()?.to_str())
}

/// A rule file of this kind, with comments.
pub fn of(kind: &str) -> Option<&'static str> {
    TEMPLATES.get_file(format!("{kind}.yaml"))?.contents_utf8()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        diagnostics::Source,
        guard::rules::{compile, written::Match},
    };

    #[test]
    fn there_is_a_template_for_every_kind_and_for_nothing_else() {
        let schema = schemars::schema_for!(Match).to_value();
        let mut known: Vec<_> = schema["properties"].as_object().unwrap().keys().cloned().collect();
        let mut kinds: Vec<_> = kinds().map(str::to_owned).collect();
        known.sort();
        kinds.sort();
        assert_eq!(kinds, known, "templates, and the keys of `match`");
    }

    #[test]
    fn every_template_is_a_rule_of_its_kind_that_proves_itself() {
        for kind in kinds() {
            let text = of(kind).unwrap();
            let rule = compile("new", Source::new(format!("{kind}.yaml"), text)).unwrap_or_else(|report| panic!("{report}"));
            let matching = serde_json::to_value(&rule.written().matching).unwrap();
            assert!(!matching[kind].is_null() && matching[kind] != serde_json::json!([]), "{kind}");
            assert!(text.lines().filter(|line| line.trim_start().starts_with('#')).count() >= 2, "{kind} explains itself");
        }
    }
}
