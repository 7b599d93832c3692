//! Anthropic's clients: guarded, cached and answered in their own words, whatever the upstream speaks.

use lockgate::{access::ClientKey, guard::Override};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::{
    Answer, CHAT, House, Upstream, chat,
    shapes::{delta, stop},
    streamed,
};

const MESSAGES: &str = "/v1/messages";
const CARD: &str = "Charge 4111 1111 1111 1111, please.";

fn asked(question: &str) -> Value {
    json!({ "model": "gpt-test", "max_tokens": 100, "messages": [{ "role": "user", "content": question }] })
}

fn asked_for_events(question: &str) -> Value {
    let mut request = asked(question);
    request["stream"] = json!(true);
    request
}

async fn ask(house: &House, body: &Value) -> Answer {
    let headers = [("x-api-key", "sk-ant"), ("anthropic-version", "2023-06-01")];
    house.client().await.post(MESSAGES).headers(&headers).json(body).send().await
}

/// The events of a stream, each under the name that it bears.
fn events(answer: &Answer) -> Vec<Value> {
    let text = answer.text();
    let events = text.split("\n\n").filter(|event| !event.is_empty()).map(|event| {
        let (name, data) = event.strip_prefix("event: ").unwrap().split_once("\ndata: ").unwrap();
        let data: Value = serde_json::from_str(data).unwrap();
        assert_eq!(data["type"], name);
        data
    });
    events.collect()
}

/// What the deltas of a stream say.
fn told(answer: &Answer) -> String {
    events(answer).iter().filter_map(|event| event["delta"]["text"].as_str().map(str::to_owned)).collect()
}

fn said(answer: &Answer) -> String {
    answer.json()["content"][0]["text"].as_str().unwrap_or_else(|| panic!("{}", answer.text())).to_owned()
}

fn is_error(answer: &Answer, status: u16, kind: &str, word: &str) {
    assert_eq!(answer.status, status, "{}", answer.text());
    let error = answer.json();
    assert_eq!((&error["type"], &error["error"]["type"]), (&json!("error"), &json!(kind)), "{error}");
    assert!(error["error"]["message"].as_str().unwrap().contains(word), "{error}");
}

#[tokio::test]
async fn a_message_is_answered_and_the_second_time_from_the_cache() {
    let upstream = Upstream::saying("Hello there.").await;
    let house = House::before(&upstream).await;
    for cache in ["MISS", "HIT"] {
        let answer = ask(&house, &asked("Hi")).await;
        assert_eq!((answer.status, answer.cache()), (200, cache));
        let expected = json!({
            "id": "chatcmpl-1", "type": "message", "role": "assistant", "model": "gpt-test",
            "content": [{ "type": "text", "text": "Hello there." }], "stop_reason": "end_turn", "stop_sequence": null,
            "usage": { "input_tokens": 1, "output_tokens": 2 },
        });
        assert_eq!(answer.json(), expected);
    }
    assert_eq!(upstream.calls(), 1);
    let last = upstream.last();
    assert_eq!(last.first, "POST /v1/chat/completions HTTP/1.1");
    assert_eq!(last.header("authorization"), "Bearer sk-ant");
    assert!(!last.has("x-api-key"));
    let received: Value = serde_json::from_str(&last.text()).unwrap();
    assert_eq!(received, json!({ "model": "gpt-test", "messages": [{ "role": "user", "content": "Hi" }], "max_tokens": 100 }));
}

#[tokio::test]
async fn a_stream_is_told_in_events_and_again_from_the_cache() {
    let upstream = Upstream::saying("Hello there, how are you?").await;
    let house = House::before(&upstream).await;
    for cache in ["MISS", "HIT"] {
        let answer = ask(&house, &asked_for_events("Hi")).await;
        assert_eq!((answer.cache(), answer.header("content-type")), (cache, "text/event-stream"));
        assert_eq!(told(&answer), "Hello there, how are you?");
        let events = events(&answer);
        let kinds: Vec<_> = events.iter().map(|event| event["type"].as_str().unwrap()).collect();
        assert_eq!(kinds[..2], ["message_start", "content_block_start"]);
        assert_eq!(kinds[kinds.len() - 3..], ["content_block_stop", "message_delta", "message_stop"]);
        assert_eq!(events[events.len() - 2]["delta"]["stop_reason"], "end_turn");
    }
    assert_eq!(said(&ask(&house, &asked("Hi")).await), "Hello there, how are you?");
    assert_eq!(upstream.calls(), 1);
}

