//! Entries as lines of JSON, out of one cache and back into one: a backup that can be read, and cut down, with any tool.
//!
//! An entry goes out without its vectors: they are made again from its prompt by the engine of the same fingerprint, which costs milliseconds and trusts no
//! file. It also comes back without the rules it was cleared under, so that the output gate judges it again whenever it is served.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{
    About, Asked, Cache, Cost, Entry, Place,
    entry::millis,
    inspect::id,
    scope::Key,
    store::{Change, Record},
    walk::{Met, Walk},
};
use crate::{
    embed::TokenVectors,
    error::{Error, Kind, Result},
    exchange::Tenant,
    guard::Stored,
    wire::{Endpoint, response::Usage},
};

/// The version of [`Line`].
const FORMAT: u32 = 1;
/// Entries written down together.
const BATCH: usize = 64;
/// What a line may hold beside its answer.
const LINE_SLACK: usize = 1 << 20;
/// A character of an answer takes at most six in a line.
const ESCAPED: usize = 6;
/// Requests go first: while no thread is free, an import waits this long before it asks again.
const WAIT: Duration = Duration::from_millis(20);

/// The first line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    lockgate_export: u32,
    /// Who wrote it.
    version: String,
    /// Tells whether tenants mean the same here.
    secret: String,
}

/// One entry.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    key: String,
    engine: Box<str>,
    created_ms: u64,
    ttl_ms: u64,
    tenant: String,
    namespace: Box<str>,
    endpoint: String,
    model: Box<str>,
    prompt_tokens: u64,
    completion_tokens: u64,
    took_ms: u64,
    asked: Option<AskedLine>,
    answer: String,
}

/// See [`Asked`].
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct AskedLine {
    partition: String,
    text: Box<str>,
}

impl Line {
    /// `None` for an answer that is no text: no endpoint gives one.
    fn of(Met { entry, engine }: Met) -> Option<Self> {
        let Entry { about, cost, created, ttl, stored, asked, .. } = &*entry;
        Some(Self {
            key: id(&entry),
            engine,
            created_ms: *created,
            ttl_ms: millis(*ttl),
            tenant: about.tenant.to_string(),
            namespace: about.namespace.clone(),
            endpoint: about.endpoint.as_str().to_owned(),
            model: about.model.clone(),
            prompt_tokens: cost.usage.prompt_tokens,
            completion_tokens: cost.usage.completion_tokens,
            took_ms: millis(cost.took),
            asked: asked.as_ref().map(|asked| AskedLine { partition: hex(&asked.place.partition), text: asked.text.clone() }),
            answer: String::from_utf8(stored.body().to_vec()).ok()?,
        })
    }

    /// The entry, whose vectors are still to be made; what is wrong where it is none.
    fn read(self) -> std::result::Result<Entry, &'static str> {
        let about = About {
            tenant: tenant(&self.tenant).ok_or("`tenant` is not 32 hexadecimal digits")?,
            namespace: self.namespace,
            endpoint: Endpoint::named(&self.endpoint).ok_or("`endpoint` is none of chat, completions and embeddings")?,
            model: self.model,
        };
        let usage = Usage { prompt_tokens: self.prompt_tokens, completion_tokens: self.completion_tokens };
        let asked = match self.asked {
            Some(AskedLine { partition, text }) => {
                let partition = key(&partition).ok_or("`asked.partition` is not 64 hexadecimal digits")?;
                Some(Asked::new(Place { partition, id: 0 }, text, TokenVectors::default()))
            }
            None => None,
        };
        Ok(Entry {
            key: key(&self.key).ok_or("`key` is not 64 hexadecimal digits")?,
            stored: Stored::from_store(self.answer.into(), NO_RULES, &[]).ok_or("`answer` cannot be kept")?,
            created: self.created_ms,
            ttl: Duration::from_millis(self.ttl_ms),
            about,
            cost: Cost { usage, took: Duration::from_millis(self.took_ms) },
            asked,
            hits: 0.into(),
        })
    }
}

/// No rule set has this id.
const NO_RULES: [u8; 16] = [0; 16];

/// Entries on their way out.
#[derive(Debug)]
pub struct Export {
    walk: Walk,
    header: Option<Bytes>,
}

