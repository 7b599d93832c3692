//! An entry, and the labels, as they are written down: one block of bytes under its key, with a checksum.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::super::{
    entry::{About, Asked, Entry, Place, millis},
    scope::Key,
    verify::{Labels, ScoringId},
};
use crate::{
    embed::{DIMENSIONS, TokenVectors},
    exchange::{Cost, Tenant},
    guard::Stored,
    wire::{Endpoint, response::Usage},
};

/// Enough that no accident gets past it.
const CHECKSUM_BYTES: usize = 16;

/// An entry, its vector, and the engine that it belongs to.
#[derive(Debug, Clone)]
pub struct Record {
    /// The label of the engine under which its key was made; empty where nothing is embedded.
    pub engine: Arc<str>,
    /// The entry. Of one that was read the vector has no name yet: [`Place::id`] is 0.
    pub entry: Arc<Entry>,
    /// [`DIMENSIONS`] numbers where the entry is compared by meaning, else none.
    pub vector: Vec<f32>,
}

/// The fields of a record, as they follow each other in the bytes. A change here is a new version of every store.
#[derive(Serialize, Deserialize)]
struct Written<'a> {
    created: u64,
    ttl_ms: u64,
    tenant: [u8; 16],
    namespace: &'a str,
    endpoint: &'a str,
    model: &'a str,
    #[serde(with = "serde_bytes")]
    body: &'a [u8],
    rules: [u8; 16],
    #[serde(borrow)]
    notes: Vec<(&'a str, &'a str)>,
    tokens: (u64, u64),
    took_ms: u64,
    #[serde(borrow)]
    asked: Option<WrittenAsked<'a>>,
}

/// See [`Asked`].
#[derive(Serialize, Deserialize)]
struct WrittenAsked<'a> {
    partition: Key,
    text: &'a str,
    #[serde(with = "serde_bytes")]
    tokens: &'a [u8],
    #[serde(with = "serde_bytes")]
    vector: &'a [u8],
}

impl Record {
    /// Bytes that it occupies, about.
    pub fn size(&self) -> usize {
        self.entry.size()
    }

    /// When it expires, in milliseconds since the Unix epoch.
    pub(super) fn expires(&self) -> u64 {
        self.entry.created.saturating_add(millis(self.entry.ttl))
    }

    /// For a store: checksum and fields. Only an entry too large for memory cannot be written, so `None` never comes up.
    pub(super) fn to_bytes(&self) -> Option<Vec<u8>> {
        let Entry { key, stored, created, ttl, about, cost, asked, .. } = &*self.entry;
        let tokens = asked.as_ref().map(|asked| asked.tokens.to_bytes()).unwrap_or_default();
        let vector: Vec<u8> = self.vector.iter().flat_map(|number| number.to_le_bytes()).collect();
        let written = Written {
            created: *created,
            ttl_ms: millis(*ttl),
            tenant: about.tenant.0,
            namespace: &about.namespace,
            endpoint: about.endpoint.as_str(),
            model: &about.model,
            body: stored.body(),
            rules: stored.rules(),
            notes: stored.notes().iter().map(|note| (note.rule.as_str(), note.action)).collect(),
            tokens: (cost.usage.prompt_tokens, cost.usage.completion_tokens),
            took_ms: millis(cost.took),
            asked: asked.as_ref().map(|asked| WrittenAsked {
                partition: asked.place.partition,
                text: &asked.text,
                tokens: &tokens,
                vector: &vector,
            }),
        };
        sealed(key, &self.engine, &written)
    }

    /// Back from [`Record::to_bytes`]; `None` if these bytes did not come from there under this key and this engine.
    pub(super) fn from_bytes(key: &[u8], engine: &str, bytes: &[u8]) -> Option<Self> {
        let key = key.try_into().ok()?;
        let written: Written<'_> = unsealed(&key, engine, bytes)?;
        let (asked, vector) = match &written.asked {
            Some(asked) => (Some(asked.read()?), numbers(asked.vector)?),
            None => (None, Vec::new()),
        };
        let entry = Entry { asked, ..written.read(key)? };
        Some(Self { engine: engine.into(), entry: Arc::new(entry), vector })
    }
}

impl Written<'_> {
    fn read(&self, key: Key) -> Option<Entry> {
        let endpoint = Endpoint::named(self.endpoint)?;
        let (prompt_tokens, completion_tokens) = self.tokens;
        Some(Entry {
            key,
            stored: Stored::from_store(Bytes::copy_from_slice(self.body), self.rules, &self.notes)?,
            created: self.created,
            ttl: Duration::from_millis(self.ttl_ms),
            about: About { tenant: Tenant(self.tenant), namespace: self.namespace.into(), endpoint, model: self.model.into() },
            cost: Cost { usage: Usage { prompt_tokens, completion_tokens }, took: Duration::from_millis(self.took_ms) },
            asked: None,
            hits: 0.into(),
        })
    }
}

impl WrittenAsked<'_> {
    fn read(&self) -> Option<Asked> {
        let tokens = TokenVectors::from_bytes(self.tokens)?;
        Some(Asked::new(Place { partition: self.partition, id: 0 }, self.text.into(), tokens))
    }
}

