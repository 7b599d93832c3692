//! Operations on the cache, over the admin port. What they do is [`crate::cache`]'s; here they are read, and told as JSON.

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header::CONTENT_TYPE};
use hyper::body::Incoming;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::{
    Rooms,
    body::{self, Lines},
};
use crate::{
    cache::{Cache, Export, Seen, Selection, Wish},
    egress::{self, Body},
    error::{Error, Kind, Result},
    exchange::{Exchange, Tenant},
    guard::{Screened, Screening},
    wire::{Endpoint, Request as WireRequest},
};

/// The type of an export: a JSON object on each line.
const LINES: &str = "application/x-ndjson";

/// Answers an operation: what comes after `/cache/`.
pub(super) async fn answer(rooms: &Rooms, operation: &str, request: Request<Incoming>) -> Result<Response<Body>> {
    let (parts, body) = request.into_parts();
    let is_get = parts.method == Method::GET;
    let wrong_method = |right: &str| Err(Error::new(Kind::WrongMethod, format!("`/cache/{operation}` is called with {right}.")));
    match (operation, &parts.method) {
        ("stats", &Method::GET) => stats(rooms).await,
        ("export", &Method::GET) => Ok(export(rooms.cache.export())),
        ("lookup", &Method::POST) => lookup(rooms, body::json(&parts.headers, body).await?).await,
        ("purge", &Method::POST) => purge(rooms, body::json(&parts.headers, body).await?).await,
        ("false-hit", &Method::POST) => false_hit(rooms, body::json(&parts.headers, body).await?).await,
        ("import", &Method::POST) => {
            body::expect(&parts.headers, LINES)?;
            import(&rooms.cache, Lines::of(body, rooms.cache.longest_line())).await
        }
        ("stats" | "export", _) => wrong_method("GET"),
        ("lookup" | "purge" | "false-hit" | "import", _) => wrong_method("POST"),
        _ => match operation.strip_prefix("entries/") {
            Some(id) if is_get => show(&rooms.cache, id).await,
            Some(_) => wrong_method("GET"),
            None => {
                let message = format!(
                    "There is no `/cache/{operation}`. There are stats, lookup, entries/ID, purge, false-hit, export and import."
                );
                Err(Error::new(Kind::UnknownEndpoint, message))
            }
        },
    }
}

fn told(what: &impl Serialize) -> Result<Response<Body>> {
    let value =
        serde_json::to_value(what).map_err(|error| Error::new(Kind::Internal, "The answer cannot be told.").because(error))?;
    Ok(egress::json(StatusCode::OK, &value))
}

async fn stats(rooms: &Rooms) -> Result<Response<Body>> {
    let (cache, calibration) = (rooms.cache.stats().await, rooms.cache.calibration());
    told(&json!({ "cache": cache, "saved": rooms.savings.total(), "calibration": calibration }))
}

async fn show(cache: &Cache, id: &str) -> Result<Response<Body>> {
    let entry = cache.find(id).await?;
    let answer = serde_json::from_slice(entry.stored.body()).unwrap_or(Value::Null);
    told(&json!({ "entry": Seen::from(&*entry), "answer": answer }))
}

/// Which entries, as it is written.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Selectors {
    id: Option<String>,
    namespace: Option<String>,
    tenant: Option<String>,
    model: Option<String>,
    older_than: Option<String>,
    text: Option<String>,
}

impl Selectors {
    fn resolve(self) -> Result<Selection> {
        for (name, selector) in [("tenant", &self.tenant), ("text", &self.text)] {
            if selector.as_deref().is_some_and(str::is_empty) {
                let message = format!("`{name}` is empty, and every entry would match. Leave it out, or say what to look for.");
                return Err(Error::new(Kind::InvalidRequest, message).param(name));
            }
        }
        let older_than = self.older_than.as_deref().map(age).transpose()?;
        let tenant = self.tenant.map(|tenant| tenant.to_ascii_lowercase());
        let text = self.text.map(|text| text.to_lowercase());
        let selection =
            Selection { namespace: self.namespace, tenant, model: self.model, older_than, text, ..Selection::default() };
        match self.id {
            Some(id) => selection.with_id(&id),
            None => Ok(selection),
        }
    }
}

