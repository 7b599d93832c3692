//! How much each check lowers the score. Written by `models/fit.py`; see `models/verification/README.md`.

use super::CHECKS;

/// In cosine, for a check that found all it can find; in the order of [`super::Check::ALL`].
pub(super) const WEIGHTS: [f32; CHECKS] =
    [0.150, 0.150, 0.150, 0.150, 0.150, 0.105, 0.150, 0.127, 0.000, 0.000, 0.000, 0.000, 0.363];

/// Thresholds, and the share of semantic hits that were wrong there; rising thresholds, falling shares.
pub(super) const CALIBRATION: &[(f32, f32)] = &[
    (0.70, 0.1768),
    (0.71, 0.1714),
    (0.72, 0.1643),
    (0.73, 0.1564),
    (0.74, 0.1500),
    (0.75, 0.1451),
    (0.76, 0.1351),
    (0.77, 0.1203),
    (0.78, 0.1108),
    (0.79, 0.1067),
    (0.80, 0.1020),
    (0.81, 0.0985),
    (0.82, 0.0952),
    (0.83, 0.0912),
    (0.84, 0.0864),
    (0.85, 0.0799),
    (0.86, 0.0736),
    (0.87, 0.0665),
    (0.88, 0.0584),
    (0.89, 0.0520),
    (0.90, 0.0450),
    (0.91, 0.0401),
    (0.92, 0.0328),
    (0.93, 0.0260),
    (0.94, 0.0224),
    (0.95, 0.0178),
    (0.96, 0.0123),
    (0.97, 0.0064),
    (0.98, 0.0026),
    (0.99, 0.0003),
];
