//! Operating it: health, metrics, client keys, and the drain, seen from the ports.

use lockgate::access::ClientKey;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::{CHAT, House, Upstream, chat, client::Client, said, streamed};

const KEY: &str = "a-client-key-of-some-length";

fn with_keys(config: &mut lockgate::config::Config) {
    let key = |name: &str, key: &str| ClientKey {
        name: name.to_owned(),
        sha256: Sha256::digest(key).into(),
        tenant: "one".to_owned(),
        ..ClientKey::default()
    };
    config.access.client_keys = vec![key("app", KEY), key("batch", "another-key-of-some-length")];
}

#[tokio::test]
async fn it_is_alive_and_ready_and_says_what_it_has_loaded() {
    let upstream = Upstream::plain().await;
    let house = House::semantic(&upstream).await;
    assert_eq!(house.look("/livez").await.text(), "alive\n");
    let ready = house.look("/readyz").await;
    let body = ready.json();
    assert_eq!((ready.status, &body["ready"], &body["draining"]), (200, &json!(true), &json!(false)));
    assert_eq!((&body["model"], &body["upstream"]), (&json!("rten"), &json!(format!("http://{}/v1", upstream.address))));
    assert!(body["rules"]["input"].as_u64() > Some(5) && body["rules"]["output"].as_u64() > Some(0), "{body}");
}

#[tokio::test]
async fn the_admin_port_is_read_by_this_machine_alone() {
    let upstream = Upstream::plain().await;
    let house = House::before(&upstream).await;
    let mut client = Client::to(house.admin).await;
    for (name, value) in [("host", "evil.example"), ("origin", "https://evil.example")] {
        let answer = client.get("/metrics").header(name, value).send().await;
        answer.is_error(403, "foreign_origin", &["this"]);
    }
    client.get("/configuration").send().await.is_error(404, "unknown_endpoint", &["/livez, /readyz or /metrics"]);
    client.post("/livez").send().await.is_error(405, "wrong_method", &["GET"]);
}

#[tokio::test]
async fn the_health_port_answers_probes_from_elsewhere() {
    let upstream = Upstream::plain().await;
    let mut config = crate::house::config(upstream.address);
    config.console.health = Some("127.0.0.1:0".parse().unwrap());
    let app = crate::house::start(config).await.unwrap();
    let health = app.health_address().unwrap();
    let running = tokio::spawn(app.run(std::future::pending::<()>()));
    let mut client = Client::to(health).await;
    for path in ["/livez", "/readyz", "/metrics"] {
        assert_eq!(client.get(path).header("host", "10.1.2.3:8789").send().await.status, 200, "{path}");
    }
    running.abort();
}

#[tokio::test]
async fn without_a_client_key_nobody_gets_in() {
    let upstream = Upstream::plain().await;
    let house = House::with(&upstream, with_keys).await;
    for headers in [&[][..], &[("authorization", "Bearer a-guess")], &[("x-portkey-api-key", "a-guess")]] {
        let answer = house.ask_with(headers, &chat("Hi")).await;
        answer.is_error(401, "unauthenticated", &["access.client_keys"]);
        assert_eq!(answer.header("www-authenticate"), "Bearer");
        assert!(!answer.text().contains("a-guess"));
        let answer = house.client().await.get("/v1/models").headers(headers).send().await;
        assert_eq!(answer.status, 401);
    }
    assert_eq!(upstream.calls(), 0);
}

#[tokio::test]
async fn a_client_key_opens_the_door_and_stays_there() {
    let upstream = Upstream::plain().await;
    let house = House::with(&upstream, |config| {
        with_keys(config);
        config.route.as_mut().unwrap().api_key = Some("sk-of-the-house".into());
    })
    .await;
    // With keys, a name of this machine is not asked for.
    let bearer = format!("Bearer {KEY}");
    let answer = house.ask_with(&[("authorization", &bearer), ("host", "lockgate.internal")], &chat("Hi")).await;
    assert_eq!(answer.status, 200);
    let received = upstream.last();
    assert_eq!(received.header("authorization"), "Bearer sk-of-the-house");
    assert!(!received.headers.iter().any(|(_, value)| value.contains(KEY)));
    // A key of the same tenant shares its entries, in the header that Portkey's SDKs use.
    let answer = house.ask_with(&[("x-portkey-api-key", "another-key-of-some-length")], &chat("Hi")).await;
    assert_eq!(answer.cache(), "HIT");
    let saved = house.look("/metrics").await.text();
    assert!(
        saved.contains(r#"lockgate_saved_tokens_total{tenant="one",model="gpt-test",by="cache",kind="prompt"} 1"#),
        "{saved}"
    );
}

#[tokio::test]
async fn a_drain_answers_what_is_open_and_takes_nothing_new() {
    let upstream = Upstream::start(|asked, talk| async move {
        if asked.number > 2 {
            return talk.answer(&asked, "Too late.").await;
        }
        talk.cue().await;
        talk.answer(&asked, "In time.").await
    })
    .await;
    let mut house = House::before(&upstream).await;
    let mut idle = house.client().await;
    assert_eq!(idle.get("/").send().await.status, 200);
    let (mut one, mut other) = (house.client().await, house.client().await);
    let test = async {
        upstream.was_asked(2).await;
        house.stop();
        crate::patient(async { while house.look("/readyz").await.status == 200 {} }).await;
        assert!(house.look("/readyz").await.json()["draining"].as_bool().unwrap());
        crate::patient(async { while tokio::net::TcpStream::connect(house.data).await.is_ok() {} }).await;
        upstream.cue();
        upstream.cue();
    };
    let (whole, stream) = (chat("Whole"), streamed("Stream"));
    let (whole, stream, ()) = tokio::join!(one.post(CHAT).json(&whole).send(), other.post(CHAT).json(&stream).send(), test);
    assert_eq!((whole.said().as_str(), stream.told().as_str()), ("In time.", "In time."));
    assert_eq!(whole.header("connection"), "close");
    assert_eq!(house.stopped().await, 0);
}

#[tokio::test]
async fn a_drain_cuts_off_what_does_not_end() {
    let upstream = Upstream::start(|_, mut talk| async move {
        talk.gone().await;
        talk.tell("gone");
        None
    })
    .await;
    let house = House::with(&upstream, |config| config.ingress.drain_timeout = std::time::Duration::from_millis(50)).await;
    let body = chat("Hi").to_string();
    let mut raw = house.raw().await;
    raw.send(format!("POST {CHAT} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n")).await;
    raw.send(format!("content-length: {}\r\n\r\n{body}", body.len())).await;
    upstream.was_asked(1).await;
    assert_eq!(house.stopped().await, 1);
    assert_eq!(raw.closed().await, "");
    upstream.told("gone").await;
}

#[tokio::test]
async fn more_connections_than_there_is_room_for_wait_their_turn() {
    let upstream = Upstream::start(|_, talk| async move {
        talk.cue().await;
        talk.json(&said("Hello.")).await
    })
    .await;
    let house = House::with(&upstream, |config| config.ingress.max_connections = 1).await;
    let question = chat("Hi");
    let first = async {
        let mut client = house.client().await;
        client.post(CHAT).json(&question).send().await
    };
    let second = async {
        upstream.was_asked(1).await;
        let mut client = house.client().await;
        upstream.cue();
        client.post(CHAT).json(&question).send().await
    };
    let (first, second) = tokio::join!(first, second);
    assert_eq!((first.cache(), second.cache()), ("MISS", "HIT"));
}
