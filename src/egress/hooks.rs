//! What the hooks of a Portkey config came to, where its clients look for it: in a status of its own, and in the body.

use bytes::Bytes;
use http::{Response, StatusCode};
use hyper::ext::ReasonPhrase;
use serde_json::{Map, Value, json};

use super::Body;
use crate::{
    clock,
    exchange::{Exchange, HookCheck, HookData, HookReport, HookResult},
    guard::{Block, Gate},
    wire::json::{Json, Kind},
};

/// Hooks refuse.
const DENIED: u16 = 446;
/// A hook is not content, and does not refuse.
const FAILED: u16 = 246;

/// Where a body has what hooks came to.
pub(super) const MEMBER: &str = "hook_results";

/// The name of both statuses.
const REASON: ReasonPhrase = ReasonPhrase::from_static(b"Hooks failed");

/// What a client reads that hooks refuse.
const MESSAGE: &str =
    "The guardrail checks defined in the config failed. You can find more information in the `hook_results` object.";

/// The status of a refusal.
pub(super) fn denied() -> StatusCode {
    StatusCode::from_u16(DENIED).unwrap_or(StatusCode::BAD_REQUEST)
}

/// Says in the status of an answer that hooks are not content with it or its request.
pub(super) fn mark(response: &mut Response<Body>, exchange: &Exchange) {
    if response.status() == StatusCode::OK && !exchange.hooks.passed() {
        *response.status_mut() = StatusCode::from_u16(FAILED).unwrap_or(StatusCode::OK);
    }
    if [FAILED, DENIED].contains(&response.status().as_u16()) {
        response.extensions_mut().insert(REASON);
    }
}

/// The body of a refusal by hooks.
pub(super) fn denial(exchange: &Exchange) -> Value {
    let error = json!({ "message": MESSAGE, "type": "hooks_failed", "param": null, "code": null });
    json!({ "error": error, MEMBER: exchange.hooks })
}

/// What hooks came to where a rule has refused before them: as if it had been one.
pub(super) fn with_rule(block: &Block, exchange: &Exchange) -> Value {
    let (id, created_at) = (block.rule.clone(), clock::timestamp());
    let check = HookCheck {
        data: Some(HookData { explanation: block.summary.clone(), text_excerpt: None }),
        verdict: false,
        id: id.clone(),
        error: None,
        execution_time: 0,
        transformed: false,
        created_at: created_at.clone(),
        log: (),
        fail_on_error: false,
    };
    let result = HookResult {
        verdict: false,
        id,
        transformed: false,
        checks: vec![check],
        feedback: Value::Null,
        execution_time: 0,
        is_async: false,
        kind: "guardrail",
        created_at,
        deny: true,
    };
    let mut report = exchange.hooks.clone();
    match block.gate {
        Gate::Input => report.before.push(result),
        Gate::Output => report.after.push(result),
    }
    json!(report)
}

/// An answer with what hooks came to. What is no JSON object stays as it is.
pub(super) fn with_results(body: Bytes, report: &HookReport) -> Bytes {
    let results = json!(report).to_string();
    let Some(json) = Json::parse(body.clone()).ok().filter(|json| json.root().kind() == Kind::Object) else { return body };
    let root = json.root();
    if let Some(others) = root.get(MEMBER) {
        return json.splice([(others.span(), results.into())]);
    }
    let comma = if root.members().next().is_some() { "," } else { "" };
    let end = root.span().end - 1;
    json.splice([(end..end, format!("{comma}\"{MEMBER}\":{results}").into())])
}

