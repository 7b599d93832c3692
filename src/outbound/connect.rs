//! Opens a connection: resolve, check, connect, TLS, HTTP, all under one time limit.

use std::{net::SocketAddr, sync::Arc};

use hyper_util::rt::TokioIo;
use tokio::{
    net::{TcpStream, lookup_host},
    time::timeout,
};
use tokio_rustls::{
    TlsConnector,
    rustls::{ClientConfig, RootCertStore, crypto::ring, pki_types::ServerName},
};

use super::{
    Origin, Settings,
    addresses::refusal,
    connection::{Connection, Stream},
    seconds,
};
use crate::error::{Error, Kind, Result};

/// Opens connections.
pub(super) struct Connector {
    settings: Settings,
    tls: Option<TlsConnector>,
}

impl std::fmt::Debug for Connector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connector").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl Connector {
    pub(super) fn new(settings: &Settings) -> Self {
        Self { settings: settings.clone(), tls: tls() }
    }

    pub(super) async fn connect(&self, origin: &Origin) -> Result<Connection> {
        let limit = self.settings.connect_timeout;
        timeout(limit, self.open(origin)).await.unwrap_or_else(|_elapsed| {
            let message = format!(
                "The upstream {origin} could not be reached within {}. Check the network and `upstream.url`.",
                seconds(limit)
            );
            Err(Error::new(Kind::Unreachable, message))
        })
    }

    async fn open(&self, origin: &Origin) -> Result<Connection> {
        let addresses = self.resolve(origin).await?;
        let tcp = self.first_that_answers(&addresses).await.map_err(|cause| unreachable(origin, cause))?;
        tcp.set_nodelay(true).map_err(|cause| unreachable(origin, cause))?;
        let stream = if origin.tls { self.handshake(origin, tcp).await? } else { Stream::Plain { tcp } };
        Connection::handshake(TokioIo::new(stream))
            .await
            .map_err(|cause| Error::new(Kind::Unreachable, format!("The upstream {origin} does not speak HTTP.")).because(cause))
    }

    /// The addresses of a host, in the resolver's order. If one may not be called, none is: a name that leads to both kinds is a trap.
    pub(super) async fn resolve(&self, origin: &Origin) -> Result<Vec<SocketAddr>> {
        let found = lookup_host((origin.host.as_str(), origin.port)).await;
        let addresses: Vec<_> = found.map_err(|cause| unreachable(origin, cause))?.collect();
        for address in &addresses {
            if let Some(reason) = refusal(address.ip(), origin.foreign, &self.settings) {
                let message = format!("The upstream {origin} may not be called at {}: {reason}.", address.ip());
                return Err(Error::new(Kind::ForbiddenAddress, message));
            }
        }
        Ok(addresses)
    }

    /// Tries the addresses in turn.
    async fn first_that_answers(&self, addresses: &[SocketAddr]) -> std::io::Result<TcpStream> {
        let mut last = Err(std::io::Error::new(std::io::ErrorKind::NotFound, "the name has no address"));
        // Each address has its share of the time: one that swallows packets must not use up that of the next. The last has what is left.
        let share = self.settings.connect_timeout / u32::try_from(addresses.len().max(1)).unwrap_or(u32::MAX);
        for (left, address) in (0..addresses.len()).rev().zip(addresses) {
            #[expect(clippy::disallowed_methods, reason = "this is the one place that opens client connections")]
            let attempt = TcpStream::connect(address);
            last = if left == 0 {
                attempt.await
            } else {
                timeout(share, attempt).await.unwrap_or_else(|_elapsed| Err(std::io::ErrorKind::TimedOut.into()))
            };
            if last.is_ok() {
                break;
            }
        }
        last
    }

    async fn handshake(&self, origin: &Origin, tcp: TcpStream) -> Result<Stream> {
        let failed = |cause: Box<dyn std::error::Error + Send + Sync>| {
            let message = format!(
                "The TLS handshake with the upstream {origin} failed: {cause}. Check the certificate and `upstream.url`."
            );
            Error::new(Kind::Unreachable, message)
        };
        let tls = self.tls.as_ref().ok_or_else(|| failed("no cipher suites".into()))?;
        let name = ServerName::try_from(origin.host.clone()).map_err(|error| failed(error.into()))?;
        let stream = tls.connect(name, tcp).await.map_err(|error| failed(error.into()))?;
        Ok(Stream::Tls { tls: Box::new(stream) })
    }
}

fn unreachable(origin: &Origin, cause: std::io::Error) -> Error {
    let message = format!("The upstream {origin} cannot be reached: {cause}. Check that it runs, and `upstream.url`.");
    Error::new(Kind::Unreachable, message).because(cause)
}

/// The system's certificates, and Mozilla's where the system has none, as in a bare container.
fn tls() -> Option<TlsConnector> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider())).with_safe_default_protocol_versions();
    let mut config = builder.ok()?.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Some(TlsConnector::from(Arc::new(config)))
}
