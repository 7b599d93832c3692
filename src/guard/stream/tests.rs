//! Streams through the output gate, frame by frame.

use std::collections::VecDeque;

use serde_json::{Value, json};

use super::*;
use crate::{
    exchange::Tenant,
    guard::{Gates, Settings, rules::load},
};

/// A body from frames that are all there.
struct Frames(VecDeque<Result<Bytes, Error>>);

impl Body for Frames {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        Poll::Ready(self.0.pop_front().map(|frame| frame.map(Frame::data)))
    }
}

/// A stream through the gate with the rules that ship.
fn stream(frames: Vec<Result<Bytes, Error>>) -> ClearedStream<Frames> {
    let settings = Settings { builtin: true, directory: None, overrides: Default::default() };
    let gate = Gates::of(&load(&settings).unwrap()).output;
    ClearedStream::new(Frames(frames.into()), gate, Endpoint::Chat, Tenant([0; 16]))
}

/// Whether what has been read is an answer that may be kept.
fn kept(stream: ClearedStream<Frames>) -> bool {
    let clearing = stream.finish(&mut Exchange::new("t".to_owned(), Tenant([0; 16])));
    matches!(clearing, Some(Clearing::Passed(_, Some(_))))
}

fn poll(stream: &mut ClearedStream<Frames>) -> Option<Result<Bytes, Error>> {
    let mut cx = Context::from_waker(std::task::Waker::noop());
    match Pin::new(stream).poll_frame(&mut cx) {
        Poll::Ready(frame) => frame.map(|frame| frame.map(|frame| frame.into_data().unwrap())),
        Poll::Pending => panic!("frames are all there"),
    }
}

fn chunk(delta: &str, finish: &str) -> String {
    format!("data: {{\"choices\":[{{\"index\":0,\"delta\":{delta},\"finish_reason\":{finish}}}]}}\n\n")
}

fn frames(text: &str, size: usize) -> Vec<Result<Bytes, Error>> {
    text.as_bytes().chunks(size).map(|chunk| Ok(Bytes::copy_from_slice(chunk))).collect()
}

#[test]
fn relays_the_same_bytes_and_keeps_a_whole_answer() {
    let text = chunk("{\"content\":\"hi\"}", "null") + &chunk("{}", "\"stop\"") + "data: [DONE]\n\n";
    for size in [1, 7, 1000] {
        let mut stream = stream(frames(&text, size));
        let mut out = Vec::new();
        while let Some(frame) = poll(&mut stream) {
            out.extend_from_slice(&frame.unwrap());
        }
        assert_eq!(out, text.as_bytes());
        assert!(kept(stream));
    }
}

#[test]
fn keeps_nothing_of_a_stream_that_did_not_end_well() {
    let start = chunk("{\"content\":\"hi\"}", "null");
    let cut =
        [start.clone(), start.clone() + "data: [DONE]\n\n", start.clone() + &chunk("{}", "\"length\"") + "data: [DONE]\n\n"];
    for text in cut {
        let mut stream = stream(frames(&text, 1000));
        while poll(&mut stream).is_some() {}
        assert!(!kept(stream), "{text}");
    }
}

#[test]
fn what_came_before_a_failure_is_told_and_nothing_after_it() {
    let whole = chunk("{}", "\"stop\"") + "data: [DONE]\n\n";
    let reset = || Err(Error::new(Kind::UpstreamReset, "gone"));
    let malformed = vec![Ok(Bytes::from(whole.clone() + "data: {oops\n\n")), Ok(Bytes::from(whole.clone()))];
    let cases = [(malformed, Kind::UpstreamMalformed), (vec![Ok(Bytes::from(whole.clone())), reset()], Kind::UpstreamReset)];
    for (frames, kind) in cases {
        let mut stream = stream(frames);
        assert_eq!(poll(&mut stream).unwrap().unwrap(), whole);
        assert_eq!(poll(&mut stream).unwrap().unwrap_err().kind(), kind);
        assert!(poll(&mut stream).is_none());
        assert!(!kept(stream), "{kind:?}");
    }
}

#[test]
fn a_stream_that_nobody_read_to_its_end_is_not_kept() {
    let mut stream = stream(frames(&(chunk("{}", "\"stop\"") + "data: [DONE]\n\n"), 1000));
    assert!(poll(&mut stream).is_some());
    assert!(!kept(stream));
}

