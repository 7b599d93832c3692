//! What Lockgate costs on the way to an upstream: requests a second and latency, direct and through it.
//!
//! The upstream and Lockgate are processes of their own and the load comes from one thread, as it would in use. Direct
//! and proxied runs take turns, so that a machine that slows down slows both; the table shows medians over the rounds.
//!
//! `cargo bench --bench loopback` takes about a minute; `-- --quick` a few seconds, with numbers to match.

#![expect(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "a bench fails by panicking, prints what it finds, reads the time, and is a client"
)]

#[path = "../../tests/support/binary.rs"]
mod binary;
mod embedder;
mod load;
mod prompts;
mod report;
mod upstream;

use std::{env, net::SocketAddr, time::Duration};

use binary::Running;
use prompts::Prompts;
use report::{Pair, Row};

const CONNECTIONS: [usize; 2] = [1, 32];

/// How long and how often to measure.
struct Effort {
    rounds: usize,
    /// Before the first round, untimed: connections open, caches fill, clocks rise.
    warm_up: Duration,
    /// Each side of each round.
    measure: Duration,
}

const FULL: Effort = Effort { rounds: 3, warm_up: Duration::from_millis(400), measure: Duration::from_millis(1200) };
const QUICK: Effort = Effort { rounds: 1, warm_up: Duration::from_millis(100), measure: Duration::from_millis(250) };

/// One way through the cache.
struct Setting {
    name: &'static str,
    cache: &'static str,
    prompts: fn() -> Prompts,
    /// What `x-portkey-cache-status` says if the setting measures what it means to.
    expected: &'static str,
}

const SETTINGS: [Setting; 5] = [
    Setting { name: "exact, misses", cache: "mode: exact", prompts: Prompts::distinct, expected: "MISS" },
    Setting {
        name: "exact, no store",
        cache: "mode: exact, store: { enabled: false }",
        prompts: Prompts::distinct,
        expected: "MISS",
    },
    Setting { name: "exact, hits", cache: "mode: exact", prompts: Prompts::same, expected: "HIT" },
    Setting { name: "semantic, misses", cache: "mode: semantic, threshold: 0.97", prompts: Prompts::distinct, expected: "MISS" },
    Setting {
        name: "semantic, hits",
        // Lower than anyone should set it: thousands of wordings of one question are not all close.
        cache: "mode: semantic, threshold: 0.8",
        prompts: Prompts::paraphrases,
        expected: "SEMANTIC HIT",
    },
];

fn main() {
    if env::var_os(upstream::ROLE).is_some() {
        return upstream::run();
    }
    // `cargo test --benches` runs this too, without `--bench`: enough to see that it works.
    let arguments: Vec<String> = env::args().skip(1).collect();
    let has = |name: &str| arguments.iter().any(|argument| argument == name);
    let effort = if has("--quick") || !has("--bench") { &QUICK } else { &FULL };

    let upstream = upstream::start();
    let mut rows = Vec::new();
    for setting in &SETTINGS {
        rows.extend(measure(setting, &upstream, effort));
    }
    println!("{}", report::table(&rows));
    println!("{}", embedder::lines(effort.measure));
}

/// Measures one setting with each number of connections, against a Lockgate of its own.
fn measure(setting: &Setting, upstream: &Running, effort: &Effort) -> Vec<Row> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let lockgate = binary::serve(&config(setting, &upstream.origin), folder.path());
    // A side has prompts of its own: the direct one, which is faster, would use up the wordings of the other.
    let mut direct = (address(upstream), (setting.prompts)());
    let mut proxied = (address(&lockgate), (setting.prompts)());
    let run = |(to, prompts): &mut (SocketAddr, Prompts), connections, time| {
        load::run(*to, connections, time, prompts, setting.expected)
            .unwrap_or_else(|error| panic!("{}: {error}; Lockgate said:\n{}", setting.name, lockgate.said()))
    };
    let mut measured = Vec::new();
    for connections in CONNECTIONS {
        run(&mut direct, connections, effort.warm_up);
        run(&mut proxied, connections, effort.warm_up);
        let pairs = (1..=effort.rounds).map(|round| {
            eprintln!("{}, {connections} connections: round {round} of {}", setting.name, effort.rounds);
            let direct = run(&mut direct, connections, effort.measure);
            let before = report::cpu_time(&lockgate.child);
            let proxied = run(&mut proxied, connections, effort.measure);
            let cpu = report::cpu_time(&lockgate.child).zip(before).map(|(after, before)| after.saturating_sub(before));
            Pair { direct, proxied, cpu }
        });
        measured.push(Row { setting: setting.name, connections, pairs: pairs.collect() });
    }
    measured
}

fn config(setting: &Setting, upstream: &str) -> String {
    format!(
        "server: {{ listen: \"127.0.0.1:0\", admin: \"127.0.0.1:0\" }}\n\
         upstream: {{ url: \"{upstream}/v1\" }}\n\
         cache: {{ {} }}\n\
         log: {{ level: warn }}\n",
        setting.cache,
    )
}

fn address(process: &Running) -> SocketAddr {
    let origin = process.origin.trim_start_matches("http://");
    origin.parse().expect("the address that the process named")
}
