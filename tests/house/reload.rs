//! Rules that change while requests are served: by their files, by SIGHUP, by the admin port.

use std::{fs, path::Path};

use serde_json::{Value, json};

use crate::{
    Answer, House, Upstream,
    binary::{lockgate, serve},
    chat,
    client::Client,
    patient,
    process::{address, config, signal, writes},
};

const RULE: &str = "summary: No such animal\nwhy: A test.\nstage: input\naction: block\nmatch: {words: [ANIMAL]}\nexamples: {match: [A ANIMAL.], pass: [A horse.]}\n";

fn write(folder: &Path, animal: &str) {
    fs::write(folder.join("animal.yaml"), RULE.replace("ANIMAL", animal)).unwrap();
}

async fn house(upstream: &Upstream, folder: &Path) -> House {
    let folder = folder.to_owned();
    House::with(upstream, |config| config.guard.directory = Some(folder)).await
}

async fn reload(house: &House) -> Answer {
    Client::to(house.admin).await.post("/rules/reload").json(&json!({})).send().await
}

async fn status(house: &House) -> Value {
    house.look("/readyz").await.json()["rules"].clone()
}

/// Waits until a question meets what it should.
async fn becomes(house: &House, question: &str, status: u16) {
    patient(async { while house.ask(&chat(question)).await.status != status {} }).await;
}

#[tokio::test]
async fn the_admin_port_reloads_all_or_nothing_and_shows_it() {
    let (upstream, folder) = (Upstream::plain().await, tempfile::tempdir().unwrap());
    write(folder.path(), "zebra");
    let house = house(&upstream, folder.path()).await;
    assert_eq!(house.ask(&chat("A zebra.")).await.status, 400);
    let before = status(&house).await;
    assert_eq!((&before["generation"], &before["last_error"]), (&json!(1), &Value::Null));
    assert!(before["loaded_at"].as_str().is_some_and(|at| at.ends_with('Z')), "{before}");

    write(folder.path(), "okapi");
    let answer = reload(&house).await;
    assert_eq!((answer.status, answer.json()["reload"].as_str()), (200, Some("replaced")));
    assert_eq!(house.ask(&chat("A zebra.")).await.status, 200);
    assert_eq!(house.ask(&chat("A okapi.")).await.status, 400);

    fs::write(folder.path().join("broken.yaml"), "summary: s\nstage: sideways\n").unwrap();
    reload(&house).await.is_error(400, "invalid_request", &["broken.yaml:2:8", "stay in place"]);
    assert_eq!(house.ask(&chat("A okapi.")).await.status, 400, "the last good rules stay");
    let ready = house.look("/readyz").await;
    let told = &ready.json()["rules"];
    assert_eq!((ready.status, &told["generation"]), (200, &json!(2)));
    assert!(told["last_error"].as_str().is_some_and(|error| error.contains("broken.yaml")), "{told}");

    fs::remove_file(folder.path().join("broken.yaml")).unwrap();
    assert_eq!(reload(&house).await.json()["reload"], "unchanged");
    assert_eq!(status(&house).await["last_error"], Value::Null);
    let metrics = house.look("/metrics").await.text();
    for line in ["lockgate_rules_generation", "lockgate_rules_reloads_total{outcome=\"refused\"}", "{outcome=\"replaced\"}"] {
        assert!(metrics.contains(line), "no {line} in {metrics}");
    }
}

