//! A webhook of the operator's own, in the shape of Portkey's.

use std::{collections::BTreeMap, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, Method};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    super::Kind,
    Answer, Asking, Question, RemoteCheck,
    call::{self, Target},
};
use crate::{
    error::{Error, Kind as ErrorKind, Result},
    guard::{rules::Site, verdict::Gate},
    outbound::Client,
    wire::Endpoint,
};

/// Asks a webhook, and matches where its verdict is `false`. It may send back a body that takes the place of the one it was asked about.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Webhook {
    /// Where it is called, with POST. Private addresses only if `upstream.allow_private_addresses` is set.
    pub url: String,
    /// Headers of the call.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// Headers of the client that are passed on to the webhook.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub forward_headers: Vec<String>,
    /// How long the whole call may take.
    #[serde(default = "call::default_timeout")]
    pub timeout: String,
}

impl Kind for Webhook {
    fn build(&self, site: &mut Site<'_, '_>) {
        let timeout = call::timeout(site, &self.timeout);
        if let Some(hook) = site.built(Hook::new(&self.url, &self.headers, &self.forward_headers, timeout)) {
            site.keep_remote(hook);
        }
    }
}

/// A webhook that can be called.
#[derive(Debug)]
pub(in super::super) struct Hook {
    target: Target,
    headers: HeaderMap,
    forward: Vec<HeaderName>,
    timeout: Duration,
}

/// What a webhook says.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Said {
    verdict: bool,
    transformed_data: Option<Transformed>,
}

/// The bodies that it puts in place.
#[derive(Debug, Deserialize)]
struct Transformed {
    request: Option<Transformation>,
    response: Option<Transformation>,
}

#[derive(Debug, Deserialize)]
struct Transformation {
    json: Option<Value>,
}

impl Hook {
    /// The error says which part of it cannot be used.
    pub(in super::super) fn new(
        url: &str,
        headers: &BTreeMap<String, String>,
        forward: &[String],
        timeout: Duration,
    ) -> std::result::Result<Self, String> {
        let forward = forward.iter().map(|name| call::header(name)).collect::<std::result::Result<_, _>>()?;
        Ok(Self { target: Target::of(url)?, headers: call::headers(headers)?, forward, timeout })
    }

    async fn call(&self, client: &Client, question: &Question<'_>) -> Result<Answer> {
        let mut headers = self.headers.clone();
        for name in &self.forward {
            if let Some(value) = question.headers.get(name) {
                headers.insert(name.clone(), value.clone());
            }
        }
        let said = self.target.call(client, Method::POST, headers, body(question)).await?;
        let said: Said = serde_json::from_slice(&said).map_err(|error| {
            Error::new(ErrorKind::UpstreamMalformed, "The webhook's answer has no `verdict`, or is no JSON.").because(error)
        })?;
        let transformed = said.transformed_data.and_then(|data| match question.gate() {
            Gate::Input => data.request,
            Gate::Output => data.response,
        });
        let changed = transformed.and_then(|body| body.json).filter(|json| !json.is_null());
        Ok(Answer { matches: !said.verdict, changed: changed.map(|json| json.to_string().into()) })
    }
}

impl RemoteCheck for Hook {
    fn ask<'a>(&'a self, client: &'a Client, question: &'a Question<'a>) -> Asking<'a> {
        Box::pin(self.call(client, question))
    }

    fn timeout(&self) -> Duration {
        self.timeout
    }
}

/// What a webhook is told, in the words of Portkey.
pub(super) fn body(question: &Question<'_>) -> Bytes {
    let Question { request, response, metadata, .. } = *question;
    let parsed = |bytes: &[u8]| serde_json::from_slice(bytes).unwrap_or(Value::Null);
    let asked = request.texts().last().map(|text| text.text.to_string()).unwrap_or_default();
    let answered = response.map(|response| {
        let text = response.texts().first().map(|text| text.text.to_string()).unwrap_or_default();
        json!({ "json": parsed(response.json().bytes()), "text": text, "statusCode": 200 })
    });
    let request_type = match request.endpoint() {
        Endpoint::Chat => "chatComplete",
        Endpoint::Completions => "complete",
        Endpoint::Embeddings => "embed",
    };
    let event_type = match question.gate() {
        Gate::Input => "beforeRequestHook",
        Gate::Output => "afterRequestHook",
    };
    let told = json!({
        "request": { "json": parsed(request.json().bytes()), "text": asked, "isStreamingRequest": request.stream() },
        "response": answered.unwrap_or_else(|| json!({ "json": {}, "text": "", "statusCode": null })),
        "provider": "openai",
        "requestType": request_type,
        "metadata": metadata,
        "eventType": event_type,
    });
    told.to_string().into()
}

#[cfg(test)]
mod tests {
    use super::{super::super::conformance::asking, *};
    use crate::wire::response::Response;

    #[test]
    fn a_webhook_is_told_what_portkeys_are() {
        let request = asking(
            r#"{"model":"m","stream":true,"messages":[{"role":"system","content":"be kind"},{"role":"user","content":"hi"}]}"#,
        );
        let metadata = [("env".to_owned(), "prod".to_owned())].into();
        let mut question = Question { request: &request, response: None, metadata: &metadata, headers: &HeaderMap::new() };
        let told: Value = serde_json::from_slice(&body(&question)).unwrap();
        let expected = json!({"text": "hi", "isStreamingRequest": true, "json": parsed(request.json().bytes())});
        assert_eq!(told["request"], expected);
        assert_eq!((&told["eventType"], &told["requestType"]), (&json!("beforeRequestHook"), &json!("chatComplete")));
        assert_eq!(told["metadata"], json!({"env": "prod"}));
        let answer = json!({"choices": [{"message": {"content": "hello"}, "finish_reason": "stop"}]});
        let response = Response::decode(Endpoint::Chat, answer.to_string().into()).unwrap();
        question.response = Some(&response);
        let told: Value = serde_json::from_slice(&body(&question)).unwrap();
        assert_eq!(told["response"], json!({"json": answer, "text": "hello", "statusCode": 200}));
        assert_eq!(told["eventType"], "afterRequestHook");
    }

    fn parsed(bytes: &[u8]) -> Value {
        serde_json::from_slice(bytes).unwrap()
    }
}
