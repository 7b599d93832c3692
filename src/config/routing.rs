//! Where requests may go beside the upstream: virtual keys, configs, routes.

use std::collections::BTreeMap;

use secrecy::ExposeSecret as _;

use crate::{
    outbound,
    route::{self, provider, vault},
};

use super::{
    resolver::Resolver,
    written::{self, Written},
};

impl Resolver<'_> {
    pub(super) fn virtual_keys(
        &mut self,
        written: &BTreeMap<String, written::VirtualKey>,
        outbound: &outbound::Settings,
    ) -> BTreeMap<String, vault::Settings> {
        let mut keys = BTreeMap::new();
        for (name, key) in written {
            let at = format!("/virtual_keys/{name}");
            if !is_name(name) {
                self.refuse_key(&at, "is no name for a virtual key", "write up to 64 letters, digits, `.`, `_` and `-`");
                continue;
            }
            let source = self.source(&at, key);
            let base_url = key.url.as_deref().and_then(|url| self.base_url(&format!("{at}/url"), url, outbound));
            self.provider(&at, key, base_url.clone());
            let (models, options) = (key.models.clone(), key.options.clone());
            keys.insert(name.clone(), vault::Settings { provider: key.provider.clone(), base_url, options, source, models });
        }
        keys
    }

    fn source(&mut self, at: &str, key: &written::VirtualKey) -> vault::Source {
        match (&key.api_key, &key.api_key_file) {
            (Some(_), Some(_)) => self.refuse(at, "has both `api_key` and `api_key_file`", "keep one of the two"),
            (Some(key), None) if !key.expose_secret().trim().is_empty() => return vault::Source::Given(key.clone()),
            (Some(_), None) => {
                self.refuse(&format!("{at}/api_key"), "is empty", "set the variable that it comes from, or remove it");
            }
            (None, Some(file)) => {
                let path = self.path(file);
                if !path.is_file() {
                    let remedy = "create it, or correct the path: it starts at the folder of this file";
                    self.refuse(&format!("{at}/api_key_file"), "is not a file that can be read", remedy);
                }
                return vault::Source::File(path);
            }
            (None, None) => {}
        }
        vault::Source::None
    }

    fn provider(&mut self, at: &str, key: &written::VirtualKey, base_url: Option<http::Uri>) {
        let Some(entry) = provider::named(&key.provider) else {
            let names: Vec<_> = provider::all().iter().map(|entry| entry.slug.as_str()).collect();
            let remedy = format!(
                "write one of {}; for any other host that speaks OpenAI's wire write openai and a `url`",
                names.join(", ")
            );
            self.refuse(&format!("{at}/provider"), "is not a provider that is known here", &remedy);
            return;
        };
        let options = provider::Options { base_url, values: key.options.clone() };
        if let Err(unfit) = entry.provider(&options) {
            self.refuse(
                at,
                &format!("does not say all that its provider needs: {unfit}"),
                "write it under `options`, or a `url`",
            );
        }
    }

    pub(super) fn routes(&mut self, written: &Written) -> BTreeMap<String, String> {
        for (name, route) in &written.routes {
            if !is_name(name) || name == "v1" {
                let remedy = "write one part of a path, such as premium: letters, digits, `.`, `_` and `-`; `v1` is taken";
                self.refuse_key(&format!("/routes/{name}"), "is no name for a route", remedy);
            }
            self.known_config(&format!("/routes/{name}/config"), &route.config, written);
        }
        for (n, key) in written.access.client_keys.iter().enumerate() {
            if let Some(config) = &key.config {
                self.known_config(&format!("/access/client_keys/{n}/config"), config, written);
            }
            for (m, name) in key.virtual_keys.iter().flatten().enumerate() {
                if !written.virtual_keys.contains_key(name) && provider::named(name).is_none() {
                    let at = format!("/access/client_keys/{n}/virtual_keys/{m}");
                    self.refuse(&at, "is not the name of a virtual key", "add it under `virtual_keys`, or remove it here");
                }
            }
        }
        written.routes.iter().map(|(name, route)| (name.clone(), route.config.clone())).collect()
    }

    fn known_config(&mut self, at: &str, name: &str, written: &Written) {
        if !written.configs.contains_key(name) {
            self.refuse(at, "is not the name of a config", "add it under `configs`, or correct the name");
        }
    }

    /// The operator's configs are compiled like those of clients.
    pub(super) fn configs(&mut self, settings: &route::Settings) {
        for (name, problem) in route::criticise(settings) {
            let place = problem.path.replace(['.', '['], "/").replace(']', "");
            let at = format!("/configs/{name}{}{place}", if place.is_empty() { "" } else { "/" });
            let at = if self.is_written(&at) { at } else { format!("/configs/{name}") };
            self.refuse(&at, &format!("cannot be followed: {problem}"), "correct it; README.md shows every key of a config");
        }
    }
}

fn is_name(name: &str) -> bool {
    let is_plain = |char: char| char.is_ascii_alphanumeric() || "._-".contains(char);
    (1..=64).contains(&name.len()) && name.chars().all(is_plain)
}
