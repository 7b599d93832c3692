//! What a target calls: a provider at a host, and with whose credential.

use std::{collections::BTreeMap, sync::Arc};

use http::{HeaderMap, HeaderValue, Uri, header::AUTHORIZATION};
use secrecy::{ExposeSecret, SecretString};

use super::{
    config::Spec,
    provider::{self, Options, Provider},
    vault::{Vault, VirtualKey},
};
use crate::{
    error::{Error, Kind, Result},
    outbound::Origin,
};

/// A provider at a host.
#[derive(Debug, Clone)]
pub struct Destination {
    /// Translates for it.
    pub provider: Arc<dyn Provider>,
    /// Where connections lead.
    pub origin: Origin,
    /// The `Host` header.
    pub host: HeaderValue,
    /// What identifies it in a cache key.
    pub identity: String,
    /// The virtual key that it is called with, if one is.
    pub virtual_key: Option<Arc<VirtualKey>>,
    /// Whose key of the operator's pays, by name; none if the client pays, or the upstream is that of everybody.
    pub payer: Option<String>,
    credential: Credential,
}

/// With whose credential a provider is called.
#[derive(Debug, Clone)]
enum Credential {
    /// The virtual key's.
    Virtual,
    /// One that stands in the config.
    Own(SecretString),
    /// The caller's, else the operator's for this provider.
    Callers(Option<SecretString>),
}

/// What destinations are found among.
#[derive(Debug, Clone)]
pub(super) struct Atlas {
    /// The virtual keys.
    pub(super) vault: Vault,
    /// The operator's own keys, by the slug of the provider.
    pub(super) keys: BTreeMap<String, SecretString>,
    /// The upstream of requests that name none.
    pub(super) default: Destination,
}

impl Destination {
    /// The upstream that the configuration names.
    pub(super) fn configured(base_url: &Uri, key: Option<SecretString>) -> Option<Self> {
        let options = Options { base_url: Some(base_url.clone()), values: BTreeMap::new() };
        let provider = provider::named("openai")?.provider(&options).ok()?;
        Self::of(provider, Credential::Callers(key)).ok()
    }

    fn of(provider: Arc<dyn Provider>, credential: Credential) -> std::result::Result<Self, String> {
        let origin = Origin::of(provider.origin()).ok_or("its base is no URL with http or https and a host")?;
        let host = provider.origin().authority().and_then(|authority| HeaderValue::from_str(authority.as_str()).ok());
        let host = host.ok_or("its host cannot be written in a header")?;
        let identity = provider.identity().to_owned();
        Ok(Self { origin, host, identity, provider, virtual_key: None, payer: None, credential })
    }

    /// Whether the client's own credentials are meant for it.
    pub(super) fn is_callers(&self) -> bool {
        matches!(self.credential, Credential::Callers(_))
    }

    /// Adds the credential and what else the provider is told in headers.
    pub(super) fn add_headers(&self, headers: &mut HeaderMap, callers: Option<&HeaderValue>) -> Result<()> {
        match &self.credential {
            Credential::Virtual => {
                let key = self.virtual_key.as_ref().and_then(|key| key.credential());
                if key.is_none() && self.virtual_key.as_ref().is_some_and(|key| key.is_missing()) {
                    let message = "The virtual key's file cannot be read. The operator finds the reason in the log.";
                    return Err(Error::new(Kind::Unavailable, message));
                }
                self.provider.add_headers(key.as_deref().map(ExposeSecret::expose_secret), headers)
            }
            Credential::Own(key) => self.provider.add_headers(Some(key.expose_secret()), headers),
            Credential::Callers(own) => match callers {
                Some(value) => {
                    let token = value.to_str().ok().and_then(|value| value.split_once(' '));
                    if let Some((_, token)) = token.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer")) {
                        return self.provider.add_headers(Some(token.trim()), headers);
                    }
                    self.provider.add_headers(None, headers)?;
                    headers.insert(AUTHORIZATION, value.clone());
                    Ok(())
                }
                None => self.provider.add_headers(own.as_ref().map(ExposeSecret::expose_secret), headers),
            },
        }
    }
}

