//! What follows from a match: how it is replaced, how it is refused, where it is looked for, and for whom.

use std::collections::BTreeMap;

use lockgate::{
    access::ClientKey,
    guard::{Mode, Profile},
};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

use crate::{Answer, CHAT, House, Upstream, chat, client::is_error, streamed};

/// A rule about zebras and one about horses, with these lines between what it is about and what it finds.
fn stable(zebra: &str, horse: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (word, lines) in [("zebra", zebra), ("horse", horse)].into_iter().filter(|(_, lines)| !lines.is_empty()) {
        let rule = format!(
            "summary: No {word}s\nwhy: A test.\nstage: input\n{lines}\nmatch: {{patterns: [{{regex: '{word}[0-9]*'}}]}}\n\
             examples: {{match: [A {word}.], pass: [A cow.]}}\n"
        );
        std::fs::create_dir_all(folder.path().join("animals")).unwrap();
        std::fs::write(folder.path().join(format!("animals/{word}.yaml")), rule).unwrap();
    }
    folder
}

async fn with(upstream: &Upstream, folder: &TempDir) -> House {
    let folder = folder.path().to_owned();
    House::with(upstream, |config| config.guard.directory = Some(folder)).await
}

/// What the upstream is asked when a client asks this.
async fn received(of_zebra: &str, of_horse: &str, request: &Value) -> Value {
    let upstream = Upstream::plain().await;
    let house = with(&upstream, &stable(of_zebra, of_horse)).await;
    let answer = house.ask(request).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    serde_json::from_slice(&upstream.last().body).unwrap()
}

#[tokio::test]
async fn placeholders_are_numbered_over_the_whole_request() {
    let placeholder = "action: replace\nreplace: {placeholder: {restore: true}}";
    let question = json!({ "model": "m", "messages": [
        { "role": "user", "content": "zebra1 zebra2" },
        { "role": "assistant", "content": "{{ZEBRA_1}}? zebra2" },
        { "role": "user", "content": "horse1 or zebra1" }] });
    let received = received(placeholder, "action: replace\nreplace: {placeholder: {label: H}}", &question).await;
    let said = |n: usize| received["messages"][n]["content"].as_str().unwrap().to_owned();
    assert_eq!(said(0), "{{ZEBRA_1}} {{ZEBRA_2}}");
    assert_eq!(said(1), "{{LITERAL_1}}? {{ZEBRA_2}}", "what a client writes in the shape of a placeholder is none");
    assert_eq!(said(2), "{{H_1}} or {{ZEBRA_1}}");
}

#[tokio::test]
async fn a_mask_keeps_the_end_and_a_hash_is_the_same_for_the_same_value() {
    let hash = "action: replace\nreplace: {hash: {}}";
    let received =
        received("action: replace\nreplace: {mask: {keep_last: 2}}", hash, &chat("zebra123 horse1 horse2 horse1")).await;
    let said = received["messages"][0]["content"].as_str().unwrap().to_owned();
    let words: Vec<_> = said.split(' ').collect();
    assert_eq!(words[0], "******23");
    assert!(words[1].starts_with("[HORSE:") && words[1] == words[3] && words[1] != words[2], "{said}");
}

