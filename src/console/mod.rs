//! The admin listener: health, metrics, cache and rule operations.

use std::net::SocketAddr;

/// Where operators look.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The admin port: everything that an operator can see and do.
    pub admin: SocketAddr,
    /// A read-only port with health and metrics alone, which may be reachable from elsewhere.
    pub health: Option<SocketAddr>,
}
