//! An error, in either shape.

use serde_json::{Map, Value, json};

use super::super::{members, object, taken, text};

/// What Anthropic calls an error of each status.
const TYPES: [(u16, &str); 9] = [
    (400, "invalid_request_error"),
    (401, "authentication_error"),
    (402, "billing_error"),
    (403, "permission_error"),
    (404, "not_found_error"),
    (413, "request_too_large"),
    (429, "rate_limit_error"),
    (504, "timeout_error"),
    (529, "overloaded_error"),
];

/// What any other error of the server is called.
const OTHER: &str = "api_error";

/// What the answer to a request is called that a rule has blocked.
const BLOCKED: &str = "guardrail_blocked";

/// An error of Anthropic's as a chat error; `None` if it is none.
pub fn error_to_chat(error: Value) -> Option<Value> {
    let mut error = object(error);
    let mut said = members(&mut error, "error");
    let message = text(&mut said, "message")?;
    let kind = text(&mut said, "type").unwrap_or_else(|| OTHER.to_owned());
    let mut told = object(json!({ "message": message, "type": kind, "param": null, "code": null }));
    told.extend(said);
    let mut out = object(json!({ "error": told }));
    error.shift_remove("type");
    out.extend(error);
    Some(out.into())
}

/// A chat error as Anthropic's clients know one: they look at the type, which chat's servers name otherwise. `status` is that of the answer, 0 in a stream.
pub fn error_from_chat(status: u16, error: Value) -> Value {
    let mut error = object(error);
    let mut said = match error.shift_remove("error") {
        Some(Value::Object(said)) => said,
        Some(Value::String(message)) => object(json!({ "message": message })),
        _ => Map::new(),
    };
    let message = text(&mut said, "message").unwrap_or_else(|| "The upstream gave no reason.".to_owned());
    let kind = type_of(status, text(&mut said, "type"));
    let mut told = object(json!({ "type": kind, "message": message }));
    for key in ["param", "code"] {
        told.extend(taken(&mut said, key).map(|value| (key.to_owned(), value)));
    }
    let mut out = object(json!({ "type": "error", "error": told }));
    for key in ["request_id", "hook_results"] {
        out.extend(taken(&mut error, key).map(|value| (key.to_owned(), value)));
    }
    out.into()
}

/// What the status means to Anthropic's clients; where it means nothing, what the error was called. Lockgate's own word stays: a client can tell a block by it.
fn type_of(status: u16, named: Option<String>) -> String {
    let found = TYPES.iter().find(|(of, _)| *of == status).map(|(_, name)| *name);
    let named = named.filter(|name| match found {
        Some(_) => name == BLOCKED,
        None => name == BLOCKED || name == OTHER || TYPES.iter().any(|(_, known)| known == name),
    });
    let any = if (400..500).contains(&status) { "invalid_request_error" } else { OTHER };
    named.unwrap_or_else(|| found.unwrap_or(any).to_owned())
}
