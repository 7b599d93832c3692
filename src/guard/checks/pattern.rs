//! A regular expression, with an optional validator. The engine is linear in the text: no pattern can stall the proxy.

use std::ops::Range;

use regex::Regex;

use super::{Check, Needs, Validator};

/// A compiled pattern.
#[derive(Debug)]
pub struct Pattern {
    regex: Regex,
    validator: Option<Validator>,
    keywords: Vec<String>,
}

impl Pattern {
    /// `keywords`, when given, are words of which one is in every match.
    pub fn new(regex: Regex, validator: Option<Validator>, keywords: Vec<String>) -> Self {
        Self { regex, validator, keywords }
    }
}

/// A refused match is looked at more closely so often in one text, and no oftener: a text of nothing but digits must not cost its square.
const MAX_SECOND_LOOKS: usize = 512;

impl Pattern {
    /// The longest part from the start of a match that holds, and ends where a word ends: a card number with its expiry date behind it is
    /// one match to the pattern, and no card to the validator.
    fn held(&self, text: &str, matched: Range<usize>) -> Option<Range<usize>> {
        let Some(validator) = self.validator else { return Some(matched) };
        let ends_word =
            |end: usize| !text[end..].starts_with(char::is_alphanumeric) && text[..end].ends_with(char::is_alphanumeric);
        let ends = (matched.start + 1..=matched.end).rev().filter(|&end| text.is_char_boundary(end) && ends_word(end));
        let mut spans = ends.map(|end| matched.start..end).filter(|span| validator.holds(&text[span.clone()]));
        spans.find(|span| self.regex.find(&text[span.clone()]).is_some_and(|found| found.range() == (0..span.len())))
    }
}

impl Check for Pattern {
    fn find(&self, text: &str, found: &mut Vec<Range<usize>>) {
        let (mut at, mut looks) = (0, 0);
        while let Some(matched) = self.regex.find_at(text, at).map(|matched| matched.range()) {
            at = matched.end;
            if looks < MAX_SECOND_LOOKS {
                let held = self.held(text, matched.clone());
                looks += usize::from(held.is_none());
                at = held.as_ref().map_or(matched.start, |span| span.end);
                found.extend(held.filter(|span| !span.is_empty()));
            } else if self.validator.is_none_or(|validator| validator.holds(&text[matched.clone()])) {
                found.push(matched.clone());
            }
            if at <= matched.start {
                // Nothing held from here, or nothing was matched: on from the next character.
                let Some(next) = text[matched.start..].chars().next() else { return };
                at = matched.start + next.len_utf8();
            }
        }
    }

    fn needs(&self) -> Needs<'_> {
        if self.keywords.is_empty() { Needs::Nothing } else { Needs::AnyOf(&self.keywords) }
    }

    fn needs_whole_answer(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::{super::conformance, *};

    #[test]
    fn conforms() {
        let regex = Regex::new(r"\b(?:\d[ -]?){12,18}\d\b").unwrap();
        conformance::holds(&Pattern::new(regex, Some(Validator::Luhn), vec![]), "pay 4111 1111 1111 1111 now");
        let regex = Regex::new(r"AKIA[0-9A-Z]{16}").unwrap();
        conformance::holds(&Pattern::new(regex, None, vec!["akia".to_owned()]), "key AKIAABCDEFGHIJKLMNOP");
    }

    #[test]
    fn finds_a_number_with_other_numbers_beside_it() {
        let regex = Regex::new(r"(?-u:\b)(?:[0-9][ -]?){12,18}[0-9](?-u:\b)").unwrap();
        let pattern = Pattern::new(regex, Some(Validator::Luhn), vec![]);
        let card = "4111 1111 1111 1111";
        for text in
            ["4111 1111 1111 1111 12/27", "4111 1111 1111 1111 123", "2 4111 1111 1111 1111", "no 7 4111 1111 1111 1111 04 29 é"]
        {
            let mut found = Vec::new();
            pattern.find(text, &mut found);
            assert_eq!(found.iter().map(|span| &text[span.clone()]).collect::<Vec<_>>(), [card], "{text}");
        }
        let mut found = Vec::new();
        pattern.find(&"1 ".repeat(100_000), &mut found);
        pattern.find("41111111111111111234", &mut found);
        assert!(found.is_empty(), "a part of a longer number is no card");
    }

    #[test]
    fn drops_what_its_validator_refuses() {
        let mut found = Vec::new();
        let pattern = Pattern::new(Regex::new(r"\d{4} \d{4} \d{4} \d{4}").unwrap(), Some(Validator::Luhn), vec![]);
        pattern.find("4111 1111 1111 1112 or 4111 1111 1111 1111", &mut found);
        assert_eq!(found, [23..42]);
    }
}
