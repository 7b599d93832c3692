//! `POST /v1/chat/completions`, whole and as a stream of events.

use bytes::Bytes;
use serde_json::{Value, json};

use super::{
    directives::Directives,
    error::ApiError,
    reply::{self, Reply, Said},
    shape::{self, Answer, Heading},
};

/// A streamed tool call comes in pieces of this many characters, so that a client has to put them together.
const ARGUMENT_FRAGMENT: usize = 8;

pub(super) fn answer(request: &Value, directives: &Directives, echo: Option<String>) -> Result<Answer, ApiError> {
    let heading = Heading::new("chatcmpl-", request)?;
    let messages = request["messages"].as_array().filter(|messages| !messages.is_empty());
    let messages = messages.ok_or_else(|| ApiError::missing("messages"))?;
    let reply = match echo {
        Some(request) => Reply { said: Said::Text(request), finish: "stop" },
        None => reply::chat(request, messages, directives),
    };
    let choices = shape::choices(request)?;
    let prompt = messages.iter().map(|message| reply::words(&reply::content_text(&message["content"]))).sum();
    let usage = shape::usage(prompt, reply.said.words() * choices);
    if shape::streams(request) {
        let usage = shape::wants_usage(request).then_some(usage);
        return Ok(Answer::Events(events(&heading, &reply, choices, usage.as_ref())));
    }
    let choices: Vec<Value> = (0..choices).map(|index| choice(index, &reply)).collect();
    let mut body = heading.to_json("chat.completion");
    body["choices"] = choices.into();
    body["usage"] = usage;
    Ok(Answer::Json(body))
}

fn choice(index: usize, reply: &Reply) -> Value {
    let mut message = json!({ "role": "assistant", "content": null, "refusal": null, "annotations": [] });
    match &reply.said {
        Said::Text(text) => message["content"] = json!(text),
        Said::Tool { name, arguments } => {
            message["tool_calls"] = json!([{
                "id": call_id(),
                "type": "function",
                "function": { "name": name, "arguments": arguments },
            }]);
        }
    }
    json!({ "index": index, "message": message, "logprobs": null, "finish_reason": reply.finish })
}

/// The events of the whole stream: for every choice its role, its pieces and its end, then usage if asked for.
fn events(heading: &Heading, reply: &Reply, choices: usize, usage: Option<&Value>) -> Vec<Bytes> {
    let chunk = |choices: Value| {
        let mut chunk = heading.to_json("chat.completion.chunk");
        chunk["choices"] = choices;
        if usage.is_some() {
            // OpenAI says `null` on every chunk but the last of a stream that will end with the usage.
            chunk["usage"] = Value::Null;
        }
        chunk
    };
    let mut events = Vec::new();
    for index in 0..choices {
        for (delta, finish) in deltas(reply) {
            let choice = json!([{ "index": index, "delta": delta, "logprobs": null, "finish_reason": finish }]);
            events.push(shape::event(&chunk(choice)));
        }
    }
    if let Some(usage) = usage {
        let mut last = chunk(json!([]));
        last["usage"] = usage.clone();
        events.push(shape::event(&last));
    }
    events.push(shape::done());
    events
}

/// The deltas of one choice, each with its finish reason.
fn deltas(reply: &Reply) -> Vec<(Value, Option<&'static str>)> {
    let mut deltas = match &reply.said {
        Said::Text(text) => text_deltas(text),
        Said::Tool { name, arguments } => tool_deltas(name, arguments),
    };
    deltas.push((json!({}), Some(reply.finish)));
    deltas
}

fn text_deltas(text: &str) -> Vec<(Value, Option<&'static str>)> {
    let role = json!({ "role": "assistant", "content": "", "refusal": null });
    let pieces = shape::pieces(text).map(|piece| json!({ "content": piece }));
    std::iter::once(role).chain(pieces).map(|delta| (delta, None)).collect()
}

fn tool_deltas(name: &str, arguments: &str) -> Vec<(Value, Option<&'static str>)> {
    let opening = json!({ "role": "assistant", "content": null, "tool_calls": [{
        "index": 0, "id": call_id(), "type": "function", "function": { "name": name, "arguments": "" },
    }]});
    let characters: Vec<char> = arguments.chars().collect();
    let fragments = characters.chunks(ARGUMENT_FRAGMENT).map(|fragment| {
        let arguments: String = fragment.iter().collect();
        json!({ "tool_calls": [{ "index": 0, "function": { "arguments": arguments } }] })
    });
    std::iter::once(opening).chain(fragments).map(|delta| (delta, None)).collect()
}

fn call_id() -> String {
    format!("call_{}", uuid::Uuid::new_v4().simple())
}
