//! What a search among the vectors of one partition costs, flat and through a graph, how often the graph finds the nearest, and what both
//! take of memory.
//!
//! `cargo bench --bench index`, with the numbers of entries if not the usual ones, or with `--million` for 1,000,000 as well: that builds for
//! many minutes. One core. Memory is what `malloc` hands out: it rounds up, and a graph is made of very many small pieces.
//!
//! The vectors are real ones, perturbed: sentences are embedded, and those of `traffic/*.jsonl` in the folder `LOCKGATE_EVAL_DATA` if that is set.
//! Entries beyond them are sentences with noise of half their length, and what is looked for is an entry with noise of a fifth to four fifths.
//! The least time, a hundredth from the fastest, is what a search costs where nothing else runs; a graph's depends on where it walks.
//! The graph is right about a query when what it finds first is as near as what the flat index finds first.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a bench fails by panicking and prints a table"
)]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    env, fs,
    hint::black_box,
    io::{IsTerminal as _, stderr},
    path::{Path, PathBuf},
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use lockgate::{
    cache::{Flat, Id, Layered, VectorIndex},
    clock,
    config::environment,
    embed::{Bundled, DIMENSIONS, Embedder, ModelFiles},
};

const SIZES: [u64; 4] = [1_000, 10_000, 50_000, 100_000];
const MILLION: u64 = 1_000_000;
const QUERIES: u64 = 1_000;
/// As many as a lookup asks for, and as near.
const COUNT: usize = 4;
const FLOOR: f32 = 0.6;
/// Length of the noise that makes an entry of a sentence, and of the noise that makes a query of an entry.
const ENTRY_NOISE: f32 = 0.5;
const QUERY_NOISE: [f32; 3] = [0.2, 0.4, 0.8];

const SENTENCES: &str = include_str!("../models/sentences.json");
const WHAT: [&str; 12] = [
    "an invoice",
    "my password",
    "the contract",
    "a parcel",
    "two tickets",
    "the warranty",
    "my address",
    "a refund",
    "the report",
    "a meeting",
    "the licence",
    "our newsletter",
];
const DO: [&str; 10] = ["cancel", "find", "renew", "share", "pay for", "track", "return", "translate", "verify", "archive"];
const WHY: [&str; 8] = [
    "before Friday",
    "for my mother",
    "in Spanish",
    "without an account",
    "on my phone",
    "for a customer abroad",
    "that arrived broken",
    "for last year",
];

/// Counts what is allocated.
struct Counting;

static ALLOCATED: AtomicUsize = AtomicUsize::new(0);

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// A piece with the length that `malloc` writes before it, in units of 16 bytes, two at least.
fn piece(layout: Layout) -> usize {
    (layout.size() + size_of::<usize>()).next_multiple_of(16).max(32)
}

#[expect(unsafe_code, reason = "the trait is unsafe")]
// SAFETY: both calls are passed on as they are.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATED.fetch_add(piece(layout), Ordering::Relaxed);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        ALLOCATED.fetch_sub(piece(layout), Ordering::Relaxed);
        unsafe { System.dealloc(pointer, layout) }
    }
}

fn main() {
    let arguments: Vec<String> = env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let mut sizes: Vec<u64> = arguments.iter().filter_map(|argument| argument.parse().ok()).collect();
    if sizes.is_empty() {
        sizes.extend(SIZES);
    }
    sizes.extend(arguments.iter().any(|argument| argument == "--million").then_some(MILLION));
    let corpus = Corpus::embedded();
    println!("           µs a search, least and median    recall@1  bytes an entry       graph");
    println!("  entries     flat             graph           of graph    flat   graph   built in, s");
    for entries in sizes {
        measure(&corpus, entries);
    }
}

/// Vectors of real sentences, one after the other.
struct Corpus(Vec<f32>);

impl Corpus {
    fn embedded() -> Self {
        let mut texts: Vec<String> = serde_json::from_str(SENTENCES).unwrap();
        let asked = WHAT.iter().flat_map(|what| DO.iter().map(move |verb| (what, verb)));
        texts.extend(asked.flat_map(|(what, verb)| WHY.iter().map(move |why| format!("How do I {verb} {what} {why}?"))));
        if let Some(folder) = environment("LOCKGATE_EVAL_DATA") {
            texts.extend(traffic(Path::new(&folder)));
        } else {
            eprintln!("LOCKGATE_EVAL_DATA is not set: only the sentences of this repository are embedded.");
        }
        let engine = Bundled::load(&ModelFiles::open(None).unwrap()).unwrap();
        let progress = Progress::of("embedding", texts.len());
        let vectors = texts.iter().enumerate().flat_map(|(done, text)| {
            progress.at(done);
            engine.embed(text).unwrap().vector
        });
        Self(vectors.collect())
    }

