//! A Portkey config: from what a client or the operator wrote to a tree of targets, each with all that it inherits.
//!
//! A config is compiled once and kept; see [`super::Router`]. [`Config::plan`] says which of its targets a request tries.

use std::{collections::BTreeMap, sync::Arc, sync::atomic::AtomicUsize, time::Duration};

use http::HeaderName;
use secrecy::SecretString;
use serde_json::{Map, Value};

mod cache;
mod condition;
mod overrides;
pub(super) mod plan;
mod written;

pub use crate::diagnostics::Fault;
pub use cache::{CacheChoice, Named};
pub use condition::Facts;
pub use overrides::Overrides;

use condition::{Condition, Field};
use written::Written;

use super::{
    destination::Destination,
    health::{Breaker, LEAST_COOLDOWN},
    retry::{Codes, Policy},
};

/// Levels of targets below targets.
const MAX_DEPTH: usize = 8;
/// Targets in all.
const MAX_TARGETS: usize = 256;
/// Without `minimum_requests` a share of failures says nothing before this many.
const MINIMUM_REQUESTS: u32 = 5;
/// Keys that providers are told something under, beside the credential.
const OPTIONS: [&str; 16] = [
    "azure_",
    "aws_",
    "vertex_",
    "openai_",
    "anthropic_",
    "workers_ai_",
    "huggingface_",
    "mistral_",
    "snowflake_",
    "oracle_",
    "fireworks_",
    "cortex_",
    "stability_",
    "sagemaker_",
    "databricks_",
    "google_",
];
/// Keys of guardrails, judged by the guard.
const GUARDRAILS: [&str; 9] = [
    "before_request_hooks",
    "after_request_hooks",
    "input_guardrails",
    "output_guardrails",
    "input_mutators",
    "output_mutators",
    "default_input_guardrails",
    "default_output_guardrails",
    "guardrails",
];

/// Identifies where a target leads and what it changes about a request.
pub type TargetId = [u8; 16];

/// Where a request may go.
#[derive(Debug)]
pub struct Target {
    /// Its place, as in `config.targets[0]`.
    pub path: String,
    /// Its own name, if it has one.
    pub name: Option<String>,
    /// What is called.
    pub destination: Destination,
    /// What it changes about the request's body.
    pub overrides: Overrides,
    /// When it is asked again.
    pub retry: Policy,
    /// How long it may take to answer.
    pub request_timeout: Option<Duration>,
    /// Headers of the client that go on although they would end here.
    pub forward_headers: Vec<HeaderName>,
    /// What the config says of the cache.
    pub cache: CacheChoice,
    /// What it says of guardrails, as it is written.
    pub guardrails: Arc<Map<String, Value>>,
    /// Whether answers keep to OpenAI's shape, where the config says so.
    pub strict: Option<bool>,
    /// Where it leads and what it changes.
    pub id: TargetId,
}

/// What a level of a config hands down to the levels below it.
#[derive(Debug, Clone, Default)]
pub struct Spec {
    /// The provider's slug.
    pub provider: Option<String>,
    /// A key that stands in the config itself.
    pub api_key: Option<SecretString>,
    /// The name of a virtual key.
    pub virtual_key: Option<String>,
    /// Another base than the provider's own.
    pub custom_host: Option<String>,
    /// What the provider is told beside a key, by name without dashes: `azure_resource_name`.
    pub options: BTreeMap<String, String>,
    overrides: Overrides,
    retry: Policy,
    request_timeout: Option<Duration>,
    forward_headers: Vec<HeaderName>,
    cache: CacheChoice,
    guardrails: Arc<Map<String, Value>>,
    strict: Option<bool>,
}

/// Finds what a target calls.
pub type Resolve<'a> = &'a dyn Fn(&Spec) -> Result<Destination, String>;

/// A compiled config.
#[derive(Debug)]
pub struct Config {
    root: Node,
    /// Keys that nobody here knows, by path.
    pub ignored: Vec<String>,
}

#[derive(Debug)]
enum Node {
    Target(Arc<Target>),
    Group(Box<Group>),
}

#[derive(Debug)]
struct Group {
    strategy: Strategy,
    children: Vec<Child>,
    breaker: Option<Arc<Breaker>>,
    /// Whose turn it is, where they take turns.
    turn: AtomicUsize,
}

#[derive(Debug)]
struct Child {
    name: Option<String>,
    weight: f64,
    node: Node,
}

