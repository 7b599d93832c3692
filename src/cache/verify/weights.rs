//! How much each check lowers the score. Written by `models/fit.py`; see `models/verification/README.md`.

use super::CHECKS;

/// In cosine, for a check that found all it can find; in the order of [`super::Check::ALL`].
pub(super) const WEIGHTS: [f32; CHECKS] =
    [0.150, 0.150, 0.150, 0.150, 0.150, 0.105, 0.150, 0.131, 0.007, 0.000, 0.007, 0.000, 0.300];

/// Thresholds, and the share of semantic hits that were wrong there; rising thresholds, falling shares.
pub(super) const CALIBRATION: &[(f32, f32)] = &[
    (0.70, 0.1581),
    (0.71, 0.1556),
    (0.72, 0.1525),
    (0.73, 0.1495),
    (0.74, 0.1462),
    (0.75, 0.1422),
    (0.76, 0.1328),
    (0.77, 0.1178),
    (0.78, 0.1095),
    (0.79, 0.1056),
    (0.80, 0.1039),
    (0.81, 0.1004),
    (0.82, 0.0995),
    (0.83, 0.0954),
    (0.84, 0.0906),
    (0.85, 0.0839),
    (0.86, 0.0788),
    (0.87, 0.0693),
    (0.88, 0.0610),
    (0.89, 0.0560),
    (0.90, 0.0488),
    (0.91, 0.0437),
    (0.92, 0.0360),
    (0.93, 0.0292),
    (0.94, 0.0244),
    (0.95, 0.0187),
    (0.96, 0.0133),
    (0.97, 0.0071),
    (0.98, 0.0026),
    (0.99, 0.0001),
];
