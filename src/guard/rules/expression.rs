//! What is wrong with a regular expression, told in the words of whoever wrote it for another engine, with the place inside the expression.

use std::ops::Range;

use regex_syntax::{
    Error, Parser,
    ast::{self, Ast, ErrorKind, RepetitionKind, RepetitionOp, Visitor},
};

/// A mistake in an expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    /// Where in the expression, in bytes.
    pub(super) span: Range<usize>,
    /// What is wrong.
    pub(super) message: String,
    /// What to write instead.
    pub(super) remedy: String,
}

/// What other engines run and this one does not, by how it begins, with what to write instead. Longer beginnings come first.
const CONSTRUCTS: [(&str, &str, &str); 14] = [
    (
        "(?<=",
        "look-behind",
        "match the text before it as well, and demand it with `keywords`, or take innocent matches out with `except`",
    ),
    ("(?<!", "look-behind", "match a little more, and list what must not count under `except`"),
    ("(?=", "look-ahead", "match the text after it as well; for the end of a word write `\\b`"),
    ("(?!", "look-ahead", "match a little more, and list what must not count under `except`"),
    ("(?>", "an atomic group", "write `(?:…)`: nothing here ever backtracks, so it has nothing to gain"),
    ("(?#", "a comment", "write it as a YAML comment above the pattern"),
    ("(?(", "a condition", "write the cases out as alternatives, `(?:a|b)`, or as two patterns"),
    ("(?|", "a branch reset", "write `(?:a|b)`: rules do not use what groups capture"),
    ("(?'", "a quoted group name", "write `(?<name>…)`, or `(?:…)`: rules do not use what groups capture"),
    ("(?&", "recursion", "write the nesting out to the depth that matters"),
    ("\\K", "`\\K`", "match from where the match should begin"),
    ("\\G", "`\\G`", "remove it: every match is looked for"),
    ("\\Q", "quoting by `\\Q…\\E`", "put a backslash before each special character, or list the text under `words`"),
    ("\\R", "`\\R`", "write `\\r?\\n`"),
];

/// The first mistake of an expression; nothing if it can be run.
pub(super) fn fault(expression: &str) -> Option<Fault> {
    match Parser::new().parse(expression) {
        Ok(_) => possessive(expression),
        Err(Error::Parse(error)) => Some(parse_fault(expression, &error)),
        Err(Error::Translate(error)) => Some(Fault {
            span: range(error.span()),
            message: format!("this regular expression cannot be compiled: {}", error.kind()),
            remedy: "correct it; its syntax is that of the Rust `regex` crate".to_owned(),
        }),
        Err(_) => None,
    }
}

fn range(span: &ast::Span) -> Range<usize> {
    span.start.offset..span.end.offset
}

fn parse_fault(expression: &str, error: &ast::Error) -> Fault {
    let span = range(error.span());
    if let ErrorKind::UnsupportedBackreference = error.kind() {
        let remedy = "write what it repeats out again, or name the repeated values one by one";
        return unsupported(span, "a backreference", remedy);
    }
    if let Some((span, name, remedy)) = construct(expression, &span) {
        return unsupported(span, name, remedy);
    }
    let remedy = match error.kind() {
        ErrorKind::RepetitionMissing => "put a backslash before it to mean the character itself",
        ErrorKind::GroupUnclosed => "close it with `)`, or write `\\(` to mean the character itself",
        ErrorKind::GroupUnopened => "open it with `(`, or write `\\)` to mean the character itself",
        ErrorKind::ClassUnclosed => "close it with `]`, or write `\\[` to mean the character itself",
        ErrorKind::RepetitionCountDecimalEmpty | ErrorKind::RepetitionCountUnclosed | ErrorKind::DecimalEmpty => {
            "write `{2}`, `{2,}` or `{2,5}`, or `\\{` to mean the character itself"
        }
        ErrorKind::EscapeUnrecognized => "remove the backslash, or look the class up in the syntax of the Rust `regex` crate",
        _ => "correct it; its syntax is that of the Rust `regex` crate, and single quotes keep YAML from reading backslashes",
    };
    Fault { span, message: format!("this regular expression cannot be compiled: {}", error.kind()), remedy: remedy.to_owned() }
}

