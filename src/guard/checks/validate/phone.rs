//! Telephone numbers, by the lengths that numbers have in each country.
//!
//! Only the lengths of the metadata are asked for: the patterns behind them change with every number range that is opened, and a number that
//! is not yet or no longer in use still tells whose it is.

use phonenumber::{Metadata, Type, metadata::DATABASE};

use super::number::{birth_date, is_separator};

/// Digits of a number as it is dialled in its country, area code included or not.
const NATIONAL_DIGITS: std::ops::RangeInclusive<usize> = 7..=13;
/// Digits after the country code, and those before: the most of both (ITU-T E.164).
const MAX_DIGITS: usize = 15;
/// No country code is longer.
const MAX_COUNTRY_DIGITS: usize = 3;

/// With `+` or `00`, and a country.
pub(super) fn international(matched: &str) -> bool {
    let number = without_extension(matched);
    let Some(digits) = number.strip_prefix('+').or_else(|| number.strip_prefix("00")) else { return false };
    // The trunk prefix that is dialled at home only.
    let digits: String = digits.replace("(0)", "").chars().filter(char::is_ascii_digit).collect();
    let codes =
        (1..=MAX_COUNTRY_DIGITS.min(digits.len())).filter_map(|length| digits[..length].parse::<u16>().ok().zip(Some(length)));
    digits.len() <= MAX_DIGITS && codes.into_iter().any(|(code, length)| is_possible(code, digits.len() - length))
}

/// The kinds of numbers that people and firms have.
const KINDS: [Type; 8] = [
    Type::FixedLine,
    Type::Mobile,
    Type::TollFree,
    Type::PremiumRate,
    Type::SharedCost,
    Type::PersonalNumber,
    Type::Voip,
    Type::Uan,
];

/// Whether numbers of a country have so many digits behind its code.
fn is_possible(code: u16, length: usize) -> bool {
    let Ok(length) = u16::try_from(length) else { return false };
    let possible = |country: &&Metadata| {
        let kinds = KINDS.iter().filter_map(|&kind| country.descriptors().get(kind));
        kinds.into_iter().any(|kind| kind.possible_length().contains(&length))
    };
    DATABASE.by_code(&code).is_some_and(|countries| countries.iter().any(possible))
}

/// As it is dialled somewhere. Only what stands near it can tell that it is dialled at all.
pub(super) fn national(matched: &str) -> bool {
    let number = without_extension(matched);
    if number.starts_with('+') || number.starts_with("00") {
        return international(matched);
    }
    let groups: Vec<&str> = number.split(|char: char| !char.is_ascii_digit()).filter(|group| !group.is_empty()).collect();
    let digits = groups.iter().map(|group| group.len()).sum();
    NATIONAL_DIGITS.contains(&digits) && !is_amount(&groups) && !has_date(&groups) && number.parse::<std::net::IpAddr>().is_err()
}

/// Thousands in groups, or a round number.
fn is_amount(groups: &[&str]) -> bool {
    match groups {
        [whole] => whole.ends_with("00000"),
        [first, thousands @ ..] => first.len() <= 3 && thousands.iter().all(|group| *group == "000"),
        [] => true,
    }
}

/// A day, a month and a year in a row, or from one year to another.
fn has_date(groups: &[&str]) -> bool {
    let is_year = |group: &&str| group.len() == 4 && (group.starts_with("19") || group.starts_with("20"));
    groups.iter().all(is_year) || groups.windows(3).any(|date| birth_date(&date.join("-")))
}

/// Area code and exchange do not begin with 0 or 1, and the exchange is no service code such as 911.
pub(super) fn north_american(matched: &str) -> bool {
    let number = without_extension(matched);
    let mut groups = number.split(|char: char| char == '(' || char == ')' || u8::try_from(char).is_ok_and(is_separator));
    let mut next = || groups.find(|group| !group.is_empty());
    let (first, second, third) = (next(), next(), next());
    let (area, exchange, line) = if first == Some("1") { (second, third, next()) } else { (first, second, third) };
    let geographic = |group: Option<&str>| {
        group.is_some_and(|group| group.len() == 3 && !group.starts_with(['0', '1']) && !group.ends_with("11"))
    };
    geographic(area) && geographic(exchange) && line.is_some_and(|line| line.len() == 4) && next().is_none()
}

/// `x123` and the like say which desk rings.
fn without_extension(matched: &str) -> &str {
    let end = matched.find(|char: char| char.is_alphabetic() || char == '#').unwrap_or(matched.len());
    matched[..end].trim_end()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_country_has_numbers_of_some_lengths() {
        for number in [
            "+1 650 253 0000",
            "+46 (0)8 928 571 38",
            "+447700 900 123",
            "0049 30 123456",
            "001-518-555-0154",
            "+1-604-555-5272x565",
        ] {
            assert!(international(number), "{number}");
        }
        for other in ["+1 650 253", "+999 123 456 789", "650 253 0000", "+", "+(0)", "+49 1", "+1 650 253 0000 123 4567"] {
            assert!(!international(other), "{other}");
        }
    }

    #[test]
    fn a_number_as_it_is_dialled_is_no_date_amount_or_address() {
        for number in [
            "467 3395",
            "(37) 788-063",
            "60-56-85-91",
            "01.84.17.61.18",
            "0961-7596216",
            "9498777106",
            "345-899-3560x4587",
            "00 1 650 253 0000",
        ] {
            assert!(national(number), "{number}");
        }
        for other in [
            "2012-10-01",
            "2012-10-01 00",
            "21.12.1999",
            "1987-1990",
            "1 000 000",
            "20000000",
            "192.168.100.200",
            "123456",
            "12345678901234",
        ] {
            assert!(!national(other), "{other}");
        }
    }

    #[test]
    fn a_north_american_number_has_an_area_and_an_exchange() {
        for number in ["(650) 253-0000", "650-253-0000", "650.253.0000 ext. 12", "1-650-253-0000"] {
            assert!(north_american(number), "{number}");
        }
        for other in ["150-253-0000", "650-153-0000", "650-911-0000", "650-253-000", "12-650-253-0000", "650-253-0000-1"] {
            assert!(!north_american(other), "{other}");
        }
    }
}
