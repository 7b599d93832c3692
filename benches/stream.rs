//! What the output gate costs a stream: how much later the first text comes, how much is held back, and the time each event takes.
//!
//! `cargo bench --bench stream`. The same answer passes a gate without rules, one with the rules about personal data and secrets, and one with all that
//! ship, standing at the output gate and replacing what they match, in turn. An event is late by as many events as have to come before it may be told;
//! among all rules is one about sentences, for which every sentence waits for its end.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a bench prints, and fails by panicking")]

use std::{
    collections::{BTreeMap, VecDeque},
    fs,
    path::{Path, PathBuf},
    pin::Pin,
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
};

use bytes::Bytes;
use http_body::{Body, Frame};
use lockgate::{
    error::Error,
    exchange::Tenant,
    guard::{ClearedStream, Gates, OutputGate, Override, Settings, rules::load},
    wire::Endpoint,
};
use serde_json::{Value, json};

/// Prose with numbers, names and an address, as answers have.
const ANSWER: &str = "The council meets on Tuesday, 14 May 2024, at 10:00 in room 204. Two proposals are on the table: the first keeps the reading \
                      room on the ground floor and costs 2.4 million; the second puts a café beside the entrance. Please send your remarks to the \
                      clerk's office, or call before noon. I will not be there, but you should read both: they differ in the archive, the lift and \
                      the garden. See https://example.com/library/plans?id=31 for the drawings. ";

/// How often the answer is repeated within one stream, and how many streams of each kind are timed.
const REPEATS: usize = 4;
const ROUNDS: usize = 200;

/// Events that come one by one; each poll gives one.
struct Events(VecDeque<Bytes>);

impl Body for Events {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        match self.0.pop_front() {
            // An empty one stands for the wait between two events.
            Some(event) if event.is_empty() => Poll::Pending,
            Some(event) => Poll::Ready(Some(Ok(Frame::data(event)))),
            None => Poll::Ready(None),
        }
    }
}

fn events() -> Vec<Bytes> {
    let text = ANSWER.repeat(REPEATS);
    let words = text.split_inclusive(' ').map(|word| json!({ "content": word }));
    let chunk = |delta: Value, reason: Value| {
        let choice = json!({ "index": 0, "delta": delta, "logprobs": null, "finish_reason": reason });
        let chunk = json!({ "id": "chatcmpl-bench", "object": "chat.completion.chunk", "created": 1_760_000_000, "model": "bench", "choices": [choice] });
        Bytes::from(format!("data: {chunk}\n\n"))
    };
    let told = words.map(|delta| chunk(delta, Value::Null));
    told.chain([chunk(json!({}), json!("stop")), Bytes::from_static(b"data: [DONE]\n\n")]).collect()
}

fn rule_files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let files = entries.flat_map(|path| if path.is_dir() { rule_files(&path) } else { vec![path] });
    files.filter(|path| path.extension().is_some_and(|extension| extension == "yaml")).collect()
}

/// The rules that ship in these folders and can judge a part, replacing in answers what they match.
fn guarded(folders: &[&str]) -> OutputGate {
    let folder = tempfile::tempdir().unwrap();
    let mut overrides = BTreeMap::new();
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("guardrails");
    for path in folders.iter().flat_map(|folder| rule_files(&shipped.join(folder))) {
        let text = fs::read_to_string(&path).unwrap();
        if text.contains("json_schema:") || text.contains("length:") {
            continue;
        }
        fs::write(folder.path().join(path.file_name().unwrap()), text.replace("stage: input", "stage: output")).unwrap();
        overrides.insert(path.file_stem().unwrap().to_str().unwrap().to_owned(), Override::Replace);
    }
    let settings = Settings { builtin: false, directory: Some(folder.path().to_owned()), overrides };
    let gate = Gates::of(&load(&settings).unwrap()).output;
    assert!(!gate.holds_streams());
    gate
}

fn unguarded() -> OutputGate {
    let settings = Settings { builtin: false, directory: None, overrides: BTreeMap::new() };
    Gates::of(&load(&settings).unwrap()).output
}

