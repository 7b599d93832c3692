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
    written::{Maturity, Written},
};
use crate::{
    diagnostics::{Problem, Report, Source},
    guard::{
        Override, Settings,
        verdict::{Action, Gate, Mode},
    },
};

/// Where the rules that ship lie, as reports name them.
const SHIPPED: &str = "guardrails";

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
    /// The groups that its rules belong to.
    pub fn groups(&self) -> impl Iterator<Item = &str> {
        let compiled = [&self.input, &self.output].into_iter().flat_map(RuleSet::compiled);
        compiled.filter_map(|rule| rule.group())
    }

    fn of(rules: &[Arc<Rule>], id: [u8; 16]) -> Result<Self, Report> {
        let set = |gate| {
            let set = RuleSet::new(gate, id, rules).map(|set| set.select(|rule| rule.stands().then_some(Mode::Enforce)));
            set.map_err(|error| {
                let message = format!("the rules' words do not fit one automaton: {error}");
                Report::new(Source::new(SHIPPED, ""), vec![Problem::new(None, message, "use fewer or shorter words")])
            })
        };
        Ok(Self { input: set(Gate::Input)?, output: set(Gate::Output)? })
    }
}

/// A file and the group that its rule belongs to.
#[derive(Debug, Clone)]
pub(in crate::guard) struct RuleFile {
    /// What it says.
    pub(in crate::guard) source: Source,
    /// The folder that it lies in.
    pub(in crate::guard) group: Option<String>,
}

impl RuleFile {
    /// The rule as the file says it.
    pub(in crate::guard) fn compile(&self, id: &str) -> Result<Rule, Report> {
        Ok(Rule { group: self.group.clone(), ..compile(id, self.source.clone())? })
    }
}

/// Rule files by the ids of their rules.
pub(in crate::guard) type Sources = BTreeMap<String, RuleFile>;

/// The rule files of a configuration, with what is wrong with their names and folders.
pub(in crate::guard) fn gather(settings: &Settings) -> (Sources, Vec<Report>) {
    let (mut sources, mut reports) = (Sources::new(), Vec::new());
    if settings.builtin {
        for (path, text) in builtin_files(&BUILTIN) {
            let source = Source::new(path.display().to_string(), text);
            add(&mut sources, &mut reports, &path, RuleFile { source, group: group_of(Path::new(SHIPPED), &path) });
        }
    }
    if let Some(folder) = settings.directory.as_deref() {
        for path in yaml_files(folder, &mut reports) {
            add_file(&mut sources, &mut reports, folder, &path);
        }
    }
    (sources, reports)
}

/// The rule files at some paths, each a file or a folder.
pub(in crate::guard) fn gather_at(paths: &[PathBuf]) -> (Sources, Vec<Report>) {
    let (mut sources, mut reports) = (Sources::new(), Vec::new());
    for path in paths {
        let files = if path.is_dir() { yaml_files(path, &mut reports) } else { vec![path.clone()] };
        for file in &files {
            add_file(&mut sources, &mut reports, path, file);
        }
    }
    (sources, reports)
}

fn add_file(sources: &mut Sources, reports: &mut Vec<Report>, root: &Path, path: &Path) {
    match Source::read(path) {
        Ok(source) => add(sources, reports, path, RuleFile { source, group: group_of(root, path) }),
        Err(report) => reports.push(report),
    }
}

/// Loads and compiles every rule. All problems of all files come back together.
pub fn load(settings: &Settings) -> Result<Pack, Vec<Report>> {
    let (sources, mut reports) = gather(settings);
    let mut rules = Vec::new();
    for (id, file) in &sources {
        match file.compile(id) {
            Ok(rule) => {
                let says = settings.overrides.get(id);
                if says == Some(&Override::Replace) && rule.checks.judge_the_whole() {
                    reports.push(Report::new(file.source.clone(), vec![nothing_to_replace(id)]));
                }
                rules.extend(applied(rule, says).map(Arc::new));
            }
            Err(report) => reports.push(report),
        }
    }
    if !reports.is_empty() {
        return Err(reports);
    }
    Pack::of(&rules, fingerprint(&sources, settings)).map_err(|report| vec![report])
}

/// A pack of rules that run as they are written, whatever a configuration says.
pub fn assemble(sources: impl IntoIterator<Item = (String, Source)>) -> Result<Pack, Vec<Report>> {
    let (mut rules, mut reports) = (Vec::new(), Vec::new());
    for (id, source) in sources {
        match compile(&id, source) {
            Ok(rule) => rules.push(Arc::new(rule)),
            Err(report) => reports.push(report),
        }
    }
    if reports.is_empty() { Pack::of(&rules, [0; 16]).map_err(|report| vec![report]) } else { Err(reports) }
}

/// What the configuration may name.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// Rules: those of the pack, and of the files in the operator's folder.
    pub ids: BTreeSet<String>,
    /// Groups of rules: the folders that the files lie in.
    pub groups: BTreeSet<String>,
}

