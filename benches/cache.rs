//! What a hit costs: the same request again, and a request that means the same among 10,000 entries; what a miss costs, and what one verification does.
//!
//! `cargo bench --bench cache`. Each lookup takes the way of a request, from the bytes of its body through the input gate to an answer
//! that the output gate has let pass. Beside the semantic hit stands the embedding alone: the difference is what the rest of the cache
//! costs. The engine is the one that `lockgate serve` would choose; filling the cache takes some seconds first.
//!
//! What a miss adds is measured with an engine that hands out vectors made beforehand, so that nothing of an embedding is left in it but the way to its thread
//! and back. Each part of the lookup has a row of its own, and they add up to it: decoding and screening, which a request without a cache needs too, the scope
//! and the look for the same request, the way to the thread and back, what the text is taken apart into, and the search.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a bench fails by panicking")]

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use criterion::{BatchSize, Criterion, Throughput};
use futures_util::FutureExt as _;
use lockgate::{
    cache::{
        Cache, CachePlan, Exact, Lookup, Mode, Question, Semantic, Settings, Ticket, Wish,
        verify::{Pair, Reading, Side, Stances, verify},
    },
    config::environment,
    embed::{self, EmbedError, Embedder, Embedding, EngineChoice, Fingerprint, TokenVectors, Worker},
    exchange::{CacheStatus, Exchange, Tenant},
    guard::{self, Cleared, Clearing, Complete, Gates, InputGate, OutputGate, Screened, Screening, rules::load},
    wire::{Endpoint, Request, response::Response},
};
use serde_json::json;
use tokio::runtime::{Builder, Runtime};

const ENTRIES: usize = 10_000;
/// As many as one application asks about in a day or two.
const FEW: usize = 1_000;

const VERBS: [&str; 20] = [
    "cancel",
    "change",
    "find",
    "renew",
    "share",
    "delete",
    "export",
    "print",
    "pay for",
    "track",
    "insure",
    "return",
    "book",
    "extend",
    "translate",
    "verify",
    "archive",
    "restore",
    "compare",
    "explain",
];
const NOUNS: [&str; 20] = [
    "invoice",
    "subscription",
    "delivery",
    "password",
    "contract",
    "report",
    "ticket",
    "passport",
    "warranty",
    "prescription",
    "reservation",
    "calendar",
    "playlist",
    "mortgage",
    "recipe",
    "timetable",
    "licence",
    "photo album",
    "spreadsheet",
    "newsletter",
];
const OWNERS: [&str; 25] = [
    "my mother",
    "our team",
    "a new customer",
    "the school",
    "my landlord",
    "the hospital",
    "a friend abroad",
    "the tax office",
    "my neighbour",
    "our supplier",
    "the football club",
    "a former employee",
    "the library",
    "my bank",
    "the city council",
    "our youngest intern",
    "the orchestra",
    "a charity",
    "my dentist",
    "the airline",
    "our accountant",
    "the museum",
    "a tenant",
    "the university",
    "my grandfather",
];

/// Distinct questions of everyday length.
fn questions() -> impl Iterator<Item = String> {
    let pairs = VERBS.iter().flat_map(|verb| NOUNS.iter().map(move |noun| (verb, noun)));
    pairs.flat_map(|(verb, noun)| OWNERS.iter().map(move |owner| format!("How do I {verb} the {noun} of {owner}?")))
}

fn body(question: &str) -> Bytes {
    let system = "You are the assistant of a help desk. Answer in at most five sentences.";
    let messages = json!([{"role": "system", "content": system}, {"role": "user", "content": question}]);
    json!({"model": "gpt-5-mini", "temperature": 0.2, "messages": messages}).to_string().into()
}

/// The engine that `lockgate serve` would choose, and for how many threads.
fn engine() -> (Arc<dyn Embedder>, usize) {
    let library = environment("ORT_DYLIB_PATH").map(Into::into);
    let settings = embed::Settings { engine: EngineChoice::Auto, model: None, library, threads: 0, queue: 256 };
    (embed::load(&settings).unwrap(), settings.threads())
}

