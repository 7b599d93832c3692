//! The upstream: which URL, and which addresses may be called at all.

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
};

use http::{Uri, uri::Scheme};
use secrecy::{ExposeSecret as _, SecretString};

use crate::{outbound, route};

use super::{defaults, resolver::Resolver, written};

const URL: &str = "/upstream/url";

/// Where a host is, as far as its name tells.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Whereabouts {
    Loopback,
    Private,
    /// Out there, or a name that only resolving tells.
    Elsewhere,
}

impl Resolver<'_> {
    /// A file that names no upstream is not finished.
    pub(super) fn require_upstream(&mut self) {
        if !self.is_written(URL) {
            let remedy = format!("add `upstream: {{ url: {} }}`, or your provider's URL", defaults::OPENAI);
            self.refuse_because(URL, "is missing", "there would be nobody to answer what the cache cannot", &remedy);
        }
    }

    /// Loopback is trusted only while nobody else can reach the listener.
    pub(super) fn outbound(
        &mut self,
        written: &written::Upstream,
        listen: Option<SocketAddr>,
        has_keys: bool,
    ) -> outbound::Settings {
        let allow_private = written.allow_private_addresses;
        let is_private_listener = listen.is_none_or(|listen| listen.ip().is_loopback()) && !has_keys;
        outbound::Settings {
            connect_timeout: self.duration("/upstream/connect_timeout", &written.connect_timeout),
            allow_private,
            allow_loopback: is_private_listener || allow_private,
            max_idle: defaults::MAX_IDLE,
        }
    }

    pub(super) fn route(&mut self, all: &written::Written, outbound: &outbound::Settings) -> Option<route::Settings> {
        let written = &all.upstream;
        let response_timeout = self.duration("/upstream/response_timeout", &written.response_timeout);
        let idle_timeout = self.duration("/upstream/idle_timeout", &written.idle_timeout);
        let virtual_keys = self.virtual_keys(&all.virtual_keys, outbound);
        let base_url = self.base_url(URL, written.url.as_deref()?, outbound)?;
        let is_key = |key: &&SecretString| !key.expose_secret().is_empty();
        let settings = route::Settings {
            base_url,
            api_key: written.api_key.as_ref().filter(is_key).cloned(),
            response_timeout,
            idle_timeout,
            virtual_keys,
            provider_keys: BTreeMap::new(),
            configs: all.configs.clone(),
            routes: self.routes(all),
            prompts: all.prompts.as_deref().map(|folder| self.folder("/prompts", folder)),
        };
        self.configs(&settings);
        Some(settings)
    }

    pub(super) fn base_url(&mut self, at: &str, text: &str, outbound: &outbound::Settings) -> Option<Uri> {
        let example = format!("write it like {}", defaults::OPENAI);
        let parsed = text.trim_end_matches('/').parse::<Uri>().ok();
        let Some((url, host)) = parsed.and_then(|url| url.host().map(str::to_owned).map(|host| (url, host))) else {
            self.refuse(at, "is not a URL with a scheme and a host", &example);
            return None;
        };
        if url.authority().is_some_and(|authority| authority.as_str().contains('@')) {
            let remedy = "take them out; write the key under `api_key`";
            self.refuse_because(at, "has credentials in it", "URLs end up in logs", remedy);
        }
        if url.query().is_some() || text.contains('#') {
            self.refuse(at, "has a query or a fragment", "end it with the path: the endpoint is added to it");
        }
        self.scheme(at, &url, whereabouts(&host), outbound);
        Some(url)
    }

    fn scheme(&mut self, at: &str, url: &Uri, whereabouts: Whereabouts, outbound: &outbound::Settings) {
        let scheme = url.scheme();
        if scheme != Some(&Scheme::HTTP) && scheme != Some(&Scheme::HTTPS) {
            self.refuse(at, "is neither http nor https", "begin it with https://");
            return;
        }
        let allow = "set `upstream.allow_private_addresses: true` if this host is yours";
        match whereabouts {
            Whereabouts::Loopback if !outbound.allow_loopback => self.refuse_because(
                at,
                "is on loopback, while Lockgate has client keys or listens beyond loopback",
                "calls to it would be refused, because a caller could reach what listens only locally",
                allow,
            ),
            Whereabouts::Private if !outbound.allow_private => self.refuse_because(
                at,
                "is a private address",
                "calls to it would be refused, because a caller could reach into your network",
                allow,
            ),
            Whereabouts::Elsewhere if scheme == Some(&Scheme::HTTP) && !outbound.allow_private => self.refuse_because(
                at,
                "is plain http",
                "keys and prompts would cross the network in the clear",
                &format!("write https://; {allow}"),
            ),
            Whereabouts::Loopback | Whereabouts::Private | Whereabouts::Elsewhere => {}
        }
    }
}

fn whereabouts(host: &str) -> Whereabouts {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let address = match host.parse::<IpAddr>() {
        Ok(address) => address.to_canonical(),
        Err(_) if host.eq_ignore_ascii_case("localhost") => return Whereabouts::Loopback,
        Err(_) => return Whereabouts::Elsewhere,
    };
    let is_private = match address {
        IpAddr::V4(v4) => v4.is_private() || v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unique_local() || v6.is_unicast_link_local(),
    };
    match address {
        _ if address.is_loopback() => Whereabouts::Loopback,
        _ if is_private => Whereabouts::Private,
        _ => Whereabouts::Elsewhere,
    }
}
