//! The one place where an error or a block becomes a status. Every kind is listed: a new one does not compile until it has its line.

use http::{HeaderValue, Response, StatusCode, header};
use serde_json::{Value, json};

use super::{Body, json as json_response};
use crate::{
    error::{Error, Kind, Origin},
    guard::{Block, Gate},
};

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
    let mut response = json_response(status_of(error.kind()), &shape(error));
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
pub(super) fn blocked(block: &Block) -> Response<Body> {
    let what = match block.gate {
        Gate::Input => "The request",
        Gate::Output => "The answer",
    };
    let message = format!("{what} was blocked by the guardrail rule `{}`: {}.", block.rule, block.summary.trim_end_matches('.'));
    let body = json!({ "error": {
        "message": message,
        "type": "guardrail_blocked",
        "param": null,
        "code": block.rule,
    }});
    json_response(StatusCode::BAD_REQUEST, &body)
}

fn type_of(kind: Kind) -> &'static str {
    match (kind, kind.origin()) {
        (Kind::Unauthenticated, _) => "authentication_error",
        (_, Origin::Client) => "invalid_request_error",
        (Kind::UpstreamTimeout, _) => "timeout_error",
        (_, Origin::Upstream) => "upstream_error",
        (_, Origin::Internal) => "server_error",
    }
}

fn status_of(kind: Kind) -> StatusCode {
    match kind {
        Kind::MalformedJson | Kind::InvalidRequest | Kind::BrokenBody | Kind::InvalidHeader | Kind::Unsupported => {
            StatusCode::BAD_REQUEST
        }
        Kind::UnsupportedMedia => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        Kind::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Kind::HeadTooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
        Kind::SlowBody | Kind::SlowReader => StatusCode::REQUEST_TIMEOUT,
        Kind::ForeignOrigin => StatusCode::FORBIDDEN,
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
