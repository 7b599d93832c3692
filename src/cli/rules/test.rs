//! `rules test`: for people, for machines, and for continuous integration.

use std::path::PathBuf;

use clap::ValueEnum;
use quick_junit::{NonSuccessKind, Report as Junit, TestCase, TestCaseStatus, TestSuite};
use serde_json::json;

use super::{Outcome, Said, Trouble, Which, bar, counted};
use crate::{
    cli::page::{BAD, DIM, GOOD, Page, safe},
    guard::authoring::{
        Library,
        examine::{Examined, examine},
    },
};

/// Of each rule so many uncovered parts are listed without `--all`.
const MAX_UNCOVERED: usize = 3;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Files and folders of rules; without them, all that the configuration loads.
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// How the outcome is told.
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
    /// Fail if the examples show less than this share of the parts.
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(..=100))]
    coverage: Option<u8>,
    /// List every part that no example shows.
    #[arg(long)]
    all: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people.
    Text,
    /// A JSON object.
    Json,
    /// JUnit's XML, a suite for each rule and a case for each example.
    Junit,
}

/// All rules together.
struct Total {
    rules: usize,
    examples: usize,
    wrong: usize,
    parts: usize,
    covered: usize,
}

impl Total {
    fn of(examined: &[Examined]) -> Self {
        let parts = examined.iter().map(|rule| rule.coverage.parts).sum();
        Self {
            rules: examined.len(),
            examples: examined.iter().map(|rule| rule.cases.len()).sum(),
            wrong: examined.iter().filter(|rule| rule.report.is_some()).count(),
            parts,
            covered: parts - examined.iter().map(|rule| rule.coverage.uncovered.len()).sum::<usize>(),
        }
    }

    fn percent(&self) -> usize {
        (self.covered * 100).checked_div(self.parts).unwrap_or(100)
    }
}

pub(super) fn run(which: &Which, args: &Args) -> Outcome {
    let settings = which.settings()?;
    let library = if args.paths.is_empty() { Library::of(&settings) } else { Library::at(&args.paths, &settings) };
    if !library.reports().is_empty() {
        return Err(Trouble::Reports(library.reports().to_vec()));
    }
    if library.sources().len() == 0 {
        return Err(Trouble::Failure("there is no rule file there; write one with `lockgate rules new`".to_owned()));
    }
    let bar = bar(library.sources().len(), "rules");
    let examine = |(id, source)| {
        bar.inc(1);
        examine(id, source)
    };
    let examined: Vec<_> = library.sources().map(examine).collect();
    bar.finish_and_clear();
    let total = Total::of(&examined);
    let enough = args.coverage.is_none_or(|least| total.percent() >= usize::from(least));
    let text = match args.format {
        Format::Text => text(&examined, &total, args, crate::cli::output_color()),
        Format::Json => format!("{:#}\n", json(&examined, &total)),
        Format::Junit => junit(&examined).map_err(|error| Trouble::Failure(format!("the report cannot be written: {error}")))?,
    };
    Ok(Said { text, ok: total.wrong == 0 && enough })
}

fn text(examined: &[Examined], total: &Total, args: &Args, color: bool) -> String {
    let mut page = Page::new(color);
    for rule in examined {
        of_rule(&mut page, rule, args.all, color);
    }
    let holds = if total.wrong == 0 {
        page.styled(GOOD, "all hold")
    } else {
        page.styled(BAD, &format!("{} wrong", counted(total.wrong, "rule")))
    };
    page.line("");
    page.line(&format!("{}, {}: {holds}.", counted(total.rules, "rule"), counted(total.examples, "example")));
    page.line(&format!("The examples show {} of {} parts, {} %.", total.covered, total.parts, total.percent()));
    page.line(&next(total, args));
    page.text
}

fn of_rule(page: &mut Page, rule: &Examined, all: bool, color: bool) {
    let coverage = &rule.coverage;
    let (state, style) = if rule.report.is_some() { ("failed", BAD) } else { ("ok", GOOD) };
    let state = page.styled(style, &format!("{state:6}"));
    let covered = coverage.parts - coverage.uncovered.len();
    let id = format!("{:24}", rule.id);
    page.line(&format!("{state}  {id}  {:>12}  {covered} of {} parts", counted(rule.cases.len(), "example"), coverage.parts));
    if let Some(report) = &rule.report {
        page.line(report.render(color).trim_end());
    }
    let shown = if all { usize::MAX } else { MAX_UNCOVERED };
    for part in coverage.uncovered.iter().take(shown) {
        let (line, column) = part.place;
        let told = page.styled(DIM, &format!("        {}:{line}:{column}  no example shows {}", rule.file, safe(&part.name)));
        page.line(&told);
    }
    let more = coverage.uncovered.len().saturating_sub(shown);
    if more > 0 {
        let told = page.styled(DIM, &format!("        and {more} more; --all lists them"));
        page.line(&told);
    }
}

fn next(total: &Total, args: &Args) -> String {
    match args.coverage {
        _ if total.wrong > 0 => "Next: correct the rule or the example at the places above, and run this again.".to_owned(),
        Some(least) if total.percent() < usize::from(least) => {
            format!("That is less than the {least} % asked for. Next: add examples for the parts above.")
        }
        _ if total.covered < total.parts => "Next: add an example for each part above, or drop the part.".to_owned(),
        _ => "Next: see what recorded traffic would meet, with `lockgate rules replay FILE`.".to_owned(),
    }
}

fn json(examined: &[Examined], total: &Total) -> serde_json::Value {
    let rules = examined.iter().map(|rule| {
        let cases = rule.cases.iter().map(|case| json!({ "name": case.name, "line": case.line, "failure": case.failure }));
        let uncovered = rule.coverage.uncovered.iter();
        let uncovered = uncovered.map(|part| json!({ "part": part.name, "line": part.place.0, "column": part.place.1 }));
        json!({
            "id": rule.id,
            "file": rule.file,
            "ok": rule.report.is_none(),
            "report": rule.report.as_ref().map(ToString::to_string),
            "examples": cases.collect::<Vec<_>>(),
            "parts": rule.coverage.parts,
            "uncovered": uncovered.collect::<Vec<_>>(),
        })
    });
    json!({
        "ok": total.wrong == 0,
        "rules": rules.collect::<Vec<_>>(),
        "examples": total.examples,
        "parts": total.parts,
        "covered": total.covered,
    })
}

fn junit(examined: &[Examined]) -> Result<String, quick_junit::SerializeError> {
    let mut junit = Junit::new("lockgate rules");
    for rule in examined {
        let mut suite = TestSuite::new(rule.id.as_str());
        for case in &rule.cases {
            suite.add_test_case(test_case(rule, &case.name, case.failure.as_deref(), case.line));
        }
        // What keeps a rule from being built is a case of its own.
        if let Some(report) = rule.report.as_ref().filter(|_| rule.cases.iter().all(|case| case.failure.is_none())) {
            suite.add_test_case(test_case(rule, "loads", Some(&report.to_string()), 1));
        }
        junit.add_test_suite(suite);
    }
    junit.to_string()
}

fn test_case(rule: &Examined, name: &str, failure: Option<&str>, line: usize) -> TestCase {
    let status = failure.map_or_else(TestCaseStatus::success, |failure| {
        let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
        status.set_message(failure);
        status
    });
    let mut case = TestCase::new(name, status);
    case.set_classname(rule.id.as_str());
    case.extra.insert("file".into(), rule.file.as_str().into());
    case.extra.insert("line".into(), line.to_string().into());
    case
}
