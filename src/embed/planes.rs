//! Vectors of small whole numbers, and the inner loop of every search and every comparison of tokens: sums of products of whole numbers, in the widest instructions that the CPU has.
//!
//! The loop over bytes is plain Rust. It is compiled once for each set of instructions, and the compiler makes the best of it. The loop over
//! halves of bytes is written out, for no compiler finds the instructions that multiply bytes without widening them first. Whole numbers
//! add up to the same sum in any order, so what is found does not depend on the CPU.

use super::DIMENSIONS;

/// Bytes that hold two dimensions each.
const HALF: usize = DIMENSIONS / 2;

/// Numbers from -127 to 127. It begins where a cache line does, so that no load crosses two.
#[derive(Debug, Clone, PartialEq, Eq)]
#[repr(align(64))]
pub struct Plane(pub [i8; DIMENSIONS]);

/// The nearest whole number; 0 for what is not a number. `f32::round` would be a call for each, and nothing would be computed side by side.
#[expect(
    clippy::cast_possible_truncation,
    reason = "a number out of range becomes the largest or the smallest, which is as near as can be"
)]
pub fn rounded(number: f32) -> i8 {
    (number + 0.5_f32.copysign(number)) as i8
}

/// Numbers from 0 to 15, two a byte: the first half of the dimensions in the low bits, the second in the high bits.
#[derive(Debug, Clone, PartialEq, Eq)]
#[repr(align(64))]
pub struct Nibbles([u8; HALF]);

impl Nibbles {
    /// Of each number its lowest four bits.
    pub fn of(numbers: impl Fn(usize) -> u8) -> Self {
        Self(std::array::from_fn(|at| numbers(at) & 15 | numbers(at + HALF) << 4))
    }

    /// All numbers, in the order of the dimensions.
    pub fn numbers(&self) -> [u8; DIMENSIONS] {
        let mut numbers = [0; DIMENSIONS];
        let (first, second) = numbers.split_at_mut(HALF);
        for ((first, second), byte) in first.iter_mut().zip(second).zip(self.0) {
            (*first, *second) = (byte & 15, byte >> 4);
        }
        numbers
    }
}

/// The product of `query` with each of `planes`, into as many `sums`.
#[cfg_attr(target_arch = "x86_64", expect(unsafe_code, reason = "what the CPU can do is known only at run time"))]
pub fn products(query: &Plane, planes: &[Plane], sums: &mut [i32]) {
    #[cfg(target_arch = "x86_64")]
    {
        if is_x86_feature_detected!("avx512bw") && is_x86_feature_detected!("avx512vl") {
            // SAFETY: all that the function needs is that the CPU has the instructions, and that was just asked.
            return unsafe { x86::avx512(query, planes, sums) };
        }
        if is_x86_feature_detected!("avx2") {
            // SAFETY: as above.
            return unsafe { x86::avx2(query, planes, sums) };
        }
    }
    plain(query, planes, sums);
}

/// The product of `query` with each of `all`, into as many `sums`.
#[cfg_attr(target_arch = "x86_64", expect(unsafe_code, reason = "what the CPU can do is known only at run time"))]
pub fn nibble_products(query: &Plane, all: &[Nibbles], sums: &mut [i32]) {
    #[cfg(target_arch = "x86_64")]
    {
        if is_x86_feature_detected!("avx512bw") && is_x86_feature_detected!("avx512vnni") {
            // SAFETY: all that the function needs is that the CPU has the instructions, and that was just asked.
            return unsafe { x86::avx512_nibbles(query, all, sums) };
        }
        if is_x86_feature_detected!("avx2") {
            // SAFETY: as above.
            return unsafe { x86::avx2_nibbles(query, all, sums) };
        }
    }
    plain_nibbles(query, all, sums);
}

/// The product of two planes.
pub fn product(a: &Plane, b: &Plane) -> i32 {
    let mut sum = [0];
    products(a, std::slice::from_ref(b), &mut sum);
    sum[0]
}

/// What [`products`] does, in the instructions of whatever it is inlined into.
#[inline(always)]
#[expect(clippy::inline_always, reason = "else it would be compiled once, for the least of all CPUs")]
fn plain(query: &Plane, planes: &[Plane], sums: &mut [i32]) {
    for (plane, sum) in planes.iter().zip(sums) {
        *sum = query.0.iter().zip(&plane.0).map(|(&a, &b)| i32::from(a) * i32::from(b)).sum();
    }
}

