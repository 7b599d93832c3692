//! `rules list`: a line a rule.

use serde_json::json;

use super::{Outcome, Said, Which, counted};
use crate::{
    cli::page::{Page, safe},
    guard::authoring::Entry,
};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Print the list for machines.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(which: &Which, args: &Args) -> Outcome {
    let entries = which.library()?.0.entries()?;
    if args.json {
        return Ok(Said::well(format!("{:#}\n", entries.iter().map(json).collect::<serde_json::Value>())));
    }
    let mut page = Page::new(crate::cli::output_color());
    let rows: Vec<_> = entries.iter().map(row).collect();
    page.table(["RULE", "STAGE", "DOES", "SUMMARY"], &rows);
    let running = entries.iter().filter(|entry| entry.effective.is_some()).count();
    page.line("");
    page.line(&format!(
        "{}, of which {running} run. Next: `lockgate rules explain ID` says more of one.",
        counted(entries.len(), "rule")
    ));
    Ok(Said::well(page.text))
}

/// What a rule does under the configuration, in a word.
pub(super) fn does(entry: &Entry) -> &'static str {
    entry.effective.map_or("off", |action| action.as_str())
}

/// A word as it stands in a rule file.
pub(super) fn word(value: impl serde::Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

fn row(entry: &Entry) -> [String; 4] {
    let written = entry.rule.written();
    [entry.rule.id().to_owned(), word(written.stage), does(entry).to_owned(), safe(&written.summary)]
}

fn json(entry: &Entry) -> serde_json::Value {
    let written = entry.rule.written();
    json!({
        "id": entry.rule.id(),
        "file": entry.file,
        "summary": written.summary,
        "stage": written.stage,
        "maturity": written.maturity,
        "action": written.action,
        "does": does(entry),
    })
}
