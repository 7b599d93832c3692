//! What the semantic tier would serve: every labelled pair goes through the real decision, and what was served rightly and wrongly is counted.
//!
//! ```text
//! LOCKGATE_EVAL_DATA=… cargo bench --bench cache_quality                      tables for pairs/{traps,numbers,qqp}.jsonl in that folder
//! cargo bench --bench cache_quality -- --findings pairs.jsonl > findings.csv  what every check says of every pair, for models/fit.py
//! ```
//!
//! A row has `a`, `b`, `same` and perhaps `group`. *Same served* is the hit rate, *different served* the harm.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a bench prints, and fails by panicking"
)]

use std::{
    collections::{BTreeMap, HashMap},
    env, fs,
    io::{self, IsTerminal, Write},
    path::{Path, PathBuf},
    process::ExitCode,
    thread,
};

use bytes::Bytes;
use lockgate::{
    cache::{
        Fate, policy, scope, usable,
        verify::{self, Check, Pair, Reading, Side, Stances, Verdict, verify},
    },
    config::Config,
    embed::{self, Embedder, EngineChoice, TokenVectors},
    exchange::{Exchange, Tenant},
    guard::{self, Gates, InputGate, Screening, rules::load},
    wire::{Endpoint, Request},
};
use serde::Deserialize;

/// Thresholds of the tables.
const GRID: [f32; 9] = [0.70, 0.75, 0.80, 0.85, 0.90, 0.92, 0.95, 0.97, 0.99];
/// Shares of different pairs at which the same pairs are quoted.
const HARM: [f64; 3] = [0.01, 0.02, 0.05];

/// A labelled pair.
#[derive(Debug, Deserialize)]
struct Row {
    a: String,
    b: String,
    same: bool,
    #[serde(default)]
    group: String,
}

/// A text as the cache sees it.
struct Read {
    /// Whether its meaning may be compared at all.
    compared: bool,
    vector: Vec<f32>,
    tokens: TokenVectors,
    reading: Reading,
}

/// A pair, judged by cosine alone and by all checks.
struct Judged {
    same: bool,
    group: String,
    cosine: f32,
    verdict: Verdict,
}

/// A way to decide.
type Score = fn(&Judged) -> Verdict;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).filter(|argument| argument != "--bench").collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--findings", file] => findings(Path::new(file)),
        _ => tables(),
    }
}

/// Prints what the checks say, a line a pair.
fn findings(file: &Path) -> ExitCode {
    let mut out = io::stdout().lock();
    let header = Check::ALL.map(Check::as_str).join(",");
    writeln!(out, "same,group,cosine,{header}").unwrap();
    for judged in judge(&rows(file)) {
        let found = judged.verdict.found.map(|found| format!("{found:.4}")).join(",");
        writeln!(out, "{},{},{:.5},{found}", u8::from(judged.same), judged.group.replace(',', ";"), judged.cosine).unwrap();
    }
    ExitCode::SUCCESS
}

fn tables() -> ExitCode {
    let Some(folder) = env::var_os("LOCKGATE_EVAL_DATA").map(PathBuf::from) else {
        println!("LOCKGATE_EVAL_DATA is not set: name the folder that holds pairs/*.jsonl. Nothing was measured.");
        return ExitCode::SUCCESS;
    };
    let shipped = shipped();
    for set in ["traps", "numbers", "qqp"] {
        let judged = judge(&rows(&folder.join(format!("pairs/{set}.jsonl"))));
        println!("\n# {set}: {} pairs, {} same", judged.len(), judged.iter().filter(|pair| pair.same).count());
        curve("cosine alone", &judged, |pair| Verdict::unverified(pair.cosine));
        curve("with checks", &judged, |pair| pair.verdict);
        harms(&judged);
        println!("\nas shipped (threshold {shipped}): {}", served(&judged, |pair| pair.verdict, shipped));
        groups(&judged, shipped);
    }
    ExitCode::SUCCESS
}

/// The threshold that a configuration without a word of it has.
fn shipped() -> f32 {
    Config::builtin(&|_| None).expect("Lockgate starts without a file").cache.threshold
}

fn rows(file: &Path) -> Vec<Row> {
    let text = fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let row = |(n, line): (usize, &str)| {
        serde_json::from_str(line).unwrap_or_else(|error| panic!("{}:{}: {error}", file.display(), n + 1))
    };
    text.lines().enumerate().map(row).collect()
}

/// Every pair through the decision; each distinct text is embedded once.
fn judge(rows: &[Row]) -> Vec<Judged> {
    let texts: Vec<&str> = rows
        .iter()
        .flat_map(|row| [row.a.as_str(), row.b.as_str()])
        .collect::<std::collections::BTreeSet<_>>()
        .into_iter()
        .collect();
    let read: HashMap<&str, Read> = texts.iter().copied().zip(read_all(&texts)).collect();
    let judged = |row: &Row| {
        let (one, other) = (&read[row.a.as_str()], &read[row.b.as_str()]);
        let cosine = embed::cosine(&one.vector, &other.vector);
        let pair = Pair::of(one.side(), other.side());
        let mut verdict = verify(cosine, &pair, &Stances::default());
        let compared = one.compared && other.compared;
        // What is compared exactly only is never a semantic hit.
        verdict.score = if compared { verdict.score } else { f32::MIN };
        Judged { same: row.same, group: row.group.clone(), cosine, verdict }
    };
    rows.iter().map(judged).collect()
}

