//! Clients of OpenAI's Responses: guarded, cached and answered as such, though the upstream speaks chat alone.

use lockgate::guard::Override;
use serde_json::{Value, json};

use crate::{Answer, House, Upstream, chat, streamed};

const RESPONSES: &str = "/v1/responses";
const CARD: &str = "Charge 4111 1111 1111 1111, please.";

fn asked(question: &str) -> Value {
    json!({ "model": "gpt-test", "input": question })
}

fn asked_for_events(question: &str) -> Value {
    json!({ "model": "gpt-test", "input": question, "stream": true })
}

async fn ask(house: &House, body: &Value) -> Answer {
    house.client().await.post(RESPONSES).json(body).send().await
}

fn events(answer: &Answer) -> Vec<Value> {
    let text = answer.text();
    let data = text.lines().filter_map(|line| line.strip_prefix("data: "));
    data.map(|data| serde_json::from_str(data).unwrap()).collect()
}

fn said(response: &Value) -> &str {
    response["output"][0]["content"][0]["text"].as_str().unwrap_or_else(|| panic!("{response}"))
}

#[tokio::test]
async fn a_response_is_given_and_the_second_time_from_the_cache_that_chat_shares() {
    let upstream = Upstream::saying("Hello there.").await;
    let house = House::before(&upstream).await;
    for cache in ["MISS", "HIT"] {
        let answer = ask(&house, &asked("Hi")).await;
        let response = answer.json();
        assert_eq!((answer.status, answer.cache(), said(&response)), (200, cache, "Hello there."));
        assert_eq!((&response["object"], &response["status"]), (&json!("response"), &json!("completed")));
        assert_eq!(response["usage"]["total_tokens"], 3);
    }
    assert_eq!(house.ask(&chat("Hi")).await.cache(), "HIT");
    assert_eq!(house.ask(&streamed("Hi")).await.told(), "Hello there.");
    assert_eq!(upstream.calls(), 1);
}

#[tokio::test]
async fn a_stream_is_told_in_typed_events_and_again_from_the_cache() {
    let upstream = Upstream::saying("Hello there, how are you?").await;
    let house = House::before(&upstream).await;
    for cache in ["MISS", "HIT"] {
        let answer = ask(&house, &asked_for_events("Hi")).await;
        assert_eq!((answer.cache(), answer.header("content-type")), (cache, "text/event-stream"));
        let events = events(&answer);
        let kinds: Vec<_> = events.iter().map(|event| event["type"].as_str().unwrap()).collect();
        assert_eq!(kinds[..3], ["response.created", "response.in_progress", "response.output_item.added"]);
        assert_eq!(kinds.last(), Some(&"response.completed"));
        assert_eq!(said(&events.last().unwrap()["response"]), "Hello there, how are you?");
    }
    assert_eq!(upstream.calls(), 1);
}

#[tokio::test]
async fn what_a_rule_blocks_or_replaces_it_blocks_or_replaces_here_too() {
    let upstream = Upstream::saying("{{PAYMENT_CARD_1}} is charged.").await;
    let house = House::before(&upstream).await;
    assert_eq!(said(&ask(&house, &asked(CARD)).await.json()), "4111 1111 1111 1111 is charged.");
    assert!(!upstream.last().text().contains("4111"));
    let told = events(&ask(&house, &asked_for_events(CARD)).await);
    assert_eq!(said(&told.last().unwrap()["response"]), "4111 1111 1111 1111 is charged.");
    let house = House::with(&upstream, |config| {
        config.guard.overrides.insert("payment-card".to_owned(), Override::Block);
    })
    .await;
    let answer = ask(&house, &asked(CARD)).await;
    answer.is_error(400, "payment-card", &["The request"]);
}

#[tokio::test]
async fn what_chat_cannot_say_is_refused_and_the_upstream_is_not_asked() {
    let upstream = Upstream::plain().await;
    let house = House::before(&upstream).await;
    let answer = ask(&house, &json!({ "model": "m", "input": "Hi", "previous_response_id": "resp_1" })).await;
    answer.is_error(400, "unsupported", &["`previous_response_id`", "`input`"]);
    assert_eq!(answer.json()["error"]["param"], "previous_response_id");
    ask(&house, &json!({ "model": "m" })).await.is_error(400, "invalid_request", &["`input`"]);
    let stored = house.client().await.get("/v1/responses/resp_1").send().await;
    stored.is_error(404, "unknown_endpoint", &["/v1/responses/resp_1"]);
    assert_eq!(upstream.calls(), 0);
}
