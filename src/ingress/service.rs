//! From an HTTP request to the pipeline and back.

use std::sync::Arc;

use http::{HeaderMap, Method, Request, Response, StatusCode, header::UPGRADE};
use hyper::body::Incoming;

use super::{
    Settings, body,
    headers::{self, metadata, profiles, span, trace_id, wish},
    host,
    path::{self, Target},
};
use crate::{
    egress::{self, Body, Form},
    error::{Error, Kind, Result},
    exchange::Exchange,
    pipeline::{Ask, Call, Caller, Passage, Pipeline, Unread},
    wire::{Dialect, Endpoint, Request as WireRequest, dialect::Speaker},
};

/// Answers the requests of the data port.
#[derive(Debug)]
pub struct Service {
    /// How requests are let in.
    pub settings: Settings,
    /// What happens to a request.
    pub pipeline: Arc<Pipeline>,
    /// Whether callers are trusted because they are on this machine, and so must show that they are.
    pub local_only: bool,
}

impl Service {
    /// Answers one request.
    pub async fn call(&self, request: Request<Incoming>) -> Response<Body> {
        let (trace_id, dialect) = (trace_id(request.headers()), path::dialect(request.uri().path()));
        match self.enter(&trace_id, request).await {
            Ok(response) => response,
            Err(error) => {
                self.pipeline.refused(&error, &trace_id);
                let exchange = Exchange::new(trace_id, crate::exchange::Tenant([0; 16]));
                egress::refuse(&error, dialect, &exchange)
            }
        }
    }

    async fn enter(&self, trace_id: &str, request: Request<Incoming>) -> Result<Response<Body>> {
        if self.local_only {
            host::local_page(request.headers(), request.uri())?;
        }
        headers::bounded(&request, self.settings.max_head_bytes)?;
        if asks_for_another_protocol(&request) {
            let message =
                "Lockgate does not change protocols. Use plain HTTP requests; realtime sessions go to the provider directly.";
            return Err(Error::new(Kind::UpgradeRefused, message));
        }
        let (route, path) = path::route(request.uri().path(), &self.settings);
        let target = path::target(request.method(), path, &self.settings)?;
        let caller = self.pipeline.admit(request.headers())?;
        let tenant_name = caller.tenant_name.clone();
        let exchange = Exchange { tenant_name, ..Exchange::new(trace_id.to_owned(), caller.tenant) };
        match target {
            Target::Greeting => Ok(egress::text(StatusCode::OK, "Lockgate is here. Point your client's base URL at /v1.\n")),
            Target::Endpoint(endpoint, dialect) => self.endpoint((endpoint, dialect), route, caller, exchange, request).await,
            Target::Prompt { name, shown } => self.prompt(&name, shown, route, caller, exchange, request).await,
            Target::Unread(path) => self.unread(path, route, caller, exchange, request).await,
        }
    }

    async fn endpoint(
        &self,
        (endpoint, dialect): (Endpoint, Dialect),
        route: Option<String>,
        mut caller: Caller,
        exchange: Exchange,
        request: Request<Incoming>,
    ) -> Result<Response<Body>> {
        let (mut parts, incoming) = request.into_parts();
        caller.take_key(&mut parts.headers, dialect == Dialect::Messages);
        let bytes = body::json(&parts.headers, incoming, &self.settings).await?;
        let (bytes, speaker) = dialect.read(bytes)?;
        let ask = Ask { route, ..Ask::read(&parts.headers)? };
        self.answer(WireRequest::decode(endpoint, bytes)?, speaker, ask, parts.headers, caller, exchange).await
    }

    /// Makes a request of a prompt. From there on it is like any other.
    async fn prompt(
        &self,
        name: &str,
        shown: bool,
        route: Option<String>,
        mut caller: Caller,
        mut exchange: Exchange,
        request: Request<Incoming>,
    ) -> Result<Response<Body>> {
        let (mut parts, incoming) = request.into_parts();
        caller.take_key(&mut parts.headers, false);
        let bytes = body::json(&parts.headers, incoming, &self.settings).await?;
        let asked = serde_json::from_slice(&bytes).map_err(|error| {
            let message = format!("The request body is not accepted: {error}. Send an object such as {{\"variables\": {{}}}}.");
            Error::new(Kind::MalformedJson, message)
        })?;
        let rendered = self.pipeline.prompts.render(name, asked, fastrand::f64())?;
        if shown {
            return Ok(egress::json(StatusCode::OK, &serde_json::json!({ "success": true, "data": rendered.body })));
        }
        let mut ask = Ask { route, ..Ask::read(&parts.headers)? };
        ask.fallback = rendered.config;
        exchange.prompt = Some(rendered.name);
        let endpoint = if rendered.body.contains_key("messages") { Endpoint::Chat } else { Endpoint::Completions };
        let body = serde_json::Value::Object(rendered.body).to_string();
        self.answer(WireRequest::decode(endpoint, body.into())?, Speaker::Chat, ask, parts.headers, caller, exchange).await
    }

    async fn answer(
        &self,
        request: WireRequest,
        speaker: Speaker,
        ask: Ask,
        headers: HeaderMap,
        caller: Caller,
        mut exchange: Exchange,
    ) -> Result<Response<Body>> {
        let (wish, profiles) = (wish(&headers)?, profiles(&headers)?);
        exchange.metadata = Arc::new(metadata(&headers)?);
        exchange.portkey = ask.config.is_some();
        exchange.span = Arc::new(span(&headers));
        let form = Form { extended: !ask.strict, ..Form::of(&request, speaker) };
        let passage = Passage { headers, credential: caller.credential.clone() };
        let reply = self.pipeline.handle(Call { request, caller, passage, wish, profiles, ask }, &mut exchange).await;
        Ok(egress::respond(reply, &form, &exchange))
    }

    async fn unread(
        &self,
        mut path: String,
        route: Option<String>,
        mut caller: Caller,
        mut exchange: Exchange,
        request: Request<Incoming>,
    ) -> Result<Response<Body>> {
        let (mut parts, incoming) = request.into_parts();
        caller.take_key(&mut parts.headers, false);
        if let Some(query) = parts.uri.query() {
            path = format!("{path}?{query}");
        }
        exchange.metadata = Arc::new(metadata(&parts.headers)?);
        let ask = Ask { route, ..Ask::read(&parts.headers)? };
        let body = body::raw(incoming, &self.settings).await?;
        let passage = Passage { headers: parts.headers, credential: caller.credential.clone() };
        let unread = Unread { method: parts.method, path, body };
        let reply = self.pipeline.relay(unread, &ask, &caller, &passage, &mut exchange).await;
        Ok(egress::respond_unread(reply, &exchange))
    }
}

/// HTTP/2 over plain text is an offer that a server may pass over, and Java's client makes it with every request.
fn asks_for_another_protocol(request: &Request<Incoming>) -> bool {
    let upgrade = request.headers().get(UPGRADE).map(|value| value.to_str().unwrap_or("?"));
    request.method() == Method::CONNECT || upgrade.is_some_and(|protocol| !protocol.eq_ignore_ascii_case("h2c"))
}