impl Known {
    /// What there is to be named under these settings.
    pub fn of(builtin: bool, directory: Option<&Path>) -> Self {
        let mut known = Self::default();
        let shipped = if builtin { builtin_files(&BUILTIN) } else { Vec::new() };
        let own = directory.map(|folder| (folder, yaml_files(folder, &mut Vec::new())));
        known.add(Path::new(SHIPPED), shipped.iter().map(|(path, _)| path));
        if let Some((folder, paths)) = &own {
            known.add(folder, paths.iter());
        }
        known
    }

    fn add<'p>(&mut self, root: &Path, paths: impl Iterator<Item = &'p PathBuf>) {
        for path in paths {
            self.ids.extend(id_of(path).map(str::to_owned));
            self.groups.extend(group_of(root, path));
        }
    }
}

/// The folder that a file below `root` lies in.
fn group_of(root: &Path, path: &Path) -> Option<String> {
    let folder = path.strip_prefix(root).ok()?.parent()?.file_name()?;
    folder.to_str().map(str::to_owned)
}

/// The files of rules that are outside of the binary, and their folder, as far as it can be read.
pub fn files(settings: &Settings) -> Vec<PathBuf> {
    let of = |folder: &PathBuf| yaml_files(folder, &mut Vec::new()).into_iter().chain([folder.clone()]).collect();
    settings.directory.as_ref().map(of).unwrap_or_default()
}

fn nothing_to_replace(id: &str) -> Problem {
    let message = format!("`guardrails.rules` says that `{id}` replaces, and it judges the whole, which cannot be replaced");
    Problem::new(None, message, "write `warn` or `block` there")
}

/// To name a rule is to switch it on, even one in preview.
fn applied(mut rule: Rule, says: Option<&Override>) -> Option<Rule> {
    rule.written.action = action_of(&rule.written, says)?;
    rule.stands |= says.is_some();
    Some(rule)
}

/// The operator's word over the file's; `None` if the rule is off.
fn action_of(written: &Written, says: Option<&Override>) -> Option<Action> {
    match says {
        Some(Override::Off) => None,
        Some(Override::Block) => Some(Action::Block),
        Some(Override::Warn) => Some(Action::Warn),
        Some(Override::Replace) => Some(Action::Replace),
        None => Some(written.action),
    }
}

/// What a rule does where no profile chooses; `None` if it does not run. A preview rule runs only when it is named.
pub(in crate::guard) fn effective(written: &Written, says: Option<&Override>) -> Option<Action> {
    let stands = says.is_some() || written.maturity == Maturity::Stable;
    action_of(written, says).filter(|_| stands)
}

fn add(sources: &mut Sources, reports: &mut Vec<Report>, path: &Path, mut file: RuleFile) {
    let problem = match id_of(path) {
        None => Problem::new(
            None,
            "the file's name is the rule's id, and this one is no id",
            "name it with small letters, digits and dashes: `payment-card.yaml`",
        ),
        Some(id) => match sources.get(id) {
            // The operator's file takes the place of the one that ships; two files of one folder do not.
            Some(other) if !is_shipped(other) || is_shipped(&file) => Problem::new(
                None,
                format!("there are two rules `{id}`: the other is {}", other.source.name()),
                "rename one of the files",
            ),
            other => {
                file.group = file.group.or_else(|| other?.group.clone());
                sources.insert(id.to_owned(), file);
                return;
            }
        },
    };
    reports.push(Report::new(file.source, vec![problem]));
}

fn is_shipped(file: &RuleFile) -> bool {
    Path::new(file.source.name()).starts_with(SHIPPED)
}

fn fingerprint(sources: &Sources, settings: &Settings) -> [u8; 16] {
    let mut hasher = blake3::Hasher::new();
    for (id, file) in sources {
        hasher.update(id.as_bytes()).update(&[0]).update(file.source.text().as_bytes()).update(&[0]);
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
    let mut out: Vec<_> = files.filter_map(|file| Some((Path::new(SHIPPED).join(file.path()), file.contents_utf8()?))).collect();
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
    use super::{super::written::Example, *};

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
            for example in &rule.written().examples.matching {
                assert!(rule.matches(example).unwrap(), "{} does not match {example:?}", rule.id());
            }
            for example in &rule.written().examples.pass {
                assert!(!rule.matches(example).unwrap(), "{} matches {example:?}", rule.id());
            }
        }
    }

    #[test]
    fn the_prefilter_wakes_every_rule_on_its_own_examples() {
        use crate::wire::{Role, Text};
        for gate in [Gate::Input, Gate::Output] {
            let set = RuleSet::new(gate, [0; 16], &every_rule()).unwrap();
            for (n, rule) in set.rules().iter().enumerate() {
                for example in rule.written().examples.matching.iter().filter_map(Example::text) {
                    let text = Text::alone(Role::User, example);
                    let found = set.scan(std::slice::from_ref(&text));
                    let looks = rule.looks_at(&text);
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
    fn what_judges_the_whole_cannot_be_told_to_replace() {
        let overrides = [("answer-length".to_owned(), Override::Replace)].into();
        let reports = load(&Settings { overrides, ..settings() }).unwrap_err();
        assert!(reports.len() == 1 && reports[0].to_string().contains("`answer-length` replaces"), "{}", reports[0]);
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
