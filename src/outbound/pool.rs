//! Connections that wait for their next request.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    thread::{self, ThreadId},
    time::{Duration, Instant},
};

use super::{Origin, connection::Connection};
use crate::clock;

/// Shorter than the keep-alive of common servers, so that a connection is seldom closed while it is being taken.
const MAX_IDLE_TIME: Duration = Duration::from_secs(50);

/// Idle connections by the thread that opened them and by where they lead; the one used last is taken first.
///
/// The runtime of the thread that opened a connection watches its socket: used elsewhere, every byte wakes two threads. So
/// a thread takes its own first, and one of another's only where it would have to open a new one.
#[derive(Debug)]
pub(super) struct Pool {
    max_idle: usize,
    idle: Mutex<HashMap<ThreadId, Waiting>>,
}

type Waiting = HashMap<Origin, Vec<(Instant, Connection)>>;

impl Pool {
    pub(super) fn new(max_idle: usize) -> Self {
        Self { max_idle, idle: Mutex::default() }
    }

    pub(super) fn take(&self, origin: &Origin) -> Option<Connection> {
        let now = clock::now();
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let own = idle.get_mut(&thread::current().id()).and_then(|own| last(own, origin, now));
        own.or_else(|| idle.values_mut().find_map(|other| last(other, origin, now)))
    }

    fn put(&self, origin: &Origin, connection: Connection) {
        let now = clock::now();
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let home = idle.entry(connection.home()).or_default();
        match home.get_mut(origin) {
            Some(waiting) if waiting.len() >= self.max_idle => {}
            Some(waiting) => waiting.push((now, connection)),
            None => drop(home.insert(origin.clone(), vec![(now, connection)])),
        }
    }
}

/// The connection that was used last; when it is too old, so are all others, and they are closed.
fn last(waiting: &mut Waiting, origin: &Origin, now: Instant) -> Option<Connection> {
    let (since, connection) = waiting.get_mut(origin)?.pop()?;
    if now.saturating_duration_since(since) < MAX_IDLE_TIME {
        return Some(connection);
    }
    waiting.remove(origin);
    None
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
