//! A request's body: read whole, within bounds of bytes and time, and decoded.

use bytes::Bytes;
use http::{
    HeaderMap,
    header::{CONTENT_ENCODING, CONTENT_TYPE},
};
use http_body::Body as _;
use hyper::body::Incoming;
use tokio::time::timeout;

use super::Settings;
use crate::{
    error::{Error, Kind, Result},
    wire::{
        collect::{NotWhole, whole},
        encoding::{self, Undecodable},
    },
};

/// Reads a body of an endpoint that takes JSON.
pub(super) async fn json(headers: &HeaderMap, body: Incoming, settings: &Settings) -> Result<Bytes> {
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = kind.split(';').next().unwrap_or_default().trim();
    // A browser sends other types to foreign hosts without asking them first.
    if !essence.eq_ignore_ascii_case("application/json") {
        let message = "The request's `content-type` is not `application/json`. Set it, and send JSON.";
        return Err(Error::new(Kind::UnsupportedMedia, message).param("content-type"));
    }
    let body = raw(body, settings).await?;
    let Some(encoding) = headers.get(CONTENT_ENCODING) else { return Ok(body) };
    let encoding = encoding.to_str().unwrap_or("?");
    encoding::decode(encoding, body, settings.max_body_bytes).await.map_err(|error| match error {
        Undecodable::TooLarge => too_large(settings),
        Undecodable::Unknown => {
            let message = format!("The body's `content-encoding` is not read here. Send it plain or as {}.", encoding::READ);
            Error::new(Kind::UnsupportedMedia, message).param("content-encoding")
        }
        Undecodable::Corrupt(cause) => {
            Error::new(Kind::BrokenBody, format!("The body is not valid {encoding}. Send it again, or plain.")).because(cause)
        }
    })
}

/// Reads a body as it is.
pub(super) async fn raw(body: Incoming, settings: &Settings) -> Result<Bytes> {
    // A length that is too large is refused before a byte of it is read.
    if body.size_hint().lower() > settings.max_body_bytes as u64 {
        return Err(too_large(settings));
    }
    let collected = timeout(settings.body_timeout, whole(body, settings.max_body_bytes)).await.map_err(|_elapsed| {
        let message = format!(
            "The body did not arrive within {} s. Send it faster, or raise `server.body_timeout`.",
            settings.body_timeout.as_secs_f64()
        );
        Error::new(Kind::SlowBody, message)
    })?;
    collected.map_err(|error| match error {
        NotWhole::TooLarge => too_large(settings),
        NotWhole::Broken(cause) => {
            Error::new(Kind::BrokenBody, "The body ended early. Send it again, as long as its `content-length` says.")
                .because(cause)
        }
    })
}

fn too_large(settings: &Settings) -> Error {
    let message = format!("The body is larger than {} bytes. Send less, or raise `server.max_body`.", settings.max_body_bytes);
    Error::new(Kind::TooLarge, message)
}
