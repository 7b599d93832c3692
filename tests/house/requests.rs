//! Bad requests: each is refused with its status, and told what is wrong, where, and what to do.

use std::time::Duration;

use async_compression::tokio::write::GzipEncoder;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;

use crate::{CHAT, House, Upstream, chat, client::is_error, message::Message, streamed};

/// Sends this body as JSON.
async fn refused(body: &str, status: u16, code: &str, words: &[&str]) -> Value {
    let upstream = Upstream::plain().await;
    let house = House::before(&upstream).await;
    let answer = house.client().await.post(CHAT).body("application/json", body.to_owned()).send().await;
    answer.is_error(status, code, words);
    assert_eq!(upstream.calls(), 0);
    answer.json()["error"]["param"].clone()
}

/// A head for a body of this length, up to and with the blank line.
fn head(more: &str) -> String {
    format!("POST {CHAT} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n{more}\r\n\r\n")
}

fn is_raw_error(answer: &Message, status: u16, code: &str, words: &[&str]) {
    assert_eq!(answer.status(), status, "{}", answer.text());
    let body: Value = serde_json::from_slice(&answer.body).unwrap();
    is_error(&body["error"], code, words);
}

#[tokio::test]
async fn a_body_that_is_not_json_is_refused_at_its_place() {
    let cases = [
        ("", "line 1"),
        ("{\"model\": \"m\",\n \"messages\": [}", "line 2, column 15"),
        ("{\"model\": \"m\"} x", "line 1, column 16"),
        ("hello", "line 1, column 1"),
    ];
    for (body, place) in cases {
        refused(body, 400, "malformed_json", &[place, "one JSON object"]).await;
    }
}

#[tokio::test]
async fn a_key_that_is_there_twice_is_refused() {
    let body = r#"{"model": "m", "messages": [{"role": "user", "content": "a", "content": "b"}]}"#;
    refused(body, 400, "malformed_json", &["content", "line 1, column 62", "without repeated keys"]).await;
    let body = r#"{"model": "m", "messages": [], "mod\u0065l": "n"}"#;
    refused(body, 400, "malformed_json", &["model"]).await;
}

