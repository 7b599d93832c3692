//! What is answered again, for whom, and what is not.

use std::time::Duration;

use lockgate::cache::Mode;
use serde_json::{Value, json};

use crate::{CHAT, House, Upstream, chat, said, shapes, streamed};

const QUESTION: &str = "What is the capital of France?";
const PARAPHRASE: &str = "What's the capital of France?";

#[tokio::test]
async fn the_same_request_is_answered_again_and_says_how_old_the_answer_is() {
    let upstream = Upstream::plain().await;
    let house = House::before(&upstream).await;
    let first = house.ask(&chat(QUESTION)).await;
    assert_eq!((first.cache(), first.header("age")), ("MISS", ""));
    // The order of the keys, whitespace, and how it is to be delivered do not make it another request.
    let other = format!("{{\"messages\": {}, \"user\": \"u-2\", \"model\": \"gpt-test\"}}", chat(QUESTION)["messages"]);
    let again = house.client().await.post(CHAT).body("application/json", other).send().await;
    assert_eq!((again.cache(), &again.body), ("HIT", &first.body));
    assert!(again.headers["age"].to_str().unwrap().parse::<u64>().is_ok());
    assert_eq!(upstream.calls(), 1);
}

#[tokio::test]
async fn another_request_is_another_request() {
    let upstream = Upstream::plain().await;
    let house = House::before(&upstream).await;
    house.ask(&chat(QUESTION)).await;
    for (field, value) in [("model", json!("gpt-other")), ("temperature", json!(0.5)), ("seed", json!(1)), ("x_new", json!(null))]
    {
        let mut request = chat(QUESTION);
        request[field] = value;
        assert_eq!(house.ask(&request).await.cache(), "MISS", "{field}");
    }
    assert_eq!(house.ask(&chat(PARAPHRASE)).await.cache(), "MISS", "the exact tier knows no meaning");
}

#[tokio::test]
async fn a_paraphrase_is_answered_and_says_how_similar_it_is() {
    let upstream = Upstream::plain().await;
    let house = House::semantic(&upstream).await;
    assert_eq!(house.ask(&chat(QUESTION)).await.cache(), "MISS");
    for request in [chat(PARAPHRASE), streamed(PARAPHRASE)] {
        let answer = house.ask(&request).await;
        assert_eq!(answer.cache(), "SEMANTIC HIT");
        let similarity: f32 = answer.header("x-lockgate-similarity").parse().unwrap();
        assert!((0.97..=1.0).contains(&similarity), "{similarity}");
        assert!(!answer.header("age").is_empty() && answer.text().contains("Answer"));
    }
    assert_eq!(house.ask(&chat(QUESTION)).await.cache(), "HIT");
    let unrelated = house.ask(&chat("How do I boil an egg?")).await;
    assert_eq!(unrelated.cache(), "MISS");
    assert!(unrelated.header("x-lockgate-similarity").parse::<f32>().unwrap() < 0.97, "a miss says how near it came");
    assert_eq!(upstream.calls(), 2);
}

#[tokio::test]
async fn a_paraphrase_of_a_prompt_is_answered_too() {
    let upstream = Upstream::start(|_, talk| async move {
        talk.json(&json!({ "choices": [{ "index": 0, "text": "Paris", "finish_reason": "stop" }] })).await
    })
    .await;
    let house = House::semantic(&upstream).await;
    for (prompt, cache) in [(QUESTION, "MISS"), (PARAPHRASE, "SEMANTIC HIT")] {
        let answer = house.client().await.post("/v1/completions").json(&json!({ "model": "m", "prompt": prompt })).send().await;
        assert_eq!(answer.cache(), cache);
    }
}

#[tokio::test]
async fn a_paraphrase_in_another_conversation_is_not_answered() {
    let upstream = Upstream::plain().await;
    let house = House::semantic(&upstream).await;
    let in_conversation = |system: &str, question: &str| {
        json!({ "model": "gpt-test", "messages": [
            { "role": "system", "content": system }, { "role": "user", "content": question }] })
    };
    house.ask(&in_conversation("Be kind.", QUESTION)).await;
    assert_eq!(house.ask(&in_conversation("Be rude.", PARAPHRASE)).await.cache(), "MISS");
    assert_eq!(house.ask(&in_conversation("Be kind.", PARAPHRASE)).await.cache(), "SEMANTIC HIT");
}

