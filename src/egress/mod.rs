//! Answer or refusal → HTTP: headers, events, bodies.

mod body;
mod events;
mod extensions;
mod headers;
mod hooks;
mod refusal;

pub use body::Body;
pub use headers::UNGUARDED;
pub use refusal::{error, shape};

use events::Events;

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header::CONTENT_TYPE};

use crate::{
    error::{Error, Result},
    exchange::Exchange,
    guard::Gate,
    pipeline::{Arriving, Head, Reply},
    wire::{Dialect, Endpoint, Request, Speaker, replay},
};

/// The form in which a client wants its answer.
#[derive(Debug, Clone)]
pub struct Form {
    /// That of this endpoint.
    pub endpoint: Endpoint,
    /// Of this model.
    pub model: String,
    /// As events.
    pub stream: bool,
    /// With a last event that has the usage.
    pub include_usage: bool,
    /// With what OpenAI's API does not have: Portkey's clients say that they do not mind.
    pub extended: bool,
    /// In the words of who asked.
    pub speaker: Speaker,
}

impl Form {
    /// The form that a request asks for.
    pub fn of(request: &Request, speaker: Speaker) -> Self {
        let (endpoint, model) = (request.endpoint(), request.model().to_owned());
        let (stream, include_usage) = (request.stream(), request.include_usage());
        Self { endpoint, model, stream, include_usage, extended: false, speaker }
    }
}

/// The response to a request that went through the pipeline.
pub fn respond(reply: Result<Reply>, form: &Form, exchange: &Exchange) -> Response<Body> {
    let mut response = match reply {
        Ok(Reply::Whole(head, restored)) => {
            let body = restored.body();
            let extended = form.extended && !form.stream && head.status.is_success();
            let body = if extended { extensions::with(body, exchange) } else { body.clone() };
            whole(head, body, form, exchange)
        }
        Ok(Reply::Stream(head, stream)) => {
            let events = if form.extended { Events::with_hooks(stream, exchange) } else { Events::of(stream) };
            with_head(head, Body::events(events))
        }
        Ok(Reply::Blocked(block)) => match refusal::answer(&block, form) {
            Some(answer) => whole(Head::json(), answer, form, exchange),
            None => refusal::blocked(&block, exchange),
        },
        Err(error) => refusal::error(&error),
    };
    hooks::mark(&mut response, exchange);
    response = spoken(response, &form.speaker);
    headers::add(response.headers_mut(), exchange);
    response
}

/// The same response in the words of who asked.
fn spoken(response: Response<Body>, speaker: &Speaker) -> Response<Body> {
    let status = response.status();
    response.map(|body| body.spoken(status, speaker))
}

/// The response to a request that never went through it.
pub fn refuse(error: &Error, dialect: Dialect, exchange: &Exchange) -> Response<Body> {
    let speaker = Speaker::of(dialect);
    let mut response = spoken(refusal::error(error), &speaker);
    headers::add(response.headers_mut(), exchange);
    response
}

/// The response to a request that was passed on unread.
pub fn respond_unread(reply: Result<(Head, Arriving)>, exchange: &Exchange) -> Response<Body> {
    let mut response = match reply {
        Ok((head, body)) => with_head(head, Body::arriving(body)),
        Err(error) => refusal::error(&error),
    };
    headers::add(response.headers_mut(), exchange);
    response.headers_mut().insert(UNGUARDED.0, HeaderValue::from_static(UNGUARDED.1));
    response
}

/// A whole answer is told as events where the client wants events; what cannot be told is sent as it is.
fn whole(mut head: Head, body: Bytes, form: &Form, exchange: &Exchange) -> Response<Body> {
    let succeeded = head.status.is_success();
    let told =
        (form.stream && succeeded).then(|| replay::events(serde_json::from_slice(&body).ok()?, form.include_usage)).flatten();
    let Some(mut events) = told else {
        let told = succeeded && !exchange.hooks.is_empty();
        return with_head(head, Body::whole(if told { hooks::with_results(body, &exchange.hooks) } else { body }));
    };
    if form.extended {
        let [before, after] = [Gate::Input, Gate::Output].map(|gate| hooks::chunk(gate, &exchange.hooks));
        events.frame(before, after);
    }
    head.headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    with_head(head, Body::told(events))
}

fn with_head(head: Head, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = head.status;
    *response.headers_mut() = head.headers;
    response
}

/// A small response of our own.
pub fn json(status: StatusCode, body: &serde_json::Value) -> Response<Body> {
    let mut response = Response::new(Body::whole(body.to_string().into()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// A line of text.
pub fn text(status: StatusCode, body: impl Into<Bytes>) -> Response<Body> {
    let mut response = Response::new(Body::whole(body.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}
