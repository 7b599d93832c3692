//! There and back: what Anthropic's clients send is the same after it was chat.

use proptest::{collection::vec, option, prelude::*};
use serde_json::{Value, json};

use super::*;

fn maybe(of: impl Strategy<Value = Value>) -> impl Strategy<Value = Option<Value>> {
    option::of(of)
}

/// An object of those members that are there.
fn having<const N: usize>(members: [(&str, Option<Value>); N]) -> Value {
    members.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))).collect::<serde_json::Map<_, _>>().into()
}

fn words() -> impl Strategy<Value = String> {
    "[a-zé\"\\\\\n]{1,8}"
}

fn marked() -> impl Strategy<Value = Option<Value>> {
    maybe(Just(json!({ "type": "ephemeral" })))
}

fn text_block() -> impl Strategy<Value = Value> {
    (words(), marked())
        .prop_map(|(text, mark)| having([("type", Some(json!("text"))), ("text", Some(json!(text))), ("cache_control", mark)]))
}

fn source() -> impl Strategy<Value = Value> {
    prop_oneof![
        "[A-Za-z0-9]{4}".prop_map(|data| json!({ "type": "base64", "media_type": "image/png", "data": data })),
        Just(json!({ "type": "url", "url": "https://example.org/a.png" })),
        Just(json!({ "type": "file", "file_id": "file_1" })),
    ]
}

fn shown() -> impl Strategy<Value = Value> {
    let image = (source(), marked())
        .prop_map(|(source, mark)| having([("type", Some(json!("image"))), ("source", Some(source)), ("cache_control", mark)]));
    let told = words().prop_map(|data| json!({ "type": "text", "media_type": "text/plain", "data": data }));
    let pdf = Just(json!({ "type": "base64", "media_type": "application/pdf", "data": "JVBERi0=" }));
    let sources = prop_oneof![told, pdf, Just(json!({ "type": "url", "url": "https://example.org/a.pdf" }))];
    let document = (sources, maybe(words().prop_map(Value::from)), maybe(Just(json!({ "enabled": true }))), marked());
    let document = document.prop_map(|(source, title, citations, mark)| {
        having([
            ("type", Some(json!("document"))),
            ("source", Some(source)),
            ("title", title.clone()),
            ("context", title),
            ("citations", citations),
            ("cache_control", mark),
        ])
    });
    let result = words().prop_map(|text| {
        json!({ "type": "search_result", "source": "https://example.org", "title": text, "content": [{ "type": "text", "text": text }] })
    });
    prop_oneof![text_block(), image, document, result]
}

fn result() -> impl Strategy<Value = Value> {
    let content = prop_oneof![words().prop_map(Value::from), vec(shown(), 0..3).prop_map(Value::from)];
    (words(), maybe(content), maybe(any::<bool>().prop_map(Value::from)), marked()).prop_map(|(id, content, is_error, mark)| {
        having([
            ("type", Some(json!("tool_result"))),
            ("tool_use_id", Some(json!(id))),
            ("content", content),
            ("is_error", is_error),
            ("cache_control", mark),
        ])
    })
}

fn spoken() -> impl Strategy<Value = Value> {
    let thinking = (words(), words())
        .prop_map(|(thought, signature)| json!({ "type": "thinking", "thinking": thought, "signature": signature }));
    let redacted = words().prop_map(|data| json!({ "type": "redacted_thinking", "data": data }));
    let used = (words(), words(), words()).prop_map(
        |(id, name, value)| json!({ "type": "tool_use", "id": id, "name": name, "input": { "value": [value, 1, 1.5, null] } }),
    );
    let served = words()
        .prop_map(|query| json!({ "type": "server_tool_use", "id": "s", "name": "web_search", "input": { "query": query } }));
    prop_oneof![thinking, redacted, used, text_block(), served]
}

fn message() -> impl Strategy<Value = Value> {
    let said = |role: &'static str, content: Value| json!({ "role": role, "content": content });
    prop_oneof![
        words().prop_map(move |text| said("user", text.into())),
        words().prop_map(move |text| said("assistant", text.into())),
        vec(spoken(), 0..4).prop_map(move |blocks| said("assistant", blocks.into())),
        (vec(result(), 0..3), vec(shown(), 1..3))
            .prop_map(move |(results, shown)| said("user", [results, shown].concat().into())),
    ]
}

fn tool() -> impl Strategy<Value = Value> {
    let custom = (words(), maybe(words().prop_map(Value::from)), maybe(Just(json!("custom"))), marked());
    let custom = custom.prop_map(|(name, description, kind, mark)| {
        having([
            ("type", kind),
            ("name", Some(json!(name))),
            ("description", description),
            ("input_schema", Some(json!({ "type": "object", "properties": {} }))),
            ("cache_control", mark),
        ])
    });
    prop_oneof![custom, Just(json!({ "type": "web_search_20250305", "name": "web_search", "max_uses": 3 }))]
}

fn choice() -> impl Strategy<Value = Value> {
    let alone = maybe(any::<bool>().prop_map(Value::from));
    let kinds = prop_oneof![Just("auto"), Just("any"), Just("tool")];
    (kinds, alone).prop_map(|(kind, alone)| {
        let name = (kind == "tool").then(|| json!("f"));
        having([("type", Some(json!(kind))), ("name", name), ("disable_parallel_tool_use", alone)])
    })
}

