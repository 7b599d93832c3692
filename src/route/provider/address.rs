//! Where a provider is: the table's base with what was told of it, or another base altogether.

use std::{borrow::Cow, fmt, fmt::Write as _};

use http::{HeaderMap, HeaderName, HeaderValue, Uri};

use super::{Entry, Options, Route};

/// Stands for the model of each request.
const MODEL: &str = "model";

/// Why a provider cannot be reached with what was told of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unfit {
    /// This must be told.
    Missing(String),
    /// What was told under this name has characters that no name of a host or a folder has.
    Unusual(String),
    /// The table has no base for it, and none was told.
    NoHost,
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(name) => write!(f, "`{name}` is missing"),
            Self::Unusual(name) => write!(f, "`{name}` may have letters, digits, `-`, `_` and `.` only"),
            Self::NoHost => f.write_str("it has no host of its own: name one as `custom_host`"),
        }
    }
}

impl std::error::Error for Unfit {}

/// A base whose variables are known, save the model.
#[derive(Debug)]
pub(super) struct Address {
    /// Scheme, host and port.
    pub(super) origin: Uri,
    /// The base as it is told, without a slash at its end.
    pub(super) identity: String,
    /// The path of the base.
    path: String,
    query: Option<String>,
    headers: HeaderMap,
}

impl Address {
    pub(super) fn of(entry: &Entry, options: &Options) -> Result<Self, Unfit> {
        let told = |text: &str| filled(text, entry, options);
        let base = match (&options.base_url, &entry.url) {
            (Some(base), _) => base.to_string(),
            (None, Some(url)) => told(url)?,
            (None, None) => return Err(Unfit::NoHost),
        };
        let base = base.trim_end_matches('/');
        let (authority, path) = split(base).ok_or(Unfit::NoHost)?;
        Ok(Self {
            origin: authority.parse().map_err(|_| Unfit::NoHost)?,
            identity: format!("{}:{base}", entry.slug),
            path: path.to_owned(),
            query: entry.query.as_deref().map(told).transpose()?,
            headers: headers(entry, options),
        })
    }

    /// Path and query of a request.
    pub(super) fn path(&self, route: Route<'_>) -> String {
        let (path, model) = match route {
            Route::Read(endpoint, model) => (endpoint.path(), model),
            Route::Unread(path) => (path, MODEL),
        };
        let base = self.path.replace("{model}", &escaped(model));
        let Some(query) = &self.query else { return format!("{base}{path}") };
        format!("{base}{path}{}{query}", if path.contains('?') { '&' } else { '?' })
    }

    pub(super) fn add_headers(&self, headers: &mut HeaderMap) {
        for (name, value) in &self.headers {
            // What a client says of a version or an organisation itself counts.
            headers.entry(name).or_insert_with(|| value.clone());
        }
    }
}

/// `https://host:1` and `/path`.
fn split(base: &str) -> Option<(&str, &str)> {
    let host = base.find("://")? + 3;
    let end = base[host..].find('/').map_or(base.len(), |slash| host + slash);
    Some(base.split_at(end))
}

/// The headers whose values are all told.
fn headers(entry: &Entry, options: &Options) -> HeaderMap {
    let told = entry.headers.iter().filter_map(|(name, value)| {
        // A list of betas has commas; a header is no address, and any value that fits one will do.
        let value = value.strip_prefix('{').and_then(|name| name.strip_suffix('}')).map_or(Some(value.as_str()), |name| {
            options.values.get(name).or_else(|| entry.defaults.get(name)).map(String::as_str)
        })?;
        Some((name.parse::<HeaderName>().ok()?, HeaderValue::from_str(value).ok()?))
    });
    told.collect()
}

/// The text with its variables replaced.
fn filled(text: &str, entry: &Entry, options: &Options) -> Result<String, Unfit> {
    let (mut out, mut rest) = (String::new(), text);
    while let Some((before, after)) = rest.split_once('{') {
        let (name, after) = after.split_once('}').unwrap_or((after, ""));
        let value = match options.values.get(name) {
            Some(value) => usual(name, value)?,
            None => entry.defaults.get(name).ok_or_else(|| Unfit::Missing(name.to_owned()))?,
        };
        out.push_str(before);
        out.push_str(value);
        rest = after;
    }
    out.push_str(rest);
    Ok(out)
}

/// Clients name regions and resources: none of them may name another host or climb out of a folder.
fn usual<'v>(name: &str, value: &'v str) -> Result<&'v str, Unfit> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    let sound = !value.is_empty() && value.bytes().all(plain) && !value.starts_with('.');
    sound.then_some(value).ok_or_else(|| Unfit::Unusual(name.to_owned()))
}

/// A model's name as one segment of a path.
fn escaped(model: &str) -> Cow<'_, str> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    if model.bytes().all(plain) && !model.starts_with('.') {
        return Cow::Borrowed(model);
    }
    let mut out = String::new();
    for byte in model.bytes() {
        if plain(byte) && byte != b'.' {
            out.push(byte.into());
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{route::provider::named, wire::Endpoint};

    fn options(values: &[(&str, &str)]) -> Options {
        let values = values.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
        Options { base_url: None, values }
    }

    #[test]
    fn a_base_is_filled_with_what_is_told() {
        let azure = named("azure").unwrap();
        assert_eq!(Address::of(azure, &options(&[])).unwrap_err(), Unfit::Missing("azure_resource_name".to_owned()));
        let address = Address::of(azure, &options(&[("azure_resource_name", "acme")])).unwrap();
        assert_eq!(address.origin, "https://acme.openai.azure.com");
        let path = address.path(Route::Read(Endpoint::Chat, "gpt 4/x"));
        assert_eq!(path, "/openai/deployments/gpt%204%2Fx/chat/completions?api-version=2024-10-21");
        let path = address.path(Route::Unread("/images/generations?n=1"));
        assert!(path.ends_with("/images/generations?n=1&api-version=2024-10-21"), "{path}");
    }

    #[test]
    fn what_is_told_cannot_lead_elsewhere() {
        let azure = named("azure").unwrap();
        for value in ["evil.example/#", "evil.example?", "a@evil.example", "evil.example:80", "", "..", "{model}", "a b"] {
            let refused = Address::of(azure, &options(&[("azure_resource_name", value)])).unwrap_err();
            assert_eq!(refused, Unfit::Unusual("azure_resource_name".to_owned()), "{value}");
        }
    }

    #[test]
    fn another_base_takes_the_place_of_the_tables() {
        let told = Options { base_url: Some(Uri::from_static("http://127.0.0.1:8000/base/")), ..Options::default() };
        let address = Address::of(named("groq").unwrap(), &told).unwrap();
        assert_eq!(address.origin, "http://127.0.0.1:8000/");
        assert_eq!(address.identity, "groq:http://127.0.0.1:8000/base");
        assert_eq!(address.path(Route::Read(Endpoint::Chat, "m")), "/base/chat/completions");
    }

    #[test]
    fn headers_are_sent_where_their_values_are_told() {
        let address = Address::of(named("openai").unwrap(), &options(&[("openai_project", "p")])).unwrap();
        let mut headers = HeaderMap::new();
        address.add_headers(&mut headers);
        assert_eq!(headers, HeaderMap::from_iter([(HeaderName::from_static("openai-project"), HeaderValue::from_static("p"))]));
    }
}
