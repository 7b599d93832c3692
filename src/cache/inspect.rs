//! What operators ask of a cache, and what they are shown: how much there is, one entry, the neighbours of a text. Data only, and nothing changes.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use serde::Serialize;

use super::{
    ANY, Cache, CachePlan, Candidate, Entry, Selection, Size,
    entry::millis,
    scope,
    semantic::{Asking, usable},
    store,
    verify::{Check, Reading, Side},
};
use crate::{
    embed::{Embedding, TokenVectors},
    error::{Error, Kind, Result},
    exchange::{Bypass, Tenant},
    guard::Screened,
};

/// Groups in the statistics, the largest first.
const GROUPS: usize = 20;
/// Neighbours that are shown.
const SHOWN: usize = 8;
/// An embedding takes milliseconds; who waits longer waits behind a full queue.
const PATIENCE: Duration = Duration::from_secs(5);
/// Digits of an id from which it may be cut off.
const LEAST_DIGITS: usize = 8;
/// Digits of a whole id.
const ID_DIGITS: usize = 64;

/// An entry, as operators see it in a list.
#[derive(Debug, Clone, Serialize)]
pub struct Seen {
    /// Its exact key, in hexadecimal digits.
    pub id: String,
    /// Whose it is, in hexadecimal digits.
    pub tenant: String,
    /// The namespace that the client named, or nothing.
    pub namespace: String,
    /// Which endpoint was called.
    pub endpoint: &'static str,
    /// The model asked for.
    pub model: String,
    /// The last message, where it is compared by meaning; of other entries nothing is kept but the answer.
    pub prompt: Option<String>,
    /// Seconds since the upstream gave the answer.
    pub age_s: u64,
    /// Seconds for which it is still served.
    pub expires_in_s: u64,
    /// Bytes in memory.
    pub bytes: usize,
    /// Tokens read, as the provider counts them.
    pub prompt_tokens: u64,
    /// Tokens written, as the provider counts them.
    pub completion_tokens: u64,
    /// Milliseconds that the upstream took.
    pub took_ms: u64,
}

impl From<&Entry> for Seen {
    fn from(entry: &Entry) -> Self {
        let Entry { about, cost, asked, .. } = entry;
        Self {
            id: id(entry),
            tenant: about.tenant.to_string(),
            namespace: about.namespace.to_string(),
            endpoint: about.endpoint.as_str(),
            model: about.model.to_string(),
            prompt: asked.as_ref().map(|asked| asked.text.to_string()),
            age_s: entry.age().as_secs(),
            expires_in_s: entry.remaining().as_secs(),
            bytes: entry.size(),
            prompt_tokens: cost.usage.prompt_tokens,
            completion_tokens: cost.usage.completion_tokens,
            took_ms: millis(cost.took),
        }
    }
}

/// An entry's exact key, in hexadecimal digits.
pub(super) fn id(entry: &Entry) -> String {
    blake3::Hash::from_bytes(entry.key).to_hex().to_string()
}

/// Checks an id or the beginning of one, and writes it in small letters.
pub(super) fn id_prefix(text: &str) -> Result<String> {
    let is_id = (LEAST_DIGITS..=ID_DIGITS).contains(&text.len()) && text.bytes().all(|digit| digit.is_ascii_hexdigit());
    if is_id {
        return Ok(text.to_ascii_lowercase());
    }
    let message = format!(
        "`{}` is no id of an entry. Give 8 to 64 hexadecimal digits, as `x-lockgate-entry` on a hit says them.",
        text.escape_default()
    );
    Err(Error::new(Kind::InvalidRequest, message).param("id"))
}

/// How much of the memory one tenant, namespace and model take.
#[derive(Debug, Clone, Serialize)]
pub struct Group {
    /// Whose entries, in hexadecimal digits.
    pub tenant: String,
    /// The namespace that clients named, or nothing.
    pub namespace: String,
    /// The model asked for.
    pub model: String,
    /// How many.
    pub entries: u64,
    /// What they occupy.
    pub bytes: u64,
}

/// How much is kept, and for whom.
#[derive(Debug, Clone, Serialize)]
pub struct Stats {
    /// Answers in memory.
    pub entries: u64,
    /// What they occupy.
    pub bytes: u64,
    /// Vectors of the semantic tier.
    pub vectors: usize,
    /// Scopes: only within one are entries compared.
    pub partitions: usize,
    /// Pairs that were reported as different.
    pub differences: usize,
    /// What is on disk, where entries are kept there.
    pub store: Option<store::Size>,
    /// The largest first, 20 at most.
    pub groups: Vec<Group>,
    /// How many more there are.
    pub more_groups: usize,
}

