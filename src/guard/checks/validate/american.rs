//! Numbers of persons in the Americas.

use super::number::{characters, digits, is_date, is_separator, luhn, one_digit, value, weighted};

/// Area, group and serial, with a gap between them or none.
fn us_parts(matched: &str) -> Option<(u64, u64, u64)> {
    let gap = |place: usize| matched.as_bytes().get(place).is_some_and(|&byte| is_separator(byte));
    let spelled = matched.len() == 9 || matched.len() == 11 && gap(3) && gap(6);
    let digits: [u32; 9] = digits(matched).filter(|_| spelled)?;
    Some((value(&digits[..3]), value(&digits[3..5]), value(&digits[5..])))
}

pub(super) fn us_ssn(matched: &str) -> bool {
    us_parts(matched).is_some_and(|parts @ (area, group, serial)| {
        // The last is the number that was printed in wallets and used by thousands.
        area != 0 && area != 666 && area < 900 && group != 0 && serial != 0 && parts != (78, 5, 1120)
    })
}

pub(super) fn us_itin(matched: &str) -> bool {
    us_parts(matched).is_some_and(|(area, group, _)| area >= 900 && matches!(group, 50..=65 | 70..=88 | 90..=92 | 94..=99))
}

pub(super) fn ca_sin(matched: &str) -> bool {
    // No province gives out 0 or 8.
    digits::<9>(matched).is_some_and(|digits| digits[0] != 0 && digits[0] != 8 && luhn(&digits))
}

/// The values of characters in a CURP, Ñ left out: a text in other letters is none.
fn curp_value(character: u8) -> u32 {
    match character {
        b'0'..=b'9' => u32::from(character - b'0'),
        b'A'..=b'N' => u32::from(character - b'A') + 10,
        _ => u32::from(character.saturating_sub(b'A')) + 11,
    }
}

pub(super) fn mx_curp(matched: &str) -> bool {
    let Some(characters) = characters::<18>(matched) else { return false };
    let sum: u32 = (2..=18).rev().zip(characters).map(|(weight, character)| weight * curp_value(character)).sum();
    let date = [4, 5, 6, 7, 8, 9].map(|place| curp_value(characters[place]));
    is_date(value(&date[..2]), value(&date[2..4]), value(&date[4..])) && (10 - sum % 10) % 10 == curp_value(characters[17])
}

/// A check digit of Brazil: 11 less the remainder, and 0 for what is more than a digit.
fn brazilian(digits: &[u32], weights: &[u32]) -> u32 {
    match weighted(digits, weights) % 11 {
        0 | 1 => 0,
        rest => 11 - rest,
    }
}

pub(super) fn br_cpf(matched: &str) -> bool {
    const WEIGHTS: [u32; 10] = [11, 10, 9, 8, 7, 6, 5, 4, 3, 2];
    digits::<11>(matched).is_some_and(|digits| {
        !one_digit(&digits)
            && digits[9] == brazilian(&digits[..9], &WEIGHTS[1..])
            && digits[10] == brazilian(&digits[..10], &WEIGHTS)
    })
}

pub(super) fn br_cnpj(matched: &str) -> bool {
    const WEIGHTS: [u32; 13] = [6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2];
    digits::<14>(matched).is_some_and(|digits| {
        !one_digit(&digits)
            && digits[12] == brazilian(&digits[..12], &WEIGHTS[1..])
            && digits[13] == brazilian(&digits[..13], &WEIGHTS)
    })
}

pub(super) fn cl_rut(matched: &str) -> bool {
    let Some((number, check)) = matched.rsplit_once('-') else { return false };
    let Some(digits) = digits::<8>(number).or_else(|| digits::<7>(number).map(|[a, b, c, d, e, f, g]| [0, a, b, c, d, e, f, g]))
    else {
        return false;
    };
    let expected = match 11 - weighted(&digits, &[3, 2, 7, 6, 5, 4, 3, 2]) % 11 {
        11 => '0',
        10 => 'K',
        rest => char::from_digit(rest, 10).unwrap_or_default(),
    };
    check.chars().map(|char| char.to_ascii_uppercase()).eq([expected])
}
