//! `rules explain`: one rule, in its author's words and in the configuration's.

use serde_json::{Value, json};

use super::{Outcome, Said, Trouble, Which, known, list};
use crate::{
    cli::page::{BAD, GOOD, HEAD, Page, safe},
    guard::{Action, Settings, authoring::Entry, rules::written::Maturity},
};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The rule.
    id: String,
    /// Print the rule for machines.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(which: &Which, args: &Args) -> Outcome {
    let (library, settings) = which.library()?;
    let id = known(&library, &args.id)?;
    let entries = library.entries()?;
    let entry = entries.iter().find(|entry| entry.rule.id() == id);
    let entry = entry.ok_or_else(|| Trouble::Failure(format!("the rule `{id}` is not there any more; run this again")))?;
    if args.json {
        let told = json!({ "id": id, "file": entry.file, "does": list::does(entry), "rule": entry.rule.written() });
        return Ok(Said::well(format!("{told:#}\n")));
    }
    Ok(Said::well(told(entry, &settings)))
}

fn told(entry: &Entry, settings: &Settings) -> String {
    let (mut page, written) = (Page::new(crate::cli::output_color()), entry.rule.written());
    let head = page.styled(HEAD, &format!("{}: {}", entry.rule.id(), safe(&written.summary)));
    page.line(&head);
    page.line(&safe(&written.why));
    page.line("");
    for (name, fact) in
        [("file", safe(&entry.file)), ("looks", looks(entry)), ("for", kinds(entry)), ("does", does(entry, settings))]
    {
        let name = page.styled(HEAD, &format!("{name:6}"));
        page.line(&format!("{name}  {fact}"));
    }
    page.line("");
    for (name, style, examples) in [("match", BAD, &written.examples.matching), ("pass", GOOD, &written.examples.pass)] {
        let name = page.styled(style, &format!("{name:6}"));
        for example in examples {
            let line = example.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
            page.line(&format!("{name}  {}", safe(&line)));
        }
    }
    page.line("");
    page.line(&next(entry));
    page.text
}

fn looks(entry: &Entry) -> String {
    let written = entry.rule.written();
    let at = match list::word(written.stage).as_str() {
        "input" => "at what the model will read",
        "output" => "at what the model has written",
        _ => "at what the model will read and at what it has written",
    };
    let roles: Vec<_> = written.look_at.roles.iter().map(list::word).collect();
    if roles.is_empty() { format!("{at}, whoever said it") } else { format!("{at}, said by {}", roles.join(" or ")) }
}

/// The kinds of match that are written, each with how much.
fn kinds(entry: &Entry) -> String {
    let kinds = serde_json::to_value(&entry.rule.written().matching).unwrap_or_default();
    let told = |(kind, value): (&String, &Value)| match value {
        Value::Null => None,
        Value::Array(items) if items.is_empty() => None,
        Value::Array(items) => Some(format!("{kind} ({})", items.len())),
        _ => Some(kind.clone()),
    };
    kinds.as_object().into_iter().flatten().filter_map(told).collect::<Vec<_>>().join(", ")
}

fn does(entry: &Entry, settings: &Settings) -> String {
    let written = entry.rule.written();
    let named = settings.overrides.contains_key(entry.rule.id());
    let by = if named { "by the configuration" } else { "by its file" };
    match entry.effective {
        Some(Action::Replace) => format!("replace with {}, {by}", safe(&entry.rule.replacement().to_string())),
        Some(action) => format!("{}, {by}", action.as_str()),
        None if !named && written.maturity == Maturity::Preview => {
            "off: a preview rule runs when `guardrails.rules` names it".to_owned()
        }
        None => format!("off, {by}"),
    }
}

fn next(entry: &Entry) -> String {
    let id = entry.rule.id();
    match entry.effective {
        None => format!(
            "Next: try it with `lockgate rules try --rule {id} \"a text\"`; to run it, write `guardrails: {{rules: {{{id}: warn}}}}`."
        ),
        Some(Action::Warn) => {
            format!(
                "Next: see what it would stop with `lockgate rules replay FILE --rule {id}`; then write `guardrails: {{rules: {{{id}: block}}}}`."
            )
        }
        Some(_) => format!(
            "Next: try it with `lockgate rules try --rule {id} \"a text\"`; `guardrails: {{rules: {{{id}: off}}}}` switches it off."
        ),
    }
}
