//! The admin listener: health, metrics, and operations on the cache and the rules.

mod body;
mod cache;
mod rules;

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use http::{Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use metrics::gauge;
use metrics_exporter_prometheus::PrometheusHandle;
use serde_json::json;

use crate::{
    cache::{Cache, Wish},
    egress::{self, Body},
    error::{Error, Kind},
    guard::Rules,
    ingress::local_page,
    ledger::Savings,
    telemetry::metric,
};

/// Where operators look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The admin port: everything that an operator can see and do.
    pub admin: SocketAddr,
    /// A read-only port with health and metrics alone, which may be reachable from elsewhere.
    pub health: Option<SocketAddr>,
}

/// What was loaded at start. There is no listener before all of it is.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The engine that embeds, if the semantic tier is on.
    pub engine: Option<&'static str>,
    /// Input and output rules.
    pub rules: [usize; 2],
    /// The upstream's base URL.
    pub upstream: String,
    /// Where answers are kept across restarts, if they are.
    pub store: Option<String>,
}

/// The rooms that operators look into.
#[derive(Debug)]
pub struct Rooms {
    /// What is kept.
    pub cache: Cache,
    /// The rules: to look at, to load again, and to screen what is compared with prompts that have passed them.
    pub rules: Arc<Rules>,
    /// What the cache is worth.
    pub savings: Arc<Savings>,
}

/// Answers the requests of the admin and the health port.
pub struct Console {
    loaded: Loaded,
    rooms: Rooms,
    metrics: PrometheusHandle,
    draining: AtomicBool,
}

impl std::fmt::Debug for Console {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Console").field("loaded", &self.loaded).finish_non_exhaustive()
    }
}

impl Console {
    /// A console that shows these rooms and these metrics.
    pub fn new(loaded: Loaded, rooms: Rooms, metrics: PrometheusHandle) -> Arc<Self> {
        Arc::new(Self { loaded, rooms, metrics, draining: AtomicBool::new(false) })
    }

    /// From now on this instance is not ready: it finishes what it has and takes nothing new.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    /// Folds samples into their buckets, and lets the cache drop what has expired.
    pub fn upkeep(&self) {
        self.metrics.run_upkeep();
        self.rooms.cache.tidy();
    }

    /// Answers a request to the admin port, which is on loopback and asks for no key.
    pub async fn admin(&self, request: Request<Incoming>) -> Response<Body> {
        if let Err(error) = local_page(request.headers(), request.uri()) {
            return egress::error(&error);
        }
        let path = request.uri().path().to_owned();
        let answer = if let Some(operation) = path.strip_prefix("/cache/") {
            cache::answer(&self.rooms, operation, request).await
        } else if let Some(operation) = path.strip_prefix("/rules").filter(|rest| rest.is_empty() || rest.starts_with('/')) {
            rules::answer(&self.rooms.rules, operation, request).await
        } else {
            return self.health(&request);
        };
        answer.unwrap_or_else(|error| egress::error(&error))
    }

    /// Answers a request for health or metrics.
    pub fn health(&self, request: &Request<Incoming>) -> Response<Body> {
        if request.method() != Method::GET {
            return egress::error(&Error::new(Kind::WrongMethod, "This port is read with GET."));
        }
        match request.uri().path() {
            "/livez" => egress::text(StatusCode::OK, "alive\n"),
            "/readyz" => self.readyz(),
            "/metrics" => self.metrics(),
            path => {
                let message = format!(
                    "There is no `{path}` here. Look at /livez, /readyz or /metrics; the admin port also has /cache/stats and /rules."
                );
                egress::error(&Error::new(Kind::UnknownEndpoint, message))
            }
        }
    }

    fn readyz(&self) -> Response<Body> {
        let draining = self.draining.load(Ordering::Relaxed);
        let status = if draining { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
        let body = json!({
            "ready": !draining,
            "draining": draining,
            "model": self.loaded.engine,
            "rules": rules::status(&self.rooms.rules),
            "upstream": self.loaded.upstream,
        });
        egress::json(status, &body)
    }

    fn metrics(&self) -> Response<Body> {
        let size = self.rooms.cache.size();
        gauge!(metric::CACHE_ENTRIES).set(size.entries as f64);
        gauge!(metric::CACHE_BYTES).set(size.bytes as f64);
        gauge!(metric::CACHE_VECTORS).set(size.vectors as f64);
        let plan = self.rooms.cache.plan(&Wish::default());
        if plan.mode.compares_meaning() {
            gauge!(metric::CACHE_THRESHOLD).set(plan.threshold);
        }
        egress::text(StatusCode::OK, self.metrics.render())
    }
}
