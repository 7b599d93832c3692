//! `lockgate demo` as the upstream of Lockgate: it answers, and fails as it is told to.

use std::net::SocketAddr;

use serde_json::Value;

use crate::{
    House,
    binary::{Running, lockgate},
    chat,
    house::config,
    streamed,
};

fn demo(folder: &tempfile::TempDir, more: &[&str]) -> (Running, SocketAddr) {
    let running = Running::start(lockgate(&[&["demo", "--listen", "127.0.0.1:0"], more].concat(), folder.path()));
    let address = running.origin.strip_prefix("http://").unwrap().parse().unwrap();
    (running, address)
}

#[tokio::test]
async fn the_demo_answers_whole_and_as_a_stream() {
    let folder = tempfile::tempdir().unwrap();
    let (_running, address) = demo(&folder, &[]);
    let house = House::from(config(address)).await;
    let whole = house.ask(&chat("Hello?")).await;
    assert!(whole.status == 200 && !whole.said().is_empty());
    let stream = house.ask(&streamed("Hello there?")).await;
    assert!(!stream.told().is_empty());
    assert_eq!(stream.events().last().map(String::as_str), Some("[DONE]"));
}

#[tokio::test]
async fn the_demo_fails_as_each_call_asks() {
    let folder = tempfile::tempdir().unwrap();
    let (_running, address) = demo(&folder, &[]);
    let house = House::from(config(address)).await;
    let limited = house.ask_with(&[("x-demo", "status=429,retry-after=7")], &chat("One?")).await;
    assert_eq!((limited.status, limited.header("retry-after")), (429, "7"));
    let cases = [
        ("error200", "upstream_error"),
        ("reset=10", "upstream_reset"),
        ("malformed=10", "upstream_malformed"),
        ("truncate", "upstream_reset"),
    ];
    for (directive, code) in cases {
        let answer = house.ask_with(&[("x-demo", directive)], &chat(directive)).await;
        answer.is_error(502, code, &[]);
    }
    for (directive, code) in
        [("reset=1", "upstream_reset"), ("malformed=1", "upstream_malformed"), ("error200", "upstream_error")]
    {
        // No word has been said by then.
        house.ask_with(&[("x-demo", directive)], &streamed(directive)).await.is_error(502, code, &[]);
    }
    for directive in ["reset=4", "malformed=4"] {
        let events = house.ask_with(&[("x-demo", directive)], &streamed(directive)).await.events();
        let last: Value = serde_json::from_str(events.last().unwrap()).unwrap();
        assert!(last["error"]["code"].as_str().unwrap().starts_with("upstream_"), "{directive}: {last}");
    }
    assert_eq!(house.ask(&chat("reset=10")).await.status, 200, "what failed was not kept");
}

#[tokio::test]
async fn the_demo_fails_every_call_when_it_was_started_so() {
    let folder = tempfile::tempdir().unwrap();
    let (_running, address) = demo(&folder, &["--status", "503"]);
    let house = House::from(config(address)).await;
    assert_eq!(house.ask(&chat("Hello?")).await.status, 503);
}
