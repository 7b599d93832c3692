//! `rules lint`: remarks, a paragraph each.

use serde_json::json;

use super::{Outcome, Said, Which, counted};
use crate::{
    cli::page::{HEAD, Page, safe},
    guard::authoring::lint::{Lint, Remark, lint},
};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Print the remarks for machines.
    #[arg(long)]
    json: bool,
    /// Fail if there is any remark but `slow`, which depends on the machine.
    #[arg(long)]
    strict: bool,
}

pub(super) fn run(which: &Which, args: &Args) -> Outcome {
    let (library, settings) = which.library()?;
    let remarks = lint(&library, &settings)?;
    let text =
        if args.json { format!("{:#}\n", remarks.iter().map(json).collect::<serde_json::Value>()) } else { text(&remarks) };
    Ok(Said { text, ok: !args.strict || remarks.iter().all(|remark| remark.lint == Lint::Slow) })
}

fn text(remarks: &[Remark]) -> String {
    let mut page = Page::new(crate::cli::output_color());
    for remark in remarks {
        let head = page.styled(HEAD, &format!("{} ({})", remark.rule, remark.lint.as_str()));
        page.line(&format!("{head}  {}", safe(&remark.file)));
        page.line(&format!("  {}", safe(&remark.message)));
        page.line(&format!("  help: {}", remark.remedy));
    }
    if remarks.is_empty() {
        page.line("No remarks. Next: see what recorded traffic would meet, with `lockgate rules replay FILE`.");
    } else {
        page.line("");
        page.line(&format!("{}. Next: follow the help, and run `lockgate rules test`.", counted(remarks.len(), "remark")));
    }
    page.text
}

fn json(remark: &Remark) -> serde_json::Value {
    let Remark { rule, file, lint, message, remedy } = remark;
    json!({ "rule": rule, "file": file, "lint": lint.as_str(), "message": message, "remedy": remedy })
}
