//! Prompt templates: files with versions, from which Portkey's clients have requests made.
//!
//! A file `support.yaml` is the prompt `support`; `support@2` is its second version. A rendered prompt is a request like any other: rules read it, and the cache
//! knows it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use handlebars::{Handlebars, no_escape};
use serde_json::{Map, Value};

mod template;
mod written;

use template::Template;
use written::Written;

use crate::{
    diagnostics::{Document, Problem, Report, Source},
    error::{Error, Kind, Result},
};

/// More values than these are no prompt's variables.
const MAX_VARIABLES: usize = 256;

/// A request that a prompt was made into.
#[derive(Debug, Clone, PartialEq)]
pub struct Rendered {
    /// Its name and version: `support@2`.
    pub name: String,
    /// The body.
    pub body: Map<String, Value>,
    /// The config that it follows when the client brings none.
    pub config: Option<String>,
}

/// All prompts.
#[derive(Debug, Clone, Default)]
pub struct Prompts(Arc<BTreeMap<String, Prompt>>);

#[derive(Debug)]
struct Prompt {
    versions: BTreeMap<u32, Version>,
    default: u32,
    /// How often each version is taken where none is named.
    weights: Vec<(u32, f64)>,
}

#[derive(Debug)]
struct Version {
    engine: Handlebars<'static>,
    template: Template,
    defaults: Map<String, Value>,
    config: Option<String>,
}

impl Prompts {
    /// Reads a folder of prompts; every mistake at once.
    pub fn load(folder: &Path) -> std::result::Result<Self, Vec<Report>> {
        let (mut prompts, mut reports) = (BTreeMap::new(), Vec::new());
        let files = files(folder).map_err(|error| vec![unreadable(folder, &error)])?;
        for file in files {
            let id = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            match Source::read(&file).and_then(read) {
                Ok(prompt) => drop(prompts.insert(id, prompt)),
                Err(report) => reports.push(report),
            }
        }
        if reports.is_empty() { Ok(Self(Arc::new(prompts))) } else { Err(reports) }
    }

    /// Makes a request of a prompt. `asked` is what the client sent: `variables`, and fields that go before the template's own. `dice` is from 0 to 1.
    pub fn render(&self, id: &str, asked: Map<String, Value>, dice: f64) -> Result<Rendered> {
        let (name, version) = id.split_once('@').map_or((id, None), |(name, version)| (name, Some(version)));
        let prompt = self.0.get(name).ok_or_else(|| unknown(&format!("There is no prompt `{}`", cut(name))))?;
        let number = match version {
            None => prompt.picked(dice),
            Some("latest") => prompt.versions.keys().next_back().copied().unwrap_or(prompt.default),
            Some(version) => version.parse().ok().filter(|number| prompt.versions.contains_key(number)).ok_or_else(|| {
                let known: Vec<_> = prompt.versions.keys().map(u32::to_string).collect();
                unknown(&format!("The prompt `{}` has no version `{}`, only {}", cut(name), cut(version), known.join(", ")))
            })?,
        };
        let found = prompt.versions.get(&number).ok_or_else(|| unknown("The prompt has no version"))?;
        found.render(&format!("{name}@{number}"), asked)
    }
}

impl Prompt {
    /// The version of a request that names none.
    fn picked(&self, dice: f64) -> u32 {
        let sum: f64 = self.weights.iter().map(|(_, weight)| weight).sum();
        let mut point = dice * sum;
        let drawn = self.weights.iter().find(|(_, weight)| {
            point -= weight;
            point < 0.0
        });
        drawn.map_or(self.default, |(number, _)| *number)
    }
}

impl Version {
    fn render(&self, name: &str, mut asked: Map<String, Value>) -> Result<Rendered> {
        let variables = match asked.shift_remove("variables") {
            Some(Value::Object(variables)) => variables,
            None | Some(Value::Null) => Map::new(),
            Some(_) => return Err(invalid("variables", "`variables` is an object: {\"name\": \"value\"}.")),
        };
        self.check(name, &variables)?;
        let mut values = self.defaults.clone();
        values.extend(variables);
        let Value::Object(mut body) = self.template.render(&self.engine, &Value::Object(values)).map_err(|error| {
            let message = format!("The prompt `{name}` cannot be made with these variables: {error}.");
            Error::new(Kind::InvalidRequest, message).param("variables")
        })?
        else {
            return Err(unknown("The prompt is no request"));
        };
        body.extend(asked);
        Ok(Rendered { name: name.to_owned(), body, config: self.config.clone() })
    }