fn unsupported(span: Range<usize>, name: &str, remedy: &str) -> Fault {
    let message = format!("this regular expression has {name}, which an engine of linear time cannot run");
    Fault { span, message, remedy: remedy.to_owned() }
}

/// The construct that an error is about: it begins at the error, or a little before it.
fn construct(expression: &str, span: &Range<usize>) -> Option<(Range<usize>, &'static str, &'static str)> {
    let starts = (span.start.saturating_sub(3)..=span.start).rev().filter(|&start| expression.is_char_boundary(start));
    starts.flat_map(|start| CONSTRUCTS.iter().map(move |construct| (start, construct))).find_map(
        |(start, &(begins, name, remedy))| {
            let found = expression[start..].starts_with(begins) && start + begins.len() >= span.start;
            found.then(|| (start..start + begins.len(), name, remedy))
        },
    )
}

/// `a++` is read as a repetition of a repetition, which is not what who wrote it had in mind.
fn possessive(expression: &str) -> Option<Fault> {
    let ast = ast::parse::Parser::new().parse(expression).ok()?;
    let span = ast::visit(&ast, Possessives { found: None }).ok()??;
    let remedy = "remove the second `+`: nothing here ever backtracks, so it has nothing to gain";
    Some(unsupported(span, "a possessive quantifier", remedy))
}

struct Possessives {
    found: Option<Range<usize>>,
}

impl Visitor for Possessives {
    type Output = Option<Range<usize>>;
    type Err = ();

    fn finish(self) -> Result<Self::Output, ()> {
        Ok(self.found)
    }

    fn visit_pre(&mut self, ast: &Ast) -> Result<(), ()> {
        if let Ast::Repetition(outer) = ast
            && let Ast::Repetition(inner) = &*outer.ast
            && matches!(&outer.op, RepetitionOp { kind: RepetitionKind::OneOrMore, .. })
        {
            self.found.get_or_insert(inner.op.span.start.offset..outer.op.span.end.offset);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_what_the_engine_cannot_run_and_where_it_stands() {
        for (expression, at, name) in [
            (r"foo(?=bar)", "(?=", "look-ahead"),
            (r"foo(?!bar)", "(?!", "look-ahead"),
            (r"é(?<=a)b", "(?<=", "look-behind"),
            (r"(?<!\d)\d{3}", "(?<!", "look-behind"),
            (r"(a)\1", r"\1", "backreference"),
            (r"a++b", "++", "possessive"),
            (r"a{2,3}+b", "{2,3}+", "possessive"),
            (r"(?>a|b)c", "(?>", "atomic"),
            (r"x(?(1)a|b)", "(?(", "condition"),
            (r"a(?#no)b", "(?#", "comment"),
            (r"(?'n'a)", "(?'", "group name"),
            (r"a\Kb", r"\K", r"\K"),
            (r"\Qa.b\E", r"\Q", "quoting"),
        ] {
            let fault = fault(expression).unwrap_or_else(|| panic!("{expression} has no fault"));
            assert_eq!(&expression[fault.span.clone()], at, "{expression}");
            assert!(fault.message.contains(name) && fault.message.contains("linear time"), "{expression}: {}", fault.message);
        }
    }

    #[test]
    fn a_mistake_is_placed_and_an_expression_that_runs_has_none() {
        let missing = fault("a(b").unwrap();
        assert_eq!((missing.span, missing.remedy.contains("`\\(`")), (1..2, true));
        for expression in [r"(?i)\bfoo(?:bar|baz){2,3}?\b", "a+?b*", "(?:a+)+", ""] {
            assert_eq!(fault(expression), None, "{expression}");
        }
    }

    proptest! {
        #[test]
        fn a_fault_is_a_place_in_the_expression(expression in r"([a(?=!<>)\[\]{}\\1+*#'é|]|\PC){0,20}") {
            if let Some(fault) = fault(&expression) {
                prop_assert!(expression.get(fault.span.clone()).is_some(), "{:?}", fault.span);
            }
        }
    }
}
