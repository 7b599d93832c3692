//! Targets that fail, each in its own way: the next one answers, within the attempts and the time that are given, and the client learns which one did.

use std::net::SocketAddr;

use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::{
    House, Upstream, chat,
    house::config_and,
    router::{header, house},
    shapes::delta,
    streamed,
};

/// A house whose target `bad` is at this address, and a config that falls back from it.
async fn before(bad: SocketAddr, good: &Upstream, target: &Value) -> (House, String) {
    let more = format!(
        "virtual_keys:\n  bad: {{ provider: openai, url: 'http://{bad}/v1', api_key: k }}\n  good: {{ provider: openai, url: 'http://{}/v1', api_key: k }}\n",
        good.address
    );
    let mut first = json!({"virtual_key": "bad"});
    first.as_object_mut().unwrap().extend(target.as_object().unwrap().clone());
    let config = json!({"strategy": {"mode": "fallback"}, "targets": [first, {"virtual_key": "good"}]});
    (House::from(config_and(good.address, &more)).await, header(&config))
}

async fn falls_back(house: &House, config: &str) {
    for request in [chat("Hi"), streamed("Hi")] {
        let answer = house.ask_with(&[("x-portkey-config", config)], &request).await;
        assert_eq!((answer.status, answer.header("x-portkey-last-used-option-index")), (200, "config.targets[1]"));
    }
}

#[tokio::test]
async fn one_that_is_down_is_passed_over() {
    let good = Upstream::plain().await;
    let unused = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let (house, config) = before(unused, &good, &json!({})).await;
    falls_back(&house, &config).await;
}

#[tokio::test]
async fn one_that_is_slow_is_given_the_time_of_the_request_and_no_more() {
    let (slow, good) = (
        Upstream::start(|_, talk| async move {
            let _open = talk;
            std::future::pending().await
        })
        .await,
        Upstream::plain().await,
    );
    let (house, config) = before(slow.address, &good, &json!({"request_timeout": 30})).await;
    falls_back(&house, &config).await;
    let alone = header(&json!({"virtual_key": "bad", "request_timeout": 30}));
    let answer = house.ask_with(&[("x-portkey-config", &alone)], &chat("Hi")).await;
    answer.is_error(408, "request_timeout", &["Request exceeded the timeout sent in the request: 30ms"]);
    assert_eq!(answer.json()["error"]["type"], "timeout_error");
}

#[tokio::test]
async fn one_that_closes_the_connection_is_asked_as_often_as_its_policy_says() {
    let (gone, good) = (Upstream::start(|_, _| async { None }).await, Upstream::plain().await);
    let retry = json!({"retry": {"attempts": 1, "on_status_codes": [502]}});
    let (house, config) = before(gone.address, &good, &retry).await;
    let answer = house.ask_with(&[("x-portkey-config", &config)], &chat("Hi")).await;
    assert_eq!((answer.status, gone.calls(), good.calls()), (200, 2, 1));
}

#[tokio::test]
async fn one_whose_answer_is_no_json_is_passed_over() {
    let good = Upstream::plain().await;
    let broken =
        Upstream::start(
            |_, talk| async move { talk.whole(200, &[("content-type", "application/json")], "{\"choices\": [").await },
        )
        .await;
    let (house, config) = before(broken.address, &good, &json!({})).await;
    let answer = house.ask_with(&[("x-portkey-config", &config)], &chat("Hi")).await;
    assert_eq!((answer.status, answer.header("x-portkey-last-used-option-index")), (200, "config.targets[1]"));
}

#[tokio::test]
async fn one_that_asks_to_be_left_alone_for_too_long_is_left() {
    let good = Upstream::plain().await;
    let busy = Upstream::start(|_, talk| async move { talk.whole(429, &[("retry-after", "3600")], "{}").await }).await;
    let retry = json!({"retry": {"attempts": 5, "on_status_codes": [429], "use_retry_after_header": true}});
    let (house, config) = before(busy.address, &good, &retry).await;
    falls_back(&house, &config).await;
    assert_eq!(busy.calls(), 2, "once for each request");
    let mut alone = retry;
    alone["virtual_key"] = json!("bad");
    let answer = house.ask_with(&[("x-portkey-config", &header(&alone))], &chat("Hi")).await;
    assert_eq!((answer.status, answer.header("x-portkey-retry-attempt-count")), (429, "-1"));
}

#[tokio::test]
async fn one_whose_name_is_nobodys_and_one_without_tls_are_passed_over() {
    let good = Upstream::plain().await;
    let more = format!(
        "virtual_keys:\n  nobody: {{ provider: openai, url: 'https://nobody.invalid/v1', api_key: k }}\n\
         \x20 plain: {{ provider: openai, url: 'https://{0}/v1', api_key: k }}\n  good: {{ provider: openai, url: 'http://{0}/v1', api_key: k }}\n",
        good.address
    );
    let house = House::from(config_and(good.address, &more)).await;
    for bad in ["nobody", "plain"] {
        let config = json!({"strategy": {"mode": "fallback"}, "targets": [{"virtual_key": bad}, {"virtual_key": "good"}]});
        falls_back(&house, &header(&config)).await;
    }
}

#[tokio::test]
async fn what_has_begun_to_be_told_is_not_told_again_by_another() {
    let cut = Upstream::start(|_, mut talk| async move {
        talk.stream().await;
        talk.event(&delta("Hello")).await;
        None
    })
    .await;
    let good = Upstream::plain().await;
    let house = house(&[&cut, &good], "").await;
    let config = header(&json!({"strategy": {"mode": "fallback"}, "targets": [{"virtual_key": "up0"}, {"virtual_key": "up1"}]}));
    let mut client = house.client().await;
    let asking = client.post(crate::CHAT).headers(&[("x-portkey-config", &config)]);
    let mut stream = asking.json(&streamed("Hi")).open().await;
    assert_eq!(stream.event().await, Some(delta("Hello")));
    let last: Value = serde_json::from_str(&stream.event().await.unwrap()).unwrap();
    assert_eq!(last["error"]["code"], "upstream_reset");
    assert_eq!(good.calls(), 0);
}
