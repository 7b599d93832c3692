//! What the demo upstream has seen, so that a test can wait for a condition instead of sleeping.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use serde_json::{Value, json};

/// Counters since the start, served at `/demo/stats`.
#[derive(Debug, Default)]
pub(super) struct Stats {
    calls: AtomicU64,
    chat: AtomicU64,
    completions: AtomicU64,
    embeddings: AtomicU64,
    other: AtomicU64,
    streams: AtomicU64,
    failed: AtomicU64,
    open: AtomicU64,
    cancelled: AtomicU64,
}

impl Stats {
    /// Counts a call that has arrived; it stays open until the guard is dropped.
    pub(super) fn arrived(self: &Arc<Self>, path: &str) -> OpenCall {
        let endpoint = match path {
            "/v1/chat/completions" => &self.chat,
            "/v1/completions" => &self.completions,
            "/v1/embeddings" => &self.embeddings,
            _ => &self.other,
        };
        for counter in [&self.calls, endpoint, &self.open] {
            counter.fetch_add(1, Ordering::Relaxed);
        }
        OpenCall { stats: Arc::clone(self), finished: false }
    }

    /// Counts a failure that was asked for.
    pub(super) fn failed(&self) {
        self.failed.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts an answer that is a stream of events.
    pub(super) fn streamed(&self) {
        self.streams.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn to_json(&self) -> Value {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        json!({
            "calls": read(&self.calls),
            "chat": read(&self.chat),
            "completions": read(&self.completions),
            "embeddings": read(&self.embeddings),
            "other": read(&self.other),
            "streams": read(&self.streams),
            "failed": read(&self.failed),
            "open": read(&self.open),
            "cancelled": read(&self.cancelled),
        })
    }
}

/// A call in progress. Dropped before [`OpenCall::finish`], it counts as cancelled: hyper drops the answer, wherever
/// it stands, when the client goes away.
#[derive(Debug)]
pub(super) struct OpenCall {
    stats: Arc<Stats>,
    finished: bool,
}

impl OpenCall {
    /// Says that all that was to be sent has been handed over.
    pub(super) fn finish(&mut self) {
        self.finished = true;
    }
}

impl Drop for OpenCall {
    fn drop(&mut self) {
        if !self.finished {
            self.stats.cancelled.fetch_add(1, Ordering::Relaxed);
        }
        // Last, so that who sees the call closed also sees how it ended.
        self.stats.open.fetch_sub(1, Ordering::Release);
    }
}
