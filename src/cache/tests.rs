//! Both tiers together, with an engine whose vectors the tests choose.

use std::sync::Mutex;

use bytes::Bytes;
use serde_json::json;

use super::{index::conformance::vector, *};
use crate::{
    embed::{EmbedError, Embedder, Embedding, Fingerprint, Worker},
    exchange::{Bypass, Tenant},
    guard::{Clearing, Gates, InputGate, OutputGate, Screening, rules::load},
    wire::{Endpoint, Request, response::Response},
};

/// Texts that begin with the same letter are near to each other: the nearer, the more of their length they share.
#[derive(Debug, Default)]
struct Letters(Mutex<usize>);

impl Embedder for Letters {
    fn embed(&self, text: &str) -> Result<Embedding, EmbedError> {
        *self.0.lock().unwrap() += 1;
        if text.contains("fail") {
            return Err(EmbedError::Inference("asked to".to_owned()));
        }
        let letter = u64::from(text.bytes().next().unwrap_or(0));
        let noise = 0.02 * text.len() as f32;
        let mixed: Vec<f32> = vector(letter).iter().zip(vector(1000 + text.len() as u64)).map(|(a, b)| a + noise * b).collect();
        let length = mixed.iter().map(|x| x * x).sum::<f32>().sqrt();
        let vector = mixed.iter().map(|x| x / length).collect();
        Ok(Embedding {
            vector,
            token_vectors: vec![],
            offsets: vec![],
            tokens: 4,
            truncated: text.contains("long"),
            unknown: 0.0,
        })
    }

    fn name(&self) -> &'static str {
        "letters"
    }
}

struct House {
    cache: Cache,
    input: InputGate,
    output: OutputGate,
    engine: Arc<Letters>,
}

fn house(mode: Mode) -> House {
    let settings = Settings {
        mode,
        threshold: 0.95,
        max_error: None,
        stances: Stances::COSINE_ALONE,
        ttl: Duration::from_hours(1),
        max_bytes: 1 << 20,
        max_entries: 10_000,
        max_entry_bytes: 1 << 16,
    };
    let engine = Arc::new(Letters::default());
    let embedder: Arc<dyn Embedder> = engine.clone();
    let worker = Worker::start(&embedder, 1, 8).unwrap();
    let fingerprint = Fingerprint::of(&*embedder).unwrap();
    let guard = crate::guard::Settings { builtin: false, directory: None, overrides: Default::default() };
    let gates = Gates::of(&load(&guard).unwrap());
    House {
        cache: Cache::new(&settings, Some(Semantic { worker, fingerprint })),
        input: gates.input,
        output: gates.output,
        engine,
    }
}

impl House {
    async fn lookup(&self, tenant: u8, text: &str, wish: &Wish) -> (Lookup, Exchange) {
        let body = json!({"model": "m", "messages": [{"role": "user", "content": text}]});
        let mut exchange = Exchange::new("t".to_owned(), Tenant([tenant; 16]));
        let request = Request::decode(Endpoint::Chat, body.to_string().into()).unwrap();
        let Screening::Passed(screened) = self.input.screen(request, &mut exchange).unwrap() else { panic!("blocked") };
        let plan = self.cache.plan(wish);
        let lookup = match self.cache.lookup_exact(&screened, &plan, b"upstream", &mut exchange) {
            Exact::Hit(stored) => Lookup::Hit(stored, None),
            Exact::Miss(scope) => self.cache.lookup(&scope, &screened, &plan, &mut exchange).await,
            Exact::Bypass => panic!("no plan here says so"),
        };
        (lookup, exchange)
    }

    fn admit(&self, ticket: Ticket, answer: &str) {
        let body = json!({"choices": [{"message": {"content": answer}, "finish_reason": "stop"}]}).to_string();
        let response = Response::decode(Endpoint::Chat, Bytes::from(body)).unwrap();
        let mut exchange = Exchange::new("t".to_owned(), Tenant([0; 16]));
        let Clearing::Passed(cleared, Some(complete)) = self.output.clear(&response, &mut exchange) else { panic!("blocked") };
        self.cache.admit(ticket, cleared, complete);
    }

    async fn ask(&self, text: &str) -> CacheStatus {
        let (lookup, exchange) = self.lookup(0, text, &Wish::default()).await;
        if let Lookup::Miss(ticket) = lookup {
            self.admit(*ticket, text);
        }
        exchange.cache
    }
}

#[tokio::test]
async fn the_same_request_is_an_exact_hit_and_is_not_embedded() {
    let house = house(Mode::Semantic);
    assert_eq!(house.ask("alpha").await, CacheStatus::Miss);
    let before = *house.engine.0.lock().unwrap();
    assert_eq!(house.ask("alpha").await, CacheStatus::Hit);
    assert_eq!(*house.engine.0.lock().unwrap(), before);
}