impl Export {
    /// The next lines, whole; `None` after the last.
    pub async fn next(&mut self) -> Option<Bytes> {
        if let Some(header) = self.header.take() {
            return Some(header);
        }
        let page = self.walk.page().await?;
        let lines = page.into_iter().filter(|met| met.entry.live()).filter_map(Line::of);
        Some(lines.flat_map(|line| written(&line)).collect::<Vec<u8>>().into())
    }
}

/// What became of the lines.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Imported {
    /// Entries that are there now and were not before.
    pub imported: u64,
    /// Those whose request has an entry already.
    pub known: u64,
    /// Those whose time is over, or has not come.
    pub expired: u64,
    /// Those of another engine, model or kind of CPU, or of another `cache.mode`.
    pub other_engine: u64,
    /// Those larger than `cache.max_entry`.
    pub too_large: u64,
}

/// Entries on their way in, line by line.
#[derive(Debug)]
pub struct Import {
    cache: Cache,
    has_header: bool,
    waiting: Vec<Change>,
    imported: Imported,
}

impl Cache {
    /// All entries, as lines of JSON: first the header, then those on disk, then those in memory alone.
    pub fn export(&self) -> Export {
        let (lockgate_export, version) = (FORMAT, env!("CARGO_PKG_VERSION").to_owned());
        let header = Header { lockgate_export, version, secret: self.differences.secret_id() };
        Export { walk: Walk::over(self), header: Some(written(&header).into()) }
    }

    /// Takes lines of an export in.
    pub fn import(&self) -> Import {
        Import { cache: self.clone(), has_header: false, waiting: Vec::new(), imported: Imported::default() }
    }

    /// Bytes that a line may have.
    pub fn longest_line(&self) -> usize {
        self.max.entry_bytes.saturating_mul(ESCAPED).saturating_add(LINE_SLACK)
    }
}

impl Import {
    /// Takes the next line in. The error says what is wrong with it, but not where it stands.
    pub async fn line(&mut self, line: &[u8]) -> Result<()> {
        if line.trim_ascii().is_empty() {
            return Ok(());
        }
        if !self.has_header {
            self.has_header = true;
            return self.header(line);
        }
        let line: Line = serde_json::from_slice(line).map_err(|error| wrong(&format!("is no line of an export: {error}")))?;
        if line.engine != self.cache.engine_id() {
            self.imported.other_engine += 1;
            return Ok(());
        }
        let entry = line.read().map_err(wrong)?;
        self.admit(entry).await
    }

    fn header(&self, line: &[u8]) -> Result<()> {
        let header: Header = serde_json::from_slice(line)
            .map_err(|_| wrong("is not the first line of an export. Give the whole file that `lockgate cache export` wrote"))?;
        if header.lockgate_export != FORMAT {
            return Err(wrong(&format!(
                "is of format {}, and this Lockgate reads {FORMAT}. Export with the same version",
                header.lockgate_export
            )));
        }
        if header.secret != self.cache.differences.secret_id() {
            return Err(wrong(
                "names another secret: tenants are hashed with the secret of their store, so that these entries would belong to nobody here. \
                 Import where the store is the same or a copy of it",
            ));
        }
        Ok(())
    }

    async fn admit(&mut self, mut entry: Entry) -> Result<()> {
        if !entry.live() || entry.created > crate::clock::unix_millis() {
            self.imported.expired += 1;
        } else if entry.stored.size() > self.cache.max.entry_bytes {
            self.imported.too_large += 1;
        } else if self.cache.entries.contains_key(&entry.key) {
            self.imported.known += 1;
        } else {
            let vector = match &mut entry.asked {
                Some(asked) => {
                    let (vector, tokens) = self.cache.vectors(&asked.text).await?;
                    asked.tokens = tokens;
                    vector
                }
                None => Vec::new(),
            };
            self.take(entry, vector).await?;
        }
        Ok(())
    }

    async fn take(&mut self, entry: Entry, vector: Vec<f32>) -> Result<()> {
        let key = entry.key;
        let record = Record { engine: Arc::default(), entry: Arc::new(entry), vector: vector.clone() };
        if !self.cache.put_back(record) {
            self.imported.known += 1;
            return Ok(());
        }
        self.imported.imported += 1;
        if let (Some(store), Some(entry)) = (&self.cache.store, self.cache.live(&key)) {
            self.waiting.push(Change::Put(store.record(entry, vector)));
        }
        if self.waiting.len() >= BATCH { self.write().await } else { Ok(()) }
    }

