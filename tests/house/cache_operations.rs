//! What operators see of the cache and do to it, over the admin port and by `lockgate cache`.

use std::{
    path::{Path, PathBuf},
    process::Output,
};

use lockgate::{cache::Mode, cache::store, config::Config, ledger::Price};
use serde_json::{Value, json};

use crate::{
    House, Upstream,
    binary::lockgate,
    chat,
    client::{Answer, Client},
    house,
};

const OPEN: &str = "How do I open an account?";
const CLOSE: &str = "How do I close an account?";

async fn post(house: &House, operation: &str, body: &Value) -> Answer {
    Client::to(house.admin).await.post(&format!("/cache/{operation}")).json(body).send().await
}

async fn told(house: &House, operation: &str, body: Value) -> Value {
    let answer = post(house, operation, &body).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

async fn stats(house: &House) -> Value {
    house.look("/cache/stats").await.json()
}

async fn entries(house: &House) -> u64 {
    stats(house).await["cache"]["entries"].as_u64().unwrap()
}

/// Asks twice; gives the id that the hit names.
async fn hit(house: &House, headers: &[(&str, &str)], question: &str) -> String {
    house.ask_with(headers, &chat(question)).await;
    let hit = house.ask_with(headers, &chat(question)).await;
    assert_eq!(hit.cache(), "HIT");
    hit.header("x-lockgate-entry").to_owned()
}

/// With this store, in this mode.
async fn stored(upstream: &Upstream, folder: &Path, mode: Mode, change: impl FnOnce(&mut Config)) -> House {
    House::with(upstream, |config| {
        config.cache.mode = mode;
        let path = Some(folder.join("cache.db"));
        config.store = Some(store::Settings { path, max_bytes: 1 << 30, max_entries: 1000 });
        change(config);
    })
    .await
}

#[tokio::test]
async fn a_hit_names_its_entry_and_says_that_nothing_was_spent_and_what_was_when_it_was_made() {
    let upstream = Upstream::plain().await;
    let house = House::before(&upstream).await;
    let miss = house.ask(&chat("Hi")).await;
    assert_eq!((miss.header("x-lockgate-entry"), miss.header("x-lockgate-cost")), ("", ""));
    let hit = house.ask(&chat("Hi")).await;
    assert_eq!((hit.header("x-lockgate-entry").len(), hit.header("x-lockgate-cost")), (16, "0"));
    assert_eq!(hit.json()["usage"], json!({ "prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3 }));
    let shown = house.look(&format!("/cache/entries/{}", hit.header("x-lockgate-entry"))).await.json();
    assert_eq!(shown["answer"], miss.json());
    assert_eq!((&shown["entry"]["model"], &shown["entry"]["completion_tokens"]), (&json!("gpt-test"), &json!(2)));
    assert_eq!(shown["entry"]["prompt"], Value::Null, "the exact tier keeps no prompt");
}

#[tokio::test]
async fn an_entry_that_is_not_there_or_not_named_is_said_to_be_so() {
    let upstream = Upstream::plain().await;
    let house = House::before(&upstream).await;
    let id = hit(&house, &[], "Hi").await;
    assert_eq!(house.look(&format!("/cache/entries/{}", id[..8].to_uppercase())).await.status, 200);
    house.look("/cache/entries/00000000").await.is_error(404, "unknown_entry", &["00000000", "lockgate cache lookup"]);
    for id in ["0000000", "zzzzzzzz", "", &"0".repeat(65)] {
        house.look(&format!("/cache/entries/{id}")).await.is_error(400, "invalid_request", &["hexadecimal"]);
    }
}

#[tokio::test]
async fn statistics_say_what_is_kept_for_whom_and_what_it_saved() {
    let upstream = Upstream::plain().await;
    let house = House::with(&upstream, |config| {
        config.ledger.prices = vec![("gpt-*".to_owned(), Price { prompt: 1e6, completion: 2e6 })];
    })
    .await;
    let tenant = [("authorization", "Bearer sk-one"), ("x-portkey-cache-namespace", "docs")];
    hit(&house, &tenant, "Hi").await;
    house.ask_with(&tenant, &chat("Hello")).await;
    house.ask(&chat("Hi")).await;
    let stats = stats(&house).await;
    let groups = stats["cache"]["groups"].as_array().unwrap();
    assert_eq!((stats["cache"]["entries"].as_u64(), groups.len()), (Some(3), 2));
    assert_eq!(
        (&groups[0]["namespace"], &groups[0]["entries"], &groups[0]["model"]),
        (&json!("docs"), &json!(2), &json!("gpt-test"))
    );
    let saved = &stats["saved"];
    assert_eq!((&saved["hits"], &saved["prompt_tokens"], &saved["completion_tokens"]), (&json!(1), &json!(1), &json!(2)));
    assert_eq!(saved["usd"], json!(5.0));
    let tenant = &groups[0]["tenant"].as_str().unwrap()[..8];
    let metrics = house.look("/metrics").await.text();
    for line in [
        format!("lockgate_saved_tokens_total{{tenant=\"{tenant}\",model=\"gpt-test\",by=\"cache\",kind=\"completion\"}} 2"),
        format!("lockgate_saved_usd_total{{tenant=\"{tenant}\",model=\"gpt-test\",by=\"cache\"}} 5"),
        format!("lockgate_saved_seconds_total{{tenant=\"{tenant}\",model=\"gpt-test\",by=\"cache\"}} 0"),
    ] {
        assert!(metrics.contains(&line), "no {line} in {metrics}");
    }
}

#[tokio::test]
async fn a_lookup_shows_the_neighbours_what_each_check_says_and_what_would_be_served() {
    let upstream = Upstream::plain().await;
    let house = House::semantic(&upstream).await;
    house.ask(&chat(OPEN)).await;
    house.ask_with(&[("x-portkey-cache-namespace", "docs")], &chat("What is the capital of France?")).await;
    let same = told(&house, "lookup", json!({ "text": OPEN })).await;
    let nearest = &same["neighbours"][0];
    assert_eq!((&nearest["prompt"], &nearest["fate"], &nearest["veto"]), (&json!(OPEN), &json!("served"), &Value::Null));
    assert_eq!(same["neighbours"].as_array().unwrap().len(), 2, "without a selection all scopes are searched");
    let opposite = told(&house, "lookup", json!({ "text": CLOSE })).await;
    let nearest = &opposite["neighbours"][0];
    assert_eq!((&nearest["fate"], &nearest["veto"]), (&json!("vetoed"), &json!("opposites")));
    let found = nearest["found"].as_array().unwrap();
    assert!(found.iter().any(|found| found[0] == "opposites" && found[1].as_f64() > Some(0.5)), "{found:?}");
    let far = told(&house, "lookup", json!({ "text": OPEN, "namespace": "docs", "endpoint": "chat" })).await;
    assert_eq!(far["neighbours"].as_array().unwrap().len(), 1);
    assert_eq!(far["neighbours"][0]["fate"], "below-threshold");
    let now = told(&house, "lookup", json!({ "text": "Is the shop open today?" })).await;
    assert_eq!((&now["bypass"], &now["neighbours"][0]["fate"]), (&json!("now"), &json!("not-compared")));
    for (key, value) in [("tenant", "ffffffff"), ("model", "other"), ("endpoint", "completions")] {
        assert_eq!(told(&house, "lookup", json!({ "text": OPEN, key: value })).await["neighbours"], json!([]), "{key}");
    }
    let wrong = post(&house, "lookup", &json!({ "text": OPEN, "endpoint": "talk" })).await;
    wrong.is_error(400, "invalid_request", &["endpoint"]);
}

#[tokio::test]
async fn a_text_is_looked_up_as_the_input_gate_leaves_it() {
    let upstream = Upstream::plain().await;
    let house = House::semantic(&upstream).await;
    let card = "My card is 4111 1111 1111 1111. Is it valid?";
    house.ask(&chat(card)).await;
    let found = told(&house, "lookup", json!({ "text": card })).await;
    assert_eq!((&found["text"], &found["neighbours"][0]["fate"]), (&found["neighbours"][0]["prompt"], &json!("served")));
    assert!(!found.to_string().contains("4111"));
}

#[tokio::test]
async fn without_the_semantic_tier_a_lookup_says_so() {
    let upstream = Upstream::plain().await;
    let house = House::before(&upstream).await;
    post(&house, "lookup", &json!({ "text": OPEN })).await.is_error(400, "unsupported", &["cache.mode"]);
}

#[tokio::test]
async fn a_purge_previews_until_it_is_told_to_act() {
    let upstream = Upstream::plain().await;
    let house = House::before(&upstream).await;
    for n in 0..12 {
        house.ask(&chat(&format!("Question {n}"))).await;
    }
    let preview = told(&house, "purge", json!({ "all": true })).await;
    assert_eq!((&preview["acted"], &preview["entries"]), (&json!(false), &json!(12)));
    assert_eq!(preview["examples"].as_array().unwrap().len(), 10);
    assert_eq!((entries(&house).await, house.ask(&chat("Question 3")).await.cache()), (12, "HIT"));
    let purged = told(&house, "purge", json!({ "all": true, "act": true })).await;
    assert_eq!((&purged["acted"], &purged["entries"], &purged["bytes"]), (&json!(true), &json!(12), &preview["bytes"]));
    assert_eq!((entries(&house).await, house.ask(&chat("Question 3")).await.cache()), (0, "MISS"));
    assert_eq!(entries(&house).await, 1, "what was asked since then");
}

#[tokio::test]
async fn a_purge_takes_what_fits_all_selectors_and_nothing_else() {
    let upstream = Upstream::plain().await;
    let house = House::semantic(&upstream).await;
    house.ask(&chat(OPEN)).await;
    let id = hit(&house, &[("x-portkey-cache-namespace", "docs")], "What is the capital of France?").await;
    house.ask_with(&[("authorization", "Bearer sk-two")], &chat("Who wrote Hamlet?")).await;
    let two = told(&house, "purge", json!({ "select": { "text": "HAMLET" } })).await["examples"][0]["tenant"].clone();
    for (select, count) in [
        (json!({ "id": &id[..9] }), 1),
        (json!({ "namespace": "docs" }), 1),
        (json!({ "namespace": "" }), 2),
        (json!({ "tenant": two.as_str().unwrap()[..8].to_uppercase() }), 1),
        (json!({ "model": "gpt-test" }), 3),
        (json!({ "model": "gpt" }), 0),
        (json!({ "older_than": "1h" }), 0),
        (json!({ "older_than": "0s" }), 3),
        (json!({ "text": "oPeN" }), 1),
        (json!({ "text": "open", "namespace": "docs" }), 0),
        (json!({ "namespace": "docs", "model": "gpt-test" }), 1),
    ] {
        assert_eq!(told(&house, "purge", json!({ "select": select })).await["entries"], count, "{select}");
    }
    told(&house, "purge", json!({ "select": { "namespace": "docs" }, "act": true })).await;
    let stats = stats(&house).await["cache"].clone();
    assert_eq!((&stats["entries"], &stats["vectors"], &stats["partitions"]), (&json!(2), &json!(2), &json!(2)));
    assert_eq!(house.ask(&chat(OPEN)).await.cache(), "HIT");
}

#[tokio::test]
async fn a_purge_that_selects_nothing_or_what_cannot_be_is_refused() {
    let upstream = Upstream::plain().await;
    let house = House::before(&upstream).await;
    hit(&house, &[], "Hi").await;
    for (body, words) in [
        (json!({ "act": true }), ["all: true", "select"]),
        (json!({ "select": {}, "act": true }), ["all: true", "select"]),
        (json!({ "select": { "older_than": "soon" } }), ["older_than", "7d"]),
        (json!({ "select": { "id": "12" } }), ["hexadecimal", "8"]),
        (json!({ "select": { "modle": "x" } }), ["modle", "model"]),
        (json!({ "all": "yes" }), ["boolean", "README"]),
    ] {
        post(&house, "purge", &body).await.is_error(400, "invalid_request", &words);
    }
    assert_eq!(entries(&house).await, 1);
}

#[tokio::test]
async fn a_purge_reaches_what_is_on_disk_alone_and_outlives_a_restart() {
    let upstream = Upstream::plain().await;
    let folder = tempfile::tempdir().unwrap();
    let house = stored(&upstream, folder.path(), Mode::Exact, |config| config.cache.max_entries = 2).await;
    for n in 0..20 {
        house.ask(&chat(&format!("Question {n}"))).await;
    }
    let on_disk = stats(&house).await["cache"].clone();
    assert!(on_disk["entries"].as_u64() <= Some(2) && on_disk["store"]["entries"] == 20, "{on_disk}");
    let purged = told(&house, "purge", json!({ "all": true, "act": true })).await;
    assert_eq!(purged["entries"], 20);
    assert_eq!(stats(&house).await["cache"]["store"]["entries"], 0);
    house.stopped().await;
    let house = stored(&upstream, folder.path(), Mode::Exact, |_| ()).await;
    assert_eq!(told(&house, "purge", json!({ "all": true })).await["entries"], 0);
    assert_eq!(house.ask(&chat("Question 19")).await.cache(), "MISS");
}

#[tokio::test]
async fn a_false_hit_takes_the_entry_and_the_pair_is_told_apart_from_then_on_in_its_scope() {
    let upstream = Upstream::plain().await;
    let folder = tempfile::tempdir().unwrap();
    let house = stored(&upstream, folder.path(), Mode::Semantic, |_| ()).await;
    let id = hit(&house, &[], OPEN).await;
    let report = told(&house, "false-hit", json!({ "id": id, "text": "  How can I open\nan ACCOUNT?" })).await;
    assert_eq!((&report["remembered"], &report["removed"]["prompt"]), (&json!(true), &json!(OPEN)));
    assert_eq!(house.ask(&chat(OPEN)).await.cache(), "MISS", "the entry is gone");
    assert_eq!(stats(&house).await["calibration"]["different"], 1, "it is a label");
    house.ask_with(&[("x-portkey-cache-namespace", "docs")], &chat(OPEN)).await;
    let judge = async |house: &House, text: &str, namespace: &str| {
        told(house, "lookup", json!({ "text": text, "namespace": namespace })).await["neighbours"][0]["fate"].clone()
    };
    assert_eq!(judge(&house, "How can I open an account?", "").await, "reported-different");
    assert_ne!(judge(&house, "How can I open an account?", "docs").await, "reported-different", "another scope");
    assert_eq!(judge(&house, OPEN, "").await, "served");
    let asked = house.ask(&chat("How can I open an account?")).await;
    assert_eq!((asked.cache(), asked.header("x-lockgate-check")), ("MISS", "reported"));
    told(&house, "purge", json!({ "all": true, "act": true })).await;
    house.stopped().await;
    let house = stored(&upstream, folder.path(), Mode::Semantic, |_| ()).await;
    let known = stats(&house).await;
    let known = [&known["cache"]["differences"], &known["calibration"]["different"]];
    assert_eq!(known, [1, 1], "it is known before the first request");
    house.ask(&chat(OPEN)).await;
    assert_eq!(judge(&house, "how can i open an account?", "").await, "reported-different");
}

#[tokio::test]
async fn a_false_hit_of_the_same_words_or_without_a_prompt_only_takes_the_entry() {
    let upstream = Upstream::plain().await;
    let house = House::semantic(&upstream).await;
    let id = hit(&house, &[], OPEN).await;
    let report = told(&house, "false-hit", json!({ "id": id, "text": OPEN })).await;
    assert_eq!((&report["remembered"], entries(&house).await), (&json!(false), 0));
    assert_eq!(stats(&house).await["calibration"]["different"], 0, "the same words are no label");
    post(&house, "false-hit", &json!({ "id": id, "text": OPEN })).await.is_error(404, "unknown_entry", &[]);
    post(&house, "false-hit", &json!({ "id": id })).await.is_error(400, "invalid_request", &["text"]);
}

async fn export(house: &House) -> String {
    let export = house.look("/cache/export").await;
    assert_eq!((export.status, export.header("content-type")), (200, "application/x-ndjson"));
    export.text()
}

async fn import(house: &House, lines: &str) -> Answer {
    Client::to(house.admin).await.post("/cache/import").body("application/x-ndjson", lines.to_owned()).send().await
}

#[tokio::test]
async fn what_is_exported_can_be_imported_again_in_both_tiers() {
    let upstream = Upstream::plain().await;
    let folder = tempfile::tempdir().unwrap();
    let house = stored(&upstream, folder.path(), Mode::Semantic, |_| ()).await;
    let first = house.ask(&chat("What is the capital of France?")).await;
    house.ask(&chat(OPEN)).await;
    let lines = export(&house).await;
    assert_eq!(lines.lines().count(), 3);
    let known = import(&house, &lines).await.json();
    assert_eq!((&known["imported"], &known["known"]), (&json!(0), &json!(2)));
    told(&house, "purge", json!({ "all": true, "act": true })).await;
    assert_eq!(import(&house, &lines).await.json()["imported"], 2);
    let again = house.ask(&chat("What is the capital of France?")).await;
    assert_eq!((again.cache(), again.body == first.body), ("HIT", true));
    assert_eq!(house.ask(&chat("What's the capital of France?")).await.cache(), "SEMANTIC HIT");
    house.stopped().await;
    let house = stored(&upstream, folder.path(), Mode::Semantic, |_| ()).await;
    assert_eq!(told(&house, "purge", json!({ "all": true })).await["entries"], 2, "they are on disk as well");
}

#[tokio::test]
async fn an_imported_answer_passes_the_output_rules_of_the_day() {
    let upstream = Upstream::plain().await;
    let house = House::before(&upstream).await;
    house.ask(&chat("Hi")).await;
    let lines = export(&house).await.replace("Answer 1", "I will kill you");
    told(&house, "purge", json!({ "all": true, "act": true })).await;
    assert_eq!(import(&house, &lines).await.json()["imported"], 1);
    let hit = house.ask(&chat("Hi")).await;
    assert_eq!((hit.cache(), hit.header("x-lockgate-rules")), ("HIT", "violent-threat=warn"));
}

#[tokio::test]
async fn what_cannot_be_imported_is_counted_or_named_by_its_line() {
    let upstream = Upstream::plain().await;
    let house = House::before(&upstream).await;
    for question in ["One", "Two"] {
        house.ask(&chat(question)).await;
    }
    let lines = export(&house).await;
    told(&house, "purge", json!({ "all": true, "act": true })).await;
    let [header, one, two] = lines.lines().collect::<Vec<_>>()[..] else { panic!("{lines}") };
    let changed = |line: &str, key: &str, value: Value| {
        let mut line: Value = serde_json::from_str(line).unwrap();
        line[key] = value;
        line.to_string()
    };
    let (old, other) = (changed(one, "created_ms", json!(1)), changed(two, "engine", json!("rten")));
    let counted = import(&house, &format!("{header}\n{old}\n{other}\n")).await.json();
    assert_eq!(counted, json!({ "imported": 0, "known": 0, "expired": 1, "other_engine": 1, "too_large": 0 }));
    let format = changed(header, "lockgate_export", json!(2));
    let secret = changed(header, "secret", json!("0".repeat(32)));
    let key = changed(two, "key", json!("12"));
    let more = changed(two, "more", json!(1));
    for (lines, words) in [
        (String::new(), &["empty"][..]),
        (format!("{one}\n{two}"), &["Line 1 ", "whole file"]),
        (format!("{format}\n{one}"), &["Line 1 ", "format 2"]),
        (format!("{secret}\n{one}"), &["Line 1 ", "another secret"]),
        (format!("{header}\n{one}\n{key}\n"), &["Line 3 ", "`key`"]),
        (format!("{header}\n\n{more}"), &["Line 3 ", "more"]),
        (format!("{header}\n{}", &one[..one.len() / 2]), &["Line 2 ", "EOF"]),
    ] {
        import(&house, &lines).await.is_error(400, "invalid_request", words);
    }
    assert_eq!(entries(&house).await, 1, "what came before a wrong line is there");
    let long = format!("{header}\n{}", " ".repeat(8 << 20));
    import(&house, &long).await.is_error(413, "too_large", &["Line 2 "]);
}

#[tokio::test]
async fn a_web_page_cannot_operate_the_cache_and_nobody_can_from_elsewhere() {
    let upstream = Upstream::plain().await;
    let house = House::with(&upstream, |config| config.console.health = Some("127.0.0.1:0".parse().unwrap())).await;
    hit(&house, &[], "Hi").await;
    let purge = json!({ "all": true, "act": true });
    let mut client = Client::to(house.admin).await;
    let foreign = client.post("/cache/purge").header("origin", "https://evil.example").json(&purge).send().await;
    foreign.is_error(403, "foreign_origin", &[]);
    let mut client = Client::to(house.admin).await;
    client.get("/cache/export").header("host", "evil.example").send().await.is_error(403, "foreign_origin", &[]);
    for operation in ["purge", "lookup", "false-hit", "import"] {
        let mut client = Client::to(house.admin).await;
        let answer = client.post(&format!("/cache/{operation}")).body("text/plain", purge.to_string()).send().await;
        answer.is_error(415, "unsupported_media", &["content-type"]);
        house.look(&format!("/cache/{operation}")).await.is_error(405, "wrong_method", &["POST"]);
    }
    for operation in ["stats", "export", "entries/00000000"] {
        post(&house, operation, &json!({})).await.is_error(405, "wrong_method", &["GET"]);
    }
    let mut client = Client::to(house.admin).await;
    client.post("/cache/purge").body("application/json", "{").send().await.is_error(400, "malformed_json", &[]);
    let large = format!("{{\"all\": \"{}\"}}", "x".repeat(1 << 20));
    let mut client = Client::to(house.admin).await;
    client.post("/cache/purge").body("application/json", large).send().await.is_error(413, "too_large", &[]);
    house.look("/cache/purges").await.is_error(404, "unknown_endpoint", &["false-hit"]);
    assert_eq!(entries(&house).await, 1);
}

/// Runs the verb against a house, in a folder.
async fn verb(house: &House, folder: &Path, arguments: &[&str]) -> Output {
    let admin = house.admin.to_string();
    let mut command = lockgate(&[&["cache", "--admin", &admin], arguments].concat(), folder);
    tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
}

async fn says(house: &House, folder: &Path, arguments: &[&str]) -> String {
    let output = verb(house, folder, arguments).await;
    let (out, err) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert_eq!((output.status.code(), err.as_str()), (Some(0), ""), "{arguments:?}");
    out
}

#[tokio::test]
async fn the_verb_does_what_the_port_does() {
    let upstream = Upstream::plain().await;
    let house = House::semantic(&upstream).await;
    let folder = tempfile::tempdir().unwrap();
    let id = hit(&house, &[], OPEN).await;
    let folder = folder.path();
    let has = |text: &str, words: &[&str]| words.iter().for_each(|word| assert!(text.contains(word), "no {word:?} in {text}"));
    has(&says(&house, folder, &["stats"]).await, &["1 in ", "1 from the cache", "1 + 2 tokens", "gpt-test", "nothing is kept"]);
    has(&says(&house, folder, &["lookup", CLOSE]).await, &[&id, "vetoed by opposites", OPEN]);
    has(&says(&house, folder, &["show", &id[..8]]).await, &[&id, OPEN, "Answer 1"]);
    let json: Value = serde_json::from_str(&says(&house, folder, &["show", &id, "--json"]).await).unwrap();
    assert_eq!(json["entry"]["prompt"], OPEN);
    let export = says(&house, folder, &["export", "all.jsonl"]).await;
    has(&export, &["1 entry", "all.jsonl"]);
    assert_eq!(says(&house, folder, &["export"]).await, std::fs::read_to_string(folder.join("all.jsonl")).unwrap());
    has(&says(&house, folder, &["purge", "--text", "open"]).await, &["Would purge 1 entry", OPEN, "--yes"]);
    assert_eq!(entries(&house).await, 1);
    has(&says(&house, folder, &["purge", "--text", "open", "--older-than", "0s", "--yes"]).await, &["Purged 1 entry"]);
    assert_eq!(entries(&house).await, 0);
    has(&says(&house, folder, &["import", "all.jsonl"]).await, &["Imported 1 entry"]);
    has(&says(&house, folder, &["false-hit", &id, CLOSE]).await, &["Removed", "remembered as different"]);
    assert_eq!(entries(&house).await, 0);
}

#[tokio::test]
async fn the_verb_takes_a_file_of_many_parts_and_names_the_line_of_the_file() {
    let upstream = Upstream::saying("word ".repeat(60_000).leak()).await;
    let house = House::before(&upstream).await;
    for n in 0..10 {
        house.ask(&chat(&format!("Question {n}"))).await;
    }
    let folder = tempfile::tempdir().unwrap();
    let file: PathBuf = folder.path().join("all.jsonl");
    says(&house, folder.path(), &["export", "all.jsonl"]).await;
    told(&house, "purge", json!({ "all": true, "act": true })).await;
    let lines = std::fs::read_to_string(&file).unwrap();
    assert!(lines.len() > 2 << 20, "more than one part");
    let (whole, broken) = lines.trim_end().rsplit_once('\n').unwrap();
    std::fs::write(&file, format!("{whole}\n{}", broken.replace("\"key\"", "\"kye\""))).unwrap();
    let output = verb(&house, folder.path(), &["import", "all.jsonl"]).await;
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(1) && error.starts_with("error: Line 11 is no line"), "{error}");
    std::fs::write(&file, lines).unwrap();
    let counts: Value = serde_json::from_str(&says(&house, folder.path(), &["import", "all.jsonl", "--json"]).await).unwrap();
    assert_eq!((&counts["imported"], &counts["known"], entries(&house).await), (&json!(1), &json!(9), 10));
}

#[tokio::test]
async fn every_failure_of_the_verb_says_the_next_step() {
    let upstream = Upstream::start(|_, talk| talk.whole(200, &[("content-type", "text/html")], "<html>")).await;
    let house = House::before(&upstream).await;
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("there.jsonl"), "not an export\n").unwrap();
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let (data, stranger) = (house.data.to_string(), upstream.address.to_string());
    for (arguments, code, words) in [
        (&["stats", "--admin", nobody.as_str()][..], 1, &["nothing listens on", "lockgate serve", "--admin"][..]),
        (&["stats", "--admin", &data], 1, &["does not answer as the admin port", "--admin"]),
        (&["stats", "--admin", &stranger], 1, &["does not answer as the admin port", "--admin"]),
        (&["stats", "--admin", "192.0.2.1:80"], 1, &["not on this machine"]),
        (&["stats", "--admin", "nowhere"], 2, &["nowhere", "--admin"]),
        (&["show", "00000000"], 1, &["No entry", "lockgate cache lookup"]),
        (&["show", "../stats"], 1, &["hexadecimal"]),
        (&["purge"], 2, &["--all", "--text"]),
        (&["export", "there.jsonl"], 1, &["there.jsonl", "name another file"]),
        (&["import", "missing.jsonl"], 1, &["missing.jsonl", "check the path"]),
        (&["import", "there.jsonl"], 1, &["Line 1 ", "lockgate cache export"]),
    ] {
        // The last of two addresses would be refused: only who names none is given one.
        let admin = house.admin.to_string();
        let here = if arguments.contains(&"--admin") { vec![] } else { vec!["--admin", &admin] };
        let mut command = lockgate(&[&["cache"], arguments, &here].concat(), folder.path());
        let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {error}");
        for word in words {
            assert!(error.contains(word), "no {word:?} in {error}");
        }
    }
}

#[tokio::test]
async fn the_verb_finds_the_admin_port_where_serve_does() {
    let upstream = Upstream::plain().await;
    let house = House::from(house::config(upstream.address)).await;
    let folder = tempfile::tempdir().unwrap();
    let config = format!("server: {{ admin: '{}' }}\nupstream: {{ url: 'http://{}/v1' }}\n", house.admin, upstream.address);
    std::fs::write(folder.path().join("lockgate.yaml"), config).unwrap();
    let mut by_file = lockgate(&["cache", "stats", "--config", "lockgate.yaml"], folder.path());
    let mut by_environment = lockgate(&["cache", "stats"], folder.path());
    by_environment.env("LOCKGATE_ADMIN", house.admin.to_string());
    let run = move || [by_file.output().unwrap(), by_environment.output().unwrap()];
    for output in tokio::task::spawn_blocking(run).await.unwrap() {
        assert!(output.status.success() && output.stdout.starts_with(b"entries"), "{output:?}");
    }
}
