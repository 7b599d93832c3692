//! How close together the digits of a text stand: a number that is looked for is not made of digits that are pages apart.

/// So many digits are looked at together; a longer number has them too.
const MOST: usize = 16;
/// Bytes that are passed over at once where there is no digit among them.
const STRIDE: usize = 64;

/// For each count of ASCII digits, how few bytes of a text they stand in.
#[derive(Debug)]
pub(in crate::guard) struct Digits {
    /// The fewest bytes that hold one digit, two, and so on; the largest number where there are not so many.
    spans: [usize; MOST],
}

impl Digits {
    /// Of a text.
    pub(in crate::guard) fn of(text: &str) -> Self {
        let (mut spans, mut places, mut seen) = ([usize::MAX; MOST], [0; MOST], 0);
        let strides = text.as_bytes().chunks(STRIDE).enumerate();
        let with_digits = strides.filter(|(_, stride)| stride.iter().fold(false, |any, byte| any | byte.is_ascii_digit()));
        let digits = with_digits.flat_map(|(n, stride)| {
            let digits = stride.iter().enumerate().filter(|(_, byte)| byte.is_ascii_digit());
            digits.map(move |(at, _)| n * STRIDE + at)
        });
        for at in digits {
            places.copy_within(..MOST - 1, 1);
            places[0] = at;
            seen = MOST.min(seen + 1);
            for (span, from) in spans.iter_mut().zip(&places[..seen]) {
                *span = (*span).min(at + 1 - from);
            }
            // No closer can they stand.
            if spans[MOST - 1] == MOST {
                break;
            }
        }
        Self { spans }
    }

    /// Whether so many stand within so many bytes; more than are looked at together may do so.
    pub(in crate::guard) fn are_there(&self, count: usize, within: usize) -> bool {
        count == 0 || self.spans[count.min(MOST) - 1] <= within.min(usize::MAX - 1)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn digits_count_where_they_stand_close_together() {
        let text = format!("1, 2 {} 345", "and so on ".repeat(9));
        let digits = Digits::of(&text);
        assert!(digits.are_there(3, 3) && digits.are_there(0, 0) && digits.are_there(5, usize::MAX));
        assert!(!digits.are_there(4, 90) && !digits.are_there(6, usize::MAX));
    }

    proptest! {
        #[test]
        fn what_is_said_is_what_counting_says(text in "[0-9a]{0,30}[a]{0,90}[0-9aé]{0,30}", count in 0..9_usize, within in 0..40_usize) {
            let bytes = text.as_bytes();
            let window = |at: usize| &bytes[at..bytes.len().min(at + within)];
            let enough = |window: &[u8]| window.iter().filter(|byte| byte.is_ascii_digit()).count() >= count;
            prop_assert_eq!(Digits::of(&text).are_there(count, within), (0..=bytes.len()).any(|at| enough(window(at))));
        }
    }
}