fn request() -> impl Strategy<Value = Value> {
    let system = prop_oneof![words().prop_map(Value::from), vec(text_block(), 1..3).prop_map(Value::from)];
    let chosen = option::of((vec(tool(), 1..3), maybe(choice())));
    let schema = json!({ "type": "object", "properties": { "a": { "type": "string" } }, "additionalProperties": false });
    let config = prop_oneof![
        Just(json!({ "effort": "low" })),
        Just(json!({ "format": { "type": "json_schema", "schema": schema } })),
        Just(json!({ "effort": "high", "format": { "type": "json_schema", "schema": schema } })),
    ];
    let thinking = Just(json!({ "type": "enabled", "budget_tokens": 2048 }));
    let knobs =
        (maybe(Just(json!(0.5))), maybe(Just(json!(40))), maybe(Just(json!(["END"]))), maybe(Just(json!({ "user_id": "u" }))));
    let modes = (maybe(any::<bool>().prop_map(Value::from)), maybe(thinking), maybe(config), maybe(Just(json!("standard_only"))));
    (maybe(system), vec(message(), 1..5), chosen, knobs, modes).prop_map(
        |(system, messages, chosen, (temperature, top_k, stop, metadata), (stream, thinking, config, tier))| {
            let (tools, choice) = chosen.map_or((None, None), |(tools, choice)| (Some(tools.into()), choice));
            having([
                ("model", Some(json!("claude"))),
                ("max_tokens", Some(json!(1000))),
                ("system", system),
                ("messages", Some(apart(messages).into())),
                ("tools", tools),
                ("tool_choice", choice),
                ("temperature", temperature),
                ("top_k", top_k),
                ("stop_sequences", stop),
                ("metadata", metadata),
                ("stream", stream),
                ("thinking", thinking),
                ("output_config", config),
                ("service_tier", tier),
                ("container", Some(json!("c"))),
            ])
        },
    )
}

/// Turns take turns: nobody speaks twice in a row.
fn apart(mut messages: Vec<Value>) -> Vec<Value> {
    messages.dedup_by(|a, b| a["role"] == b["role"]);
    messages
}

fn answer() -> impl Strategy<Value = Value> {
    const REASONS: [&str; 7] =
        ["end_turn", "tool_use", "max_tokens", "refusal", "stop_sequence", "pause_turn", "model_context_window_exceeded"];
    let usage = (0..9_u64, 0..9_u64, maybe((0..9_u64).prop_map(Value::from)), maybe((1..9_u64).prop_map(Value::from)));
    (vec(spoken(), 0..4), prop::sample::select(&REASONS[..]), usage).prop_map(|(content, reason, (input, output, made, read))| {
        let sequence = (reason == "stop_sequence").then_some("END");
        let usage = having([
            ("input_tokens", Some(json!(input))),
            ("output_tokens", Some(json!(output))),
            ("cache_creation_input_tokens", made),
            ("cache_read_input_tokens", read),
            ("service_tier", Some(json!("standard"))),
        ]);
        json!({
            "id": "msg_1", "type": "message", "role": "assistant", "model": "claude", "content": content,
            "stop_reason": reason, "stop_sequence": sequence, "usage": usage, "container": null,
        })
    })
}

/// Any JSON, with the words of all the shapes in unlikely places.
fn anything() -> impl Strategy<Value = Value> {
    let keys = [
        "messages",
        "content",
        "role",
        "type",
        "text",
        "source",
        "system",
        "tools",
        "tool_choice",
        "name",
        "input",
        "id",
        "choices",
        "message",
        "delta",
        "tool_calls",
        "function",
        "arguments",
        "index",
        "usage",
        "error",
        "block_order",
        "thinking",
        "metadata",
        "output_config",
        "format",
        "response_format",
        "stop",
        "content_block",
        "reasoning_effort",
        "image_url",
        "document",
    ];
    let words = [
        "user",
        "assistant",
        "tool",
        "text",
        "image",
        "tool_use",
        "tool_result",
        "document",
        "message_start",
        "content_block_start",
        "content_block_delta",
        "input_json_delta",
        "message_delta",
        "thinking",
        "stop",
        "high",
        "image_url",
        "function",
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

proptest! {
    #[test]
    fn a_request_is_the_same_after_it_was_chat(request in request()) {
        let chat = request_to_chat(request.clone()).unwrap();
        prop_assert_eq!(request_from_chat(chat.clone()), request, "{}", chat);
    }

    #[test]
    fn an_answer_is_the_same_after_it_was_chat(answer in answer()) {
        let chat = answer_to_chat(answer.clone(), 7).unwrap();
        prop_assert_eq!(answer_from_chat(chat.clone()).unwrap(), answer, "{}", chat);
    }

    #[test]
    fn what_was_stripped_has_nothing_more_to_strip(request in request()) {
        let mut chat = super::super::object(request_to_chat(request).unwrap());
        strip(&mut chat, &[]);
        let stripped = Value::Object(chat.clone()).to_string();
        let json = crate::wire::Json::parse(stripped.clone().into()).unwrap();
        prop_assert!(!has_more_than_chat(&json, &[]), "{}", stripped);
        strip(&mut chat, &[]);
        prop_assert_eq!(Value::Object(chat).to_string(), stripped);
    }

    #[test]
    fn nothing_panics(value in anything()) {
        if let Ok(chat) = request_to_chat(value.clone()) {
            request_from_chat(chat);
        }
        request_from_chat(value.clone());
        answer_to_chat(value.clone(), 7);
        answer_from_chat(value.clone());
        error_to_chat(value.clone());
        error_from_chat(400, value.clone());
        strip(&mut super::super::object(value.clone()), &[]);
        for mut events in [events_to_chat(7, true), events_from_chat()] {
            let event = format!("data: {value}\n\n");
            let _ = events.push(event.repeat(2).into());
            let _ = events.finish();
        }
    }
}
