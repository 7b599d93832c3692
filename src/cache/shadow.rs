//! Labels: in shadow mode, what a semantic hit would have said is held against what the upstream said; elsewhere operators report what was wrong.

use std::sync::Arc;

use bytes::Bytes;
use metrics::counter;

use super::{
    Asked, Cache, Candidate, Entry, Fate,
    semantic::usable,
    verify::{Check, Labels, Pair, Reading, Side, Stance, Stances, verify},
};
use crate::{
    embed::{Embedding, TokenVectors, Worker, cosine},
    exchange::Judged,
    guard::Stored,
    telemetry::{label, metric},
    wire::{Endpoint, response::Response},
};

/// Answers of one meaning are at least this alike: they are longer than questions, and worded anew each time.
const ALIKE: f32 = 0.9;

/// A hit that was not served.
#[derive(Debug, Clone)]
pub(super) struct Shadow {
    /// The entry that would have answered.
    pub(super) entry: Arc<Entry>,
    /// What was said of it.
    judged: Judged,
    /// Whether the threshold would have let it answer; below it, the comparison is only a label.
    served: bool,
}

impl Shadow {
    /// The hit that a candidate would be, at this threshold or at a lower one.
    pub(super) fn of(candidate: Candidate) -> Option<Self> {
        let served = match candidate.fate {
            Fate::Served => true,
            Fate::BelowThreshold => false,
            Fate::Vetoed(_) | Fate::ReportedDifferent => return None,
        };
        let is_near = candidate.verdict.score >= Labels::LEAST_SCORE;
        is_near.then(|| Self { judged: candidate.note(), entry: candidate.entry, served })
    }
}

impl Cache {
    /// Writes down whether the answer that would have been served agrees with the one that was. The comparison embeds both, so nobody waits for it.
    pub(super) fn compare(&self, shadow: Shadow, fresh: &Stored) {
        let Some(semantic) = &self.semantic else { return };
        let Some(runtime) = tokio::runtime::Handle::try_current().ok() else { return };
        let endpoint = shadow.entry.about.endpoint;
        let texts = [shadow.entry.stored.body(), fresh.body()].map(|body| words(endpoint, body));
        let cache = self.clone();
        let worker = semantic.worker.clone();
        runtime.spawn(async move {
            let agrees = agree(&worker, texts).await;
            if let Some(same) = agrees {
                cache.calibrator.label(shadow.judged.score, same, cache.store.as_ref());
            }
            if shadow.served {
                note(&shadow, agrees);
            }
        });
    }

    /// Counts a false hit as a label, where its score can still be told and no check would refuse it now.
    pub(super) async fn label_as_different(&self, kept: &Asked, asked: &str) {
        if let Some(score) = self.score(kept, asked).await {
            self.calibrator.label(score, false, self.store.as_ref());
        }
    }

    /// The score of an entry's prompt for another, as the checks stand now.
    async fn score(&self, kept: &Asked, asked: &str) -> Option<f32> {
        let (one, other) = (self.embedded(kept.text.to_string()).await.ok()?, self.embedded(asked.to_owned()).await.ok()?);
        let (reading, tokens) = (Reading::of(asked), TokenVectors::of(&other));
        usable(&other, &reading).ok()?;
        let pair = Pair::of(Side { reading: &reading, tokens: &tokens }, kept.side());
        let verdict = verify(cosine(&one.vector, &other.vector), &pair, &self.settings.stances);
        verdict.veto.is_none().then_some(verdict.score)
    }
}

/// All that an answer says.
fn words(endpoint: Endpoint, body: &Bytes) -> String {
    let Ok(response) = Response::decode(endpoint, body.clone()) else { return String::new() };
    response.texts().iter().map(|text| &*text.text).collect::<Vec<_>>().join("\n")
}

/// Whether two answers say the same; `None` where it cannot be told.
async fn agree(worker: &Worker, [one, other]: [String; 2]) -> Option<bool> {
    if one.split_whitespace().eq(other.split_whitespace()) {
        return Some(true);
    }
    let read = |text: String, embedding: Embedding| Answer::of(&text, embedding);
    let one = worker.embed(one, read).await.ok()?.ok()??;
    // On the thread that embeds, which may be busy for as long as this takes.
    worker.embed(other, move |text, embedding| Some(one.agrees(&read(text, embedding)?))).await.ok()?.ok()?
}

/// An answer that is short enough to be compared.
struct Answer {
    reading: Reading,
    embedding: Embedding,
}

impl Answer {
    fn of(text: &str, embedding: Embedding) -> Option<Self> {
        let reading = Reading::of(text);
        (!embedding.truncated && reading.is_whole()).then_some(Self { reading, embedding })
    }

    /// Near enough, and with the same numbers, literals and negations.
    fn agrees(&self, other: &Self) -> bool {
        let none = TokenVectors::default();
        let side = |reading| Side { reading, tokens: &none };
        let similarity = cosine(&self.embedding.vector, &other.embedding.vector);
        let stances = [Check::Numbers, Check::Literals, Check::Negation];
        let stances = stances.into_iter().fold(Stances::COSINE_ALONE, |stances, check| stances.with(check, Stance::Veto));
        similarity >= ALIKE && verify(similarity, &Pair::of(side(&self.reading), side(&other.reading)), &stances).veto.is_none()
    }
}

fn note(shadow: &Shadow, agrees: Option<bool>) {
    let outcome = match agrees {
        Some(true) => "same",
        Some(false) => "different",
        None => "unknown",
    };
    counter!(metric::SHADOW_HITS, label::OUTCOME => outcome).increment(1);
    let Judged { similarity, score, .. } = shadow.judged;
    tracing::info!(outcome, similarity, score, "A semantic hit in the shadow.");
}
