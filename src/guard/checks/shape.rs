//! What every match of a check looks like: with it, a stream holds nothing back until a match may have begun.

use regex_syntax::hir::{Hir, HirKind, Repetition};

/// The shape of all matches of a check, and maybe of more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shape {
    loose: Hir,
    longest: Option<usize>,
    beside: usize,
}

impl Shape {
    /// The shape of what an expression matches.
    pub fn of(expression: &Hir) -> Self {
        Self { loose: loosened(expression), longest: expression.properties().maximum_len(), beside: 0 }
    }

    /// The shape of these words and phrases, in any case.
    pub fn of_words<'w>(words: impl IntoIterator<Item = &'w str>) -> Option<Self> {
        let words: Vec<_> = words.into_iter().map(regex_syntax::escape).collect();
        regex_syntax::parse(&format!("(?i:{})", words.join("|"))).ok().map(|words| Self::of(&words))
    }

    /// The same for a check that also looks at so many bytes before and after a match.
    #[must_use]
    pub fn beside(self, bytes: usize) -> Self {
        Self { beside: bytes, ..self }
    }

    /// An expression that matches all that the check matches. It looks neither around nor counts, so that its automaton stays small.
    pub(in crate::guard) fn expression(&self) -> &Hir {
        &self.loose
    }

    /// The longest match in bytes, if there is one.
    pub fn longest(&self) -> Option<usize> {
        self.longest
    }

    /// How many bytes before and after a match decide on it as well.
    pub fn looks_beside(&self) -> usize {
        self.beside
    }
}

/// What matches all that `hir` does: no look-around, and whatever repeats repeats for ever.
fn loosened(hir: &Hir) -> Hir {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => Hir::empty(),
        HirKind::Literal(literal) => Hir::literal(literal.0.clone()),
        HirKind::Class(class) => Hir::class(class.clone()),
        HirKind::Repetition(repetition) => Hir::repetition(Repetition {
            min: repetition.min.min(1),
            max: repetition.max.filter(|&max| max <= 1),
            greedy: true,
            sub: Box::new(loosened(&repetition.sub)),
        }),
        HirKind::Capture(capture) => loosened(&capture.sub),
        HirKind::Concat(parts) => Hir::concat(parts.iter().map(loosened).collect()),
        HirKind::Alternation(parts) => Hir::alternation(parts.iter().map(loosened).collect()),
    }
}

#[cfg(test)]
mod tests {
    use regex::Regex;

    use super::*;

    fn shape(pattern: &str) -> Shape {
        Shape::of(&regex_syntax::parse(pattern).unwrap())
    }

    #[test]
    fn a_shape_matches_all_that_its_pattern_does() {
        let cases = [
            (r"\b[a-z]{2,64}@(?:[a-z]{1,9}\.){1,8}com\b", "to ada@mail.example.com."),
            (r"(?im)^\s*#{2,}\s*(?P<what>system|new instructions?)\s*:$", "\n ## NEW instruction :"),
            (r"\d{4}(?: \d{4}){0,3}", "4111 1111"),
        ];
        for (pattern, text) in cases {
            let found = Regex::new(pattern).unwrap().find(text).unwrap();
            let loose = Regex::new(&format!("^(?:{})$", shape(pattern).expression())).unwrap();
            assert!(loose.is_match(found.as_str()), "{pattern}");
        }
    }

    #[test]
    fn says_how_long_a_match_can_be() {
        assert_eq!((shape("a{3}b?").longest(), shape("a+").longest()), (Some(4), None));
        assert_eq!(Shape::of_words(["kill you", "no"]).unwrap().longest(), Some(10), "a letter may have a longer form");
    }
}
