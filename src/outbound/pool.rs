//! Connections that wait for their next request.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use super::{Origin, connection::Connection};
use crate::clock;

/// Shorter than the keep-alive of common servers, so that a connection is seldom closed while it is being taken.
const MAX_IDLE_TIME: Duration = Duration::from_secs(50);

/// Idle connections by where they lead; the one used last is taken first.
#[derive(Debug)]
pub(super) struct Pool {
    max_idle: usize,
    idle: Mutex<HashMap<Origin, Vec<(Instant, Connection)>>>,
}

impl Pool {
    pub(super) fn new(max_idle: usize) -> Self {
        Self { max_idle, idle: Mutex::default() }
    }

    pub(super) fn take(&self, origin: &Origin) -> Option<Connection> {
        let now = clock::now();
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let (since, connection) = idle.get_mut(origin)?.pop()?;
        if now.saturating_duration_since(since) < MAX_IDLE_TIME {
            return Some(connection);
        }
        // The one used last is too old, and so are all others.
        idle.remove(origin);
        None
    }

    fn put(&self, origin: &Origin, connection: Connection) {
        let now = clock::now();
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if !idle.contains_key(origin) {
            idle.insert(origin.clone(), Vec::new());
        }
        let Some(waiting) = idle.get_mut(origin) else { return };
        if waiting.len() < self.max_idle {
            waiting.push((now, connection));
        }
    }
}

/// Where a connection goes when its answer has been read to the end.
#[derive(Debug)]
pub(super) struct Return {
    pub(super) pool: Arc<Pool>,
    pub(super) origin: Origin,
}

impl Return {
    pub(super) fn give(self, connection: Connection) {
        if connection.is_open() {
            self.pool.put(&self.origin, connection);
        }
    }
}
