//! The demo upstream over real sockets, as a proxy meets it.

mod harness;

use std::{io::ErrorKind, time::Duration};

use serde_json::{Value, json};

use crate::clock;
use harness::{Demo, chat};

#[test]
fn a_completion_answers_the_last_user_message_under_an_id_of_its_own() {
    let demo = Demo::start("");
    let (one, two) = (demo.chat("", &json!({})), demo.chat("", &json!({"n": 2})));
    assert_eq!(one.status, 200);
    assert!(one.head.contains("x-request-id: req_"), "{}", one.head);
    let (one, two) = (one.json(), two.json());
    assert_eq!(one["choices"][0]["message"]["content"], "This is the demo upstream. You asked: How are you?");
    assert_eq!(one["usage"]["total_tokens"], 3 + 10);
    assert_eq!(two["choices"].as_array().unwrap().len(), 2);
    assert_ne!(one["id"], two["id"]);
}

#[test]
fn a_stream_opens_with_the_role_and_ends_with_usage_and_done() {
    let demo = Demo::start("");
    let answer = demo.chat("", &json!({"stream": true, "stream_options": {"include_usage": true}}));
    assert!(answer.head.contains("content-type: text/event-stream"), "{}", answer.head);
    let events = answer.events();
    let [first, .., finish, usage, done] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!(first["choices"][0]["delta"]["role"], "assistant");
    assert_eq!(answer.streamed_text(), "This is the demo upstream. You asked: How are you?");
    assert_eq!(finish["choices"][0]["finish_reason"], "stop");
    assert_eq!(finish["usage"], Value::Null);
    assert_eq!(usage["choices"], json!([]));
    assert_eq!(usage["usage"]["completion_tokens"], 10);
    assert_eq!(done, "[DONE]");
    assert!(demo.chat("", &json!({"stream": true})).events().iter().all(|event| event.get("usage").is_none()));
}

#[test]
fn a_tool_call_streams_in_fragments_that_make_up_its_arguments() {
    let demo = Demo::start("");
    let tool = json!({"type": "function", "function": {"name": "get_weather", "parameters": {
        "type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer"}}}}});
    let request = json!({"tools": [tool], "tool_choice": "required", "stream": true});
    let events = demo.chat("", &request).events();
    let calls = || events.iter().map(|event| &event["choices"][0]["delta"]["tool_calls"][0]);
    assert_eq!(calls().next().unwrap()["function"]["name"], "get_weather");
    let arguments: String = calls().filter_map(|call| call["function"]["arguments"].as_str()).collect();
    assert_eq!(arguments, r#"{"city":"Paris","days":1}"#);
    assert_eq!(events[events.len() - 2]["choices"][0]["finish_reason"], "tool_calls");
}

