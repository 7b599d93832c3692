//! Which headers pass, both ways, and whose credential is used.

use secrecy::SecretString;

use crate::{House, Upstream, chat, said};

#[tokio::test]
async fn what_belongs_to_one_connection_does_not_reach_the_upstream() {
    let upstream = Upstream::plain().await;
    let house = House::before(&upstream).await;
    let answer = house
        .ask_with(
            &[
                ("connection", "keep-alive, X-Secret-Hop"),
                ("x-secret-hop", "1"),
                ("keep-alive", "timeout=5"),
                ("te", "trailers"),
                ("proxy-authorization", "Basic x"),
                ("proxy-connection", "keep-alive"),
                ("x-portkey-trace-id", "mine"),
                ("x-portkey-runtime", "CPython"),
                ("x-lockgate-threshold", "0.99"),
                ("accept-encoding", "gzip"),
                ("openai-organization", "org-1"),
                ("x-stainless-lang", "python"),
                ("x-many", "1"),
                ("x-many", "2"),
            ],
            &chat("Hi"),
        )
        .await;
    assert_eq!(answer.header("x-portkey-trace-id"), "mine");
    let mut received = upstream.last().headers;
    received.sort();
    let length = chat("Hi").to_string().len().to_string();
    let host = upstream.address.to_string();
    let expected = [
        ("accept-encoding", "identity"),
        ("content-length", &length),
        ("content-type", "application/json"),
        ("host", &host),
        ("openai-organization", "org-1"),
        ("x-many", "1"),
        ("x-many", "2"),
        ("x-stainless-lang", "python"),
    ];
    assert_eq!(received, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
}

#[tokio::test]
async fn what_belongs_to_the_upstreams_connection_does_not_reach_the_client() {
    let upstream = Upstream::start(|_, talk| async move {
        let headers = [
            ("content-type", "application/json"),
            ("connection", "keep-alive, x-private-hop"),
            ("x-private-hop", "1"),
            ("keep-alive", "timeout=5"),
            ("proxy-authenticate", "Basic"),
            ("x-portkey-cache-status", "HIT"),
            ("x-lockgate-similarity", "1.0"),
            ("x-request-id", "r-1"),
            ("retry-after", "20"),
            ("x-ratelimit-remaining-tokens", "149"),
            ("set-cookie", "a=1"),
            ("set-cookie", "b=2"),
        ];
        talk.whole(200, &headers, said("Hello.").to_string()).await
    })
    .await;
    let house = House::before(&upstream).await;
    let answer = house.ask(&chat("Hi")).await;
    for name in ["x-private-hop", "keep-alive", "proxy-authenticate", "x-lockgate-similarity"] {
        assert_eq!(answer.header(name), "", "{name}");
    }
    for (name, value) in [("x-request-id", "r-1"), ("retry-after", "20"), ("x-ratelimit-remaining-tokens", "149")] {
        assert_eq!(answer.header(name), value, "{name}");
    }
    assert_eq!(answer.headers.get_all("set-cookie").iter().count(), 2);
    assert_eq!(answer.cache(), "MISS", "an upstream cannot speak in Lockgate's name");
}

#[tokio::test]
async fn every_answer_has_a_trace_id() {
    let upstream = Upstream::plain().await;
    let house = House::before(&upstream).await;
    let (one, other) = (house.ask(&chat("Hi")).await, house.client().await.get("/nowhere").send().await);
    assert_eq!((one.header("x-portkey-trace-id").len(), other.header("x-portkey-trace-id").len()), (36, 36));
    assert_ne!(one.header("x-portkey-trace-id"), other.header("x-portkey-trace-id"));
}

#[tokio::test]
async fn a_clients_credential_goes_to_the_upstream() {
    let upstream = Upstream::plain().await;
    let house = House::with(&upstream, with_key).await;
    house.ask_with(&[("authorization", "Bearer sk-of-the-client")], &chat("Hi")).await;
    assert_eq!(upstream.last().header("authorization"), "Bearer sk-of-the-client");
}

#[tokio::test]
async fn without_a_credential_the_configured_key_is_used() {
    let upstream = Upstream::plain().await;
    let house = House::with(&upstream, with_key).await;
    let dummies = ["Bearer OPENAI_API_KEY", "Bearer DUMMY-KEY", "bearer not-needed"];
    house.ask(&chat("Nothing")).await;
    assert_eq!(upstream.last().header("authorization"), "Bearer sk-of-the-house");
    for dummy in dummies {
        house.ask_with(&[("authorization", dummy), ("cache-control", "no-store")], &chat("A dummy")).await;
        assert_eq!(upstream.last().header("authorization"), "Bearer sk-of-the-house", "{dummy}");
    }
    assert_eq!(upstream.calls(), 4);
}

#[tokio::test]
async fn a_dummy_credential_reaches_no_upstream_even_where_there_is_no_key() {
    let upstream = Upstream::plain().await;
    let house = House::before(&upstream).await;
    house.ask_with(&[("authorization", "Bearer DUMMY-KEY")], &chat("Hi")).await;
    assert!(!upstream.last().has("authorization"));
}

fn with_key(config: &mut lockgate::config::Config) {
    let route = config.route.as_mut().expect("there is an upstream");
    route.api_key = Some(SecretString::from("sk-of-the-house"));
}