impl Read {
    fn side(&self) -> Side<'_> {
        Side { reading: &self.reading, tokens: &self.tokens }
    }
}

fn read_all(texts: &[&str]) -> Vec<Read> {
    let library = embed::find_library(None);
    let settings = embed::Settings { engine: EngineChoice::Rten, model: None, library, threads: 0, queue: 1 };
    let engine = embed::load(&settings).unwrap();
    let rules = guard::Settings { builtin: true, directory: None, overrides: BTreeMap::default() };
    let gate = Gates::of(&load(&rules).unwrap()).input;
    let share = texts.len().div_ceil(settings.threads()).max(1);
    thread::scope(|scope| {
        let parts: Vec<_> = texts.chunks(share).map(|part| scope.spawn(|| read_part(&*engine, &gate, part))).collect();
        parts.into_iter().flat_map(|part| part.join().unwrap()).collect()
    })
}

fn read_part(engine: &dyn Embedder, gate: &InputGate, texts: &[&str]) -> Vec<Read> {
    let progress = io::stderr().is_terminal();
    let read = |(n, text): (usize, &&str)| {
        if progress && n % 500 == 0 {
            eprint!("\r{n} of {} texts", texts.len());
        }
        let embedding = engine.embed(text).unwrap();
        let reading = Reading::of(text);
        let compared = asked(gate, text) && usable(&embedding, &reading).is_ok();
        Read { compared, tokens: TokenVectors::of(&embedding), vector: embedding.vector, reading }
    };
    texts.iter().enumerate().map(read).collect()
}

/// Whether a user's message of these words is compared by meaning.
fn asked(gate: &InputGate, text: &str) -> bool {
    let body = serde_json::json!({"model": "m", "messages": [{"role": "user", "content": text}]}).to_string();
    let request = Request::decode(Endpoint::Chat, Bytes::from(body)).unwrap();
    let mut exchange = Exchange::new(String::new(), Tenant([0; 16]));
    match gate.screen(request, &mut exchange) {
        Ok(Screening::Passed(screened)) => scope::question(&screened).is_ok(),
        _ => false,
    }
}

fn curve(name: &str, judged: &[Judged], score: Score) {
    println!("\n{name:<14} {:>22} {:>26}", "same served", "different served");
    for threshold in GRID {
        println!("  {threshold:<10.2} {}", served(judged, score, threshold));
    }
}

/// Same served at fixed shares of different served, over all thresholds.
fn harms(judged: &[Judged]) {
    println!("\nat a share of different pairs served: same served by cosine alone, with checks (threshold)");
    for harm in HARM {
        let at = |score: Score| {
            let threshold = threshold_at(judged, score, harm);
            let (same, _) = counts(judged.iter(), score, threshold);
            // Where the vetoes alone serve fewer, any threshold does.
            let threshold = if threshold < 0.0 { "any".to_owned() } else { format!("{threshold:.3}") };
            format!("{:5.1} % ({threshold})", 100.0 * same.0 as f64 / same.1.max(1) as f64)
        };
        println!("  {:3.0} %   {}   {}", 100.0 * harm, at(|pair| Verdict::unverified(pair.cosine)), at(|pair| pair.verdict));
    }
}

/// The lowest threshold that serves no more than this share of the different pairs.
fn threshold_at(judged: &[Judged], score: Score, harm: f64) -> f32 {
    let different = judged.iter().filter(|pair| !pair.same).map(score);
    let mut scores: Vec<f32> = different.map(|verdict| if verdict.veto.is_some() { f32::MIN } else { verdict.score }).collect();
    scores.sort_by(|one, other| other.total_cmp(one));
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of a count")]
    let allowed = (harm * scores.len() as f64) as usize;
    scores.get(allowed).map_or(0.0, |score| score.next_up())
}

fn groups(judged: &[Judged], threshold: f32) {
    let mut groups: BTreeMap<(bool, &str), Vec<&Judged>> = BTreeMap::new();
    for pair in judged.iter().filter(|pair| !pair.group.is_empty()) {
        groups.entry((pair.same, &pair.group)).or_default().push(pair);
    }
    for ((same, group), pairs) in groups {
        let (of_same, of_different) = counts(pairs.iter().copied(), |pair| pair.verdict, threshold);
        let (served, all) = if same { of_same } else { of_different };
        println!("  {:<9} {}  {group}", if same { "same" } else { "different" }, interval(served, all));
    }
}

fn served(judged: &[Judged], score: Score, threshold: f32) -> String {
    let (same, different) = counts(judged.iter(), score, threshold);
    format!("{}   {}", interval(same.0, same.1), interval(different.0, different.1))
}

/// Served and all, of the same and of the different pairs.
fn counts<'j>(judged: impl Iterator<Item = &'j Judged>, score: Score, threshold: f32) -> ((usize, usize), (usize, usize)) {
    let mut counts = [(0, 0); 2];
    for pair in judged {
        let count = &mut counts[usize::from(!pair.same)];
        count.0 += usize::from(policy::fate(&score(pair), threshold) == Fate::Served);
        count.1 += 1;
    }
    (counts[0], counts[1])
}

/// A share with Wilson's 95 % interval.
fn interval(served: usize, all: usize) -> String {
    let of = all.max(1) as f64;
    let share = served as f64 / of;
    let [least, most] = verify::interval(share, of);
    format!("{:5.1} % [{:4.1}, {:5.1}]", 100.0 * share, 100.0 * least, 100.0 * most)
}
