//! What the authors of rules are told: which examples hold and which parts no example shows, what a text would meet, what looks wrong, what recorded
//! traffic would have met. Nothing here runs while requests are served.

use std::{path::PathBuf, sync::Arc};

pub mod coverage;
pub mod examine;
pub mod lint;
pub mod replay;
mod sample;
pub mod template;
pub mod trial;

use super::{
    Settings,
    rules::{Rule, RuleFile, Sources, effective, gather, gather_at},
    verdict::Action,
};
use crate::diagnostics::{Report, Source};

/// Rule files by the ids of their rules, as an author works on them: one that is broken does not hide the others.
#[derive(Debug)]
pub struct Library {
    sources: Sources,
    reports: Vec<Report>,
    settings: Settings,
}

/// A rule of a library.
#[derive(Debug)]
pub struct Entry {
    /// The rule as its file says it.
    pub rule: Arc<Rule>,
    /// The file.
    pub file: String,
    /// What it does under the configuration; `None` if it does not run.
    pub effective: Option<Action>,
}

impl Library {
    /// What a configuration loads, and what it leaves off.
    pub fn of(settings: &Settings) -> Self {
        let (sources, reports) = gather(settings);
        Self { sources, reports, settings: settings.clone() }
    }

    /// The rules in some files and folders alone.
    pub fn at(paths: &[PathBuf], settings: &Settings) -> Self {
        let (sources, reports) = gather_at(paths);
        Self { sources, reports, settings: settings.clone() }
    }

    /// The files, by the ids of their rules.
    pub fn sources(&self) -> impl ExactSizeIterator<Item = (&str, &Source)> {
        self.sources.iter().map(|(id, file)| (id.as_str(), &file.source))
    }

    /// What is wrong with the names of files, and with folders.
    pub fn reports(&self) -> &[Report] {
        &self.reports
    }

    /// Every rule, or every problem of every file.
    pub fn entries(&self) -> Result<Vec<Entry>, Vec<Report>> {
        let (mut entries, mut reports) = (Vec::new(), self.reports.clone());
        for (id, file) in &self.sources {
            match file.compile(id) {
                Ok(rule) => entries.push(self.entry(rule, file)),
                Err(report) => reports.push(report),
            }
        }
        if reports.is_empty() { Ok(entries) } else { Err(reports) }
    }

    fn entry(&self, rule: Rule, file: &RuleFile) -> Entry {
        let effective = effective(rule.written(), self.settings.overrides.get(rule.id()));
        Entry { rule: Arc::new(rule), file: file.source.name().to_owned(), effective }
    }

    /// The id most like one that there is not, to ask whether it was meant.
    pub fn nearest(&self, id: &str) -> Option<&str> {
        let likeness = |known: &str| strsim::jaro_winkler(known, id);
        let nearest = self.sources.keys().max_by(|a, b| likeness(a).total_cmp(&likeness(b)))?;
        Some(nearest.as_str()).filter(|nearest| likeness(nearest) > 0.7)
    }
}

#[cfg(test)]
pub(in crate::guard) mod tests {
    use super::*;
    use crate::guard::Override;

    pub(in crate::guard) fn builtin() -> Settings {
        Settings { builtin: true, directory: None, overrides: std::collections::BTreeMap::new() }
    }

    /// A rule of this `match`, with these examples, both in YAML.
    pub(in crate::guard) fn rule(matching: &str, examples: &str) -> String {
        format!("summary: s\nwhy: w\nstage: input\naction: warn\nmatch: {matching}\nexamples: {examples}\n")
    }

    #[test]
    fn a_library_says_what_each_rule_does_under_the_configuration() {
        let mut settings = builtin();
        settings.overrides.insert("jwt".to_owned(), Override::Block);
        let entries = Library::of(&settings).entries().unwrap();
        let effective = |id: &str| entries.iter().find(|entry| entry.rule.id() == id).unwrap().effective;
        assert_eq!(effective("jwt"), Some(Action::Block));
        assert_eq!(effective("payment-card"), Some(Action::Replace));
        assert_eq!(effective("medical-dosage"), None, "a preview rule that nobody named");
    }

    #[test]
    fn it_guesses_which_id_was_meant() {
        let library = Library::of(&builtin());
        assert_eq!(library.nearest("payment-crad"), Some("payment-card"));
        assert_eq!(library.nearest("zzz"), None);
    }

    #[test]
    fn a_broken_file_is_told_with_its_place() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("one.yaml"), rule("{words: [a]}", "{match: [a], pass: [b]}")).unwrap();
        std::fs::write(folder.path().join("two.yaml"), "summary: [").unwrap();
        let library = Library::at(&[folder.path().to_owned()], &builtin());
        assert_eq!(library.sources().len(), 2);
        assert_eq!(library.entries().unwrap_err().len(), 1);
    }
}
