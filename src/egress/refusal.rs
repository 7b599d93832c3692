//! The one place where an error or a block becomes a status. Every kind is listed: a new one does not compile until it has its line.

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Body, Form, hooks, json as json_response};
use crate::{
    clock,
    error::{Error, Kind, Origin},
    exchange::Exchange,
    guard::{Block, Gate, Refusal},
    wire::Endpoint,
};

/// Says to Portkey's clients that the answer is the gateway's and not a provider's, so that they do not try again by themselves.
const EXCEPTION: header::HeaderName = header::HeaderName::from_static("x-portkey-gateway-exception");

/// An error in the shape that OpenAI's clients read.
pub fn shape(error: &Error) -> Value {
    json!({ "error": {
        "message": error.told(),
        "type": type_of(error.kind()),
        "param": error.field(),
        "code": error.kind().as_str(),
    }})
}

/// An error as a response.
pub fn error(error: &Error) -> Response<Body> {
    let mut body = shape(error);
    if error.kind() == Kind::InvalidConfig {
        // Portkey's own clients look here.
        body["status"] = "failure".into();
        body["message"] = error.told().into();
    }
    let mut response = json_response(status_of(error.kind()), &body);
    if let Some(wait) = error.wait() {
        response.headers_mut().insert(header::RETRY_AFTER, wait.as_secs().max(1).into());
    }
    response.headers_mut().insert(EXCEPTION, HeaderValue::from_static("true"));
    match error.kind() {
        // The rest of the body is still on its way and will not be read.
        Kind::TooLarge | Kind::BrokenBody | Kind::SlowBody => {
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        Kind::Unauthenticated => {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        _ => {}
    }
    response
}

/// A block as a response. It names the rule and never the text.
pub(super) fn blocked(block: &Block, exchange: &Exchange) -> Response<Body> {
    if block.refusal == Refusal::Hooks {
        return json_response(hooks::denied(), &hooks::denial(exchange));
    }
    let what = match block.gate {
        Gate::Input => "The request",
        Gate::Output => "The answer",
    };
    let failure = block.failure.map(|failure| format!(" It could not judge: it {}.", failure.told())).unwrap_or_default();
    let summary = block.summary.trim_end_matches('.');
    let mut body = json!({ "error": {
        "message": format!("{what} was blocked by the guardrail rule `{}`: {summary}.{failure}", block.rule),
        "type": "guardrail_blocked",
        "param": null,
        "code": block.rule,
    }});
    let status = match block.refusal {
        Refusal::Error(status) => status,
        Refusal::Answer(_) | Refusal::Hooks => StatusCode::BAD_REQUEST,
    };
    if !exchange.portkey {
        return json_response(status, &body);
    }
    body[hooks::MEMBER] = hooks::with_rule(block, exchange);
    // Portkey's clients know a refusal by its status; another status is what the rule's author wants to be told.
    json_response(if status == StatusCode::BAD_REQUEST { hooks::denied() } else { status }, &body)
}

/// A block as what looks like an answer, if the rule wants that and the endpoint answers with words.
pub(super) fn answer(block: &Block, form: &Form) -> Option<Bytes> {
    let Refusal::Answer(text) = &block.refusal else { return None };
    let (object, said) = match form.endpoint {
        Endpoint::Chat => ("chat.completion", json!({ "message": { "role": "assistant", "content": text } })),
        Endpoint::Completions => ("text_completion", json!({ "text": text })),
        Endpoint::Embeddings => return None,
    };
    let mut choice = json!({ "index": 0, "logprobs": null, "finish_reason": "content_filter" });
    choice.as_object_mut()?.extend(said.as_object()?.clone());
    let answer = json!({
        "id": format!("lockgate-{}", Uuid::new_v4()),
        "object": object,
        "created": clock::unix_seconds(),
        "model": form.model,
        "choices": [choice],
        "usage": { "prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0 },
    });
    Some(answer.to_string().into())
}

fn type_of(kind: Kind) -> &'static str {
    match (kind, kind.origin()) {
        (Kind::Unauthenticated, _) => "authentication_error",
        (_, Origin::Client) => "invalid_request_error",
        (Kind::UpstreamTimeout | Kind::RequestTimeout, _) => "timeout_error",
        (_, Origin::Upstream) => "upstream_error",
        (_, Origin::Internal) => "server_error",
    }
}

fn status_of(kind: Kind) -> StatusCode {
    match kind {
        Kind::MalformedJson
        | Kind::InvalidRequest
        | Kind::BrokenBody
        | Kind::InvalidHeader
        | Kind::Unsupported
        | Kind::InvalidConfig => StatusCode::BAD_REQUEST,
        Kind::UnsupportedMedia => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        Kind::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Kind::HeadTooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
        Kind::SlowBody | Kind::SlowReader | Kind::RequestTimeout => StatusCode::REQUEST_TIMEOUT,
        Kind::ForeignOrigin | Kind::Forbidden => StatusCode::FORBIDDEN,
        Kind::Limited => StatusCode::TOO_MANY_REQUESTS,
        Kind::OverBudget => StatusCode::PRECONDITION_FAILED,
        Kind::Unauthenticated => StatusCode::UNAUTHORIZED,
        Kind::UnknownEndpoint | Kind::UnknownEntry => StatusCode::NOT_FOUND,
        Kind::WrongMethod => StatusCode::METHOD_NOT_ALLOWED,
        Kind::UpgradeRefused => StatusCode::NOT_IMPLEMENTED,
        Kind::Unreachable | Kind::UpstreamReset | Kind::UpstreamMalformed | Kind::UpstreamError | Kind::ForbiddenAddress => {
            StatusCode::BAD_GATEWAY
        }
        Kind::UpstreamTimeout => StatusCode::GATEWAY_TIMEOUT,
        Kind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        Kind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}
