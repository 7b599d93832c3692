//! Knows all upstreams, and plans the way of each request.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use moka::sync::Cache;
use serde_json::Value;

use super::{
    Settings,
    ask::Ask,
    config::{CacheChoice, Config, Facts, Fault, Spec, TargetId, plan},
    destination::{Atlas, Destination},
    health::Health,
    retry::Verdict,
    vault::Vault,
};
use crate::{
    clock,
    error::{Error, Kind, Result},
    outbound::{Client, Patience},
};

/// Configs that stay compiled: apps send the same few with every request.
const COMPILED: u64 = 1024;
/// What a client's config may be, as JSON.
const MAX_CONFIG_BYTES: usize = 64 << 10;

/// Plans and makes calls.
#[derive(Debug, Clone)]
pub struct Router {
    pub(super) client: Client,
    pub(super) patience: Patience,
    pub(super) health: Health,
    atlas: Arc<Atlas>,
    configs: Arc<BTreeMap<String, Value>>,
    routes: Arc<BTreeMap<String, String>>,
    compiled: Cache<[u8; 32], Arc<Config>>,
    everyday: Arc<Config>,
}

/// What a caller may use, and what is used for it where it says nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Grant<'a> {
    /// The name of its config.
    pub config: Option<&'a str>,
    /// The virtual keys that it may use; all without a list.
    pub virtual_keys: Option<&'a BTreeSet<String>>,
}

/// The way that was planned for a request.
#[derive(Debug, Clone)]
pub struct Way {
    /// Where it goes.
    pub plan: plan::Plan,
    /// What its config says of the cache; `None` if the operator's settings hold as they are.
    pub cache: Option<CacheChoice>,
    /// Whether the operator wrote the config, and so may loosen what a client may not.
    pub trusted: bool,
    /// The config that it follows.
    pub config: Arc<Config>,
}

impl Way {
    /// What might answer, for the cache's scope.
    pub fn identity(&self) -> &TargetId {
        &self.plan.identity
    }
}

/// The problems of the operator's configs, by name.
pub fn criticise(settings: &Settings) -> Vec<(String, Fault)> {
    let Some(default) = Destination::configured(&settings.base_url, None) else { return Vec::new() };
    let atlas = Atlas { vault: Vault::named(&settings.virtual_keys), keys: settings.provider_keys.clone(), default };
    let problems = settings.configs.iter().flat_map(|(name, config)| {
        let compiled = Config::compile(config.clone(), &Spec::default(), &|spec| atlas.find(spec));
        compiled.err().unwrap_or_default().into_iter().map(move |problem| (name.clone(), problem))
    });
    problems.collect()
}

