//! Numbers as a text writes them: digits, words, amounts with a unit, dates and times.

use compact_str::CompactString;

use super::{
    lexicon,
    reading::{Kind, Word},
};

/// A number and what is counted.
#[derive(Debug, Clone, PartialEq)]
pub struct Quantity {
    /// How many.
    pub value: f64,
    /// Of what, in one spelling, where a unit is written.
    pub unit: Option<CompactString>,
    /// `1st`, `first`.
    pub ordinal: bool,
    /// Written as a word, which may be no number at all: "that one".
    pub vague: bool,
}

impl Quantity {
    fn plain(value: f64) -> Self {
        Self { value, unit: None, ordinal: false, vague: false }
    }
}

/// Whether a sign stands before an amount.
pub(super) fn is_currency(char: char) -> bool {
    matches!(char, '$' | '€' | '£' | '¥' | '₹')
}

/// Reads one word as a number, if it is one.
pub(super) fn parse(lower: &str) -> Option<Quantity> {
    if let Some((value, ordinal)) = lexicon::number_word(lower) {
        return Some(Quantity { value, unit: None, ordinal, vague: !ordinal && (value - 1.0).abs() < f64::EPSILON });
    }
    let (sign, rest) = match lower.chars().next()? {
        char if is_currency(char) => (Some(char), &lower[char.len_utf8()..]),
        _ => (None, lower),
    };
    let rest = rest.strip_prefix('+').unwrap_or(rest);
    let digits =
        rest.find(|char: char| !(char.is_ascii_digit() || matches!(char, '.' | ',' | '/' | ':' | '-'))).unwrap_or(rest.len());
    let (number, suffix) = rest.split_at(digits);
    let mut quantity = Quantity::plain(value(number)?);
    match suffix {
        "" | "+" => {}
        "st" | "nd" | "rd" | "th" => quantity.ordinal = true,
        "k" => quantity.value *= 1e3,
        "m" | "mn" if sign.is_some() => quantity.value *= 1e6,
        "b" | "bn" if sign.is_some() => quantity.value *= 1e9,
        unit => quantity.unit = Some(lexicon::unit(unit)?.into()),
    }
    if let Some(sign) = sign {
        quantity.unit = Some(CompactString::from(lexicon::currency(sign)));
    }
    Some(quantity)
}

/// What an `f64` tells apart, to the last digit.
const MAX_DIGITS: usize = 15;

fn value(number: &str) -> Option<f64> {
    if !number.contains(|char: char| char.is_ascii_digit()) {
        return None;
    }
    let number = number.trim_end_matches(['.', ',', '-', '/', ':']);
    // More digits than a number of this kind holds apart, or a fraction that may be a date: compared as it is written.
    if number.contains('/') || number.bytes().filter(u8::is_ascii_digit).count() > MAX_DIGITS {
        return None;
    }
    if let Some((hours, minutes)) = number.split_once(':') {
        let (hours, minutes): (f64, f64) = (hours.parse().ok()?, minutes.parse().ok()?);
        return Some(hours + minutes / 60.0);
    }
    let mut groups = number.split(',');
    let first = groups.next()?;
    let thousands = groups.all(|group| group.split('.').next().is_some_and(|digits| digits.len() == 3));
    let is_one = !number.contains(',') || (thousands && (1..=3).contains(&first.len()));
    is_one.then(|| number.replace(',', "").parse().ok())?
}

/// Puts together what several words say: "twenty five", "3 million", "10 kg".
pub(super) fn join(words: &mut Vec<Word>) {
    let mut at = 0;
    while at < words.len() {
        if let Kind::Quantity(mut quantity) = words[at].kind.clone() {
            while let Some(next) = words.get(at + 1) {
                if next.after_break || !absorb(&mut quantity, next) {
                    break;
                }
                words[at].span.1 = next.span.1;
                words.remove(at + 1);
            }
            words[at].kind = Kind::Quantity(quantity);
        }
        at += 1;
    }
}

fn absorb(quantity: &mut Quantity, next: &Word) -> bool {
    if quantity.ordinal {
        return false;
    }
    if let Some(factor) = lexicon::magnitude(&next.lower) {
        quantity.value *= factor;
        quantity.vague = false;
        return true;
    }
    match &next.kind {
        // "twenty five", and "two hundred ten" after its magnitude.
        Kind::Quantity(more) if more.unit.is_none() && quantity.unit.is_none() && !more.ordinal => {
            let adds = quantity.value >= 20.0
                && quantity.value % 10.0 == 0.0
                && more.value > 0.0
                && more.value < 10.0
                && next.lower.starts_with(char::is_alphabetic);
            if adds {
                quantity.value += more.value;
            }
            adds
        }
        _ if quantity.unit.is_none() => {
            let unit = lexicon::unit(&next.lower);
            if let Some(unit) = unit {
                quantity.unit = Some(unit.into());
            }
            unit.is_some()
        }
        _ => false,
    }
}
