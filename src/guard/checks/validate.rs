//! What a pattern cannot say: check digits and number spaces. A match that fails its validator is no match.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::wire::address::Reach;

/// A further test of what a pattern matched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Validator {
    /// The check digit of payment cards.
    Luhn,
    /// Country, length and check digits of a bank account (ISO 13616).
    Iban,
    /// A US social security number that can have been given out.
    UsSsn,
    /// A public IP address: loopback, private and documentation addresses live in code and name nobody.
    PublicIp,
}

impl Validator {
    /// Whether the matched text holds.
    pub fn holds(self, matched: &str) -> bool {
        match self {
            Self::Luhn => luhn(matched),
            Self::Iban => matched.replace(' ', "").parse::<iban::Iban>().is_ok(),
            Self::UsSsn => us_ssn(matched),
            Self::PublicIp => matched.parse().is_ok_and(|address| Reach::of(address) == Reach::Public),
        }
    }
}

fn luhn(matched: &str) -> bool {
    let digits: Vec<u32> = matched.chars().filter_map(|char| char.to_digit(10)).collect();
    let sum: u32 =
        digits.iter().rev().enumerate().map(|(n, &digit)| if n % 2 == 0 { digit } else { digit * 2 % 10 + digit / 5 }).sum();
    // One digit repeated passes the sum and is nobody's card.
    sum.is_multiple_of(10) && digits.iter().any(|&digit| Some(&digit) != digits.first())
}

fn us_ssn(matched: &str) -> bool {
    let digits: String = matched.chars().filter(char::is_ascii_digit).collect();
    let (Some(area), Some(group), Some(serial)) = (digits.get(0..3), digits.get(3..5), digits.get(5..9)) else { return false };
    // The last is the number that was printed in wallets and used by thousands.
    !matches!(area, "000" | "666") && !area.starts_with('9') && group != "00" && serial != "0000" && digits != "078051120"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_real_numbers_from_numbers_that_look_like_them() {
        let cases = [
            (Validator::Luhn, "4111 1111 1111 1111", true),
            (Validator::Luhn, "5500-0055-5555-5559", true),
            (Validator::Luhn, "4111 1111 1111 1112", false),
            (Validator::Luhn, "0000 0000 0000 0000", false),
            (Validator::Iban, "DE89 3704 0044 0532 0130 00", true),
            (Validator::Iban, "GB82WEST12345698765432", true),
            (Validator::Iban, "DE89 3704 0044 0532 0130 01", false),
            (Validator::UsSsn, "536-90-4399", true),
            (Validator::UsSsn, "666-12-3456", false),
            (Validator::UsSsn, "078-05-1120", false),
            (Validator::PublicIp, "8.8.4.4", true),
            (Validator::PublicIp, "2606:4700:4700::1111", true),
            (Validator::PublicIp, "10.1.2.3", false),
            (Validator::PublicIp, "100.64.1.1", false),
            (Validator::PublicIp, "192.0.2.7", false),
            (Validator::PublicIp, "::1", false),
            (Validator::PublicIp, "1.2.3.400", false),
        ];
        for (validator, text, holds) in cases {
            assert_eq!(validator.holds(text), holds, "{validator:?} {text}");
        }
    }
}
