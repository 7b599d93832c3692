//! Upstreams that fail, each in its own way: the client learns what happened and what to do, and Lockgate goes on.

use std::{net::SocketAddr, time::Duration};

use http::Uri;
use lockgate::config::Config;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpSocket};

use crate::{CHAT, House, Talk, Upstream, chat, client::is_error, house::config, said, shapes::delta, streamed};

fn impatient(config: &mut Config) {
    let route = config.route.as_mut().unwrap();
    (route.response_timeout, route.idle_timeout) = (Duration::from_millis(50), Duration::from_millis(50));
}

/// Asserts an error with the address of the upstream in it.
async fn fails(house: &House, upstream: SocketAddr, status: u16, code: &str, words: &[&str]) {
    let address = upstream.to_string();
    for request in [chat("Hi"), streamed("Hi")] {
        house.ask(&request).await.is_error(status, code, &[&[address.as_str()], words].concat());
    }
}

/// Reads a stream of which one event arrives before it fails.
async fn fails_after_an_event(house: &House, code: &str, words: &[&str]) {
    let mut client = house.client().await;
    let mut stream = client.post(CHAT).json(&streamed("Hi")).open().await;
    assert_eq!(stream.status(), 200);
    assert_eq!(stream.event().await, Some(delta("Hello")));
    let last: Value = serde_json::from_str(&stream.event().await.unwrap()).unwrap();
    is_error(&last["error"], code, words);
    assert_eq!(stream.event().await, None, "nothing follows the error");
    // The connection to the client is still good.
    assert_eq!(client.get("/").send().await.status, 200);
}

/// A stream with one event, and what comes then.
async fn stream_then<F: Future<Output = Option<Talk>> + Send + 'static>(
    then: impl Fn(Talk) -> F + Send + Sync + Copy + 'static,
) -> Upstream {
    Upstream::start(move |_, mut talk| async move {
        talk.stream().await;
        talk.event(&delta("Hello")).await;
        then(talk).await
    })
    .await
}

#[tokio::test]
async fn an_upstream_that_refuses_connections_is_named() {
    let unused = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let house = House::from(config(unused)).await;
    fails(&house, unused, 502, "upstream_unreachable", &["cannot be reached", "refused", "upstream.url"]).await;
}

#[tokio::test]
async fn an_upstream_that_does_not_accept_is_given_up() {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    // Once its queue is full, further connections get no answer at all.
    let queue: Vec<_> = (0..8).map(|_| tokio::spawn(tokio::net::TcpStream::connect(address))).collect();
    let mut config = config(address);
    config.outbound.connect_timeout = Duration::from_millis(50);
    let house = House::from(config).await;
    crate::patient(async {
        while !house.ask(&chat("Hi")).await.json()["error"]["message"].as_str().unwrap().contains("0.05 s") {}
    })
    .await;
    fails(&house, address, 502, "upstream_unreachable", &["within 0.05 s", "upstream.url"]).await;
    queue.iter().for_each(tokio::task::JoinHandle::abort);
}

#[tokio::test]
async fn an_upstream_that_closes_or_resets_before_it_answers_is_told() {
    let upstream = Upstream::start(|_, _| async { None }).await;
    let house = House::before(&upstream).await;
    fails(&house, upstream.address, 502, "upstream_reset", &["before it answered", "Try again"]).await;
    assert_eq!(upstream.calls(), 2, "a request that may have been read is not repeated");
    let upstream = Upstream::start(|_, talk| async { talk.reset() }).await;
    let house = House::before(&upstream).await;
    fails(&house, upstream.address, 502, "upstream_reset", &["before it answered", "Try again"]).await;
}

