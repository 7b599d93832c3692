//! Rules that look at the meaning of the last message: what they refuse and what they note, with the real model.

use std::{collections::BTreeMap, fs};

use lockgate::{
    cache::Mode,
    guard::{Mode as Guarding, Profile},
};
use serde_json::json;
use tempfile::TempDir;

use crate::{Answer, House, Upstream, chat, client::Client};

/// A rule against advice on investments, by example.
fn rule(action: &str, examples: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    write(&folder, action, "Which stock should I buy?, How do I invest my savings?", examples, BOILED);
    folder
}

/// Writes that rule, or one that refuses another topic.
fn write(folder: &TempDir, action: &str, sentences: &str, matching: &str, pass: &str) {
    let text = format!(
        "summary: A topic\nwhy: w\nstage: input\naction: {action}\nmatch: {{topic: {{examples: [{sentences}]}}}}\nexamples:\n  match: [{matching}]\n  \
         pass: [{pass}]\n"
    );
    fs::write(folder.path().join("investments.yaml"), text).unwrap();
}

async fn reload(house: &House) -> Answer {
    Client::to(house.admin).await.post("/rules/reload").json(&json!({})).send().await
}

const ASKED: &str = "What shares are a good investment?";
const BOILED: &str = "How long do I boil an egg?";

async fn house(upstream: &Upstream, folder: &TempDir, mode: Mode) -> House {
    let folder = folder.path().to_owned();
    House::with(upstream, |config| {
        config.guard.directory = Some(folder);
        config.cache.mode = mode;
    })
    .await
}

#[tokio::test]
async fn a_rule_by_example_refuses_what_means_the_same_whatever_the_cache_does() {
    let upstream = Upstream::plain().await;
    let folder = rule("block", ASKED);
    for mode in [Mode::Off, Mode::Exact, Mode::Semantic] {
        let house = house(&upstream, &folder, mode).await;
        let calls = upstream.calls();
        for _ in 0..2 {
            let answer = house.ask(&chat(ASKED)).await;
            assert_eq!((answer.status, answer.header("x-lockgate-rules")), (400, "investments=block"), "{mode:?}");
        }
        assert_eq!(upstream.calls(), calls, "{mode:?}: a refused request is not sent");
        assert_eq!(house.ask(&chat("How do I boil an egg?")).await.status, 200, "{mode:?}");
    }
}

#[tokio::test]
async fn a_rule_that_warns_looks_at_the_vector_that_the_cache_computes() {
    let upstream = Upstream::plain().await;
    let folder = rule("warn", ASKED);
    let semantic = house(&upstream, &folder, Mode::Semantic).await;
    assert_eq!(semantic.ask(&chat(ASKED)).await.header("x-lockgate-rules"), "investments=warn");
    // The words of this one are others, so its answer comes from the cache for its meaning, and it is judged all the same.
    let again = semantic.ask(&chat("Which shares are a good investment?")).await;
    assert_eq!(again.header("x-lockgate-rules"), "investments=warn");
    let exact = house(&upstream, &folder, Mode::Exact).await;
    assert_eq!(exact.ask(&chat(ASKED)).await.header("x-lockgate-rules"), "", "without a vector it says nothing");
}

#[tokio::test]
async fn a_reload_learns_what_the_new_sentences_mean_or_changes_nothing() {
    let upstream = Upstream::plain().await;
    let folder = rule("block", ASKED);
    let house = house(&upstream, &folder, Mode::Exact).await;
    assert_eq!(house.ask(&chat(ASKED)).await.status, 400);
    write(&folder, "block", "How do I cook eggs?, What is a recipe for pasta?", ASKED, BOILED);
    reload(&house).await.is_error(400, "invalid_request", &["investments", ASKED]);
    assert_eq!(house.ask(&chat(ASKED)).await.status, 400, "the rule whose examples hold stays");
    write(&folder, "block", "How do I cook eggs?, What is a recipe for pasta?", BOILED, ASKED);
    assert_eq!(reload(&house).await.json()["reload"], "replaced");
    assert_eq!(house.ask(&chat(ASKED)).await.status, 200, "what was remembered of the other rule is of no use");
    assert_eq!(house.ask(&chat(BOILED)).await.status, 400);
}

#[tokio::test]
async fn a_rule_of_meaning_that_is_only_watched_says_what_it_would_have_done() {
    let upstream = Upstream::plain().await;
    let folder = rule("block", ASKED);
    let place = folder.path().to_owned();
    for mode in [Mode::Exact, Mode::Semantic] {
        let house = House::with(&upstream, |config| {
            config.guard.directory = Some(place.clone());
            config.cache.mode = mode;
            let watch = Profile { rules: ["investments".to_owned()].into(), mode: Guarding::Monitor, mandatory: false };
            config.profiles.named = BTreeMap::from([("watch".to_owned(), watch)]);
            config.profiles.default = ["watch".to_owned()].into();
        })
        .await;
        let answer = house.ask(&chat(ASKED)).await;
        assert_eq!((answer.status, answer.header("x-lockgate-rules")), (200, "investments=monitor-block"), "{mode:?}");
    }
}

#[tokio::test]
async fn a_rule_that_comes_where_nothing_embeds_cannot_judge_and_does_what_it_says_of_that() {
    let upstream = Upstream::plain().await;
    let folder = tempfile::tempdir().unwrap();
    let house = house(&upstream, &folder, Mode::Exact).await;
    write(&folder, "block\non_error: closed", "Which stock should I buy?", ASKED, BOILED);
    assert_eq!(reload(&house).await.json()["reload"], "replaced");
    let refused = house.ask(&chat(BOILED)).await;
    assert_eq!((refused.status, upstream.calls()), (400, 0));
    assert!(refused.text().contains("had no vector of the text to compare"), "{}", refused.text());
    write(&folder, "block\non_error: open", "Which stock should I buy?", ASKED, BOILED);
    assert_eq!(reload(&house).await.json()["reload"], "replaced");
    assert_eq!((house.ask(&chat(BOILED)).await.status, upstream.calls()), (200, 1));
}

#[tokio::test]
async fn a_rule_that_abstains_refuses_where_it_fails_closed() {
    let upstream = Upstream::plain().await;
    let folder = tempfile::tempdir().unwrap();
    for (on_error, status) in [("closed", 400), ("open", 200)] {
        // The band in which it abstains begins so low that every text is in it.
        let text = format!(
            "summary: Harm\nwhy: w\nstage: input\naction: block\non_error: {on_error}\nmatch: {{moderation: {{threshold: 0.5, abstain: 0.00001}}}}\nexamples:\n  \
             match: ['We will hunt down and kill all of those immigrants, that vermin.']\n  pass: [A horse.]\n"
        );
        fs::write(folder.path().join("harm.yaml"), text).unwrap();
        let answer = house(&upstream, &folder, Mode::Exact).await.ask(&chat(BOILED)).await;
        assert_eq!(answer.status, status, "{}", answer.text());
        assert_eq!(answer.text().contains("could not tell what the text means"), status == 400);
    }
}
