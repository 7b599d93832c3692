//! From the share of wrong answers that an operator accepts to a threshold: by a calibration on public data, an estimate of traffic that nobody has seen
//! yet, and by labels of the operator's own traffic once they are enough.

use std::ops::AddAssign;

use serde::{Deserialize, Serialize};

use super::{Stances, weights::CALIBRATION, weights::WEIGHTS};

/// Standard deviations on either side of a 95 % interval.
const Z: f64 = 1.96;
/// Above every threshold of the calibration: only the same words score as much.
const STRICTEST: f32 = 1.0;

/// The least threshold at which no more than this share of semantic hits was wrong; `None` if none was strict enough.
///
/// Measured with the shipped weights and stances on the data that `models/verification/README.md` names. It says nothing certain about other traffic.
pub fn threshold_for(max_error: f64) -> Option<f32> {
    let strict = |&&(_, error): &&(f32, f32)| f64::from(error) > max_error;
    let beyond = CALIBRATION.iter().rev().take_while(|point| !strict(point));
    beyond.last().map(|&(threshold, _)| threshold)
}

/// How many labels are enough to take the place of the shipped calibration: if none of so many is wrong, the 95 % interval of the error ends at `max_error`.
pub fn enough(max_error: f64) -> f64 {
    (Z * Z * (1.0 - max_error) / max_error).ceil().max(1.0)
}

/// What scores mean. Labels of other scores say nothing about these.
pub type ScoringId = [u8; 32];

/// Identifies the scores that the checks give with these stances.
pub fn scoring_id(stances: &Stances) -> ScoringId {
    let mut hasher = blake3::Hasher::new();
    WEIGHTS.iter().chain(CALIBRATION.iter().map(|(threshold, _)| threshold)).for_each(|number| {
        hasher.update(&number.to_le_bytes());
    });
    stances.0.iter().for_each(|stance| {
        hasher.update(&[*stance as u8]);
    });
    *hasher.finalize().as_bytes()
}

/// How many hits were compared with the right answer, and what came of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Count {
    /// The hit's answer was right.
    pub same: u32,
    /// It was wrong.
    pub different: u32,
}

impl Count {
    /// All of them.
    pub fn labels(self) -> u64 {
        u64::from(self.same) + u64::from(self.different)
    }

    /// The share that was wrong, 0 to 1, and its 95 % interval; `None` without labels.
    pub fn error(self) -> Option<(f64, [f64; 2])> {
        let labels = self.labels() as f64;
        (labels > 0.0).then(|| {
            let error = f64::from(self.different) / labels;
            (error, interval(error, labels))
        })
    }
}

impl AddAssign for Count {
    fn add_assign(&mut self, other: Self) {
        self.same = self.same.saturating_add(other.same);
        self.different = self.different.saturating_add(other.different);
    }
}

/// Wilson's 95 % interval of a share, 0 to 1, among so many.
pub fn interval(share: f64, of: f64) -> [f64; 2] {
    let middle = share + Z * Z / (2.0 * of);
    let half = Z * (share * (1.0 - share) / of + Z * Z / (4.0 * of * of)).sqrt();
    [middle - half, middle + half].map(|end| (end / (1.0 + Z * Z / of)).clamp(0.0, 1.0))
}

/// Labels by score: one bin from each threshold of the shipped calibration to the next. They hold no text.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Labels([Count; CALIBRATION.len()]);

/// A threshold for a share of wrong answers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Calibrated {
    /// Least score of a semantic hit, 0 to 1.
    pub threshold: f32,
    /// Whether labels were enough to say so; else it is the shipped estimate.
    pub by_labels: bool,
}

impl Labels {
    /// Least score that is worth a label: no `max_error` leads below it.
    pub const LEAST_SCORE: f32 = CALIBRATION[0].0;

    /// Counts a label; `false` if its score is too low to matter.
    pub fn add(&mut self, score: f32, same: bool) -> bool {
        let above = CALIBRATION.partition_point(|&(threshold, _)| threshold <= score);
        let Some(bin) = above.checked_sub(1).and_then(|bin| self.0.get_mut(bin)) else { return false };
        *bin += Count { same: same.into(), different: (!same).into() };
        true
    }