/// What a stream comes to, event by event.
#[derive(Default)]
struct Measured {
    /// Events that had come when the first text was told.
    first: usize,
    /// For each event, the events behind it that had to come first.
    late: Vec<usize>,
    /// Bytes of text held back, after each event.
    held: Vec<usize>,
}

fn measure(gate: &OutputGate, events: &[Bytes]) -> Measured {
    let waits = events.iter().flat_map(|event| [event.clone(), Bytes::new()]).collect();
    let mut stream = ClearedStream::new(Events(waits), gate.clone(), Endpoint::Chat, Tenant([0; 16]));
    let mut cx = Context::from_waker(Waker::noop());
    let (mut measured, mut told) = (Measured::default(), 0);
    let (mut text_come, mut text_told) = (0, 0);
    for (n, event) in events.iter().enumerate() {
        text_come += said(event);
        while let Poll::Ready(Some(frame)) = Pin::new(&mut stream).poll_frame(&mut cx) {
            let data = frame.unwrap().into_data().unwrap();
            if told == 0 {
                measured.first = n + 1;
            }
            let count = data.windows(6).filter(|bytes| bytes == b"data: ").count();
            measured.late.extend((told..told + count).map(|event| n - event));
            text_told += events[told..told + count].iter().map(said).sum::<usize>();
            told += count;
        }
        measured.held.push(text_come - text_told);
    }
    assert_eq!(told, events.len());
    measured
}

/// How much text an event has.
fn said(event: &Bytes) -> usize {
    let chunk = event.strip_prefix(b"data: ").and_then(|data| serde_json::from_slice::<Value>(data).ok());
    chunk.and_then(|chunk| chunk["choices"][0]["delta"]["content"].as_str().map(str::len)).unwrap_or(0)
}

/// The time from the first event to the last, the events being there.
#[expect(clippy::disallowed_methods, reason = "a bench reads the time")]
fn timed(gate: &OutputGate, events: &[Bytes]) -> Duration {
    let mut stream = ClearedStream::new(Events(events.to_vec().into()), gate.clone(), Endpoint::Chat, Tenant([0; 16]));
    let mut cx = Context::from_waker(Waker::noop());
    let began = Instant::now();
    while let Poll::Ready(Some(frame)) = Pin::new(&mut stream).poll_frame(&mut cx) {
        assert!(frame.is_ok());
    }
    began.elapsed()
}

fn median<T: Ord + Copy>(mut values: Vec<T>) -> T {
    values.sort_unstable();
    values[values.len() / 2]
}

fn main() {
    let events = events();
    let gates = [
        ("no rules", unguarded()),
        ("personal data and secrets", guarded(&["personal-data", "secrets"])),
        ("all rules", guarded(&[""])),
    ];
    println!("{} events, {} bytes of text", events.len(), ANSWER.len() * REPEATS);
    for (name, gate) in &gates {
        let Measured { first, late, held } = measure(gate, &events);
        let share = late.iter().filter(|&&late| late > 0).count() as f64 / late.len() as f64;
        let (most, mean) = (held.iter().max().unwrap(), held.iter().sum::<usize>() as f64 / held.len() as f64);
        let worst = late.iter().max().unwrap();
        println!(
            "{name:>25}: first text after {first} event(s); {:.0} % of events wait, the longest for {worst}; held back {mean:.1} bytes in the mean, {most} at most",
            share * 100.0
        );
    }
    let rounds: Vec<_> = (0..ROUNDS).map(|_| gates.each_ref().map(|(_, gate)| timed(gate, &events))).collect();
    for (at, (name, _)) in gates.iter().enumerate() {
        let event = median(rounds.iter().map(|round| round[at]).collect()).as_nanos() as f64 / events.len() as f64 / 1000.0;
        let thousandths = median(rounds.iter().map(|round| round[at].as_nanos() * 1000 / round[0].as_nanos().max(1)).collect());
        let ratio = thousandths as f64 / 1000.0;
        println!(
            "{name:>25}: an event takes {event:.1} µs, {ratio:.2} times as long as without rules (median of {ROUNDS} rounds)"
        );
    }
}
