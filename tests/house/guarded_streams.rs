//! Streams through the output gate: told as far as the rules are sure, changed inside, cut where a rule refuses.

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    Answer, CHAT, House, Upstream, chat,
    flights::{all_ask, answers, taken_up},
    shapes::{delta, stop},
    streamed,
};

/// A house with one rule about zebras.
async fn house(upstream: &Upstream, action: &str) -> (House, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let rule = format!(
        "summary: No zebras\nwhy: A test.\nstage: output\naction: {action}\nmatch: {{patterns: [{{regex: '\\bzebras?\\b'}}]}}\n\
         examples: {{match: [A zebra.], pass: [A horse.]}}\n"
    );
    std::fs::write(folder.path().join("zebra.yaml"), rule).unwrap();
    let directory = folder.path().to_owned();
    (House::with(upstream, |config| config.guard.directory = Some(directory)).await, folder)
}

/// An upstream that tells these pieces, the first at once and each other on a cue.
async fn on_cue(pieces: &'static [&'static str]) -> Upstream {
    Upstream::start(move |_, mut talk| async move {
        talk.stream().await;
        for (n, piece) in pieces.iter().enumerate() {
            if n > 0 {
                talk.cue().await;
            }
            talk.event(&delta(piece)).await;
        }
        talk.event(&stop("stop")).await;
        talk.event("[DONE]").await;
        talk.end().await;
        Some(talk)
    })
    .await
}

/// An upstream that tells these pieces of the arguments of a call.
async fn calling(pieces: &'static [&'static str]) -> Upstream {
    Upstream::start(move |_, mut talk| async move {
        talk.stream().await;
        for piece in pieces {
            let call = json!({ "index": 0, "id": "c", "function": { "name": "f", "arguments": piece } });
            talk.event(&json!({ "choices": [{ "index": 0, "delta": { "tool_calls": [call] } }] }).to_string()).await;
        }
        talk.event(&stop("tool_calls")).await;
        talk.event("[DONE]").await;
        talk.end().await;
        Some(talk)
    })
    .await
}

/// Why a stream ended.
fn reason(answer: &Answer) -> String {
    let chunks = answer.events().into_iter().filter_map(|event| serde_json::from_str::<Value>(&event).ok());
    chunks.filter_map(|chunk| chunk["choices"][0]["finish_reason"].as_str().map(str::to_owned)).collect()
}

#[tokio::test]
async fn what_is_replaced_in_the_middle_of_a_stream_is_replaced_for_all_who_read_it() {
    let upstream = on_cue(&["One ze", "bra", " and a horse"]).await;
    let (house, _folder) = house(&upstream, "replace").await;
    (0..2).for_each(|_| upstream.cue());
    let first = house.ask(&streamed("Hi")).await;
    assert_eq!((first.told().as_str(), reason(&first).as_str()), ("One [REDACTED] and a horse", "stop"));
    for request in [streamed("Hi"), chat("Hi")] {
        let again = house.ask(&request).await;
        let text = if request["stream"] == true { again.told() } else { again.said() };
        assert_eq!((again.cache(), text.as_str()), ("HIT", "One [REDACTED] and a horse"));
        assert_eq!(again.header("x-lockgate-rules"), "zebra=replace");
    }
    assert_eq!(upstream.calls(), 1);
}

#[tokio::test]
async fn an_event_is_told_before_the_next_one_exists_unless_a_match_may_have_begun_in_it() {
    let upstream = on_cue(&["A horse, ", "a z", "oo"]).await;
    let (house, _folder) = house(&upstream, "block").await;
    let mut client = house.client().await;
    let mut stream = client.post(CHAT).json(&streamed("Hi")).open().await;
    assert_eq!(stream.event().await, Some(delta("A horse, ")));
    (0..2).for_each(|_| upstream.cue());
    for expected in [delta("a z"), delta("oo"), stop("stop"), "[DONE]".to_owned()] {
        assert_eq!(stream.event().await, Some(expected));
    }
}

#[tokio::test]
async fn a_block_in_the_middle_cuts_the_stream_and_what_was_told_stays_told() {
    let upstream = on_cue(&["A horse. ", "A zeb", "ra. ", "A cow."]).await;
    let (house, _folder) = house(&upstream, "block").await;
    for calls in 1..=2 {
        (0..3).for_each(|_| upstream.cue());
        let answer = house.ask(&streamed("Hi")).await;
        assert_eq!((answer.status, answer.told().as_str()), (200, "A horse. "));
        assert_eq!((reason(&answer).as_str(), answer.events().last().map(String::as_str)), ("content_filter", Some("[DONE]")));
        assert_eq!(upstream.calls(), calls, "what was cut is not kept");
    }
}

