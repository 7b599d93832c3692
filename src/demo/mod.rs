//! An OpenAI-shaped upstream on loopback, for people who want to try Lockgate without a provider and for tests that
//! need one which fails on request.
//!
//! Answers are made up but well-formed: the last user message comes back in a friendly sentence, under an id that no
//! other call gets, so that a replayed answer can be told from a new one. What a call may ask for besides (latency,
//! errors, broken streams) is one table, in [`directives`]. `GET /demo/stats` counts calls, open and cancelled ones
//! among them, and `GET /demo/last` shows the last call as it arrived. It is not a model, and no part of the proxy
//! depends on it.

mod call;
mod chat;
mod completions;
pub mod directives;
mod embeddings;
mod error;
mod reply;
mod sample;
mod script;
mod service;
mod shape;
mod stats;
#[cfg(test)]
mod tests;

use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use socket2::SockRef;
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

pub use directives::Directives;
use service::Upstream;

/// How long to wait after a failed accept: it fails when descriptors run out, and those come back as calls end.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Serves the demo upstream until `shutdown` resolves, then drops what is still open: a stalled answer would never end.
///
/// `defaults` hold for every call; a call's own directives win over them.
pub async fn serve(listener: TcpListener, defaults: Directives, shutdown: impl Future) {
    let upstream = Arc::new(Upstream::new(defaults));
    let mut connections = JoinSet::new();
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        tokio::select! {
            _ = &mut shutdown => return,
            // Reaps what has ended, or the set would grow with every connection.
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => { connections.spawn(converse(stream, Arc::clone(&upstream))); }
                Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
            },
        }
    }
}

/// Answers the calls of one connection.
async fn converse(stream: TcpStream, upstream: Arc<Upstream>) {
    // Events are small, and a stream is read as it is written.
    let _ = stream.set_nodelay(true);
    let reset = Arc::new(AtomicBool::new(false));
    let service = service_fn(|request| {
        let (upstream, reset) = (Arc::clone(&upstream), Arc::clone(&reset));
        async move { Ok::<_, Infallible>(upstream.answer(request, reset).await) }
    });
    let mut connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    let _ = Pin::new(&mut connection).await;
    if reset.load(Ordering::Relaxed) {
        // A zero linger turns the close into a TCP reset, which is what a crashed upstream looks like.
        let stream = connection.into_parts().io.into_inner();
        let _ = SockRef::from(&stream).set_linger(Some(Duration::ZERO));
    }
}
