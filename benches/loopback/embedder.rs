//! The embedder alone, on the prompts of the semantic misses: what those rows are to be read against.

use std::{
    fmt::Write as _,
    thread,
    time::{Duration, Instant},
};

use lockgate::embed::{self, Embedder, EngineChoice, Settings};

use crate::prompts::Prompts;

/// A line for one thread, as one connection has it, and one for all cores.
pub(crate) fn lines(time: Duration) -> String {
    let settings = Settings { engine: EngineChoice::Rten, model: None, library: None, threads: 0, queue: 1 };
    let embedder = embed::load(&settings).expect("the bundled model loads");
    let mut lines = String::new();
    for threads in [1, settings.threads()] {
        let mut took: Vec<Duration> = thread::scope(|scope| {
            let embedder = &*embedder;
            let running: Vec<_> = (0..threads).map(|n| scope.spawn(move || alone(embedder, n, time))).collect();
            running.into_iter().flat_map(|thread| thread.join().expect("no thread panics")).collect()
        });
        let rate = took.len() as f64 / time.as_secs_f64();
        took.sort_unstable();
        let median = took.get(took.len() / 2).copied().unwrap_or_default();
        let _ = writeln!(lines, "embedder alone, {threads} threads: {rate:.0} prompts/s, p50 {} µs", median.as_micros());
    }
    lines
}

/// Embeds one prompt after the other; each thread has prompts of its own.
fn alone(embedder: &dyn Embedder, thread: usize, time: Duration) -> Vec<Duration> {
    let mut prompts = Prompts::distinct();
    for _ in 0..thread * 100_000 {
        prompts.next_text();
    }
    let (start, mut took) = (Instant::now(), Vec::new());
    while start.elapsed() < time {
        let asked = Instant::now();
        embedder.embed(prompts.next_text()).expect("the prompt is embedded");
        took.push(asked.elapsed());
    }
    took
}
