//! What operators take out: entries by what they are, and an answer that somebody did not ask for.

use std::time::Duration;

use serde::Serialize;

use super::{
    Cache, Entry, Seen,
    inspect::{id, id_prefix, words},
    scope::Key,
    store::{Change, Secret},
    walk::Walk,
};
use crate::{
    error::{Error, Kind, Result},
    guard::Screened,
    wire::Endpoint,
};

/// Entries shown of those that a purge takes.
const EXAMPLES: usize = 10;

/// Which entries are meant: those that all of these fit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// The beginning of the id, in small letters.
    pub id: Option<String>,
    /// The namespace; empty is none.
    pub namespace: Option<String>,
    /// The beginning of the tenant's hash, in small letters.
    pub tenant: Option<String>,
    /// The model asked for.
    pub model: Option<String>,
    /// The endpoint called.
    pub endpoint: Option<Endpoint>,
    /// Least age of the answer.
    pub older_than: Option<Duration>,
    /// A part of the prompt, in small letters.
    pub text: Option<String>,
}

impl Selection {
    /// Names an entry by its id or the beginning of it; an error if that is none.
    pub fn with_id(self, id: &str) -> Result<Self> {
        Ok(Self { id: Some(id_prefix(id)?), ..self })
    }

    /// Whether an entry is meant.
    pub fn matches(&self, entry: &Entry) -> bool {
        let fits = |wanted: &Option<String>, is: &str| wanted.as_deref().is_none_or(|wanted| wanted == is);
        let prompt = || entry.asked.as_ref().map(|asked| asked.text.to_lowercase()).unwrap_or_default();
        fits(&self.namespace, &entry.about.namespace)
            && fits(&self.model, &entry.about.model)
            && self.endpoint.is_none_or(|endpoint| endpoint == entry.about.endpoint)
            && self.older_than.is_none_or(|age| entry.age() >= age)
            && self.tenant.as_ref().is_none_or(|tenant| entry.about.tenant.to_string().starts_with(tenant))
            && self.id.as_ref().is_none_or(|prefix| id(entry).starts_with(prefix))
            && self.text.as_ref().is_none_or(|text| prompt().contains(text))
    }
}

/// What a purge takes, or would take.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Purge {
    /// Whether they are gone; else this is a preview.
    pub acted: bool,
    /// How many.
    pub entries: u64,
    /// What they occupy in memory, or would if they were there.
    pub bytes: u64,
    /// Some of them, 10 at most.
    pub examples: Vec<Seen>,
}

/// What became of a report.
#[derive(Debug, Clone, Serialize)]
pub struct FalseHit {
    /// The entry that is gone.
    pub removed: Seen,
    /// Whether the two prompts are now known as different; not if they are the same, or the entry keeps no prompt.
    pub remembered: bool,
}

impl Cache {
    /// The same cache, which remembers what is different under this secret.
    #[must_use]
    pub fn keyed_by(self, secret: Secret) -> Self {
        Self { differences: super::Differences::new(secret).into(), ..self }
    }

    /// Whether somebody reported these two prompts of one scope as different, in whichever order.
    pub fn differs(&self, partition: &Key, one: &str, other: &str) -> bool {
        self.differences.contains(partition, one, other)
    }

    /// Takes out what is selected, in memory and on disk, or only says what that would be.
    pub async fn purge(&self, selection: &Selection, act: bool) -> Result<Purge> {
        self.restored().await;
        let (mut purge, mut walk, mut on_disk) = (Purge { acted: act, ..Purge::default() }, Walk::over(self), true);
        while let Some(page) = walk.page().await {
            let meant: Vec<_> = page.into_iter().map(|met| met.entry).filter(|entry| selection.matches(entry)).collect();
            for entry in &meant {
                purge.entries += 1;
                purge.bytes += entry.size() as u64;
                if purge.examples.len() < EXAMPLES {
                    purge.examples.push(Seen::from(&**entry));
                }
            }
            if act {
                on_disk &= self.remove(meant.iter().map(|entry| entry.key).collect()).await;
            }
        }
        if on_disk { Ok(purge) } else { Err(not_on_disk()) }
    }

    /// Takes an entry out whose answer was served to a request that asked for something else, and remembers the two as different.
    pub async fn false_hit(&self, entry_id: &str, asked: &Screened) -> Result<FalseHit> {
        self.restored().await;
        let entry = self.find(entry_id).await?;
        let text = words(asked);
        let kept = entry.asked.as_ref();
        let pair = kept.and_then(|kept| self.differences.pair(&kept.place.partition, &kept.text, &text));
        let first_reported = kept.filter(|kept| pair.is_some() && !self.differs(&kept.place.partition, &kept.text, &text));
        if !self.differences.extend(pair) {
            let message = "There is no room for more reports: 100000 are remembered. Raise the threshold, or use `purge` to take the entry out.";
            return Err(Error::new(Kind::Unavailable, message));
        }
        let is_written = match (&self.store, pair) {
            (Some(store), Some(pair)) => store.change(Change::Differ(pair)).await,
            _ => true,
        };
        let is_removed = self.remove(vec![entry.key]).await;
        // Who reports a pair twice has seen one false hit.
        if let Some(kept) = first_reported {
            self.label_as_different(kept, &text).await;
        }
        let report = FalseHit { removed: Seen::from(&*entry), remembered: pair.is_some() };
        if is_written && is_removed { Ok(report) } else { Err(not_on_disk()) }
    }

    /// Takes entries out of memory first: from then on nobody is answered with them, whatever the disk says.
    ///
    /// `false` if they may still be on disk.
    async fn remove(&self, keys: Vec<Key>) -> bool {
        for key in &keys {
            self.entries.invalidate(key);
        }
        match &self.store {
            Some(store) if !keys.is_empty() => store.changes(keys.into_iter().map(Change::Remove)).await,
            _ => true,
        }
    }
}

fn not_on_disk() -> Error {
    let message = "It is done in memory, but the store was given up, so that it may come back after a restart. The log says why; \
                   mend that, restart, and do it again.";
    Error::new(Kind::Unavailable, message)
}
