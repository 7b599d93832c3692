//! A regular expression, and what a match must hold beside it. The engine is linear in the text: no pattern can stall the proxy.

use std::ops::Range;

use regex::Regex;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Check, Context, Kind, Needs, Reach, Shape, Validator,
    context::Nearby,
    required::Required,
    token::{begins_token, ends_token},
};
use crate::guard::rules::Site;

/// A regular expression. Syntax of the Rust `regex` crate: linear time, no look-around, no back-references.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Pattern {
    /// The expression.
    pub regex: String,
    /// The group of the expression, by name or number, that is what was found; the rest of the match only has to be there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<Group>,
    /// A further test that what was found must hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validate: Option<Validator>,
    /// Least Shannon entropy of what was found, in bits per character: words have about 3, random letters and digits more than 4.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entropy: Option<f64>,
    /// What must stand near.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<Context>,
    /// Words, one of which is in every match: texts without any of them are not searched. Left out, they are the words of `context`, or else read off the expression.
    #[serde(default)]
    pub keywords: Vec<String>,
}

/// A group of a regular expression.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Group {
    /// `(…)`, counted from 1.
    Number(usize),
    /// `(?P<name>…)`
    Name(String),
}

impl Group {
    /// Its number in an expression that has it.
    fn index(&self, regex: &Regex) -> Option<usize> {
        match self {
            Self::Number(number) => Some(*number).filter(|&number| number < regex.captures_len()),
            Self::Name(name) => regex.capture_names().position(|known| known == Some(name)),
        }
    }
}

impl Kind for Vec<Pattern> {
    fn build(&self, site: &mut Site<'_, '_>) {
        for (n, pattern) in self.iter().enumerate() {
            pattern.build_at(&format!("/{n}"), site);
        }
    }
}

impl Pattern {
    fn build_at(&self, place: &str, site: &mut Site<'_, '_>) {
        let Some(regex) = site.regex(&format!("{place}/regex"), &self.regex) else { return };
        let group = self.group.as_ref().map_or(Some(0), |group| group.index(&regex));
        let context = &self.context;
        let empty = |list: &Vec<String>| list.iter().any(|word| word.trim().is_empty());
        if regex.is_match("") {
            let place = format!("{place}/regex");
            site.problem(&place, "this pattern matches the empty text, and so everything", "demand at least one character");
        } else if context.as_ref().is_some_and(|context| empty(&context.words) || empty(&context.unless)) {
            site.problem(&format!("{place}/context"), "an empty word stands near everything", "remove it");
        } else if context.as_ref().is_some_and(|context| context.words.is_empty() && context.unless.is_empty()) {
            let remedy = "name the words that tell what it is in `words`, or those that tell what it is not in `unless`";
            site.problem(&format!("{place}/context"), "a context without words asks for nothing", remedy);
        } else if let Some(group) = group {
            site.keep_built(Search::new(regex, group, self));
        } else {
            let remedy = "name a group that the pattern has, such as `(?P<value>…)` with `group: value`";
            site.problem(&format!("{place}/group"), "the pattern has no such group", remedy);
        }
    }
}

/// A compiled pattern.
#[derive(Debug)]
struct Search {
    regex: Regex,
    /// What was found: 0 is the whole match.
    group: usize,
    validator: Option<Validator>,
    entropy: Option<f64>,
    nearby: Option<Nearby>,
    required: Required,
    reach: Reach,
}

impl Search {
    fn new(regex: Regex, group: usize, pattern: &Pattern) -> Result<Self, aho_corasick::BuildError> {
        let Pattern { validate, entropy, keywords, .. } = pattern.clone();
        let nearby = pattern.context.as_ref().map(Nearby::new).transpose()?;
        // What compiled as a regular expression parses as one; of what should not nothing is known, and it has no shape.
        let hir = regex_syntax::parse(regex.as_str()).ok();
        let mut required = hir.as_ref().map_or_else(Required::default, Required::of);
        // The author knows better which words are rare.
        let rarer = [keywords.as_slice(), nearby.as_ref().map_or(&[], Nearby::words)];
        if let Some(words) = rarer.into_iter().find(|words| !words.is_empty()) {
            required.any_of = words.to_vec();
        }
        let beside = nearby.as_ref().map_or(0, Nearby::reach);
        let reach = hir.map_or(Reach::Unbounded, |hir| Reach::Shape(Shape::of(&hir).beside(beside)));
        Ok(Self { regex, group, validator: validate, entropy, nearby, required, reach })
    }
}