const ZEBRA: &str = "summary: No zebras\nwhy: A test.\nstage: output\naction: ACTION\nmatch: {patterns: [{regex: '\\bzebras?\\b'}]}\n\
                     examples: {match: [A zebra.], pass: [A horse.]}\n";

/// A stream of these pieces, through a gate with one rule that does this about zebras.
fn zebras(action: &str, pieces: &[&str]) -> ClearedStream<Frames> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("zebra.yaml"), ZEBRA.replace("ACTION", action)).unwrap();
    let settings = Settings { builtin: false, directory: Some(folder.path().to_owned()), overrides: Default::default() };
    let gate = Gates::of(&load(&settings).unwrap()).output;
    let said = |piece: &&str| chunk(&json!({ "content": piece }).to_string(), "null");
    let end = chunk("{}", "\"stop\"") + "data: [DONE]\n\n";
    let frames = pieces.iter().map(said).chain([end]).map(|frame| Ok(frame.into())).collect();
    ClearedStream::new(Frames(frames), gate, Endpoint::Chat, Tenant([0; 16]))
}

/// What the events of a stream say, event by event, and why it ended.
fn told(stream: &mut ClearedStream<Frames>) -> (Vec<String>, String) {
    let (mut texts, mut reason) = (Vec::new(), String::new());
    while let Some(frame) = poll(stream) {
        for data in sse::data_of(&frame.unwrap()).into_iter().filter(|data| data != sse::DONE) {
            let chunk: Value = serde_json::from_slice(&data).unwrap();
            let choice = &chunk["choices"][0];
            texts.extend(choice["delta"]["content"].as_str().map(str::to_owned));
            reason.push_str(choice["finish_reason"].as_str().unwrap_or_default());
        }
    }
    (texts, reason)
}

fn exchange() -> Exchange {
    Exchange::new("t".to_owned(), Tenant([0; 16]))
}

#[test]
fn what_is_replaced_inside_a_stream_is_gone_from_it_and_from_what_is_kept() {
    let mut stream = zebras("replace", &["A ze", "br", "a, a horse"]);
    let (texts, reason) = told(&mut stream);
    assert_eq!((texts.concat().as_str(), reason.as_str()), ("A [REDACTED], a horse", "stop"));
    let mut exchange = exchange();
    let Some(Clearing::Passed(cleared, Some(_))) = stream.finish(&mut exchange) else { panic!("it is not kept") };
    assert!(String::from_utf8_lossy(cleared.body()).contains("A [REDACTED], a horse"));
    assert_eq!(exchange.rules[0].action, "replace");
}

#[test]
fn an_event_is_told_as_soon_as_no_match_can_reach_back_into_it() {
    let mut stream = zebras("replace", &["A horse", " is no z", "oo"]);
    let (texts, _) = told(&mut stream);
    assert_eq!(texts, ["A horse", " is no z", "oo"]);
    let mut stream = zebras("replace", &["A horse", " is no z", "oo"]);
    assert!(poll(&mut stream).unwrap().unwrap().windows(7).any(|bytes| bytes == b"A horse"), "it comes alone");
}

#[test]
fn a_rule_that_blocks_cuts_the_stream_and_what_was_told_stays_told() {
    let mut stream = zebras("block", &["A horse. ", "A zeb", "ra. ", "A cow."]);
    let (texts, reason) = told(&mut stream);
    assert_eq!((texts.concat().as_str(), reason.as_str()), ("A horse. ", "content_filter"));
    let mut exchange = exchange();
    assert!(matches!(stream.finish(&mut exchange), Some(Clearing::Blocked(block)) if block.rule == "zebra"));
    assert_eq!(exchange.rules[0].action, "block");
}

#[tokio::test]
async fn a_stream_that_is_cut_before_its_first_text_is_refused() {
    let mut exchange = exchange();
    let block = zebras("block", &["", "zeb", "ra. ", "A cow."]).begin(&mut exchange).await.unwrap();
    assert_eq!((block.unwrap().rule.as_str(), exchange.rules[0].action), ("zebra", "block"));
    let mut stream = zebras("block", &["A horse. ", "A zebra. "]);
    assert!(stream.begin(&mut exchange).await.unwrap().is_none());
    assert_eq!(told(&mut stream).0.concat(), "A horse. ", "what was read to begin with is told");
}

