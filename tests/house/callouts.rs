//! Rules that call out: webhooks, logs, links and tokens, with somebody there who answers, fails, is slow or away.

use lockgate::outbound;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{House, Upstream, chat, streamed};

/// A folder with one rule that calls `url`.
fn rule(id: &str, text: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let text = format!("summary: A test\nwhy: A test.\n{text}");
    std::fs::write(folder.path().join(format!("{id}.yaml")), text).unwrap();
    folder
}

fn hook(stage: &str, action: &str, webhook: &Upstream, more: &str) -> TempDir {
    let address = webhook.address;
    rule("ask", &format!("stage: {stage}\naction: {action}\nmatch: {{webhook: {{url: 'http://{address}/check'{more}}}}}\n"))
}

async fn house(upstream: &Upstream, folder: &TempDir) -> House {
    let folder = folder.path().to_owned();
    House::with(upstream, |config| config.guard.directory = Some(folder)).await
}

/// A webhook that always says the same.
async fn saying(said: Value) -> Upstream {
    Upstream::start(move |_, talk| {
        let said = said.clone();
        async move { talk.json(&said).await }
    })
    .await
}

#[tokio::test]
async fn a_webhook_judges_requests_before_they_are_looked_up_or_sent() {
    let upstream = Upstream::plain().await;
    for (verdict, action, status, header) in
        [(true, "block", 200, ""), (false, "block", 400, "ask=block"), (false, "warn", 200, "ask=warn")]
    {
        let webhook = saying(json!({ "verdict": verdict })).await;
        let folder = hook("input", action, &webhook, ", headers: {x-key: k}, forward_headers: [x-user]");
        let house = house(&upstream, &folder).await;
        let calls = upstream.calls();
        let answer = house
            .ask_with(&[("x-user", "ann"), ("x-portkey-metadata", "{\"env\": \"prod\"}")], &chat("Charge 4111 1111 1111 1111"))
            .await;
        assert_eq!(answer.status, status, "{}", answer.text());
        assert_eq!(upstream.calls() - calls, usize::from(status == 200));
        assert!(answer.header("x-lockgate-rules").contains(header), "{}", answer.header("x-lockgate-rules"));
        let asked = webhook.asked().pop().unwrap();
        let told = asked.json();
        assert_eq!(told["request"]["text"], "Charge {{PAYMENT_CARD_1}}", "a webhook sees what the other rules left");
        assert_eq!((&told["metadata"], &told["eventType"]), (&json!({"env": "prod"}), &json!("beforeRequestHook")));
        assert_eq!(["x-key", "x-user"].map(|name| asked.request.header(name)), ["k", "ann"]);
    }
}

#[tokio::test]
async fn a_webhook_is_not_asked_about_what_another_rule_blocks() {
    let (upstream, webhook) = (Upstream::plain().await, saying(json!({ "verdict": true })).await);
    let folder = hook("input", "block", &webhook, "");
    let path = folder.path().to_owned();
    let house = House::with(&upstream, |config| {
        config.guard.directory = Some(path);
        config.guard.overrides.insert("payment-card".to_owned(), lockgate::guard::Override::Block);
    })
    .await;
    assert_eq!(house.ask(&chat("Charge 4111 1111 1111 1111")).await.status, 400);
    assert_eq!((webhook.calls(), upstream.calls()), (0, 0));
}

#[tokio::test]
async fn who_does_not_answer_decides_nothing_unless_the_rule_says_so() {
    let upstream = Upstream::plain().await;
    let failing = Upstream::start(|_, talk| async move { talk.whole(500, &[], "oops").await }).await;
    let senseless = saying(json!({ "verdict": "maybe" })).await;
    let silent = Upstream::start(|_, mut talk| async move {
        talk.gone().await;
        None
    })
    .await;
    let away = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    for address in [failing.address, senseless.address, silent.address, away] {
        for (on_error, status) in [("open", 200), ("closed", 400)] {
            let text = format!(
                "stage: input\naction: block\nmatch: {{webhook: {{url: 'http://{address}/', timeout: 200ms}}}}\non_error: {on_error}\n"
            );
            let folder = rule("ask", &text);
            let house = house(&upstream, &folder).await;
            assert_eq!(house.ask(&chat("Hi")).await.status, status, "{on_error}");
            let metrics = house.look("/metrics").await.text();
            assert!(
                metrics.contains(&format!("lockgate_rule_failures_total{{rule=\"ask\",reason=\"away\",outcome=\"{on_error}\"}}")),
                "{metrics}"
            );
        }
    }
}

