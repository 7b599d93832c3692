//! `POST /v1/completions`, the older text endpoint, whole and as a stream of events.

use bytes::Bytes;
use serde_json::{Value, json};

use super::{
    directives::Directives,
    error::ApiError,
    reply::{self, Reply, Said},
    shape::{self, Answer, Heading},
};

pub(super) fn answer(request: &Value, directives: &Directives, echo: Option<&str>) -> Result<Answer, ApiError> {
    let heading = Heading::new("cmpl-", request)?;
    let prompts = prompts(&request["prompt"])?;
    let choices = shape::choices(request)?;
    let limit = request["max_tokens"].as_u64();
    let answers = prompts.iter().flat_map(|prompt| {
        let said = echo.map_or_else(|| reply::sentence(prompt), str::to_owned);
        (0..choices).map(move |_| reply::text(&said, directives, limit))
    });
    let replies: Vec<Reply> = answers.collect();
    let prompt = prompts.iter().map(|prompt| reply::words(prompt)).sum();
    let usage = shape::usage(prompt, replies.iter().map(|reply| reply.said.words()).sum());
    if shape::streams(request) {
        let usage = shape::wants_usage(request).then_some(usage);
        return Ok(Answer::Events(events(&heading, &replies, usage)));
    }
    let whole = |(index, reply): (usize, &Reply)| choice(index, text(reply), Some(reply.finish));
    let mut body = heading.to_json("text_completion");
    body["choices"] = replies.iter().enumerate().map(whole).collect();
    body["usage"] = usage;
    Ok(Answer::Json(body))
}

/// One prompt or several; tokens instead of text count as their numbers.
fn prompts(prompt: &Value) -> Result<Vec<String>, ApiError> {
    match prompt {
        Value::String(text) => Ok(vec![text.clone()]),
        Value::Array(prompts) if prompts.iter().all(Value::is_string) && !prompts.is_empty() => {
            Ok(prompts.iter().filter_map(Value::as_str).map(str::to_owned).collect())
        }
        Value::Array(tokens) if !tokens.is_empty() => Ok(vec![prompt.to_string()]),
        _ => Err(ApiError::missing("prompt")),
    }
}

fn text(reply: &Reply) -> &str {
    match &reply.said {
        Said::Text(text) => text,
        Said::Tool { arguments, .. } => arguments,
    }
}

fn choice(index: usize, text: &str, finish: Option<&str>) -> Value {
    json!({ "index": index, "text": text, "logprobs": null, "finish_reason": finish })
}

fn events(heading: &Heading, replies: &[Reply], usage: Option<Value>) -> Vec<Bytes> {
    let chunk = |choices: Value| {
        let mut chunk = heading.to_json("text_completion");
        chunk["choices"] = choices;
        shape::event(&chunk)
    };
    let mut events = Vec::new();
    for (index, reply) in replies.iter().enumerate() {
        events.extend(shape::pieces(text(reply)).map(|piece| chunk(json!([choice(index, piece, None)]))));
        events.push(chunk(json!([choice(index, "", Some(reply.finish))])));
    }
    if let Some(usage) = usage {
        let mut last = heading.to_json("text_completion");
        last["choices"] = json!([]);
        last["usage"] = usage;
        events.push(shape::event(&last));
    }
    events.push(shape::done());
    events
}