#[tokio::test]
async fn a_client_may_ask_for_more_similarity_and_not_for_less() {
    let upstream = Upstream::plain().await;
    let house = House::semantic(&upstream).await;
    house.ask(&chat(QUESTION)).await;
    let stored_nothing = ("x-portkey-cache-ttl", "0");
    let stricter = house.ask_with(&[("x-lockgate-threshold", "1"), stored_nothing], &chat(PARAPHRASE)).await;
    assert_eq!(stricter.cache(), "MISS");
    let looser = house.ask_with(&[("x-lockgate-threshold", "0"), stored_nothing], &chat("How do I boil an egg?")).await;
    assert_eq!(looser.cache(), "MISS");
    assert_eq!(house.ask_with(&[("x-lockgate-threshold", "0")], &chat(PARAPHRASE)).await.cache(), "SEMANTIC HIT");
}

#[tokio::test]
async fn callers_with_different_credentials_share_nothing() {
    let upstream = Upstream::plain().await;
    let house = House::semantic(&upstream).await;
    let (one, other) = ([("authorization", "Bearer sk-one")], [("authorization", "Bearer sk-other")]);
    house.ask_with(&one, &chat(QUESTION)).await;
    assert_eq!(house.ask_with(&other, &chat(QUESTION)).await.cache(), "MISS");
    assert_eq!(house.ask_with(&other, &chat(PARAPHRASE)).await.said(), "Answer 2");
    assert_eq!(house.ask(&chat(PARAPHRASE)).await.cache(), "MISS");
    assert_eq!(house.ask_with(&one, &chat(PARAPHRASE)).await.said(), "Answer 1");
}

#[tokio::test]
async fn a_namespace_keeps_entries_apart() {
    let upstream = Upstream::plain().await;
    let house = House::before(&upstream).await;
    let mine = [("x-portkey-cache-namespace", "mine")];
    house.ask(&chat(QUESTION)).await;
    assert_eq!(house.ask_with(&mine, &chat(QUESTION)).await.cache(), "MISS");
    assert_eq!(house.ask_with(&mine, &chat(QUESTION)).await.said(), "Answer 2");
    assert_eq!(house.ask(&chat(QUESTION)).await.said(), "Answer 1");
}

#[tokio::test]
async fn who_asks_for_no_store_is_neither_answered_nor_kept() {
    let upstream = Upstream::plain().await;
    let house = House::before(&upstream).await;
    let no_store = [("cache-control", "max-age=60, no-store")];
    for n in 1..=2 {
        let answer = house.ask_with(&no_store, &chat(QUESTION)).await;
        assert_eq!((answer.cache(), answer.header("x-lockgate-cache-bypass")), ("DISABLED", "client"));
        assert_eq!(answer.said(), format!("Answer {n}"));
    }
    assert_eq!(house.ask(&chat(QUESTION)).await.cache(), "MISS");
    assert_eq!(house.ask_with(&no_store, &chat(QUESTION)).await.said(), "Answer 4");
}

#[tokio::test]
async fn who_asks_for_a_fresh_answer_gets_one_that_takes_the_place_of_the_old_one() {
    let upstream = Upstream::plain().await;
    let house = House::before(&upstream).await;
    house.ask(&chat(QUESTION)).await;
    for (n, header) in [(2, ("cache-control", "no-cache")), (3, ("x-portkey-cache-force-refresh", "true"))] {
        let fresh = house.ask_with(&[header], &chat(QUESTION)).await;
        assert_eq!((fresh.cache(), fresh.said()), ("REFRESH", format!("Answer {n}")));
        let again = house.ask(&chat(QUESTION)).await;
        assert_eq!((again.cache(), again.said()), ("HIT", format!("Answer {n}")));
    }
}

#[tokio::test]
async fn an_answer_is_not_kept_longer_than_the_client_allows() {
    let upstream = Upstream::plain().await;
    let house = House::before(&upstream).await;
    for header in [("cache-control", "max-age=0"), ("x-portkey-cache-ttl", "0")] {
        house.ask_with(&[header], &chat(header.0)).await;
        assert_eq!(house.ask(&chat(header.0)).await.cache(), "MISS", "{header:?}");
    }
}

#[tokio::test]
async fn an_answer_that_is_too_large_is_not_kept() {
    let upstream = Upstream::plain().await;
    let house = House::with(&upstream, |config| config.cache.max_entry_bytes = 50).await;
    for _ in 0..2 {
        assert_eq!(house.ask(&chat(QUESTION)).await.cache(), "MISS");
    }
}

#[tokio::test]
async fn an_answer_expires() {
    let upstream = Upstream::plain().await;
    let house = House::with(&upstream, |config| config.cache.ttl = Duration::from_millis(1)).await;
    house.ask(&chat(QUESTION)).await;
    // Asked until its time is over: a hit is possible before, and a miss afterwards.
    crate::patient(async { while house.ask(&chat(QUESTION)).await.said() == "Answer 1" {} }).await;
}