/// Whose config it is.
enum Written<'a> {
    /// The client sent it.
    Inline(&'a str),
    /// The operator wrote it, and it has a name.
    Named(&'a str),
}

impl Router {
    /// A router; `None` if the upstream's URL has no host.
    pub fn new(settings: &Settings, client: Client) -> Option<Self> {
        let default = Destination::configured(&settings.base_url, settings.api_key.clone())?;
        let keys = settings.provider_keys.clone();
        let atlas = Atlas { vault: Vault::open(&settings.virtual_keys), keys, default };
        let everyday = Config::single(&Spec::default(), &|spec| atlas.find(spec)).ok()?;
        Some(Self {
            client,
            patience: Patience { head: settings.response_timeout, idle: settings.idle_timeout },
            health: Health::default(),
            atlas: Arc::new(atlas),
            configs: Arc::new(settings.configs.clone()),
            routes: Arc::new(settings.routes.clone()),
            compiled: Cache::new(COMPILED),
            everyday: Arc::new(everyday),
        })
    }

    /// The same router, whose upstream is identified otherwise than by its URL.
    #[must_use]
    pub fn known_as(self, identity: &str) -> Self {
        let mut atlas = Arc::unwrap_or_clone(self.atlas);
        identity.clone_into(&mut atlas.default.identity);
        let everyday = Config::single(&Spec::default(), &|spec| atlas.find(spec)).map_or(self.everyday, Arc::new);
        Self { atlas: Arc::new(atlas), everyday, ..self }
    }

    /// The virtual keys.
    pub fn vault(&self) -> &Vault {
        &self.atlas.vault
    }

    /// Plans the way of a request for this model.
    pub fn plan(&self, ask: &Ask, grant: Grant<'_>, model: &str, facts: Facts<'_>) -> Result<Way> {
        let written = self.written(ask, grant)?;
        let by_model = virtual_key_of(model).filter(|_| ask.config.is_none());
        let everyday = written.is_none() && !ask.given && by_model.is_none();
        let config = if everyday { Arc::clone(&self.everyday) } else { self.compiled(ask, written.as_ref(), by_model)? };
        let chances = plan::Chances { facts, health: &self.health, dice: fastrand::f64, now: clock::now() };
        let plan = config.plan(&chances)?;
        if ask.given || by_model.is_some() {
            permitted(&plan, grant)?;
        }
        let choice = || plan.legs.first().map(|leg| leg.target.cache.clone()).unwrap_or_default();
        let cache = match (&ask.config, &written) {
            (Some(_), _) => Some(choice()),
            (None, _) => Some(choice()).filter(|choice| choice.mode.is_some()),
        };
        Ok(Way { plan, cache, trusted: matches!(written, Some(Written::Named(_))), config })
    }

    /// Remembers what came of a request to a target.
    pub fn note(&self, leg: &plan::Leg, verdict: &Verdict, took: std::time::Duration) {
        let opened = self.health.note(leg.target.id, leg.breaker.as_deref(), verdict, took, clock::now());
        if opened {
            tracing::warn!(
                target = leg.target.path,
                provider = leg.target.destination.provider.slug(),
                "A target is left out for a while: it failed too often."
            );
        }
    }

    /// The config that a request follows: its own, else its key's, else that of the route by which it came.
    fn written<'a>(&'a self, ask: &'a Ask, grant: Grant<'a>) -> Result<Option<Written<'a>>> {
        let of_route = ask.route.as_ref().and_then(|route| self.routes.get(route)).map(String::as_str);
        match ask.config.as_deref().map(str::trim) {
            Some(config) if config.starts_with('{') => Ok(Some(Written::Inline(config))),
            Some(name) if self.configs.contains_key(name) => Ok(Some(Written::Named(name))),
            Some(name) => {
                let name = &name[..name.floor_char_boundary(64)];
                let message =
                    format!("no config is called `{name}`: send a JSON object, or a name that the operator has under `configs`");
                Err(refused(&[Fault { path: String::new(), message }]))
            }
            None => Ok(ask.fallback.as_deref().or(grant.config).or(of_route).map(Written::Named)),
        }
    }

    fn compiled(&self, ask: &Ask, written: Option<&Written<'_>>, by_model: Option<(&str, &str)>) -> Result<Arc<Config>> {
        let text = match written {
            Some(Written::Inline(text) | Written::Named(text)) => Some(*text),
            None => None,
        };
        let told = by_model.map(|(key, model)| Cow::Owned(format!("@{key}/{model}")));
        let fingerprint = ask.fingerprint(told.as_deref().or(text));
        if let Some(config) = self.compiled.get(&fingerprint) {
            return Ok(config);
        }
        let value = match written {
            Some(Written::Inline(text)) => parsed(text)?,
            Some(Written::Named(name)) => self.configs.get(*name).cloned().unwrap_or_default(),
            None => Value::Object(serde_json::Map::new()),
        };
        let mut base = ask.base.clone();
        if let Some((key, model)) = by_model {
            base.virtual_key = Some(key.to_owned());
            base = base.for_model(model);
        }
        let config = Config::compile(value, &base, &|spec| self.atlas.find(spec)).map_err(|problems| refused(&problems))?;
        let config = Arc::new(config);
        self.compiled.insert(fingerprint, Arc::clone(&config));
        Ok(config)
    }
}

/// `@key/model` names a virtual key and the model that it is asked for.
fn virtual_key_of(model: &str) -> Option<(&str, &str)> {
    model.strip_prefix('@')?.split_once('/').filter(|(key, model)| !key.is_empty() && !model.is_empty())
}

fn permitted(plan: &plan::Plan, grant: Grant<'_>) -> Result<()> {
    let Some(granted) = grant.virtual_keys else { return Ok(()) };
    let payers = plan.legs.iter().filter_map(|leg| leg.target.destination.payer.as_ref());
    match payers.into_iter().find(|payer| !granted.contains(*payer)) {
        None => Ok(()),
        Some(payer) => {
            let message = format!(
                "This client key may not use the virtual key `{payer}`. The operator grants it under `access.client_keys`, as `virtual_keys`."
            );
            Err(Error::new(Kind::Forbidden, message))
        }
    }
}

fn parsed(text: &str) -> Result<Value> {
    if text.len() > MAX_CONFIG_BYTES {
        let message = format!("is larger than {} KiB", MAX_CONFIG_BYTES >> 10);
        return Err(refused(&[Fault { path: String::new(), message }]));
    }
    serde_json::from_str(text).map_err(|error| {
        let message = format!("You need to pass a valid json: {error}");
        refused(&[Fault { path: String::new(), message }])
    })
}

/// Every problem of a config, in one error.
fn refused(problems: &[Fault]) -> Error {
    let all: Vec<_> = problems.iter().map(Fault::to_string).collect();
    let path = problems.first().map(|problem| problem.path.clone()).unwrap_or_default();
    Error::new(Kind::InvalidConfig, format!("Invalid config passed. {}.", all.join("; ").trim_end_matches('.')))
        .param(if path.is_empty() { "x-portkey-config".to_owned() } else { path })
}
