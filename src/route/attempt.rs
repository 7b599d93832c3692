//! One attempt at one upstream.

use std::borrow::Cow;

use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue, Method, Request, Response, Uri,
    header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, HOST},
};
use http_body_util::Full;
use tokio::time::timeout;

use super::{
    Answer, AnswerBody, Arriving, Head, Passage, Router, Unread, Way,
    config::{Target, plan::Leg},
    headers::{towards_client, towards_upstream},
    provider::Route,
};
use crate::{
    clock,
    error::{Error, Kind, Result},
    exchange::Exchange,
    guard::Screened,
    outbound::Body,
    wire::{
        Request as WireRequest,
        collect::{self, NotWhole},
        encoding,
    },
};

/// An answer that is read whole may be this large; images and files are relayed as they arrive.
const MAX_ANSWER_BYTES: usize = 32 << 20;

impl Router {
    /// Asks a target what the cache did not know.
    pub async fn attempt(
        &self,
        target: &Target,
        screened: &Screened,
        passage: &Passage,
        exchange: &mut Exchange,
    ) -> Result<Answer> {
        let asked = self.ask(target, screened, passage, exchange);
        match target.request_timeout {
            None => asked.await,
            Some(most) => timeout(most, asked).await.unwrap_or_else(|_elapsed| {
                let message = format!("Request exceeded the timeout sent in the request: {}ms", most.as_millis());
                Err(Error::new(Kind::RequestTimeout, message))
            }),
        }
    }

    async fn ask(&self, target: &Target, screened: &Screened, passage: &Passage, exchange: &mut Exchange) -> Result<Answer> {
        let provider = &target.destination.provider;
        let asked = changed(target, screened.request())?;
        let endpoint = asked.endpoint();
        let path = provider.path(Route::Read(endpoint, asked.model())).ok_or_else(|| {
            let message = format!("The provider `{}` has no {}. Name another for it.", provider.slug(), endpoint.as_str());
            Error::new(Kind::UnknownEndpoint, message)
        })?;
        let request = request(target, &Method::POST, &path, provider.body(&asked)?, passage)?;
        let response = self.send(target, request, exchange).await?;
        let (parts, arriving) = response.into_parts();
        let (status, headers) = (parts.status, towards_client(&parts.headers));
        if is_event_stream(&headers) && status.is_success() {
            refuse_compressed_stream(&headers)?;
            let events = provider.events(&asked, clock::unix_seconds());
            return Ok(Answer { head: Head { status, headers }, body: AnswerBody::Arriving(Arriving::new(arriving, events)) });
        }
        let (headers, body) = whole(headers, arriving).await?;
        let body = provider.answer(endpoint, status, body, clock::unix_seconds());
        Ok(Answer { head: Head { status, headers }, body: AnswerBody::Whole(body) })
    }

    /// Passes on what is not read, to the first target of its way.
    pub async fn relay(&self, unread: Unread, way: &Way, passage: &Passage, exchange: &mut Exchange) -> Result<(Head, Arriving)> {
        let Unread { method, path, body } = unread;
        let Some(Leg { target, .. }) = way.plan.legs.first() else { return Err(nowhere()) };
        let provider = &target.destination.provider;
        let path = provider.path(Route::Unread(&path)).ok_or_else(nowhere)?;
        let mut request = request(target, &method, &path, body, passage)?;
        // The bytes go on as they came, and so does what says how to read them.
        if let Some(encoding) = passage.headers.get(CONTENT_ENCODING) {
            request.headers_mut().insert(CONTENT_ENCODING, encoding.clone());
        }
        let response = self.send(target, request, exchange).await?;
        let (parts, arriving) = response.into_parts();
        let head = Head { status: parts.status, headers: towards_client(&parts.headers) };
        Ok((head, Arriving::new(arriving, None)))
    }

    async fn send(&self, target: &Target, request: Request<Full<Bytes>>, exchange: &mut Exchange) -> Result<Response<Body>> {
        let started = clock::now();
        let response = self.client.send(&target.destination.origin, request, self.patience).await;
        exchange.timings.upstream = Some(clock::now().saturating_duration_since(started));
        response
    }
}

/// The request as a target wants it, if its key may be used for the model.
fn changed<'r>(target: &Target, request: &'r WireRequest) -> Result<Cow<'r, WireRequest>> {
    let asked = if target.overrides.is_empty() {
        Cow::Borrowed(request)
    } else {
        Cow::Owned(request.with_body(target.overrides.apply(request.json()))?)
    };
    match &target.destination.virtual_key {
        Some(key) if !key.allows(asked.model()) => {
            let message = format!(
                "The virtual key `{}` may not be used for this model. The operator lists models under `virtual_keys`.",
                key.name
            );
            Err(Error::new(Kind::Forbidden, message).param("model"))
        }
        _ => Ok(asked),
    }
}

fn request(target: &Target, method: &Method, path: &str, body: Bytes, passage: &Passage) -> Result<Request<Full<Bytes>>> {
    let uri: Uri = path.parse().map_err(|error| {
        Error::new(Kind::UnknownEndpoint, "The path is not one that can be passed on. Write it without unusual characters.")
            .because(error)
    })?;
    let destination = &target.destination;
    let mut request = Request::new(Full::new(body));
    *request.method_mut() = method.clone();
    *request.uri_mut() = uri;
    let headers = request.headers_mut();
    *headers = towards_upstream(&passage.headers, !destination.is_callers(), &target.forward_headers);
    headers.insert(HOST, destination.host.clone());
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    destination.add_headers(headers, passage.credential.as_ref())?;
    Ok(request)
}

fn nowhere() -> Error {
    Error::new(Kind::UnknownEndpoint, "The provider has no such endpoint. Name another for it.")
}

fn is_event_stream(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("text/event-stream"))
}

fn encoding_of(headers: &HeaderMap) -> &str {
    headers.get(CONTENT_ENCODING).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// Events that cannot be read cannot be guarded.
fn refuse_compressed_stream(headers: &HeaderMap) -> Result<()> {
    if encoding_of(headers).is_empty() {
        return Ok(());
    }
    let message = "The upstream sent compressed events although it was asked not to. Switch compression off there.";
    Err(Error::new(Kind::UpstreamMalformed, message))
}

/// Reads a body to its end, and decodes it where the upstream compressed it unasked.
async fn whole(mut headers: HeaderMap, arriving: Body) -> Result<(HeaderMap, Bytes)> {
    let body = collect::whole(arriving, MAX_ANSWER_BYTES).await.map_err(|error| match error {
        NotWhole::TooLarge => {
            let message = format!("The upstream's answer is larger than {} MiB.", MAX_ANSWER_BYTES >> 20);
            Error::new(Kind::UpstreamMalformed, message)
        }
        NotWhole::Broken(error) => error,
    })?;
    let encoding = encoding_of(&headers).to_owned();
    if encoding.is_empty() {
        return Ok((headers, body));
    }
    headers.remove(CONTENT_ENCODING);
    let decoded = encoding::decode(&encoding, body, MAX_ANSWER_BYTES).await;
    let body = decoded.map_err(|error| {
        let message =
            format!("The upstream's answer in the encoding `{encoding}` cannot be decoded. Switch compression off there.");
        Error::new(Kind::UpstreamMalformed, message).because(format!("{error:?}"))
    })?;
    Ok((headers, body))
}