#[tokio::test]
async fn a_private_address_is_not_called() {
    let (upstream, webhook) = (Upstream::plain().await, saying(json!({ "verdict": true })).await);
    let text = "stage: input\naction: block\nmatch: {webhook: {url: 'http://10.255.255.1/'}}\non_error: closed\n";
    let folder = rule("ask", text);
    let house = house(&upstream, &folder).await;
    let answer = house.ask(&chat("Hi")).await;
    assert_eq!((answer.status, webhook.calls(), upstream.calls()), (400, 0, 0));
    // At once, and not when the time is up: nobody was called.
    let client = outbound::Client::new(&outbound::Settings {
        connect_timeout: std::time::Duration::from_mins(1),
        allow_private: false,
        allow_loopback: true,
        max_idle: 1,
    });
    let origin = outbound::Origin::of(&"http://10.255.255.1/".parse().unwrap()).unwrap();
    assert!(client.resolve(&origin).await.unwrap_err().message().contains("private"));
}

#[tokio::test]
async fn a_webhook_may_change_the_request_and_no_change_is_lost() {
    let upstream = Upstream::plain().await;
    // Each adds its own word to what it was asked about.
    let adding = |word: &'static str| {
        Upstream::start(move |asked, talk| async move {
            let mut body = asked.json()["request"]["json"].clone();
            let text = format!("{} {word}", body["messages"][0]["content"].as_str().unwrap());
            body["messages"][0]["content"] = text.into();
            talk.json(&json!({ "verdict": true, "transformedData": { "request": { "json": body } } })).await
        })
    };
    let (one, two) = (adding("one").await, adding("two").await);
    let folder = hook("input", "warn", &one, "");
    let second = hook("input", "warn", &two, "");
    std::fs::copy(second.path().join("ask.yaml"), folder.path().join("ask-too.yaml")).unwrap();
    let house = house(&upstream, &folder).await;
    let answer = house.ask(&chat("Hi")).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(
        (upstream_text(&upstream).as_str(), answer.header("x-lockgate-rules")),
        ("Hi one two", "ask=replace, ask-too=replace")
    );
    assert_eq!((one.calls(), two.calls()), (1, 2), "whoever was overtaken is asked once more");
}

