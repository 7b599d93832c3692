//! Numbers of persons in western and central Europe.

use super::number::{characters, digits, is_date, one_digit, value, weighted};

pub(super) fn gb_nino(matched: &str) -> bool {
    let Some([first, second, number @ .., suffix]) = characters::<9>(matched) else { return false };
    let never = [*b"BG", *b"GB", *b"KN", *b"NK", *b"NT", *b"TN", *b"ZZ"];
    let letters = first.is_ascii_alphabetic() && second.is_ascii_alphabetic() && matches!(suffix, b'A'..=b'D');
    let given = !b"DFIQUV".contains(&first) && !b"DFIQUVO".contains(&second) && !never.contains(&[first, second]);
    letters && given && number.iter().all(u8::is_ascii_digit)
}

pub(super) fn gb_nhs(matched: &str) -> bool {
    digits::<10>(matched).is_some_and(|digits| {
        let check = 11 - weighted(&digits[..9], &[10, 9, 8, 7, 6, 5, 4, 3, 2]) % 11;
        !one_digit(&digits) && check % 11 == digits[9]
    })
}

pub(super) fn es_dni(matched: &str) -> bool {
    const LETTERS: &[u8; 23] = b"TRWAGMYFPDXBNJZSQVHLCKE";
    let Some([mut number @ .., letter]) = characters::<9>(matched) else { return false };
    // Foreigners' numbers begin with a letter that stands for a digit.
    number[0] = match number[0] {
        foreign @ b'X'..=b'Z' => b'0' + (foreign - b'X'),
        digit => digit,
    };
    let number = std::str::from_utf8(&number).ok().and_then(digits::<8>);
    number.is_some_and(|number| LETTERS.get(rest(value(&number), 23)) == Some(&letter))
}

/// The remainder as an index.
fn rest(value: u64, modulus: u64) -> usize {
    usize::try_from(value % modulus).unwrap_or_default()
}

pub(super) fn it_codice_fiscale(matched: &str) -> bool {
    /// What a letter or its place as a digit counts at an odd place.
    const ODD: [u32; 26] = [1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23];
    let Some([code @ .., check]) = characters::<16>(matched) else { return false };
    let place = |character: u8| match character {
        b'0'..=b'9' => usize::from(character - b'0'),
        letter => usize::from(letter.saturating_sub(b'A')),
    };
    let counts = code.iter().enumerate().map(|(n, &character)| match n % 2 {
        0 => ODD.get(place(character)).copied().unwrap_or_default(),
        _ => u32::try_from(place(character)).unwrap_or_default(),
    });
    check.is_ascii_alphabetic() && counts.sum::<u32>() % 26 == u32::from(check - b'A')
}

pub(super) fn fr_nir(matched: &str) -> bool {
    // The departments of Corsica have a letter.
    let upper = matched.to_ascii_uppercase();
    let compact: String = upper.replace("2A", "19").replace("2B", "18");
    digits::<15>(&compact).is_some_and(|digits| {
        let month = value(&digits[3..5]);
        let plausible = matches!(digits[0], 1..=4 | 7 | 8) && (matches!(month, 1..=12 | 20..=42) || month >= 50);
        plausible && 97 - value(&digits[..13]) % 97 == value(&digits[13..])
    })
}

pub(super) fn de_steuer_id(matched: &str) -> bool {
    digits::<11>(matched).is_some_and(|digits| {
        let (number, check) = (&digits[..10], digits[10]);
        let most = (0..10).map(|digit| number.iter().filter(|&&other| other == digit).count()).max();
        // One digit of the first ten stands there twice or three times.
        digits[0] != 0 && matches!(most, Some(2 | 3)) && iso_7064_mod_11_10(number) == check
    })
}

fn iso_7064_mod_11_10(digits: &[u32]) -> u32 {
    let product = digits.iter().fold(10, |product, digit| {
        let sum = (digit + product) % 10;
        (if sum == 0 { 10 } else { sum }) * 2 % 11
    });
    (11 - product) % 10
}

pub(super) fn pl_pesel(matched: &str) -> bool {
    digits::<11>(matched).is_some_and(|digits| {
        // The century is in the month.
        let (year, month, day) = (value(&digits[..2]), value(&digits[2..4]) % 20, value(&digits[4..6]));
        let check = (10 - weighted(&digits, &[1, 3, 7, 9, 1, 3, 7, 9, 1, 3]) % 10) % 10;
        is_date(year, month, day) && check == digits[10]
    })
}

pub(super) fn pt_nif(matched: &str) -> bool {
    digits::<9>(matched).is_some_and(|digits| {
        let check = match weighted(&digits, &[9, 8, 7, 6, 5, 4, 3, 2]) % 11 {
            0 | 1 => 0,
            rest => 11 - rest,
        };
        digits[0] != 0 && !one_digit(&digits) && check == digits[8]
    })
}

pub(super) fn nl_bsn(matched: &str) -> bool {
    digits::<9>(matched).is_some_and(|digits| {
        // The last digit counts against the others.
        let sum = weighted(&digits, &[9, 8, 7, 6, 5, 4, 3, 2]) + 10 * digits[8];
        !one_digit(&digits) && sum.is_multiple_of(11)
    })
}

pub(super) fn be_rrn(matched: &str) -> bool {
    digits::<11>(matched).is_some_and(|digits| {
        let (number, check) = (value(&digits[..9]), value(&digits[9..]));
        let dated = is_date(value(&digits[..2]), value(&digits[2..4]), value(&digits[4..6]));
        // Who was born in 2000 or later has a 2 before the number that is divided.
        dated && [number, 2_000_000_000 + number].iter().any(|number| 97 - number % 97 == check)
    })
}

pub(super) fn ch_ahv(matched: &str) -> bool {
    digits::<13>(matched).is_some_and(|digits| {
        let check = (10 - weighted(&digits, &[1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1, 3]) % 10) % 10;
        value(&digits[..3]) == 756 && check == digits[12]
    })
}