#[derive(Debug)]
enum Strategy {
    Single,
    /// One after the other; for every failure, or for these codes.
    Fallback(Option<Codes>),
    Balance {
        pick: Pick,
        /// With codes, a pick that fails goes to another.
        on: Option<Codes>,
        /// Requests with the same values here go to the same target.
        sticky: Vec<Field>,
    },
    Conditional {
        branches: Vec<(Condition, usize)>,
        default: Option<usize>,
    },
}

/// How a balancer picks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pick {
    Weighted,
    RoundRobin,
    LeastLatency,
}

impl Config {
    /// Compiles a config. `base` is what the request's headers say, for targets that name neither provider nor key.
    pub fn compile(config: Value, base: &Spec, resolve: Resolve<'_>) -> Result<Self, Vec<Fault>> {
        let written = Written::read(config).map_err(|problem| vec![problem])?;
        let mut compiler = Compiler { resolve, problems: Vec::new(), ignored: Vec::new(), targets: 0 };
        let root = compiler.node(written, base, "", 0);
        match root {
            Some(root) if compiler.problems.is_empty() => Ok(Self { root, ignored: compiler.ignored }),
            _ => Err(compiler.problems),
        }
    }

    /// A config of nothing but a target.
    pub fn single(base: &Spec, resolve: Resolve<'_>) -> Result<Self, Vec<Fault>> {
        Self::compile(Value::Object(Map::new()), base, resolve)
    }

    /// All targets.
    pub fn targets(&self) -> Vec<&Arc<Target>> {
        let mut out = Vec::new();
        self.root.collect(&mut out);
        out
    }
}

impl Node {
    fn collect<'n>(&'n self, out: &mut Vec<&'n Arc<Target>>) {
        match self {
            Self::Target(target) => out.push(target),
            Self::Group(group) => group.children.iter().for_each(|child| child.node.collect(out)),
        }
    }
}

struct Compiler<'r> {
    resolve: Resolve<'r>,
    problems: Vec<Fault>,
    ignored: Vec<String>,
    targets: usize,
}

