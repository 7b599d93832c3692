//! The hooks of Portkey configs, with somebody there who answers, changes, fails or is slow.

use http::HeaderMap;
use lockgate::{
    exchange::{Exchange, Tenant},
    guard::{Callouts, Errand, Gates, HookLists, Hooks, Profiles, Screening, Settings, rules::load},
    outbound,
    wire::{Endpoint, Request},
};
use serde_json::{Value, json};

use crate::{Upstream, chat};

/// A request through the gate and the hooks of a config; `None` if they refuse it.
async fn passed(config: &Value, text: &str) -> (Option<String>, Exchange) {
    let pack = load(&Settings { builtin: true, directory: None, overrides: Default::default() }).unwrap();
    let lists = HookLists::of(config.as_object().unwrap());
    let hooks = Hooks::compile(&lists, &pack, &Profiles::default()).unwrap_or_else(|problem| panic!("{problem}"));
    let (gate, mut exchange) = (Gates::of(&pack).input, Exchange::new("t".to_owned(), Tenant([0; 16])));
    let request = Request::decode(Endpoint::Chat, chat(text).to_string().into()).unwrap();
    let screening = gate.screen(request, &mut exchange).unwrap();
    let client = outbound::Client::new(&outbound::Settings {
        connect_timeout: std::time::Duration::from_secs(5),
        allow_private: false,
        allow_loopback: true,
        max_idle: 1,
    });
    let (callouts, headers) = (Callouts::new(client), HeaderMap::new());
    let errand = Errand { callouts: &callouts, headers: &headers };
    match hooks.before(&gate, screening, errand, &mut exchange).await.unwrap() {
        Screening::Passed(screened) => (Some(screened.request().texts().last().unwrap().text.to_string()), exchange),
        Screening::Blocked(_) => (None, exchange),
    }
}

/// A webhook that always says the same.
async fn saying(said: Value) -> Upstream {
    Upstream::start(move |_, talk| {
        let said = said.clone();
        async move { talk.json(&said).await }
    })
    .await
}

fn webhook(webhook: &Upstream) -> Value {
    json!({ "id": "default.webhook", "parameters": { "webhookURL": format!("http://{}/check", webhook.address), "timeout": 60_000 } })
}

fn hook(checks: &[Value], more: &Value) -> Value {
    let mut hook = json!({ "id": "ask", "checks": checks });
    hook.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    json!({ "before_request_hooks": [hook] })
}

#[tokio::test]
async fn a_webhook_of_a_config_judges_what_the_rules_have_left() {
    for (verdict, deny) in [(true, true), (false, true), (false, false)] {
        let guard = saying(json!({ "verdict": verdict })).await;
        let (passed, exchange) = passed(&hook(&[webhook(&guard)], &json!({ "deny": deny })), "Charge 4111 1111 1111 1111").await;
        assert_eq!(passed.is_some(), verdict || !deny);
        assert_eq!(exchange.hooks.passed(), verdict);
        assert_eq!(guard.asked()[0].json()["request"]["text"], "Charge {{PAYMENT_CARD_1}}");
    }
}

#[tokio::test]
async fn who_does_not_answer_passes_unless_the_config_says_otherwise() {
    let failing = Upstream::start(|_, talk| async move { talk.whole(500, &[], "oops").await }).await;
    let silent = Upstream::start(|_, mut talk| async move {
        talk.gone().await;
        None
    })
    .await;
    for (guard, name, timeout) in [(&failing, "Error", 60_000), (&silent, "TimeoutError", 100)] {
        for strict in [false, true] {
            let mut check = webhook(guard);
            check["parameters"]["failOnError"] = strict.into();
            check["parameters"]["timeout"] = timeout.into();
            let (passed, exchange) = passed(&hook(&[check], &json!({ "deny": true })), "Hi").await;
            assert_eq!(passed.is_none(), strict);
            let told = json!(exchange.hooks.before[0].checks[0]);
            assert_eq!((&told["error"]["name"], &told["verdict"], &told["data"]), (&json!(name), &json!(false), &Value::Null));
            assert_eq!(told["fail_on_error"], strict);
        }
    }
}

/// A webhook that adds to what it is asked about.
async fn adding(word: &'static str) -> Upstream {
    Upstream::start(move |asked, talk| async move {
        let mut body = asked.json()["request"]["json"].clone();
        let text = format!("{} {word}", body["messages"][0]["content"].as_str().unwrap());
        body["messages"][0]["content"] = text.into();
        talk.json(&json!({ "verdict": true, "transformedData": { "request": { "json": body } } })).await
    })
    .await
}

#[tokio::test]
async fn changes_of_webhooks_and_other_checks_add_up_and_are_judged_again() {
    let (one, two) = (adding("one").await, adding("5500-0055-5555-5559").await);
    let replace = json!({ "id": "regexReplace", "parameters": { "rule": "Hi", "redactText": "Hello" } });
    let config = hook(&[webhook(&one), replace, webhook(&two)], &json!({}));
    let (passed, exchange) = passed(&config, "Hi").await;
    assert_eq!(passed.as_deref(), Some("Hello one {{PAYMENT_CARD_1}}"), "a webhook brings in no card");
    let transformed: Vec<_> = exchange.hooks.before[0].checks.iter().map(|check| check.transformed).collect();
    assert_eq!((transformed, exchange.hooks.before[0].transformed), (vec![true; 3], true));
    assert_eq!(one.asked()[0].json()["request"]["text"], "Hello", "who is asked is asked about what the others made of it");
}

#[tokio::test]
async fn nobody_waits_for_an_asynchronous_hook_and_it_changes_nothing() {
    let guard = Upstream::start(|_, talk| async move {
        talk.cue().await;
        talk.json(&json!({ "verdict": false, "transformedData": { "request": { "json": {} } } })).await
    })
    .await;
    let (passed, exchange) = passed(&hook(&[webhook(&guard)], &json!({ "async": true, "deny": true })), "Hi").await;
    assert_eq!(passed.as_deref(), Some("Hi"));
    assert!(exchange.hooks.is_empty());
    guard.was_asked(1).await;
    guard.cue();
}

#[tokio::test]
async fn a_sequential_hook_asks_one_after_the_other() {
    let (one, two) = (adding("one").await, adding("two").await);
    let config = hook(&[webhook(&one), webhook(&two)], &json!({ "sequential": true }));
    assert_eq!(passed(&config, "Hi").await.0.as_deref(), Some("Hi one two"));
    assert_eq!((one.calls(), two.calls()), (1, 1), "nobody is asked twice");
}
