//! Cards and bank accounts.

use super::number;

/// The most digits of a card.
const MAX_DIGITS: usize = 19;

/// The digits of a card number, on the stack.
fn with_digits(matched: &str, judge: impl FnOnce(&[u32]) -> bool) -> bool {
    let mut digits = [0; MAX_DIGITS];
    let mut count = 0;
    for digit in matched.chars().filter_map(|char| char.to_digit(10)) {
        let Some(place) = digits.get_mut(count) else { return false };
        *place = digit;
        count += 1;
    }
    judge(&digits[..count])
}

/// The check digit alone.
pub(super) fn luhn(matched: &str) -> bool {
    with_digits(matched, |digits| !digits.is_empty() && number::luhn(digits))
}

/// Check digit, and the prefix and length of a network (ISO/IEC 7812).
pub(super) fn card(matched: &str) -> bool {
    with_digits(matched, |digits| digits.len() >= 12 && is_issued(digits) && number::luhn(digits))
}

fn is_issued(digits: &[u32]) -> bool {
    let length = digits.len();
    match number::value(&digits[..4]) {
        // Visa.
        4000..=4999 => matches!(length, 13 | 16 | 19),
        // American Express, and JCB before 1990.
        3400..=3499 | 3700..=3799 | 1800 | 2131 => length == 15,
        // Mastercard, Troy and RuPay.
        5100..=5599 | 2221..=2720 | 9792 | 8100..=8299 => length == 16,
        // JCB and Mir.
        3528..=3589 | 2200..=2204 => (16..=19).contains(&length),
        // Diners Club.
        3000..=3059 | 3095 | 3600..=3699 | 3800..=3999 => (14..=19).contains(&length),
        // Maestro, which shares its first digits with Discover, UnionPay and RuPay.
        5000..=5099 | 5600..=5899 | 6000..=6999 => (12..=19).contains(&length),
        _ => false,
    }
}

/// Country, length and check digits.
pub(super) fn iban(matched: &str) -> bool {
    let compact: String = matched.chars().filter(|&char| char != ' ').map(|char| char.to_ascii_uppercase()).collect();
    compact.parse::<iban::Iban>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_has_the_prefix_and_length_of_a_network() {
        for holds in ["4111 1111 1111 1111", "5500-0055-5555-5559", "378282246310005", "30569309025904", "3530111333300000"] {
            assert!(card(holds), "{holds}");
        }
        assert!(luhn("1700000000000001") && !card("1700000000000001"), "a timestamp is no card, whatever its last digit says");
        assert!(!card("0000 0000 0000 0000") && !card("41111111111111") && !luhn("") && !card("4111111111111111111111"));
    }

    #[test]
    fn an_account_may_be_written_small() {
        assert!(iban("gb82west12345698765432") && iban("DE89 3704 0044 0532 0130 00") && !iban("GB82WEST12345698765433"));
    }
}
