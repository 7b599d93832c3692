//! Client keys: from the key itself or its hash to a hash alone.

use std::{collections::HashSet, sync::Arc};

use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};

use crate::access::{self, limits};

use super::{
    defaults,
    resolver::Resolver,
    written::{By, ClientKey, Written},
};

impl Resolver<'_> {
    pub(super) fn access(&mut self, all: &Written) -> access::Settings {
        let limits = self.limits(all);
        let written = &all.access;
        let mut names = HashSet::new();
        let mut hashes = HashSet::new();
        let mut client_keys = Vec::new();
        for (index, key) in written.client_keys.iter().enumerate() {
            let at = format!("/access/client_keys/{index}");
            let Some(sha256) = self.hash(&at, key) else {
                continue;
            };
            if !names.insert(key.name.as_str()) {
                self.refuse_because(
                    &format!("{at}/name"),
                    "is the name of another key too",
                    "logs and metrics could not tell the two apart",
                    "give each key a name of its own",
                );
            }
            if !hashes.insert(sha256) {
                self.refuse(&at, "is the same key as one above", "give each client a key of its own, or remove one");
            }
            let profiles = key.guardrails.as_ref().map(|names| Arc::new(names.iter().cloned().collect()));
            let virtual_keys = key.virtual_keys.as_ref().map(|names| Arc::new(names.iter().cloned().collect()));
            let config = key.config.as_deref().map(Arc::from);
            let (name, tenant) = (key.name.clone(), key.tenant.clone());
            client_keys.push(access::ClientKey { name, sha256, tenant, profiles, config, virtual_keys });
        }
        access::Settings { client_keys, limits }
    }

    fn limits(&mut self, all: &Written) -> limits::Settings {
        let mut settings = limits::Settings::default();
        for (n, key) in all.access.client_keys.iter().enumerate() {
            let limits = self.limits_at(&format!("/access/client_keys/{n}/limits"), &key.limits);
            settings.client_keys.insert(key.name.clone(), limits);
        }
        for (name, key) in &all.virtual_keys {
            let limits = self.limits_at(&format!("/virtual_keys/{name}/limits"), &key.limits);
            settings.virtual_keys.insert(name.clone(), limits);
        }
        for (n, shared) in all.access.limits.iter().enumerate() {
            let by = match shared.by {
                By::Tenant => limits::By::Tenant,
                By::User => limits::By::User,
                By::Model => limits::By::Model,
            };
            let limits = self.limits_at(&format!("/access/limits/{n}/limits"), &shared.limits);
            settings.shared.push((by, limits));
        }
        settings
    }

    fn limits_at(&mut self, at: &str, written: &[String]) -> Vec<limits::Limit> {
        let limits = written.iter().enumerate().filter_map(|(n, text)| {
            let limit = text.parse().ok();
            if limit.is_none() {
                let remedy = "write a number, requests, tokens or usd, and minute, hour, day or month: `60 requests/minute`, `soft 40 usd/month`";
                self.refuse(&format!("{at}/{n}"), "is no limit", remedy);
            }
            limit
        });
        limits.collect()
    }

    fn hash(&mut self, at: &str, written: &ClientKey) -> Option<[u8; 32]> {
        match (&written.key, &written.sha256) {
            (Some(key), None) => self.hash_of(&format!("{at}/key"), key),
            (None, Some(hash)) => self.parsed_hash(&format!("{at}/sha256"), hash),
            (Some(_), Some(_)) => {
                self.refuse(at, "has both `key` and `sha256`", "keep one of the two");
                None
            }
            (None, None) => {
                let remedy = "add `key: ${LOCKGATE_CLIENT_KEY}` and set that variable, or add `sha256: …`";
                self.refuse(at, "has neither `key` nor `sha256`", remedy);
                None
            }
        }
    }

    fn hash_of(&mut self, at: &str, key: &SecretString) -> Option<[u8; 32]> {
        let key = key.expose_secret();
        if key.chars().count() < defaults::LEAST_KEY_LENGTH {
            self.refuse_because(
                at,
                "is shorter than 22 characters",
                "who can reach the port could find it by trying",
                "make one with: openssl rand -base64 24",
            );
            return None;
        }
        Some(Sha256::digest(key).into())
    }

    fn parsed_hash(&mut self, at: &str, text: &str) -> Option<[u8; 32]> {
        let hash = parse_hex(text);
        if hash.is_none() {
            let remedy = "write what this prints: printf %s \"$KEY\" | sha256sum";
            self.refuse(at, "is not 64 hexadecimal digits", remedy);
        }
        hash
    }
}

fn parse_hex(text: &str) -> Option<[u8; 32]> {
    let digits: Vec<u8> = text.chars().map(|c| c.to_digit(16)?.try_into().ok()).collect::<Option<_>>()?;
    let bytes: Vec<u8> = digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect();
    if digits.len() == 64 { bytes.try_into().ok() } else { None }
}
