//! One call from arrival to answer: what it asks for, what it gets, and what goes wrong on the way.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode,
    header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER},
};
use hyper::body::Incoming;
use serde_json::{Value, json};

use super::{
    call::{Call, MODEL_PREFIX},
    chat, completions,
    directives::Directives,
    embeddings,
    error::ApiError,
    script::{self, Body},
    shape::{self, Answer},
    stats::{OpenCall, Stats},
};

const MODELS: [&str; 2] = ["demo", "demo-embedding"];

/// What the calls share.
#[derive(Debug)]
pub(super) struct Upstream {
    defaults: Directives,
    stats: Arc<Stats>,
    /// Calls that named a failure so far: the rate counts among these.
    failing: AtomicU64,
    /// The call that came last, for who asks what reached the upstream.
    last: Mutex<Option<Arc<Call>>>,
}

impl Upstream {
    pub(super) fn new(defaults: Directives) -> Self {
        Self { defaults, stats: Arc::default(), failing: AtomicU64::new(0), last: Mutex::default() }
    }

    /// Answers one call. `reset` tells the connection how to close after a body that breaks off.
    pub(super) async fn answer(&self, request: Request<Incoming>, reset: Arc<AtomicBool>) -> Response<Body> {
        if let Some(seen) = self.seen(request.uri().path()) {
            // Counted nowhere: who watches must not change what is watched.
            let uncounted = Arc::<Stats>::default().arrived("");
            return json_body(StatusCode::OK, &seen, &Directives::default(), uncounted, reset);
        }
        let open = self.stats.arrived(request.uri().path());
        let (answer, directives) = match self.prepare(request).await {
            Ok((call, directives)) => (respond(&call, &directives), directives),
            Err(error) => (Err(error), Directives::default()),
        };
        match answer {
            Ok(Answer::Events(events)) => {
                self.stats.streamed();
                event_stream(events, &directives, open, reset)
            }
            Ok(Answer::Json(value)) => json_body(StatusCode::OK, &value, &directives, open, reset),
            Err(error) => {
                let mut response = json_body(error.status, &error.to_json(), &directives, open, reset);
                let by_default = (error.status == StatusCode::TOO_MANY_REQUESTS).then_some(1);
                if let Some(seconds) = directives.retry_after.or(by_default) {
                    response.headers_mut().insert(RETRY_AFTER, seconds.into());
                }
                response
            }
        }
    }

    /// Reads the call and what it asks for, and waits as long as it says.
    async fn prepare(&self, request: Request<Incoming>) -> Result<(Arc<Call>, Directives), ApiError> {
        let call = Arc::new(Call::read(request).await?);
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&call));
        let directives = self.apply_rate(call.directives(&self.defaults)?);
        if let Some(wait) = directives.latency {
            tokio::time::sleep(wait).await;
        }
        Ok((call, directives))
    }

    fn apply_rate(&self, directives: Directives) -> Directives {
        if !directives.names_a_failure() {
            return directives;
        }
        let nth = self.failing.fetch_add(1, Ordering::Relaxed) + 1;
        if directives.strikes(nth) {
            self.stats.failed();
            directives
        } else {
            directives.without_failures()
        }
    }

    /// What `/demo/stats` and `/demo/last` show; `None` for another path.
    fn seen(&self, path: &str) -> Option<Value> {
        match path {
            "/demo/stats" => Some(self.stats.to_json()),
            "/demo/last" => {
                let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
                Some(last.as_ref().map_or(Value::Null, |call| call.echo()))
            }
            _ => None,
        }
    }
}

/// The answer of the endpoint, or the error that was asked for.
fn respond(call: &Call, directives: &Directives) -> Result<Answer, ApiError> {
    if let Some(status) = directives.status {
        return Err(ApiError::on_request(status));
    }
    if directives.error200 {
        let error = ApiError::on_request(StatusCode::INTERNAL_SERVER_ERROR).to_json();
        let events = || Answer::Events(vec![shape::event(&error), shape::done()]);
        return Ok(if shape::streams(&call.json) { events() } else { Answer::Json(error) });
    }
    let echo = directives.echo.then(|| call.echo());
    // Where the answer has a text, the echo is that text, so that any SDK can read it.
    let text = echo.as_ref().map(Value::to_string);
    match (&call.head.method, call.head.uri.path(), echo) {
        (&Method::POST, "/v1/chat/completions", _) => chat::answer(call.object()?, directives, text),
        (&Method::POST, "/v1/completions", _) => completions::answer(call.object()?, directives, text.as_deref()),
        (_, _, Some(echo)) => Ok(Answer::Json(echo)),
        (&Method::POST, "/v1/embeddings", _) => embeddings::answer(call.object()?),
        (&Method::GET, path, _) => models(path).ok_or_else(|| unknown_url(call))?,
        _ => Err(unknown_url(call)),
    }
}

fn unknown_url(call: &Call) -> ApiError {
    let (method, path) = (&call.head.method, call.head.uri.path());
    ApiError::new(StatusCode::NOT_FOUND, format!("Invalid URL ({method} {path})")).coded("unknown_url")
}

/// The model endpoints; `None` for another path.
fn models(path: &str) -> Option<Result<Answer, ApiError>> {
    let model = |id: &str| json!({ "id": id, "object": "model", "created": 1_700_000_000, "owned_by": "demo" });
    if path == "/v1/models" {
        let models = MODELS.map(model);
        return Some(Ok(Answer::Json(json!({ "object": "list", "data": models }))));
    }
    let id = path.strip_prefix("/v1/models/")?;
    Some(if id.starts_with(MODEL_PREFIX) {
        Ok(Answer::Json(model(id)))
    } else {
        let error = ApiError::new(StatusCode::NOT_FOUND, format!("The model '{id}' does not exist"));
        Err(error.about("model").coded("model_not_found"))
    })
}

fn event_stream(events: Vec<Bytes>, directives: &Directives, call: OpenCall, reset: Arc<AtomicBool>) -> Response<Body> {
    let steps = script::stream_steps(events, directives);
    let mut response = Response::new(script::body(steps, call, reset));
    sign(response.headers_mut());
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream; charset=utf-8"));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}

fn json_body(
    status: StatusCode,
    value: &Value,
    directives: &Directives,
    call: OpenCall,
    reset: Arc<AtomicBool>,
) -> Response<Body> {
    let (steps, announced) = script::json_steps(value.to_string().into(), directives);
    let mut response = Response::new(script::body(steps, call, reset));
    *response.status_mut() = status;
    sign(response.headers_mut());
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response.headers_mut().insert(CONTENT_LENGTH, announced.into());
    response
}

/// The headers that a real answer has, and that a proxy must not lose.
fn sign(headers: &mut HeaderMap) {
    let id = format!("req_{}", uuid::Uuid::new_v4().simple());
    headers.extend(HeaderValue::from_str(&id).ok().map(|id| (HeaderName::from_static("x-request-id"), id)));
    headers.insert("openai-version", HeaderValue::from_static("2020-10-01"));
}