/// Hands out what it has embedded before.
#[derive(Debug)]
struct Beforehand {
    engine: Arc<dyn Embedder>,
    made: Mutex<HashMap<String, Embedding>>,
}

impl Embedder for Beforehand {
    fn embed(&self, text: &str) -> Result<Embedding, EmbedError> {
        if let Some(made) = self.made.lock().unwrap().get(text) {
            return Ok(made.clone());
        }
        let made = self.engine.embed(text)?;
        self.made.lock().unwrap().insert(text.to_owned(), made.clone());
        Ok(made)
    }

    fn name(&self) -> &'static str {
        "made beforehand"
    }
}

/// The rooms that a hit passes through.
struct House {
    input: InputGate,
    output: OutputGate,
    cache: Cache,
    engine: Arc<dyn Embedder>,
    worker: Worker,
    runtime: Runtime,
}

impl House {
    /// Answers to the first questions are in the cache.
    fn filled(engine: Arc<dyn Embedder>, threads: usize, entries: usize) -> Self {
        let settings = Settings {
            mode: Mode::Semantic,
            threshold: 0.9,
            max_error: None,
            stances: Stances::default(),
            ttl: Duration::from_hours(24),
            max_bytes: 256 << 20,
            max_entries: 1 << 20,
            max_entry_bytes: 1 << 20,
        };
        let worker = Worker::start(&engine, threads, 256).unwrap();
        let semantic = Semantic { worker: worker.clone(), fingerprint: Fingerprint::of(&*engine).unwrap() };
        let rules = guard::Settings { builtin: true, directory: None, overrides: std::collections::BTreeMap::default() };
        let gates = Gates::of(&load(&rules).unwrap());
        let house = Self {
            input: gates.input,
            output: gates.output,
            cache: Cache::new(&settings, Some(semantic)),
            engine,
            worker,
            runtime: Builder::new_current_thread().build().unwrap(),
        };
        for question in questions().take(entries) {
            house.runtime.block_on(house.fill(&question));
        }
        assert_eq!(house.cache.size().vectors, entries);
        house
    }

    fn screened(&self, body: Bytes, exchange: &mut Exchange) -> Screened {
        let request = Request::decode(Endpoint::Chat, body).unwrap();
        let Screening::Passed(screened) = self.input.screen(request, exchange).unwrap() else { panic!("blocked") };
        screened
    }

    /// From the bytes of a request to what the cache says.
    async fn lookup(&self, body: Bytes, wish: &Wish) -> (Lookup, Exchange) {
        let mut exchange = Exchange::new("bench".to_owned(), Tenant([1; 16]));
        let screened = self.screened(body, &mut exchange);
        let plan = self.cache.plan(wish);
        let lookup = match self.cache.lookup_exact(&screened, &plan, b"upstream", &mut exchange) {
            Exact::Hit(stored) => Lookup::Hit(stored, None),
            Exact::Miss(scope) => self.cache.lookup(&scope, &screened, &plan, &mut exchange).await,
            Exact::Bypass => panic!("the cache is on"),
        };
        (lookup, exchange)
    }

    /// The answer that a client gets, if the cache has it.
    async fn hit(&self, body: Bytes, expected: CacheStatus) -> Bytes {
        let (lookup, mut exchange) = self.lookup(body, &Wish::default()).await;
        assert_eq!(exchange.cache, expected, "{:?}", exchange.judged);
        let Lookup::Hit(stored, _) = lookup else { panic!("no hit") };
        let Ok(Clearing::Passed(cleared, _)) = self.output.clear_stored(Endpoint::Chat, stored, &mut exchange) else {
            panic!("not cleared")
        };
        cleared.body().clone()
    }