#[tokio::test]
async fn an_upstream_that_does_not_speak_http_is_told() {
    let upstream = Upstream::start(|_, mut talk| async move {
        talk.write("SSH-2.0-OpenSSH\r\n").await;
        None
    })
    .await;
    let house = House::before(&upstream).await;
    fails(&house, upstream.address, 502, "upstream_reset", &[]).await;
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_told() {
    let upstream = Upstream::start(|_, mut talk| async move {
        talk.head(200, &[("content-type", "application/json"), ("content-length", "1000")]).await;
        talk.write("{\"id\":").await;
        talk.reset()
    })
    .await;
    let house = House::before(&upstream).await;
    let answer = house.ask(&chat("Hi")).await;
    answer.is_error(502, "upstream_reset", &["in the middle", "Try again"]);
}

#[tokio::test]
async fn a_stream_that_breaks_off_ends_with_an_error_event() {
    let reset = stream_then(|mut talk| async move {
        talk.cue().await;
        talk.tell("reset");
        talk.write("5\r\ndata").await;
        talk.reset()
    })
    .await;
    reset.cue();
    let house = House::before(&reset).await;
    fails_after_an_event(&house, "upstream_reset", &["in the middle", "Try again"]).await;
    let closed = stream_then(|_| async { None }).await;
    let house = House::before(&closed).await;
    fails_after_an_event(&house, "upstream_reset", &["in the middle"]).await;
}

#[tokio::test]
async fn an_upstream_that_stalls_before_its_answer_is_given_up() {
    let upstream = Upstream::start(|_, mut talk| async move {
        talk.gone().await;
        talk.tell("gone");
        None
    })
    .await;
    let house = House::with(&upstream, impatient).await;
    fails(&house, upstream.address, 504, "upstream_timeout", &["0.05 s", "upstream.response_timeout"]).await;
    upstream.told("gone").await;
}

#[tokio::test]
async fn an_upstream_that_stalls_in_its_answer_is_given_up() {
    let upstream = Upstream::start(|_, mut talk| async move {
        talk.head(200, &[("content-type", "application/json"), ("content-length", "1000")]).await;
        talk.write("{\"id\":").await;
        talk.gone().await;
        talk.tell("gone");
        None
    })
    .await;
    let house = House::with(&upstream, impatient).await;
    let answer = house.ask(&chat("Hi")).await;
    answer.is_error(504, "upstream_timeout", &["0.05 s", "upstream.idle_timeout"]);
    upstream.told("gone").await;
}

#[tokio::test]
async fn a_stream_that_stalls_ends_with_an_error_event() {
    let upstream = stream_then(|mut talk| async move {
        talk.gone().await;
        talk.tell("gone");
        None
    })
    .await;
    let house = House::with(&upstream, impatient).await;
    fails_after_an_event(&house, "upstream_timeout", &["0.05 s", "upstream.idle_timeout"]).await;
    upstream.told("gone").await;
}

#[tokio::test]
async fn a_malformed_event_ends_the_stream_after_the_events_before_it() {
    let words = ["an event that is not JSON", "Try again"];
    let apart = stream_then(|mut talk| async move {
        talk.event("{oops").await;
        talk.event(&delta("too late")).await;
        talk.gone().await;
        None
    })
    .await;
    fails_after_an_event(&House::before(&apart).await, "upstream_malformed", &words).await;
    let at_once = Upstream::start(|_, mut talk| async move {
        talk.stream().await;
        talk.chunk(&format!("data: {}\n\ndata: {{oops\n\ndata: {}\n\n", delta("Hello"), delta("too late"))).await;
        talk.gone().await;
        None
    })
    .await;
    fails_after_an_event(&House::before(&at_once).await, "upstream_malformed", &words).await;
}

#[tokio::test]
async fn an_error_under_a_success_status_is_an_error() {
    let upstream =
        Upstream::start(|_, talk| async move { talk.json(&json!({ "error": { "message": "quota is used up" } })).await }).await;
    let house = House::before(&upstream).await;
    for path in [CHAT, "/v1/completions", "/v1/embeddings"] {
        let body = json!({ "model": "m", "messages": [], "prompt": "x", "input": "x" });
        let answer = house.client().await.post(path).json(&body).send().await;
        answer.is_error(502, "upstream_error", &["under a success status", "quota is used up"]);
    }
}

#[tokio::test]
async fn an_error_event_is_relayed() {
    let upstream = Upstream::start(|_, talk| async move {
        talk.events(&[delta("Hello"), json!({ "error": { "message": "overloaded" } }).to_string()]).await
    })
    .await;
    let house = House::before(&upstream).await;
    let events = house.ask(&streamed("Hi")).await.events();
    assert!(events.len() == 2 && events[1].contains("overloaded"), "{events:?}");
}

#[tokio::test]
async fn an_answer_that_is_not_json_leads_to_the_upstreams_url() {
    for body in ["<html><body>Sign in</body></html>", "", "[]", "{\"choices\": [}"] {
        let upstream =
            Upstream::start(move |_, talk| async move { talk.whole(200, &[("content-type", "text/html")], body).await });
        let upstream = upstream.await;
        let house = House::before(&upstream).await;
        for request in [chat("Hi"), streamed("Hi")] {
            let answer = house.ask(&request).await;
            answer.is_error(502, "upstream_malformed", &["cannot be read", "upstream.url"]);
        }
    }
}

#[tokio::test]
async fn an_encoding_that_cannot_be_read_is_refused() {
    let cases = [
        ("application/json", "gzip", "cannot be decoded"),
        ("application/json", "x-own", "x-own"),
        ("text/event-stream", "gzip", "events"),
    ];
    for (kind, encoding, word) in cases {
        let upstream = Upstream::start(move |_, talk| async move {
            talk.whole(200, &[("content-type", kind), ("content-encoding", encoding)], said("Hello.").to_string()).await
        });
        let upstream = upstream.await;
        let house = House::before(&upstream).await;
        let answer = house.ask(&streamed("Hi")).await;
        answer.is_error(502, "upstream_malformed", &[word, "Switch compression off"]);
    }
}

#[tokio::test]
async fn an_unread_answer_that_breaks_off_breaks_off_for_the_client_too() {
    let upstream = Upstream::start(|_, mut talk| async move {
        talk.head(200, &[("content-type", "image/png"), ("transfer-encoding", "chunked")]).await;
        talk.chunk("half an image").await;
        talk.cue().await;
        None
    })
    .await;
    let house = House::with(&upstream, |config| config.ingress.relay = vec!["/v1/images".to_owned()]).await;
    let mut client = house.client().await;
    let opened = client.post("/v1/images/generations").json(&json!({})).open().await;
    upstream.cue();
    assert!(opened.breaks_off().await, "half must not look like the whole");
}

/// Points the upstream to another URL without its check.
fn url(config: &mut Config, url: &str) {
    config.route.as_mut().unwrap().base_url = url.parse::<Uri>().unwrap();
}

#[tokio::test]
async fn an_address_that_may_not_be_called_is_not_called() {
    let upstream = Upstream::plain().await;
    let cases = [
        ("http://10.0.0.1/v1".to_owned(), false, "upstream.allow_private_addresses"),
        ("http://[fd00::1]:80/v1".to_owned(), false, "upstream.allow_private_addresses"),
        ("http://169.254.169.254/v1".to_owned(), true, "metadata"),
        ("http://[::ffff:169.254.169.254]/v1".to_owned(), true, "metadata"),
        (format!("http://localhost:{}/v1", upstream.address.port()), false, "loopback"),
        (format!("http://{}/v1", upstream.address), false, "loopback"),
    ];
    for (target, allow_private, word) in cases {
        let house = House::with(&upstream, |config| {
            url(config, &target);
            (config.outbound.allow_private, config.outbound.allow_loopback) = (allow_private, false);
        })
        .await;
        let answer = house.ask(&chat("Hi")).await;
        answer.is_error(502, "forbidden_address", &["may not be called", word]);
    }
    assert_eq!(upstream.calls(), 0);
}