fn upstream_text(upstream: &Upstream) -> String {
    let body: Value = serde_json::from_slice(&upstream.last().body).unwrap();
    body["messages"][0]["content"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_webhook_judges_and_changes_answers_whole_or_streamed() {
    for request in [chat("Hi"), streamed("Hi")] {
        let upstream = Upstream::saying("A zebra.").await;
        let webhook = Upstream::start(|asked, talk| async move {
            let text = asked.json()["response"]["json"].to_string().replace("zebra", "horse");
            let body: Value = serde_json::from_str(&text).unwrap();
            talk.json(&json!({ "verdict": true, "transformedData": { "response": { "json": body } } })).await
        })
        .await;
        let folder = hook("output", "block", &webhook, "");
        let house = house(&upstream, &folder).await;
        for cache in ["MISS", "HIT"] {
            let answer = house.ask(&request).await;
            let text = if request["stream"] == true { answer.told() } else { answer.said() };
            assert_eq!((text.as_str(), answer.cache()), ("A horse.", cache), "{}", answer.text());
        }
        assert_eq!(webhook.calls(), 1, "what was judged is not judged again under the same rules");
        assert_eq!(webhook.asked()[0].json()["response"]["text"], "A zebra.");
    }
}

#[tokio::test]
async fn an_answer_that_a_webhook_refuses_reaches_nobody() {
    for request in [chat("Hi"), streamed("Hi")] {
        let (upstream, webhook) = (Upstream::saying("A zebra.").await, saying(json!({ "verdict": false })).await);
        let folder = hook("output", "block", &webhook, "");
        let house = house(&upstream, &folder).await;
        for _ in 0..2 {
            let answer = house.ask(&request).await;
            assert_eq!(answer.status, 400);
            assert!(!answer.text().contains("zebra"));
        }
        assert_eq!(upstream.calls(), 2, "it is not in the cache either");
    }
}

#[tokio::test]
async fn a_stream_is_told_while_a_webhook_only_warns() {
    let (upstream, webhook) = (Upstream::saying("A zebra.").await, saying(json!({ "verdict": false })).await);
    let folder = hook("output", "warn", &webhook, "");
    let house = house(&upstream, &folder).await;
    assert_eq!(house.ask(&streamed("Hi")).await.told(), "A zebra.");
    assert_eq!(webhook.calls(), 1);
    let again = house.ask(&streamed("Hi")).await;
    assert_eq!((again.cache(), again.header("x-lockgate-rules")), ("HIT", "ask=warn"));
}

#[tokio::test]
async fn a_log_is_sent_a_copy_and_stops_nothing() {
    let upstream = Upstream::plain().await;
    let sink = Upstream::start(|_, talk| async move { talk.whole(500, &[], "full").await }).await;
    let text = format!("stage: both\naction: warn\nmatch: {{log: {{url: 'http://{}/log'}}}}\n", sink.address);
    let folder = rule("copy", &text);
    let house = house(&upstream, &folder).await;
    assert_eq!(house.ask(&chat("Hi")).await.status, 200);
    let copies: Vec<_> = sink.asked().iter().map(|asked| asked.json()["eventType"].clone()).collect();
    assert_eq!(copies, ["beforeRequestHook", "afterRequestHook"]);
}

#[tokio::test]
async fn links_must_lead_somewhere() {
    let target = Upstream::start(|asked, talk| async move {
        let status = if asked.request.first.contains("/there") { 204 } else { 404 };
        talk.whole(status, &[], "").await
    })
    .await;
    let folder = rule("links", "stage: output\naction: block\nmatch: {valid_urls: {required: true}}\n");
    for (path, status) in [(Some("/there"), 200), (Some("/gone"), 400), (None, 400)] {
        let text = path.map_or("No link.".to_owned(), |path| format!("See http://{}{path}.", target.address));
        let text: &'static str = text.leak();
        let upstream = Upstream::saying(text).await;
        let path_of_rules = folder.path().to_owned();
        let allowing = House::with(&upstream, |config| {
            config.guard.directory = Some(path_of_rules);
            config.outbound.allow_private = true;
        })
        .await;
        assert_eq!(allowing.ask(&chat("Hi")).await.status, status, "{path:?}");
        let calls = target.calls();
        assert_eq!(
            house(&upstream, &folder).await.ask(&chat("Hi")).await.status,
            400,
            "a model does not have this machine called"
        );
        assert_eq!(target.calls(), calls);
    }
    assert!(target.asked().iter().all(|asked| asked.request.first.starts_with("HEAD ")));
}

#[tokio::test]
async fn a_token_must_be_signed_by_the_issuer_and_hold_now() {
    let key = rcgen::KeyPair::generate().unwrap();
    let issuer = issuer(&key).await;
    let text = format!(
        "stage: input\naction: block\nmatch: {{jwt: {{jwks_url: 'http://{}/keys', header: x-token}}}}\non_error: closed\n",
        issuer.address
    );
    let folder = rule("token", &text);
    let upstream = Upstream::plain().await;
    let house = house(&upstream, &folder).await;
    let now = lockgate::clock::unix_seconds();
    let other = rcgen::KeyPair::generate().unwrap();
    let cases = [
        (Some(token(&key, "k", &json!({ "iat": now, "exp": now + 60 }))), 200),
        (Some(token(&key, "k", &json!({ "iat": now, "exp": now + 60 }))), 200),
        (Some(token(&key, "k", &json!({ "iat": now - 120, "exp": now - 60 }))), 400),
        (Some(token(&key, "k", &json!({ "exp": now + 60 }))), 400),
        (Some(token(&other, "k", &json!({ "iat": now, "exp": now + 60 }))), 400),
        (Some(token(&key, "unknown", &json!({ "iat": now, "exp": now + 60 }))), 400),
        (Some("Bearer a.b.c".to_owned()), 400),
        (None, 400),
    ];
    for (token, status) in cases {
        let headers: Vec<_> = token.iter().map(|token| ("x-token", token.as_str())).collect();
        assert_eq!(house.ask_with(&headers, &chat("Hi")).await.status, status, "{token:?}");
    }
    assert_eq!(issuer.calls(), 1, "keys are kept, and an unknown one is not asked for again and again");
}

/// Publishes the key as `k`.
async fn issuer(key: &rcgen::KeyPair) -> Upstream {
    // The point in full: a mark, and the two coordinates.
    let point = key.public_key_raw();
    let (x, y) = (base64url(&point[1..33]), base64url(&point[33..]));
    saying(json!({ "keys": [{ "kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": "k", "x": x, "y": y }] })).await
}

/// A token signed with ES256.
fn token(key: &rcgen::KeyPair, kid: &str, claims: &Value) -> String {
    let mut header = jsonwebtoken::Header::new(jsonwebtoken::Algorithm::ES256);
    header.kid = Some(kid.to_owned());
    let signing = jsonwebtoken::EncodingKey::from_ec_der(&key.serialize_der());
    format!("Bearer {}", jsonwebtoken::encode(&header, claims, &signing).unwrap())
}

/// Base64 as tokens write it.
fn base64url(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut out = String::new();
    for chunk in bytes.chunks(3) {
        let bits = chunk.iter().fold(0_u32, |bits, &byte| bits << 8 | u32::from(byte)) << (8 * (3 - chunk.len()));
        for digit in 0..=chunk.len() {
            out.push(DIGITS[(bits >> (18 - 6 * digit)) as usize & 63].into());
        }
    }
    out
}

#[tokio::test]
async fn rules_about_more_than_text_judge_requests() {
    let text = "stage: input\naction: block\n\
                match: {metadata: {keys: [env]}, model: {deny: ['m*']}}\n\
                examples:\n  match: [{request: {}}, {request: {model: m-1}, metadata: {env: prod}}]\n  pass: [{request: {}, metadata: {env: prod}}]\n";
    let folder = rule("facts", text);
    let upstream = Upstream::plain().await;
    let house = house(&upstream, &folder).await;
    let with = |model: &str| json!({ "model": model, "messages": [{ "role": "user", "content": "Hi" }] });
    let metadata = [("x-portkey-metadata", "{\"env\": \"prod\"}")];
    assert_eq!(house.ask_with(&metadata, &with("a")).await.status, 200);
    assert_eq!(house.ask_with(&metadata, &with("m-1")).await.status, 400);
    assert_eq!(house.ask(&with("a")).await.status, 400);
    let broken = house.ask_with(&[("x-portkey-metadata", "[\"env\"]")], &with("a")).await;
    assert_eq!(broken.status, 400);
    crate::client::is_error(&broken.json()["error"], "invalid_header", &["x-portkey-metadata"]);
}

#[tokio::test]
async fn a_prefix_is_put_before_what_a_client_says() {
    let text = "stage: input\naction: replace\nmatch: {prefix: {text: 'Be kind. '}}\n";
    let folder = rule("kind", text);
    let upstream = Upstream::plain().await;
    let house = house(&upstream, &folder).await;
    let answer = house.ask(&chat("Hi")).await;
    assert_eq!((upstream_text(&upstream).as_str(), answer.header("x-lockgate-rules")), ("Be kind. Hi", "kind=replace"));
    assert_eq!(house.ask(&chat("Hi")).await.cache(), "HIT");
}
