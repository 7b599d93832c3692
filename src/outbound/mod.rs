//! The only HTTP client socket, with its rule of which addresses may be called.
//!
//! A connection is driven by the task that uses it, not by one of its own: a request costs no hand-over between threads, and when nobody waits
//! for the answer any more, dropping it closes the connection.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Request, Response, Uri, uri::Scheme};
use http_body_util::Full;
use tokio::time::timeout;

mod addresses;
mod body;
mod connect;
mod connection;
mod pool;

pub use body::Body;

use connect::Connector;
use connection::{Connection, Sent};
use pool::Pool;

use crate::error::{Error, Kind, Result};

/// How connections are opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// How long resolving, connecting and the TLS handshake may take together.
    pub connect_timeout: Duration,
    /// Whether private, shared and link-local addresses may be called.
    pub allow_private: bool,
    /// Whether loopback addresses may be called.
    pub allow_loopback: bool,
    /// Idle connections kept per host.
    pub max_idle: usize,
}

/// Where a connection leads.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Origin {
    tls: bool,
    host: String,
    port: u16,
    /// Named by somebody who may not know where this machine's own services are.
    foreign: bool,
}

impl Origin {
    /// The origin of an absolute URL; `None` if it has no host or another scheme than http and https.
    pub fn of(uri: &Uri) -> Option<Self> {
        let tls = uri.scheme() == Some(&Scheme::HTTPS);
        if !tls && uri.scheme() != Some(&Scheme::HTTP) {
            return None;
        }
        let host = uri.host()?.trim_matches(['[', ']']).to_owned();
        Some(Self { tls, host, port: uri.port_u16().unwrap_or(if tls { 443 } else { 80 }), foreign: false })
    }

    /// The same origin where a model or a client has named it: loopback is then no better than a private address.
    #[must_use]
    pub fn named_by_a_stranger(self) -> Self {
        Self { foreign: true, ..self }
    }
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}://{}:{}", if self.tls { "https" } else { "http" }, self.host, self.port)
    }
}

/// How long an upstream may be silent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// Until its response head.
    pub head: Duration,
    /// Inside a body.
    pub idle: Duration,
}

/// Calls upstreams.
#[derive(Debug, Clone)]
pub struct Client {
    connector: Arc<Connector>,
    pool: Arc<Pool>,
}

impl Client {
    /// A client under these settings. Reads the system's certificates.
    pub fn new(settings: &Settings) -> Self {
        Self { connector: Arc::new(Connector::new(settings)), pool: Arc::new(Pool::new(settings.max_idle)) }
    }

    /// Sends a request and waits for the response head. Dropping the future or the body ends the call.
    pub async fn send(&self, origin: &Origin, request: Request<Full<Bytes>>, patience: Patience) -> Result<Response<Body>> {
        let answered = timeout(patience.head, self.attempt(origin, request)).await;
        let (response, connection) = answered.map_err(|_elapsed| {
            let message = format!(
                "The upstream {origin} did not answer within {}. Try again, or raise `upstream.response_timeout`.",
                seconds(patience.head)
            );
            Error::new(Kind::UpstreamTimeout, message)
        })??;
        let back = pool::Return { pool: Arc::clone(&self.pool), origin: origin.clone() };
        Ok(response.map(|incoming| Body::new(incoming, connection, back, patience.idle)))
    }

    /// Fails if the origin's host has no address, or one that may not be called.
    pub async fn resolve(&self, origin: &Origin) -> Result<()> {
        self.connector.resolve(origin).await.map(drop)
    }

    /// A connection that was idle may have been closed by the other side: what could not be written is sent on a fresh one.
    async fn attempt(
        &self,
        origin: &Origin,
        mut request: Request<Full<Bytes>>,
    ) -> Result<(Response<hyper::body::Incoming>, Connection)> {
        while let Some(mut idle) = self.pool.take(origin) {
            if !idle.ready().await {
                continue;
            }
            match idle.send(request).await {
                Sent::Answered(response) => return Ok((response, idle)),
                Sent::Unsent(back) => request = *back,
                Sent::Failed(error) => return Err(reset(origin, error)),
            }
        }
        let mut fresh = self.connector.connect(origin).await?;
        match fresh.send(request).await {
            Sent::Answered(response) => Ok((response, fresh)),
            Sent::Unsent(_) => Err(reset(origin, "the connection closed before the request was sent")),
            Sent::Failed(error) => Err(reset(origin, error)),
        }
    }
}

fn reset(origin: &Origin, cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    let message = format!("The upstream {origin} closed the connection before it answered. Try again, or ask the provider.");
    Error::new(Kind::UpstreamReset, message).because(cause)
}

/// A duration for people: `1.5 s`.
fn seconds(duration: Duration) -> String {
    format!("{} s", duration.as_secs_f64())
}
