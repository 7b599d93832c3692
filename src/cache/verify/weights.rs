//! How much each check lowers the score. Written by `models/fit.py`; see `models/verification/README.md`.

use super::CHECKS;

/// In cosine, for a check that found all it can find; in the order of [`super::Check::ALL`].
pub(super) const WEIGHTS: [f32; CHECKS] =
    [0.150, 0.150, 0.150, 0.150, 0.150, 0.100, 0.150, 0.000, 0.000, 0.000, 0.000, 0.000, 0.323];

/// Thresholds, and the share of semantic hits that were wrong there; rising thresholds, falling shares.
pub(super) const CALIBRATION: &[(f32, f32)] = &[
    (0.70, 0.1485),
    (0.71, 0.1439),
    (0.72, 0.1383),
    (0.73, 0.1339),
    (0.74, 0.1289),
    (0.75, 0.1260),
    (0.76, 0.1220),
    (0.77, 0.1174),
    (0.78, 0.1129),
    (0.79, 0.1084),
    (0.80, 0.1045),
    (0.81, 0.1003),
    (0.82, 0.0987),
    (0.83, 0.0932),
    (0.84, 0.0875),
    (0.85, 0.0820),
    (0.86, 0.0753),
    (0.87, 0.0669),
    (0.88, 0.0585),
    (0.89, 0.0526),
    (0.90, 0.0460),
    (0.91, 0.0419),
    (0.92, 0.0338),
    (0.93, 0.0277),
    (0.94, 0.0236),
    (0.95, 0.0180),
    (0.96, 0.0130),
    (0.97, 0.0068),
    (0.98, 0.0026),
    (0.99, 0.0001),
];