    /// A request that has passed the input gate, and the plan for one that must not be a hit.
    fn fresh(&self, text: &str) -> (Screened, CachePlan, Exchange) {
        let mut exchange = Exchange::new("bench".to_owned(), Tenant([1; 16]));
        let screened = self.screened(body(text), &mut exchange);
        (screened, self.cache.plan(&Wish { refresh: true, ..Wish::default() }), exchange)
    }

    /// A text as a lookup takes it apart.
    fn question(&self, text: &str) -> Question {
        let (screened, plan, mut exchange) = self.fresh(text);
        let Exact::Miss(scope) = self.cache.lookup_exact(&screened, &plan, b"upstream", &mut exchange) else { panic!("a hit") };
        let embedding = self.engine.embed(text).unwrap();
        let (reading, tokens) = (Reading::of(text), TokenVectors::of(&embedding));
        Question { partition: scope.partition, text: text.into(), reading, vector: embedding.vector, tokens }
    }

    /// Answers a question. Each is admitted for itself, however near it is to another.
    async fn fill(&self, question: &str) {
        let answer = self.answer(question);
        self.cache.settle(Some(self.ticket(question).await), Some(answer));
    }

    /// A place for the answer to a question, whether the cache has one or not.
    async fn ticket(&self, question: &str) -> Box<Ticket> {
        let refresh = Wish { refresh: true, ..Wish::default() };
        let (Lookup::Miss(ticket), _) = self.lookup(body(question), &refresh).await else { panic!("no ticket") };
        ticket
    }

    /// An answer that was cleared and is complete.
    fn answer(&self, question: &str) -> (Cleared, Complete) {
        let mut exchange = Exchange::new("bench".to_owned(), Tenant([1; 16]));
        let answer = format!("Here is what to do. {question} {}", "Then follow the steps on the page. ".repeat(8));
        let answer =
            json!({"choices": [{"index": 0, "message": {"role": "assistant", "content": answer}, "finish_reason": "stop"}]});
        let response = Response::decode(Endpoint::Chat, answer.to_string().into()).unwrap();
        let Clearing::Passed(cleared, Some(complete)) = self.output.clear(&response, &mut exchange) else {
            panic!("not cleared")
        };
        (cleared, complete)
    }
}

fn main() {
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(3))
        .sample_size(50)
        .configure_from_args();
    let (engine, threads) = engine();
    let house = House::filled(Arc::clone(&engine), threads, ENTRIES);
    let (same, alike) = (body("How do I cancel the subscription of my bank?"), "How do I cancel the subscription of my bank");

    let mut group = criterion.benchmark_group("exact");
    group.throughput(Throughput::Elements(1));
    group.bench_function("decode", |bencher| bencher.iter(|| Request::decode(Endpoint::Chat, same.clone()).unwrap()));
    // An exact hit waits for nothing, so its future is ready when it is first asked.
    group.bench_function("hit", |bencher| {
        bencher.iter(|| house.hit(same.clone(), CacheStatus::Hit).now_or_never().unwrap());
    });
    group.finish();

    let mut group = criterion.benchmark_group(format!("semantic/{}", house.engine.name()));
    group.throughput(Throughput::Elements(1));
    group.bench_function("embedding alone", |bencher| {
        bencher.iter(|| {
            house.runtime.block_on(house.worker.embed(alike.to_owned(), |_, embedding| embedding.vector)).unwrap().unwrap()
        });
    });
    let alike = body(alike);
    group.bench_function(format!("hit among {ENTRIES}"), |bencher| {
        bencher.iter(|| house.runtime.block_on(house.hit(alike.clone(), CacheStatus::SemanticHit)));
    });
    group.finish();
    let beforehand: Arc<dyn Embedder> = Arc::new(Beforehand { engine, made: Mutex::default() });
    for entries in [FEW, ENTRIES] {
        miss(&mut criterion, &House::filled(Arc::clone(&beforehand), threads, entries), entries);
    }
    verification(&mut criterion, &*house.engine);
    criterion.final_summary();
}

