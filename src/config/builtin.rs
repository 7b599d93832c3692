//! The configuration without a file: a file after all, put together from what the environment holds, so that it is
//! checked and criticised like any other.

use std::net::SocketAddr;

use crate::diagnostics::Source;

use super::Environment;

const SERVER: &str = "\
server:
  listen: ${LOCKGATE_LISTEN:-127.0.0.1:8787}
  admin: ${LOCKGATE_ADMIN:-127.0.0.1:8788}
";

/// A container is told its one key under the name that Portkey's SDKs use for theirs.
const CLIENT_KEY: &str = "\
access:
  client_keys:
    - name: environment
      key: ${PORTKEY_API_KEY}
";

const OPENAI: &str = "\
upstream:
  url: https://api.openai.com/v1
  api_key: ${OPENAI_API_KEY}
";

/// The text for this environment.
///
/// On loopback `PORTKEY_API_KEY` is left alone: there it is usually the app's own, meant for Portkey, and making it a
/// client key would refuse every request that does not carry it.
pub(super) fn source(environment: Environment<'_>) -> Source {
    let set = |name: &str| environment(name).filter(|value| !value.is_empty());
    let listen = set("LOCKGATE_LISTEN").and_then(|listen| listen.parse::<SocketAddr>().ok());
    let is_open = listen.is_some_and(|listen| !listen.ip().is_loopback());

    let mut text = SERVER.to_owned();
    if is_open && set("PORTKEY_API_KEY").is_some() {
        text.push_str(CLIENT_KEY);
    }
    if set("OPENAI_API_KEY").is_some() {
        text.push_str(OPENAI);
    }
    Source::new("(no file)", text)
}