/// A refused match is looked at more closely so often in one text, and no oftener: a text of nothing but digits must not cost its square.
const MAX_SECOND_LOOKS: usize = 512;
/// A longer match that is refused is not taken apart: there are as many parts as places in it, and each is read anew.
const MAX_TAKEN_APART: usize = 256;

impl Search {
    /// What was found in a match.
    fn span(&self, text: &str, matched: &Range<usize>) -> Range<usize> {
        if self.group == 0 {
            return matched.clone();
        }
        let captures = self.regex.captures_at(text, matched.start);
        captures.and_then(|captures| captures.get(self.group)).map_or(matched.start..matched.start, |group| group.range())
    }

    fn holds(&self, found: &str) -> bool {
        self.validator.is_none_or(|validator| validator.holds(found)) && self.entropy.is_none_or(|least| entropy(found) >= least)
    }

    /// The longest part from the start of a refused match that holds, and ends where a token ends: a card number with its expiry date
    /// behind it is one match to the pattern, and no card to the validator.
    fn held_part(&self, text: &str, refused: &Range<usize>) -> Option<Range<usize>> {
        let ends = (refused.start + 1..refused.end).rev().filter(|&end| text.is_char_boundary(end) && ends_token(text, end));
        let mut parts = ends.map(|end| refused.start..end).filter(|part| self.holds(&text[part.clone()]));
        parts.find(|part| self.regex.find(&text[part.clone()]).is_some_and(|found| found.range() == (0..part.len())))
    }
}

/// Where a match may begin behind the start of another: at the next character, but inside of a refused match only where a token begins.
fn next_start(text: &str, start: usize, refused: usize) -> Option<usize> {
    let mut places = text[start..].char_indices().skip(1).map(|(at, _)| start + at);
    places.find(|&at| at >= refused || begins_token(text, at))
}

impl Check for Search {
    fn find(&self, text: &str, found: &mut Vec<Range<usize>>) {
        let (mut at, mut looks, mut refused) = (0, 0, 0);
        while let Some(matched) = self.regex.find_at(text, at).map(|matched| matched.range()) {
            at = matched.end;
            let span = self.span(text, &matched);
            // What begins inside of a refused match is another only if it is a token of its own: `8.8.4.4` is no address in `1.8.8.4.4`.
            if matched.start < refused && !begins_token(text, matched.start) {
                at = matched.start;
            } else if self.nearby.as_ref().is_some_and(|nearby| !nearby.holds(text, &span)) {
                // Its parts stand where it stands.
            } else if self.holds(&text[span.clone()]) {
                found.extend(Some(span).filter(|span| !span.is_empty()));
            } else if looks < MAX_SECOND_LOOKS && matched.len() <= MAX_TAKEN_APART {
                looks += 1;
                refused = refused.max(matched.end);
                let part = Some(&matched).filter(|_| self.group == 0).and_then(|matched| self.held_part(text, matched));
                at = part.as_ref().map_or(matched.start, |part| part.end);
                found.extend(part);
            }
            if at <= matched.start {
                // Nothing holds from here, or nothing was matched.
                let Some(next) = next_start(text, matched.start, refused) else { return };
                at = next;
            }
        }
    }

    fn needs(&self) -> Needs<'_> {
        let Required { any_of, digits, within } = &self.required;
        Needs::Digits { count: *digits, within: *within, any_of }
    }

    fn reach(&self) -> Reach {
        self.reach.clone()
    }
}

/// Shannon entropy, in bits per byte.
fn entropy(text: &str) -> f64 {
    let mut counts = [0_usize; 256];
    text.bytes().for_each(|byte| counts[usize::from(byte)] += 1);
    let shares = counts.into_iter().filter(|&count| count > 0).map(|count| count as f64 / text.len() as f64);
    shares.map(|share| -share * share.log2()).sum()
}

#[cfg(test)]
mod tests {
    use super::{super::conformance, *};

    fn pattern(yaml_as_json: &str) -> Search {
        let pattern: Pattern = serde_json::from_str(yaml_as_json).unwrap();
        let regex = Regex::new(&pattern.regex).unwrap();
        let group = pattern.group.as_ref().map_or(0, |group| group.index(&regex).unwrap());
        Search::new(regex, group, &pattern).unwrap()
    }

    fn validated(regex: &str, validator: &str) -> Search {
        pattern(&serde_json::json!({ "regex": regex, "validate": validator }).to_string())
    }

