//! Errors as OpenAI writes them: `{"error": {"message", "type", "param", "code"}}`.

use http::StatusCode;
use serde_json::{Value, json};

/// An error answer.
#[derive(Debug)]
pub(super) struct ApiError {
    pub(super) status: StatusCode,
    message: String,
    param: Option<&'static str>,
    code: Option<&'static str>,
}

impl ApiError {
    pub(super) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), param: None, code: None }
    }

    pub(super) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    /// The call lacks a parameter that the endpoint needs.
    pub(super) fn missing(param: &'static str) -> Self {
        Self::bad_request(format!("Missing required parameter: '{param}'.")).about(param).coded("missing_required_parameter")
    }

    /// The error that a `status=` directive asks for.
    pub(super) fn on_request(status: StatusCode) -> Self {
        let reason = status.canonical_reason().unwrap_or("an error");
        let error = Self::new(status, format!("The demo upstream was asked for a {}: {reason}.", status.as_u16()));
        match status {
            StatusCode::TOO_MANY_REQUESTS => error.coded("rate_limit_exceeded"),
            StatusCode::UNAUTHORIZED => error.coded("invalid_api_key"),
            _ => error,
        }
    }

    pub(super) fn about(self, param: &'static str) -> Self {
        Self { param: Some(param), ..self }
    }

    pub(super) fn coded(self, code: &'static str) -> Self {
        Self { code: Some(code), ..self }
    }

    pub(super) fn to_json(&self) -> Value {
        json!({ "error": {
            "message": self.message,
            "type": self.kind(),
            "param": self.param,
            "code": self.code,
        }})
    }

    fn kind(&self) -> &'static str {
        match self.status {
            StatusCode::TOO_MANY_REQUESTS => "requests",
            status if status.is_server_error() => "server_error",
            _ => "invalid_request_error",
        }
    }
}