impl Compiler<'_> {
    fn problem(&mut self, path: &str, key: &str, message: impl Into<String>) {
        self.problems.push(Fault::new(joined(path, key), message));
    }

    fn node(&mut self, mut written: Written, above: &Spec, path: &str, depth: usize) -> Option<Node> {
        let targets = written.targets.take();
        let strategy = written.strategy.take();
        let name = written.name.clone();
        let spec = self.spec(written, above, path, targets.is_some());
        match (targets, strategy) {
            (None, None) => self.target(&spec, name, path).map(Node::Target),
            _ if depth >= MAX_DEPTH => {
                self.problem(path, "targets", format!("are nested more than {MAX_DEPTH} levels deep"));
                None
            }
            (targets, strategy) => self.group(targets.unwrap_or_default(), strategy.unwrap_or_default(), &spec, path, depth),
        }
    }

    fn group(
        &mut self,
        targets: Vec<Written>,
        strategy: written::Strategy,
        spec: &Spec,
        path: &str,
        depth: usize,
    ) -> Option<Node> {
        let at = joined(path, "targets");
        let mut children: Vec<_> = (targets.into_iter().enumerate())
            .filter_map(|(n, written)| {
                let (name, weight) = (written.name.clone(), written.weight.unwrap_or(1.0));
                if !(weight.is_finite() && weight >= 0.0) {
                    self.problem(&format!("{at}[{n}]"), "weight", "is a number from 0 on");
                }
                let node = self.node(written, spec, &format!("{at}[{n}]"), depth + 1)?;
                Some(Child { name, weight, node })
            })
            .collect();
        let breaker = strategy.cb_config.as_ref().map(|written| Arc::new(breaker(written)));
        let strategy = self.strategy(strategy, &mut children, spec, path)?;
        if children.is_empty() {
            self.problem(path, "targets", "is empty; name at least one target");
            return None;
        }
        Some(Node::Group(Box::new(Group { strategy, children, breaker, turn: AtomicUsize::new(0) })))
    }

    fn strategy(&mut self, written: written::Strategy, children: &mut Vec<Child>, spec: &Spec, path: &str) -> Option<Strategy> {
        let on = written.on_status_codes.map(Codes::new);
        match written.mode.as_deref() {
            None | Some("single") => Some(Strategy::Single),
            Some("fallback") => Some(Strategy::Fallback(on)),
            Some("loadbalance") => {
                if !children.is_empty() && children.iter().all(|child| child.weight <= 0.0) {
                    self.problem(path, "targets", "have no weight: give at least one a `weight` above 0");
                }
                let pick = match written.pick.as_deref() {
                    None | Some("weighted") => Pick::Weighted,
                    Some("round-robin" | "round_robin") => Pick::RoundRobin,
                    Some("least-latency" | "least_latency") => Pick::LeastLatency,
                    Some(_) => {
                        self.problem(path, "strategy.pick", "is `weighted`, `round-robin` or `least-latency`");
                        Pick::Weighted
                    }
                };
                let sticky = written.sticky.or(written.sticky_session).filter(|sticky| sticky.enabled != Some(false));
                let sticky = sticky.map(|sticky| self.fields(&sticky.hash_fields, path)).unwrap_or_default();
                Some(Strategy::Balance { pick, on, sticky })
            }
            Some("conditional") => {
                let branches = written.conditions.unwrap_or_default();
                Some(self.conditional(branches, written.default, children, spec, path))
            }
            Some(mode) => {
                let message = format!("`{mode}` is none of `single`, `fallback`, `loadbalance` and `conditional`");
                self.problem(path, "strategy.mode", message);
                None
            }
        }
    }

    fn fields(&mut self, names: &[String], path: &str) -> Vec<Field> {
        let fields = names.iter().map(|name| Field::named(name)).collect::<Option<Vec<_>>>();
        fields.unwrap_or_else(|| {
            self.problem(path, "strategy.sticky.hash_fields", "are `metadata.<key>` or `params.<field of the request>`");
            Vec::new()
        })
    }

    fn conditional(
        &mut self,
        branches: Vec<written::Branch>,
        default: Option<String>,
        children: &mut Vec<Child>,
        spec: &Spec,
        path: &str,
    ) -> Strategy {
        let at = joined(path, "strategy.conditions");
        let mut compiled = Vec::new();
        for (n, branch) in branches.into_iter().enumerate() {
            let condition = Condition::compile(&branch.query, &format!("{at}[{n}].query"));
            let then = self.named(&branch.then, children, spec, path, &format!("{at}[{n}].then"));
            match condition {
                Ok(condition) => compiled.extend(then.map(|then| (condition, then))),
                Err(problem) => self.problems.push(problem),
            }
        }
        let default_at = joined(path, "strategy.default");
        let default = default.and_then(|name| self.named(&name, children, spec, path, &default_at));
        Strategy::Conditional { branches: compiled, default }
    }

    /// The target of a name; where none bears it, one that calls with the virtual key of that name.
    fn named(&mut self, name: &str, children: &mut Vec<Child>, spec: &Spec, path: &str, at: &str) -> Option<usize> {
        if let Some(known) = children.iter().position(|child| child.name.as_deref() == Some(name)) {
            return Some(known);
        }
        let spec = Spec { virtual_key: Some(name.to_owned()), provider: None, api_key: None, custom_host: None, ..spec.clone() };
        if (self.resolve)(&spec).is_err() {
            self.problems.push(Fault::new(at, format!("no target and no virtual key is called `{name}`")));
            return None;
        }
        let node =
            Node::Target(self.target(&spec, Some(name.to_owned()), &joined(path, &format!("targets[{}]", children.len())))?);
        children.push(Child { name: Some(name.to_owned()), weight: 1.0, node });
        Some(children.len() - 1)
    }

    fn target(&mut self, spec: &Spec, name: Option<String>, path: &str) -> Option<Arc<Target>> {
        self.targets += 1;
        if self.targets > MAX_TARGETS {
            if self.targets == MAX_TARGETS + 1 {
                self.problem("", "targets", format!("are more than {MAX_TARGETS}"));
            }
            return None;
        }
        match (self.resolve)(spec) {
            Ok(destination) => Some(Arc::new(Target::new(spec, destination, name, path))),
            Err(message) => {
                self.problems.push(Fault::new(path, message));
                None
            }
        }
    }

    /// What a level says, upon what it inherits.
    fn spec(&mut self, written: Written, above: &Spec, path: &str, is_group: bool) -> Spec {
        let mut spec = above.clone();
        if written.provider.is_some() || written.virtual_key.is_some() || written.api_key.is_some() {
            // Who pays and who is paid belong together.
            (spec.provider, spec.virtual_key, spec.api_key) = (written.provider, written.virtual_key, written.api_key);
        }
        spec.custom_host = written.custom_host.or(spec.custom_host);
        let overrides = Overrides::read(written.override_params, written.default_params, written.drop_params);
        match overrides {
            Ok(overrides) => spec.overrides = spec.overrides.with(overrides),
            Err(problem) => self.problem(path, &problem.path, problem.message),
        }
        if let Some(retry) = written.retry {
            spec.retry = Policy::new(retry.attempts, retry.on_status_codes, retry.use_retry_after_header);
        }
        spec.request_timeout = written.request_timeout.map(Duration::from_millis).or(spec.request_timeout);
        if let Some(names) = written.forward_headers {
            spec.forward_headers = self.headers(&names, path);
        }
        if let Some(cache) = written.cache {
            match CacheChoice::read(&cache) {
                Ok(cache) => spec.cache = cache,
                Err(problem) => self.problem(path, &joined("cache", &problem.path), problem.message),
            }
        }
        spec.strict = written.strict_open_ai_compliance.or(spec.strict);
        self.rest(written.rest, &mut spec, path, is_group);
        spec
    }

    fn rest(&mut self, rest: Map<String, Value>, spec: &mut Spec, path: &str, is_group: bool) {
        for (key, value) in rest {
            if GUARDRAILS.contains(&key.as_str()) {
                inherit(Arc::make_mut(&mut spec.guardrails), key, value);
            } else if OPTIONS.iter().any(|prefix| key.starts_with(prefix)) {
                let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                spec.options.insert(key, text);
            } else if !(value.is_null() || is_group && key == "id") {
                self.ignored.push(joined(path, &key));
            }
        }
    }

    fn headers(&mut self, names: &[String], path: &str) -> Vec<HeaderName> {
        match super::headers::forwarded(names.iter().map(String::as_str)) {
            Ok(names) => names,
            Err(message) => {
                self.problem(path, "forward_headers", message);
                Vec::new()
            }
        }
    }
}

