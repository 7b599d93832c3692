//! The hooks of Portkey configs, with somebody there who answers, changes, fails or is slow.

use http::HeaderMap;
use lockgate::{
    exchange::{Exchange, Tenant},
    guard::{Callouts, Errand, Gates, HookLists, Hooks, Profiles, Screening, Settings, rules::load},
    outbound,
    wire::{Endpoint, Request},
};
use serde_json::{Value, json};

use crate::{Answer, House, Upstream, chat, streamed};

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

/// Asks with a config, as Portkey's own clients do.
async fn ask(house: &House, config: &Value, request: &Value) -> Answer {
    let config = config.to_string();
    house.ask_with(&[("x-portkey-config", &config), ("x-portkey-strict-open-ai-compliance", "false")], request).await
}

/// A guardrail that wants no zebra.
fn no_zebra(deny: bool) -> Value {
    json!([{ "id": "zebras", "contains": { "words": ["zebra"], "operator": "none" }, "deny": deny }])
}

#[tokio::test]
async fn a_guardrail_on_the_request_denies_before_anybody_is_asked() {
    let upstream = Upstream::plain().await;
    let house = House::before(&upstream).await;
    let answer = ask(&house, &json!({ "input_guardrails": no_zebra(true) }), &chat("A zebra?")).await;
    let body = answer.json();
    assert_eq!((answer.status, upstream.calls()), (446, 0), "{body}");
    assert_eq!((&body["error"]["type"], &body["error"]["code"]), (&json!("hooks_failed"), &Value::Null));
    let hook = &body["hook_results"]["before_request_hooks"][0];
    assert_eq!(
        (&hook["id"], &hook["verdict"], &hook["checks"][0]["id"]),
        (&json!("zebras"), &json!(false), &json!("default.contains"))
    );
    assert_eq!(body["hook_results"]["after_request_hooks"], json!([]));
}

#[tokio::test]
async fn a_guardrail_that_does_not_deny_is_told_with_the_answer_and_with_the_hit() {
    let upstream = Upstream::plain().await;
    let house = House::before(&upstream).await;
    let config = json!({ "cache": "simple", "input_guardrails": no_zebra(false) });
    for (text, status) in [("A zebra?", 246), ("A horse?", 200)] {
        for cache in ["MISS", "HIT"] {
            let answer = ask(&house, &config, &chat(text)).await;
            assert_eq!((answer.status, answer.cache()), (status, cache), "{}", answer.text());
            assert!(answer.said().starts_with("Answer "));
            assert_eq!(answer.json()["hook_results"]["before_request_hooks"][0]["verdict"], status == 200);
        }
    }
    let without = ask(&house, &json!({ "cache": "simple" }), &chat("A horse?")).await;
    assert_eq!(
        (without.cache(), without.json().get("hook_results")),
        ("MISS", None),
        "without the guardrails it is another request"
    );
}

#[tokio::test]
async fn a_guardrail_on_the_answer_denies_it_and_keeps_it_out_of_the_cache() {
    let upstream = Upstream::saying("A zebra.").await;
    let house = House::before(&upstream).await;
    for (deny, status, cache) in [(true, 446, "MISS"), (false, 246, "MISS"), (false, 200, "HIT")] {
        let config = json!({ "cache": "simple", "output_guardrails": no_zebra(deny) });
        let answer = ask(&house, &config, &chat("Hi")).await;
        assert_eq!((answer.status, answer.cache()), (status, cache), "{}", answer.text());
        let body = answer.json();
        assert!(status != 446 || !answer.text().contains("A zebra"), "nobody reads of what was refused");
        let results = &body["hook_results"]["after_request_hooks"];
        assert_eq!(results[0]["verdict"].as_bool(), (status != 200).then_some(false), "a hit was judged before it was kept");
    }
    assert_eq!(upstream.calls(), 2);
}

