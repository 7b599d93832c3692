//! From the file as written to the settings of the rooms, section by section, with what no schema can judge.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::PathBuf,
};

use tracing_subscriber::{EnvFilter, filter::LevelFilter};

use crate::{
    cache::{
        self,
        verify::{self, Stances},
    },
    console, embed, ingress, ledger, telemetry,
};

use super::{
    Config, defaults,
    resolver::Resolver,
    written::{self, Engine, LogFormat, Mode, Written},
};

/// Goes on in place of an address that is wrong.
const STAND_IN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// Where the three listeners stand, as far as they can be read.
struct Listeners {
    listen: Option<SocketAddr>,
    admin: Option<SocketAddr>,
    health: Option<SocketAddr>,
}

impl Resolver<'_> {
    pub(super) fn config(&mut self, written: &Written) -> Config {
        let listeners = self.listeners(&written.server);
        let has_keys = self.is_written("/access/client_keys/0");
        self.open_listener(listeners.listen, has_keys);
        let outbound = self.outbound(&written.upstream, listeners.listen, has_keys);
        Config {
            file: None,
            ingress: ingress::Settings {
                routes: written.routes.keys().cloned().collect(),
                ..self.ingress(&written.server, listeners.listen)
            },
            console: console::Settings { admin: listeners.admin.unwrap_or(STAND_IN), health: listeners.health },
            access: self.access(written),
            route: self.route(written, &outbound),
            outbound,
            cache: self.cache(&written.cache),
            store: self.store(&written.cache),
            embed: self.embed(&written.embedding),
            guard: self.guard(&written.guardrails),
            profiles: self.profiles(written),
            ledger: self.ledger(&written.prices),
            telemetry: self.telemetry(&written.log),
        }
    }

    fn listeners(&mut self, written: &written::Server) -> Listeners {
        let listen = self.address("/server/listen", &written.listen);
        let admin = self.address("/server/admin", &written.admin);
        let health = written.health.as_deref().and_then(|health| self.address("/server/health", health));
        let pairs = [
            ("/server/admin", admin, "`server.listen`", listen),
            ("/server/health", health, "`server.listen`", listen),
            ("/server/health", health, "`server.admin`", admin),
        ];
        for (at, one, other_name, other) in pairs {
            if one.zip(other).is_some_and(|(one, other)| collide(one, other)) {
                self.refuse(at, &format!("is the same address as {other_name}"), "give it a port of its own");
            }
        }
        if admin.is_some_and(|admin| !admin.ip().is_loopback()) {
            self.refuse_because(
                "/server/admin",
                "is not on loopback",
                "who can reach it could read and change everything, without a key",
                "listen on 127.0.0.1; for probes and metrics from elsewhere set `server.health`",
            );
        }
        Listeners { listen, admin, health }
    }

    fn open_listener(&mut self, listen: Option<SocketAddr>, has_keys: bool) {
        if !has_keys && listen.is_some_and(|listen| !listen.ip().is_loopback()) {
            self.refuse_because(
                "/server/listen",
                "is not on loopback, and there are no client keys",
                "anyone on the network could spend your provider key",
                "add a key under `access.client_keys` (without a file: set PORTKEY_API_KEY), or listen on 127.0.0.1",
            );
        }
    }

    fn ingress(&mut self, written: &written::Server, listen: Option<SocketAddr>) -> ingress::Settings {
        for (index, path) in written.relay.iter().enumerate() {
            self.relay(&format!("/server/relay/{index}"), path);
        }
        ingress::Settings {
            listen: listen.unwrap_or(STAND_IN),
            max_body_bytes: self.memory("/server/max_body", &written.max_body, 1),
            max_head_bytes: self.memory("/server/max_head", &written.max_head, defaults::LEAST_MAX_HEAD),
            head_timeout: self.duration("/server/head_timeout", &written.head_timeout),
            body_timeout: self.duration("/server/body_timeout", &written.body_timeout),
            drain_timeout: self.duration_or_zero("/server/drain_timeout", &written.drain_timeout),
            max_connections: written.max_connections,
            relay: written.relay.clone(),
            routes: Vec::new(),
        }
    }

    fn relay(&mut self, at: &str, path: &str) {
        // Requests are matched after their paths are normalised, so that another spelling would never match.
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "/-._~".contains(c);
        let is_normal = path.chars().all(is_plain) && !path.contains("//") && !path.contains("/.");
        if !path.starts_with("/v1/") || !is_normal || path.ends_with('/') {
            let remedy = "write the whole path, such as /v1/images/generations: no escapes, no slash at the end";
            self.refuse(at, "is not a path under /v1/", remedy);
        } else if ingress::READ.contains(&path) {
            self.refuse_because(
                at,
                "is an endpoint that Lockgate reads",
                "relaying it would take it past the cache and every rule",
                "remove it",
            );
        }
    }

    fn cache(&mut self, written: &written::Cache) -> cache::Settings {
        let max_bytes = self.size("/cache/max_memory", &written.max_memory, 1);
        let max_entry_bytes = self.memory("/cache/max_entry", &written.max_entry, 1);
        if max_entry_bytes as u64 > max_bytes {
            let remedy = "write less than `cache.max_memory`";
            self.refuse("/cache/max_entry", "is larger than the whole cache", remedy);
        }
        cache::Settings {
            mode: match written.mode {
                Mode::Semantic => cache::Mode::Semantic,
                Mode::Shadow => cache::Mode::Shadow,
                Mode::Exact => cache::Mode::Exact,
                Mode::Off => cache::Mode::Off,
            },
            threshold: self.threshold(written),
            max_error: written.max_error,
            stances: written
                .checks
                .all()
                .into_iter()
                .fold(Stances::default(), |stances, (check, stance)| stances.with(check, stance)),
            ttl: self.duration("/cache/ttl", &written.ttl),
            max_bytes,
            max_entries: written.max_entries,
            max_entry_bytes,
        }
    }

    /// The path is of the file alone; where none is written, the environment names one.
    fn store(&mut self, written: &written::Cache) -> Option<cache::store::Settings> {
        let store = &written.store;
        let settings = cache::store::Settings {
            path: store.path.as_deref().map(|path| self.path(path)),
            max_bytes: self.size("/cache/store/max_size", &store.max_size, defaults::LEAST_STORE_SIZE),
            max_entries: store.max_entries,
        };
        (store.enabled && !matches!(written.mode, Mode::Off)).then_some(settings)
    }

    /// A threshold as it is written, or what follows from the error that is accepted.
    fn threshold(&mut self, written: &written::Cache) -> f32 {
        let Some(max_error) = written.max_error else { return self.written_threshold(written.threshold) };
        let at = "/cache/max_error";
        if self.is_written("/cache/threshold") {
            self.refuse(at, "is written beside `cache.threshold`", "remove one: each says how near is near enough");
        }
        verify::threshold_for(max_error).unwrap_or_else(|| {
            let remedy = "write a larger share, such as 0.05, or `mode: exact`";
            self.refuse(at, "is less than any threshold promises", remedy);
            1.0
        })
    }

    fn written_threshold(&mut self, threshold: f64) -> f32 {
        let at = "/cache/threshold";
        let remedy = "write 0.94; lower serves more, wrong answers among it. A distance d is a similarity of 1 - d";
        if !(0.0..=1.0).contains(&threshold) {
            let message = "is a cosine similarity: from 0 to 1, higher is stricter";
            self.refuse(at, message, remedy);
        } else if threshold < defaults::LEAST_THRESHOLD {
            let consequence = "texts on any two subjects are this alike: questions would get the answers of others";
            self.refuse_because(at, "is below 0.5", consequence, remedy);
        }
        #[expect(clippy::cast_possible_truncation, reason = "seven digits of a similarity are more than it has")]
        let threshold = threshold as f32;
        threshold
    }

    fn embed(&mut self, written: &written::Embedding) -> embed::Settings {
        embed::Settings {
            engine: match written.engine {
                Engine::Auto => embed::EngineChoice::Auto,
                Engine::Rten => embed::EngineChoice::Rten,
                Engine::OnnxRuntime => embed::EngineChoice::OnnxRuntime,
            },
            model: written.model.as_deref().map(|model| self.model(model)),
            library: None,
            threads: written.threads,
            queue: written.queue,
        }
    }

    fn model(&mut self, folder: &str) -> PathBuf {
        let at = "/embedding/model";
        let folder = self.folder(at, folder);
        let missing = ["model.int8.onnx", "tokenizer.json"].iter().find(|file| !folder.join(file).is_file());
        if let Some(file) = missing.filter(|_| folder.is_dir()) {
            self.refuse(at, &format!("has no {file} in it"), "name a folder that holds a model and its tokenizer");
        }
        folder
    }

    fn ledger(&mut self, prices: &BTreeMap<String, written::Price>) -> ledger::Settings {
        for model in prices.keys() {
            let at = format!("/prices/{}", model.replace('~', "~0").replace('/', "~1"));
            if model.trim_end_matches('*').contains('*') || model.ends_with("**") {
                self.refuse_key(&at, "has a `*` inside", "write the whole name, or its beginning and one `*` at the end");
            }
        }
        let price = |price: &written::Price| ledger::Price { prompt: price.prompt, completion: price.completion };
        ledger::Settings { prices: prices.iter().map(|(model, written)| (model.clone(), price(written))).collect() }
    }

    fn telemetry(&mut self, written: &written::Log) -> telemetry::Settings {
        if !is_filter(&written.level) {
            let remedy = "write error, warn, info, debug or trace; exceptions follow, as in info,lockgate::cache=debug";
            self.refuse("/log/level", "is not a log level", remedy);
        }
        telemetry::Settings {
            format: match written.format {
                LogFormat::Text => telemetry::LogFormat::Text,
                LogFormat::Json => telemetry::LogFormat::Json,
            },
            filter: written.level.clone(),
        }
    }
}

/// Whether the two cannot be listened on both. Port 0 is a new port each time.
fn collide(one: SocketAddr, other: SocketAddr) -> bool {
    let everywhere = one.ip().is_unspecified() || other.ip().is_unspecified();
    one.port() != 0 && one.port() == other.port() && (everywhere || one.ip() == other.ip())
}

/// `EnvFilter` takes any bare word for a target, so that `inof` would silently log nothing, and it panics on some text
/// that is not ASCII.
fn is_filter(text: &str) -> bool {
    let is_bare = |directive: &&str| !directive.contains(['=', '[']);
    let is_level = |directive: &str| !directive.is_empty() && directive.parse::<LevelFilter>().is_ok();
    let bare_words_are_levels = text.split(',').map(str::trim).filter(is_bare).all(is_level);
    text.is_ascii() && bare_words_are_levels && EnvFilter::try_new(text).is_ok()
}
