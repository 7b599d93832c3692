//! What the numbers of many countries share: digits between separators, weighted sums, dates of birth.

/// Stand between the groups of a number.
pub(super) fn is_separator(byte: u8) -> bool {
    matches!(byte, b' ' | b'-' | b'.' | b'/')
}

/// The digits of a number that has exactly `N` of them; `None` if it has more, fewer, or anything but digits and separators.
pub(super) fn digits<const N: usize>(text: &str) -> Option<[u32; N]> {
    let mut digits = [0; N];
    let mut count = 0;
    for byte in text.bytes().filter(|&byte| !is_separator(byte)) {
        *digits.get_mut(count)? = char::from(byte).to_digit(10)?;
        count += 1;
    }
    (count == N).then_some(digits)
}

/// The letters, in capitals, and digits of a number that has exactly `N` of them.
pub(super) fn characters<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut characters = [0; N];
    let mut count = 0;
    for byte in text.bytes().filter(|&byte| !is_separator(byte)) {
        *characters.get_mut(count)? = Some(byte.to_ascii_uppercase()).filter(u8::is_ascii_alphanumeric)?;
        count += 1;
    }
    (count == N).then_some(characters)
}

/// The digits as one number.
pub(super) fn value(digits: &[u32]) -> u64 {
    digits.iter().fold(0, |value, &digit| value * 10 + u64::from(digit))
}

/// The sum of each digit times its weight.
pub(super) fn weighted(digits: &[u32], weights: &[u32]) -> u32 {
    digits.iter().zip(weights).map(|(digit, weight)| digit * weight).sum()
}

/// Whether the last digit is the check digit of Luhn's formula.
pub(super) fn luhn(digits: &[u32]) -> bool {
    let sum: u32 =
        digits.iter().rev().enumerate().map(|(n, &digit)| if n % 2 == 0 { digit } else { digit * 2 % 10 + digit / 5 }).sum();
    // One digit repeated passes the sum and is nobody's number.
    sum.is_multiple_of(10) && !one_digit(digits)
}

/// Whether all digits are the same.
pub(super) fn one_digit(digits: &[u32]) -> bool {
    digits.iter().all(|digit| Some(digit) == digits.first())
}

/// Whether a year of two or four digits, a month and a day can be a date.
pub(super) fn is_date(year: u64, month: u64, day: u64) -> bool {
    let days = match month {
        2 if year.is_multiple_of(4) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => 0,
    };
    (1..=days).contains(&day)
}

/// Nobody alive was born before, and nobody will be born after.
const BIRTH_YEARS: std::ops::RangeInclusive<u64> = 1900..=2099;

/// A date in figures whose year has four digits, first or last, and in which one of the others can be the month.
pub(super) fn birth_date(matched: &str) -> bool {
    let mut parts = matched.split(|char: char| !char.is_ascii_digit()).filter(|part| !part.is_empty());
    let (Some(one), Some(two), Some(three), None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
        return false;
    };
    let ((4, 1..=2, 1..=2) | (1..=2, 1..=2, 4)) = (one.len(), two.len(), three.len()) else { return false };
    let number = |part: &str| part.parse().unwrap_or(0);
    let (year, other) = if one.len() == 4 { (number(one), number(three)) } else { (number(three), number(one)) };
    let middle = number(two);
    BIRTH_YEARS.contains(&year) && (is_date(year, middle, other) || is_date(year, other, middle))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_of_birth_has_a_year_a_month_and_a_day() {
        for date in ["1984-02-29", "31/12/1999", "12/31/1999", "3.4.2001"] {
            assert!(birth_date(date), "{date}");
        }
        for other in ["1983-02-29", "31/13/1999", "1899-01-01", "12-1984-1", "1.2.3", "1984-02", "99999999999999999999-01-01"] {
            assert!(!birth_date(other), "{other}");
        }
    }

    #[test]
    fn digits_are_counted_and_nothing_else_is_let_in() {
        assert_eq!(digits("1 2-3./4"), Some([1, 2, 3, 4]));
        assert_eq!((digits::<4>("123"), digits::<4>("12345"), digits::<4>("12a4"), digits::<1>("é")), (None, None, None, None));
        assert_eq!(characters("a-1"), Some(*b"A1"));
    }
}