/// What a stream tells before or after its answer: the results of one gate.
pub(super) fn chunk(gate: Gate, report: &HookReport) -> Option<Value> {
    let (side, results) = match gate {
        Gate::Input => ("before_request_hooks", &report.before),
        Gate::Output => ("after_request_hooks", &report.after),
    };
    (!results.is_empty()).then(|| json!({ MEMBER: Map::from_iter([(side.to_owned(), json!(results))]) }))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::{
        egress::{Form, respond},
        exchange::Tenant,
        guard::Refusal,
        pipeline::Reply,
        wire::{Dialect, Endpoint, Request, Speaker, collect},
    };

    fn result(verdict: bool) -> HookResult {
        HookResult {
            verdict,
            id: "h".to_owned(),
            transformed: false,
            checks: Vec::new(),
            feedback: Value::Null,
            execution_time: 0,
            is_async: false,
            kind: "guardrail",
            created_at: clock::timestamp(),
            deny: false,
        }
    }

    fn exchange(before: &[bool]) -> Exchange {
        let mut exchange = Exchange::new("t".to_owned(), Tenant([0; 16]));
        exchange.hooks.before = before.iter().map(|&verdict| result(verdict)).collect();
        exchange
    }

    fn block(refusal: Refusal) -> Block {
        let (rule, summary) = ("no-cards".to_owned(), "A card".to_owned());
        Block { rule, summary, gate: Gate::Input, refusal, failure: None }
    }

    async fn refused(refusal: Refusal, exchange: &Exchange) -> (u16, Value) {
        let request = Request::decode(Endpoint::Chat, r#"{"model":"m","messages":[]}"#.into()).unwrap();
        let form = Form::of(&request, Speaker::of(Dialect::Chat));
        let response = respond(Ok(Reply::Blocked(block(refusal))), &form, exchange);
        let status = response.status().as_u16();
        (status, serde_json::from_slice(&collect::whole(response.into_body(), 1 << 20).await.unwrap()).unwrap())
    }

    #[test]
    fn an_answer_has_the_results_behind_what_it_says() {
        let exchange = exchange(&[true]);
        let told = |body: &'static str| with_results(Bytes::from_static(body.as_bytes()), &exchange.hooks);
        let results = json!(exchange.hooks);
        assert_eq!(results["after_request_hooks"], json!([]));
        assert_eq!(told(r#"{ "a": 1.0 }"#), format!(r#"{{ "a": 1.0 ,"hook_results":{results}}}"#));
        assert_eq!(told("{}"), format!(r#"{{"hook_results":{results}}}"#));
        assert_eq!(told(r#"{"hook_results":3,"a":1}"#), format!(r#"{{"hook_results":{results},"a":1}}"#), "not two of them");
        for body in ["[1]", "no JSON", ""] {
            assert_eq!(told(body), body);
        }
    }

    #[test]
    fn only_an_answer_that_a_hook_is_not_content_with_is_marked() {
        for (status, before, expected) in
            [(200, &[true][..], 200), (200, &[true, false], 246), (500, &[false], 500), (200, &[], 200)]
        {
            let mut response = Response::new(Body::whole(Bytes::new()));
            *response.status_mut() = StatusCode::from_u16(status).unwrap();
            mark(&mut response, &exchange(before));
            assert_eq!(response.status().as_u16(), expected);
            assert_eq!(response.extensions().get::<ReasonPhrase>().is_some(), expected == 246);
        }
    }

    #[tokio::test]
    async fn a_refusal_by_hooks_is_portkeys() {
        let exchange = exchange(&[false]);
        let (status, body) = refused(Refusal::Hooks, &exchange).await;
        let error = json!({"message": MESSAGE, "type": "hooks_failed", "param": null, "code": null});
        assert_eq!((status, body), (446, json!({"error": error, "hook_results": exchange.hooks})));
    }

    #[tokio::test]
    async fn a_refusal_by_a_rule_looks_like_one_to_whom_a_config_came_with() {
        let mut exchange = exchange(&[]);
        let (status, body) = refused(Refusal::default(), &exchange).await;
        assert!(status == 400 && body.get("hook_results").is_none());
        exchange.portkey = true;
        let (status, body) = refused(Refusal::default(), &exchange).await;
        let hook = &body["hook_results"]["before_request_hooks"][0];
        assert_eq!((status, &body["error"]["code"]), (446, &json!("no-cards")));
        assert_eq!((&hook["id"], &hook["verdict"], &hook["deny"]), (&json!("no-cards"), &json!(false), &json!(true)));
        let teapot = Refusal::Error(StatusCode::IM_A_TEAPOT);
        assert_eq!(refused(teapot, &exchange).await.0, 418, "its author wants it so");
    }
}
