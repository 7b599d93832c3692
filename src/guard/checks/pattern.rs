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
    fn holds(&self, matched: &str) -> bool {
        self.validator.is_none_or(|validator| validator.holds(matched))
    }

    /// The longest part from the start of a refused match that holds, and ends where a word ends: a card number with its expiry date
    /// behind it is one match to the pattern, and no card to the validator.
    fn held_part(&self, text: &str, refused: &Range<usize>) -> Option<Range<usize>> {
        let ends_word =
            |end: usize| !text[end..].starts_with(char::is_alphanumeric) && text[..end].ends_with(char::is_alphanumeric);
        let ends = (refused.start + 1..refused.end).rev().filter(|&end| text.is_char_boundary(end) && ends_word(end));
        let mut parts = ends.map(|end| refused.start..end).filter(|part| self.holds(&text[part.clone()]));
        parts.find(|part| self.regex.find(&text[part.clone()]).is_some_and(|found| found.range() == (0..part.len())))
    }
}

impl Check for Pattern {
    fn find(&self, text: &str, found: &mut Vec<Range<usize>>) {
        let (mut at, mut looks) = (0, 0);
        while let Some(matched) = self.regex.find_at(text, at).map(|matched| matched.range()) {
            at = matched.end;
            if self.holds(&text[matched.clone()]) {
                found.extend(Some(matched.clone()).filter(|span| !span.is_empty()));
            } else if looks < MAX_SECOND_LOOKS {
                looks += 1;
                let part = self.held_part(text, &matched);
                at = part.as_ref().map_or(matched.start, |part| part.end);
                found.extend(part);
            }
            if at <= matched.start {
                // Nothing holds from here, or nothing was matched: on from the next character.
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
    fn a_match_that_holds_is_kept_whole_whatever_it_ends_in() {
        let mut found = Vec::new();
        Pattern::new(Regex::new(r"[0-9]{16};").unwrap(), Some(Validator::Luhn), vec![])
            .find("4111111111111111; next", &mut found);
        assert_eq!(found, [0..17]);
    }

    #[test]
    fn drops_what_its_validator_refuses() {
        let mut found = Vec::new();
        let pattern = Pattern::new(Regex::new(r"\d{4} \d{4} \d{4} \d{4}").unwrap(), Some(Validator::Luhn), vec![]);
        pattern.find("4111 1111 1111 1112 or 4111 1111 1111 1111", &mut found);
        assert_eq!(found, [23..42]);
    }
}
