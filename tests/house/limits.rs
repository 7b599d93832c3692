//! How much a caller may have: requests, tokens and money, and what the client is told of it.

use serde_json::json;

use crate::{Upstream, chat, patient, router::house, streamed};

const KEY: &str = "app-app-app-app-app-app";
const BEARER: (&str, &str) = ("authorization", "Bearer app-app-app-app-app-app");

fn key(limits: &str) -> String {
    format!("access:\n  client_keys:\n    - {{ name: app, key: {KEY}, limits: {limits} }}\n")
}

#[tokio::test]
async fn a_client_key_has_so_many_requests_and_is_told_what_is_left() {
    let upstream = Upstream::plain().await;
    let house = house(&[&upstream], &key("[2 requests/day]")).await;
    let first = house.ask_with(&[BEARER], &chat("One")).await;
    assert_eq!(
        (first.status, first.header("x-ratelimit-limit-requests"), first.header("x-ratelimit-remaining-requests")),
        (200, "2", "1")
    );
    assert_eq!(house.ask_with(&[BEARER], &chat("Two")).await.status, 200);
    let third = house.ask_with(&[BEARER], &chat("Three")).await;
    third.is_error(429, "rate_limit_exceeded", &["client key `app`", "2 requests/day", "Try again in"]);
    assert!(third.header("retry-after").parse::<u64>().unwrap() > 0);
    assert_eq!(upstream.calls(), 2);
}

#[tokio::test]
async fn tokens_are_counted_as_the_provider_says_and_answers_from_the_cache_cost_none() {
    let upstream = Upstream::plain().await;
    let house = house(&[&upstream], &key("[5 tokens/day]")).await;
    let first = house.ask_with(&[BEARER], &chat("Hi")).await;
    assert_eq!(first.header("x-lockgate-tokens"), "1 + 2; reported");
    for _ in 0..3 {
        assert_eq!(house.ask_with(&[BEARER], &chat("Hi")).await.cache(), "HIT");
    }
    assert_eq!(house.ask_with(&[BEARER], &chat("Ho")).await.status, 200);
    house.ask_with(&[BEARER], &chat("Ha")).await.is_error(429, "rate_limit_exceeded", &["5 tokens/day"]);
    assert_eq!(house.ask_with(&[BEARER], &chat("Hi")).await.cache(), "HIT", "what costs nothing is still given");
}

#[tokio::test]
async fn a_budget_is_spent_by_streams_too_and_then_it_is_412() {
    let upstream = Upstream::plain().await;
    let more = format!("{}prices: {{ 'gpt-*': {{ prompt: 1000000, completion: 1000000 }} }}\n", key("[4 usd/month]"));
    let house = house(&[&upstream], &more).await;
    let streamed = house.ask_with(&[BEARER], &streamed("Hi")).await;
    assert_eq!(streamed.status, 200);
    // A stream is paid for when it has ended; nobody waits for that but the next request.
    patient(async {
        let mut n = 0;
        while house.ask_with(&[BEARER], &chat(&format!("Then {n}"))).await.status == 200 {
            n += 1;
        }
    })
    .await;
    let refused = house.ask_with(&[BEARER], &chat("Anything")).await;
    refused.is_error(412, "budget_exceeded", &["client key `app`", "4 usd/month"]);
}

#[tokio::test]
async fn a_virtual_key_that_has_had_enough_makes_way_for_the_next_target() {
    let (small, large) = (Upstream::plain().await, Upstream::plain().await);
    let more = format!(
        "  small: {{ provider: openai, url: 'http://{}/v1', api_key: k, limits: [1 requests/day] }}\n  large: {{ provider: openai, url: 'http://{}/v1', api_key: k }}\n",
        small.address, large.address
    );
    let house = house(&[&small], &more).await;
    let config =
        json!({"strategy": {"mode": "fallback"}, "targets": [{"virtual_key": "small"}, {"virtual_key": "large"}]}).to_string();
    for n in 0..3 {
        assert_eq!(house.ask_with(&[("x-portkey-config", &config)], &chat(&n.to_string())).await.status, 200);
    }
    assert_eq!((small.calls(), large.calls()), (1, 2));
    let alone = house.ask_with(&[("x-portkey-virtual-key", "small")], &chat("Hi")).await;
    alone.is_error(429, "rate_limit_exceeded", &["virtual key `small`"]);
}

#[tokio::test]
async fn users_have_limits_of_their_own() {
    let upstream = Upstream::plain().await;
    let house = house(&[&upstream], "access: { limits: [{ by: user, limits: [1 requests/day] }] }\n").await;
    let ask = async |user: &str| {
        let metadata = json!({"_user": user}).to_string();
        house.ask_with(&[("x-portkey-metadata", &metadata)], &chat("Hi")).await.status
    };
    assert_eq!([ask("ann").await, ask("ann").await, ask("bob").await], [200, 429, 200]);
}

#[tokio::test]
async fn what_an_answer_cost_is_in_its_headers() {
    let upstream = Upstream::plain().await;
    let house = house(&[&upstream], "prices: { gpt-test: { prompt: 10, completion: 20 } }\n").await;
    let fresh = house.ask(&chat("Hi")).await;
    assert_eq!(fresh.header("x-lockgate-cost"), "0.00005000");
    let again = house.ask(&chat("Hi")).await;
    assert_eq!((again.cache(), again.header("x-lockgate-cost"), again.header("x-lockgate-tokens")), ("HIT", "0", ""));
}

#[tokio::test]
async fn what_was_used_is_remembered_after_a_restart() {
    let upstream = Upstream::plain().await;
    let folder = tempfile::tempdir().unwrap();
    let start = async || {
        let mut config = crate::house::config_and(upstream.address, &key("[2 requests/month]"));
        config.store.as_mut().unwrap().path = Some(folder.path().join("cache.db"));
        crate::House::from(config).await
    };
    let first = start().await;
    assert_eq!(first.ask_with(&[BEARER], &chat("One")).await.status, 200);
    assert_eq!(first.ask_with(&[BEARER], &chat("Two")).await.status, 200);
    first.stopped().await;
    assert_eq!(start().await.ask_with(&[BEARER], &chat("Three")).await.status, 429);
}