#[tokio::test]
async fn a_block_before_the_first_text_is_a_refusal() {
    let upstream = on_cue(&["", "zeb", "ra"]).await;
    let (house, _folder) = house(&upstream, "block").await;
    (0..2).for_each(|_| upstream.cue());
    let answer = house.ask(&streamed("Hi")).await;
    answer.is_error(400, "zebra", &["The answer", "No zebras"]);
}

#[tokio::test]
async fn who_asked_for_the_whole_of_a_stream_that_is_cut_is_refused() {
    let upstream = on_cue(&["A horse. ", "A zebra. "]).await;
    let (house, _folder) = house(&upstream, "block").await;
    let mut leader = house.client().await;
    let mut stream = leader.post(CHAT).json(&streamed("Hi")).open().await;
    assert_eq!(stream.event().await, Some(delta("A horse. ")));
    let follower = all_ask(&house, 1, &chat("Hi")).await;
    taken_up(&house).await;
    (0..2).for_each(|_| upstream.cue());
    answers(follower).await[0].is_error(400, "zebra", &["The answer"]);
}

#[tokio::test]
async fn a_model_that_thinks_before_it_speaks_does_not_keep_the_head_back() {
    let upstream = on_cue(&["", "Hi"]).await;
    let (house, _folder) = house(&upstream, "block").await;
    let mut client = house.client().await;
    let mut stream = client.post(CHAT).json(&streamed("Hi")).open().await;
    assert_eq!((stream.status(), stream.event().await), (200, Some(delta(""))));
    upstream.cue();
    assert_eq!(stream.event().await, Some(delta("Hi")));
}

#[tokio::test]
async fn arguments_of_tool_calls_are_guarded_in_streams_too() {
    let upstream = calling(&["{\"animal\":\"ze", "bra\"", "}"]).await;
    let (house, _folder) = house(&upstream, "replace").await;
    let answer = house.ask(&streamed("Hi")).await;
    let chunks = answer.events().into_iter().filter_map(|event| serde_json::from_str::<Value>(&event).ok());
    let pieces = chunks.filter_map(|chunk| {
        let call = &chunk["choices"][0]["delta"]["tool_calls"][0];
        call["function"]["arguments"].as_str().map(str::to_owned)
    });
    assert_eq!(pieces.collect::<String>(), r#"{"animal":"[REDACTED]"}"#);
}

#[tokio::test]
async fn callers_who_share_a_stream_each_get_their_own_values_back() {
    let upstream = on_cue(&["Charged ", "{{PAYMENT", "_CARD_", "1}}, thanks"]).await;
    let house = House::before(&upstream).await;
    let [ann, bob] = ["4111 1111 1111 1111", "5500-0055-5555-5559"];
    let mut client = house.client().await;
    let mut leader = client.post(CHAT).json(&streamed(&format!("Charge {ann}"))).open().await;
    assert_eq!(leader.event().await, Some(delta("Charged ")));
    let mut client = house.client().await;
    let mut follower = client.post(CHAT).json(&streamed(&format!("Charge {bob}"))).open().await;
    assert_eq!(follower.event().await, Some(delta("Charged ")));
    (0..3).for_each(|_| upstream.cue());
    for (mut stream, card) in [(leader, ann), (follower, bob)] {
        for expected in [delta(card), delta(""), delta(", thanks"), stop("stop"), "[DONE]".to_owned()] {
            assert_eq!(stream.event().await, Some(expected));
        }
    }
    assert_eq!(upstream.calls(), 1);
}

#[tokio::test]
async fn what_may_be_longer_than_a_rule_can_wait_for_fails_as_it_says_and_never_silently() {
    let folder = tempfile::tempdir().unwrap();
    for (on_error, told, reason_told) in [("open", "A [REDACTED].", "stop"), ("closed", "A ", "content_filter")] {
        let rule = format!(
            "summary: Keys\nwhy: A test.\nstage: output\naction: replace\nmax_span: 16B\non_error: {on_error}\n\
             match: {{patterns: [{{regex: 'key=[a-z]+'}}]}}\nexamples: {{match: [key=a], pass: [key]}}\n"
        );
        std::fs::write(folder.path().join("keys.yaml"), rule).unwrap();
        let upstream = on_cue(&["A ", "key=aaaaaaaaaaaa", "aaaaaaaaaaaa", "."]).await;
        let directory = folder.path().to_owned();
        let house = House::with(&upstream, |config| config.guard.directory = Some(directory)).await;
        (0..3).for_each(|_| upstream.cue());
        let answer = house.ask(&streamed("Hi")).await;
        assert_eq!((answer.told().as_str(), reason(&answer).as_str()), (told, reason_told));
        let metrics = house.look("/metrics").await.text();
        let counted = |line: &str| {
            line.starts_with("lockgate_rule_failures_total{") && line.contains(on_error) && line.contains("\"span\"")
        };
        assert!(metrics.lines().any(counted), "{metrics}");
    }
}
