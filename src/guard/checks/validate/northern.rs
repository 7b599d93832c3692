//! Numbers of persons in the Nordic countries: a date of birth, and a few digits behind it.

use super::number::{characters, digits, is_date, luhn, value, weighted};

pub(super) fn se_personnummer(matched: &str) -> bool {
    // Who is over a hundred has a plus for the dash.
    let compact = matched.replace('+', "-");
    let digits = digits::<10>(&compact).or_else(|| {
        let digits = digits::<12>(&compact)?;
        (18..=20).contains(&value(&digits[..2])).then(|| digits[2..].try_into().ok())?
    });
    digits.is_some_and(|digits| {
        // A coordination number has 60 added to its day.
        let (year, month, day) = (value(&digits[..2]), value(&digits[2..4]), value(&digits[4..6]));
        is_date(year, month, if day > 60 { day - 60 } else { day }) && luhn(&digits)
    })
}

pub(super) fn fi_hetu(matched: &str) -> bool {
    const CHECKS: &[u8; 31] = b"0123456789ABCDEFHJKLMNPRSTUVWXY";
    let (Some(date), Some(century), Some(rest)) = (matched.get(..6), matched.as_bytes().get(6), matched.get(7..)) else {
        return false;
    };
    let (Some(date), Some([number @ .., check])) = (digits::<6>(date), characters::<4>(rest)) else { return false };
    let Some(number) = std::str::from_utf8(&number).ok().and_then(digits::<3>) else { return false };
    let place = usize::try_from((value(&date) * 1000 + value(&number)) % 31).unwrap_or_default();
    let dated = is_date(value(&date[4..]), value(&date[2..4]), value(&date[..2]));
    dated && b"+-YXWVUABCDEF".contains(&century.to_ascii_uppercase()) && CHECKS.get(place) == Some(&check)
}

pub(super) fn no_fodselsnummer(matched: &str) -> bool {
    digits::<11>(matched).is_some_and(|digits| {
        let day = value(&digits[..2]);
        // A D-number has 40 added to its day.
        let dated = is_date(value(&digits[4..6]), value(&digits[2..4]), if day > 40 { day - 40 } else { day });
        let first = weighted(&digits, &[3, 7, 6, 1, 8, 9, 4, 5, 2, 1]);
        let second = weighted(&digits, &[5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1]);
        dated && first.is_multiple_of(11) && second.is_multiple_of(11)
    })
}

pub(super) fn dk_cpr(matched: &str) -> bool {
    digits::<10>(matched).is_some_and(|digits| is_date(value(&digits[4..6]), value(&digits[2..4]), value(&digits[..2])))
}
