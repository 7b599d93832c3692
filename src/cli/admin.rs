//! The client of the admin port.

use std::{net::SocketAddr, path::Path, time::Duration};

use bytes::Bytes;
use http::{
    Method, Request, Response, Uri,
    header::{CONTENT_TYPE, HOST},
};
use http_body_util::Full;
use serde_json::Value;

use crate::{
    config::{self, Config},
    error::{Error, Kind},
    outbound::{Body, Client, Origin, Patience, Settings},
    wire::collect::whole,
};

/// What went wrong, and the next step.
pub(super) type Failure = String;
/// What most operations end with.
pub(super) type Outcome<T> = Result<T, Failure>;

/// It is on this machine.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// A purge may read through all of a large disk store before it answers.
const PATIENCE: Duration = Duration::from_mins(10);
/// More than any entry with its answer.
const MAX_ANSWER: usize = 256 << 20;

/// Where the admin port is: where somebody says, or else where the configuration does.
pub(super) fn address(named: Option<SocketAddr>, file: Option<&Path>) -> Outcome<SocketAddr> {
    if let Some(address) = named {
        return Ok(address);
    }
    let loaded = |file: &Path| Config::load(file, &config::environment);
    let config = file.map_or_else(|| Config::builtin(&config::environment), loaded);
    let address = config.map_err(|report| format!("{report}\nname the admin port with --admin"))?.console.admin;
    if address.port() == 0 {
        return Err("the configuration takes any free port for `server.admin`; name the one that the greeting says with --admin"
            .to_owned());
    }
    Ok(address)
}

/// A Lockgate that runs.
pub(super) struct Admin {
    client: Client,
    origin: Origin,
    address: SocketAddr,
}

impl Admin {
    /// The one whose admin port this is. Nothing is sent yet.
    pub(super) fn at(address: SocketAddr) -> Outcome<Self> {
        let settings = Settings { connect_timeout: CONNECT_TIMEOUT, allow_private: false, allow_loopback: true, max_idle: 1 };
        let base = Uri::try_from(format!("http://{address}")).ok().and_then(|uri| Origin::of(&uri));
        let origin = base.ok_or_else(|| format!("{address} is no address that can be called; name another with --admin"))?;
        Ok(Self { client: Client::new(&settings), origin, address })
    }

    /// Asks for what can be looked at.
    pub(super) async fn get(&self, operation: &str) -> Outcome<Value> {
        self.told(self.send(Method::GET, operation, "", Bytes::new()).await?).await.map_err(|refusal| refusal.message)
    }

    /// Has something done.
    pub(super) async fn post(&self, operation: &str, asked: &Value) -> Outcome<Value> {
        let body = asked.to_string().into();
        self.told(self.send(Method::POST, operation, "application/json", body).await?).await.map_err(|refusal| refusal.message)
    }

    /// Sends lines of an export.
    pub(super) async fn import(&self, lines: Bytes) -> Result<Value, Refusal> {
        let sent = self.send(Method::POST, "cache/import", "application/x-ndjson", lines).await;
        self.told(sent.map_err(|message| Refusal { message, line: None })?).await
    }

    /// Opens an export, to be read as it comes.
    pub(super) async fn export(&self) -> Outcome<Body> {
        let response = self.send(Method::GET, "cache/export", "", Bytes::new()).await?;
        if response.status().is_success() {
            return Ok(response.into_body());
        }
        self.told(response).await.map_err(|refusal| refusal.message)?;
        Err(self.stranger())
    }

    async fn send(&self, method: Method, operation: &str, kind: &str, body: Bytes) -> Outcome<Response<Body>> {
        let mut request = Request::builder().method(method).uri(format!("/{operation}")).header(HOST, self.address.to_string());
        if !kind.is_empty() {
            request = request.header(CONTENT_TYPE, kind);
        }
        let request = request.body(Full::new(body)).map_err(|error| error.to_string())?;
        let patience = Patience { head: PATIENCE, idle: PATIENCE };
        self.client.send(&self.origin, request, patience).await.map_err(|error| self.failure(&error))
    }

    /// What the other side said.
    async fn told(&self, response: Response<Body>) -> Result<Value, Refusal> {
        let is_success = response.status().is_success();
        let body = whole(response.into_body(), MAX_ANSWER).await;
        let value = body.ok().and_then(|body| serde_json::from_slice::<Value>(&body).ok());
        match value {
            Some(value) if is_success => Ok(value),
            // The data port has no such path.
            Some(value) if value["error"]["code"] == "unknown_endpoint" => Err(Refusal { message: self.stranger(), line: None }),
            Some(value) if value["error"]["message"].is_string() => Err(Refusal::of(&value["error"])),
            _ => Err(Refusal { message: self.stranger(), line: None }),
        }
    }

    fn failure(&self, error: &Error) -> Failure {
        let address = self.address;
        match error.kind() {
            Kind::Unreachable => {
                format!("nothing listens on {address}; start it with `lockgate serve`, or name the port with --admin")
            }
            Kind::ForbiddenAddress => {
                format!("{address} is not on this machine; the admin port always is: run this where Lockgate runs")
            }
            Kind::UpstreamTimeout => format!("{address} does not answer; see its log, and try again"),
            _ => self.stranger(),
        }
    }

    fn stranger(&self) -> Failure {
        format!(
            "what listens on {} does not answer as the admin port of a Lockgate does; name that port with --admin",
            self.address
        )
    }
}

/// A no, and the line of an import that it is about.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) message: Failure,
    pub(super) line: Option<usize>,
}

impl Refusal {
    fn of(error: &Value) -> Self {
        let line = error["param"].as_str().and_then(|param| param.strip_prefix("line ")?.parse().ok());
        Self { message: error["message"].as_str().unwrap_or_default().to_owned(), line }
    }
}
