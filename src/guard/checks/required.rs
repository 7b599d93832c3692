//! What every match of a regular expression has in it, read off the expression: literals, one of which is in each match, and how many digits
//! in how many bytes.
//!
//! A text without them need not be searched. Literals are of ASCII in small letters, because they are looked for in any case; what an expression matches beyond
//! ASCII ends a literal.

use regex_syntax::hir::{Class, ClassUnicode, Hir, HirKind};

/// More literals than this are common words.
const MOST: usize = 32;
/// Longer ones tell no more.
const LONGEST: usize = 24;

/// What is in every match.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Required {
    /// One of these, in any case; none are known when empty.
    pub(super) any_of: Vec<String>,
    /// At least so many ASCII digits.
    pub(super) digits: usize,
    /// The most bytes of any match.
    pub(super) within: usize,
}

impl Required {
    /// Of all that an expression matches.
    pub(super) fn of(expression: &Hir) -> Self {
        let within = expression.properties().maximum_len().unwrap_or(usize::MAX);
        Self { any_of: literals(expression), digits: digits(expression), within }
    }
}

/// The fewest ASCII digits of any match.
fn digits(hir: &Hir) -> usize {
    let is_digit = |start: u32, end: u32| start >= u32::from(b'0') && end <= u32::from(b'9');
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => 0,
        HirKind::Literal(literal) => literal.0.iter().filter(|byte| byte.is_ascii_digit()).count(),
        HirKind::Class(Class::Unicode(class)) => {
            class.iter().all(|range| is_digit(range.start().into(), range.end().into())).into()
        }
        HirKind::Class(Class::Bytes(class)) => {
            class.iter().all(|range| is_digit(range.start().into(), range.end().into())).into()
        }
        HirKind::Repetition(repetition) => (repetition.min as usize).saturating_mul(digits(&repetition.sub)),
        HirKind::Capture(capture) => digits(&capture.sub),
        HirKind::Concat(parts) => parts.iter().map(digits).fold(0, usize::saturating_add),
        HirKind::Alternation(parts) => parts.iter().map(digits).min().unwrap_or(0),
    }
}

/// Literals, one of which is in every match; none if there are none worth looking for.
fn literals(hir: &Hir) -> Vec<String> {
    let mut run = Run::default();
    run.take(hir);
    run.end();
    run.best
}

/// Literals in a row, so far as what they are is known exactly, and the best that were.
#[derive(Debug)]
struct Run {
    now: Vec<String>,
    best: Vec<String>,
}

impl Default for Run {
    fn default() -> Self {
        Self { now: vec![String::new()], best: Vec::new() }
    }
}

impl Run {
    fn take(&mut self, hir: &Hir) {
        match hir.kind() {
            HirKind::Empty | HirKind::Look(_) => {}
            HirKind::Capture(capture) => self.take(&capture.sub),
            HirKind::Concat(parts) => parts.iter().for_each(|part| self.take(part)),
            HirKind::Repetition(repetition) => {
                self.end();
                if repetition.min > 0 {
                    self.propose(literals(&repetition.sub));
                }
            }
            _ => {
                if let Some(exact) = exactly(hir) {
                    self.extend(&exact);
                } else {
                    self.end();
                    self.propose(inside(hir));
                }
            }
        }
    }

    fn extend(&mut self, exact: &[String]) {
        let long = self.now.iter().any(|literal| literal.len() >= LONGEST);
        if long || self.now.len() * exact.len() > MOST {
            self.end();
        }
        self.now = self.now.iter().flat_map(|begin| exact.iter().map(move |end| format!("{begin}{end}"))).collect();
    }

    /// What comes now does not follow at once.
    fn end(&mut self) {
        let now = std::mem::replace(&mut self.now, vec![String::new()]);
        self.propose(now);
    }

    fn propose(&mut self, literals: Vec<String>) {
        if worth(&literals) > worth(&self.best) {
            self.best = literals;
        }
    }
}

/// How seldom literals are in a text that is not meant; 0 is too often.
fn worth(literals: &[String]) -> usize {
    let shortest = literals.iter().map(String::len).min().unwrap_or(0);
    let rare = literals.iter().all(|literal| literal.starts_with(['@', '#', '$', '|', '<', '_', '\\', '{']));
    if literals.len() > MOST || shortest < 2 && !rare { 0 } else { shortest }
}

/// Of alternatives that are not all known exactly, the literals of each.
fn inside(hir: &Hir) -> Vec<String> {
    let HirKind::Alternation(parts) = hir.kind() else { return Vec::new() };
    let each: Vec<_> = parts.iter().map(literals).collect();
    if each.iter().any(Vec::is_empty) { Vec::new() } else { each.concat() }
}

