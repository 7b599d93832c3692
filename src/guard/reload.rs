//! Loading the rules again: others take the place of those that are, all of them or none, and what came of it is told.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use arc_swap::ArcSwap;
use metrics::{counter, gauge};

use super::{
    Meaning, Profiles, Rules, Settings,
    gates::State,
    replace::HashKey,
    rules::{Pack, files, load},
};
use crate::{
    clock,
    diagnostics::Report,
    telemetry::{label, metric},
};

/// Reads again which rules guard.
pub(super) type Reread = Box<dyn Fn() -> Result<(Settings, Profiles), Report> + Send + Sync>;

/// How the rules got to be what they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// Counts the states of the rules, from 1 at the start.
    pub generation: u64,
    /// When this state was loaded, in seconds since the Unix epoch.
    pub loaded_at: u64,
    /// Why a later state is not in place: what is wrong, without a line of any file.
    pub last_error: Option<String>,
}

/// What a reload came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reloaded {
    /// Other rules are in place for the requests that begin from now on.
    Replaced,
    /// Nothing has changed.
    Unchanged,
}

impl Reloaded {
    /// The word used in metrics and answers.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Replaced => "replaced",
            Self::Unchanged => "unchanged",
        }
    }
}

impl Rules {
    /// Begins with a pack that was loaded by these settings, and whose sentences `meaning` has learnt; `reread` gives those of a reload. Values are hashed with what is made from the installation's secret.
    pub fn new(
        pack: Pack,
        (settings, profiles): (Settings, Profiles),
        secret: &[u8; 32],
        meaning: Meaning,
        reread: impl Fn() -> Result<(Settings, Profiles), Report> + Send + Sync + 'static,
    ) -> Self {
        let status = Status { generation: 1, loaded_at: clock::unix_seconds(), last_error: None };
        gauge!(metric::RULES_GENERATION).set(1.0);
        let key = HashKey::new(secret);
        Self {
            now: ArcSwap::from_pointee(State::new(pack, profiles, key)),
            key,
            meaning,
            status: ArcSwap::from_pointee(status),
            reread: Box::new(reread),
            settings: Mutex::new(settings),
        }
    }

    /// How they got to be what they are.
    pub fn status(&self) -> Arc<Status> {
        self.status.load_full()
    }

    /// The files and the folder of rules that are outside of the binary. Reads the disk.
    pub fn files(&self) -> Vec<PathBuf> {
        let settings = self.settings.lock().unwrap_or_else(PoisonError::into_inner).clone();
        files(&settings)
    }

    /// Loads all rules again. What cannot be loaded whole changes nothing. Reads files, compiles patterns and embeds sentences, so it belongs on a thread that may block.
    pub fn reload(&self) -> Result<Reloaded, Vec<Report>> {
        let mut settings = self.settings.lock().unwrap_or_else(PoisonError::into_inner);
        let loaded = (self.reread)()
            .map_err(|report| vec![report])
            .and_then(|(settings, profiles)| Ok((self.load(&settings)?, settings, profiles)));
        match loaded {
            Ok((pack, read, profiles)) => {
                *settings = read;
                Ok(self.put(pack, profiles))
            }
            Err(reports) => {
                self.keep(&reports);
                Err(reports)
            }
        }
    }

    fn load(&self, settings: &Settings) -> Result<Pack, Vec<Report>> {
        let pack = load(settings)?;
        self.meaning.prepare(&pack)?;
        Ok(pack)
    }

    fn put(&self, pack: Pack, profiles: Profiles) -> Reloaded {
        let before = self.status();
        let same = self.now.load().is(&pack, &profiles);
        let reloaded = if same { Reloaded::Unchanged } else { Reloaded::Replaced };
        counter!(metric::RULES_RELOADS, label::OUTCOME => reloaded.as_str()).increment(1);
        if same {
            self.status.store(Arc::new(Status { last_error: None, ..(*before).clone() }));
            tracing::info!(generation = before.generation, "The rules were read again, and nothing has changed.");
            return reloaded;
        }
        let generation = before.generation + 1;
        let (input, output) = (pack.input.rules().len(), pack.output.rules().len());
        self.now.store(Arc::new(State::new(pack, profiles, self.key)));
        self.status.store(Arc::new(Status { generation, loaded_at: clock::unix_seconds(), last_error: None }));
        gauge!(metric::RULES_GENERATION).set(generation as f64);
        tracing::info!(generation, input, output, "Other rules are in place for the requests that begin from now on.");
        reloaded
    }

