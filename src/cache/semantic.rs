//! The semantic tier: embed a question, find its neighbours, verify them. All of it happens on an embedding thread.

use std::sync::Arc;

use super::{
    Cache, CachePlan, Entry, policy,
    policy::Fate,
    scope::Key,
    verify::{self, Check, Pair, Reading, Side, Verdict},
};
use crate::{
    clock,
    embed::{EmbedError, Embedding, Fingerprint, TokenVectors, Worker},
    exchange::{Bypass, Exchange, Judged},
};

/// How many neighbours are looked at: the nearest may have expired, or be the one that a check refuses.
const NEIGHBOURS: usize = 4;
/// Below this cosine nothing is verified, and nothing served, whatever the threshold.
const WORTH_VERIFYING: f32 = 0.6;
/// Share of unknown words above which the text is in a language that the model does not know: its vectors are all near to each other.
const MAX_UNKNOWN: f32 = 0.5;

/// The threads that embed, and what identifies their vectors.
#[derive(Debug, Clone)]
pub struct Semantic {
    /// The threads.
    pub worker: Worker,
    /// Part of every partition: vectors of different engines never meet.
    pub fingerprint: Fingerprint,
}

/// What a request is compared by, as the embedding thread left it.
#[derive(Debug)]
pub struct Question {
    /// The entries that it may be compared with.
    pub partition: Key,
    /// Its words.
    pub text: Box<str>,
    /// The same, taken apart.
    pub reading: Reading,
    /// Its vector, of length 1.
    pub vector: Vec<f32>,
    /// The vectors of its tokens.
    pub tokens: TokenVectors,
}

/// A neighbour, and what became of it.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// The entry.
    pub entry: Arc<Entry>,
    /// The cosine of the two vectors.
    pub similarity: f32,
    /// What the checks said.
    pub verdict: Verdict,
    /// Whether it may answer, or why not.
    pub fate: Fate,
}

impl Candidate {
    /// What header, log and metrics say of it.
    pub(super) fn note(&self) -> Judged {
        let reason = match self.fate {
            Fate::Served => None,
            Fate::ReportedDifferent => Some("reported"),
            Fate::BelowThreshold | Fate::Vetoed(_) => self.verdict.reason().map(Check::as_str),
        };
        Judged { similarity: self.similarity, score: self.verdict.score, reason }
    }
}

/// A question, and its neighbours with the best first.
pub(super) type Found = (Question, Vec<Candidate>);

/// A text while it is held against others.
#[derive(Debug)]
pub(super) struct Asking<'q> {
    /// Its words.
    pub(super) text: &'q str,
    /// The same taken apart, and its token vectors.
    pub(super) side: Side<'q>,
}

impl Question {
    fn asking(&self) -> Asking<'_> {
        Asking { text: &self.text, side: Side { reading: &self.reading, tokens: &self.tokens } }
    }

    /// Makes a question of a text, unless its vector would say little.
    fn of(partition: Key, text: Box<str>, embedding: Embedding) -> Result<Self, Bypass> {
        let reading = Reading::of(&text);
        usable(&embedding, &reading)?;
        let tokens = TokenVectors::of(&embedding);
        Ok(Self { partition, text, reading, vector: embedding.vector, tokens })
    }
}

/// Whether a text can be compared by meaning: its vector says enough, and its words are few enough to be aligned.
pub fn usable(embedding: &Embedding, reading: &Reading) -> Result<(), Bypass> {
    if embedding.truncated || !reading.is_whole() {
        Err(Bypass::TooLong)
    } else if embedding.unknown > MAX_UNKNOWN {
        Err(Bypass::UnknownWords)
    } else {
        Ok(())
    }
}

impl Cache {
    /// The neighbours of a text within a partition, or why there can be none.
    pub(super) async fn by_meaning(
        &self,
        partition: Key,
        text: Result<String, Bypass>,
        plan: &CachePlan,
        exchange: &mut Exchange,
    ) -> Result<Found, Bypass> {
        let semantic = self.semantic.as_ref().filter(|_| plan.mode.compares_meaning()).ok_or(Bypass::Configured)?;
        let text = text?;
        let (cache, bar) = (self.clone(), plan.clone());
        let started = clock::now();
        let found = semantic.worker.embed(text, move |text, embedding| cache.search(partition, text, embedding, &bar)).await;
        exchange.timings.embed = Some(clock::now().saturating_duration_since(started));
        found.map_err(|_busy| Bypass::Busy)?.unwrap_or_else(|error: EmbedError| {
            tracing::error!(%error, trace_id = exchange.trace_id, "The prompt could not be embedded; the request goes on as a miss.");
            Err(Bypass::EngineFailed)
        })
    }

    /// What follows once a text is embedded.
    fn search(&self, partition: Key, text: String, embedding: Embedding, plan: &CachePlan) -> Result<Found, Bypass> {
        let question = Question::of(partition, text.into(), embedding)?;
        let candidates = self.candidates(&question, plan);
        Ok((question, candidates))
    }

    /// The neighbours of a question, the one to serve first, else the one that came nearest to it.
    pub fn candidates(&self, question: &Question, plan: &CachePlan) -> Vec<Candidate> {
        let nearest = self.partitions.nearest(&question.partition, &question.vector, NEIGHBOURS, WORTH_VERIFYING);
        let live = nearest.into_iter().filter_map(|(key, similarity)| Some((self.live(&key)?, similarity)));
        let asking = question.asking();
        let mut candidates: Vec<_> = live.map(|(entry, similarity)| self.judge(&asking, entry, similarity, plan)).collect();
        candidates.sort_by(|one, other| {
            policy::rank(other.fate, other.verdict.score).total_cmp(&policy::rank(one.fate, one.verdict.score))
        });
        candidates
    }

    /// Holds an entry against a question: the one place where it is decided what may answer.
    pub(super) fn judge(&self, asking: &Asking<'_>, entry: Arc<Entry>, similarity: f32, plan: &CachePlan) -> Candidate {
        let Some(asked) = entry.asked.as_ref().filter(|_| similarity >= WORTH_VERIFYING) else {
            return Candidate { entry, similarity, verdict: Verdict::unverified(similarity), fate: Fate::BelowThreshold };
        };
        let verdict = verify::verify(similarity, &Pair::of(asking.side, asked.side()), &plan.stances);
        let reported = self.differs(&asked.place.partition, asking.text, &asked.text);
        let fate = if reported { Fate::ReportedDifferent } else { policy::fate(&verdict, plan.threshold) };
        Candidate { entry, similarity, verdict, fate }
    }
}
