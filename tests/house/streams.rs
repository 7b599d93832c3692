//! Streams: relayed as they come, under backpressure, and told again from the cache.

use std::io::ErrorKind;

use serde_json::{Value, json};

use crate::{
    CHAT, House, Talk, Upstream, chat, patient,
    shapes::{delta, stop},
    streamed,
};

#[tokio::test]
async fn an_event_is_relayed_before_the_next_one_exists() {
    let upstream = Upstream::start(|_, mut talk| async move {
        talk.stream().await;
        for event in [delta("Hel"), delta("lo"), stop("stop"), "[DONE]".to_owned()] {
            talk.event(&event).await;
            talk.cue().await;
        }
        talk.end().await;
        Some(talk)
    })
    .await;
    let house = House::before(&upstream).await;
    let mut client = house.client().await;
    let mut stream = client.post(CHAT).json(&streamed("Hi")).open().await;
    for expected in [delta("Hel"), delta("lo"), stop("stop"), "[DONE]".to_owned()] {
        assert_eq!(stream.event().await, Some(expected));
        upstream.cue();
    }
    assert_eq!(stream.event().await, None);
}

#[tokio::test]
async fn a_stream_is_relayed_byte_for_byte_comments_and_all() {
    let text = format!(": keep-alive\r\n\r\nevent: x\ndata: {}\nid: 1\n\n: more\n\ndata: {}\n\n", delta("Hé"), stop("stop"));
    let pieces: Vec<Vec<u8>> = text.as_bytes().chunks(7).map(<[u8]>::to_vec).collect();
    let upstream = Upstream::start(move |_, mut talk| {
        let pieces = pieces.clone();
        async move {
            talk.stream().await;
            for piece in pieces {
                talk.write(format!("{:x}\r\n", piece.len())).await;
                talk.write(&piece).await;
                talk.write("\r\n").await;
            }
            talk.chunk("data: [DONE]\n\n").await;
            talk.end().await;
            Some(talk)
        }
    })
    .await;
    let house = House::before(&upstream).await;
    let answer = house.ask(&streamed("Hi")).await;
    assert_eq!(answer.text(), text + "data: [DONE]\n\n");
    assert_eq!(answer.header("content-type"), "text/event-stream");
    assert_eq!(house.ask(&chat("Hi")).await.said(), "Hé");
}

#[tokio::test]
async fn a_streams_answer_is_served_again_as_a_stream_and_as_a_whole() {
    let upstream = Upstream::saying("Hello there, how are you?").await;
    let house = House::before(&upstream).await;
    let first = house.ask(&streamed("Hi")).await;
    assert_eq!((first.told().as_str(), first.cache()), ("Hello there, how are you?", "MISS"));
    let again = house.ask(&streamed("Hi")).await;
    assert_eq!((again.told(), again.cache()), (first.told(), "HIT"));
    assert_eq!(again.header("content-type"), "text/event-stream");
    assert_eq!(again.events().last().map(String::as_str), Some("[DONE]"));
    let whole = house.ask(&chat("Hi")).await;
    assert_eq!((whole.said(), whole.cache()), (first.told(), "HIT"));
    assert_eq!(whole.json()["object"], "chat.completion");
    assert_eq!(upstream.calls(), 1);
}

#[tokio::test]
async fn a_whole_answer_is_served_again_as_a_stream() {
    let upstream = Upstream::saying("Hello there, how are you?").await;
    let house = House::before(&upstream).await;
    house.ask(&chat("Hi")).await;
    let mut request = streamed("Hi");
    request["stream_options"] = json!({ "include_usage": true });
    let answer = house.ask(&request).await;
    assert_eq!((answer.told().as_str(), answer.cache()), ("Hello there, how are you?", "HIT"));
    let events = answer.events();
    let usage: Value = serde_json::from_str(&events[events.len() - 2]).unwrap();
    assert_eq!((&usage["choices"], &usage["usage"]["total_tokens"]), (&json!([]), &json!(3)));
    assert_eq!(upstream.calls(), 1);
}

#[tokio::test]
async fn an_upstream_that_answers_a_stream_with_a_whole_is_told_as_events() {
    let upstream = Upstream::start(|_, talk| async move { talk.json(&crate::said("Hello.")).await }).await;
    let house = House::before(&upstream).await;
    let answer = house.ask(&streamed("Hi")).await;
    assert_eq!((answer.told().as_str(), answer.header("content-type")), ("Hello.", "text/event-stream"));
}

