//! From the share of wrong answers that an operator accepts to a threshold: an estimate, made on public data, of traffic that nobody has seen yet.

use super::weights::CALIBRATION;

/// The least threshold at which no more than this share of semantic hits was wrong; `None` if none was strict enough.
///
/// Measured with the shipped weights and stances on the data that `models/verification/README.md` names. It says nothing certain about other traffic.
pub fn threshold_for(max_error: f32) -> Option<f32> {
    let strict = |&&(_, error): &&(f32, f32)| error > max_error;
    let beyond = CALIBRATION.iter().rev().take_while(|point| !strict(point));
    beyond.last().map(|&(threshold, _)| threshold)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_accepts_less_error_gets_a_higher_threshold() {
        let thresholds: Vec<_> = [0.2, 0.1, 0.05, 0.02].into_iter().filter_map(threshold_for).collect();
        assert!(thresholds.len() >= 3 && thresholds.is_sorted(), "{thresholds:?}");
        assert_eq!(threshold_for(0.0), None);
        assert_eq!(threshold_for(1.0), Some(CALIBRATION[0].0));
    }
}
