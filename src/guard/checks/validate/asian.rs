//! Numbers of persons in Asia, Africa and Australia.

use super::number::{characters, digits, is_date, luhn, one_digit, value, weighted};

/// Verhoeff's group: the dihedral group of a pentagon.
fn dihedral(one: u32, other: u32) -> u32 {
    match (one / 5, other / 5) {
        (0, 0) => (one + other) % 5,
        (0, _) => (one + other) % 5 + 5,
        (_, 0) => (one + 5 - other) % 5 + 5,
        _ => (one + 5 - other) % 5,
    }
}

fn verhoeff(digits: &[u32]) -> bool {
    const PERMUTATION: [u32; 10] = [1, 5, 7, 6, 2, 8, 3, 0, 9, 4];
    let permuted = |digit: u32, times: usize| {
        (0..times % 8).fold(digit, |digit, _| PERMUTATION.iter().copied().nth(digit as usize).unwrap_or_default())
    };
    digits.iter().rev().enumerate().fold(0, |check, (n, &digit)| dihedral(check, permuted(digit, n))) == 0
}

pub(super) fn in_aadhaar(matched: &str) -> bool {
    digits::<12>(matched).is_some_and(|digits| digits[0] > 1 && verhoeff(&digits))
}

pub(super) fn in_pan(matched: &str) -> bool {
    characters::<10>(matched).is_some_and(|[a, b, c, holder, e, number @ .., check]| {
        let letters = [a, b, c, holder, e, check].iter().all(u8::is_ascii_alphabetic);
        letters && b"ABCFGHJLPT".contains(&holder) && number.iter().all(u8::is_ascii_digit)
    })
}

pub(super) fn cn_resident_id(matched: &str) -> bool {
    const WEIGHTS: [u32; 17] = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
    const CHECKS: &[u8; 11] = b"10X98765432";
    let Some([number @ .., check]) = characters::<18>(matched) else { return false };
    let Some(digits) = std::str::from_utf8(&number).ok().and_then(digits::<17>) else { return false };
    let (year, month, day) = (value(&digits[6..10]), value(&digits[10..12]), value(&digits[12..14]));
    let dated = (1900..2100).contains(&year) && is_date(year, month, day);
    dated && CHECKS.get(weighted(&digits, &WEIGHTS) as usize % 11) == Some(&check)
}

pub(super) fn kr_rrn(matched: &str) -> bool {
    digits::<13>(matched).is_some_and(|digits| {
        // Numbers given out since October 2020 have no check digit, so only date and sex tell.
        let dated = is_date(value(&digits[..2]), value(&digits[2..4]), value(&digits[4..6]));
        dated && matches!(digits[6], 1..=8)
    })
}

pub(super) fn jp_my_number(matched: &str) -> bool {
    digits::<12>(matched).is_some_and(|digits| {
        let check = match weighted(&digits, &[6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2]) % 11 {
            0 | 1 => 0,
            rest => 11 - rest,
        };
        !one_digit(&digits) && check == digits[11]
    })
}

pub(super) fn sg_nric(matched: &str) -> bool {
    let Some([series, number @ .., check]) = characters::<9>(matched) else { return false };
    let Some(digits) = std::str::from_utf8(&number).ok().and_then(digits::<7>) else { return false };
    let (offset, checks) = match series {
        b'S' => (0, b"JZIHGFEDCBA"),
        b'T' => (4, b"JZIHGFEDCBA"),
        b'F' => (0, b"XWUTRQPNMLK"),
        b'G' => (4, b"XWUTRQPNMLK"),
        b'M' => (3, b"XWUTRQPNJLK"),
        _ => return false,
    };
    let place = (weighted(&digits, &[2, 7, 6, 5, 4, 3, 2]) + offset) % 11;
    checks.get(place as usize) == Some(&check)
}

pub(super) fn tr_kimlik(matched: &str) -> bool {
    digits::<11>(matched).is_some_and(|digits| {
        let odd: u32 = digits[..9].iter().step_by(2).sum();
        let even: u32 = digits[1..8].iter().step_by(2).sum();
        let all: u32 = digits[..10].iter().sum();
        digits[0] != 0 && (odd * 7 + 90 - even) % 10 == digits[9] && all % 10 == digits[10]
    })
}

pub(super) fn il_teudat_zehut(matched: &str) -> bool {
    digits::<9>(matched).is_some_and(|digits| luhn(&digits))
}

pub(super) fn za_id(matched: &str) -> bool {
    digits::<13>(matched).is_some_and(|digits| {
        let dated = is_date(value(&digits[..2]), value(&digits[2..4]), value(&digits[4..6]));
        dated && digits[10] <= 2 && luhn(&digits)
    })
}

pub(super) fn au_tfn(matched: &str) -> bool {
    let nine = digits::<9>(matched).map(|digits| weighted(&digits, &[1, 4, 3, 7, 5, 8, 6, 9, 10]));
    nine.is_some_and(|sum| sum > 0 && sum.is_multiple_of(11))
}

pub(super) fn au_medicare(matched: &str) -> bool {
    // The last digit is the card's issue, and one more may say which person of the family.
    let ten = digits::<10>(matched).or_else(|| {
        let [number @ .., _] = digits::<11>(matched)?;
        Some(number)
    });
    ten.is_some_and(|digits| matches!(digits[0], 2..=6) && weighted(&digits, &[1, 3, 7, 9, 1, 3, 7, 9]) % 10 == digits[8])
}
