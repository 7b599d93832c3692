//! `rules test`: a rule file held to its own examples, one case an example.

use super::coverage::{self, Coverage};
use crate::{
    diagnostics::{Problem, Report, Source},
    guard::rules::{Opened, open, unproven},
};

/// What came of a rule file.
#[derive(Debug)]
pub struct Examined {
    /// The rule.
    pub id: String,
    /// The file.
    pub file: String,
    /// Everything that is wrong with it, examples that do not hold among it.
    pub report: Option<Report>,
    /// Its examples, in the order of the file; none if the rule cannot be built.
    pub cases: Vec<Case>,
    /// What the examples show of the rule.
    pub coverage: Coverage,
}

/// An example.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Case {
    /// `match 1` or `pass 3`, counted from one.
    pub name: String,
    /// Its line in the file.
    pub line: usize,
    /// What is wrong, if the rule does not do as it says.
    pub failure: Option<String>,
}

/// Holds a rule file to its examples.
pub fn examine(id: &str, source: &Source) -> Examined {
    let (id, file) = (id.to_owned(), source.name().to_owned());
    let Opened { document, rule, mut problems } = match open(&id, source.clone()) {
        Ok(opened) => opened,
        Err(report) => return Examined { id, file, report: Some(report), cases: Vec::new(), coverage: Coverage::default() },
    };
    let (mut cases, mut covered) = (Vec::new(), Coverage::default());
    if let Some(rule) = rule {
        let failures: Vec<(String, Problem)> =
            unproven(&rule).into_iter().map(|example| (example.pointer.clone(), example.problem(&document))).collect();
        let examples = &rule.written().examples;
        for (kind, count) in [("match", examples.matching.len()), ("pass", examples.pass.len())] {
            cases.extend((0..count).map(|n| {
                let pointer = format!("/examples/{kind}/{n}");
                let failure = failures.iter().find(|(at, _)| *at == pointer).map(|(_, problem)| problem.message.clone());
                let line = document.source().place(document.span_of(&pointer).map_or(0, |span| span.start)).0;
                Case { name: format!("{kind} {}", n + 1), line, failure }
            }));
        }
        problems.extend(failures.into_iter().map(|(_, problem)| problem));
        covered = coverage::of(&document, &rule);
    }
    let report = (!problems.is_empty()).then(|| document.report(problems));
    Examined { id, file, report, cases, coverage: covered }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guard::authoring::tests::rule;

    #[test]
    fn each_example_is_a_case_with_its_line() {
        let text =
            rule("{words: [zebra]}", "\n  match:\n    - A zebra.\n    - A horse.\n  pass:\n    - A cow.\n    - Another zebra.");
        let examined = examine("zebra", &Source::new("zebra.yaml", text));
        let cases: Vec<_> = examined.cases.iter().map(|case| (case.name.as_str(), case.line, case.failure.is_some())).collect();
        assert_eq!(cases, [("match 1", 8, false), ("match 2", 9, true), ("pass 1", 11, false), ("pass 2", 12, true)]);
        let report = examined.report.unwrap().to_string();
        assert!(report.contains("zebra.yaml:9:7") && report.contains("zebra.yaml:12:7"), "{report}");
    }

    #[test]
    fn a_rule_that_cannot_be_built_has_a_report_and_no_cases() {
        for text in ["summary: [", "summary: s\nstage: sideways\n"] {
            let examined = examine("x", &Source::new("x.yaml", text));
            assert!(examined.report.is_some() && examined.cases.is_empty(), "{text}");
        }
    }
}