    fn found<'t>(search: &Search, text: &'t str) -> Vec<&'t str> {
        let mut found = Vec::new();
        search.find(text, &mut found);
        found.into_iter().map(|span| &text[span]).collect()
    }

    #[test]
    fn conforms() {
        conformance::holds(&validated(r"\b(?:\d[ -]?){12,18}\d\b", "luhn"), "pay 4111 1111 1111 1111 now");
        conformance::holds(&pattern(r#"{"regex": "AKIA[0-9A-Z]{16}", "keywords": ["akia"]}"#), "key AKIAABCDEFGHIJKLMNOP");
        conformance::holds(&pattern(r#"{"regex": "[0-9]{4}", "context": {"words": ["pin"]}}"#), "my PIN is 1234");
    }

    #[test]
    fn finds_a_number_with_other_numbers_beside_it() {
        let cards = validated(r"(?-u:\b)(?:[0-9][ -]?){12,18}[0-9](?-u:\b)", "luhn");
        let card = "4111 1111 1111 1111";
        for text in
            ["4111 1111 1111 1111 12/27", "4111 1111 1111 1111 123", "2 4111 1111 1111 1111", "no 7 4111 1111 1111 1111 04 29 é"]
        {
            assert_eq!(found(&cards, text), [card], "{text}");
        }
        assert!(found(&cards, &"1 ".repeat(100_000)).is_empty());
        assert!(found(&cards, "41111111111111111234").is_empty(), "a part of a longer number is no card");
    }

    #[test]
    fn what_is_refused_whole_has_no_part_inside_of_a_token() {
        let addresses = validated(r"(?-u:\b)[0-9]{1,3}(?:\.[0-9]{1,3}){3,7}(?-u:\b)", "public_ip");
        assert_eq!(found(&addresses, "8.8.4.4:53 and (8.8.8.8)."), ["8.8.4.4", "8.8.8.8"]);
        assert!(found(&addresses, "1.8.8.4.4 and 8.8.4.4.1").is_empty());
    }

    #[test]
    fn a_match_that_holds_is_kept_whole_whatever_it_ends_in() {
        assert_eq!(found(&validated(r"[0-9]{16};", "luhn"), "4111111111111111; next"), ["4111111111111111;"]);
    }

    #[test]
    fn a_long_match_that_is_refused_is_passed_over() {
        let random = pattern(r#"{"regex": "[a-z0-9 ]{12,}", "entropy": 3.4}"#);
        assert!(found(&random, &"a ".repeat(200_000)).is_empty());
    }

    #[test]
    fn drops_what_its_validator_refuses() {
        let cards = validated(r"\d{4} \d{4} \d{4} \d{4}", "luhn");
        assert_eq!(found(&cards, "4111 1111 1111 1112 or 4111 1111 1111 1111"), ["4111 1111 1111 1111"]);
    }

    #[test]
    fn a_group_is_what_was_found() {
        for group in ["\"value\"", "1"] {
            let named = pattern(&format!(r#"{{"regex": "pin=(?P<value>[0-9]+)", "group": {group}}}"#));
            assert_eq!(found(&named, "pin=12 pin=345"), ["12", "345"]);
        }
        let luhn = pattern(r#"{"regex": "id ([0-9]+)", "group": 1, "validate": "luhn"}"#);
        assert_eq!(found(&luhn, "id 12 id 18"), ["18"], "the group is what is validated");
    }

    #[test]
    fn a_match_out_of_context_is_none() {
        let pins = pattern(r#"{"regex": "[0-9]{4}", "context": {"words": ["pin"], "within": 5}}"#);
        assert_eq!(found(&pins, "pin 1234 and then, far away, 5678"), ["1234"]);
        assert!(matches!(pins.needs(), Needs::Digits { count: 4, within: 4, any_of: [word] } if word == "pin"));
        assert!(matches!(pins.reach(), Reach::Shape(shape) if shape.looks_beside() == 2 * 4 * 5));
    }

    #[test]
    fn what_is_not_random_enough_is_dropped() {
        let random = pattern(r#"{"regex": "[a-z0-9]{12}", "entropy": 3.4}"#);
        assert_eq!(found(&random, "aaaabbbbcccc q7x2m9fk4tz8"), ["q7x2m9fk4tz8"]);
        assert!((entropy("abcd") - 2.0).abs() < 1e-9 && entropy("aaaa").abs() < 1e-9);
    }
}