/// What [`nibble_products`] does, in the instructions of every CPU.
fn plain_nibbles(query: &Plane, all: &[Nibbles], sums: &mut [i32]) {
    let (low, high) = query.0.split_at(HALF);
    for (Nibbles(bytes), sum) in all.iter().zip(sums) {
        let low: i32 = low.iter().zip(bytes).map(|(&number, byte)| i32::from(number) * i32::from(byte & 15)).sum();
        let high: i32 = high.iter().zip(bytes).map(|(&number, byte)| i32::from(number) * i32::from(byte >> 4)).sum();
        *sum = low + high;
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::{
        arch::x86_64::{
            __m256i, __m512i, _mm256_add_epi16, _mm256_add_epi32, _mm256_and_si256, _mm256_madd_epi16, _mm256_maddubs_epi16,
            _mm256_set1_epi8, _mm256_set1_epi16, _mm256_setzero_si256, _mm256_srli_epi16, _mm512_add_epi32, _mm512_and_si512,
            _mm512_dpbusd_epi32, _mm512_reduce_add_epi32, _mm512_set1_epi8, _mm512_setzero_si512, _mm512_srli_epi16,
        },
        mem,
    };

    use super::{HALF, Nibbles, Plane, plain};

    #[target_feature(enable = "avx512bw,avx512vl")]
    pub(super) fn avx512(query: &Plane, planes: &[Plane], sums: &mut [i32]) {
        plain(query, planes, sums);
    }

    #[target_feature(enable = "avx2")]
    pub(super) fn avx2(query: &Plane, planes: &[Plane], sums: &mut [i32]) {
        plain(query, planes, sums);
    }

    /// Each instruction adds four products of bytes to a sum.
    #[target_feature(enable = "avx512bw,avx512vnni")]
    pub(super) fn avx512_nibbles(query: &Plane, all: &[Nibbles], sums: &mut [i32]) {
        let [low, high] = halves(query);
        let (low, high) = (low.as_chunks().0, high.as_chunks().0);
        let fifteen = _mm512_set1_epi8(15);
        for (Nibbles(bytes), sum) in all.iter().zip(sums) {
            let mut total = [_mm512_setzero_si512(); 2];
            for ((bytes, low), high) in bytes.as_chunks().0.iter().zip(low).zip(high) {
                let bytes = wide(bytes);
                let second = _mm512_and_si512(_mm512_srli_epi16::<4>(bytes), fifteen);
                total[0] = _mm512_dpbusd_epi32(total[0], _mm512_and_si512(bytes, fifteen), wide(low));
                total[1] = _mm512_dpbusd_epi32(total[1], second, wide(high));
            }
            *sum = _mm512_reduce_add_epi32(_mm512_add_epi32(total[0], total[1]));
        }
    }

    /// Each instruction makes a sum of two products of bytes. Six of those, at most 6 * 2 * 15 * 128, fit into 16 bits.
    #[target_feature(enable = "avx2")]
    pub(super) fn avx2_nibbles(query: &Plane, all: &[Nibbles], sums: &mut [i32]) {
        let [low, high] = halves(query);
        let (low, high) = (low.as_chunks().0, high.as_chunks().0);
        let (fifteen, one) = (_mm256_set1_epi8(15), _mm256_set1_epi16(1));
        for (Nibbles(bytes), sum) in all.iter().zip(sums) {
            let mut total = [_mm256_setzero_si256(); 2];
            for ((bytes, low), high) in bytes.as_chunks().0.iter().zip(low).zip(high) {
                let bytes = narrow(bytes);
                let second = _mm256_and_si256(_mm256_srli_epi16::<4>(bytes), fifteen);
                total[0] = _mm256_add_epi16(total[0], _mm256_maddubs_epi16(_mm256_and_si256(bytes, fifteen), narrow(low)));
                total[1] = _mm256_add_epi16(total[1], _mm256_maddubs_epi16(second, narrow(high)));
            }
            let total = total.map(|total| _mm256_madd_epi16(total, one));
            *sum = eight(_mm256_add_epi32(total[0], total[1])).iter().sum();
        }
    }

    /// The bytes of the numbers that are multiplied with the low bits, and of those that are multiplied with the high bits.
    fn halves(query: &Plane) -> [[u8; HALF]; 2] {
        [0, HALF].map(|from| std::array::from_fn(|at| query.0[from + at].cast_unsigned()))
    }

    #[target_feature(enable = "avx512bw")]
    #[expect(unsafe_code, reason = "the loads of the standard library take pointers")]
    fn wide(bytes: &[u8; 64]) -> __m512i {
        // SAFETY: both are 64 bytes, and all bytes are numbers.
        unsafe { mem::transmute(*bytes) }
    }

    #[target_feature(enable = "avx2")]
    #[expect(unsafe_code, reason = "as above")]
    fn narrow(bytes: &[u8; 32]) -> __m256i {
        // SAFETY: both are 32 bytes, and all bytes are numbers.
        unsafe { mem::transmute(*bytes) }
    }

    #[target_feature(enable = "avx2")]
    #[expect(unsafe_code, reason = "as above")]
    fn eight(sums: __m256i) -> [i32; 8] {
        // SAFETY: both are 32 bytes, and all bytes are numbers.
        unsafe { mem::transmute(sums) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type Way<'a> = &'a dyn Fn(&Plane, &[Plane], &mut [i32]);

    fn planes() -> impl Strategy<Value = Vec<Plane>> {
        let plane = prop::collection::vec(-127_i8..=127, DIMENSIONS).prop_map(|numbers| Plane(numbers.try_into().unwrap()));
        prop::collection::vec(plane, 1..4)
    }

    proptest! {
        #[test]
        fn every_set_of_instructions_gives_the_same_sums(planes in planes()) {
            let by = |way: Way<'_>| {
                let mut sums = vec![0; planes.len()];
                way(&planes[0], &planes, &mut sums);
                sums
            };
            let expected: Vec<i32> = planes.iter().map(|plane| {
                (0..DIMENSIONS).map(|at| i32::from(planes[0].0[at]) * i32::from(plane.0[at])).sum()
            }).collect();
            prop_assert_eq!(by(&products), expected.clone());
            prop_assert_eq!(by(&plain), expected.clone());
            #[cfg(target_arch = "x86_64")]
            if is_x86_feature_detected!("avx2") {
                #[expect(unsafe_code, reason = "the narrower way, on a CPU that has the wider one too")]
                // SAFETY: the CPU has the instructions.
                let narrower = by(&|query, planes, sums| unsafe { x86::avx2(query, planes, sums) });
                prop_assert_eq!(narrower, expected);
            }
        }
    }

    type NibbleWay<'a> = &'a dyn Fn(&Plane, &[Nibbles], &mut [i32]);

    /// The sums of all ways there are, which must be the same.
    fn nibble_sums(query: &Plane, all: &[Nibbles]) -> Vec<i32> {
        let by = |way: NibbleWay<'_>| {
            let mut sums = vec![0; all.len()];
            way(query, all, &mut sums);
            sums
        };
        let sums = by(&plain_nibbles);
        assert_eq!(by(&nibble_products), sums);
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2") {
            #[expect(unsafe_code, reason = "the narrower way, on a CPU that has the wider one too")]
            // SAFETY: the CPU has the instructions.
            let narrower = by(&|query, all, sums| unsafe { x86::avx2_nibbles(query, all, sums) });
            assert_eq!(narrower, sums);
        }
        sums
    }

    proptest! {
        #[test]
        fn every_set_of_instructions_gives_the_same_sums_of_halves(
            query in prop::collection::vec(any::<i8>(), DIMENSIONS),
            numbers in prop::collection::vec(0_u8..16, 3 * DIMENSIONS),
        ) {
            let query = Plane(query.try_into().unwrap());
            let all: Vec<&[u8]> = numbers.chunks(DIMENSIONS).collect();
            let nibbles: Vec<Nibbles> = all.iter().map(|numbers| Nibbles::of(|at| numbers[at])).collect();
            prop_assert!(nibbles.iter().flat_map(Nibbles::numbers).eq(numbers.iter().copied()));
            let product = |numbers: &&[u8]| query.0.iter().zip(*numbers).map(|(&a, &b)| i32::from(a) * i32::from(b)).sum();
            prop_assert_eq!(nibble_sums(&query, &nibbles), all.iter().map(product).collect::<Vec<i32>>());
        }
    }

    #[test]
    fn a_number_becomes_the_nearest_whole_one() {
        let cases =
            [(0.4, 0), (0.6, 1), (-0.4, 0), (-1.6, -2), (126.7, 127), (127.4, 127), (-127.4, -127), (1e9, 127), (f32::NAN, 0)];
        assert!(cases.iter().all(|&(number, whole)| rounded(number) == whole));
    }

    #[test]
    fn the_largest_numbers_do_not_overflow() {
        let (most, least) = (Plane([127; DIMENSIONS]), Plane([-127; DIMENSIONS]));
        assert_eq!((product(&most, &most), product(&most, &least)), (127 * 127 * 384, -127 * 127 * 384));
        let nibbles = [Nibbles::of(|_| 15)];
        assert_eq!((nibble_sums(&most, &nibbles), nibble_sums(&least, &nibbles)), (vec![127 * 15 * 384], vec![-127 * 15 * 384]));
    }
}