    /// A variable too few or too many is a mistake that would be seen only in the answer.
    fn check(&self, name: &str, variables: &Map<String, Value>) -> Result<()> {
        let needed = self.template.variables();
        let missing: Vec<_> =
            needed.iter().filter(|known| !variables.contains_key(**known) && !self.defaults.contains_key(**known)).collect();
        if let Some(first) = missing.first() {
            let all: Vec<_> = missing.iter().map(|name| format!("`{name}`")).collect();
            let message = format!("The prompt `{name}` lacks {}. Send each under `variables`.", all.join(", "));
            return Err(invalid(&format!("variables.{first}"), &message));
        }
        let extra = variables.keys().find(|given| !needed.contains(given.as_str()) && !self.defaults.contains_key(*given));
        if let Some(extra) = extra.filter(|_| variables.len() <= MAX_VARIABLES) {
            let known: Vec<_> = needed.iter().map(|name| format!("`{name}`")).collect();
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            let message = format!("The prompt `{name}` has no variable `{}`. It has {known}.", cut(extra));
            return Err(invalid(&format!("variables.{}", cut(extra)), &message));
        }
        if variables.len() > MAX_VARIABLES {
            return Err(invalid("variables", &format!("`variables` has more than {MAX_VARIABLES} members.")));
        }
        Ok(())
    }
}

/// The files of a folder that are prompts, in order.
fn files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder)?.collect::<io::Result<Vec<_>>>()?;
    let is_prompt = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml");
    let mut files: Vec<_> = entries.into_iter().map(|entry| entry.path()).filter(is_prompt).collect();
    files.sort();
    Ok(files)
}

fn read(source: Source) -> std::result::Result<Prompt, Report> {
    let document = Document::parse(source)?;
    let reading = document.read::<Written>();
    let mut problems = reading.problems;
    let prompt = reading.value.map(|written| compile(written, &document, &mut problems));
    match prompt {
        Some(prompt) if problems.is_empty() => Ok(prompt),
        _ => Err(document.report(problems)),
    }
}

fn compile(written: Written, document: &Document, problems: &mut Vec<Problem>) -> Prompt {
    if written.versions.is_empty() {
        problems.push(document.problem(
            "/versions",
            "`versions` is empty",
            "write one: `versions: { 1: { model: gpt-5-mini, messages: [...] } }`",
        ));
    }
    let numbers: BTreeSet<u32> = written.versions.keys().copied().collect();
    let last = numbers.last().copied().unwrap_or(1);
    let unknown = |number: &u32| !numbers.contains(number);
    if written.default.as_ref().is_some_and(unknown) {
        problems.push(document.problem("/default", "`default` is not a version", "write the number of one under `versions`"));
    }
    for number in written.weights.keys().filter(|number| unknown(number)) {
        problems.push(document.problem(
            &format!("/weights/{number}"),
            format!("`weights.{number}` is not a version"),
            "write the number of one under `versions`",
        ));
    }
    let weights = written.weights.into_iter().filter(|(_, weight)| weight.is_finite() && *weight > 0.0).collect();
    let mut versions = BTreeMap::new();
    for (number, version) in written.versions {
        let mut engine = Handlebars::new();
        engine.register_escape_fn(no_escape);
        engine.set_strict_mode(true);
        let at = format!("/versions/{number}");
        for (name, text) in &written.partials {
            if let Err(error) = engine.register_partial(name, text) {
                problems.push(document.problem(
                    &format!("/partials/{name}"),
                    format!("`partials.{name}` is no template: {error}"),
                    "close every {{ and every block",
                ));
            }
        }
        let body = version.body;
        if !body.contains_key("messages") && !body.contains_key("prompt") {
            problems.push(document.problem(
                &at,
                format!("`versions.{number}` has neither `messages` nor `prompt`"),
                "write `messages: [{ role: user, content: \"...\" }]`",
            ));
        }
        let partials: BTreeSet<String> = written.partials.values().flat_map(|text| template::names(text)).collect();
        let template = Template::compile(&Value::Object(body), &mut engine, &partials, &mut |path, error| {
            problems.push(document.problem(
                &format!("{at}{path}"),
                format!("is no template: {error}"),
                "close every {{ and every block, and name known partials",
            ));
        });
        let (defaults, config) = (written.variables.clone(), version.config);
        versions.insert(number, Version { engine, template, defaults, config });
    }
    Prompt { versions, default: written.default.unwrap_or(last), weights }
}

fn unreadable(folder: &Path, error: &io::Error) -> Report {
    let source = Source::new(folder.display().to_string(), String::new());
    Report::new(
        source,
        vec![Problem::new(None, format!("the folder of prompts cannot be read: {error}"), "create it, or correct `prompts`")],
    )
}

fn unknown(what: &str) -> Error {
    Error::new(
        Kind::UnknownEndpoint,
        format!("{what}. Prompts are files in the folder that `prompts` in the configuration names."),
    )
}

fn invalid(param: &str, message: &str) -> Error {
    Error::new(Kind::InvalidRequest, message).param(param)
}

/// As much of a name as one reads.
fn cut(name: &str) -> &str {
    &name[..name.floor_char_boundary(64)]
}

#[cfg(test)]
mod tests;