#[tokio::test]
async fn the_admin_port_lists_the_rules_with_their_hits_and_keeps_strangers_out() {
    let (upstream, folder) = (Upstream::plain().await, tempfile::tempdir().unwrap());
    write(folder.path(), "zebra");
    let house = house(&upstream, folder.path()).await;
    for question in ["A zebra.", "Another zebra and a zebra.", "A horse."] {
        house.ask(&chat(question)).await;
    }
    let list = house.look("/rules").await.json();
    let zebra = list["rules"].as_array().unwrap().iter().find(|rule| rule["id"] == "animal").unwrap().clone();
    assert_eq!((&zebra["hits"], &zebra["action"], &zebra["stage"]), (&json!(2), &json!("block"), &json!("input")));
    assert_eq!(zebra["rule"]["match"]["words"], json!(["zebra"]));
    assert_eq!(list["status"]["generation"], 1);

    let mut client = Client::to(house.admin).await;
    client.post("/rules/reload").header("origin", "https://evil.example").json(&json!({})).send().await.is_error(
        403,
        "foreign_origin",
        &[],
    );
    let mut client = Client::to(house.admin).await;
    client.post("/rules/reload").body("text/plain", "{}").send().await.is_error(415, "unsupported_media", &["application/json"]);
    house.look("/rules/reload").await.is_error(405, "wrong_method", &["POST"]);
    house.look("/rules/reloads").await.is_error(404, "unknown_endpoint", &["/rules/reload"]);
}

#[tokio::test]
async fn a_file_that_changes_is_taken_up_without_being_asked() {
    let (upstream, folder) = (Upstream::plain().await, tempfile::tempdir().unwrap());
    write(folder.path(), "zebra");
    let house = house(&upstream, folder.path()).await;
    assert_eq!(house.ask(&chat("A okapi.")).await.status, 200);
    write(folder.path(), "okapi");
    becomes(&house, "A okapi.", 400).await;
    fs::remove_file(folder.path().join("animal.yaml")).unwrap();
    becomes(&house, "A okapi.", 200).await;
}

#[tokio::test]
async fn a_cached_answer_is_judged_again_under_rules_that_came_later() {
    let (upstream, folder) = (Upstream::saying("That is a zebra.").await, tempfile::tempdir().unwrap());
    let house = house(&upstream, folder.path()).await;
    house.ask(&chat("Which animal?")).await;
    assert_eq!(house.ask(&chat("Which animal?")).await.cache(), "HIT");
    fs::write(folder.path().join("animal.yaml"), RULE.replace("ANIMAL", "zebra").replace("input", "output")).unwrap();
    assert_eq!(reload(&house).await.status, 200);
    let answer = house.ask(&chat("Which animal?")).await;
    assert_eq!((answer.status, upstream.calls()), (400, 1));
}

#[tokio::test]
async fn a_hangup_reads_the_configuration_again_and_says_what_needs_a_restart() {
    let (upstream, folder) = (Upstream::plain().await, tempfile::tempdir().unwrap());
    fs::create_dir(folder.path().join("rules")).unwrap();
    write(&folder.path().join("rules"), "zebra");
    let with = |more: &str, ttl: &str| {
        config(&upstream, "", &format!("cache: {{ mode: exact, ttl: {ttl} }}\nguardrails: {{ directory: rules{more} }}"))
    };
    let running = serve(&with("", "1h"), folder.path());
    let data = address(&running.origin);
    let ask = async || Client::to(data).await.post(crate::CHAT).json(&chat("A zebra.")).send().await.status;
    assert_eq!(ask().await, 400);

    fs::write(folder.path().join("lockgate.yaml"), with(", rules: { animal: off }", "2h")).unwrap();
    signal(&running, "HUP");
    patient(async { while ask().await != 200 {} }).await;
    writes(&running, "the rest needs a restart").await;

    fs::write(folder.path().join("rules/animal.yaml"), "summary: [").unwrap();
    signal(&running, "HUP");
    let said = writes(&running, "stay in place").await;
    assert_eq!(ask().await, 200);
    drop(said);
    writes(&running, "animal.yaml:1:").await;
}

#[tokio::test]
async fn the_verb_reloads_what_runs() {
    let (upstream, folder) = (Upstream::plain().await, tempfile::tempdir().unwrap());
    write(folder.path(), "zebra");
    let house = house(&upstream, folder.path()).await;
    write(folder.path(), "okapi");
    let admin = house.admin.to_string();
    let mut command = lockgate(&["rules", "reload", "--admin", &admin], folder.path());
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && said.contains("eneration 2"), "{said}");
    assert_eq!(house.ask(&chat("A okapi.")).await.status, 400);
}