#[tokio::test]
async fn a_near_text_is_a_semantic_hit_and_a_far_one_is_not() {
    let house = house(Mode::Semantic);
    house.ask("alpha").await;
    let (lookup, exchange) = house.lookup(0, "alphas", &Wish::default()).await;
    assert!(matches!(lookup, Lookup::Hit(..)));
    assert_eq!(exchange.cache, CacheStatus::SemanticHit);
    assert!(exchange.judged.unwrap().score >= 0.95 && exchange.age.is_some());
    let (lookup, exchange) = house.lookup(0, "beta", &Wish::default()).await;
    assert!(matches!(lookup, Lookup::Miss(_)));
    assert!(exchange.judged.unwrap().score < 0.95, "a near miss shows how near it was");
}

#[tokio::test]
async fn tenants_and_namespaces_share_nothing() {
    let house = house(Mode::Semantic);
    house.ask("alpha").await;
    for text in ["alpha", "alphas"] {
        assert!(matches!(house.lookup(1, text, &Wish::default()).await.0, Lookup::Miss(_)));
        let wish = Wish { namespace: Some("n".to_owned()), ..Wish::default() };
        assert!(matches!(house.lookup(0, text, &wish).await.0, Lookup::Miss(_)));
    }
}

#[tokio::test]
async fn exact_mode_never_embeds() {
    let house = house(Mode::Exact);
    let before = *house.engine.0.lock().unwrap();
    assert_eq!(house.ask("alpha").await, CacheStatus::Miss);
    assert_eq!(house.ask("alphas").await, CacheStatus::Miss);
    assert_eq!(house.ask("alpha").await, CacheStatus::Hit);
    assert_eq!(*house.engine.0.lock().unwrap(), before);
}

#[tokio::test]
async fn a_refresh_skips_the_lookup_and_overwrites_its_own_entry() {
    let house = house(Mode::Semantic);
    house.ask("alpha").await;
    let wish = Wish { refresh: true, ..Wish::default() };
    let (lookup, exchange) = house.lookup(0, "alpha", &wish).await;
    assert_eq!(exchange.cache, CacheStatus::Refresh);
    let Lookup::Miss(ticket) = lookup else { panic!("answered from the cache") };
    house.admit(*ticket, "fresh");
    let (Lookup::Hit(stored, _), _) = house.lookup(0, "alpha", &Wish::default()).await else { panic!("no hit") };
    let mut exchange = Exchange::new("t".to_owned(), Tenant([0; 16]));
    let Ok(Clearing::Passed(cleared, _)) = house.output.clear_stored(Endpoint::Chat, stored, &mut exchange) else { panic!() };
    assert!(String::from_utf8_lossy(cleared.body()).contains("fresh"));
    house.cache.entries.run_pending_tasks();
    assert_eq!((house.cache.size().entries, house.cache.size().vectors), (1, 1));
}

#[tokio::test]
async fn what_the_engine_cannot_judge_is_compared_exactly_only() {
    let house = house(Mode::Semantic);
    for (text, reason) in [("a long one", Bypass::TooLong), ("a fail", Bypass::EngineFailed)] {
        let (lookup, exchange) = house.lookup(0, text, &Wish::default()).await;
        assert_eq!(exchange.bypass, Some(reason));
        let Lookup::Miss(ticket) = lookup else { panic!("hit") };
        house.admit(*ticket, "x");
        assert_eq!(house.ask(text).await, CacheStatus::Hit);
    }
    assert_eq!(house.cache.size().vectors, 0);
}

#[tokio::test]
async fn nothing_is_served_after_its_time_and_its_vector_goes_too() {
    let house = house(Mode::Semantic);
    let wish = Wish { ttl: Some(Duration::from_millis(1)), ..Wish::default() };
    let (Lookup::Miss(ticket), _) = house.lookup(0, "alpha", &wish).await else { panic!("hit") };
    house.admit(*ticket, "x");
    while house.cache.size().vectors > 0 {
        house.cache.entries.run_pending_tasks();
        tokio::task::yield_now().await;
    }
    for text in ["alpha", "alphas"] {
        assert!(matches!(house.lookup(0, text, &Wish::default()).await.0, Lookup::Miss(_)));
    }
}

#[tokio::test]
async fn memory_is_bounded_and_vectors_leave_with_their_entries() {
    let house = house(Mode::Semantic);
    for n in 0..2000 {
        house.ask(&format!("{n} {}", "x".repeat(n % 50))).await;
    }
    house.cache.entries.run_pending_tasks();
    let size = house.cache.size();
    assert!(size.bytes <= 1 << 20 && size.entries > 10, "{size:?}");
    assert_eq!(size.vectors as u64, size.entries);
}

#[tokio::test]
async fn an_answer_that_names_somebody_elses_placeholder_is_no_hit() {
    let house = house(Mode::Semantic);
    let (Lookup::Miss(ticket), _) = house.lookup(0, "alpha", &Wish::default()).await else { panic!("hit") };
    house.admit(*ticket, "Dear {{NAME_1}}");
    for text in ["alpha", "alphas"] {
        assert!(matches!(house.lookup(0, text, &Wish::default()).await.0, Lookup::Miss(_)), "{text}");
    }
}
