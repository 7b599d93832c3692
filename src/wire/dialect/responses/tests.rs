//! What is refused, and that nothing panics.

use proptest::{collection::vec, prelude::*};
use serde_json::{Value, json};

use super::*;
use crate::error::Kind;

#[test]
fn what_chat_cannot_say_is_refused_by_name() {
    let cases = [
        (json!({ "input": "Hi", "previous_response_id": "resp_1" }), "previous_response_id", "previous_response_id"),
        (json!({ "input": "Hi", "conversation": "conv_1" }), "conversation", "conversation"),
        (json!({ "input": "Hi", "prompt": { "id": "p" } }), "prompt", "prompt"),
        (json!({ "input": "Hi", "background": true }), "background", "background"),
        (json!({ "input": "Hi", "tools": [{ "type": "web_search" }] }), "tools[0].type", "web_search"),
        (json!({ "input": [{ "type": "item_reference", "id": "i" }] }), "input[0].type", "item_reference"),
        (
            json!({ "input": [{ "role": "user", "content": [{ "type": "input_image", "file_id": "f" }] }] }),
            "input[0].content[0]",
            "input_image",
        ),
        (
            json!({ "input": "Hi", "tools": [{ "type": "function", "name": "f" }], "tool_choice": { "type": "mcp" } }),
            "tool_choice",
            "choice",
        ),
    ];
    for (body, param, word) in cases {
        let error = request_to_chat(body.clone()).unwrap_err();
        assert_eq!((error.kind(), error.field()), (Kind::Unsupported, Some(param)), "{body}");
        assert!(error.message().contains(word) && error.message().contains("/v1/responses"), "{}", error.message());
    }
    for (body, param) in
        [(json!({}), "input"), (json!({ "input": [3] }), "input[0]"), (json!({ "input": [{}] }), "input[0].role")]
    {
        let error = request_to_chat(body).unwrap_err();
        assert_eq!((error.kind(), error.field()), (Kind::InvalidRequest, Some(param)));
    }
}

#[test]
fn what_says_nothing_is_not_refused() {
    let quiet = json!({ "model": "m", "input": "Hi", "previous_response_id": null, "background": false, "store": true, "include": ["x"] });
    let (chat, _) = request_to_chat(quiet).unwrap();
    assert_eq!(chat, json!({ "model": "m", "messages": [{ "role": "user", "content": "Hi" }] }));
}

#[test]
fn an_answer_that_was_cut_is_incomplete_and_says_why() {
    for (reason, why) in [("length", "max_output_tokens"), ("content_filter", "content_filter")] {
        let answer = json!({ "id": "1", "choices": [{ "message": { "content": "Hel" }, "finish_reason": reason }] });
        let response = answer_from_chat(answer, &Echo::default()).unwrap();
        assert_eq!((&response["status"], &response["incomplete_details"]["reason"]), (&json!("incomplete"), &json!(why)));
        assert_eq!(response["output"][0]["status"], "incomplete");
    }
    assert_eq!(answer_from_chat(json!({ "choices": [] }), &Echo::default()), None);
}

#[test]
fn a_stream_that_breaks_off_ends_in_an_error() {
    let mut events = events_from_chat(Echo::default());
    let chunk = json!({ "id": "1", "choices": [{ "index": 0, "delta": { "content": "Hel" } }] });
    events.push(format!("data: {chunk}\n\n").into()).unwrap();
    let last = String::from_utf8(events.finish().unwrap().to_vec()).unwrap();
    assert!(last.starts_with("event: error\ndata: {\"type\":\"error\",\"sequence_number\":5,"), "{last}");
    let mut events = events_from_chat(Echo::default());
    let told = events.push("data: {\"error\":{\"message\":\"Overloaded\",\"code\":\"busy\"}}\n\n".into()).unwrap();
    assert!(told.starts_with(b"event: error\n") && events.finish().unwrap().is_empty());
}

