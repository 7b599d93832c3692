//! A request enters: listen and drain, limits on bytes and time, decode to typed requests.

use std::{net::SocketAddr, time::Duration};

mod body;
mod headers;
mod host;
mod listen;
mod path;
mod service;
mod unread;
mod workers;

pub use host::local_page;
pub use listen::{Bounds, Listener, serve};
pub use path::READ;
pub use service::Service;
pub use workers::Workers;

/// How requests are let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Where the data port listens.
    pub listen: SocketAddr,
    /// Largest request body in bytes, before and after decompression.
    pub max_body_bytes: usize,
    /// Largest request head (request line and headers) in bytes.
    pub max_head_bytes: usize,
    /// How long a client may take to send a request head.
    pub head_timeout: Duration,
    /// How long a client may take to send a request body, and how long it may leave an answer unread.
    pub body_timeout: Duration,
    /// How long open requests may go on after SIGTERM.
    pub drain_timeout: Duration,
    /// Connections open at once; one more waits in the listen queue.
    pub max_connections: usize,
    /// Paths under `/v1/` that are passed on without being parsed or guarded.
    pub relay: Vec<String>,
    /// First parts of paths under which all endpoints lie once more.
    pub routes: Vec<String>,
}
