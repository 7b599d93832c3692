//! A vector as two planes of whole numbers: a coarse one, whose upper half a search reads, and a fine one that makes the result exact.
//!
//! A number of a vector of length 1 is `step * (coarse + fine / FINER)`, where `step` is the largest divided by `LARGEST`. The cosine of
//! two such vectors is off by some 1e-6, and the planes take half the bytes of the `f32` numbers, which therefore need not be kept.
//! The coarse plane is kept in two halves: a number of it is `UPPER * (upper - CENTRE) + (lower - CENTRE)`.

use std::slice;

use crate::embed::{DIMENSIONS, Nibbles, Plane, nibble_products, product, rounded};

/// Units of the fine plane in one of the coarse: what rounding leaves, half a unit at most, becomes 127 at most.
const FINER: f32 = 254.0;

/// The largest number of a coarse plane: both halves are then from 0 to 15.
const LARGEST: f32 = 119.0;

/// Units of the lower half in one of the upper.
const UPPER: i32 = 16;

/// What is taken off a half, so that what the upper leaves out is as much below zero as above.
const CENTRE: i32 = 8;

/// What is added to a number of the coarse plane to have a byte of which both halves are bits.
const BYTE: u8 = 136;

/// The length of a vector, and something for what rounding adds to it: less than 4e-4.
const LENGTH: f32 = 1.001;

/// More than the arithmetic of a similarity rounds away.
const ROUNDING: f32 = 1e-6;

/// What turns the numbers of a vector's planes back.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Scale {
    /// A unit of the coarse plane.
    step: f32,
    /// The length of what the coarse plane leaves out.
    rest: f32,
    /// The length of what the upper half of the coarse plane leaves out.
    upper_rest: f32,
}

impl Scale {
    /// The similarity of two vectors, as far as the product of their coarse planes says.
    pub(super) fn similarity(self, product: i32, other: Self) -> f32 {
        product as f32 * (self.step * other.step)
    }
}

/// One vector.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Planes {
    pub(super) coarse: Plane,
    pub(super) fine: Plane,
    pub(super) scale: Scale,
    /// Of the numbers of the coarse plane.
    sum: i32,
}

impl Planes {
    /// Brings a vector to length 1 and splits it; nothing if it has the wrong number of dimensions, a number that is not finite, or no length.
    pub(super) fn of(vector: &[f32]) -> Option<Self> {
        let vector: &[f32; DIMENSIONS] = vector.try_into().ok()?;
        let length = vector.iter().map(|&number| f64::from(number).powi(2)).sum::<f64>().sqrt();
        if !length.is_finite() || length == 0.0 {
            return None;
        }
        let largest = vector.iter().fold(0.0_f32, |largest, number| largest.max(number.abs()));
        let unit = f64::from(largest) / f64::from(LARGEST);
        let units = vector.map(|number| single(f64::from(number) / unit));
        let coarse = Plane(units.map(rounded));
        let mut fine = Plane([0; DIMENSIONS]);
        for ((fine, units), &coarse) in fine.0.iter_mut().zip(units).zip(&coarse.0) {
            *fine = rounded((units - f32::from(coarse)) * FINER);
        }
        let step = single(unit / length);
        let rest = step / FINER * (product(&fine, &fine) as f32).sqrt();
        let upper_rest = step * upper_rest(&coarse, &fine);
        Some(Self::new(coarse, fine, Scale { step, rest, upper_rest }))
    }

    pub(super) fn new(coarse: Plane, fine: Plane, scale: Scale) -> Self {
        let sum = sum(&coarse);
        Self { coarse, fine, scale, sum }
    }

    /// The product of the coarse plane with another of which these are the halves.
    pub(super) fn product(&self, upper: &Nibbles, lower: &Nibbles) -> i32 {
        product_with_halves(&self.coarse, self.sum, upper, lower)
    }

    /// The most that the similarity to a vector can be, by the product of the coarse planes.
    pub(super) fn most(&self, product: i32, scale: Scale) -> f32 {
        self.with_rest(product, scale, scale.rest)
    }

    /// The most that the similarity to each of several vectors can be, by the products of this coarse plane with the upper halves of theirs.
    pub(super) fn most_by_upper(&self, products: &[i32], scales: &[Scale], most: &mut [f32]) {
        let centre = CENTRE * self.sum;
        for ((most, product), &scale) in most.iter_mut().zip(products).zip(scales) {
            *most = self.with_rest(UPPER * (product - centre), scale, scale.upper_rest);
        }
    }

    /// With `x + dx` and `q + dq` for what was multiplied and what that leaves out, the similarity less the product is
    /// `q·dx + dq·(x + dx)`, and a product is never more than the product of the lengths.
    #[inline]
    fn with_rest(&self, product: i32, scale: Scale, rest: f32) -> f32 {
        let left_out = rest * (LENGTH + self.scale.rest) + self.scale.rest * LENGTH;
        self.scale.similarity(product, scale) + left_out + ROUNDING
    }

    /// The similarity to a vector.
    pub(super) fn similarity(&self, coarse: &Plane, fine: &Plane, scale: Scale) -> f32 {
        let whole = product(&self.coarse, coarse) as f32;
        let mixed = (product(&self.coarse, fine) + product(&self.fine, coarse)) as f32;
        let small = product(&self.fine, fine) as f32;
        (whole + (mixed + small / FINER) / FINER) * (self.scale.step * scale.step)
    }
}