    async fn write(&mut self) -> Result<()> {
        let waiting = std::mem::take(&mut self.waiting);
        match &self.cache.store {
            Some(store) if !store.changes(waiting).await => {
                let message = "The entries are in memory, but the store was given up, so that they are gone after a restart. The log says why.";
                Err(Error::new(Kind::Unavailable, message))
            }
            _ => Ok(()),
        }
    }

    /// Writes down what waits, and says what became of the lines.
    pub async fn finish(mut self) -> Result<Imported> {
        self.write().await?;
        Ok(self.imported)
    }
}

impl Cache {
    /// The vectors of a prompt, when a thread is free.
    async fn vectors(&self, text: &str) -> Result<(Vec<f32>, TokenVectors)> {
        let failed = || Error::new(Kind::Unavailable, "A prompt could not be embedded. The log has the reason.");
        let semantic = self.semantic.as_ref().ok_or_else(failed)?;
        loop {
            let embedded =
                semantic.worker.embed(text.to_owned(), |_, embedding| (TokenVectors::of(&embedding), embedding.vector)).await;
            match embedded {
                Ok(Ok((tokens, vector))) => return Ok((vector, tokens)),
                Ok(Err(error)) => return Err(failed().because(error)),
                Err(_busy) => tokio::time::sleep(WAIT).await,
            }
        }
    }
}

fn wrong(what: &str) -> Error {
    Error::new(Kind::InvalidRequest, what)
}

/// One line. What is written here has no maps with keys that JSON lacks, so it never fails.
fn written(line: &impl Serialize) -> Vec<u8> {
    let mut bytes = serde_json::to_vec(line).unwrap_or_default();
    bytes.push(b'\n');
    bytes
}

fn hex(key: &Key) -> String {
    blake3::Hash::from_bytes(*key).to_hex().to_string()
}

fn key(text: &str) -> Option<Key> {
    blake3::Hash::from_hex(text).ok().map(Into::into)
}

fn tenant(text: &str) -> Option<Tenant> {
    let is_whole = text.len() == 32 && text.bytes().all(|digit| digit.is_ascii_hexdigit());
    u128::from_str_radix(text, 16).ok().filter(|_| is_whole).map(|number| Tenant(number.to_be_bytes()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{super::store::conformance::record, *};

    fn line(n: u8) -> Line {
        Line::of(Met { entry: record(n, 1, "").entry, engine: "e".into() }).unwrap()
    }

    #[test]
    fn an_entry_comes_back_from_its_line_without_vectors_and_without_the_rules_it_passed() {
        for n in 0..3 {
            let kept = record(n, 1, "").entry;
            let back = serde_json::from_slice::<Line>(&written(&line(n))).unwrap().read().unwrap();
            assert_eq!(
                (back.key, back.created, back.ttl, &back.about, back.cost),
                (kept.key, kept.created, kept.ttl, &kept.about, kept.cost)
            );
            let (asked, was) = (back.asked.unwrap(), kept.asked.as_ref().unwrap());
            assert_eq!(
                (asked.place.partition, &asked.text, asked.tokens),
                (was.place.partition, &was.text, TokenVectors::default())
            );
            assert_eq!((back.stored.body(), back.stored.rules(), back.stored.notes().len()), (kept.stored.body(), NO_RULES, 0));
        }
    }

    #[test]
    fn a_tenant_is_read_as_it_is_written() {
        let one = Tenant([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 255]);
        assert_eq!(tenant(&one.to_string()), Some(one));
        for text in ["", "+0000000000000000000000000000001", "000102030405060708090a0b0c0d0eff0", "é"] {
            assert_eq!(tenant(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_damaged_line_is_read_or_refused(at in any::<prop::sample::Index>(), flip in 1..=255_u8, cut in any::<bool>()) {
            let mut bytes = written(&line(1));
            let at = at.index(bytes.len());
            if cut { bytes.truncate(at) } else { bytes[at] ^= flip }
            if let Ok(line) = serde_json::from_slice::<Line>(&bytes) {
                drop(line.read());
            }
        }
    }
}
