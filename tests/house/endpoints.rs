//! Which paths lead where, and what of a body reaches the upstream.

use async_compression::tokio::write::{BrotliEncoder, GzipEncoder};
use serde_json::json;
use tokio::io::AsyncWriteExt as _;

use crate::{CHAT, House, Upstream, chat, client::is_error, shapes};

const ODD: &str = "{ \"x_unknown\" : {\"deep\":[1.50, 1e3,-0]},\n\t\"model\":\"m\" , \"messages\":[ {\"content\":\"\\u0048i \\/ caf\\u00e9\",\
                   \"role\":\"user\", \"y\":null} ],\"seed\":12345678901234567890, \"temperature\": 0.70 }\n";

async fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzipEncoder::new(Vec::new());
    encoder.write_all(bytes).await.unwrap();
    encoder.shutdown().await.unwrap();
    encoder.into_inner()
}

async fn brotli(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = BrotliEncoder::new(Vec::new());
    encoder.write_all(bytes).await.unwrap();
    encoder.shutdown().await.unwrap();
    encoder.into_inner()
}

#[tokio::test]
async fn every_endpoint_that_is_read_answers_as_the_upstream_did() {
    let upstream = Upstream::saying("Hello.").await;
    let house = House::before(&upstream).await;
    let bodies = [
        (CHAT, chat("Hi"), shapes::said("Hello.")),
        ("/v1/completions", json!({ "model": "m", "prompt": "Hi" }), shapes::completed("Hello.")),
        ("/v1/embeddings", json!({ "model": "m", "input": ["Hi"] }), shapes::vectors()),
    ];
    for (path, request, expected) in bodies {
        let answer = house.client().await.post(path).json(&request).send().await;
        assert_eq!((answer.status, answer.json()), (200, expected), "{path}");
        assert_eq!(answer.cache(), "MISS", "{path}");
        assert_eq!(upstream.last().first, format!("POST {path} HTTP/1.1"));
        assert_eq!(house.client().await.post(path).json(&request).send().await.cache(), "HIT", "{path}");
    }
}

#[tokio::test]
async fn the_list_of_models_is_the_upstreams() {
    let upstream = Upstream::plain().await;
    let house = House::before(&upstream).await;
    let answer = house.client().await.get("/v1/models?limit=3").send().await;
    assert_eq!((answer.status, answer.json()["path"].as_str()), (200, Some("/v1/models?limit=3")));
    let answer = house.client().await.get("/v1/models").send().await;
    assert_eq!(answer.json(), shapes::models());
}

#[tokio::test]
async fn a_body_reaches_the_upstream_byte_for_byte() {
    let upstream = Upstream::plain().await;
    let house = House::before(&upstream).await;
    let answer = house.client().await.post(CHAT).body("application/json; charset=utf-8", ODD).send().await;
    assert_eq!(answer.status, 200);
    assert_eq!(upstream.last().text(), ODD);
}

#[tokio::test]
async fn a_chunked_body_with_trailers_reaches_the_upstream_whole() {
    let upstream = Upstream::plain().await;
    let house = House::before(&upstream).await;
    let mut raw = house.raw().await;
    let (first, second) = ODD.split_at(40);
    raw.send(format!("POST {CHAT} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n")).await;
    raw.send("transfer-encoding: chunked\r\ntrailer: x-checksum\r\n\r\n").await;
    raw.send(format!("{:x};ext=1\r\n{first}\r\n{:x}\r\n{second}\r\n", first.len(), second.len())).await;
    raw.send("0\r\nx-checksum: abc\r\n\r\n").await;
    assert_eq!(raw.answer().await.status(), 200);
    assert_eq!(upstream.last().text(), ODD);
    assert!(!upstream.last().has("x-checksum") && !upstream.last().has("trailer"));
    // The connection is still good.
    raw.send("GET /v1/models HTTP/1.1\r\nhost: localhost\r\n\r\n").await;
    assert_eq!(raw.answer().await.status(), 200);
}

#[tokio::test]
async fn a_compressed_body_is_sent_on_as_it_was_judged() {
    let upstream = Upstream::plain().await;
    let house = House::before(&upstream).await;
    for (encoding, body) in [("gzip", gzip(ODD.as_bytes()).await), ("br", brotli(ODD.as_bytes()).await)] {
        let mut client = house.client().await;
        let asking = client.post(CHAT).header("content-encoding", encoding).header("cache-control", "no-store");
        let answer = asking.body("application/json", body).send().await;
        assert_eq!(answer.status, 200, "{encoding}: {}", answer.text());
        assert_eq!(upstream.last().text(), ODD, "{encoding}");
        assert!(!upstream.last().has("content-encoding"));
    }
}

#[tokio::test]
async fn an_answer_that_was_compressed_unasked_arrives_plain() {
    let body = gzip(shapes::said("Hello.").to_string().as_bytes()).await;
    let upstream = Upstream::start(move |_, talk| {
        let body = body.clone();
        async move { talk.whole(200, &[("content-type", "application/json"), ("content-encoding", "gzip")], body).await }
    })
    .await;
    let house = House::before(&upstream).await;
    for cache in ["MISS", "HIT"] {
        let answer = house.ask_with(&[("accept-encoding", "gzip")], &chat("Hi")).await;
        assert_eq!((answer.said().as_str(), answer.cache()), ("Hello.", cache));
        assert_eq!(answer.header("content-encoding"), "");
    }
    assert_eq!(upstream.last().header("accept-encoding"), "identity");
}

