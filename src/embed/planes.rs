//! Vectors of small whole numbers, and the inner loop of every search and every comparison of tokens: sums of products of whole numbers, in the widest instructions that the CPU has.
//!
//! The loop is plain Rust. It is compiled once for each set of instructions, and the compiler makes the best of it. Whole numbers add up
//! to the same sum in any order, so what is found does not depend on the CPU.

use super::DIMENSIONS;

/// Numbers from -127 to 127. It begins where a cache line does, so that no load crosses two.
#[derive(Debug, Clone, PartialEq, Eq)]
#[repr(align(64))]
pub struct Plane(pub [i8; DIMENSIONS]);

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

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::{Plane, plain};

    #[target_feature(enable = "avx512bw,avx512vl")]
    pub(super) fn avx512(query: &Plane, planes: &[Plane], sums: &mut [i32]) {
        plain(query, planes, sums);
    }

    #[target_feature(enable = "avx2")]
    pub(super) fn avx2(query: &Plane, planes: &[Plane], sums: &mut [i32]) {
        plain(query, planes, sums);
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

    #[test]
    fn the_largest_numbers_do_not_overflow() {
        let (most, least) = (Plane([127; DIMENSIONS]), Plane([-127; DIMENSIONS]));
        assert_eq!((product(&most, &most), product(&most, &least)), (127 * 127 * 384, -127 * 127 * 384));
    }
}
