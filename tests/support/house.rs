//! Lockgate in this process, on free ports, in front of a scripted upstream.

use std::{net::SocketAddr, path::Path, sync::OnceLock};

use lockgate::{
    app::{App, StartError},
    cache::Mode,
    config::Config,
    diagnostics::Source,
    telemetry,
};
use metrics_exporter_prometheus::PrometheusHandle;
use serde_json::Value;
use tokio::{sync::oneshot, task::JoinHandle};

use crate::{
    client::{Answer, Client, Raw},
    patient,
    shapes::CHAT,
    upstream::Upstream,
};

/// Stopped when dropped.
#[derive(Debug)]
pub(crate) struct House {
    pub(crate) data: SocketAddr,
    pub(crate) admin: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    running: JoinHandle<usize>,
}

impl House {
    /// With the exact cache and the rules that ship.
    pub(crate) async fn before(upstream: &Upstream) -> Self {
        Self::with(upstream, |_| ()).await
    }

    /// With the semantic cache as well, and the real model.
    pub(crate) async fn semantic(upstream: &Upstream) -> Self {
        Self::with(upstream, |config| config.cache.mode = Mode::Semantic).await
    }

    /// With something changed.
    pub(crate) async fn with(upstream: &Upstream, change: impl FnOnce(&mut Config)) -> Self {
        let mut config = config(upstream.address);
        change(&mut config);
        Self::from(config).await
    }

    pub(crate) async fn from(config: Config) -> Self {
        let app = start(config).await.unwrap_or_else(|error| panic!("{error}"));
        let (data, admin) = (app.data_address().expect("it is bound"), app.admin_address().expect("it is bound"));
        let (stop, stopped) = oneshot::channel();
        let running = tokio::spawn(app.run(stopped));
        Self { data, admin, stop: Some(stop), running }
    }

    pub(crate) async fn client(&self) -> Client {
        Client::to(self.data).await
    }

    pub(crate) async fn raw(&self) -> Raw {
        Raw::to(self.data).await
    }

    /// Asks on a connection of its own.
    pub(crate) async fn ask(&self, body: &Value) -> Answer {
        self.ask_with(&[], body).await
    }

    pub(crate) async fn ask_with(&self, headers: &[(&str, &str)], body: &Value) -> Answer {
        self.client().await.post(CHAT).headers(headers).json(body).send().await
    }

    /// Asks the admin port.
    pub(crate) async fn look(&self, path: &str) -> Answer {
        Client::to(self.admin).await.get(path).send().await
    }

    /// From now on it drains.
    pub(crate) fn stop(&mut self) {
        drop(self.stop.take());
    }

    /// Waits for the end of the drain; gives how many connections were cut off.
    pub(crate) async fn stopped(mut self) -> usize {
        self.stop();
        patient(&mut self.running).await.expect("it does not panic")
    }
}

impl Drop for House {
    fn drop(&mut self) {
        self.running.abort();
    }
}

/// Free ports, this upstream, the exact cache.
pub(crate) fn config(upstream: SocketAddr) -> Config {
    config_and(upstream, "")
}

/// The same, with more sections. Loopback may be called whoever else may call.
pub(crate) fn config_and(upstream: SocketAddr, more: &str) -> Config {
    let own = !more.is_empty();
    let text = format!(
        "server: {{ listen: '127.0.0.1:0', admin: '127.0.0.1:0' }}\n\
         upstream: {{ url: 'http://{upstream}/v1', allow_private_addresses: {own} }}\n\
         cache: {{ mode: exact }}\n\
         embedding: {{ engine: rten, threads: 1 }}\n{more}",
    );
    Config::check(Source::new("lockgate.yaml", text), Path::new(""), &|_| None).unwrap_or_else(|report| panic!("{report}"))
}

pub(crate) async fn start(config: Config) -> Result<App, StartError> {
    // The recorder of a process is set once.
    static METRICS: OnceLock<PrometheusHandle> = OnceLock::new();
    App::start(config, METRICS.get_or_init(|| telemetry::start_metrics().expect("the buckets are sound")).clone()).await
}