/// Any JSON, with the words of both shapes in unlikely places.
fn anything() -> impl Strategy<Value = Value> {
    let keys = [
        "input",
        "content",
        "role",
        "type",
        "text",
        "tools",
        "tool_choice",
        "name",
        "output",
        "call_id",
        "choices",
        "message",
        "delta",
        "tool_calls",
        "function",
        "arguments",
        "index",
        "usage",
        "error",
        "reasoning",
        "format",
        "refusal",
        "finish_reason",
        "id",
    ];
    let words = [
        "user",
        "assistant",
        "message",
        "function_call",
        "function_call_output",
        "function",
        "input_text",
        "json_schema",
        "stop",
        "a",
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        prop::sample::select(words.to_vec()).prop_map(Value::from)
    ];
    leaf.prop_recursive(5, 60, 6, move |inner| {
        let members = vec((prop::sample::select(keys.to_vec()), inner.clone()), 0..6);
        let object = members.prop_map(|members| members.into_iter().map(|(key, value)| (key.to_owned(), value)).collect());
        prop_oneof![vec(inner, 0..4).prop_map(Value::from), object.prop_map(Value::Object)]
    })
}

/// What a chat host may tell in one chunk.
fn delta() -> impl Strategy<Value = Value> {
    let call = (0..2_u64, prop::sample::select(vec!["", "a", "b"]), "[a-z]{0,3}");
    prop_oneof![
        "[a-z]{0,3}".prop_map(|text| json!({ "content": text })),
        "[a-z]{0,3}".prop_map(|text| json!({ "reasoning_content": text })),
        "[a-z]{0,3}".prop_map(|text| json!({ "refusal": text })),
        call.prop_map(|(index, id, text)| json!({ "tool_calls": [{ "index": index, "id": id, "function": { "name": "f", "arguments": text } }] })),
    ]
}

proptest! {
    #[test]
    fn nothing_panics(value in anything()) {
        let _ = request_to_chat(value.clone());
        answer_from_chat(value.clone(), &Echo::default());
        let mut events = events_from_chat(Echo::default());
        let _ = events.push(format!("data: {value}\n\n").repeat(2).into());
        let _ = events.finish();
    }

    #[test]
    fn what_is_added_is_done_and_what_is_told_is_in_the_end(deltas in vec(delta(), 0..12)) {
        let mut events = events_from_chat(Echo::default());
        let mut told = Vec::new();
        for delta in &deltas {
            let chunk = json!({ "id": "1", "choices": [{ "index": 0, "delta": delta }] });
            told.extend_from_slice(&events.push(format!("data: {chunk}\n\n").into()).unwrap());
        }
        told.extend_from_slice(&events.push("data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n".into()).unwrap());
        prop_assert!(events.finish().unwrap().is_empty());
        let told: Vec<Value> = crate::wire::sse::data_of(&told).iter().map(|data| serde_json::from_slice(data).unwrap()).collect();
        let numbers: Vec<u64> = told.iter().map(|event| event["sequence_number"].as_u64().unwrap()).collect();
        prop_assert_eq!(numbers, (0..told.len() as u64).collect::<Vec<_>>());
        let of = |kind: &str| told.iter().filter(|event| event["type"] == kind).collect::<Vec<_>>();
        for what in ["response.output_item", "response.content_part"] {
            prop_assert_eq!(of(&format!("{what}.added")).len(), of(&format!("{what}.done")).len());
        }
        let output = &told.last().unwrap()["response"]["output"];
        let mut done = of("response.output_item.done");
        done.sort_by_key(|event| event["output_index"].as_u64());
        prop_assert_eq!(&done.into_iter().map(|event| event["item"].clone()).collect::<Value>(), output);
        let said: String = of("response.output_text.delta").iter().map(|event| event["delta"].as_str().unwrap()).collect();
        let all: String = deltas.iter().filter_map(|delta| delta["content"].as_str()).collect();
        prop_assert_eq!(said, all);
    }
}