/// Asks twice, and asserts that both times the upstream was asked.
async fn is_not_kept(upstream: &Upstream, request: &Value) {
    let house = House::before(upstream).await;
    for n in 1..=2 {
        assert_eq!(house.ask(request).await.cache(), "MISS");
        assert_eq!(upstream.calls(), n);
    }
}

#[tokio::test]
async fn an_error_is_not_kept() {
    for status in [400, 429, 500] {
        let upstream = Upstream::start(move |_, talk| async move {
            talk.whole(status, &[("content-type", "application/json")], said("An error in disguise.").to_string()).await
        });
        is_not_kept(&upstream.await, &chat(QUESTION)).await;
    }
}

#[tokio::test]
async fn an_answer_that_was_cut_at_its_length_or_filtered_is_not_kept() {
    for reason in ["length", "content_filter"] {
        let whole = Upstream::start(move |_, talk| async move { talk.json(&shapes::ended("It is", reason)).await });
        is_not_kept(&whole.await, &chat(QUESTION)).await;
        let told = Upstream::start(move |_, talk| async move {
            talk.events(&[shapes::delta("It is"), shapes::stop(reason), "[DONE]".to_owned()]).await
        });
        is_not_kept(&told.await, &streamed(QUESTION)).await;
    }
}

#[tokio::test]
async fn an_answer_that_broke_off_is_not_kept() {
    let whole = Upstream::start(|_, mut talk| async move {
        let body = said("It is Paris.").to_string();
        talk.head(200, &[("content-type", "application/json"), ("content-length", &(body.len() + 1).to_string())]).await;
        talk.write(body).await;
        None
    });
    is_not_kept(&whole.await, &chat(QUESTION)).await;
    // Ended without its last word, and without its last chunk.
    let early = Upstream::start(|_, talk| async move { talk.events(&[shapes::delta("It is"), shapes::stop("stop")]).await });
    is_not_kept(&early.await, &streamed(QUESTION)).await;
}

#[tokio::test]
async fn an_error_told_in_a_stream_is_not_kept() {
    let error = json!({ "error": { "message": "overloaded" } }).to_string();
    let events = [shapes::delta("It is"), error, shapes::stop("stop"), "[DONE]".to_owned()];
    let upstream = Upstream::start(move |_, talk| {
        let events = events.clone();
        async move { talk.events(&events).await }
    });
    is_not_kept(&upstream.await, &streamed(QUESTION)).await;
}

#[tokio::test]
async fn a_cache_that_is_off_says_so() {
    let upstream = Upstream::plain().await;
    let house = House::with(&upstream, |config| config.cache.mode = Mode::Off).await;
    for n in 1..=2 {
        let answer = house.ask(&chat(QUESTION)).await;
        assert_eq!((answer.cache(), answer.header("x-lockgate-cache-bypass")), ("DISABLED", "configured"));
        assert_eq!(answer.said(), format!("Answer {n}"));
    }
}

#[tokio::test]
async fn what_is_compared_exactly_only_says_why() {
    let upstream = Upstream::plain().await;
    let house = House::semantic(&upstream).await;
    let long = "one two three four five six seven eight ".repeat(64);
    let after_a_tool =
        json!({ "model": "m", "messages": [{ "role": "user", "content": "Hi" }, { "role": "assistant", "content": "Yes?" }] });
    let cases = [
        (CHAT, chat(&long), "too-long"),
        (CHAT, chat("𓀀 𓁐 𓃠 𓆏 𓇯"), "unknown-words"),
        (CHAT, after_a_tool, "not-text"),
        (CHAT, chat("What's on television tonight?"), "now"),
        (CHAT, chat("Where is my order?"), "asker"),
        ("/v1/completions", json!({ "model": "m", "prompt": ["Hi"] }), "not-text"),
        ("/v1/completions", json!({ "model": "m", "prompt": "Hi", "echo": true }), "endpoint"),
        ("/v1/embeddings", json!({ "model": "m", "input": "Hi" }), "endpoint"),
    ];
    for (path, request, reason) in cases {
        let answer = house.client().await.post(path).json(&request).send().await;
        assert_eq!((answer.cache(), answer.header("x-lockgate-cache-bypass")), ("MISS", reason));
        let again = house.client().await.post(path).json(&request).send().await;
        assert_eq!((again.cache(), again.header("x-lockgate-cache-bypass")), ("HIT", ""), "{reason}");
    }
}
