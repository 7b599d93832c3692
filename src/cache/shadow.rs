//! Shadow mode: what a semantic hit would have said, held against what the upstream said.

use std::sync::Arc;

use bytes::Bytes;
use metrics::counter;

use super::{
    Cache, Entry,
    verify::{Check, Pair, Reading, Side, Stances, verify},
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
    pub(super) judged: Judged,
}

impl Cache {
    /// Writes down whether the answer that would have been served agrees with the one that was. The comparison embeds both, so nobody waits for it.
    pub(super) fn compare(&self, shadow: Shadow, fresh: &Stored) {
        let Some(semantic) = &self.semantic else { return };
        let Some(runtime) = tokio::runtime::Handle::try_current().ok() else { return };
        let endpoint = shadow.entry.about.endpoint;
        let texts = [shadow.entry.stored.body(), fresh.body()].map(|body| words(endpoint, body));
        let worker = semantic.worker.clone();
        runtime.spawn(async move {
            let agrees = agree(&worker, texts).await;
            note(&shadow, agrees);
        });
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
    let read = |text: String| async {
        worker.embed(text, |text, embedding| (Reading::of(&text), TokenVectors::of(&embedding), embedding)).await.ok()?.ok()
    };
    let (one, other) = (read(one).await?, read(other).await?);
    Some(same(&one, &other))
}

/// Near enough, and with the same numbers, literals and negations.
fn same(one: &(Reading, TokenVectors, Embedding), other: &(Reading, TokenVectors, Embedding)) -> bool {
    let similarity = cosine(&one.2.vector, &other.2.vector);
    let pair = Pair::of(Side { reading: &one.0, tokens: &one.1 }, Side { reading: &other.0, tokens: &other.1 });
    let verdict = verify(similarity, &pair, &Stances::default());
    similarity >= ALIKE && !matches!(verdict.veto, Some(Check::Numbers | Check::Literals | Check::Negation))
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
