//! A regular expression, with an optional validator. The engine is linear in the text: no pattern can stall the proxy.

use std::ops::Range;

use regex::Regex;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Check, Kind, Needs, Reach, Shape, Validator, required::Required};
use crate::guard::rules::Site;

/// A regular expression. Syntax of the Rust `regex` crate: linear time, no look-around, no back-references.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Pattern {
    /// The expression.
    pub regex: String,
    /// A further test that the match must hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validate: Option<Validator>,
    /// Words, one of which is in every match: texts without any of them are not searched. Left out, they are read off the expression.
    #[serde(default)]
    pub keywords: Vec<String>,
}

impl Kind for Vec<Pattern> {
    fn build(&self, site: &mut Site<'_, '_>) {
        for (n, pattern) in self.iter().enumerate() {
            let place = format!("/{n}/regex");
            let Some(regex) = site.regex(&place, &pattern.regex) else { continue };
            if regex.is_match("") {
                site.problem(&place, "this pattern matches the empty text, and so everything", "demand at least one character");
            } else {
                site.keep(Search::new(regex, pattern.validate, pattern.keywords.clone()));
            }
        }
    }
}

/// A compiled pattern.
#[derive(Debug)]
struct Search {
    regex: Regex,
    validator: Option<Validator>,
    required: Required,
    reach: Reach,
}

impl Search {
    fn new(regex: Regex, validator: Option<Validator>, keywords: Vec<String>) -> Self {
        let mut required = Required::of(regex.as_str());
        if !keywords.is_empty() {
            // The author knows better which words are rare.
            required.any_of = keywords;
        }
        // What compiled as a regular expression parses as one; what should not has no shape.
        let shape = regex_syntax::parse(regex.as_str()).map(|hir| Shape::of(&hir));
        Self { regex, validator, required, reach: shape.map_or(Reach::Unbounded, Reach::Shape) }
    }
}

/// A refused match is looked at more closely so often in one text, and no oftener: a text of nothing but digits must not cost its square.
const MAX_SECOND_LOOKS: usize = 512;

impl Search {
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

impl Check for Search {
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
        Needs::Digits { count: self.required.digits, any_of: &self.required.any_of }
    }

    fn reach(&self) -> Reach {
        self.reach.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::{super::conformance, *};

    #[test]
    fn conforms() {
        let regex = Regex::new(r"\b(?:\d[ -]?){12,18}\d\b").unwrap();
        conformance::holds(&Search::new(regex, Some(Validator::Luhn), vec![]), "pay 4111 1111 1111 1111 now");
        let regex = Regex::new(r"AKIA[0-9A-Z]{16}").unwrap();
        conformance::holds(&Search::new(regex, None, vec!["akia".to_owned()]), "key AKIAABCDEFGHIJKLMNOP");
    }

    #[test]
    fn finds_a_number_with_other_numbers_beside_it() {
        let regex = Regex::new(r"(?-u:\b)(?:[0-9][ -]?){12,18}[0-9](?-u:\b)").unwrap();
        let pattern = Search::new(regex, Some(Validator::Luhn), vec![]);
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
        Search::new(Regex::new(r"[0-9]{16};").unwrap(), Some(Validator::Luhn), vec![]).find("4111111111111111; next", &mut found);
        assert_eq!(found, [0..17]);
    }

    #[test]
    fn drops_what_its_validator_refuses() {
        let mut found = Vec::new();
        let pattern = Search::new(Regex::new(r"\d{4} \d{4} \d{4} \d{4}").unwrap(), Some(Validator::Luhn), vec![]);
        pattern.find("4111 1111 1111 1112 or 4111 1111 1111 1111", &mut found);
        assert_eq!(found, [23..42]);
    }
}
