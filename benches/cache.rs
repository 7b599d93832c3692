//! What a hit costs: the same request again, and a request that means the same among 10,000 entries; what a miss costs, and what one verification does.
//!
//! `cargo bench --bench cache`. Each lookup takes the way of a request, from the bytes of its body through the input gate to an answer
//! that the output gate has let pass. Beside the semantic hit stands the embedding alone: the difference is what the rest of the cache
//! costs. The engine is the one that `lockgate serve` would choose; filling the cache takes some seconds first.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a bench fails by panicking")]

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use criterion::{Criterion, Throughput};
use futures_util::FutureExt as _;
use lockgate::{
    cache::{
        Cache, CachePlan, Exact, Lookup, Mode, Semantic, Settings, Wish,
        verify::{Pair, Reading, Side, Stances, verify},
    },
    config::environment,
    embed::{self, Embedder, EngineChoice, Fingerprint, TokenVectors, Worker},
    exchange::{CacheStatus, Exchange, Tenant},
    guard::{self, Clearing, InputGate, OutputGate, Screening, rules::load},
    wire::{Endpoint, Request, response::Response},
};
use serde_json::json;
use tokio::runtime::{Builder, Runtime};

const ENTRIES: usize = 10_000;

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

/// The rooms that a hit passes through.
struct House {
    input: InputGate,
    output: OutputGate,
    cache: Cache,
    settings: Settings,
    engine: Arc<dyn Embedder>,
    worker: Worker,
    runtime: Runtime,
}

impl House {
    fn new() -> Self {
        let settings = Settings {
            mode: Mode::Semantic,
            threshold: 0.9,
            stances: Stances::default(),
            ttl: Duration::from_hours(24),
            max_bytes: 256 << 20,
            max_entries: 1 << 20,
            max_entry_bytes: 1 << 20,
        };
        let library = environment("ORT_DYLIB_PATH").map(Into::into);
        let engine = embed::Settings { engine: EngineChoice::Auto, model: None, library, threads: 0, queue: 256 };
        let threads = engine.threads();
        let engine = embed::load(&engine).unwrap();
        let worker = Worker::start(&engine, threads, 256).unwrap();
        let semantic = Semantic { worker: worker.clone(), fingerprint: Fingerprint::of(&*engine).unwrap() };
        let rules = guard::Settings { builtin: true, directory: None, overrides: std::collections::BTreeMap::default() };
        let pack = Arc::new(load(&rules).unwrap());
        Self {
            input: InputGate::new(Arc::clone(&pack)),
            output: OutputGate::new(pack),
            cache: Cache::new(&settings, Some(semantic)),
            settings,
            engine,
            worker,
            runtime: Builder::new_current_thread().build().unwrap(),
        }
    }

    /// From the bytes of a request to what the cache says.
    async fn lookup(&self, body: Bytes, wish: &Wish) -> (Lookup, Exchange) {
        let mut exchange = Exchange::new("bench".to_owned(), Tenant([1; 16]));
        let request = Request::decode(Endpoint::Chat, body).unwrap();
        let Screening::Passed(screened) = self.input.screen(request, &mut exchange).unwrap() else { panic!("blocked") };
        let plan = CachePlan::of(&self.settings, wish);
        let lookup = match self.cache.lookup_exact(&screened, &plan, "upstream", &mut exchange) {
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

    /// Answers a question. Each is admitted for itself, however near it is to another.
    async fn fill(&self, question: &str) {
        let refresh = Wish { refresh: true, ..Wish::default() };
        let (Lookup::Miss(ticket), mut exchange) = self.lookup(body(question), &refresh).await else { panic!("no ticket") };
        let answer = format!("Here is what to do. {question} {}", "Then follow the steps on the page. ".repeat(8));
        let answer =
            json!({"choices": [{"index": 0, "message": {"role": "assistant", "content": answer}, "finish_reason": "stop"}]});
        let response = Response::decode(Endpoint::Chat, answer.to_string().into()).unwrap();
        let Clearing::Passed(cleared, Some(complete)) = self.output.clear(&response, &mut exchange) else {
            panic!("not cleared")
        };
        self.cache.settle(Some(ticket), Some((cleared, complete)));
    }
}

fn main() {
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(3))
        .sample_size(50)
        .configure_from_args();
    let house = House::new();
    for question in questions().take(ENTRIES) {
        house.runtime.block_on(house.fill(&question));
    }
    assert_eq!(house.cache.size().vectors, ENTRIES);
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
    let far = body("Why do cats purr when they sleep?");
    group.bench_function("embedding of a miss alone", |bencher| {
        let text = "Why do cats purr when they sleep?".to_owned();
        bencher
            .iter(|| house.runtime.block_on(house.worker.embed(text.clone(), |_, embedding| embedding.vector)).unwrap().unwrap());
    });
    group.bench_function(format!("miss among {ENTRIES}"), |bencher| {
        bencher.iter(|| house.runtime.block_on(house.lookup(far.clone(), &Wish::default())).0);
    });
    group.finish();
    verification(&mut criterion, &*house.engine);
    criterion.final_summary();
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
