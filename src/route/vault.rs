//! Virtual keys: names for credentials that stay here.
//!
//! A key that lies in a file is read again when the file changes: it is rotated without a change in any app, and without a restart.

use std::{collections::BTreeMap, fmt, path::PathBuf, sync::Arc, time::SystemTime};

use arc_swap::ArcSwapOption;
use http::Uri;
use secrecy::{ExposeSecret as _, SecretString};

/// A virtual key, as it is configured.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The provider's slug.
    pub provider: String,
    /// Another base than the provider's own.
    pub base_url: Option<Uri>,
    /// What the provider is told beside the key.
    pub options: BTreeMap<String, String>,
    /// Where the key is.
    pub source: Source,
    /// The models that it may be used for: names, or beginnings that end with `*`; empty is all.
    pub models: Vec<String>,
}

impl PartialEq for Settings {
    /// Keys are compared where nobody could learn from the time that it takes: both are the operator's.
    fn eq(&self, other: &Self) -> bool {
        let Self { provider, base_url, options, source, models } = self;
        let same_source = match (source, &other.source) {
            (Source::Given(one), Source::Given(other)) => one.expose_secret() == other.expose_secret(),
            (Source::File(one), Source::File(other)) => one == other,
            (Source::None, Source::None) => true,
            _ => false,
        };
        same_source
            && *provider == other.provider
            && *base_url == other.base_url
            && *options == other.options
            && *models == other.models
    }
}

/// Where a credential is.
#[derive(Debug, Clone)]
pub enum Source {
    /// In the configuration, which takes it from the environment.
    Given(SecretString),
    /// In a file of its own.
    File(PathBuf),
    /// Nowhere: the provider wants none.
    None,
}

/// A virtual key in use.
pub struct VirtualKey {
    /// Its name.
    pub name: String,
    /// As it is configured.
    pub settings: Settings,
    current: ArcSwapOption<SecretString>,
    /// When the file had changed when it was last read; inside `None` if it was not there.
    seen: ArcSwapOption<Option<SystemTime>>,
}

impl fmt::Debug for VirtualKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VirtualKey").field("name", &self.name).finish_non_exhaustive()
    }
}

impl VirtualKey {
    /// A key in use; what lies in a file is not read yet.
    pub fn new(name: &str, settings: Settings) -> Self {
        let current = match &settings.source {
            Source::Given(key) => Some(Arc::new(key.clone())),
            Source::File(_) | Source::None => None,
        };
        Self { name: name.to_owned(), settings, current: current.into(), seen: ArcSwapOption::empty() }
    }

    /// The credential, if there is one.
    pub fn credential(&self) -> Option<Arc<SecretString>> {
        self.current.load_full()
    }

    /// Whether a credential is meant to be there and is not.
    pub fn is_missing(&self) -> bool {
        matches!(self.settings.source, Source::File(_)) && self.current.load().is_none()
    }

    /// Whether it may be used for a model.
    pub fn allows(&self, model: &str) -> bool {
        let fits =
            |allowed: &String| allowed.strip_suffix('*').map_or(allowed == model, |beginning| model.starts_with(beginning));
        self.settings.models.is_empty() || self.settings.models.iter().any(fits)
    }

    /// Reads its file if that has changed. One that cannot be read leaves the key as it was.
    fn refresh(&self) {
        let Source::File(path) = &self.settings.source else { return };
        let modified = path.metadata().and_then(|data| data.modified()).ok();
        let before = self.seen.swap(Some(Arc::new(modified)));
        if before.as_deref() == Some(&modified) {
            return;
        }
        match std::fs::read_to_string(path).map(|text| text.trim().to_owned()) {
            Ok(text) if !text.is_empty() => {
                let rotated = self.current.swap(Some(Arc::new(text.into()))).is_some();
                tracing::info!(virtual_key = self.name, rotated, "Credential read.");
            }
            result => {
                let cause = result.err().map_or_else(|| "it is empty".to_owned(), |error| error.to_string());
                let file = path.display();
                tracing::error!(virtual_key = self.name, %file, cause, "The credential cannot be read; what was read last stays in use.");
            }
        }
    }
}

/// All virtual keys.
#[derive(Debug, Clone, Default)]
pub struct Vault(Arc<BTreeMap<String, Arc<VirtualKey>>>);

impl Vault {
    /// The keys of the configuration. Reads the files that they lie in.
    pub fn open(settings: &BTreeMap<String, Settings>) -> Self {
        let vault = Self::named(settings);
        vault.refresh();
        vault
    }

    /// The same, whose files are not read.
    pub fn named(settings: &BTreeMap<String, Settings>) -> Self {
        let keys = settings.iter().map(|(name, settings)| (name.clone(), Arc::new(VirtualKey::new(name, settings.clone()))));
        Self(Arc::new(keys.collect()))
    }

    /// The key of this name.
    pub fn get(&self, name: &str) -> Option<&Arc<VirtualKey>> {
        self.0.get(name)
    }

    /// The names of all.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// Reads what has changed. Reads the disk.
    pub fn refresh(&self) {
        self.0.values().for_each(|key| key.refresh());
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, time::Duration};

    use super::*;

    fn key(source: Source, models: &[&str]) -> VirtualKey {
        let models = models.iter().map(|&model| model.to_owned()).collect();
        let settings = Settings { provider: "openai".to_owned(), base_url: None, options: BTreeMap::new(), source, models };
        VirtualKey::new("key", settings)
    }

    #[test]
    fn a_key_in_a_file_is_read_again_when_the_file_changes_and_kept_when_it_goes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        let key = key(Source::File(path.clone()), &[]);
        let current = || key.credential().map(|secret| secret.expose_secret().to_owned());
        key.refresh();
        assert!(current().is_none() && key.is_missing());
        fs::write(&path, "one\n").unwrap();
        key.refresh();
        assert_eq!(current().as_deref(), Some("one"));
        fs::write(&path, "two\n").unwrap();
        let later = path.metadata().unwrap().modified().unwrap() + Duration::from_secs(5);
        fs::File::open(&path).unwrap().set_modified(later).unwrap();
        key.refresh();
        assert_eq!(current().as_deref(), Some("two"));
        fs::remove_file(&path).unwrap();
        key.refresh();
        assert_eq!(current().as_deref(), Some("two"), "a file that is being replaced is no reason to stop");
    }

    #[test]
    fn models_are_allowed_by_name_or_beginning() {
        let key = key(Source::None, &["gpt-4o", "text-*"]);
        assert!(key.allows("gpt-4o") && key.allows("text-embedding-3-small") && !key.allows("gpt-4o-mini"));
        assert!(self::key(Source::None, &[]).allows("anything"));
    }

    #[test]
    fn a_key_is_never_shown() {
        assert!(!format!("{:?}", key(Source::Given("sk-secret".to_owned().into()), &[])).contains("sk-secret"));
    }
}
