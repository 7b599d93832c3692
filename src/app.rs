//! Composition root: [`Config`] → [`App`]. The only file that names concrete engines, stores and providers.

use std::{fmt, future::Future, io, net::SocketAddr, sync::Arc, time::Duration};

use http::{Request, Uri};
use hyper::body::Incoming;
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::{
    net::TcpListener,
    sync::watch,
    task::{JoinHandle, JoinSet},
};

use crate::{
    access::{self, Access},
    cache::{
        Cache, Semantic,
        flight::Flights,
        store::{self, Sqlite, Store, StoreError, Writer},
    },
    config::Config,
    console::{Console, Loaded, Rooms},
    demo,
    diagnostics::Report,
    embed::{self, Bundled, EmbedError, EngineChoice, Fingerprint, Worker},
    guard::{Callouts, Meaning, Rules, rules},
    ingress::{self, Bounds, Listener, Service, Workers, serve},
    ledger::{Branches, Savings},
    outbound::Client,
    pipeline::Pipeline,
    route::{self, Router, prompts::Prompts},
};

mod limits;
mod reload;

use limits::Keeper;
use reload::Watch;

/// Patience with a demo upstream that nobody configured.
const DEMO_TIMEOUT: Duration = Duration::from_mins(1);
/// How often metrics and cache are tidied up.
const UPKEEP: Duration = Duration::from_secs(5);
/// The admin and the health port need few connections.
const CONSOLE_CONNECTIONS: usize = 64;

/// Why Lockgate does not start.
#[derive(Debug)]
pub enum StartError {
    /// Rule files or prompts with mistakes.
    Rules(Vec<Report>),
    /// The model or its engine.
    Embedding(EmbedError),
    /// A port, or a thread that the system refuses.
    System(io::Error),
    /// The upstream's URL or key.
    Upstream(String),
}

impl StartError {
    /// For people, in colour if their terminal has any.
    pub fn render(&self, color: bool) -> String {
        match self {
            Self::Rules(reports) => reports.iter().map(|report| report.render(color)).collect::<Vec<_>>().join("\n"),
            other => format!("error: {other}"),
        }
    }
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rules(reports) => reports.iter().try_for_each(|report| writeln!(f, "{report}")),
            Self::Embedding(error) => error.fmt(f),
            Self::System(error) => error.fmt(f),
            Self::Upstream(reason) => f.write_str(reason),
        }
    }
}

impl std::error::Error for StartError {}

impl From<io::Error> for StartError {
    fn from(error: io::Error) -> Self {
        Self::System(error)
    }
}

/// Everything is loaded and every port is bound.
#[derive(Debug)]
pub struct App {
    service: Arc<Service>,
    console: Arc<Console>,
    cache: Cache,
    workers: Workers,
    data: Listener,
    admin: Listener,
    health: Option<Listener>,
    demo: Option<(SocketAddr, JoinHandle<()>)>,
    drain: Duration,
    loaded: Loaded,
    watch: Watch,
    keeper: Option<Keeper>,
}

