//! The share of hits that may be wrong: an estimate at first, and calibrated once shadow comparisons have labelled enough of them.

use std::path::Path;

use lockgate::cache::{Mode, store, verify::threshold_for};
use serde_json::{Value, json};

use crate::{House, Upstream, binary::lockgate, chat, patient};

/// The shares of wrong hits that are accepted. Few labels are enough for them.
const LAX: f64 = 0.2;
const STRICT: f64 = 0.1;

/// Says the same of a capital, and something else each time of anything else.
async fn upstream() -> Upstream {
    Upstream::start(|asked, talk| async move {
        let about_capitals = asked.json().to_string().contains("capital");
        let text = if about_capitals { "Paris.".to_owned() } else { format!("Answer {}", asked.number) };
        talk.answer(&asked, &text).await
    })
    .await
}

async fn shadow(upstream: &Upstream, folder: &Path, max_error: Option<f64>) -> House {
    House::with(upstream, |config| {
        config.cache.mode = Mode::Shadow;
        config.cache.max_error = max_error;
        config.cache.threshold = max_error.and_then(threshold_for).unwrap_or(0.9);
        let path = Some(folder.join("cache.db"));
        config.store = Some(store::Settings { path, max_bytes: 1 << 30, max_entries: 1000 });
    })
    .await
}

/// Asks two questions in so many namespaces, and waits until each of the second ones is a label.
async fn ask(house: &House, questions: [&str; 2], times: u64) -> Value {
    let known = labels(&calibration(house).await);
    for n in 0..times {
        let namespace = n.to_string();
        for question in questions {
            let answer = house.ask_with(&[("x-portkey-cache-namespace", &namespace)], &chat(question)).await;
            assert_eq!(answer.cache(), "MISS", "nothing is served in the shadow");
        }
    }
    patient(async {
        loop {
            let calibration = calibration(house).await;
            if labels(&calibration) == known + times {
                return calibration;
            }
            tokio::task::yield_now().await;
        }
    })
    .await
}

async fn calibration(house: &House) -> Value {
    house.look("/cache/stats").await.json()["calibration"].clone()
}

fn labels(calibration: &Value) -> u64 {
    calibration["same"].as_u64().unwrap() + calibration["different"].as_u64().unwrap()
}

const ALIKE: [&str; 2] = ["What is the capital of France?", "What's the capital of France?"];
const UNLIKE: [&str; 2] = ["How do I renew my passport?", "How can I renew my passport?"];

#[tokio::test]
async fn an_estimate_becomes_calibrated_follows_what_the_upstream_says_and_outlives_a_restart() {
    let (upstream, folder) = (upstream().await, tempfile::tempdir().unwrap());
    let house = shadow(&upstream, folder.path(), Some(LAX)).await;
    let few = ask(&house, ALIKE, 1).await;
    assert_eq!((&few["source"], &few["max_error"], &few["same"]), (&json!("estimate"), &json!(LAX), &json!(1)));
    house.ask_with(&[("x-portkey-cache-namespace", "0")], &chat("Who wrote Hamlet?")).await;
    assert_eq!(labels(&calibration(&house).await), 1, "what is far from everything is no label");

    let unlike = ask(&house, UNLIKE, 20).await;
    assert_eq!((&unlike["source"], &unlike["different"]), (&json!("labels"), &json!(20)));
    let threshold = |calibration: &Value| calibration["threshold"].as_f64().unwrap();
    assert!(threshold(&unlike) > threshold(&few), "what would be wrong is not served any more: {unlike}");
    let metrics = house.look("/metrics").await.text();
    assert!(metrics.contains("\nlockgate_cache_threshold 0."), "{metrics}");
    house.stopped().await;

    let house = shadow(&upstream, folder.path(), Some(LAX)).await;
    assert_eq!(calibration(&house).await, unlike, "it is known before the first request");
    let admin = house.admin.to_string();
    let mut command = lockgate(&["cache", "stats", "--admin", &admin], folder.path());
    let said = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let said = String::from_utf8(said.stdout).unwrap();
    assert!(said.contains("1 same, 20 different") && said.contains("calibrated on 21 labels"), "{said}");
}

#[tokio::test]
async fn labels_are_counted_and_told_where_a_threshold_is_written_and_change_nothing() {
    let (upstream, folder) = (upstream().await, tempfile::tempdir().unwrap());
    let house = shadow(&upstream, folder.path(), None).await;
    let before = calibration(&house).await;
    let after = ask(&house, UNLIKE, 40).await;
    assert_eq!((&after["source"], &after["threshold"]), (&json!("configured"), &before["threshold"]));
    let advice = |told: &Value| {
        let shares = told["recommended"].as_array().unwrap();
        shares.iter().find(|share| share["max_error"] == json!(STRICT)).unwrap().clone()
    };
    assert_eq!((&advice(&before)["source"], &advice(&after)["source"]), (&json!("estimate"), &json!("labels")));
    assert!(advice(&after)["threshold"].as_f64() > advice(&before)["threshold"].as_f64());
}
