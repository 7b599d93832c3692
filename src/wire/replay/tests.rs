//! What is told again is what was answered.

use proptest::prelude::*;

use super::*;
use crate::wire::assemble::Assembler;

fn chunks(stream: &[u8]) -> Vec<Value> {
    let data = sse::data_of(stream);
    let (done, chunks) = data.split_last().unwrap();
    assert_eq!(done, sse::DONE);
    chunks.iter().map(|chunk| serde_json::from_slice(chunk).unwrap()).collect()
}

fn told(answer: &Value, include_usage: bool) -> Vec<Value> {
    chunks(&events(answer.clone(), include_usage).unwrap().collect::<Vec<_>>().concat())
}

fn assembled(chunks: Vec<Value>) -> Value {
    let mut assembler = Assembler::default();
    for chunk in chunks {
        assembler.push(chunk);
    }
    assembler.finish()
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![any::<String>(), "([a-z]{1,9} ){0,40}", "(é|漢字|👩‍👩‍👧|\u{301}|\r\n| |a){0,60}"]
}

/// Fields of an object, each there or not.
fn maybe(fields: impl IntoIterator<Item = (&'static str, BoxedStrategy<Value>)>) -> impl Strategy<Value = Map<String, Value>> {
    let fields = fields.into_iter().map(|(key, value)| prop::option::of(value).prop_map(move |value| (key.to_owned(), value)));
    fields.collect::<Vec<_>>().prop_map(|fields| fields.into_iter().filter_map(|(key, value)| Some((key, value?))).collect())
}

fn string() -> BoxedStrategy<Value> {
    text().prop_map(|text| json!(text)).boxed()
}

fn call() -> BoxedStrategy<Value> {
    let function =
        ("[a-z_]{1,9}", text()).prop_map(|(name, arguments)| ("function", json!({"name": name, "arguments": arguments})));
    let custom = ("[a-z_]{1,9}", text()).prop_map(|(name, input)| ("custom", json!({"name": name, "input": input})));
    let call = ("[a-z0-9]{0,6}", prop_oneof![function, custom]);
    call.prop_map(|(id, (kind, body))| json!({"id": id, "type": kind, kind: body, "of_a_call": [{"index": 0}]})).boxed()
}

fn message() -> impl Strategy<Value = Value> {
    let content = prop_oneof![Just(Value::Null), string()].boxed();
    let calls = prop_oneof![Just(Value::Null), prop::collection::vec(call(), 0..3).prop_map(|calls| json!(calls))].boxed();
    let function_call =
        ("[a-z]{1,5}", text()).prop_map(|(name, arguments)| json!({"name": name, "arguments": arguments})).boxed();
    let annotations = json!([{"type": "url_citation", "index": 0, "url": "u"}, {"type": "url_citation", "index": 0, "url": "v"}]);
    let audio = json!({"id": "a", "data": "UklGRg==", "transcript": "yes", "expires_at": 1});
    maybe([
        ("content", content.clone()),
        ("refusal", content.clone()),
        ("reasoning", content.clone()),
        ("reasoning_content", content),
        ("tool_calls", calls),
        ("function_call", prop_oneof![Just(Value::Null), function_call].boxed()),
        ("annotations", prop_oneof![Just(json!([])), Just(annotations)].boxed()),
        ("audio", prop_oneof![Just(Value::Null), Just(audio)].boxed()),
        ("of_a_message", string()),
    ])
    .prop_map(|fields| {
        let mut message = Map::from_iter([("role".to_owned(), json!("assistant"))]);
        message.extend(fields);
        Value::Object(message)
    })
}

/// The tokens of a text, a few characters each.
fn tokens(text: &str, size: usize) -> Value {
    let chars: Vec<char> = text.chars().collect();
    chars
        .chunks(size)
        .map(|token| json!({"token": String::from_iter(token), "logprob": -0.5, "bytes": null, "top_logprobs": []}))
        .collect()
}

prop_compose! {
    fn choice(index: usize)(
        message in message(),
        finish in prop::sample::select(vec!["stop", "length", "tool_calls"]),
        logprobs in 0..5,
        size in 1..6_usize,
        more in maybe([("of_a_choice", string()), ("content_filter_results", Just(json!({"hate": {"filtered": false}})).boxed())]),
    ) -> Value {
        let of = |key: &str| message[key].as_str().map_or(Value::Null, |text| tokens(text, size));
        let logprobs = match logprobs {
            0 => Value::Null,
            1 => json!({"content": [{"token": "a", "logprob": -0.5}], "refusal": null}),
            2 => json!({"content": of("content"), "refusal": of("refusal")}),
            3 => json!({"content": of("content"), "refusal": null, "of_logprobs": 1}),
            _ => json!({}),
        };
        let mut choice = Map::from_iter([("index".to_owned(), json!(index)), ("message".to_owned(), message)]);
        choice.insert("finish_reason".to_owned(), json!(finish));
        choice.insert("logprobs".to_owned(), logprobs);
        choice.extend(more);
        Value::Object(choice)
    }
}

prop_compose! {
    fn answer()(
        choices in (0..4_usize).prop_flat_map(|count| (0..count).map(choice).collect::<Vec<_>>()),
        model in "[a-z-]{1,8}",
        more in maybe([
            ("system_fingerprint", prop_oneof![Just(Value::Null), Just(json!("fp_1"))].boxed()),
            ("service_tier", Just(json!("default")).boxed()),
            ("of_an_answer", string()),
            ("citations", Just(json!(["a", {"index": 0}, {"index": 0}])).boxed()),
        ]),
    ) -> Value {
        let mut answer = json!({"id": "x", "object": "chat.completion", "created": 1, "model": model, "choices": choices});
        answer.as_object_mut().unwrap().extend(more);
        answer["usage"] = json!({"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3});
        answer
    }
}

proptest! {
    #[test]
    fn what_is_told_again_is_what_was_answered(answer in answer()) {
        prop_assert_eq!(assembled(told(&answer, true)), answer);
    }

    #[test]
    fn the_usage_is_told_to_who_asks_for_it_and_last(answer in answer()) {
        let with = told(&answer, true);
        let (last, others) = with.split_last().unwrap();
        prop_assert_eq!((&last["choices"], &last["usage"]), (&json!([]), &answer["usage"]));
        prop_assert!(others.iter().all(|chunk| chunk.get("usage").is_some_and(Value::is_null) ));
        prop_assert!(told(&answer, false).iter().all(|chunk| chunk.get("usage").is_none()));
    }

    #[test]
    fn every_chunk_says_which_answer_it_belongs_to(answer in answer()) {
        for chunk in told(&answer, false) {
            for key in ["id", "created", "model", "system_fingerprint", "service_tier"] {
                prop_assert_eq!(chunk.get(key), answer.get(key));
            }
            prop_assert_eq!(&chunk["object"], "chat.completion.chunk");
        }
    }

    #[test]
    fn legacy_completions_too(text in text(), echo in any::<bool>()) {
        let logprobs = echo.then(|| json!({"tokens": ["a", "b"], "token_logprobs": [null, 0], "top_logprobs": [null, {"index": 0}], "text_offset": [0, 1]}));
        let answer = json!({"id": "x", "object": "text_completion", "created": 1, "model": "m", "choices": [
            {"index": 0, "text": text, "finish_reason": "stop", "logprobs": logprobs},
            {"index": 1, "text": "", "finish_reason": "length", "logprobs": null}]});
        prop_assert_eq!(assembled(told(&answer, false)), answer);
    }
}

#[test]
fn a_call_is_told_by_its_name_first_and_then_in_pieces() {
    let arguments = r#"{"city": "Paris", "unit": "celsius", "days": 3}"#;
    let call =
        |id: &str| json!({"index": 0, "id": id, "type": "function", "function": {"name": "weather", "arguments": arguments}});
    let message = json!({"role": "assistant", "content": null, "tool_calls": [call("a"), call("b")]});
    let chunks = told(&json!({"choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}]}), false);
    let calls: Vec<&Value> = chunks.iter().filter_map(|chunk| chunk["choices"][0]["delta"]["tool_calls"].get(0)).collect();
    assert_eq!(calls.len(), 6);
    for (n, (id, calls)) in ["a", "b"].into_iter().zip(calls.chunks(3)).enumerate() {
        assert_eq!(
            *calls[0],
            json!({"index": n, "id": id, "type": "function", "function": {"name": "weather", "arguments": ""}})
        );
        assert!(calls[1..].iter().all(|call| call.as_object().unwrap().len() == 2 && call["index"] == n));
        let told: String = calls.iter().map(|call| call["function"]["arguments"].as_str().unwrap()).collect();
        assert_eq!(told, arguments);
    }
}

#[test]
fn a_long_answer_leaves_in_blocks_of_whole_events() {
    let answer =
        json!({"id": "x", "choices": [{"index": 0, "message": {"role": "assistant", "content": "word ".repeat(20_000)}}]});
    let blocks: Vec<Bytes> = events(answer, false).unwrap().collect();
    assert!(blocks.len() > 10);
    for block in &blocks {
        assert!(block.len() < BLOCK_BYTES + 1024 && block.ends_with(b"\n\n"), "{}", block.len());
    }
}

#[test]
fn what_has_no_choices_is_not_told() {
    for answer in [json!({"error": {}}), json!([]), json!({"choices": [1]}), json!({"choices": [{"index": 0}]})] {
        assert!(events(answer, false).is_none());
    }
}

#[test]
fn something_else_is_told_before_the_answer_and_behind_it() {
    let answer = json!({"choices": [{"message": {"content": "Hi"}, "finish_reason": "stop"}]});
    let plain = told(&answer, false);
    let mut replay = events(answer.clone(), false).unwrap();
    replay.frame(Some(json!({"first": 1})), Some(json!({"last": 1})));
    let framed = chunks(&replay.collect::<Vec<_>>().concat());
    assert_eq!(framed, [vec![json!({"first": 1})], plain.clone(), vec![json!({"last": 1})]].concat());
    let mut replay = events(answer, false).unwrap();
    replay.frame(None, None);
    assert_eq!(chunks(&replay.collect::<Vec<_>>().concat()), plain);
}