fn age(text: &str) -> Result<std::time::Duration> {
    humantime::parse_duration(text).map_err(|error| {
        let message = format!("`older_than` is not a duration: {error}. Write 30m, 12h or 7d.");
        Error::new(Kind::InvalidRequest, message).param("older_than")
    })
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Purge {
    #[serde(default)]
    select: Selectors,
    /// Every entry: what an empty selection means must be said.
    #[serde(default)]
    all: bool,
    /// Else it is a preview.
    #[serde(default)]
    act: bool,
}

async fn purge(rooms: &Rooms, asked: Purge) -> Result<Response<Body>> {
    let selection = asked.select.resolve()?;
    if selection == Selection::default() && !asked.all {
        let message =
            "Nothing is selected. Give `select` an id, namespace, tenant, model, older_than or text, or set `all: true`.";
        return Err(Error::new(Kind::InvalidRequest, message).param("select"));
    }
    let purge = rooms.cache.purge(&selection, asked.act).await?;
    if purge.acted {
        tracing::info!(entries = purge.entries, bytes = purge.bytes, "Entries were purged by an operator.");
    }
    told(&purge)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct FalseHit {
    id: String,
    text: String,
}

async fn false_hit(rooms: &Rooms, asked: FalseHit) -> Result<Response<Body>> {
    let screened = screened(rooms, &asked.text)?;
    let report = rooms.cache.false_hit(&asked.id, &screened).await?;
    tracing::warn!(
        id = report.removed.id,
        remembered = report.remembered,
        "An operator reported a false hit; its entry is gone."
    );
    told(&report)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Lookup {
    text: String,
    tenant: Option<String>,
    namespace: Option<String>,
    model: Option<String>,
    endpoint: Option<String>,
}

async fn lookup(rooms: &Rooms, asked: Lookup) -> Result<Response<Body>> {
    let Lookup { text, tenant, namespace, model, endpoint } = asked;
    let endpoint = endpoint.as_deref().map(endpoint_of).transpose()?;
    let among = Selectors { namespace, tenant, model, ..Selectors::default() }.resolve()?;
    let screened = screened(rooms, &text)?;
    told(&rooms.cache.neighbours(&screened, Selection { endpoint, ..among }, rooms.cache.plan(&Wish::default())).await?)
}

fn endpoint_of(word: &str) -> Result<Endpoint> {
    Endpoint::named(word).ok_or_else(|| {
        let message = "`endpoint` is none of chat, completions and embeddings. Write one of them, or leave it out.";
        Error::new(Kind::InvalidRequest, message).param("endpoint")
    })
}

/// A text, as a request with nothing else would bring it into the cache: entries hold what the input gate has left.
fn screened(rooms: &Rooms, text: &str) -> Result<Screened> {
    let body = json!({ "model": "", "messages": [{ "role": "user", "content": text }] });
    let request = WireRequest::decode(Endpoint::Chat, body.to_string().into())?;
    match rooms.rules.gates().input.screen(request, &mut Exchange::new(String::new(), Tenant([0; 16])))? {
        Screening::Passed(screened) => Ok(screened),
        Screening::Blocked(block) => {
            let message = format!("No entry has a prompt like this: the rule `{}` blocks it.", block.rule);
            Err(Error::new(Kind::InvalidRequest, message).param("text"))
        }
    }
}

/// Pages are made as they are taken; who leaves ends it.
fn export(mut export: Export) -> Response<Body> {
    let (sender, pieces) = mpsc::channel::<Bytes>(1);
    tokio::spawn(async move {
        while let Some(lines) = export.next().await {
            if sender.send(lines).await.is_err() {
                return;
            }
        }
    });
    let mut response = Response::new(Body::made(pieces));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(LINES));
    response
}

async fn import(cache: &Cache, mut lines: Lines) -> Result<Response<Body>> {
    let (mut import, mut number) = (cache.import(), 0_u64);
    loop {
        number += 1;
        let line = match lines.next().await {
            Ok(Some(line)) => line,
            Ok(None) if number == 1 => {
                return Err(Error::new(Kind::InvalidRequest, "The body is empty. Send what an export has given."));
            }
            Ok(None) => break,
            Err(error) => return Err(stop(import, at(number, &error)).await),
        };
        if let Err(error) = import.line(&line).await {
            return Err(stop(import, at(number, &error)).await);
        }
    }
    let imported = import.finish().await?;
    tracing::info!(imported = imported.imported, "Entries were imported by an operator.");
    told(&imported)
}

/// An error with the line where it came up.
fn at(number: u64, error: &Error) -> Error {
    let message = match error.kind() {
        Kind::InvalidRequest | Kind::TooLarge => {
            format!("Line {number} {}. The lines before it are imported.", error.message())
        }
        _ => error.message().to_owned(),
    };
    Error::new(error.kind(), message).param(format!("line {number}"))
}

/// What came before a wrong line is kept; why that could not be is worse than the line.
async fn stop(import: crate::cache::Import, error: Error) -> Error {
    import.finish().await.err().unwrap_or(error)
}
