//! Where requests go: configs from headers and names, virtual keys, routes, and what the client is told of it.

use std::fs;

use serde_json::{Value, json};

use crate::{CHAT, House, Upstream, chat, house::config_and, streamed};

const CONFIG: &str = "x-portkey-config";
const OPTION: &str = "x-portkey-last-used-option-index";

/// Lockgate before some upstreams: the first is that of plain requests, and each is the virtual key `up0`, `up1`, … with a key of its own.
pub(crate) async fn house(upstreams: &[&Upstream], more: &str) -> House {
    let keys = upstreams.iter().enumerate().map(|(n, upstream)| {
        format!("  up{n}: {{ provider: openai, url: 'http://{}/v1', api_key: sk-of-{n} }}\n", upstream.address)
    });
    let text = format!("virtual_keys:\n{}{more}", keys.collect::<String>());
    House::from(config_and(upstreams[0].address, &text)).await
}

pub(crate) fn header(config: &Value) -> String {
    config.to_string()
}

async fn failing(status: u16) -> Upstream {
    Upstream::start(move |_, talk| async move {
        let body = json!({"error": {"message": "no", "type": "t", "code": null}}).to_string();
        talk.whole(status, &[("content-type", "application/json")], body).await
    })
    .await
}

#[tokio::test]
async fn a_virtual_key_leads_to_its_provider_with_its_own_credential() {
    let (one, other) = (Upstream::plain().await, Upstream::plain().await);
    let house = house(&[&one, &other], "").await;
    for headers in [
        &[("x-portkey-virtual-key", "up1"), ("authorization", "Bearer sk-mine")][..],
        &[("x-portkey-provider", "@up1"), ("x-api-key", "sk-mine")],
        &[(CONFIG, r#"{"virtualKey": "up1"}"#)],
        &[(CONFIG, r#"{"provider": "@up1"}"#)],
    ] {
        let calls = other.calls();
        let answer = house.ask_with(headers, &chat(&format!("{headers:?}"))).await;
        assert_eq!((answer.status, other.calls()), (200, calls + 1), "{headers:?}");
        assert_eq!(other.last().header("authorization"), "Bearer sk-of-1");
        assert!(!other.last().has("x-api-key"), "the client's own credential is nobody's business there");
        assert_eq!(answer.header("x-portkey-provider"), "openai");
    }
    assert_eq!(one.calls(), 0);
}

#[tokio::test]
async fn a_model_may_name_its_virtual_key() {
    let (one, other) = (Upstream::plain().await, Upstream::plain().await);
    let house = house(&[&one, &other], "").await;
    let mut request = chat("Hi");
    request["model"] = json!("@up1/gpt-4o");
    assert_eq!(house.ask(&request).await.status, 200);
    assert_eq!(other.asked()[0].json()["model"], "gpt-4o");
}

#[tokio::test]
async fn a_fallback_answers_from_the_first_target_that_does() {
    for status in [429, 500, 503, 404] {
        let (bad, good) = (failing(status).await, Upstream::plain().await);
        let house = house(&[&bad, &good], "").await;
        let config = header(&json!({"strategy": {"mode": "fallback"}, "targets": [
            {"virtual_key": "up0"}, {"virtual_key": "up1", "override_params": {"model": "gpt-other"}}]}));
        for request in [chat("Hi"), streamed("Hi")] {
            let answer = house.ask_with(&[(CONFIG, &config)], &request).await;
            assert_eq!((answer.status, answer.header(OPTION)), (200, "config.targets[1]"), "{status}");
            assert_eq!(good.asked().last().unwrap().json()["model"], "gpt-other");
        }
        assert_eq!((bad.calls(), good.calls()), (2, 2));
    }
}

#[tokio::test]
async fn a_fallback_for_some_codes_stops_at_the_others() {
    let (bad, good) = (failing(401).await, Upstream::plain().await);
    let house = house(&[&bad, &good], "").await;
    let config = header(&json!({"strategy": {"mode": "fallback", "on_status_codes": [429, 503]},
        "targets": [{"virtual_key": "up0"}, {"virtual_key": "up1"}]}));
    let answer = house.ask_with(&[(CONFIG, &config)], &chat("Hi")).await;
    assert_eq!((answer.status, answer.header(OPTION), good.calls()), (401, "config.targets[0]", 0));
    assert_eq!(answer.json()["error"]["message"], "no", "in the provider's own words");
}

#[tokio::test]
async fn when_all_targets_fail_the_last_failure_is_told() {
    let (bad, worse) = (failing(500).await, failing(503).await);
    let house = house(&[&bad, &worse], "").await;
    let config = header(&json!({"strategy": {"mode": "fallback"}, "targets": [{"virtual_key": "up0"}, {"virtual_key": "up1"}]}));
    let answer = house.ask_with(&[(CONFIG, &config)], &chat("Hi")).await;
    assert_eq!((answer.status, answer.header(OPTION)), (503, "config.targets[1]"));
}

#[tokio::test]
async fn a_target_is_asked_again_as_often_as_its_policy_says() {
    let upstream = Upstream::start(|asked, talk| async move {
        if asked.number % 3 == 0 {
            return talk.answer(&asked, "At last").await;
        }
        talk.whole(429, &[("content-type", "application/json"), ("retry-after-ms", "1")], "{}").await
    })
    .await;
    let house = house(&[&upstream], "").await;
    let retry = |attempts: u32| {
        header(
            &json!({"virtual_key": "up0", "retry": {"attempts": attempts, "on_status_codes": [429], "use_retry_after_header": true}}),
        )
    };
    let answer = house.ask_with(&[(CONFIG, &retry(3))], &chat("Hi")).await;
    assert_eq!((answer.status, answer.header("x-portkey-retry-attempt-count"), upstream.calls()), (200, "2", 3));
    let answer = house.ask_with(&[(CONFIG, &retry(1))], &chat("Again")).await;
    assert_eq!((answer.status, answer.header("x-portkey-retry-attempt-count"), upstream.calls()), (429, "1", 5));
}

#[tokio::test]
async fn conditions_choose_by_metadata_and_by_model() {
    let (cheap, dear) = (Upstream::plain().await, Upstream::plain().await);
    let house = house(&[&cheap, &dear], "").await;
    let config = header(&json!({"cache": "simple", "strategy": {"mode": "conditional", "default": "up0",
        "conditions": [{"query": {"metadata.plan": "paid"}, "then": "up1"}, {"query": {"model": "gpt-dear"}, "then": "up1"}]}}));
    let paid = house.ask_with(&[(CONFIG, &config), ("x-portkey-metadata", r#"{"plan": "paid"}"#)], &chat("Hi")).await;
    let free = house.ask_with(&[(CONFIG, &config)], &chat("Hi")).await;
    assert_eq!((paid.status, free.status), (200, 200));
    assert_eq!((cheap.calls(), dear.calls()), (1, 1), "what one branch answered is not served to the other");
    let mut request = chat("Hi");
    request["model"] = json!("gpt-dear");
    house.ask_with(&[(CONFIG, &config)], &request).await;
    assert_eq!((cheap.calls(), dear.calls()), (1, 2));
}

#[tokio::test]
async fn a_config_gets_the_cache_that_it_names_and_no_other() {
    let upstream = Upstream::plain().await;
    let house = house(&[&upstream], "").await;
    let twice = async |config: Value| {
        let request = chat(&config.to_string());
        let config = header(&config);
        let first = house.ask_with(&[(CONFIG, &config)], &request).await.cache().to_owned();
        (first, house.ask_with(&[(CONFIG, &config)], &request).await.cache().to_owned())
    };
    let pair = |one: &str, other: &str| (one.to_owned(), other.to_owned());
    assert_eq!(twice(json!({"virtual_key": "up0"})).await, pair("DISABLED", "DISABLED"));
    assert_eq!(twice(json!({"virtual_key": "up0", "cache": {"mode": "simple", "max_age": 60}})).await, pair("MISS", "HIT"));
    assert_eq!(twice(json!({"virtual_key": "up0", "cache": {"mode": "semantic"}})).await, pair("SEMANTIC MISS", "HIT"));
    assert_eq!(twice(json!({"virtual_key": "up0", "cache": {"mode": "simple", "max_age": 0}})).await, pair("MISS", "MISS"));
}

#[tokio::test]
async fn a_config_of_a_client_cannot_loosen_the_threshold_and_is_told_so() {
    let upstream = Upstream::plain().await;
    let house = house(&[&upstream], "").await;
    let threshold = async |threshold: f64| {
        let config = header(&json!({"virtual_key": "up0", "cache": {"mode": "semantic", "similarity_threshold": threshold}}));
        house.ask_with(&[(CONFIG, &config)], &chat("Hi")).await.header("x-lockgate-threshold").to_owned()
    };
    assert_eq!(threshold(0.99).await, "");
    assert!(threshold(0.6).await.parse::<f64>().unwrap() > 0.9);
}

#[tokio::test]
async fn a_config_has_a_name_a_route_and_a_key_that_follow_it() {
    let (one, other) = (Upstream::plain().await, Upstream::plain().await);
    let more = "configs:\n  pc-other: { virtual_key: up1 }\nroutes:\n  premium: { config: pc-other }\n";
    let house = house(&[&one, &other], more).await;
    assert_eq!(house.ask_with(&[(CONFIG, "pc-other")], &chat("Hi")).await.status, 200);
    assert_eq!((one.calls(), other.calls()), (0, 1));
    let by_route = house.client().await.post(&format!("/premium{CHAT}")).json(&chat("Hello")).send().await;
    assert_eq!((by_route.status, one.calls(), other.calls()), (200, 0, 2));
    assert_eq!(house.client().await.get("/premium/v1/models").send().await.status, 200);
    assert_eq!(other.last().header("authorization"), "Bearer sk-of-1");
    house.ask(&chat("Hello")).await;
    assert_eq!(one.calls(), 1);
    house.ask_with(&[(CONFIG, "pc-none")], &chat("Hi")).await.is_error(400, "invalid_config", &["pc-none", "configs"]);
}

#[tokio::test]
async fn a_client_key_uses_the_virtual_keys_that_it_was_granted() {
    let (one, other) = (Upstream::plain().await, Upstream::plain().await);
    let more = "configs:\n  both: { strategy: { mode: fallback }, targets: [{ virtual_key: up0 }, { virtual_key: up1 }] }\n\
                access:\n  client_keys:\n\
                \x20   - { name: some, key: some-some-some-some-some, virtual_keys: [up0] }\n\
                \x20   - { name: all, key: all-all-all-all-all-all-all }\n\
                \x20   - { name: led, key: led-led-led-led-led-led-led, virtual_keys: [], config: both }\n";
    let house = house(&[&one, &other], more).await;
    let ask = async |key: &str, headers: &[(&str, &str)]| {
        let bearer = format!("Bearer {key}");
        house.ask_with(&[&[("authorization", bearer.as_str())], headers].concat(), &chat("Hi")).await
    };
    let up1 = [("x-portkey-virtual-key", "up1")];
    ask("some-some-some-some-some", &up1).await.is_error(403, "forbidden", &["up1", "access.client_keys"]);
    ask("some-some-some-some-some", &[(CONFIG, "both")]).await.is_error(403, "forbidden", &["up1"]);
    assert_eq!(ask("some-some-some-some-some", &[("x-portkey-virtual-key", "up0")]).await.status, 200);
    assert_eq!(ask("all-all-all-all-all-all-all", &up1).await.status, 200);
    let led = ask("led-led-led-led-led-led-led", &[]).await;
    assert_eq!((led.status, led.header(OPTION)), (200, "config.targets[0]"), "the operator's own config is granted");
    assert!(
        one.asked().iter().chain(&other.asked()).all(|asked| asked.request.header("authorization").starts_with("Bearer sk-of-"))
    );
}

#[tokio::test]
async fn a_virtual_key_is_for_its_models_alone() {
    let upstream = Upstream::plain().await;
    let more =
        format!("  small: {{ provider: openai, url: 'http://{}/v1', api_key: k, models: [gpt-small*] }}\n", upstream.address);
    let house = house(&[&upstream], &more).await;
    let by_small = [("x-portkey-virtual-key", "small")];
    house.ask_with(&by_small, &chat("Hi")).await.is_error(403, "forbidden", &["small", "models"]);
    let mut request = chat("Hi");
    request["model"] = json!("gpt-small-1");
    assert_eq!(house.ask_with(&by_small, &request).await.status, 200);
    assert_eq!(upstream.calls(), 1);
}

#[tokio::test]
async fn a_key_in_a_file_is_rotated_without_a_restart() {
    let upstream = Upstream::plain().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("key");
    fs::write(&file, "sk-first\n").unwrap();
    let more =
        format!("  filed: {{ provider: openai, url: 'http://{}/v1', api_key_file: '{}' }}\n", upstream.address, file.display());
    let house = house(&[&upstream], &more).await;
    let asked_with = async |text: String| {
        house.ask_with(&[("x-portkey-virtual-key", "filed")], &chat(&text)).await;
        upstream.last().header("authorization")
    };
    assert_eq!(asked_with("First".to_owned()).await, "Bearer sk-first");
    let written = file.metadata().unwrap().modified().unwrap();
    fs::write(&file, "sk-second").unwrap();
    fs::File::open(&file).unwrap().set_modified(written + std::time::Duration::from_secs(2)).unwrap();
    let mut n = 0;
    crate::patient(async {
        while asked_with(format!("Then {n}")).await != "Bearer sk-second" {
            n += 1;
        }
    })
    .await;
}

#[tokio::test]
async fn headers_go_on_that_a_config_wants_forwarded() {
    let upstream = Upstream::plain().await;
    let house = house(&[&upstream], "").await;
    let headers =
        [("x-portkey-forward-headers", "x-portkey-trace-id, x-api-key"), ("x-portkey-trace-id", "t-1"), ("x-api-key", "mine")];
    let headers = [&headers[..], &[("x-portkey-virtual-key", "up0")]].concat();
    house.ask_with(&headers, &chat("Hi")).await;
    assert_eq!(upstream.last().header("x-portkey-trace-id"), "t-1");
    assert_eq!(upstream.last().header("x-api-key"), "mine");
    assert!(!upstream.last().has("x-portkey-virtual-key"));
}

#[tokio::test]
async fn another_host_is_called_without_the_operators_keys() {
    let (own, named) = (Upstream::plain().await, Upstream::plain().await);
    let house = house(&[&own], "").await;
    let host = format!("http://{}/v1", named.address);
    let headers = [("x-portkey-custom-host", host.as_str()), ("x-portkey-provider", "openai"), ("authorization", "Bearer mine")];
    assert_eq!(house.ask_with(&headers, &chat("Hi")).await.status, 200);
    assert_eq!(named.last().header("authorization"), "Bearer mine");
    let with_key = [("x-portkey-custom-host", host.as_str()), ("x-portkey-virtual-key", "up0")];
    house.ask_with(&with_key, &chat("Hi")).await.is_error(400, "invalid_config", &["up0", "custom_host"]);
    assert_eq!(named.calls(), 1);
}

#[tokio::test]
async fn a_config_that_cannot_be_followed_is_criticised_at_its_place() {
    let upstream = Upstream::plain().await;
    let house = house(&[&upstream], "").await;
    for (config, words) in [
        ("{", &["valid json"][..]),
        (r#"{"targets": [{"virtual_key": "nobody"}]}"#, &["targets[0]", "nobody"]),
        (r#"{"strategy": {"mode": "maybe"}, "targets": [{}]}"#, &["strategy.mode", "fallback"]),
        (r#"{"virtual_key": "up0", "retry": {}}"#, &["retry", "attempts"]),
        (r#"{"virtual_key": "up0", "override_params": {"messages": []}}"#, &["override_params.messages", "guardrails"]),
        (
            r#"{"strategy": {"mode": "conditional", "conditions": [{"query": {"plan": 1}, "then": "up0"}]}}"#,
            &["query.plan", "metadata."],
        ),
    ] {
        let answer = house.ask_with(&[(CONFIG, config)], &chat("Hi")).await;
        answer.is_error(400, "invalid_config", words);
        assert_eq!(answer.json()["status"], "failure", "in the shape of Portkey's own");
        assert_eq!(answer.header("x-portkey-gateway-exception"), "true");
    }
    assert_eq!(upstream.calls(), 0);
}