    /// The vector of an entry: a sentence, or a sentence with noise once all have had their turn.
    fn entry(&self, id: Id) -> Vec<f32> {
        let sentences = (self.0.len() / DIMENSIONS) as u64;
        let at = usize::try_from(id % sentences).unwrap() * DIMENSIONS;
        let sentence = &self.0[at..at + DIMENSIONS];
        if id < sentences { sentence.to_vec() } else { noisy(sentence, ENTRY_NOISE, id) }
    }

    /// Something near one of so many entries.
    fn query(&self, number: u64, entries: u64) -> Vec<f32> {
        let noise = QUERY_NOISE[usize::try_from(number).unwrap() % QUERY_NOISE.len()];
        noisy(&self.entry(number * 7919 % entries), noise, MILLION + number)
    }
}

fn traffic(folder: &Path) -> Vec<String> {
    let files = fs::read_dir(folder.join("traffic")).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> = files.filter(|path| path.extension().is_some_and(|extension| extension == "jsonl")).collect();
    files.sort();
    let text = |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap()["text"].as_str().unwrap().to_owned();
    files.iter().flat_map(|file| fs::read_to_string(file).unwrap().lines().map(text).collect::<Vec<_>>()).collect()
}

/// The vector with noise of about that length in every direction alike, the same on every run.
fn noisy(vector: &[f32], noise: f32, seed: u64) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut uniform = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / 16_777_216.0 - 0.5
    };
    // The variance of a uniform number is a twelfth.
    let size = noise * (12.0 / DIMENSIONS as f32).sqrt();
    vector.iter().map(|number| number + size * uniform()).collect()
}

/// One row of the table.
fn measure(corpus: &Corpus, entries: u64) {
    let queries: Vec<Vec<f32>> = (0..QUERIES).map(|number| corpus.query(number, entries)).collect();
    let before = ALLOCATED.load(Ordering::Relaxed);
    let mut flat = Flat::default();
    fill(&mut flat, corpus, entries);
    let flat_bytes = ALLOCATED.load(Ordering::Relaxed) - before;
    let expected = Searched::of(&flat, &queries);
    drop(flat);

    let mut layered = Layered::new(1);
    let before = ALLOCATED.load(Ordering::Relaxed);
    fill(&mut layered, corpus, entries);
    let sealed = layered.seal();
    let progress = Progress::of("building", 1);
    let started = clock::now();
    let built = sealed.run(|| {
        progress.alive(started.elapsed());
        true
    });
    let seconds = started.elapsed().as_secs_f64();
    drop(layered.install(built));
    let graph_bytes = ALLOCATED.load(Ordering::Relaxed) - before;
    let searched = Searched::of(&layered, &queries);
    // What is equally near is equally right.
    let right = searched.first.iter().zip(&expected.first).filter(|(found, best)| *found >= best).count();
    let recall = right as f64 / QUERIES as f64;
    println!(
        "{entries:>9} {:>8.0} {:>7.0} {:>8.0} {:>7.0} {recall:>10.3} {:>7} {:>7} {seconds:>13.1}",
        expected.micros(1),
        expected.micros(50),
        searched.micros(1),
        searched.micros(50),
        flat_bytes as u64 / entries,
        graph_bytes as u64 / entries,
    );
    let missing = (0..entries).step_by(97).filter(|&id| layered.nearest(&corpus.entry(id), 1, FLOOR)[0].1 < 0.9999).count();
    assert_eq!(missing, 0, "every entry finds itself");
}

fn fill(index: &mut impl VectorIndex, corpus: &Corpus, entries: u64) {
    (0..entries).for_each(|id| assert!(index.insert(id, &corpus.entry(id))));
}

/// How long the searches took, and how near the first that each found was.
struct Searched {
    took: Vec<Duration>,
    first: Vec<f32>,
}

impl Searched {
    fn of(index: &impl VectorIndex, queries: &[Vec<f32>]) -> Self {
        queries.iter().take(50).for_each(|query| drop(black_box(index.nearest(query, COUNT, FLOOR))));
        let (mut took, first) = queries
            .iter()
            .map(|query| {
                let started = clock::now();
                let found = black_box(index.nearest(query, COUNT, FLOOR));
                (started.elapsed(), found[0].1)
            })
            .unzip::<_, _, Vec<_>, Vec<_>>();
        took.sort_unstable();
        Self { took, first }
    }

    fn micros(&self, percent: usize) -> f64 {
        self.took[self.took.len() * percent / 100].as_secs_f64() * 1e6
    }
}

/// One line on a terminal that says how far a long piece of work is.
struct Progress {
    what: &'static str,
    all: usize,
}

impl Progress {
    fn of(what: &'static str, all: usize) -> Self {
        Self { what, all }
    }

    fn at(&self, done: usize) {
        if done.is_multiple_of(256) && stderr().is_terminal() {
            eprint!("\r{} {} of {}\x1b[K\r", self.what, done, self.all);
        }
    }

    fn alive(&self, since: Duration) {
        if stderr().is_terminal() {
            eprint!("\r{} for {} s\x1b[K\r", self.what, since.as_secs());
        }
    }
}