impl Atlas {
    /// What a target calls. The error says what is wrong, and what to write.
    pub(super) fn find(&self, spec: &Spec) -> std::result::Result<Destination, String> {
        let by_provider = spec.provider.as_deref().and_then(|provider| provider.strip_prefix('@'));
        if let Some(name) = spec.virtual_key.as_deref().or(by_provider) {
            return self.virtual_key(name.trim_start_matches('@'), spec);
        }
        let base_url = spec.custom_host.as_deref().map(host).transpose()?;
        let credential = |slug: &str| match &spec.api_key {
            Some(key) => Credential::Own(key.clone()),
            // The operator's key goes to the provider's own host alone.
            None => Credential::Callers(self.keys.get(slug).filter(|_| base_url.is_none()).cloned()),
        };
        let paid = |slug: &str, found: Destination| {
            let payer = matches!(found.credential, Credential::Callers(Some(_))).then(|| slug.to_owned());
            Destination { payer, ..found }
        };
        let Some(slug) = spec.provider.as_deref() else {
            return match (&base_url, &spec.api_key) {
                (None, None) => Ok(self.default.clone()),
                (None, Some(key)) => Ok(Destination { credential: Credential::Own(key.clone()), ..self.default.clone() }),
                (Some(_), _) => of_slug("openai", &spec.options, base_url.clone(), credential("openai")),
            };
        };
        Ok(paid(slug, of_slug(slug, &spec.options, base_url.clone(), credential(slug))?))
    }

    /// A virtual key works only with the host that its own entry names.
    fn virtual_key(&self, name: &str, spec: &Spec) -> std::result::Result<Destination, String> {
        let Some(key) = self.vault.get(name) else {
            return match self.keys.get(name) {
                // A provider's key from the environment is a virtual key of the provider's name.
                Some(key) if spec.custom_host.is_none() => {
                    let found = of_slug(name, &spec.options, None, Credential::Own(key.clone()))?;
                    Ok(Destination { payer: Some(name.to_owned()), ..found })
                }
                _ => Err(format!("there is no virtual key `{name}`; the operator adds it under `virtual_keys`")),
            };
        };
        let settings = &key.settings;
        if let Some(custom) = spec.custom_host.as_deref() {
            let custom = host(custom)?;
            if settings.base_url.as_ref().is_none_or(|own| own != &custom) {
                return Err(format!(
                    "the virtual key `{name}` is not used with another host than its own; take `custom_host` out"
                ));
            }
        }
        let mut options = spec.options.clone();
        options.extend(settings.options.clone());
        let found = of_slug(&settings.provider, &options, settings.base_url.clone(), Credential::Virtual)?;
        Ok(Destination { virtual_key: Some(Arc::clone(key)), payer: Some(name.to_owned()), ..found })
    }
}

/// The provider of this slug.
fn of_slug(
    slug: &str,
    options: &BTreeMap<String, String>,
    base_url: Option<Uri>,
    credential: Credential,
) -> std::result::Result<Destination, String> {
    let entry = provider::named(slug).ok_or_else(|| {
        format!(
            "Invalid provider passed: `{slug}` is not known. Name one such as openai, anthropic, groq, or write `custom_host`"
        )
    })?;
    let options = Options { base_url, values: options.clone() };
    let provider = entry.provider(&options).map_err(|unfit| format!("the provider `{slug}` lacks something: {unfit}"))?;
    Destination::of(provider, credential)
}

/// The base that a client names. Which addresses are called is judged when they are.
fn host(text: &str) -> std::result::Result<Uri, String> {
    let url = text.trim_end_matches('/').parse::<Uri>().ok();
    let is_url = |url: &Uri| {
        url.host().is_some()
            && url.query().is_none()
            && matches!(url.scheme_str(), Some("http" | "https"))
            && !url.authority().is_some_and(|authority| authority.as_str().contains('@'))
    };
    url.filter(is_url)
        .ok_or_else(|| "Invalid custom host: write a base such as https://llm.example.com/v1, without credentials".to_owned())
}