#[tokio::test]
async fn a_field_of_the_wrong_type_is_named() {
    let message = |message: Value| json!({ "model": "m", "messages": [{ "role": "user", "content": "x" }, message] });
    let cases = [
        (json!([]), "", "an array"),
        (json!({ "messages": [] }), "model", "a string"),
        (json!({ "model": 5, "messages": [] }), "model", "a number"),
        (json!({ "model": "m" }), "messages", "an array"),
        (json!({ "model": "m", "messages": "Hi" }), "messages", "a string"),
        (json!({ "model": "m", "messages": [], "stream": "yes" }), "stream", "a boolean"),
        (json!({ "model": "m", "messages": [], "stream_options": 1 }), "stream_options", "an object"),
        (message(json!("Hi")), "messages[1]", "an object"),
        (message(json!({ "content": "x" })), "messages[1].role", "a string"),
        (message(json!({ "role": "user", "content": 5 })), "messages[1].content", "a number"),
    ];
    for (body, param, word) in cases {
        let found = refused(&body.to_string(), 400, "invalid_request", &[param, word]).await;
        assert_eq!(found, param, "{body}");
    }
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused_before_it_is_read() {
    let upstream = Upstream::plain().await;
    let house = House::with(&upstream, |config| config.ingress.max_body_bytes = 1000).await;
    let mut raw = house.raw().await;
    raw.send(head("content-length: 1001")).await;
    is_raw_error(&raw.answer().await, 413, "too_large", &["1000 bytes", "server.max_body"]);
    raw.closed().await;
    assert_eq!(upstream.calls(), 0);
}

#[tokio::test]
async fn a_chunked_body_that_grows_too_large_is_refused() {
    let upstream = Upstream::plain().await;
    let house = House::with(&upstream, |config| config.ingress.max_body_bytes = 1000).await;
    let mut raw = house.raw().await;
    raw.send(head("transfer-encoding: chunked")).await;
    for _ in 0..11 {
        raw.send(format!("64\r\n{}\r\n", " ".repeat(100))).await;
    }
    let answer = raw.answer().await;
    is_raw_error(&answer, 413, "too_large", &["1000 bytes", "server.max_body"]);
    assert_eq!(answer.header("connection"), "close");
    assert_eq!(upstream.calls(), 0);
}

#[tokio::test]
async fn a_client_that_sends_too_much_before_it_reads_still_learns_why_it_was_refused() {
    let upstream = Upstream::plain().await;
    let house = House::with(&upstream, |config| config.ingress.max_body_bytes = 1000).await;
    let length = 2 << 20;
    let mut raw = house.raw().await;
    raw.send(head(&format!("content-length: {length}"))).await.send(" ".repeat(length)).await;
    is_raw_error(&raw.answer().await, 413, "too_large", &["server.max_body"]);
}

#[tokio::test]
async fn a_body_that_is_small_only_while_it_is_compressed_is_refused() {
    let upstream = Upstream::plain().await;
    let house = House::with(&upstream, |config| config.ingress.max_body_bytes = 100_000).await;
    let mut encoder = GzipEncoder::new(Vec::new());
    encoder.write_all(&vec![b' '; 10 << 20]).await.unwrap();
    encoder.shutdown().await.unwrap();
    let bomb = encoder.into_inner();
    assert!(bomb.len() < 100_000);
    let mut client = house.client().await;
    let answer = client.post(CHAT).header("content-encoding", "gzip").body("application/json", bomb).send().await;
    answer.is_error(413, "too_large", &["100000 bytes", "server.max_body"]);
    let mut client = house.client().await;
    let answer = client.post(CHAT).header("content-encoding", "gzip").body("application/json", "not gzip").send().await;
    answer.is_error(400, "broken_body", &["gzip"]);
    assert_eq!(upstream.calls(), 0);
}

#[tokio::test]
async fn a_body_that_ends_early_is_refused() {
    let upstream = Upstream::plain().await;
    let house = House::before(&upstream).await;
    let mut raw = house.raw().await;
    raw.send(head("content-length: 100")).await.send("{\"model\"").await.end().await;
    is_raw_error(&raw.answer().await, 400, "broken_body", &["ended early", "content-length"]);
    assert_eq!(upstream.calls(), 0);
}

#[tokio::test]
async fn a_body_whose_chunks_are_nonsense_is_refused() {
    let upstream = Upstream::plain().await;
    let house = House::before(&upstream).await;
    let mut raw = house.raw().await;
    raw.send(head("transfer-encoding: chunked")).await.send("zz\r\n{}\r\n").await;
    is_raw_error(&raw.answer().await, 400, "broken_body", &["Send it again"]);
    assert_eq!(upstream.calls(), 0);
}

#[tokio::test]
async fn a_body_that_is_too_slow_is_refused() {
    let upstream = Upstream::plain().await;
    let house = House::with(&upstream, |config| config.ingress.body_timeout = Duration::from_millis(50)).await;
    let mut raw = house.raw().await;
    raw.send(head("content-length: 100")).await.send("{\"model\"").await;
    let answer = raw.answer().await;
    is_raw_error(&answer, 408, "slow_body", &["0.05 s", "server.body_timeout"]);
    assert_eq!(answer.header("connection"), "close");
    raw.closed().await;
    assert_eq!(upstream.calls(), 0);
}

#[tokio::test]
async fn a_head_that_is_too_slow_loses_its_connection() {
    let upstream = Upstream::plain().await;
    let house = House::with(&upstream, |config| config.ingress.head_timeout = Duration::from_millis(50)).await;
    let mut raw = house.raw().await;
    raw.send(format!("POST {CHAT} HTTP/1.1\r\nhost: localhost\r\n")).await;
    assert!(!raw.closed().await.contains("200 OK"));
    assert_eq!(house.ask(&chat("Hi")).await.status, 200, "others are served");
}

#[tokio::test]
async fn a_head_that_is_too_large_is_refused() {
    let upstream = Upstream::plain().await;
    let house = House::with(&upstream, |config| config.ingress.max_head_bytes = 8192).await;
    let mut raw = house.raw().await;
    raw.send(head(&format!("x-long: {}", "x".repeat(9000)))).await;
    let answer = raw.answer().await;
    assert_eq!(answer.status(), 431);
    let body: Value = serde_json::from_slice(&answer.body).unwrap();
    is_error(&body["error"], "head_too_large", &["8192", "`server.max_head`"]);
    let mut raw = house.raw().await;
    raw.send(head(&format!("x-long: {}", "x".repeat(90_000)))).await;
    assert_eq!(raw.answer().await.status(), 431, "far beyond the limit the parser itself refuses");
    assert_eq!(upstream.calls(), 0);
}

#[tokio::test]
async fn a_head_that_is_not_http_is_refused() {
    let upstream = Upstream::plain().await;
    let house = House::before(&upstream).await;
    for bytes in [
        "hello\r\n\r\n".to_owned(),
        head("content-length: 1\r\ncontent-length: 2"),
        head("content-length: -1"),
        head("bad header: 1"),
        head("x-null: a\0b"),
    ] {
        let mut raw = house.raw().await;
        raw.send(&bytes).await;
        assert_eq!(raw.answer().await.status(), 400, "{bytes:?}");
        raw.closed().await;
    }
    assert_eq!(upstream.calls(), 0);
}

#[tokio::test]
async fn a_header_that_is_out_of_bounds_is_named() {
    let upstream = Upstream::plain().await;
    let house = House::before(&upstream).await;
    let long = "x".repeat(300);
    let cases = [
        ("x-lockgate-threshold", "2", "from 0 to 1"),
        ("x-lockgate-threshold", "high", "from 0 to 1"),
        ("x-portkey-cache-ttl", "soon", "a number of seconds"),
        ("x-portkey-cache-namespace", &long, "256"),
    ];
    for (name, value, word) in cases {
        let answer = house.ask_with(&[(name, value)], &chat("Hi")).await;
        answer.is_error(400, "invalid_header", &[name, word]);
        assert_eq!(answer.json()["error"]["param"], name);
    }
    let answer = house.ask_with(&[("x-portkey-config", "{")], &chat("Hi")).await;
    answer.is_error(400, "invalid_config", &["valid json"]);
    let answer = house.ask_with(&[("x-lockgate-threshold", "2")], &streamed("Hi")).await;
    answer.is_error(400, "invalid_header", &["x-lockgate-threshold"]);
    assert_eq!(upstream.calls(), 0);
}