#[tokio::test]
async fn who_speaks_chat_gets_what_was_asked_in_messages() {
    let upstream = Upstream::plain().await;
    let house = House::before(&upstream).await;
    let key = [("authorization", "Bearer sk-one")];
    let mut client = house.client().await;
    let first = client.post(MESSAGES).headers(&key).header("anthropic-version", "2023-06-01").json(&asked("Hi")).send().await;
    let mut same = chat("Hi");
    same["max_tokens"] = json!(100);
    let hit = house.ask_with(&key, &same).await;
    assert_eq!((first.cache(), hit.cache(), hit.said()), ("MISS", "HIT", said(&first)));
    same["stream"] = json!(true);
    assert_eq!(house.ask_with(&key, &same).await.told(), said(&first));
    assert_eq!(house.ask_with(&key, &chat("Hi")).await.cache(), "MISS", "another bound is another question");
}

#[tokio::test]
async fn a_block_is_an_error_in_the_shape_that_anthropics_clients_read() {
    let upstream = Upstream::plain().await;
    let house = House::with(&upstream, |config| {
        config.guard.overrides.insert("payment-card".to_owned(), Override::Block);
    })
    .await;
    for request in [asked(CARD), asked_for_events(CARD)] {
        let answer = ask(&house, &request).await;
        is_error(&answer, 400, "guardrail_blocked", "payment-card");
        assert_eq!(answer.json()["error"]["code"], "payment-card");
        assert!(!answer.text().contains("4111"));
    }
    assert_eq!(upstream.calls(), 0);
}

#[tokio::test]
async fn personal_data_is_replaced_wherever_a_message_has_it_and_comes_back() {
    let upstream = Upstream::saying("{{PAYMENT_CARD_1}} is charged.").await;
    let house = House::before(&upstream).await;
    let result = json!({ "type": "tool_result", "tool_use_id": "t", "content": [{ "type": "text", "text": CARD }] });
    let document =
        json!({ "type": "document", "title": CARD, "source": { "type": "text", "media_type": "text/plain", "data": CARD } });
    let search = json!({ "type": "search_result", "source": "s", "title": CARD, "content": [{ "type": "text", "text": CARD }] });
    let contents = [json!(CARD), json!([{ "type": "text", "text": CARD }]), json!([result]), json!([document]), json!([search])];
    for content in contents {
        let request = json!({ "model": "m", "max_tokens": 9, "messages": [{ "role": "user", "content": content }] });
        let answer = ask(&house, &request).await;
        let received = upstream.last().text();
        assert!(!received.contains("4111") && received.contains("{{PAYMENT_CARD_1}}"), "{received}");
        assert_eq!(said(&answer), "4111 1111 1111 1111 is charged.");
        let mut request = request;
        request["stream"] = json!(true);
        assert_eq!(told(&ask(&house, &request).await), "4111 1111 1111 1111 is charged.");
    }
}

#[tokio::test]
async fn tools_go_there_and_back() {
    let upstream = Upstream::start(|_, talk| async move {
        let call =
            json!({ "id": "call_1", "type": "function", "function": { "name": "weather", "arguments": "{\"city\":\"Rome\"}" } });
        let message = json!({ "role": "assistant", "content": null, "tool_calls": [call] });
        let choice = json!({ "index": 0, "message": message, "finish_reason": "tool_calls" });
        talk.json(&json!({ "id": "1", "object": "chat.completion", "model": "m", "choices": [choice] })).await
    })
    .await;
    let house = House::before(&upstream).await;
    let mut request = asked("The weather?");
    request["tools"] = json!([{ "name": "weather", "input_schema": { "type": "object" } }]);
    let answer = ask(&house, &request).await.json();
    assert_eq!(answer["stop_reason"], "tool_use");
    let call = json!({ "type": "tool_use", "id": "call_1", "name": "weather", "input": { "city": "Rome" } });
    assert_eq!(answer["content"], json!([call]));
    let received: Value = serde_json::from_str(&upstream.last().text()).unwrap();
    assert_eq!(received["tools"][0]["function"]["name"], "weather");
    request["stream"] = json!(true);
    let events = events(&ask(&house, &request).await);
    let json: String = events.iter().filter_map(|event| event["delta"]["partial_json"].as_str()).collect();
    assert_eq!(json, "{\"city\":\"Rome\"}");
}

