//! The threshold in use, and the labels of the operator's own traffic that move it where the operator asked for a share of wrong answers.

use std::sync::{
    Mutex, MutexGuard, PoisonError,
    atomic::{AtomicU32, Ordering},
};

use serde::Serialize;

use super::{
    Settings,
    store::Writer,
    verify::{Calibrated, Labels, ScoringId, scoring_id},
};

/// Shares for which operators are told what their labels recommend.
const SHARES: [f64; 4] = [0.01, 0.02, 0.05, 0.1];

/// Where a threshold comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// The operator wrote it.
    Configured,
    /// The shipped calibration, which has not seen this traffic.
    Estimate,
    /// Labels of this traffic.
    Labels,
}

impl Source {
    fn of(calibrated: Calibrated) -> Self {
        if calibrated.by_labels { Self::Labels } else { Self::Estimate }
    }
}

/// What a share of wrong answers leads to.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Recommendation {
    /// The share, 0 to 1.
    pub max_error: f64,
    /// Least score of a semantic hit.
    pub threshold: f32,
    /// Whether labels or the shipped calibration say so.
    pub source: Source,
}

/// The threshold in use and what is known about it.
#[derive(Debug, Clone, Serialize)]
pub struct Calibration {
    /// Least score of a semantic hit.
    pub threshold: f32,
    /// Where it comes from.
    pub source: Source,
    /// The share of wrong answers that the operator accepts, where that was written.
    pub max_error: Option<f64>,
    /// Labels of hits whose answer was right, at all scores.
    pub same: u32,
    /// Labels of those whose answer was wrong.
    pub different: u32,
    /// Labels at the threshold or above.
    pub served: u64,
    /// The share of these that was wrong; `None` without any.
    pub error: Option<f64>,
    /// Its 95 % interval.
    pub interval: Option<[f64; 2]>,
    /// What other shares would lead to.
    pub recommended: Vec<Recommendation>,
}

/// Labels move the threshold under the lock; requests read it without.
#[derive(Debug)]
pub(super) struct Calibrator {
    /// The bits of an `f32`.
    threshold: AtomicU32,
    max_error: Option<f64>,
    scoring: ScoringId,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    labels: Labels,
    source: Source,
}

impl Calibrator {
    /// No labels yet.
    pub(super) fn new(settings: &Settings) -> Self {
        let source = if settings.max_error.is_some() { Source::Estimate } else { Source::Configured };
        Self {
            threshold: settings.threshold.to_bits().into(),
            max_error: settings.max_error,
            scoring: scoring_id(&settings.stances),
            state: Mutex::new(State { labels: Labels::default(), source }),
        }
    }

    /// Least score of a semantic hit, now.
    pub(super) fn threshold(&self) -> f32 {
        f32::from_bits(self.threshold.load(Ordering::Relaxed))
    }

    /// Counts a label, and has it kept.
    pub(super) fn label(&self, score: f32, same: bool, writer: Option<&Writer>) {
        let mut state = self.state();
        if !state.labels.add(score, same) {
            return;
        }
        self.follow(&mut state);
        // Under the lock, so that the labels are written in the order in which they were counted.
        if let Some(writer) = writer {
            writer.keep_labels(self.scoring, &state.labels);
        }
    }

    /// Takes over the labels of an earlier run.
    pub(super) async fn recall(&self, store: &Writer) {
        if let Some(labels) = store.labels(self.scoring).await {
            let mut state = self.state();
            state.labels = labels;
            self.follow(&mut state);
        }
    }

    /// Lets the threshold follow the labels, where the operator left it to them.
    fn follow(&self, state: &mut State) {
        let Some(max_error) = self.max_error else { return };
        let Some(calibrated) = state.labels.calibrate(max_error) else { return };
        let (threshold, source) = (calibrated.threshold, Source::of(calibrated));
        let before = self.threshold.swap(threshold.to_bits(), Ordering::Relaxed);
        if (before, state.source) != (threshold.to_bits(), source) {
            let (before, labels) = (f32::from_bits(before), state.labels.above(Labels::LEAST_SCORE).labels());
            let message = "The threshold for `cache.max_error` follows the labels of this traffic.";
            tracing::info!(threshold, before, max_error, labels, "{message}");
        }
        state.source = source;
    }

    /// For operators.
    pub(super) fn told(&self) -> Calibration {
        let state = self.state();
        let (threshold, all) = (self.threshold(), state.labels.above(Labels::LEAST_SCORE));
        let served = state.labels.above(threshold);
        let (error, interval) = served.error().unzip();
        let recommended = SHARES.into_iter().filter_map(|max_error| {
            let calibrated = state.labels.calibrate(max_error)?;
            Some(Recommendation { max_error, threshold: calibrated.threshold, source: Source::of(calibrated) })
        });
        Calibration {
            threshold,
            source: state.source,
            max_error: self.max_error,
            same: all.same,
            different: all.different,
            served: served.labels(),
            error,
            interval,
            recommended: recommended.collect(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::{
        policy::tests::settings,
        store::{conformance::ROOMY, memory::Memory},
        verify::{Check, Stance},
    };

    fn asked(max_error: Option<f64>) -> Settings {
        Settings { threshold: 0.95, max_error, ..settings() }
    }

    fn calibrator(max_error: Option<f64>) -> Calibrator {
        Calibrator::new(&asked(max_error))
    }

    fn wrong(calibrator: &Calibrator, store: Option<&Writer>) {
        (0..300).for_each(|_| calibrator.label(0.965, false, store));
    }

    #[test]
    fn labels_move_the_threshold_of_a_max_error_and_no_other() {
        for (max_error, source) in [(None, Source::Configured), (Some(0.02), Source::Labels)] {
            let calibrator = calibrator(max_error);
            wrong(&calibrator, None);
            let told = calibrator.told();
            assert_eq!((told.source, told.different, calibrator.threshold() > 0.95), (source, 300, max_error.is_some()));
            let two = &told.recommended[1];
            assert!(two.source == Source::Labels && two.threshold > 0.965, "what they recommend is told in any case: {told:?}");
        }
    }

    #[test]
    fn what_is_told_of_the_threshold_is_about_what_it_serves() {
        let calibrator = calibrator(Some(0.02));
        for (score, same) in [(0.99, true), (0.96, false), (0.96, true), (0.8, false), (0.5, false)] {
            calibrator.label(score, same, None);
        }
        let told = calibrator.told();
        assert_eq!((told.source, told.threshold, told.same, told.different, told.served), (Source::Estimate, 0.95, 2, 2, 3));
        assert!((told.error.unwrap() - 1.0 / 3.0).abs() < 1e-9 && told.interval.unwrap()[1] > 0.5, "{told:?}");
    }

    #[tokio::test]
    async fn labels_are_kept_for_the_same_engine_and_checks() {
        let store = Writer::start(Box::new(Memory::new(&ROOMY)), "rten-1".into()).unwrap();
        let before = calibrator(Some(0.02));
        wrong(&before, Some(&store));
        let after = calibrator(Some(0.02));
        after.recall(&store).await;
        assert_eq!((after.threshold(), after.told().different), (before.threshold(), 300));
        let stances = asked(None).stances.with(Check::Names, Stance::Off);
        let other = Calibrator::new(&Settings { stances, ..asked(Some(0.02)) });
        other.recall(&store).await;
        assert_eq!((other.threshold(), other.told().different), (0.95, 0), "other checks give other scores");
    }
}
