//! What each sign is worth, and what the vector adds. Written by `models/guard/injection.py`; see `models/guard/README.md`.

use super::signs;
use crate::embed::DIMENSIONS;

/// For each sign.
pub(super) static SIGNS: [f32; signs::SIGNS] = [
    0.813, // [override, instructions] in a sentence
    0.483, // [override, instructions, prior] in a sentence
    0.684, // [override, instructions, all] in a sentence
    0.344, // [override, instructions, your] in a sentence
    0.195, // [override, matter, prior] in a sentence
    1.135, // [override, matter, all] in a sentence
    2.033, // [override, prior] in a sentence
    1.518, // [override, all] in a sentence
    0.838, // [override, dictated] in a sentence
    0.877, // [override, dictated] in a window
    0.163, // [override, anew] in a window
    0.472, // [override, shouted] in a sentence
    0.000, // [override, mark] in a window
    0.034, // [override, model] in a window
    0.731, // [anew] in a window
    0.000, // [anew, persona] in a window
    0.514, // [anew, halt] in a window
    0.099, // [anew, model] in a window
    1.000, // [reveal, hidden] in a sentence
    1.176, // [hidden] in a window
    0.283, // [hidden, override] in a window
    0.606, // [reveal, secret, somebody] in a sentence
    1.077, // [reveal, secret, your] in a sentence
    1.436, // [secret, somebody] in a sentence
    1.597, // [secret, frame] in a window
    1.113, // [secret, authority] in a window
    0.617, // [secret, cipher] in a window
    0.993, // [somebody, cipher] in a sentence
    0.793, // [persona] in a window
    0.747, // [persona, model] in a window
    1.416, // [persona, boundless] in a window
    0.693, // [persona, obey] in a window
    0.055, // [persona, voices] in a window
    0.000, // [persona, frame] in a window
    0.246, // [persona, mode] in a window
    0.530, // [boundless, model] in a window
    0.148, // [boundless, obey] in a window
    0.053, // [boundless, frame] in a window
    0.368, // [obey] in a window
    0.163, // [obey, model] in a window
    0.052, // [obey, voices] in a window
    1.035, // [model] in a window
    0.173, // [model, voices] in a window
    0.330, // [mode, model] in a window
    0.000, // [mode, anew] in a window
    0.497, // [mode, mark] in a window
    1.009, // [mark] in a window
    0.272, // [mark, instructions] in a sentence
    1.504, // [dictated] in a sentence
    0.498, // [dictated, frame] in a window
    0.029, // [dictated, mark] in a window
    0.228, // [dictated, halt] in a window
    0.835, // [frame, cipher] in a window
    0.727, // [frame] in a window
    1.363, // [cipher] in a window
    1.080, // [authority] in a window
    1.241, // [shouted] in a sentence
    0.000, // [blank] in a sentence
    0.584, // [encoded] in a sentence
    0.500, // [disguised] in a sentence
    0.500, // [invisible] in a sentence
    0.292, // [repeated] in a sentence
    1.108, // 3 parts
    0.293, // 4 parts
    0.052, // 5 parts
    0.010, // 6 parts
    0.000, // 8 parts
    0.118, // persona over and over
    0.649, // boundless over and over
    0.040, // obey over and over
    0.594, // model over and over
];

/// Added to the sum of the signs.
pub(super) const BIAS: f32 = -1.554;

