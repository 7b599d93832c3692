//! Which rules are active: the pack that ships with Lockgate, the operator's folder, and what the configuration says of each.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::Arc,
};

use include_dir::{Dir, include_dir};

use super::{
    compile::{compile, id_of},
    set::{Rule, RuleSet},
    written::Maturity,
};
use crate::{
    diagnostics::{Problem, Report, Source},
    guard::{
        Override, Settings,
        verdict::{Action, Gate},
    },
};

static BUILTIN: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/guardrails");

/// The active rules, one set a gate.
#[derive(Debug)]
pub struct Pack {
    /// For what the model will read.
    pub input: RuleSet,
    /// For what it has written.
    pub output: RuleSet,
}

impl Pack {
    /// Whether there is a rule that cannot judge without a vector of what is asked.
    pub fn demands_vectors(&self) -> bool {
        self.input.rules().iter().any(|rule| rule.demands_vector())
    }
}

/// Loads and compiles every rule. All problems of all files come back together.
pub fn load(settings: &Settings) -> Result<Pack, Vec<Report>> {
    let (mut sources, mut reports) = (BTreeMap::new(), Vec::new());
    if settings.builtin {
        for (path, text) in builtin_files(&BUILTIN) {
            add(&mut sources, &mut reports, &path, Source::new(path.display().to_string(), text));
        }
    }
    for path in settings.directory.as_deref().map(|folder| yaml_files(folder, &mut reports)).unwrap_or_default() {
        match Source::read(&path) {
            Ok(source) => add(&mut sources, &mut reports, &path, source),
            Err(report) => reports.push(report),
        }
    }
    let mut rules = Vec::new();
    for (id, source) in &sources {
        match compile(id, source.clone()) {
            Ok(rule) => rules.extend(applied(rule, settings.overrides.get(id)).map(Arc::new)),
            Err(report) => reports.push(report),
        }
    }
    if !reports.is_empty() {
        return Err(reports);
    }
    let id = fingerprint(&sources, settings);
    let set = |gate| {
        RuleSet::new(gate, id, &rules).map_err(|error| {
            let problem =
                Problem::new(None, format!("the rules' words do not fit one automaton: {error}"), "use fewer or shorter words");
            vec![Report::new(Source::new("guardrails", ""), vec![problem])]
        })
    };
    Ok(Pack { input: set(Gate::Input)?, output: set(Gate::Output)? })
}

/// The ids that the configuration may name: those of the pack, and of the files in the operator's folder.
pub fn known_ids(builtin: bool, directory: Option<&Path>) -> BTreeSet<String> {
    let shipped = if builtin { builtin_files(&BUILTIN) } else { Vec::new() };
    let own = directory.map(|folder| yaml_files(folder, &mut Vec::new())).unwrap_or_default();
    let paths = shipped.into_iter().map(|(path, _)| path).chain(own);
    paths.filter_map(|path| id_of(&path).map(str::to_owned)).collect()
}

/// The operator's word over the file's; a preview rule runs only when it is named.
fn applied(mut rule: Rule, says: Option<&Override>) -> Option<Rule> {
    match says {
        Some(Override::Off) => return None,
        Some(Override::Block) => rule.written.action = Action::Block,
        Some(Override::Warn) => rule.written.action = Action::Warn,
        Some(Override::Replace) => rule.written.action = Action::Replace,
        None if rule.written.maturity == Maturity::Preview => return None,
        None => {}
    }
    Some(rule)
}

fn add(sources: &mut BTreeMap<String, Source>, reports: &mut Vec<Report>, path: &Path, source: Source) {
    let problem = match id_of(path) {
        None => Problem::new(
            None,
            "the file's name is the rule's id, and this one is no id",
            "name it with small letters, digits and dashes: `payment-card.yaml`",
        ),
        Some(id) => match sources.get(id) {
            // The operator's file takes the place of the one that ships; two files of one folder do not.
            Some(other) if !other.name().starts_with("guardrails/") || source.name().starts_with("guardrails/") => Problem::new(
                None,
                format!("there are two rules `{id}`: the other is {}", other.name()),
                "rename one of the files",
            ),
            _ => {
                sources.insert(id.to_owned(), source);
                return;
            }
        },
    };
    reports.push(Report::new(source, vec![problem]));
}

fn fingerprint(sources: &BTreeMap<String, Source>, settings: &Settings) -> [u8; 16] {
    let mut hasher = blake3::Hasher::new();
    for (id, source) in sources {
        hasher.update(id.as_bytes()).update(&[0]).update(source.text().as_bytes()).update(&[0]);
        hasher.update(format!("{:?}", settings.overrides.get(id)).as_bytes()).update(&[0]);
    }
    let mut id = [0; 16];
    hasher.finalize_xof().fill(&mut id);
    id
}

fn is_rule(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml")
}

