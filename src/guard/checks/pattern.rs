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

impl Check for Pattern {
    fn find(&self, text: &str, found: &mut Vec<Range<usize>>) {
        for captures in self.regex.find_iter(text) {
            if self.validator.is_none_or(|validator| validator.holds(captures.as_str())) {
                found.push(captures.range());
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
    fn drops_what_its_validator_refuses() {
        let mut found = Vec::new();
        let pattern = Pattern::new(Regex::new(r"\d{4} \d{4} \d{4} \d{4}").unwrap(), Some(Validator::Luhn), vec![]);
        pattern.find("4111 1111 1111 1112 or 4111 1111 1111 1111", &mut found);
        assert_eq!(found, [23..42]);
    }
}