/// Defaults come on top of those above; all else takes their place.
fn inherit(guardrails: &mut Map<String, Value>, key: String, value: Value) {
    match (guardrails.get_mut(&key), value) {
        (Some(Value::Array(above)), Value::Array(own)) if key.starts_with("default_") => above.extend(own),
        (_, value) => drop(guardrails.insert(key, value)),
    }
}

impl Target {
    fn new(spec: &Spec, destination: Destination, name: Option<String>, path: &str) -> Self {
        let mut id = blake3::Hasher::new();
        destination.identify(&mut id);
        spec.overrides.identify(&mut id);
        let mut bytes = [0; 16];
        id.finalize_xof().fill(&mut bytes);
        Self {
            path: joined("config", path),
            name,
            destination,
            overrides: spec.overrides.clone(),
            retry: spec.retry.clone(),
            request_timeout: spec.request_timeout.filter(|timeout| !timeout.is_zero()),
            forward_headers: spec.forward_headers.clone(),
            cache: spec.cache.clone(),
            guardrails: Arc::clone(&spec.guardrails),
            strict: spec.strict,
            id: bytes,
        }
    }
}

fn breaker(written: &written::Breaker) -> Breaker {
    let threshold = written.failure_threshold.or(if written.failure_threshold_percentage.is_none() { Some(1) } else { None });
    let minimum = if written.failure_threshold_percentage.is_some() { MINIMUM_REQUESTS } else { 0 };
    Breaker {
        failures: threshold.map(|threshold| threshold.max(1)),
        percentage: written.failure_threshold_percentage,
        minimum_requests: written.minimum_requests.unwrap_or(minimum),
        cooldown: written.cooldown_interval.map_or(LEAST_COOLDOWN, Duration::from_millis).max(LEAST_COOLDOWN),
        codes: written.failure_status_codes.clone(),
    }
}

fn joined(path: &str, key: &str) -> String {
    match (path, key) {
        ("", key) => key.to_owned(),
        (path, "") => path.to_owned(),
        (path, key) => format!("{path}.{key}"),
    }
}

impl Spec {
    /// What a request's headers say where its config is silent.
    #[must_use]
    pub fn with_headers(
        self,
        timeout: Option<Duration>,
        forward: Vec<HeaderName>,
        retries: Option<u32>,
        cache: CacheChoice,
    ) -> Self {
        let retry = retries.map_or_else(Policy::default, |retries| Policy::new(retries, None, false));
        Self { request_timeout: timeout, forward_headers: forward, retry, cache, ..self }
    }

    /// The same, which asks for another model.
    #[must_use]
    pub(super) fn for_model(mut self, model: &str) -> Self {
        self.overrides = self.overrides.with(Overrides::for_model(model));
        self
    }

    /// What tells it from others, names and credentials aside.
    pub(super) fn identify(&self, hasher: &mut blake3::Hasher) {
        let Self { options, retry, request_timeout, forward_headers, cache, .. } = self;
        hasher.update(format!("{options:?}{retry:?}{request_timeout:?}{forward_headers:?}{cache:?}").as_bytes());
    }
}

#[cfg(test)]
mod tests;