fn builtin_files(dir: &'static Dir<'static>) -> Vec<(PathBuf, &'static str)> {
    let files = dir.files().filter(|file| is_rule(file.path()));
    let mut out: Vec<_> =
        files.filter_map(|file| Some((Path::new("guardrails").join(file.path()), file.contents_utf8()?))).collect();
    out.extend(dir.dirs().flat_map(builtin_files));
    out
}

/// The rule files of a folder and those below it, in order of their paths.
fn yaml_files(folder: &Path, reports: &mut Vec<Report>) -> Vec<PathBuf> {
    let mut out = Vec::new();
    let entries = std::fs::read_dir(folder).and_then(Iterator::collect::<std::io::Result<Vec<_>>>);
    match entries {
        Ok(entries) => {
            for entry in entries {
                let path = entry.path();
                // A link could lead in a circle; what a folder links to is not searched.
                match entry.file_type() {
                    Ok(kind) if kind.is_dir() => out.extend(yaml_files(&path, reports)),
                    Ok(_) if is_rule(&path) => out.push(path),
                    _ => {}
                }
            }
        }
        Err(error) => {
            let problem = Problem::new(
                None,
                format!("the folder of rules cannot be read: {error}"),
                "create it, or remove `guardrails.directory`",
            );
            reports.push(Report::new(Source::new(folder.display().to_string(), ""), vec![problem]));
        }
    }
    out.sort();
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> Settings {
        Settings { builtin: true, directory: None, overrides: BTreeMap::new() }
    }

    /// Every rule that ships, preview ones too.
    fn every_rule() -> Vec<Arc<Rule>> {
        builtin_files(&BUILTIN)
            .into_iter()
            .map(|(path, text)| compile(id_of(&path).unwrap(), Source::new(path.display().to_string(), text)).unwrap())
            .map(Arc::new)
            .collect()
    }

    #[test]
    fn every_rule_that_ships_holds_its_own_examples() {
        let rules = every_rule();
        assert!(rules.len() >= 10, "{} rules", rules.len());
        for rule in rules {
            for text in &rule.written().examples.matching {
                assert!(!rule.find(text).is_empty(), "{} does not match {text:?}", rule.id());
            }
            for text in &rule.written().examples.pass {
                assert!(rule.find(text).is_empty(), "{} matches {text:?}", rule.id());
            }
        }
    }

    #[test]
    fn the_prefilter_wakes_every_rule_on_its_own_examples() {
        use crate::wire::{Role, Text};
        for gate in [Gate::Input, Gate::Output] {
            let set = RuleSet::new(gate, [0; 16], &every_rule()).unwrap();
            for (n, rule) in set.rules().iter().enumerate() {
                for example in &rule.written().examples.matching {
                    let text = Text { role: Role::User, text: example.into(), span: 0..0 };
                    let found = set.scan(std::slice::from_ref(&text));
                    let looks =
                        rule.written().roles.is_empty() || rule.written().roles.contains(&super::super::written::RoleName::User);
                    assert_eq!(found.iter().any(|finding| finding.rule == n), looks, "{} on {example:?}", rule.id());
                }
            }
        }
    }

    #[test]
    fn the_configuration_has_the_last_word() {
        let mut settings = settings();
        let names = |pack: &Pack| pack.input.rules().iter().map(|rule| rule.id().to_owned()).collect::<Vec<_>>();
        let before = load(&settings).unwrap();
        assert!(!names(&before).contains(&"medical-dosage".to_owned()), "a preview rule is off");
        settings.overrides.insert("medical-dosage".to_owned(), Override::Block);
        settings.overrides.insert("payment-card".to_owned(), Override::Off);
        let after = load(&settings).unwrap();
        assert!(names(&after).contains(&"medical-dosage".to_owned()));
        assert!(!names(&after).contains(&"payment-card".to_owned()));
        assert_ne!(before.input.id(), after.input.id());
    }

    #[test]
    fn a_folder_adds_and_replaces_rules_and_all_its_problems_are_told_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let rule = "summary: s\nwhy: w\nstage: input\naction: block\nmatch: {words: [zebra]}\nexamples: {match: [a zebra], pass: [a horse]}\n";
        std::fs::write(folder.path().join("payment-card.yaml"), rule).unwrap();
        let settings = Settings { directory: Some(folder.path().to_owned()), ..settings() };
        let pack = load(&settings).unwrap();
        let replaced = pack.input.rules().iter().find(|rule| rule.id() == "payment-card").unwrap();
        assert_eq!(replaced.written().action, Action::Block);

        std::fs::write(folder.path().join("one.yaml"), "summary: [").unwrap();
        std::fs::write(folder.path().join("two.yaml"), "summary: s").unwrap();
        std::fs::write(folder.path().join("No Id.yaml"), rule).unwrap();
        assert_eq!(load(&settings).unwrap_err().len(), 3);
    }
}