/// For each number of a vector.
pub(super) static VECTOR: [f32; DIMENSIONS] = [
    -0.054, 0.141, -0.008, -0.035, -0.065, 0.090, 0.141, 0.044, -0.052, 0.034, -0.010, -0.088, 0.139, -0.058, 0.032, 0.126,
    -0.037, 0.068, -0.084, -0.013, 0.047, -0.069, 0.163, 0.018, -0.067, 0.009, 0.106, 0.044, 0.059, 0.002, 0.047, -0.014, 0.087,
    0.009, -0.022, -0.017, 0.003, -0.029, 0.005, -0.049, -0.089, 0.058, -0.068, -0.081, -0.026, -0.013, -0.081, 0.009, -0.182,
    -0.133, -0.192, 0.074, 0.104, -0.017, 0.117, -0.068, -0.052, 0.004, -0.011, -0.009, -0.013, 0.077, 0.106, 0.024, 0.078,
    -0.056, 0.039, -0.065, -0.161, 0.173, 0.047, -0.016, -0.060, -0.000, -0.041, -0.094, -0.032, -0.010, -0.055, 0.020, 0.169,
    -0.012, 0.038, 0.046, -0.039, 0.024, -0.109, -0.015, -0.058, 0.071, -0.096, -0.075, -0.017, -0.028, 0.079, -0.029, -0.018,
    -0.062, -0.010, 0.038, -0.018, -0.021, 0.082, -0.033, -0.025, 0.063, 0.053, -0.070, 0.051, 0.019, 0.021, -0.152, -0.091,
    -0.142, 0.085, -0.120, 0.090, 0.017, -0.039, 0.003, 0.017, -0.046, -0.061, 0.167, 0.154, -0.079, -0.017, 0.000, -0.074,
    -0.065, -0.047, 0.067, -0.129, 0.078, -0.054, -0.042, -0.038, -0.010, -0.056, -0.054, 0.010, 0.141, 0.087, 0.065, -0.001,
    -0.168, -0.052, -0.090, 0.072, 0.160, 0.029, 0.039, -0.005, -0.046, 0.138, -0.046, -0.138, 0.054, -0.096, -0.033, -0.089,
    -0.008, -0.021, -0.106, 0.044, 0.024, -0.014, 0.029, 0.012, 0.014, 0.031, -0.042, -0.112, 0.022, -0.110, 0.068, 0.127,
    -0.067, 0.008, 0.004, 0.076, -0.006, 0.102, 0.062, -0.157, 0.032, 0.026, 0.071, -0.115, -0.010, 0.028, -0.010, -0.027,
    -0.031, -0.033, -0.042, 0.087, 0.142, -0.048, -0.074, -0.123, 0.024, -0.060, 0.018, 0.080, 0.014, 0.045, 0.036, -0.041,
    0.051, 0.046, -0.167, 0.028, -0.065, -0.063, -0.138, 0.006, 0.097, 0.061, -0.032, 0.054, 0.016, -0.111, -0.000, -0.024,
    0.146, -0.042, -0.014, -0.085, 0.044, -0.079, -0.042, -0.066, -0.116, 0.020, -0.120, 0.048, -0.020, -0.050, 0.037, 0.026,
    0.005, -0.052, 0.012, 0.023, -0.066, -0.046, -0.075, 0.098, -0.053, 0.126, 0.121, 0.117, 0.025, -0.006, 0.009, 0.041, -0.018,
    0.053, -0.009, 0.113, -0.036, -0.017, -0.134, 0.069, 0.134, -0.061, 0.026, 0.031, 0.066, -0.258, -0.047, -0.107, -0.048,
    0.066, -0.076, 0.008, -0.102, -0.011, -0.096, -0.098, -0.037, 0.016, 0.019, -0.020, 0.050, 0.065, -0.045, 0.032, 0.005,
    -0.117, -0.007, -0.118, -0.107, 0.106, -0.103, -0.150, 0.008, -0.021, 0.069, -0.128, 0.039, 0.032, 0.028, 0.120, 0.043,
    -0.026, -0.012, -0.027, 0.018, -0.094, 0.188, -0.006, 0.048, 0.104, 0.096, -0.014, -0.012, -0.002, -0.000, -0.044, -0.132,
    -0.159, -0.035, 0.005, 0.041, -0.007, -0.194, -0.032, 0.017, 0.024, 0.062, -0.109, 0.070, -0.119, 0.174, -0.135, 0.036,
    0.049, -0.106, 0.171, -0.044, -0.100, 0.066, -0.025, 0.045, -0.150, -0.097, -0.112, -0.021, -0.059, 0.026, -0.113, 0.049,
    0.023, 0.080, 0.082, -0.019, -0.024, -0.018, 0.086, 0.055, 0.084, -0.088, -0.042, -0.153, 0.071, -0.048, -0.027, -0.040,
    -0.070, 0.047, -0.094, 0.072, -0.042, -0.031, 0.075, 0.084, -0.025, -0.016, 0.157, 0.192, 0.098, -0.029,
];

/// For the cosine to the nearest known attack.
pub(super) const NEAREST: f32 = 0.0;

/// Added to the sum of structure, vector and nearest attack.
pub(super) const VECTOR_BIAS: f32 = 0.066;

/// The sets of known attacks, and how many of `attacks.i8` are of each.
pub(super) static ATTACKS: [(&str, usize); 3] = [("deepset", 191), ("inthewild", 278), ("purplellama", 106)];