#[tokio::test]
async fn trailers_of_a_stream_do_no_harm() {
    let upstream = Upstream::start(|asked, mut talk| async move {
        talk.stream().await;
        for event in crate::shapes::told(&format!("Answer {}", asked.number)) {
            talk.event(&event).await;
        }
        talk.write("0\r\nx-checksum: abc\r\n\r\n").await;
        Some(talk)
    })
    .await;
    let house = House::with(&upstream, |config| config.ingress.relay = vec!["/v1/elsewhere".to_owned()]).await;
    for headers in [&[][..], &[("te", "trailers")]] {
        let answer = house.ask_with(headers, &streamed(&format!("{headers:?}"))).await;
        assert_eq!(answer.events().last().map(String::as_str), Some("[DONE]"));
        let again = house.ask(&streamed(&format!("{headers:?}"))).await;
        assert_eq!((again.cache(), again.told()), ("HIT", answer.told()));
        let relayed = house.client().await.post("/v1/elsewhere").headers(headers).json(&json!({})).send().await;
        assert_eq!(relayed.events().last().map(String::as_str), Some("[DONE]"));
    }
    assert!(upstream.asked().iter().all(|asked| asked.connection == 0), "the connection was kept");
}

/// More than all buffers between the two ends hold together.
const FLOOD: usize = 64 << 20;

#[tokio::test]
async fn a_client_that_does_not_read_makes_the_upstream_wait() {
    let event = format!("data: {}\n\n", delta(&"x".repeat(60_000)));
    let upstream = Upstream::start(move |asked, mut talk| {
        let event = event.clone();
        async move {
            if asked.request.first.starts_with("GET") {
                return talk.json(&json!({})).await;
            }
            talk.head(200, &[("content-type", "text/event-stream")]).await;
            let accepted = flood(&talk, event.as_bytes()).await;
            talk.tell(if accepted < FLOOD { "stalled" } else { "swallowed" });
            talk.gone().await;
            None
        }
    })
    .await;
    let house = House::before(&upstream).await;
    let mut client = house.client().await;
    let mut stream = client.post(CHAT).json(&streamed("Hi")).open().await;
    assert!(stream.event().await.is_some());
    // From here on nobody reads. Lockgate goes on all the same, and each round trip gives it the time to take more.
    patient(async {
        loop {
            let mut client = house.client().await;
            let turn = client.get("/v1/models").send();
            tokio::select! {
                () = upstream.told("stalled") => break,
                () = upstream.told("swallowed") => panic!("{FLOOD} bytes were taken that nobody read"),
                answer = turn => assert_eq!(answer.status, 200),
            }
            upstream.cue();
        }
    })
    .await;
    assert!(stream.event().await.is_some(), "what was held back is there when it is wanted");
}

#[tokio::test]
async fn a_client_that_never_reads_loses_its_connection_and_frees_the_upstream() {
    let event = format!("data: {}\n\n", delta(&"x".repeat(60_000)));
    let upstream = Upstream::start(move |_, mut talk| {
        let event = event.clone();
        async move {
            talk.head(200, &[("content-type", "text/event-stream")]).await;
            // What was begun is written to its end, so that nothing but the client's silence ends the stream.
            let mut at = 0;
            loop {
                match talk.try_write(&event.as_bytes()[at..]) {
                    Ok(written) => at = (at + written) % event.len(),
                    Err(error) if error.kind() == ErrorKind::WouldBlock => tokio::task::yield_now().await,
                    Err(_) => break,
                }
            }
            talk.tell("freed");
            None
        }
    })
    .await;
    let house = House::with(&upstream, |config| config.ingress.body_timeout = std::time::Duration::from_millis(50)).await;
    let mut client = house.client().await;
    let mut stream = client.post(CHAT).json(&streamed("Hi")).open().await;
    assert!(stream.event().await.is_some());
    // The client is still there and reads no more.
    patient(upstream.told("freed")).await;
}

/// Writes until nothing more is taken while many other requests are served, or until the flood is through.
async fn flood(talk: &Talk, event: &[u8]) -> usize {
    let (mut accepted, mut turns) = (0, 0);
    while accepted < FLOOD && turns < 200 {
        // What was begun is written to its end, so that the client sees whole events.
        match talk.try_write(&event[accepted % event.len()..]) {
            Ok(written) => (accepted, turns) = (accepted + written, 0),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                turns += 1;
                talk.cue().await;
            }
            Err(error) => panic!("{error}"),
        }
    }
    accepted
}