impl App {
    /// Loads and binds what the configuration asks for.
    pub async fn start(config: Config, metrics: PrometheusHandle) -> Result<Self, StartError> {
        let seen = reload::look(rules::files(&config.guard).into_iter().chain(config.file.clone()));
        let pack = rules::load(&config.guard).map_err(StartError::Rules)?;
        let reread = reload::reread(&config);
        let mut secret = access::fresh_secret();
        let mut store = config.store.as_ref().and_then(|settings| open_store(settings, &mut secret));
        let engines = store.as_mut().and_then(|store| store.engines().ok()).unwrap_or_default();
        let compares = config.cache.mode.compares_meaning();
        let embeds = compares || pack.demands_vectors();
        let engine = embeds.then(|| semantic(&engine_of(config.embed, &engines))).transpose()?;
        let meaning = Meaning::new(engine.as_ref().map(|(semantic, _)| semantic.worker.clone()));
        meaning.prepare(&pack).map_err(StartError::Rules)?;
        let semantic = engine.filter(|_| compares);
        let (route, demo) = match config.route {
            Some(route) => (route, None),
            None => start_demo().await?,
        };
        let prompts = route.prompts.as_deref().map(Prompts::load).transpose().map_err(StartError::Rules)?;
        let mut outbound = config.outbound;
        outbound.allow_loopback |= demo.is_some();
        let client = Client::new(&outbound);
        let mut router =
            Router::new(&route, client.clone()).ok_or_else(|| StartError::Upstream("`upstream.url` has no host".to_owned()))?;
        if demo.is_some() {
            // Its port is another one each time, its answers are not.
            router = router.known_as("demo");
        }
        let loaded = Loaded {
            engine: semantic.as_ref().map(|(_, engine)| *engine),
            rules: [pack.input.rules().len(), pack.output.rules().len()],
            upstream: route.base_url.to_string(),
            store: store.as_ref().map(|store| store.place()),
        };
        let label = semantic
            .as_ref()
            .map_or_else(Arc::default, |(semantic, engine)| store::engine_label(engine, semantic.fingerprint.as_bytes()));
        leave_aside(&engines, &label);
        let writer = store.map(|store| Writer::start(store, label)).transpose()?;
        let cache = Cache::new(&config.cache, semantic.map(|(semantic, _)| semantic)).kept_in(writer).keyed_by(secret);
        cache.recall().await;
        let (rules, savings) = (
            Arc::new(Rules::new(pack, (config.guard, config.profiles), &secret, meaning, reread)),
            Arc::new(Savings::new(config.ledger.with_shipped())),
        );
        let rooms = Rooms { cache: cache.clone(), rules: Arc::clone(&rules), savings: Arc::clone(&savings) };
        let console = Console::new(loaded.clone(), rooms, metrics);
        let watch = Watch { rules: Arc::clone(&rules), file: config.file, seen, vault: router.vault().clone() };
        let local_only = config.access.client_keys.is_empty();
        let access = Access::new(&config.access, secret);
        let keeper = Keeper::open(&access.limits, config.store.as_ref().and_then(|store| store.path.as_deref()));
        let pipeline = Pipeline {
            access,
            rules,
            callouts: Callouts::new(client),
            cache: cache.clone(),
            flights: Flights::default(),
            router,
            savings,
            branches: Branches::default(),
            prompts: prompts.unwrap_or_default(),
        };
        let settings = config.ingress;
        let data = bind(settings.listen, &settings, settings.max_connections).await?;
        let admin = bind(config.console.admin, &settings, CONSOLE_CONNECTIONS).await?;
        let health = match config.console.health {
            Some(address) => Some(bind(address, &settings, CONSOLE_CONNECTIONS).await?),
            None => None,
        };
        let drain = settings.drain_timeout;
        let service = Arc::new(Service { settings, pipeline: Arc::new(pipeline), local_only });
        let workers = Workers::start()?;
        let restored = cache.clone();
        tokio::spawn(async move { restored.restore().await });
        Ok(Self { service, console, cache, workers, data, admin, health, demo, drain, loaded, watch, keeper })
    }

    /// Where the data port listens.
    pub fn data_address(&self) -> io::Result<SocketAddr> {
        self.data.address()
    }

    /// Where the admin port listens.
    pub fn admin_address(&self) -> io::Result<SocketAddr> {
        self.admin.address()
    }

    /// Where the health port listens, if there is one.
    pub fn health_address(&self) -> Option<SocketAddr> {
        self.health.as_ref().and_then(|listener| listener.address().ok())
    }

    /// Where the demo upstream listens, if it runs.
    pub fn demo_address(&self) -> Option<SocketAddr> {
        self.demo.as_ref().map(|(address, _)| *address)
    }

    /// What was loaded.
    pub fn loaded(&self) -> &Loaded {
        &self.loaded
    }

    /// Serves until `stop` is done, and drains. Returns how many connections had to be cut off.
    pub async fn run(self, stop: impl Future) -> usize {
        let Self { service, console, cache, workers, data, admin, health, demo, drain, loaded: _, watch, keeper } = self;
        let (ended, end) = watch::channel(false);
        let mut consoles = JoinSet::new();
        let wait = move || {
            let mut end = end.clone();
            async move { end.wait_for(|end| *end).await.is_ok() }
        };
        for (listener, open) in [(Some(admin), false), (health, true)] {
            let Some(listener) = listener else { continue };
            let console = Arc::clone(&console);
            let handler = move |request: Request<Incoming>| {
                let console = Arc::clone(&console);
                async move { if open { console.health(&request) } else { console.admin(request).await } }
            };
            let (end, here) = (wait(), Workers::here());
            consoles.spawn(async move { serve(listener, &here, Arc::new(handler), end, Duration::ZERO).await });
        }
        consoles.spawn(upkeep(Arc::clone(&console), wait()));
        consoles.spawn(watch.run(wait()));
        if let Some(keeper) = keeper {
            consoles.spawn(keeper.run(wait()));
        }
        let handler = move |request| {
            let service = Arc::clone(&service);
            async move { service.call(request).await }
        };
        let stop = async {
            stop.await;
            console.drain();
        };
        let cut_off = serve(data, &workers, Arc::new(handler), stop, drain).await;
        // The consoles outlive the data port, so that the drain can be watched.
        ended.send_replace(true);
        while consoles.join_next().await.is_some() {}
        cache.close().await;
        if let Some((_, task)) = demo {
            task.abort();
        }
        cut_off
    }
}