#[tokio::test]
async fn what_a_tool_is_called_with_stays_json() {
    let call = |arguments: &str| {
        json!({ "model": "m", "messages": [{ "role": "assistant", "content": null, "tool_calls": [
            { "id": "c", "type": "function", "function": { "name": "f", "arguments": arguments } }] }] })
    };
    let received = received("action: replace\nreplace: {text: '\"\\'}", "", &call(r#"{"a":"\tzebra7","b":[1]}"#)).await;
    assert_eq!(received, call(r#"{"a":"\t\"\\","b":[1]}"#));
}

#[tokio::test]
async fn a_refusal_may_have_another_status() {
    let upstream = Upstream::plain().await;
    let house = with(&upstream, &stable("action: block\nrefuse: {status: 451}", "")).await;
    let answer = house.ask(&chat("A zebra.")).await;
    assert_eq!(answer.status, 451);
    is_error(&answer.json()["error"], "zebra", &["The request", "No zebras"]);
}

#[tokio::test]
async fn a_refusal_may_look_like_an_answer_in_every_form() {
    let upstream = Upstream::plain().await;
    let house = with(&upstream, &stable("action: block\nrefuse: {answer: 'Ask me about cows.'}", "")).await;
    let whole = house.ask(&chat("A zebra.")).await;
    assert_eq!((whole.status, whole.said().as_str()), (200, "Ask me about cows."));
    assert_eq!(whole.json()["choices"][0]["finish_reason"], "content_filter");
    assert_eq!((whole.json()["model"].clone(), whole.header("x-lockgate-rules")), (json!("gpt-test"), "zebra=block"));
    let events = house.ask(&streamed("A zebra.")).await;
    assert_eq!((events.told().as_str(), events.header("content-type")), ("Ask me about cows.", "text/event-stream"));
    assert!(events.events().iter().any(|event| event.contains("content_filter")));
    let ask = |path: &'static str, body: Value| {
        let house = &house;
        async move { house.client().await.post(path).json(&body).send().await }
    };
    let completed = ask("/v1/completions", json!({ "model": "m", "prompt": "A zebra." })).await.json();
    assert_eq!(completed["choices"][0]["text"], "Ask me about cows.");
    let vectors = ask("/v1/embeddings", json!({ "model": "m", "input": "A zebra." })).await;
    assert_eq!(vectors.status, 400, "no words stand for a vector");
    assert_eq!(upstream.calls(), 0);
}

#[tokio::test]
async fn what_the_app_says_of_its_tools_is_read_and_only_warned_about() {
    let upstream = Upstream::plain().await;
    let house = with(&upstream, &stable("action: block", "")).await;
    let describe = |description: &str| {
        json!({ "type": "function", "function": { "name": "f", "parameters": {
        "type": "object", "properties": { "x": { "type": "string", "description": description } } } } })
    };
    let mut request = chat("Hi");
    request["tools"] = json!([describe("A zebra.")]);
    let answer = house.ask(&request).await;
    assert_eq!((answer.status, answer.header("x-lockgate-rules")), (200, "zebra=warn"));
    request["prediction"] = json!({ "type": "content", "content": "A zebra." });
    assert_eq!(house.ask(&request).await.status, 400, "what is expected as the answer is a user's");
}

#[tokio::test]
async fn a_rule_looks_where_it_says() {
    let conversation = json!({ "model": "m", "messages": [
        { "role": "user", "content": "A zebra." }, { "role": "assistant", "content": "A cow." }, { "role": "user", "content": "Hi" }] });
    let named = json!({ "model": "m", "messages": [{ "role": "user", "name": "zebra", "content": "Hi" }] });
    let system =
        json!({ "model": "m", "messages": [{ "role": "system", "content": "A zebra." }, { "role": "user", "content": "Hi" }] });
    let cases = [
        ("", &conversation, 400),
        ("look_at: {messages: last}", &conversation, 200),
        ("look_at: {roles: [assistant]}", &conversation, 200),
        ("", &named, 400),
        ("look_at: {parts: [text]}", &named, 200),
        ("", &system, 200),
        ("look_at: {roles: [system]}", &system, 400),
    ];
    for (look_at, request, status) in cases {
        let upstream = Upstream::plain().await;
        let house = with(&upstream, &stable(&format!("action: block\n{look_at}"), "")).await;
        assert_eq!(house.ask(request).await.status, status, "{look_at} {request}");
    }
}

#[tokio::test]
async fn tokens_pass_with_a_mark_unless_every_request_must_be_guarded() {
    let upstream = Upstream::plain().await;
    let ask = |house: House| async move {
        house.client().await.post("/v1/embeddings").json(&json!({ "model": "m", "input": [1, 2, 3] })).send().await
    };
    let marked = ask(House::before(&upstream).await).await;
    assert_eq!((marked.status, marked.header("x-lockgate-guard")), (200, "unguarded"));
    let mandatory = Profile { rules: ["all".to_owned()].into(), mandatory: true, ..Profile::default() };
    let house = House::with(&upstream, |config| drop(config.profiles.named.insert("must".to_owned(), mandatory))).await;
    ask(house).await.is_error(400, "invalid_request", &["`input`", "tokens"]);
}

fn rules_of(answer: &Answer) -> (u16, &str) {
    (answer.status, answer.header("x-lockgate-rules"))
}

/// A house with a profile that watches zebras, where nobody has a profile by default.
async fn watching(upstream: &Upstream) -> (House, TempDir) {
    let folder = stable("action: block", "action: replace");
    let place = folder.path().to_owned();
    let house = House::with(upstream, |config| {
        config.guard.directory = Some(place);
        let watch = Profile { rules: ["animals".to_owned()].into(), mode: Mode::Monitor, mandatory: false };
        config.profiles.named = BTreeMap::from([("watch".to_owned(), watch)]);
        config.profiles.default.clear();
    })
    .await;
    (house, folder)
}

#[tokio::test]
async fn a_profile_that_is_only_watched_says_what_it_would_have_done() {
    let upstream = Upstream::plain().await;
    let (house, _folder) = watching(&upstream).await;
    let request = chat("A zebra and a horse.");
    assert_eq!(rules_of(&house.ask(&request).await), (200, ""), "no profile, no rule");
    let watched = house.ask_with(&[("x-lockgate-guardrails", "watch")], &request).await;
    assert_eq!(rules_of(&watched), (200, "horse=monitor-replace, zebra=monitor-block"));
    assert_eq!(upstream.last().text(), request.to_string());
}

#[tokio::test]
async fn a_client_adds_profiles_by_name_and_hears_of_a_name_that_is_none() {
    let upstream = Upstream::plain().await;
    let (house, _folder) = watching(&upstream).await;
    let request = chat("A zebra.");
    assert_eq!(
        house.ask_with(&[("x-lockgate-guardrails", "watch, animals")], &request).await.status,
        400,
        "the strictest stands"
    );
    let headers = [("x-lockgate-guardrails", "watch"), ("x-lockgate-guardrails", "animals")];
    assert_eq!(house.ask_with(&headers, &request).await.status, 400);
    let unknown = house.ask_with(&[("x-lockgate-guardrails", "wacht")], &request).await;
    unknown.is_error(400, "invalid_header", &["x-lockgate-guardrails", "`wacht`"]);
    assert_eq!(upstream.calls(), 0);
}

#[tokio::test]
async fn a_hit_is_no_way_around_the_rules_of_another_profile() {
    let upstream = Upstream::saying("A zebra, I think.").await;
    let folder = stable("", "");
    let rule = "summary: No zebras\nwhy: A test.\nstage: output\naction: block\nmatch: {words: [zebra]}\nexamples: {match: [A zebra.], pass: [A cow.]}\n";
    std::fs::write(folder.path().join("zebra.yaml"), rule).unwrap();
    let place = folder.path().to_owned();
    let house = House::with(&upstream, |config| {
        config.guard.directory = Some(place);
        config.profiles.default.clear();
    })
    .await;
    for cache in ["MISS", "HIT"] {
        assert_eq!(house.ask(&chat("Hi")).await.cache(), cache);
    }
    let guarded = house.ask_with(&[("x-lockgate-guardrails", "all")], &chat("Hi")).await;
    assert_eq!((guarded.status, upstream.calls()), (400, 1), "the entry is judged again");
}

#[tokio::test]
async fn a_client_key_has_its_own_profiles_and_the_mandatory_ones() {
    let upstream = Upstream::plain().await;
    let folder = stable("action: block", "action: block");
    let place = folder.path().to_owned();
    let house = House::with(&upstream, |config| {
        config.guard.directory = Some(place);
        let profile = |rule: &str, mandatory| Profile { rules: [rule.to_owned()].into(), mode: Mode::Enforce, mandatory };
        let named = [("all-must", profile("horse", true)), ("lax", profile("jwt", false))];
        config.profiles.named = named.map(|(name, profile)| (name.to_owned(), profile)).into();
        let key = |name: &str, profiles: Option<&str>| ClientKey {
            name: name.to_owned(),
            sha256: Sha256::digest(name).into(),
            tenant: "t".to_owned(),
            profiles: profiles.map(|name| std::sync::Arc::new([name.to_owned()].into())),
            ..ClientKey::default()
        };
        config.access.client_keys = vec![key("strict", None), key("lax", Some("lax"))];
    })
    .await;
    for (key, text, status) in
        [("strict", "A zebra.", 400), ("lax", "A zebra.", 200), ("strict", "A horse.", 400), ("lax", "A horse.", 400)]
    {
        let answer =
            house.client().await.post(CHAT).header("authorization", &format!("Bearer {key}")).json(&chat(text)).send().await;
        assert_eq!(answer.status, status, "{key}: {text}");
    }
}

#[tokio::test]
async fn a_rule_over_its_budget_fails_as_it_says_and_never_silently() {
    // No clock is so fast that nothing has passed in a nanosecond of work on a long text.
    let text = format!("{} zebra", "A cow. ".repeat(2_000));
    for (on_error, status) in [("open", 200), ("closed", 400)] {
        let upstream = Upstream::plain().await;
        let house = with(&upstream, &stable(&format!("action: replace\nbudget: 1ns\non_error: {on_error}"), "")).await;
        let answer = house.ask(&chat(&text)).await;
        assert_eq!(answer.status, status, "{}", answer.text());
        let told = answer.header("x-lockgate-rules");
        assert!(told.ends_with(&format!("zebra=failed-{on_error}")), "{told}");
        let metrics = house.look("/metrics").await.text();
        let counted = |line: &str| {
            line.starts_with("lockgate_rule_failures_total{") && line.contains(on_error) && line.contains("\"budget\"")
        };
        assert!(metrics.lines().any(counted), "{metrics}");
    }
}