#[test]
fn the_other_endpoints_answer_in_their_shapes() {
    let demo = Demo::start("");
    let text = demo.call("POST", "/v1/completions", "", r#"{"model":"demo","prompt":["a","b"]}"#).json();
    assert_eq!(text["choices"][1]["text"], "This is the demo upstream. You asked: b");
    let body = r#"{"model":"demo","prompt":"a","stream":true}"#;
    let stream = demo.call("POST", "/v1/completions", "", body).events();
    let pieces: String = stream.iter().filter_map(|event| event["choices"][0]["text"].as_str()).collect();
    assert_eq!(pieces, "This is the demo upstream. You asked: a");
    let body = r#"{"model":"demo","input":["a","b"],"dimensions":4}"#;
    let vectors = demo.call("POST", "/v1/embeddings", "", body).json();
    assert_eq!(vectors["data"][1]["embedding"].as_array().unwrap().len(), 4);
    assert_eq!(demo.call("GET", "/v1/models", "", "").json()["data"][0]["id"], "demo");
    assert_eq!(demo.call("GET", "/v1/models/demo-embedding", "", "").json()["object"], "model");
}

#[test]
fn what_cannot_be_answered_is_refused_in_the_shape_of_an_error() {
    let demo = Demo::start("");
    let chat = "/v1/chat/completions";
    let cases = [
        ("GET", "/v1/models/gpt-4", "", "", 404, "model_not_found"),
        ("POST", "/v1/nothing", "", "", 404, "unknown_url"),
        ("POST", chat, "", r#"{"model":"demo"}"#, 400, "missing_required_parameter"),
        ("POST", chat, "boom", r#"{"model":"demo"}"#, 400, "unknown_directive"),
        ("POST", chat, "", r#"{"model":"demo:boom"}"#, 400, "unknown_directive"),
    ];
    for (method, path, directives, body, status, code) in cases {
        let answer = demo.call(method, path, directives, body);
        assert_eq!((answer.status, &answer.json()["error"]["code"]), (status, &json!(code)), "{method} {path} {body}");
    }
    assert_eq!(demo.call("POST", chat, "", "{").status, 400);
}

#[test]
fn an_error_on_request_comes_from_the_header_or_the_models_name() {
    let demo = Demo::start("");
    let limited = demo.chat("", &json!({"model": "demo-7:status=429"}));
    assert_eq!(limited.status, 429);
    assert!(limited.head.contains("retry-after: 1\r\n"), "{}", limited.head);
    assert_eq!(limited.json()["error"]["code"], "rate_limit_exceeded");
    let down = demo.chat("status=503,retry-after=9", &json!({}));
    assert_eq!(down.status, 503);
    assert!(down.head.contains("retry-after: 9\r\n"), "{}", down.head);
    assert_eq!(demo.chat("", &json!({"model": "llama3:8b"})).status, 200, "other models may have colons");
    let masked = demo.chat("error200", &json!({}));
    assert_eq!((masked.status, masked.json()["error"]["type"].as_str()), (200, Some("server_error")));
    let events = demo.chat("error200", &json!({"stream": true})).events();
    assert_eq!(events[0]["error"]["type"], "server_error");
}

#[test]
fn a_rate_spares_the_other_calls() {
    let demo = Demo::start("status=500,rate=0.25");
    let statuses: Vec<u16> = (0..8).map(|_| demo.chat("", &json!({})).status).collect();
    assert_eq!(statuses, [200, 200, 200, 500, 200, 200, 200, 500]);
    assert_eq!(demo.stats()["failed"], 2);
}

#[test]
fn an_echo_shows_what_arrived() {
    let demo = Demo::start("");
    let answer = demo.chat("", &json!({"model": "demo:echo", "user": "me"})).json();
    let echo: Value = serde_json::from_str(answer["choices"][0]["message"]["content"].as_str().unwrap()).unwrap();
    assert_eq!(echo["path"], "/v1/chat/completions");
    assert_eq!(echo["headers"]["host"], "demo");
    assert_eq!(echo["body"], chat(&json!({"model": "demo:echo", "user": "me"})));
    assert_eq!(demo.call("GET", "/v1/models", "echo", "").json()["method"], "GET");
}

#[test]
fn the_last_call_can_be_seen_beside_its_answer() {
    let demo = Demo::start("");
    let last = || demo.call("GET", "/demo/last", "", "").json();
    assert_eq!(last(), Value::Null);
    demo.chat("status=500", &json!({"user": "me"}));
    assert_eq!(last()["body"], chat(&json!({"user": "me"})));
    assert_eq!(last()["headers"]["x-demo"], "status=500");
}

#[test]
fn a_stream_breaks_where_it_was_told_to() {
    let demo = Demo::start("");
    let stream = || json!({"stream": true, "stream_options": {"include_usage": true}});
    let reset = demo.chat("reset=3", &stream());
    assert_eq!((reset.events().len(), reset.broken), (3, Some(ErrorKind::ConnectionReset)));
    let malformed = demo.chat("malformed=2", &stream());
    assert_eq!(malformed.events()[2], json!(r#"{"id": "chatcmpl-"#));
    assert_eq!(malformed.events().last(), Some(&json!("[DONE]")));
    let cut = demo.chat("truncate", &stream());
    assert!(!cut.events().is_empty() && !cut.body.contains("[DONE]"), "{}", cut.body);
    assert_eq!(cut.broken, None);
}

#[test]
fn a_body_breaks_where_it_was_told_to() {
    let demo = Demo::start("");
    let reset = demo.chat("reset=10", &json!({}));
    assert_eq!((reset.body.len(), reset.broken), (10, Some(ErrorKind::ConnectionReset)));
    let cut = demo.chat("truncate", &json!({}));
    assert!(!cut.head.contains(&format!("content-length: {}\r\n", cut.body.len())) && !cut.body.is_empty());
    let malformed = demo.chat("malformed=20", &json!({}));
    assert!(malformed.head.contains("content-length: 20\r\n") && malformed.body.len() == 20);
    assert_eq!(demo.stats()["cancelled"], 0, "what breaks off on request is no cancellation");
}

#[test]
fn latency_comes_before_the_head_and_interval_between_the_events() {
    let demo = Demo::start("");
    let start = clock::now();
    demo.chat("latency=60", &json!({}));
    assert!(start.elapsed() >= Duration::from_millis(60));
    let start = clock::now();
    let events = demo.chat("interval=15,tokens=3", &json!({"stream": true})).events();
    assert_eq!(events.len(), 6, "role, three words, finish, done");
    assert!(start.elapsed() >= Duration::from_millis(75));
}

#[test]
fn a_client_that_leaves_is_counted_as_cancelled() {
    let demo = Demo::start("");
    let stalled = demo.send("POST", "/v1/chat/completions", "stall=2", &chat(&json!({"stream": true})));
    let late = demo.send("POST", "/v1/chat/completions", "latency=600000", &chat(&json!({})));
    demo.wait_for("open", 2);
    drop((stalled, late));
    demo.wait_for("cancelled", 2);
    demo.wait_for("open", 0);
    demo.chat("", &json!({}));
    let stats = demo.stats();
    assert_eq!((&stats["calls"], &stats["chat"], &stats["cancelled"]), (&json!(3), &json!(3), &json!(2)));
}