    fn keep(&self, reports: &[Report]) {
        counter!(metric::RULES_RELOADS, label::OUTCOME => "refused").increment(1);
        let before = self.status();
        let last_error = reports.first().map(|report| summary(report, reports.len()));
        self.status.store(Arc::new(Status { last_error, ..(*before).clone() }));
        let problems = reports.iter().map(Report::to_string).collect::<Vec<_>>().join("\n");
        tracing::error!(
            generation = before.generation,
            "The rules that were loaded before stay in place, all of them:\n{problems}"
        );
    }
}

/// The first problem and how many there are, in one line. A readiness probe may come from elsewhere, so no line of a file is in it.
fn summary(report: &Report, files: usize) -> String {
    let source = report.source();
    let Some(problem) = report.problems().first() else { return source.name().to_owned() };
    let place = problem.span.as_ref().map(|span| source.place(span.start));
    let place = place.map_or_else(String::new, |(line, column)| format!(":{line}:{column}"));
    let more = match (report.problems().len() - 1, files - 1) {
        (0, 0) => String::new(),
        (more, 0) => format!("; {more} more in this file"),
        (_, others) => format!("; more in {others} other files"),
    };
    format!("{}{place}: {}{more}", source.name(), problem.message)
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::*;
    use crate::guard::authoring::tests::rule;

    fn rules(folder: &Path) -> Rules {
        let settings = Settings { builtin: false, directory: Some(folder.to_owned()), overrides: Default::default() };
        let again = settings.clone();
        Rules::new(load(&settings).unwrap(), (settings, Profiles::default()), &[0; 32], Meaning::new(None), move || {
            Ok((again.clone(), Profiles::default()))
        })
    }

    fn write(folder: &Path, word: &str) {
        let text = rule(&format!("{{words: [{word}]}}"), &format!("{{match: [a {word}], pass: [a horse]}}"));
        fs::write(folder.join("animal.yaml"), text).unwrap();
    }

    fn finds(rules: &Rules, text: &str) -> bool {
        rules.gates().input.rules().rules().iter().any(|rule| !rule.find(text).is_empty())
    }

    #[test]
    fn a_reload_is_all_or_nothing_and_says_what_became_of_it() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), "zebra");
        let rules = rules(folder.path());
        let (before, status) = (rules.gates(), rules.status());
        assert_eq!((status.generation, status.last_error.clone()), (1, None));
        assert_eq!(rules.reload().unwrap(), Reloaded::Unchanged);

        write(folder.path(), "okapi");
        assert_eq!(rules.reload().unwrap(), Reloaded::Replaced);
        assert!(finds(&rules, "an okapi") && !finds(&rules, "a zebra"));
        assert!(before.input.rules().rules()[0].find("a zebra") == [2..7], "who is under way keeps the rules it began with");

        write(folder.path(), "lion");
        fs::write(folder.path().join("broken.yaml"), "summary: s\nstage: sideways\n").unwrap();
        assert_eq!(rules.reload().unwrap_err().len(), 1);
        assert!(finds(&rules, "an okapi") && !finds(&rules, "a lion"), "nothing of a broken state is in place");
        let status = rules.status();
        assert_eq!(status.generation, 2);
        let error = status.last_error.clone().unwrap();
        assert!(error.contains("broken.yaml:") && error.contains("more in this file") && !error.contains("sideways"), "{error}");

        fs::remove_file(folder.path().join("broken.yaml")).unwrap();
        assert_eq!(rules.reload().unwrap(), Reloaded::Replaced);
        assert_eq!((rules.status().generation, rules.status().last_error.clone()), (3, None));
    }

    #[test]
    fn it_names_the_files_to_watch() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), "zebra");
        assert_eq!(rules(folder.path()).files(), [folder.path().join("animal.yaml"), folder.path().to_owned()]);
    }
}