/// Labels for a store; `None` never comes up.
pub(super) fn labels_to_bytes(engine: &str, scoring: &ScoringId, labels: &Labels) -> Option<Vec<u8>> {
    sealed(scoring, engine, labels)
}

/// Back from [`labels_to_bytes`]; `None` if these bytes did not come from there for this engine and these scores.
pub(super) fn labels_from_bytes(engine: &str, scoring: &ScoringId, bytes: &[u8]) -> Option<Labels> {
    unsealed(scoring, engine, bytes)
}

/// Fields behind their checksum.
fn sealed(key: &Key, engine: &str, fields: &impl Serialize) -> Option<Vec<u8>> {
    let mut bytes = postcard::to_extend(fields, vec![0; CHECKSUM_BYTES]).ok()?;
    let (sum, fields) = bytes.split_at_mut(CHECKSUM_BYTES);
    sum.copy_from_slice(&checksum(key, engine, fields));
    Some(bytes)
}

/// Fields whose checksum is right.
fn unsealed<'b, T: Deserialize<'b>>(key: &Key, engine: &str, bytes: &'b [u8]) -> Option<T> {
    let (sum, fields) = bytes.split_at_checked(CHECKSUM_BYTES)?;
    if sum == checksum(key, engine, fields) { postcard::from_bytes(fields).ok() } else { None }
}

fn checksum(key: &Key, engine: &str, fields: &[u8]) -> [u8; CHECKSUM_BYTES] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(key).update(&(engine.len() as u64).to_le_bytes()).update(engine.as_bytes()).update(fields);
    let mut sum = [0; CHECKSUM_BYTES];
    hasher.finalize_xof().fill(&mut sum);
    sum
}

/// Numbers that an index takes.
fn numbers(bytes: &[u8]) -> Option<Vec<f32>> {
    let (numbers, rest) = bytes.as_chunks();
    let numbers: Vec<f32> = numbers.iter().map(|number| f32::from_le_bytes(*number)).collect();
    let usable = rest.is_empty() && numbers.len() == DIMENSIONS && numbers.iter().all(|number| number.is_finite());
    usable.then_some(numbers)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{super::conformance::record, *};

    #[test]
    fn comes_back_from_its_bytes() {
        for record in [record(1, 4, "rten-1"), record(2, 0, "")] {
            let bytes = record.to_bytes().unwrap();
            let back = Record::from_bytes(&record.entry.key, &record.engine, &bytes).unwrap();
            assert_eq!(format!("{back:?}"), format!("{record:?}"));
        }
    }

    #[test]
    fn belongs_to_its_key_and_its_engine() {
        let record = record(1, 4, "rten-1");
        let bytes = record.to_bytes().unwrap();
        assert!(Record::from_bytes(&[9; 32], "rten-1", &bytes).is_none());
        assert!(Record::from_bytes(&record.entry.key[..31], "rten-1", &bytes).is_none());
        assert!(Record::from_bytes(&record.entry.key, "rten-2", &bytes).is_none());
    }

    #[test]
    fn what_no_index_or_gate_would_take_is_not_read_even_with_a_right_checksum() {
        let whole = record(1, 4, "rten-1");
        let mut nan = whole.clone();
        nan.vector[7] = f32::NAN;
        let mut short = whole.clone();
        short.vector.pop();
        for record in [nan, short] {
            assert!(Record::from_bytes(&record.entry.key, "rten-1", &record.to_bytes().unwrap()).is_none());
        }
    }

    #[test]
    fn labels_come_back_for_their_engine_and_scores_alone() {
        let mut labels = Labels::default();
        for n in 0..300_u16 {
            labels.add(0.7 + f32::from(n) / 1000.0, n % 7 > 0);
        }
        let bytes = labels_to_bytes("rten-1", &[1; 32], &labels).unwrap();
        assert_eq!(labels_from_bytes("rten-1", &[1; 32], &bytes), Some(labels));
        assert_eq!(labels_from_bytes("rten-2", &[1; 32], &bytes), None);
        assert_eq!(labels_from_bytes("rten-1", &[2; 32], &bytes), None);
    }

    proptest! {
        #[test]
        fn any_change_of_the_bytes_is_noticed(at in any::<prop::sample::Index>(), flip in 1..=255_u8, cut in any::<bool>()) {
            let record = record(1, 4, "rten-1");
            let mut bytes = record.to_bytes().unwrap();
            let at = at.index(bytes.len());
            if cut { bytes.truncate(at) } else { bytes[at] ^= flip }
            prop_assert!(Record::from_bytes(&record.entry.key, "rten-1", &bytes).is_none());
        }

        #[test]
        fn any_fields_under_a_right_checksum_are_read_or_not_but_never_a_panic(fields in prop::collection::vec(any::<u8>(), 0..400)) {
            let mut bytes = checksum(&[1; 32], "e", &fields).to_vec();
            bytes.extend(fields);
            Record::from_bytes(&[1; 32], "e", &bytes);
            labels_from_bytes("e", &[1; 32], &bytes);
        }
    }
}