/// An entry near to a text.
#[derive(Debug, Clone, Serialize)]
pub struct Neighbour {
    /// The entry.
    #[serde(flatten)]
    pub entry: Seen,
    /// Their cosine similarity.
    pub similarity: f32,
    /// What verification leaves of it.
    pub score: f32,
    /// What each check found, 0 to 1, where it found anything.
    pub found: Vec<(&'static str, f32)>,
    /// The check that vetoes.
    pub veto: Option<&'static str>,
    /// What would become of it: `served`, `below-threshold`, `vetoed`, `reported-different`, or `not-compared` where a text like this is not.
    pub fate: &'static str,
}

/// A text and what is near to it.
#[derive(Debug, Clone, Serialize)]
pub struct Neighbourhood {
    /// The text as the input gate left it.
    pub text: String,
    /// Why a request that says this alone would not be compared by meaning.
    pub bypass: Option<&'static str>,
    /// Least score of a hit.
    pub threshold: f32,
    /// The nearest first, 8 at most.
    pub neighbours: Vec<Neighbour>,
}

impl Cache {
    /// How much is kept, and for whom.
    pub async fn stats(&self) -> Stats {
        let store = match &self.store {
            Some(store) => store.size().await,
            None => None,
        };
        let (Size { entries, bytes, vectors }, all) = (self.size(), self.in_memory());
        let (groups, more_groups) = groups(&all);
        let partitions: HashSet<_> = all.iter().filter_map(|entry| Some(entry.place()?.partition)).collect();
        let (partitions, differences) = (partitions.len(), self.differences.len());
        Stats { entries, bytes, vectors, partitions, differences, store, groups, more_groups }
    }

    /// The entry that an id names, or the beginning of one; in memory or on disk.
    pub async fn find(&self, id: &str) -> Result<Arc<Entry>> {
        let selection = Selection { id: Some(id_prefix(id)?), ..Selection::default() };
        let mut found: Vec<_> = self.in_memory().into_iter().filter(|entry| selection.matches(entry)).collect();
        if found.is_empty() {
            found = self.find_on_disk(&selection).await;
        }
        match (found.pop(), found.pop()) {
            (Some(entry), None) => Ok(entry),
            (None, _) => {
                let message = format!(
                    "No entry has the id `{id}`. It may have expired or been evicted; `lockgate cache lookup` finds others."
                );
                Err(Error::new(Kind::UnknownEntry, message).param("id"))
            }
            (Some(_), Some(_)) => {
                Err(Error::new(Kind::InvalidRequest, format!("Several entries begin with `{id}`. Give more digits.")).param("id"))
            }
        }
    }

    async fn find_on_disk(&self, selection: &Selection) -> Vec<Arc<Entry>> {
        let (mut walk, mut found) = (super::walk::Walk::over(self), Vec::new());
        while let Some(page) = walk.page().await {
            found.extend(page.into_iter().map(|met| met.entry).filter(|entry| selection.matches(entry)));
        }
        found
    }

    /// The entries nearest to a text among those that are selected, and what would become of each.
    pub async fn neighbours(&self, asked: &Screened, among: Selection, plan: CachePlan) -> Result<Neighbourhood> {
        let text = words(asked);
        let embedding = self.embedded(text.clone()).await?;
        let reading = Reading::of(&text);
        let bypass = scope::question(asked).err().or_else(|| usable(&embedding, &reading).err());
        let cache = self.clone();
        let search = move || {
            let tokens = TokenVectors::of(&embedding);
            let asking = Asking { text: &text, side: Side { reading: &reading, tokens: &tokens } };
            let nearest = cache.nearest_of(&among, &embedding.vector).into_iter();
            let neighbours =
                nearest.map(|(entry, similarity)| Neighbour::of(&cache.judge(&asking, entry, similarity, &plan), bypass));
            let neighbours = neighbours.collect();
            Neighbourhood { text, bypass: bypass.map(Bypass::as_str), threshold: plan.threshold, neighbours }
        };
        tokio::task::spawn_blocking(search)
            .await
            .map_err(|error| Error::new(Kind::Internal, "The search was given up because of a bug. Try again.").because(error))
    }