/// The upper and the lower half of a coarse plane.
pub(super) fn split(coarse: &Plane) -> [Nibbles; 2] {
    let byte = |at: usize| coarse.0[at].cast_unsigned().wrapping_add(BYTE);
    [Nibbles::of(|at| byte(at) >> 4), Nibbles::of(byte)]
}

/// The sum of the numbers of a coarse plane.
pub(super) fn sum(coarse: &Plane) -> i32 {
    coarse.0.iter().map(|&number| i32::from(number)).sum()
}

/// The product of a coarse plane, whose numbers have that sum, with another of which these are the halves.
pub(super) fn product_with_halves(coarse: &Plane, sum: i32, upper: &Nibbles, lower: &Nibbles) -> i32 {
    let [upper, lower] = [upper, lower].map(|half| {
        let mut product = [0];
        nibble_products(coarse, slice::from_ref(half), &mut product);
        product[0]
    });
    UPPER * upper + lower - i32::from(BYTE) * sum
}

/// The coarse plane of which these are the halves.
pub(super) fn joined(upper: &Nibbles, lower: &Nibbles) -> Plane {
    let mut plane = Plane([0; DIMENSIONS]);
    for ((number, upper), lower) in plane.0.iter_mut().zip(upper.numbers()).zip(lower.numbers()) {
        *number = (upper << 4 | lower).wrapping_sub(BYTE).cast_signed();
    }
    plane
}

/// The length of what the upper half of the coarse plane leaves out, in units of the coarse plane.
fn upper_rest(coarse: &Plane, fine: &Plane) -> f32 {
    let [_, lower] = split(coarse);
    let rest = lower
        .numbers()
        .into_iter()
        .zip(&fine.0)
        .map(|(lower, &fine)| (i32::from(lower) - CENTRE) as f32 + f32::from(fine) / FINER);
    rest.map(|rest| rest * rest).sum::<f32>().sqrt()
}

#[expect(clippy::cast_possible_truncation, reason = "half the digits are enough, and it is given nothing larger than 127")]
fn single(number: f64) -> f32 {
    number as f32
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cosine(a: &[f32], b: &[f32]) -> f64 {
        let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum::<f64>();
        dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
    }

    /// Numbers of very different size, zeros among them.
    fn vector() -> impl Strategy<Value = Vec<f32>> {
        let number = prop_oneof![4 => -1.0_f32..1.0, 1 => -0.01_f32..0.01, 1 => Just(0.0), 1 => -8.0_f32..8.0];
        prop::collection::vec(number, DIMENSIONS).prop_filter("a length", |numbers| numbers.iter().any(|&number| number != 0.0))
    }

    proptest! {
        #[test]
        fn the_similarity_is_the_cosine(a in vector(), b in vector(), mix in 0.0_f32..1.0) {
            let b: Vec<f32> = a.iter().zip(&b).map(|(a, b)| mix * a + (1.0 - mix) * b).collect();
            let (Some(first), Some(second)) = (Planes::of(&a), Planes::of(&b)) else { return Ok(()) };
            let similarity = first.similarity(&second.coarse, &second.fine, second.scale);
            let expected = cosine(&a, &b);
            prop_assert!((f64::from(similarity) - expected).abs() < 2e-5, "{similarity} is not {expected}");
            let most = first.most(product(&first.coarse, &second.coarse), second.scale);
            prop_assert!(similarity <= most && most <= similarity + 0.2, "{most} for {similarity}");
            let [upper, lower] = split(&second.coarse);
            prop_assert_eq!(&joined(&upper, &lower), &second.coarse);
            prop_assert_eq!(first.product(&upper, &lower), product(&first.coarse, &second.coarse));
            let (mut product, mut most) = ([0], [0.0]);
            nibble_products(&first.coarse, &[upper], &mut product);
            first.most_by_upper(&product, &[second.scale], &mut most);
            let [most] = most;
            prop_assert!(similarity <= most && most <= similarity + 1.0, "{most} for {similarity}");
        }

        #[test]
        fn nothing_that_bits_can_say_is_taken_for_a_vector_without_being_one(bits in prop::collection::vec(any::<u32>(), 380..390)) {
            let vector: Vec<f32> = bits.into_iter().map(f32::from_bits).collect();
            let sound = vector.len() == DIMENSIONS && vector.iter().all(|number| number.is_finite());
            let planes = Planes::of(&vector);
            prop_assert_eq!(planes.is_some(), sound);
            if let Some(planes) = planes {
                let own = planes.similarity(&planes.coarse, &planes.fine, planes.scale);
                prop_assert!((own - 1.0).abs() < 1e-4, "{own}");
            }
        }
    }

    #[test]
    fn a_vector_without_length_or_with_a_number_that_is_not_finite_is_refused() {
        assert!(Planes::of(&[0.0; DIMENSIONS]).is_none());
        for number in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let mut vector = [0.1; DIMENSIONS];
            vector[7] = number;
            assert!(Planes::of(&vector).is_none());
        }
        assert!(Planes::of(&[1e-42; DIMENSIONS]).is_some_and(|planes| planes.coarse == Plane([119; DIMENSIONS])));
    }
}
