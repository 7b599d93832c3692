//! Which endpoint a path means, after the ways of writing a path are taken out of it.

use http::Method;

use super::Settings;
use crate::{
    error::{Error, Kind, Result},
    wire::{Dialect, Endpoint},
};

/// Paths whose requests are read. The configuration refuses to relay them.
pub const READ: [&str; 5] = [DOORS[0].0, DOORS[1].0, DOORS[2].0, DOORS[3].0, DOORS[4].0];

/// What each of them reads, and how its clients speak.
const DOORS: [(&str, Endpoint, Dialect); 5] = [
    ("/v1/chat/completions", Endpoint::Chat, Dialect::Chat),
    ("/v1/completions", Endpoint::Completions, Dialect::Chat),
    ("/v1/embeddings", Endpoint::Embeddings, Dialect::Chat),
    ("/v1/messages", Endpoint::Chat, Dialect::Messages),
    ("/v1/responses", Endpoint::Chat, Dialect::Responses),
];

/// Where a request goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Target {
    /// Through the pipeline, for a client that speaks so.
    Endpoint(Endpoint, Dialect),
    /// To the upstream, unread: the path under its base.
    Unread(String),
    /// A prompt of this name, to be made into a request, and to be answered or only shown.
    Prompt { name: String, shown: bool },
    /// The greeting that Portkey's users look for.
    Greeting,
}

/// The operator's route that a path begins with, and the path without it.
pub(super) fn route<'p>(path: &'p str, settings: &Settings) -> (Option<String>, &'p str) {
    let Some((first, rest)) = path.trim_start_matches('/').split_once('/') else { return (None, path) };
    match settings.routes.iter().find(|route| *route == first) {
        Some(route) => (Some(route.clone()), &path[path.len() - rest.len() - 1..]),
        None => (None, path),
    }
}

pub(super) fn target(method: &Method, path: &str, settings: &Settings) -> Result<Target> {
    let path = normal(path)?;
    if let Some((_, endpoint, dialect)) = DOORS.into_iter().find(|(door, ..)| *door == path) {
        let target = Target::Endpoint(endpoint, dialect);
        return if method == Method::POST { Ok(target) } else { Err(wrong_method(&path, "POST")) };
    }
    if path == "/" {
        return if method == Method::GET { Ok(Target::Greeting) } else { Err(wrong_method(&path, "GET")) };
    }
    let under_base = path.strip_prefix("/v1").filter(|rest| rest.starts_with('/'));
    if let Some(rest) = under_base {
        if rest == "/models" || rest.starts_with("/models/") {
            return if method == Method::GET { Ok(Target::Unread(rest.to_owned())) } else { Err(wrong_method(&path, "GET")) };
        }
        if let Some((name, verb)) = rest.strip_prefix("/prompts/").and_then(|prompt| prompt.split_once('/')) {
            let known = ["completions", "render"].contains(&verb);
            return match known {
                true if method == Method::POST => Ok(Target::Prompt { name: name.to_owned(), shown: verb == "render" }),
                true => Err(wrong_method(&path, "POST")),
                false => Err(Error::new(
                    Kind::UnknownEndpoint,
                    "A prompt is called as `/v1/prompts/<name>/completions`, or shown as `/v1/prompts/<name>/render`.",
                )),
            };
        }
        if settings.relay.iter().any(|listed| covers(listed, &path)) {
            return Ok(Target::Unread(rest.to_owned()));
        }
    }
    let message = format!(
        "Lockgate does not serve `{path}`. It reads {} and GET /v1/models; other paths under /v1/ are passed on unguarded \
         when the operator lists them in `server.relay`.",
        READ.join(", ")
    );
    Err(Error::new(Kind::UnknownEndpoint, message))
}

/// How who calls a path speaks, whether it is served or not.
pub(super) fn dialect(path: &str) -> Dialect {
    let path = normal(path).unwrap_or_default();
    let door = DOORS.iter().find(|(door, ..)| covers(door, &path));
    door.map_or(Dialect::Chat, |(.., dialect)| *dialect)
}

