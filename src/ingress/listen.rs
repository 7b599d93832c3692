//! Accepts connections, serves them, and drains when asked to stop.

use std::{convert::Infallible, future::Future, io, net::SocketAddr, pin::pin, sync::Arc, time::Duration};

use http::{Request, Response};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use metrics::gauge;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Semaphore, watch},
    task::JoinSet,
    time::{sleep, timeout},
};

use super::{Workers, unread::ImpatientStream};
use crate::{egress::Body, telemetry::metric};

/// The parser stops at this many times the limit on heads: what lies between is refused with a message, what is beyond without one.
const HEAD_SLACK: usize = 4;

/// A bound port and its bounds.
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
    bounds: Bounds,
}

/// What one connection, and all of them, may cost.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// How long a client may take to send a request head.
    pub head_timeout: Duration,
    /// How long a client may leave an answer unread.
    pub unread_timeout: Duration,
    /// Largest request head, in bytes.
    pub max_head_bytes: usize,
    /// Connections open at once.
    pub max_connections: usize,
}

impl Listener {
    /// Binds a port. The error names the address and what to do.
    pub async fn bind(address: SocketAddr, bounds: Bounds) -> io::Result<Self> {
        let socket = TcpListener::bind(address).await.map_err(|error| {
            let remedy = match error.kind() {
                io::ErrorKind::AddrInUse => "another program listens there; stop it, or choose another port in `server`",
                io::ErrorKind::PermissionDenied => "the port is reserved; choose one above 1023 in `server`",
                _ => "choose an address of this machine in `server`",
            };
            io::Error::new(error.kind(), format!("cannot listen on {address}: {error}; {remedy}"))
        })?;
        Ok(Self { socket, bounds })
    }

    /// The address that was bound, with its real port.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }
}

/// Serves until `stop` is done, then drains: what has been accepted is answered, and after `drain` what is left is cut off.
/// Returns how many connections were cut off.
pub async fn serve<H, F>(listener: Listener, workers: &Workers, handler: Arc<H>, stop: impl Future, drain: Duration) -> usize
where
    H: Fn(Request<Incoming>) -> F + Send + Sync + 'static,
    F: Future<Output = Response<Body>> + Send + 'static,
{
    let Listener { socket: listener, bounds } = listener;
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(bounds.head_timeout)
        .max_buf_size(bounds.max_head_bytes.saturating_mul(HEAD_SLACK));
    let room = Arc::new(Semaphore::new(bounds.max_connections));
    let (stopping, stopped) = watch::channel(false);
    let mut connections = JoinSet::new();
    let open = |stream| connection(stream, bounds, http.clone(), Arc::clone(&handler), stopped.clone());
    let mut stop = pin!(stop);
    loop {
        let accepted = tokio::select! {
            biased;
            _ = &mut stop => break,
            Some(_) = connections.join_next(), if !connections.is_empty() => continue,
            accepted = accept(&listener, &room) => accepted,
        };
        let Some((stream, place)) = accepted else { continue };
        let connection = open(stream);
        let served = async move {
            connection.await;
            drop(place);
        };
        connections.spawn_on(served, workers.next());
    }
    // First the connections are told: whoever finds the port closed also finds that every answer from here on is the last of its connection.
    stopping.send_replace(true);
    // Who had connected before the stop but was not yet accepted is not turned away.
    while let Ok(Ok((stream, _))) = timeout(Duration::ZERO, listener.accept()).await {
        connections.spawn_on(open(stream), workers.next());
    }
    drop(listener);
    let emptied = timeout(drain, async { while connections.join_next().await.is_some() {} }).await;
    if emptied.is_ok() { 0 } else { connections.len() }
}

/// Waits for room first: a connection that could not be served stays in the listen queue.
async fn accept(listener: &TcpListener, room: &Arc<Semaphore>) -> Option<(TcpStream, tokio::sync::OwnedSemaphorePermit)> {
    let place = Arc::clone(room).acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, _)) => Some((stream, place)),
        Err(error) => {
            // Out of file descriptors, most likely: the next attempt would fail at once, too.
            tracing::warn!(%error, "A connection could not be accepted.");
            sleep(Duration::from_millis(50)).await;
            None
        }
    }
}

/// The socket was accepted on another runtime; from here on this one watches it.
fn moved_here(stream: TcpStream) -> io::Result<TcpStream> {
    TcpStream::from_std(stream.into_std()?)
}

async fn connection<H, F>(
    stream: TcpStream,
    bounds: Bounds,
    http: http1::Builder,
    handler: Arc<H>,
    mut stopped: watch::Receiver<bool>,
) where
    H: Fn(Request<Incoming>) -> F + Send + Sync + 'static,
    F: Future<Output = Response<Body>> + Send + 'static,
{
    let Ok(stream) = moved_here(stream) else { return };
    // Without it small answers wait for the acknowledgement of the one before; a socket that refuses still works.
    drop(stream.set_nodelay(true));
    gauge!(metric::CONNECTIONS).increment(1);
    let service = service_fn(move |request| {
        let answer = handler(request);
        async move { Ok::<_, Infallible>(answer.await) }
    });
    let mut serving = pin!(http.serve_connection(TokioIo::new(ImpatientStream::new(stream, bounds.unread_timeout)), service));
    let stopping = async move { stopped.wait_for(|stopped| *stopped).await.is_ok() };
    let ended = tokio::select! {
        biased;
        _ = stopping => {
            serving.as_mut().graceful_shutdown();
            serving.await
        }
        ended = &mut serving => ended,
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "A connection ended with an error.");
    }
    gauge!(metric::CONNECTIONS).decrement(1);
}