    pub(super) async fn embedded(&self, text: String) -> Result<Embedding> {
        let Some(semantic) = &self.semantic else {
            let message = "Nothing is compared by meaning here. Set `cache.mode: semantic` and start again.";
            return Err(Error::new(Kind::Unsupported, message));
        };
        let unavailable = |message| Error::new(Kind::Unavailable, message);
        match tokio::time::timeout(PATIENCE, semantic.worker.embed(text, |_, embedding| embedding)).await {
            Ok(Ok(Ok(embedding))) => Ok(embedding),
            Ok(Ok(Err(error))) => {
                Err(unavailable("The text could not be embedded. Try again; the log has the reason.").because(error))
            }
            Ok(Err(_)) | Err(_) => Err(unavailable("All embedding threads are busy. Try again.")),
        }
    }

    fn nearest_of(&self, among: &Selection, vector: &[f32]) -> Vec<(Arc<Entry>, f32)> {
        let selected = self.in_memory().into_iter().filter(|entry| among.matches(entry));
        let partitions: HashSet<_> = selected.filter_map(|entry| Some(entry.place()?.partition)).collect();
        let nearest = partitions.iter().flat_map(|partition| self.partitions.nearest(partition, vector, SHOWN, ANY));
        let mut nearest: Vec<_> = nearest.filter_map(|(key, similarity)| Some((self.live(&key)?, similarity))).collect();
        nearest.sort_by(|(_, one), (_, other)| other.total_cmp(one));
        nearest.truncate(SHOWN);
        nearest
    }
}

impl Neighbour {
    fn of(candidate: &Candidate, bypass: Option<Bypass>) -> Self {
        let Candidate { entry, similarity, verdict, fate } = candidate;
        let found = Check::ALL.into_iter().map(|check| (check.as_str(), verdict.found[check as usize]));
        Self {
            entry: Seen::from(&**entry),
            similarity: *similarity,
            score: verdict.score,
            found: found.filter(|(_, found)| *found > 0.0).collect(),
            veto: verdict.veto.map(Check::as_str),
            fate: if bypass.is_some() { "not-compared" } else { fate.as_str() },
        }
    }
}

/// All that is said in a request, as the input gate left it.
pub(super) fn words(asked: &Screened) -> String {
    let texts = asked.request().texts();
    texts.iter().filter(|text| text.part.is_said()).map(|text| &*text.text).collect::<Vec<_>>().join("\n")
}

/// Entries by tenant, namespace and model: the largest groups, and how many more there are.
fn groups(entries: &[Arc<Entry>]) -> (Vec<Group>, usize) {
    let mut groups: HashMap<(Tenant, &str, &str), (u64, u64)> = HashMap::new();
    for entry in entries {
        let (count, bytes) = groups.entry((entry.about.tenant, &entry.about.namespace, &entry.about.model)).or_default();
        *count += 1;
        *bytes += entry.size() as u64;
    }
    let group = |((tenant, namespace, model), (entries, bytes)): ((Tenant, &str, &str), _)| Group {
        tenant: tenant.to_string(),
        namespace: namespace.to_owned(),
        model: model.to_owned(),
        entries,
        bytes,
    };
    let mut groups: Vec<Group> = groups.into_iter().map(group).collect();
    groups.sort_by(|one, other| {
        other.entries.cmp(&one.entries).then_with(|| (&one.tenant, &one.model).cmp(&(&other.tenant, &other.model)))
    });
    let more = groups.len().saturating_sub(GROUPS);
    groups.truncate(GROUPS);
    (groups, more)
}

#[cfg(test)]
mod tests {
    use super::{super::store::conformance::record, *};

    #[test]
    fn groups_are_told_the_largest_first_and_not_without_end() {
        let entries: Vec<_> =
            (0..=30).flat_map(|n| std::iter::repeat_n(record(n, 1, "").entry, usize::from(n % 5) + 1)).collect();
        let (told, more) = groups(&entries);
        assert_eq!((told.len(), more), (GROUPS, 31 - GROUPS));
        assert!(told.is_sorted_by(|one, other| one.entries >= other.entries));
        assert_eq!((told[0].entries, told[0].bytes), (5, 5 * record(4, 1, "").entry.size() as u64));
    }

    #[test]
    fn an_id_may_be_cut_off_and_written_in_capitals() {
        assert_eq!(id_prefix("ABCDEF01").unwrap(), "abcdef01");
        for text in ["", "abcdef0", "abcdefg1", "abcdef0é", &"0".repeat(65)] {
            assert_eq!(id_prefix(text).unwrap_err().kind(), Kind::InvalidRequest, "{text}");
        }
    }
}
