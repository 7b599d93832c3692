//! The only HTTP client socket, with its rule of which addresses may be called.

use std::time::Duration;

/// How connections are opened.
#[derive(Debug, Clone)]
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