/// All that it can match, if that is little and ASCII.
fn exactly(hir: &Hir) -> Option<Vec<String>> {
    match hir.kind() {
        HirKind::Literal(literal) => {
            let text = std::str::from_utf8(&literal.0).ok().filter(|text| text.is_ascii())?;
            Some(vec![text.to_ascii_lowercase()])
        }
        HirKind::Class(class) => {
            // The class of a letter in any case holds one letter, or with it those of other alphabets that have it as theirs.
            let class = match class {
                Class::Unicode(class) => class.is_ascii().then(|| class.clone()),
                Class::Bytes(class) => class.to_unicode_class().filter(ClassUnicode::is_ascii),
            }?;
            let mut letters: Vec<String> = Vec::new();
            for letter in class.iter().flat_map(|range| range.start()..=range.end()).take(MOST) {
                let letter = letter.to_ascii_lowercase().to_string();
                if !letters.contains(&letter) {
                    letters.push(letter);
                }
            }
            (letters.len() <= 4).then_some(letters)
        }
        HirKind::Capture(capture) => exactly(&capture.sub),
        HirKind::Concat(parts) => parts.iter().try_fold(vec![String::new()], |begins, part| {
            let ends = exactly(part)?;
            let all: Vec<_> = begins.iter().flat_map(|begin| ends.iter().map(move |end| format!("{begin}{end}"))).collect();
            (all.len() <= MOST && all.iter().all(|literal| literal.len() <= LONGEST)).then_some(all)
        }),
        HirKind::Alternation(parts) => {
            let all = parts.iter().map(exactly).collect::<Option<Vec<_>>>()?.concat();
            (all.len() <= MOST).then_some(all)
        }
        HirKind::Empty | HirKind::Look(_) => Some(vec![String::new()]),
        HirKind::Repetition(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use regex::Regex;

    use super::*;

    #[test]
    fn reads_literals_and_digits_off_an_expression() {
        let cases: [(&str, &[&str], usize); 12] = [
            (r"\bAKIA[0-9A-Z]{16}\b", &["akia"], 0),
            (r"(?:AKIA|ASIA)[0-9]{4}", &["akia", "asia"], 4),
            (r"(?i)\bhello\b", &["hello"], 0),
            (r"(?i)quick", &["quic"], 0),
            (r"gh[pous]_[A-Za-z0-9]{36,}", &["ghp_", "gho_", "ghu_", "ghs_"], 0),
            (r"[a-z]+@[a-z]+", &["@"], 0),
            (r"[0-9]{3}-[0-9]{2}", &[], 5),
            (r"\d{3}", &[], 0),
            (r"(?:[0-9][ -]?){12,18}[0-9]", &[], 13),
            (r"(?:a+|bcd)", &[], 0),
            (r"(?:x*abc|def+)", &["abc", "de"], 0),
            (r"(?:foo)*bar", &["bar"], 0),
        ];
        for (expression, any_of, digits) in cases {
            let mut required = Required::of(&regex_syntax::parse(expression).unwrap());
            required.any_of.sort();
            let mut any_of: Vec<_> = any_of.iter().map(|&literal| literal.to_owned()).collect();
            any_of.sort();
            assert_eq!((required.any_of, required.digits), (any_of, digits), "{expression}");
        }
    }

    /// Expressions of all shapes.
    fn expression() -> impl Strategy<Value = String> {
        let leaf = prop_oneof![
            "[a-dsk0-2@_]{1,3}",
            Just("[ab]".to_owned()),
            Just("[0-9]".to_owned()),
            Just(r"\b".to_owned()),
            Just("(?i:sk)".to_owned()),
            Just("é".to_owned()),
            Just("[^a]".to_owned())
        ];
        leaf.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 1..4).prop_map(|parts| parts.concat()),
                prop::collection::vec(inner.clone(), 1..4).prop_map(|parts| format!("(?:{})", parts.join("|"))),
                (inner, prop_oneof![Just("*"), Just("+"), Just("?"), Just("{2}"), Just("{1,3}")])
                    .prop_map(|(part, times)| format!("(?:{part}){times}")),
            ]
        })
    }

    proptest! {
        #[test]
        fn every_match_has_what_is_required(expression in expression(), text in "[a-dA-DsSkK0-2@_éſK ]{0,40}") {
            let required = Required::of(&regex_syntax::parse(&expression).unwrap());
            for found in Regex::new(&expression).unwrap().find_iter(&text) {
                prop_assert!(found.len() <= required.within);
                let found = found.as_str().to_ascii_lowercase();
                prop_assert!(required.any_of.is_empty() || required.any_of.iter().any(|literal| found.contains(literal)), "{} {:?} {:?}", expression, required, found);
                prop_assert!(found.bytes().filter(u8::is_ascii_digit).count() >= required.digits, "{} {:?} {:?}", expression, required, found);
            }
        }
    }
}