/// What a miss costs beside its embedding: a lookup, and later keeping the answer.
fn miss(criterion: &mut Criterion, house: &House, entries: usize) {
    let (far, near) = ("Why do cats purr when they sleep?", "How do I cancel the subscription of my bank");
    let far_body = body(far);
    let mut group = criterion.benchmark_group(format!("miss among {entries}"));
    group.throughput(Throughput::Elements(1));
    group.bench_function("lookup, its embedding made beforehand", |bencher| {
        bencher.iter(|| house.runtime.block_on(house.lookup(far_body.clone(), &Wish::default())).0);
    });
    group.bench_function("of that, decoding and screening", |bencher| {
        bencher.iter(|| house.screened(far_body.clone(), &mut Exchange::new("bench".to_owned(), Tenant([1; 16]))));
    });
    let (screened, plan, mut exchange) = house.fresh(far);
    group.bench_function("of that, the scope and the same request", |bencher| {
        bencher.iter(|| house.cache.lookup_exact(&screened, &plan, b"upstream", &mut exchange));
    });
    let embedding = house.engine.embed(far).unwrap();
    group.bench_function("of that, taking the text apart", |bencher| {
        bencher.iter(|| (Reading::of(far), TokenVectors::of(&embedding)));
    });
    group.bench_function("of that, to the embedding thread and back", |bencher| {
        bencher.iter(|| {
            house.runtime.block_on(house.worker.embed(far.to_owned(), |_, embedding| embedding.vector)).unwrap().unwrap()
        });
    });
    for (name, text) in [("of that, the search", far), ("search and verification of the few nearest", near)] {
        let (question, plan) = (house.question(text), house.cache.plan(&Wish::default()));
        group.bench_function(name, |bencher| bencher.iter(|| house.cache.candidates(&question, &plan)));
    }
    group.bench_function("keeping the answer", |bencher| {
        let ready = || (house.runtime.block_on(house.ticket(far)), house.answer(far));
        bencher.iter_batched(ready, |(ticket, answer)| house.cache.settle(Some(ticket), Some(answer)), BatchSize::SmallInput);
    });
    group.finish();
}

/// One candidate, with and without taking the question apart, which is done once for all candidates.
fn verification(criterion: &mut Criterion, engine: &dyn Embedder) {
    let mut group = criterion.benchmark_group("verification");
    for (name, one, other) in PAIRS {
        let (one, other) = (Asked::read(engine, one), Asked::read(engine, other));
        let name = format!("{name}, {} and {} tokens", one.tokens.offsets().len(), other.tokens.offsets().len());
        group.bench_function(&name, |bencher| {
            bencher.iter(|| verify(0.95, &Pair::of(one.side(), other.side()), &Stances::default()));
        });
        group.bench_function(format!("{name}: taking it apart"), |bencher| bencher.iter(|| Reading::of(one.text)));
    }
    group.finish();
}

/// A short pair and one of 32 tokens a side, each with one word changed.
const PAIRS: [(&str, &str, &str); 2] = [
    ("short", "How do I cancel the subscription of my bank?", "How can I cancel the contract of my bank?"),
    (
        "long",
        "Which documents does a student from another country have to bring along when she applies for a place in the dormitory of our university, and where does she hand them in?",
        "Which documents does a student from another country have to bring along when she asks for a place in the dormitory of our university, and where can she hand them in?",
    ),
];

/// A text as an entry keeps it.
struct Asked {
    text: &'static str,
    reading: Reading,
    tokens: TokenVectors,
}

impl Asked {
    fn read(engine: &dyn Embedder, text: &'static str) -> Self {
        let tokens = TokenVectors::of(&engine.embed(text).unwrap());
        Self { text, reading: Reading::of(text), tokens }
    }

    fn side(&self) -> Side<'_> {
        Side { reading: &self.reading, tokens: &self.tokens }
    }
}