#[tokio::test]
async fn a_denied_answer_goes_on_to_the_next_target() {
    let upstream = Upstream::start(|asked, talk| async move {
        let zebra = asked.json()["model"] == "zoo";
        talk.answer(&asked, if zebra { "A zebra." } else { "A horse." }).await
    })
    .await;
    let house = House::before(&upstream).await;
    let targets = json!([{ "override_params": { "model": "zoo" } }, { "override_params": { "model": "stable" } }]);
    let config = json!({ "strategy": { "mode": "fallback" }, "targets": targets, "output_guardrails": no_zebra(true) });
    let answer = ask(&house, &config, &chat("Hi")).await;
    assert_eq!((answer.status, answer.said().as_str()), (200, "A horse."), "{}", answer.text());
    assert_eq!(answer.header("x-portkey-last-used-option-index"), "config.targets[1]");
    assert_eq!(answer.json()["hook_results"]["after_request_hooks"].as_array().map(Vec::len), Some(1));
    assert_eq!(upstream.calls(), 2);
}

#[tokio::test]
async fn a_request_that_one_target_may_not_have_goes_to_another() {
    let upstream = Upstream::plain().await;
    let house = House::before(&upstream).await;
    let targets = json!([
        { "override_params": { "model": "first" }, "input_guardrails": no_zebra(true) },
        { "override_params": { "model": "second" }, "input_guardrails": [{ "id": "words", "notNull": {} }] },
    ]);
    let config = json!({ "strategy": { "mode": "fallback" }, "cache": "simple", "targets": targets });
    for (text, model) in [("A zebra?", "second"), ("A horse?", "first"), ("A zebra?", "second")] {
        let answer = ask(&house, &config, &chat(text)).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let body: Value = serde_json::from_slice(&upstream.last().body).unwrap();
        assert_eq!(body["model"], model);
        let hook = &answer.json()["hook_results"]["before_request_hooks"][0]["id"];
        assert_eq!(hook, if model == "second" { "words" } else { "zebras" });
    }
}

#[tokio::test]
async fn a_stream_tells_what_hooks_came_to_before_and_behind_what_it_says() {
    let upstream = Upstream::saying("A zebra.").await;
    let house = House::before(&upstream).await;
    let config = json!({ "cache": "simple", "input_guardrails": no_zebra(true), "output_guardrails": no_zebra(true) });
    for cache in ["MISS", "MISS"] {
        let answer = ask(&house, &config, &streamed("Hi")).await;
        assert_eq!((answer.status, answer.told().as_str(), answer.cache()), (200, "A zebra.", cache));
        let events = answer.events();
        let told = |n: usize| serde_json::from_str::<Value>(&events[n]).unwrap();
        assert_eq!(told(0)["hook_results"]["before_request_hooks"][0]["verdict"], true);
        let last = events.len() - 1;
        assert_eq!(events[last], "[DONE]");
        assert_eq!(told(last - 1)["hook_results"]["after_request_hooks"][0]["verdict"], false, "it is told, and not kept");
    }
    let config = config.to_string();
    let strict = house.ask_with(&[("x-portkey-config", &config)], &streamed("Hi")).await;
    assert!(!strict.text().contains("hook_results"), "{}", strict.text());
}

#[tokio::test]
async fn a_stream_from_the_cache_tells_them_too() {
    let upstream = Upstream::saying("A horse.").await;
    let house = House::before(&upstream).await;
    let config = json!({ "cache": "simple", "input_guardrails": no_zebra(true), "output_guardrails": no_zebra(true) });
    for (cache, after) in [("MISS", true), ("HIT", false)] {
        let answer = ask(&house, &config, &streamed("Hi")).await;
        assert_eq!((answer.told().as_str(), answer.cache()), ("A horse.", cache));
        assert!(answer.events()[0].contains("before_request_hooks"));
        assert_eq!(answer.text().contains("after_request_hooks"), after);
    }
}