/// A listed path covers itself and what is below it.
fn covers(listed: &str, path: &str) -> bool {
    let listed = listed.trim_end_matches('/');
    path.strip_prefix(listed).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn wrong_method(path: &str, method: &str) -> Error {
    Error::new(Kind::WrongMethod, format!("`{path}` is called with {method}."))
}

/// One way to write each path, for the upstream may know several: no doubled or trailing slashes, nothing escaped, no dots that climb.
fn normal(path: &str) -> Result<String> {
    let mut out = String::with_capacity(path.len());
    let decoded = decoded(path)?;
    for segment in decoded.split('/').filter(|segment| !segment.is_empty()) {
        if segment == "." || segment == ".." {
            return Err(unusual());
        }
        out.push('/');
        out.push_str(segment);
    }
    Ok(if out.is_empty() { "/".to_owned() } else { out })
}

/// Escapes are undone once. What then needs an escape is in no path that is served here.
fn decoded(path: &str) -> Result<String> {
    let mut bytes = path.bytes();
    let mut out = String::with_capacity(path.len());
    while let Some(byte) = bytes.next() {
        let byte =
            if byte == b'%' { hex(bytes.next()).zip(hex(bytes.next())).map(|(high, low)| high * 16 + low) } else { Some(byte) };
        match byte {
            Some(byte) if byte.is_ascii_alphanumeric() || b"/-._~:@!$&'()*+,;=".contains(&byte) => out.push(byte.into()),
            _ => return Err(unusual()),
        }
    }
    Ok(out)
}

fn hex(digit: Option<u8>) -> Option<u8> {
    char::from(digit?).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

fn unusual() -> Error {
    Error::new(
        Kind::UnknownEndpoint,
        "The path has characters that no endpoint here has. Write it plainly, as in `/v1/chat/completions`.",
    )
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn settings(relay: &[&str]) -> Settings {
        Settings {
            listen: ([127, 0, 0, 1], 0).into(),
            max_body_bytes: 0,
            max_head_bytes: 0,
            head_timeout: Duration::ZERO,
            body_timeout: Duration::ZERO,
            drain_timeout: Duration::ZERO,
            max_connections: 0,
            relay: relay.iter().map(|&path| path.to_owned()).collect(),
            routes: vec!["premium".to_owned()],
        }
    }

    fn get(path: &str) -> Result<Target> {
        target(&Method::GET, path, &settings(&["/v1/images", "/v1/files/"]))
    }

    #[test]
    fn every_way_of_writing_a_path_means_the_same_endpoint() {
        for path in ["/v1/chat/completions", "//v1//chat/completions/", "/v1/chat%2Fcompletions", "/v1/%63hat/completions"] {
            let found = target(&Method::POST, path, &settings(&[])).unwrap();
            assert_eq!(found, Target::Endpoint(Endpoint::Chat, Dialect::Chat), "{path}");
        }
    }

    #[test]
    fn who_speaks_otherwise_comes_to_the_same_endpoint() {
        let found = target(&Method::POST, "/v1/messages/", &settings(&[])).unwrap();
        assert_eq!(found, Target::Endpoint(Endpoint::Chat, Dialect::Messages));
        for path in ["/v1/messages", "//v1/messages", "/v1/messages/batches"] {
            assert_eq!(dialect(path), Dialect::Messages, "{path}");
        }
        for path in ["/v1/chat/completions", "/v1/messagesque", "/%zz", "/"] {
            assert_eq!(dialect(path), Dialect::Chat, "{path}");
        }
    }

    #[test]
    fn what_is_not_read_is_passed_on_only_when_it_is_listed() {
        assert_eq!(get("/v1/models/").unwrap(), Target::Unread("/models".to_owned()));
        assert_eq!(get("/v1/models/gpt").unwrap(), Target::Unread("/models/gpt".to_owned()));
        assert_eq!(get("/v1/images/generations").unwrap(), Target::Unread("/images/generations".to_owned()));
        let shown = Target::Prompt { name: "support@2".to_owned(), shown: true };
        assert_eq!(target(&Method::POST, "/v1/prompts/support@2/render", &settings(&[])).unwrap(), shown);
        assert!(get("/v1/prompts/support/completions").unwrap_err().message().contains("POST"));
        assert_eq!(get("/v1/files").unwrap(), Target::Unread("/files".to_owned()));
        for path in ["/v1/imagesque", "/v1/audio", "/v2/models", "/v1", "/etc/passwd"] {
            assert_eq!(get(path).unwrap_err().kind(), Kind::UnknownEndpoint, "{path}");
        }
    }

    #[test]
    fn a_route_is_the_first_part_of_a_path() {
        let settings = settings(&[]);
        assert_eq!(route("//premium/v1/models", &settings), (Some("premium".to_owned()), "/v1/models"));
        for path in ["/v1/models", "/premium", "/premiums/v1/models", "/"] {
            assert_eq!(route(path, &settings), (None, path));
        }
    }

    #[test]
    fn a_path_does_not_climb_or_hide() {
        for path in [
            "/v1/images/../chat/completions",
            "/v1/images/%2e%2e/x",
            "/v1/images/%00",
            "/v1/images/%25",
            "/v1/images/%zz",
            "/v1/images/%2",
        ] {
            assert_eq!(get(path).unwrap_err().kind(), Kind::UnknownEndpoint, "{path}");
        }
    }

    #[test]
    fn the_method_is_named_when_it_is_wrong() {
        assert_eq!(get("/v1/chat/completions").unwrap_err().kind(), Kind::WrongMethod);
        assert!(target(&Method::POST, "/v1/models", &settings(&[])).unwrap_err().message().contains("GET"));
        assert_eq!(get("/").unwrap(), Target::Greeting);
    }
}
