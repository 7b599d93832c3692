//! The threads that serve connections, each with a runtime of its own.
//!
//! A connection stays on its thread, and so do the upstream connections it uses: no request is handed from one thread to another, which
//! on a quiet machine costs more than all the rest of it.

use std::{
    io,
    sync::atomic::{AtomicUsize, Ordering},
    thread::{self, JoinHandle},
    time::Duration,
};

use tokio::{
    runtime::{self, Handle},
    sync::watch,
    time::{MissedTickBehavior, interval},
};

/// Every thread wakes this often. A timer that ends later than the next wake costs nothing to set; one that ends earlier
/// costs a system call, and every request sets some.
const HEARTBEAT: Duration = Duration::from_secs(1);

/// Where connections go, in turn. The threads end when this is dropped.
#[derive(Debug)]
pub struct Workers {
    handles: Vec<Handle>,
    next: AtomicUsize,
    end: watch::Sender<bool>,
    threads: Vec<JoinHandle<()>>,
}

impl Workers {
    /// One thread a core.
    pub fn start() -> io::Result<Self> {
        let (end, ended) = watch::channel(false);
        let mut workers = Self { handles: Vec::new(), next: AtomicUsize::new(0), end, threads: Vec::new() };
        for n in 0..thread::available_parallelism().map_or(1, usize::from) {
            let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
            workers.handles.push(runtime.handle().clone());
            let ended = ended.clone();
            let thread = thread::Builder::new().name(format!("serve-{n}"));
            workers.threads.push(thread.spawn(move || runtime.block_on(beat(ended)))?);
        }
        Ok(workers)
    }

    /// No threads: what is little used is served where the caller runs.
    pub fn here() -> Self {
        let (end, _) = watch::channel(false);
        Self { handles: vec![Handle::current()], next: AtomicUsize::new(0), end, threads: Vec::new() }
    }

    /// The runtime whose turn it is.
    pub(super) fn next(&self) -> &Handle {
        &self.handles[self.next.fetch_add(1, Ordering::Relaxed) % self.handles.len()]
    }
}

async fn beat(mut ended: watch::Receiver<bool>) {
    let mut ticks = interval(HEARTBEAT);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ended.wait_for(|ended| *ended) => return,
            _ = ticks.tick() => {}
        }
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.end.send_replace(true);
        for thread in self.threads.drain(..) {
            // A thread that panicked has said so.
            drop(thread.join());
        }
    }
}