#[tokio::test]
async fn an_upstreams_error_arrives_with_its_status_and_body() {
    let upstream = Upstream::start(|asked, talk| async move {
        let status = asked.json()["status"].as_u64().and_then(|status| u16::try_from(status).ok()).unwrap_or(500);
        let body = format!("{{\"error\": {{\"message\": \"no {status}\"}}}}");
        talk.whole(status, &[("content-type", "application/json"), ("x-request-id", "r-7")], body).await
    })
    .await;
    let house = House::before(&upstream).await;
    for status in [400_u16, 401, 404, 429, 500, 503] {
        let mut request = chat("Hi");
        request["status"] = json!(status);
        let answer = house.ask(&request).await;
        assert_eq!((answer.status, answer.text()), (status, format!("{{\"error\": {{\"message\": \"no {status}\"}}}}")));
        assert_eq!((answer.header("x-request-id"), answer.cache()), ("r-7", "MISS"));
    }
}

#[tokio::test]
async fn a_path_may_be_written_in_several_ways() {
    let upstream = Upstream::plain().await;
    let house = House::before(&upstream).await;
    for path in ["//v1/chat/completions/", "/v1/chat%2Fcompletions", "/v1//chat/completions?a=b"] {
        let answer = house.client().await.post(path).json(&chat(path)).send().await;
        assert_eq!(answer.status, 200, "{path}");
        assert_eq!(upstream.last().first, "POST /v1/chat/completions HTTP/1.1", "{path}");
    }
}

#[tokio::test]
async fn an_endpoint_that_is_not_listed_is_refused_in_the_openai_shape() {
    let upstream = Upstream::plain().await;
    let house = House::before(&upstream).await;
    for path in ["/v1/images/generations", "/v1/unheard/of", "/elsewhere"] {
        let answer = house.client().await.post(path).json(&json!({})).send().await;
        answer.is_error(404, "unknown_endpoint", &[path, "server.relay"]);
    }
    let answer = house.client().await.get(CHAT).send().await;
    answer.is_error(405, "wrong_method", &[CHAT, "POST"]);
    assert_eq!(upstream.calls(), 0);
}

#[tokio::test]
async fn an_endpoint_that_is_listed_is_passed_on_unread_and_says_so() {
    let upstream = Upstream::plain().await;
    let house = House::with(&upstream, |config| config.ingress.relay = vec!["/v1/files".to_owned()]).await;
    let body = gzip(b"not json").await;
    let mut client = house.client().await;
    let asking = client.post("/v1/files/upload?purpose=x").header("content-encoding", "gzip");
    let answer = asking.body("multipart/form-data; boundary=b", body.clone()).send().await;
    assert_eq!((answer.status, answer.json()["path"].as_str()), (200, Some("/v1/files/upload?purpose=x")));
    assert_eq!((answer.header("x-lockgate-guard"), answer.cache()), ("unguarded", "DISABLED"));
    let received = upstream.last();
    assert_eq!(received.body, body);
    assert_eq!(received.header("content-type"), "multipart/form-data; boundary=b");
    assert_eq!(received.header("content-encoding"), "gzip", "bytes that are passed on as they are keep their encoding");
}

#[tokio::test]
async fn the_root_greets() {
    let upstream = Upstream::plain().await;
    let house = House::before(&upstream).await;
    let answer = house.client().await.get("/").send().await;
    assert!(answer.status == 200 && answer.text().contains("Lockgate"));
}

#[tokio::test]
async fn the_offer_to_speak_http2_is_passed_over() {
    let upstream = Upstream::plain().await;
    let house = House::before(&upstream).await;
    let mut raw = house.raw().await;
    raw.send("GET /v1/models HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade, http2-settings\r\nupgrade: h2c\r\nhttp2-settings: AAM\r\n\r\n").await;
    assert_eq!(raw.answer().await.status(), 200);
    assert_eq!(upstream.calls(), 1);
}

#[tokio::test]
async fn an_upgrade_is_refused() {
    let upstream = Upstream::plain().await;
    let house = House::before(&upstream).await;
    let mut raw = house.raw().await;
    raw.send("GET /v1/realtime HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n").await;
    let answer = raw.answer().await;
    assert_eq!(answer.status(), 501);
    let body: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
    is_error(&body["error"], "upgrade_refused", &["plain HTTP"]);
    assert_eq!(upstream.calls(), 0);
}

#[tokio::test]
async fn a_web_page_from_elsewhere_is_refused() {
    let upstream = Upstream::plain().await;
    let house = House::before(&upstream).await;
    for (name, value) in [("host", "evil.example"), ("origin", "https://evil.example")] {
        let answer = house.ask_with(&[(name, value)], &chat("Hi")).await;
        answer.is_error(403, "foreign_origin", &["access.client_keys"]);
    }
    let answer = house.ask_with(&[("origin", "http://localhost:3000")], &chat("Hi")).await;
    assert_eq!(answer.status, 200);
    assert_eq!(upstream.calls(), 1);
}

#[tokio::test]
async fn another_content_type_than_json_is_refused() {
    let upstream = Upstream::plain().await;
    let house = House::before(&upstream).await;
    let answer = house.client().await.post(CHAT).body("text/plain", chat("Hi").to_string()).send().await;
    answer.is_error(415, "unsupported_media", &["content-type", "application/json"]);
    let mut client = house.client().await;
    let asking = client.post(CHAT).header("content-encoding", "compress");
    let answer = asking.body("application/json", chat("Hi").to_string()).send().await;
    answer.is_error(415, "unsupported_media", &["content-encoding", "gzip"]);
    assert_eq!(upstream.calls(), 0);
}
