//! A call as it arrived: its body, the directives it carries, and its echo.

use bytes::Bytes;
use http::{Request, StatusCode, request::Parts};
use hyper::body::Incoming;
use serde_json::{Map, Value, json};

use crate::wire::collect::whole;

use super::{directives::Directives, error::ApiError};

/// The header in which a call carries its directives.
const DIRECTIVES_HEADER: &str = "x-demo";
/// Models whose names may carry directives, and that `/v1/models` knows: others pass, with their colons.
pub(super) const MODEL_PREFIX: &str = "demo";
/// No request of a sensible client is larger.
const LARGEST_BODY: usize = 64 << 20;

/// A call, read completely.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) head: Parts,
    body: Bytes,
    /// The body as JSON, `null` if it has none or is no JSON.
    pub(super) json: Value,
}

impl Call {
    pub(super) async fn read(request: Request<Incoming>) -> Result<Self, ApiError> {
        let (head, body) = request.into_parts();
        let refuse = |_| ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "The body could not be read.");
        let body = whole(body, LARGEST_BODY).await.map_err(refuse)?;
        let json = serde_json::from_slice(&body).unwrap_or_default();
        Ok(Self { head, body, json })
    }

    /// The defaults, under what the model's name says, under what the header says.
    pub(super) fn directives(&self, defaults: &Directives) -> Result<Directives, ApiError> {
        let refuse = |message: String, place| ApiError::bad_request(message).about(place).coded("unknown_directive");
        let model = self.json["model"].as_str().unwrap_or_default();
        let in_model = model.split_once(':').filter(|(name, _)| name.starts_with(MODEL_PREFIX));
        let in_model = in_model.map_or("", |(_, directives)| directives);
        let in_header = self.head.headers.get(DIRECTIVES_HEADER).map_or("", |value| {
            // Not text, so no directive: refused as an unknown one.
            value.to_str().unwrap_or("?")
        });
        let in_model = Directives::parse(in_model).map_err(|message| refuse(message, "model"))?;
        let in_header = Directives::parse(in_header).map_err(|message| refuse(message, DIRECTIVES_HEADER))?;
        Ok(defaults.overridden_by(&in_model).overridden_by(&in_header))
    }

    /// The request as it arrived, for a test that wants to see what reached the upstream.
    pub(super) fn echo(&self) -> Value {
        let mut headers = Map::new();
        for name in self.head.headers.keys() {
            let values = self.head.headers.get_all(name).iter();
            let values: Vec<_> = values.map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
            headers.insert(name.to_string(), values.join(", ").into());
        }
        json!({
            "method": self.head.method.as_str(),
            "path": self.head.uri.to_string(),
            "headers": headers,
            "body": String::from_utf8_lossy(&self.body),
        })
    }

    /// The body, where an endpoint needs an object.
    pub(super) fn object(&self) -> Result<&Value, ApiError> {
        let refuse = || ApiError::bad_request("We could not parse the JSON body of your request.");
        Some(&self.json).filter(|json| json.is_object()).ok_or_else(refuse)
    }
}