    /// The labels of what a threshold serves.
    pub fn above(&self, threshold: f32) -> Count {
        self.tails().find(|&(from, _, _)| from <= threshold).map_or_else(Count::default, |(_, _, tail)| tail)
    }

    /// The threshold for a share of wrong answers; `None` where even the shipped calibration knows none.
    ///
    /// Own labels speak from when they are [`enough`] above the shipped threshold. Then the shipped error of each threshold still counts as that many labels: where
    /// own ones are rare, at the strict end, it goes on to speak. A higher threshold than the shipped one needs no more than a likely error within the bound. A lower
    /// one needs all of the error's interval within it, and for each step down the shipped error counts as that many labels more. So bad news counts at
    /// once, and good news moves the threshold step by step as it is confirmed, never by a jump.
    pub fn calibrate(&self, max_error: f64) -> Option<Calibrated> {
        let shipped = threshold_for(max_error)?;
        let enough = enough(max_error);
        if (self.above(shipped).labels() as f64) < enough {
            return Some(Calibrated { threshold: shipped, by_labels: false });
        }
        let within = |&(threshold, shipped_error, tail): &(f32, f32, Count)| {
            let steps_down = CALIBRATION.iter().filter(|(step, _)| (threshold..shipped).contains(step)).count();
            let prior = enough * (1.0 + steps_down as f64);
            let labels = tail.labels() as f64 + prior;
            let error = (f64::from(tail.different) + prior * f64::from(shipped_error)) / labels;
            let [_, most] = interval(error, labels);
            (if steps_down > 0 { most } else { error }) <= max_error
        };
        let least = self.tails().filter(within).last();
        Some(Calibrated { threshold: least.map_or(STRICTEST, |(threshold, _, _)| threshold), by_labels: true })
    }