#[tokio::test]
async fn what_goes_wrong_is_told_in_their_shape() {
    let upstream = Upstream::start(|_, talk| async move {
        let error = json!({ "error": { "message": "Slow down.", "type": "requests", "param": null, "code": null } });
        talk.whole(429, &[("content-type", "application/json"), ("retry-after", "3")], error.to_string()).await
    })
    .await;
    let house = House::before(&upstream).await;
    let answer = ask(&house, &asked("Hi")).await;
    is_error(&answer, 429, "rate_limit_error", "Slow down.");
    assert_eq!(answer.header("retry-after"), "3");
    let client = || house.client();
    is_error(&ask(&house, &json!({ "model": "m", "messages": "Hi" })).await, 400, "invalid_request_error", "`messages`");
    is_error(&ask(&house, &json!({ "messages": [] })).await, 400, "invalid_request_error", "`model`");
    let lookalike = json!({ "model": "m", "messages": [], "System": CARD });
    is_error(&ask(&house, &lookalike).await, 400, "invalid_request_error", "`system`");
    let twice = client().await.post(MESSAGES).body("application/json", "{\"model\":1,\"model\":2}").send().await;
    is_error(&twice, 400, "invalid_request_error", "twice");
    is_error(&client().await.get(MESSAGES).send().await, 405, "invalid_request_error", "POST");
    is_error(
        &client().await.post("/v1/messages/batches").json(&json!({})).send().await,
        404,
        "not_found_error",
        "does not serve",
    );
    assert_eq!(upstream.calls(), 1);
}

#[tokio::test]
async fn a_stream_that_breaks_off_ends_in_an_error() {
    let upstream = Upstream::start(|_, mut talk| async move {
        talk.stream().await;
        talk.event(&delta("Hel")).await;
        None
    })
    .await;
    let house = House::before(&upstream).await;
    let answer = ask(&house, &asked_for_events("Hi")).await;
    let last = events(&answer).pop().unwrap();
    assert_eq!((told(&answer).as_str(), &last["type"], &last["error"]["type"]), ("Hel", &json!("error"), &json!("api_error")));
}

#[tokio::test]
async fn an_event_is_relayed_before_the_next_one_exists() {
    let upstream = Upstream::start(|_, mut talk| async move {
        talk.stream().await;
        for event in [delta("Hel"), delta("lo"), stop("stop"), "[DONE]".to_owned()] {
            talk.event(&event).await;
            talk.cue().await;
        }
        talk.end().await;
        Some(talk)
    })
    .await;
    let house = House::before(&upstream).await;
    let mut client = house.client().await;
    let mut stream = client.post(MESSAGES).json(&asked_for_events("Hi")).open().await;
    for word in ["message_start", "content_block_start", "\"Hel\""] {
        assert!(stream.event().await.unwrap().contains(word), "{word}");
    }
    upstream.cue();
    assert!(stream.event().await.unwrap().contains("\"lo\""));
    (0..3).for_each(|_| upstream.cue());
    assert!(stream.rest().await.text().contains("message_stop"));
}

#[tokio::test]
async fn a_client_key_is_taken_in_anthropics_header_and_goes_no_further() {
    let upstream = Upstream::plain().await;
    let key =
        ClientKey { name: "app".into(), sha256: Sha256::digest("a-key").into(), tenant: "t".into(), ..ClientKey::default() };
    let house = House::with(&upstream, |config| config.access.client_keys = vec![key]).await;
    is_error(&ask(&house, &asked("Hi")).await, 401, "authentication_error", "x-api-key");
    let answer = house.client().await.post(MESSAGES).header("x-api-key", "a-key").json(&asked("Hi")).send().await;
    assert_eq!((answer.status, answer.cache()), (200, "MISS"));
    let last = upstream.last();
    assert!(!last.has("x-api-key") && !last.has("authorization"), "{:?}", last.headers);
    let mut same = streamed("Hi");
    same["max_tokens"] = json!(100);
    let mut client = house.client().await;
    let hit = client.post(CHAT).header("authorization", "Bearer a-key").json(&same).send().await;
    assert_eq!((hit.cache(), hit.told()), ("HIT", said(&answer)));
}
