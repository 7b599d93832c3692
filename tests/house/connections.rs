//! Connections on both sides: kept, used again, closed, and closed early.

use serde_json::json;

use crate::{CHAT, House, Upstream, chat, said, streamed};

#[tokio::test]
async fn a_client_asks_twice_on_one_connection() {
    let upstream = Upstream::plain().await;
    let house = House::before(&upstream).await;
    let mut client = house.client().await;
    let one = client.post(CHAT).json(&chat("One")).send().await;
    let two = client.post(CHAT).json(&streamed("Two")).send().await;
    let three = client.post(CHAT).json(&chat("Three")).send().await;
    assert_eq!((one.said(), two.told(), three.said()), ("Answer 1".into(), "Answer 2".into(), "Answer 3".into()));
}

#[tokio::test]
async fn requests_that_are_sent_before_the_answers_are_answered_in_order() {
    let upstream = Upstream::plain().await;
    let house = House::before(&upstream).await;
    let mut raw = house.raw().await;
    for question in ["One", "Two"] {
        let body = chat(question).to_string();
        let head = format!("POST {CHAT} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n");
        raw.send(format!("{head}content-length: {}\r\n\r\n{body}", body.len())).await;
    }
    assert!(raw.answer().await.text().contains("Answer 1"));
    assert!(raw.answer().await.text().contains("Answer 2"));
}

#[tokio::test]
async fn a_stream_is_told_although_the_next_request_is_already_there() {
    let upstream = Upstream::start(|_, mut talk| async move {
        talk.stream().await;
        talk.event(&crate::shapes::delta("Hello")).await;
        talk.cue().await;
        talk.end().await;
        Some(talk)
    })
    .await;
    let house = House::before(&upstream).await;
    let mut raw = house.raw().await;
    let body = streamed("Hi").to_string();
    let head = format!("POST {CHAT} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n");
    raw.send(format!("{head}content-length: {}\r\n\r\n{body}GET / HTTP/1.1\r\nhost: localhost\r\n\r\n", body.len())).await;
    raw.says("Hello").await;
    upstream.cue();
    raw.says("Lockgate is here").await;
}

#[tokio::test]
async fn the_connection_to_the_upstream_is_used_again() {
    let upstream = Upstream::plain().await;
    let house = House::before(&upstream).await;
    for question in ["One", "Two"] {
        house.ask(&chat(question)).await;
        house.ask(&streamed(&format!("{question}, as a stream"))).await;
    }
    let connections: Vec<_> = upstream.asked().iter().map(|asked| asked.connection).collect();
    assert_eq!(connections, [0, 0, 0, 0]);
}

#[tokio::test]
async fn an_upstream_that_closes_idle_connections_is_no_error() {
    // Each connection is closed after its first answer, which has promised to keep it.
    let upstream = Upstream::start(|asked, talk| async move {
        let talk = talk.json(&said(&format!("Answer {}", asked.number))).await?;
        talk.cue().await;
        talk.close(&format!("closed {}", asked.number))
    })
    .await;
    let house = House::before(&upstream).await;
    let mut client = house.client().await;
    for n in 1..=20 {
        let answer = client.post(CHAT).json(&chat(&format!("Question {n}"))).send().await;
        assert_eq!((answer.status, answer.text().contains(&format!("Answer {n}"))), (200, true), "{}", answer.text());
        upstream.cue();
        upstream.told(&format!("closed {n}")).await;
    }
}

#[tokio::test]
async fn a_client_that_leaves_cancels_the_upstreams_work() {
    let upstream = Upstream::start(|_, mut talk| async move {
        talk.gone().await;
        talk.tell("gone");
        None
    })
    .await;
    let house = House::before(&upstream).await;
    let body = chat("Hi").to_string();
    let mut raw = house.raw().await;
    raw.send(format!("POST {CHAT} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n")).await;
    raw.send(format!("content-length: {}\r\n\r\n{body}", body.len())).await;
    upstream.was_asked(1).await;
    drop(raw);
    upstream.told("gone").await;
}

#[tokio::test]
async fn a_client_that_leaves_a_stream_cancels_the_upstreams_work_and_nothing_is_kept() {
    let upstream = Upstream::start(|asked, mut talk| async move {
        if asked.number > 1 {
            return talk.answer(&asked, "Anew.").await;
        }
        talk.stream().await;
        talk.event(&crate::shapes::delta("Hello")).await;
        talk.gone().await;
        talk.tell("gone");
        None
    })
    .await;
    let house = House::before(&upstream).await;
    let mut client = house.client().await;
    let mut stream = client.post(CHAT).json(&streamed("Hi")).open().await;
    assert!(stream.event().await.unwrap().contains("Hello"));
    drop(stream);
    drop(client);
    upstream.told("gone").await;
    let answer = house.ask(&chat("Hi")).await;
    assert_eq!((answer.cache(), answer.said().as_str()), ("MISS", "Anew."));
}

#[tokio::test]
async fn a_client_that_leaves_a_stream_that_is_held_back_cancels_it_too() {
    let upstream = Upstream::start(|_, mut talk| async move {
        talk.stream().await;
        talk.event(&crate::shapes::delta("Hello")).await;
        talk.gone().await;
        talk.tell("gone");
        None
    })
    .await;
    let house = House::with(&upstream, |config| {
        config.guard.overrides.insert("violent-threat".to_owned(), lockgate::guard::Override::Block);
    })
    .await;
    let body = streamed("Hi").to_string();
    let mut raw = house.raw().await;
    raw.send(format!("POST {CHAT} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n")).await;
    raw.send(format!("content-length: {}\r\n\r\n{body}", body.len())).await;
    upstream.was_asked(1).await;
    drop(raw);
    upstream.told("gone").await;
}

#[tokio::test]
async fn a_client_of_http_1_0_is_answered_and_the_connection_closed() {
    let upstream = Upstream::plain().await;
    let house = House::before(&upstream).await;
    let body = chat("Hi").to_string();
    let mut raw = house.raw().await;
    raw.send(format!("POST {CHAT} HTTP/1.0\r\nhost: localhost\r\ncontent-type: application/json\r\n")).await;
    raw.send(format!("content-length: {}\r\n\r\n{body}", body.len())).await;
    let answer = raw.closed().await;
    assert!(answer.contains("200 OK") && answer.contains("Answer 1"), "{answer}");
}

#[tokio::test]
async fn a_client_that_waits_for_100_continue_gets_it() {
    let upstream = Upstream::plain().await;
    let house = House::before(&upstream).await;
    let body = json!({ "model": "m", "messages": [] }).to_string();
    let mut raw = house.raw().await;
    raw.send(format!("POST {CHAT} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n")).await;
    raw.send(format!("expect: 100-continue\r\ncontent-length: {}\r\n\r\n", body.len())).await;
    assert_eq!(raw.answer().await.status(), 100);
    raw.send(&body).await;
    assert_eq!(raw.answer().await.status(), 200);
    assert!(!upstream.last().has("expect"));
}
