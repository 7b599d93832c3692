//! One attempt at one upstream.

use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue, Method, Request, Response, Uri,
    header::{ACCEPT_ENCODING, AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, HOST},
};
use http_body_util::Full;
use secrecy::ExposeSecret as _;

use super::{
    Answer, AnswerBody, Arriving, Head, Passage, Settings, Unread,
    headers::{towards_client, towards_upstream},
};
use crate::{
    clock,
    error::{Error, Kind, Result},
    exchange::Exchange,
    guard::Screened,
    outbound::{Body, Client, Origin, Patience},
    wire::{
        collect::{self, NotWhole},
        encoding,
    },
};

/// An answer that is read whole may be this large; images and files are relayed as they arrive.
const MAX_ANSWER_BYTES: usize = 32 << 20;

/// Sends requests to the upstream.
#[derive(Debug, Clone)]
pub struct Router {
    client: Client,
    origin: Origin,
    base_path: String,
    host: HeaderValue,
    identity: String,
    credential: Option<HeaderValue>,
    patience: Patience,
}

impl Router {
    /// A router to one upstream; `None` if its URL has no host or its key is no header value.
    pub fn new(settings: &Settings, client: Client) -> Option<Self> {
        let origin = Origin::of(&settings.base_url)?;
        let authority = settings.base_url.authority()?.as_str();
        let credential = match &settings.api_key {
            Some(key) => {
                let mut value = HeaderValue::from_str(&format!("Bearer {}", key.expose_secret())).ok()?;
                value.set_sensitive(true);
                Some(value)
            }
            None => None,
        };
        let base_path = settings.base_url.path().trim_end_matches('/').to_owned();
        Some(Self {
            client,
            identity: format!("{origin}{base_path}"),
            origin,
            base_path,
            host: HeaderValue::from_str(authority).ok()?,
            credential,
            patience: Patience { head: settings.response_timeout, idle: settings.idle_timeout },
        })
    }

    /// The same router, whose upstream is identified otherwise than by its URL.
    #[must_use]
    pub fn known_as(mut self, identity: &str) -> Self {
        identity.clone_into(&mut self.identity);
        self
    }

    /// What identifies the upstream in a cache key.
    pub fn identity(&self) -> &str {
        &self.identity
    }

    /// Asks the upstream what the cache did not know.
    pub async fn attempt(&self, screened: &Screened, passage: &Passage, exchange: &mut Exchange) -> Result<Answer> {
        let path = screened.request().endpoint().path();
        let body = screened.request().json().bytes().clone();
        let response = self.send(self.request(&Method::POST, path, body, passage)?, exchange).await?;
        let (parts, arriving) = response.into_parts();
        let headers = towards_client(&parts.headers);
        if is_event_stream(&headers) && parts.status.is_success() {
            refuse_compressed_stream(&headers)?;
            return Ok(Answer { head: Head { status: parts.status, headers }, body: AnswerBody::Arriving(arriving) });
        }
        let (headers, body) = whole(headers, arriving).await?;
        Ok(Answer { head: Head { status: parts.status, headers }, body: AnswerBody::Whole(body) })
    }

    /// Passes on what is not read.
    pub async fn relay(&self, unread: Unread, passage: &Passage, exchange: &mut Exchange) -> Result<(Head, Arriving)> {
        let Unread { method, path, body } = unread;
        let mut request = self.request(&method, &path, body, passage)?;
        // The bytes go on as they came, and so does what says how to read them.
        if let Some(encoding) = passage.headers.get(CONTENT_ENCODING) {
            request.headers_mut().insert(CONTENT_ENCODING, encoding.clone());
        }
        let response = self.send(request, exchange).await?;
        let (parts, arriving) = response.into_parts();
        let head = Head { status: parts.status, headers: towards_client(&parts.headers) };
        Ok((head, arriving))
    }

    async fn send(&self, request: Request<Full<Bytes>>, exchange: &mut Exchange) -> Result<Response<Body>> {
        let started = clock::now();
        let response = self.client.send(&self.origin, request, self.patience).await;
        exchange.timings.upstream = Some(clock::now().saturating_duration_since(started));
        response
    }

    fn request(&self, method: &Method, path: &str, body: Bytes, passage: &Passage) -> Result<Request<Full<Bytes>>> {
        let uri: Uri = format!("{}{path}", self.base_path).parse().map_err(|error| {
            Error::new(Kind::UnknownEndpoint, "The path is not one that can be passed on. Write it without unusual characters.")
                .because(error)
        })?;
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = method.clone();
        *request.uri_mut() = uri;
        let headers = request.headers_mut();
        *headers = towards_upstream(&passage.headers);
        headers.insert(HOST, self.host.clone());
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        if let Some(credential) = passage.credential.as_ref().or(self.credential.as_ref()) {
            headers.insert(AUTHORIZATION, credential.clone());
        }
        Ok(request)
    }
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