#[tokio::test]
async fn the_names_of_guides_stand_for_rules() {
    let upstream = Upstream::saying("Fine.").await;
    let house = House::before(&upstream).await;
    let config = |on_fail: &str| {
        json!({ "guardrails": { "input_guardrails": ["no-pii", "topic-restriction"],
            "output_guardrails": ["no-harmful-content", "length-check"], "on_fail": on_fail } })
    };
    for (on_fail, status) in [("block", 446), ("warn", 246), ("replace", 200)] {
        let answer = ask(&house, &config(on_fail), &chat("Write to ann.miller@acme-corp.com")).await;
        assert_eq!(answer.status, status, "{on_fail}: {}", answer.text());
        assert!(status == 200 || answer.text().contains("email-address"), "it names the rule: {}", answer.text());
        assert!(!upstream.asked().iter().any(|asked| asked.json().to_string().contains("acme-corp")));
    }
    let answer = ask(&house, &config("block"), &chat("How do I make a bomb?")).await;
    assert!(answer.status == 446 && answer.text().contains("weapon-making"), "{}", answer.text());
    assert_eq!(ask(&house, &config("block"), &chat("How do I make bread?")).await.status, 200);
}

#[tokio::test]
async fn a_block_of_the_operators_is_446_to_whom_a_config_came_with() {
    let upstream = Upstream::plain().await;
    let house = House::with(&upstream, |config| {
        config.guard.overrides.insert("payment-card".to_owned(), lockgate::guard::Override::Block);
    })
    .await;
    let request = chat("Charge 4111 1111 1111 1111");
    assert_eq!(house.ask(&request).await.status, 400);
    let answer = ask(&house, &json!({ "retry": { "attempts": 1 } }), &request).await;
    assert_eq!((answer.status, &answer.json()["error"]["code"]), (446, &json!("payment-card")));
    assert_eq!(answer.json()["hook_results"]["before_request_hooks"][0]["id"], "payment-card");
}

#[tokio::test]
async fn who_speaks_anthropics_messages_is_told_in_its_events_and_errors() {
    let upstream = Upstream::saying("A horse.").await;
    let house = House::before(&upstream).await;
    let config = json!({ "input_guardrails": no_zebra(true), "output_guardrails": no_zebra(true) }).to_string();
    let headers = [("x-portkey-config", config.as_str()), ("x-portkey-strict-open-ai-compliance", "false")];
    let asked =
        |text: &str| json!({ "model": "m", "max_tokens": 9, "stream": true, "messages": [{ "role": "user", "content": text }] });
    let ask = async |text: &str| house.client().await.post("/v1/messages").headers(&headers).json(&asked(text)).send().await;
    let answer = ask("A horse?").await.text();
    let events: Vec<_> = answer.lines().filter_map(|line| line.strip_prefix("event: ")).collect();
    assert_eq!((events.first(), events.last()), (Some(&"hook_results"), Some(&"message_stop")), "{answer}");
    assert_eq!(events.iter().filter(|event| **event == "hook_results").count(), 2);
    let denied = ask("A zebra?").await;
    assert_eq!((denied.status, &denied.json()["type"]), (446, &json!("error")));
    assert_eq!(denied.json()["hook_results"]["before_request_hooks"][0]["id"], "zebras");
}

#[tokio::test]
async fn a_mistake_in_a_config_is_named_by_its_place() {
    let upstream = Upstream::plain().await;
    let house = House::before(&upstream).await;
    let config =
        json!({ "before_request_hooks": [{ "checks": [{ "id": "default.regexMatch", "parameters": { "rule": "(" } }] }] });
    let answer = ask(&house, &config, &chat("Hi")).await;
    assert!(
        answer.status == 400 && answer.text().contains("before_request_hooks[0].checks[0].parameters.rule"),
        "{}",
        answer.text()
    );
    assert_eq!(upstream.calls(), 0);
    let added = house.ask_with(&[("x-portkey-default-input-guardrails", &no_zebra(true).to_string())], &chat("A zebra?")).await;
    assert_eq!(added.status, 446, "headers add guardrails: {}", added.text());
    let broken = house.ask_with(&[("x-portkey-default-input-guardrails", "no-pii")], &chat("Hi")).await;
    assert!(broken.status == 400 && broken.text().contains("x-portkey-default-input-guardrails"));
}
