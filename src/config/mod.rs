//! As written (unknown keys refused) → resolved (every problem at once); every default named, with its why.
//!
//! `check` and `serve` run the same code, so what the one calls fine the other starts with. This room builds the plain
//! `Settings` of all the others and is the only one that reads the environment.

mod access;
mod builtin;
mod defaults;
mod guard;
mod resolve;
mod resolver;
mod routing;
mod schema;
mod upstream;
mod written;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use secrecy::SecretString;

use crate::{
    cache, console,
    diagnostics::{Document, Report, Source},
    embed, ingress, ledger, outbound,
    route::{self, provider},
    telemetry,
};

use resolver::Resolver;
use written::Written;

pub use schema::schema;

/// Looks up a variable of the environment.
pub type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Names the ONNX Runtime library, under the name that its other users know.
const ORT_LIBRARY: &str = "ORT_DYLIB_PATH";

/// Under the user's folder for state.
const STORE_FILE: &str = "lockgate/cache.db";

/// What Lockgate runs with: the settings of every room.
#[derive(Debug, Clone)]
pub struct Config {
    /// The file that this was read from, if there is one.
    pub file: Option<PathBuf>,
    /// How requests are let in.
    pub ingress: ingress::Settings,
    /// Where operators look.
    pub console: console::Settings,
    /// Who may call.
    pub access: crate::access::Settings,
    /// How connections are opened.
    pub outbound: outbound::Settings,
    /// Where a request goes on a miss; none is the built-in demo upstream.
    pub route: Option<route::Settings>,
    /// What the cache keeps and serves.
    pub cache: cache::Settings,
    /// Where it is kept across restarts, if it is.
    pub store: Option<cache::store::Settings>,
    /// How text is embedded.
    pub embed: embed::Settings,
    /// Which rules guard.
    pub guard: crate::guard::Settings,
    /// Whom they guard.
    pub profiles: crate::guard::Profiles,
    /// What models cost.
    pub ledger: ledger::Settings,
    /// How logs are written.
    pub telemetry: telemetry::Settings,
}

/// A variable of this process; one that is not UTF-8 is as if it were not set.
#[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
pub fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

impl Config {
    /// Reads and checks a file; relative paths inside it start at its folder.
    pub fn load(path: &Path, environment: Environment<'_>) -> Result<Self, Report> {
        let source = Source::read(path)?;
        let config = Self::check(source, path.parent().unwrap_or(Path::new("")), environment)?;
        Ok(Self { file: Some(path.to_owned()), ..config })
    }

    /// Whether more than the rules is another: what a Lockgate that runs can only take up when it is started again.
    pub fn differs_beside_rules(&self, other: &Self) -> bool {
        let Self {
            file: _,
            ingress,
            console,
            access,
            outbound,
            route,
            cache,
            store,
            embed,
            guard: _,
            profiles: _,
            ledger,
            telemetry,
        } = self;
        *ingress != other.ingress
            || *console != other.console
            || *access != other.access
            || *outbound != other.outbound
            || *route != other.route
            || *cache != other.cache
            || *store != other.store
            || *embed != other.embed
            || *ledger != other.ledger
            || *telemetry != other.telemetry
    }

    /// Checks a text as if it were a file in the folder `base`.
    pub fn check(source: Source, base: &Path, environment: Environment<'_>) -> Result<Self, Report> {
        resolve(source, base, environment, Upstream::Required)
    }

    /// What runs without a file: OpenAI when the environment holds its key, else the demo upstream.
    pub fn builtin(environment: Environment<'_>) -> Result<Self, Report> {
        resolve(builtin::source(environment), Path::new(""), environment, Upstream::Optional)
    }
}

/// Whether an upstream must be named.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Upstream {
    /// A file without one is a file that was not finished.
    Required,
    /// Without one, the demo answers.
    Optional,
}

fn resolve(source: Source, base: &Path, environment: Environment<'_>, upstream: Upstream) -> Result<Config, Report> {
    let mut document = Document::parse(source)?;
    let mut problems = document.interpolate(environment);
    let reading = document.read::<Written>();
    problems.extend(reading.problems);
    let Some(written) = reading.value else {
        return Err(document.report(problems));
    };

    let mut resolver = Resolver::new(&document, base);
    if upstream == Upstream::Required {
        resolver.require_upstream();
    }
    let mut config = resolver.config(&written);
    config.embed.library = environment(ORT_LIBRARY).filter(|path| !path.is_empty()).map(PathBuf::from);
    if let Some(route) = &mut config.route {
        route.provider_keys = provider_keys(environment);
    }
    if let Some(store) = &mut config.store
        && store.path.is_none()
    {
        store.path = state_folder(environment).map(|folder| folder.join(STORE_FILE));
    }
    problems.extend(resolver.into_problems());
    if problems.is_empty() { Ok(config) } else { Err(document.report(problems)) }
}

/// The keys that the environment has for providers, under the names that their own tools know.
fn provider_keys(environment: Environment<'_>) -> BTreeMap<String, SecretString> {
    let key = |entry: &provider::Entry| {
        let key = environment(entry.key.as_deref()?).filter(|key| !key.trim().is_empty())?;
        Some((entry.slug.clone(), key.into()))
    };
    provider::all().iter().filter_map(key).collect()
}

/// Where programs of this user keep their state, after the XDG base directories: relative paths are as if they were not set.
fn state_folder(environment: Environment<'_>) -> Option<PathBuf> {
    let folder = |name| environment(name).map(PathBuf::from).filter(|path| path.is_absolute());
    folder("XDG_STATE_HOME").or_else(|| Some(folder("HOME")?.join(".local/state")))
}

#[cfg(test)]
mod tests;