async fn bind(address: SocketAddr, settings: &ingress::Settings, max_connections: usize) -> io::Result<Listener> {
    let bounds = Bounds {
        head_timeout: settings.head_timeout,
        unread_timeout: settings.body_timeout,
        max_head_bytes: settings.max_head_bytes,
        max_connections,
    };
    Listener::bind(address, bounds).await
}

/// Samples that nobody reads would pile up.
async fn upkeep(console: Arc<Console>, end: impl Future) -> usize {
    let mut ticks = tokio::time::interval(UPKEEP);
    let mut end = std::pin::pin!(end);
    loop {
        tokio::select! {
            _ = &mut end => return 0,
            _ = ticks.tick() => console.upkeep(),
        }
    }
}

fn semantic(settings: &embed::Settings) -> Result<(Semantic, &'static str), StartError> {
    let embedder = embed::load(settings).map_err(StartError::Embedding)?;
    let fingerprint = Fingerprint::of(&*embedder).map_err(StartError::Embedding)?;
    let worker = Worker::start(&embedder, settings.threads(), settings.queue)?;
    Ok((Semantic { worker, fingerprint }, embedder.name()))
}

/// Opens the store and takes over its secret; without one, requests are answered from memory alone.
fn open_store(settings: &store::Settings, secret: &mut store::Secret) -> Option<Box<dyn Store>> {
    let path = settings.path.as_deref();
    match path.ok_or(StoreError::Nowhere).and_then(|path| Sqlite::open(path, settings, *secret)) {
        Ok(store) => {
            *secret = store.secret();
            Some(Box::new(store))
        }
        Err(error) => {
            store::give_up(&path.map_or_else(String::new, |path| path.display().to_string()), &error);
            None
        }
    }
}

/// The settings, where `auto` is the engine that filled the store: a library that appears does not empty the cache.
fn engine_of(mut settings: embed::Settings, engines: &[(String, u64)]) -> embed::Settings {
    let embedding = engines.iter().filter(|(label, _)| !label.is_empty());
    let filled_by = embedding.max_by_key(|(_, entries)| entries).and_then(|(label, _)| store::engine_name(label));
    if settings.engine == EngineChoice::Auto && filled_by == Some(Bundled::NAME) {
        settings.engine = EngineChoice::Rten;
        if embed::find_library(settings.library.as_deref()).is_some() {
            tracing::info!(
                "ONNX Runtime is here, but rten filled the store and goes on, so that its entries stay in use; to change over, \
                 set `embedding.engine: onnxruntime`."
            );
        }
    }
    settings
}

/// Says how many entries of the store are not used now.
fn leave_aside(engines: &[(String, u64)], label: &str) {
    let others: Vec<_> = engines.iter().filter(|(other, _)| other != label).collect();
    let entries: u64 = others.iter().map(|(_, entries)| entries).sum();
    if entries > 0 {
        let made_by: Vec<_> = others.iter().map(|(label, _)| store::engine_name(label).unwrap_or("mode exact")).collect();
        tracing::warn!(
            entries,
            made_by = made_by.join(", "),
            "Entries on disk are left aside until they expire: another engine made them, or another kind of CPU, or another `cache.mode`."
        );
    }
}

async fn start_demo() -> Result<(route::Settings, Option<(SocketAddr, JoinHandle<()>)>), StartError> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let address = listener.local_addr()?;
    let base_url: Uri = format!("http://{address}/v1").parse().map_err(|error| StartError::Upstream(format!("{error}")))?;
    let task = tokio::spawn(demo::serve(listener, demo::Directives::default(), std::future::pending::<()>()));
    let settings = route::Settings::to(base_url, DEMO_TIMEOUT);
    Ok((settings, Some((address, task))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn with_auto_the_engine_that_filled_the_store_goes_on() {
        let chosen = |engine, filled: &[(&str, u64)]| {
            let engines: Vec<_> = filled.iter().map(|&(name, entries)| (label(name), entries)).collect();
            let settings = embed::Settings { engine, model: None, library: None, threads: 1, queue: 1 };
            engine_of(settings, &engines).engine
        };
        assert_eq!(chosen(EngineChoice::Auto, &[("rten", 5), ("onnxruntime", 4)]), EngineChoice::Rten);
        assert_eq!(chosen(EngineChoice::Auto, &[("rten", 5), ("onnxruntime", 6)]), EngineChoice::Auto);
        assert_eq!(chosen(EngineChoice::Auto, &[("", 9), ("rten", 1)]), EngineChoice::Rten, "exact entries have no engine");
        assert_eq!(chosen(EngineChoice::Auto, &[]), EngineChoice::Auto);
        assert_eq!(chosen(EngineChoice::OnnxRuntime, &[("rten", 5)]), EngineChoice::OnnxRuntime, "what is asked for is done");
    }

    fn label(name: &str) -> String {
        if name.is_empty() { String::new() } else { store::engine_label(name, &[1; 16]).to_string() }
    }
}