    /// Each threshold, the strictest first, with its shipped error and the labels at or above it.
    fn tails(&self) -> impl Iterator<Item = (f32, f32, Count)> {
        let mut tail = Count::default();
        CALIBRATION.iter().zip(&self.0).rev().map(move |(&(threshold, error), count)| {
            tail += *count;
            (threshold, error, tail)
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn who_accepts_less_error_gets_a_higher_threshold() {
        let thresholds: Vec<_> = [0.2, 0.1, 0.05, 0.02].into_iter().filter_map(threshold_for).collect();
        assert!(thresholds.len() >= 3 && thresholds.is_sorted(), "{thresholds:?}");
        assert_eq!(threshold_for(0.0), None);
        assert_eq!(threshold_for(1.0), Some(Labels::LEAST_SCORE));
    }

    fn labels(all: impl IntoIterator<Item = (f32, bool)>) -> Labels {
        let mut labels = Labels::default();
        for (score, same) in all {
            labels.add(score, same);
        }
        labels
    }

    /// So many labels of each score from 0.70 to 0.995, of which every n-th is wrong.
    fn spread(each: usize, wrong: usize) -> Labels {
        let scores = (140..200).map(|score| score as f32 / 200.0);
        let all = scores.flat_map(|score| std::iter::repeat_n(score, each)).enumerate();
        labels(all.map(|(n, score)| (score, (n + 1) % wrong != 0)))
    }

    #[test]
    fn a_label_counts_for_every_threshold_that_serves_its_score() {
        let labels = labels([(0.95, true), (0.949, false), (1.0, false), (0.7, true), (0.699, false), (f32::NAN, false)]);
        assert_eq!(labels.above(0.95), Count { same: 1, different: 1 });
        assert_eq!(labels.above(0.94), Count { same: 1, different: 2 });
        assert_eq!(labels.above(0.7), Count { same: 2, different: 2 });
        assert_eq!(labels.above(STRICTEST), Count { same: 0, different: 1 });
        assert_eq!(Labels::default().above(0.9).error(), None);
    }

    #[test]
    fn too_few_labels_change_nothing_and_enough_take_over() {
        let shipped = threshold_for(0.02).unwrap();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small whole number")]
        let enough = enough(0.02) as usize;
        let calibrated = |count, same| labels(std::iter::repeat_n((0.965, same), count)).calibrate(0.02).unwrap();
        assert_eq!(calibrated(enough - 1, false), Calibrated { threshold: shipped, by_labels: false });
        let good = calibrated(enough, true);
        assert!(good.by_labels && shipped - good.threshold < 0.011, "{good:?} begins next to {shipped}");
        assert!(calibrated(enough, false).threshold > 0.965, "what is wrong is no longer served");
    }

    #[test]
    fn good_traffic_loosens_in_small_steps_and_bad_traffic_tightens() {
        let shipped = threshold_for(0.02).unwrap();
        let good: Vec<_> = (0..400).map(|each| spread(each, usize::MAX).calibrate(0.02).unwrap().threshold).collect();
        assert!(good.windows(2).all(|pair| pair[1] <= pair[0] && pair[0] - pair[1] < 0.015), "{good:?}");
        assert!(good.first() == Some(&shipped) && good[399] < 0.82, "{good:?}");
        let bad = spread(200, 10).calibrate(0.02).unwrap();
        assert!(bad.by_labels && bad.threshold > shipped, "{bad:?}");
    }

    #[test]
    fn where_all_is_wrong_only_the_same_words_are_served() {
        assert_eq!(spread(200, 1).calibrate(0.02), Some(Calibrated { threshold: STRICTEST, by_labels: true }));
    }

    #[test]
    fn labels_belong_to_the_stances_that_scored_them() {
        let stances = Stances::default();
        assert_eq!(scoring_id(&stances), scoring_id(&Stances::default()));
        assert_ne!(scoring_id(&stances), scoring_id(&Stances::COSINE_ALONE));
    }

    fn any_labels() -> impl Strategy<Value = Labels> {
        let count = (0..300_u32, 0..9_u32).prop_map(|(same, different)| Count { same, different });
        prop::collection::vec(count, CALIBRATION.len()).prop_map(|counts| Labels(std::array::from_fn(|bin| counts[bin])))
    }

    proptest! {
        #[test]
        fn as_many_as_are_enough_can_prove_a_share_and_fewer_cannot(max_error in 0.0005..0.9_f64) {
            let enough = enough(max_error);
            prop_assert!(interval(0.0, enough)[1] <= max_error + 1e-12);
            prop_assert!(enough <= 1.0 || interval(0.0, enough - 1.0)[1] > max_error);
        }

        #[test]
        fn an_error_lies_within_its_interval(same in 0..10_000_u32, different in 0..10_000_u32) {
            if let Some((error, [least, most])) = (Count { same, different }).error() {
                prop_assert!((0.0..=error + 1e-12).contains(&least) && (error - 1e-12..=1.0).contains(&most));
            }
        }

        #[test]
        fn a_wrong_answer_never_loosens_and_a_right_one_never_tightens(
            labels in any_labels(), score in 0.65..1.0_f32, max_error in 0.002..0.3_f64,
        ) {
            let Some(before) = labels.calibrate(max_error) else { return Ok(()) };
            for same in [false, true] {
                let mut after = labels.clone();
                after.add(score, same);
                let after = after.calibrate(max_error).unwrap();
                prop_assert!(after.by_labels >= before.by_labels, "enough stays enough");
                if before.by_labels && same {
                    prop_assert!(after.threshold <= before.threshold);
                } else if before.by_labels {
                    prop_assert!(after.threshold >= before.threshold);
                }
            }
        }

        #[test]
        fn who_accepts_less_error_is_never_given_a_looser_threshold_by_labels(
            labels in any_labels(), strict in 0.002..0.3_f64, more in 0.0..0.3_f64,
        ) {
            let (Some(strict), Some(lax)) = (labels.calibrate(strict), labels.calibrate(strict + more)) else { return Ok(()) };
            if strict.by_labels {
                prop_assert!(lax.by_labels && strict.threshold >= lax.threshold, "{:?} {:?}", strict, lax);
            }
        }
    }
}