#[test]
fn what_only_warns_is_noted_at_the_end_and_holds_nothing_back() {
    let mut stream = zebras("warn", &["A ze", "bra", "."]);
    assert_eq!(told(&mut stream).0, ["A ze", "bra", "."]);
    let mut exchange = exchange();
    assert!(stream.finish(&mut exchange).is_some());
    assert_eq!(exchange.rules[0].action, "warn");
}

#[test]
fn what_was_held_back_when_a_stream_breaks_off_is_judged_as_it_stands() {
    let mut stream = zebras("replace", &["A zebra"]);
    stream.inner.0.truncate(1);
    stream.inner.0.push_back(Err(Error::new(Kind::UpstreamReset, "gone")));
    let last = poll(&mut stream).unwrap().unwrap();
    assert!(String::from_utf8_lossy(&last).contains("A [REDACTED]"));
    assert_eq!(poll(&mut stream).unwrap().unwrap_err().kind(), Kind::UpstreamReset);
}

#[test]
fn a_character_in_two_halves_is_judged_and_told_whole() {
    let mut stream = zebras("replace", &["zebra"]);
    for half in [r#"{"content":"\ude00 a "}"#, r#"{"content":"A \ud83d"}"#] {
        stream.inner.0.push_front(Ok(chunk(half, "null").into()));
    }
    assert_eq!(told(&mut stream).0, ["A ", "😀 a ", "[REDACTED]"]);
}

#[test]
fn arguments_stay_json_whatever_is_replaced_in_them() {
    let rule = "summary: No numbers\nwhy: A test.\nstage: output\naction: replace\nmatch: {patterns: [{regex: '42{3}'}]}\n\
                examples: {match: ['4222'], pass: ['422']}\n";
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("number.yaml"), rule).unwrap();
    let settings = Settings { builtin: false, directory: Some(folder.path().to_owned()), overrides: Default::default() };
    let gate = Gates::of(&load(&settings).unwrap()).output;
    let call = |arguments: &str| {
        let delta = json!({"tool_calls": [{"index": 0, "function": {"arguments": arguments}}]});
        Ok(Bytes::from(chunk(&delta.to_string(), "null")))
    };
    let end = chunk("{}", "\"stop\"") + "data: [DONE]\n\n";
    let frames = [call("{\"a\": 1"), call("42"), call("22, \"b\": \"x4"), call("222\"}"), Ok(end.into())];
    let mut stream = ClearedStream::new(Frames(frames.into()), gate, Endpoint::Chat, Tenant([0; 16]));
    while poll(&mut stream).is_some() {}
    let Some(Clearing::Passed(cleared, Some(_))) = stream.finish(&mut exchange()) else { panic!("it is not kept") };
    let body: Value = serde_json::from_slice(cleared.body()).unwrap();
    let arguments = &body["choices"][0]["message"]["tool_calls"][0]["function"]["arguments"];
    assert_eq!(arguments, r#"{"a": "[REDACTED]", "b": "x[REDACTED]"}"#);
}

#[test]
fn arguments_of_calls_are_guarded_each_by_itself() {
    let call = |n: usize, arguments: &str| {
        let delta = json!({"tool_calls": [{"index": n, "function": {"arguments": arguments}}]});
        Ok(Bytes::from(chunk(&delta.to_string(), "null")))
    };
    let mut stream = zebras("replace", &[]);
    for piece in [call(1, "bra\"}"), call(0, "bra\"}"), call(1, "{\"b\":\"co"), call(0, "{\"a\":\"ze")] {
        stream.inner.0.push_front(piece);
    }
    while poll(&mut stream).is_some() {}
    let Some(Clearing::Passed(cleared, _)) = stream.finish(&mut exchange()) else { panic!("it is not kept") };
    let body: Value = serde_json::from_slice(cleared.body()).unwrap();
    let calls = &body["choices"][0]["message"]["tool_calls"];
    assert_eq!(calls[0]["function"]["arguments"], r#"{"a":"[REDACTED]"}"#);
    assert_eq!(calls[1]["function"]["arguments"], r#"{"b":"cobra"}"#);
}
