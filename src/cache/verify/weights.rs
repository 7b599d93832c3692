//! How much each check lowers the score. Written by `models/fit.py`; see `models/verification/README.md`.

use super::CHECKS;

/// In cosine, for a check that found all it can find; in the order of [`super::Check::ALL`].
pub(super) const WEIGHTS: [f32; CHECKS] = [0.2, 0.2, 0.15, 0.15, 0.2, 0.12, 0.2, 0.1, 0.03, 0.02, 0.04, 0.12, 0.3];

/// Thresholds, and the share of semantic hits that were wrong there; rising.
pub(super) const CALIBRATION: &[(f32, f32)] = &[(0.8, 0.2), (0.9, 0.05), (0.95, 0.02)];
