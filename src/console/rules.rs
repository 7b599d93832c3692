//! Operations on the rules, over the admin port.

use std::{
    sync::Arc,
    time::{Duration, UNIX_EPOCH},
};

use http::{Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use serde_json::{Value, json};
use tokio::task::spawn_blocking;

use super::body;
use crate::{
    diagnostics::Report,
    egress::{self, Body},
    error::{Error, Kind, Result},
    guard::{Rules, rules::Rule},
};

/// Answers an operation: what comes after `/rules`.
pub(super) async fn answer(rules: &Arc<Rules>, operation: &str, request: Request<Incoming>) -> Result<Response<Body>> {
    match (operation, request.method()) {
        ("", &Method::GET) => Ok(egress::json(StatusCode::OK, &list(rules))),
        ("/reload", &Method::POST) => {
            body::expect(request.headers(), "application/json")?;
            reload(rules).await
        }
        ("", _) => Err(Error::new(Kind::WrongMethod, "`/rules` is called with GET.")),
        ("/reload", _) => Err(Error::new(Kind::WrongMethod, "`/rules/reload` is called with POST.")),
        _ => Err(Error::new(
            Kind::UnknownEndpoint,
            format!("There is no `/rules{operation}`. There are /rules and /rules/reload."),
        )),
    }
}

/// How the rules got to be what they are.
pub(super) fn status(rules: &Rules) -> Value {
    let (status, gates) = (rules.status(), rules.gates());
    let loaded_at = humantime::format_rfc3339_seconds(UNIX_EPOCH + Duration::from_secs(status.loaded_at)).to_string();
    json!({
        "input": gates.input.rules().rules().len(),
        "output": gates.output.rules().rules().len(),
        "generation": status.generation,
        "loaded_at": loaded_at,
        "last_error": status.last_error,
    })
}

fn list(rules: &Rules) -> Value {
    let gates = rules.gates();
    let (input, output) = (gates.input.rules().rules(), gates.output.rules().rules());
    // A rule that stands at both gates is one.
    let beside = output.iter().filter(|rule| !input.iter().any(|other| other.id() == rule.id()));
    let rules_told: Vec<_> = input.iter().chain(beside).map(|rule| told(rule)).collect();
    json!({ "status": status(rules), "rules": rules_told })
}

/// A rule as it runs; `rule` is its file with the action that the configuration gives it.
fn told(rule: &Rule) -> Value {
    let written = rule.written();
    json!({
        "id": rule.id(),
        "summary": written.summary,
        "stage": written.stage,
        "action": written.action,
        "hits": rule.hits(),
        "rule": written,
    })
}

async fn reload(rules: &Arc<Rules>) -> Result<Response<Body>> {
    let reloading = Arc::clone(rules);
    let internal = |error| Error::new(Kind::Internal, "The rules were not read again.").because(error);
    match spawn_blocking(move || reloading.reload()).await.map_err(internal)? {
        Ok(reloaded) => Ok(egress::json(StatusCode::OK, &json!({ "reload": reloaded.as_str(), "status": status(rules) }))),
        Err(reports) => {
            let problems = reports.iter().map(Report::to_string).collect::<Vec<_>>().join("\n");
            let message =
                format!("The rules that were loaded before stay in place, all of them. Correct this and try again:\n{problems}");
            Err(Error::new(Kind::InvalidRequest, message))
        }
    }
}
