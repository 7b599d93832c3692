//! `rules replay`: a file of recorded traffic, line by line.

use std::{
    fs::File,
    io::{self, BufRead, BufReader},
    net::SocketAddr,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};

use super::{Outcome, Said, Trouble, Which, bar, counted, known, settings_of};
use crate::{
    cli::{
        admin::{self, Admin},
        page::{DIM, HEAD, Page, safe},
        serve::block_on,
    },
    diagnostics::Source,
    guard::{
        authoring::{
            replay::{Replay, Replayed, Sample, Tally},
            trial,
        },
        rules::{self, Pack},
    },
};

/// A line that is longer is no request that Lockgate would take.
const MAX_LINE: usize = 16 << 20;
/// The word for the rules of a Lockgate that runs.
const RUNNING: &str = "running";

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A request body, a record with `request` and `response`, an exported entry or plain text on each line; - is the input.
    #[arg(value_name = "LOG")]
    log: PathBuf,
    /// Tell apart what is new: the configuration to compare with, or `running` for a Lockgate that runs.
    #[arg(long, value_name = "CONFIG|running")]
    against: Option<String>,
    /// Only this rule, a preview rule as well; more than once for more.
    #[arg(long, value_name = "ID")]
    rule: Vec<String>,
    /// Show what matched and a little around it: the words of whoever was recorded.
    #[arg(long)]
    show_text: bool,
    /// Fail if anything would be blocked; with --against, anything newly.
    #[arg(long)]
    strict: bool,
    /// Print the outcome for machines.
    #[arg(long)]
    json: bool,
    /// The admin port, for `--against running`.
    #[arg(long, value_name = "ADDRESS")]
    admin: Option<SocketAddr>,
}

pub(super) fn run(which: &Which, args: &Args) -> Outcome {
    let (library, settings) = which.library()?;
    for id in &args.rule {
        known(&library, id)?;
    }
    let pack = rules::load(&trial::only(&library, &settings, &args.rule)?)?;
    let against = args.against.as_deref().map(|against| other(against, which, args)).transpose()?;
    let replayed = replay(&args.log, Replay::new(&pack, against.as_ref()))?;
    if replayed.lines == 0 && replayed.unread.is_empty() {
        return Err(format!("{} has no line to judge", args.log.display()).into());
    }
    let ok = !args.strict || if args.against.is_some() { replayed.newly_blocked == 0 } else { replayed.blocked == 0 };
    let text = if args.json { format!("{:#}\n", json(&replayed, args)) } else { text(&replayed, args) };
    Ok(Said { text, ok })
}

/// The rules to compare with.
fn other(against: &str, which: &Which, args: &Args) -> Result<Pack, Trouble> {
    if against == RUNNING {
        return running(which, args);
    }
    Ok(rules::load(&settings_of(Some(Path::new(against)))?)?)
}

/// The rules of a Lockgate that runs, with the actions that its configuration gives them.
fn running(which: &Which, args: &Args) -> Result<Pack, Trouble> {
    let admin = Admin::at(admin::address(args.admin, which.config.as_deref())?)?;
    let told = block_on(admin.get("rules")).map_err(|error| Trouble::Failure(error.to_string()))??;
    let list = told["rules"].as_array().cloned().unwrap_or_default();
    let source = |rule: &Value| {
        let id = rule["id"].as_str().unwrap_or_default().to_owned();
        // JSON is YAML.
        (id.clone(), Source::new(format!("{id}, as it runs"), rule["rule"].to_string()))
    };
    Ok(rules::assemble(list.iter().map(source))?)
}

fn replay(file: &Path, mut replay: Replay) -> Result<Replayed, Trouble> {
    let failed =
        |error: io::Error| Trouble::Failure(format!("{}: {error}; check the path, and that it is UTF-8", file.display()));
    let is_input = file == Path::new("-");
    let opened = if is_input { None } else { Some(File::open(file).map_err(failed)?) };
    let bytes = opened.as_ref().and_then(|file| file.metadata().ok()).map_or(0, |data| data.len());
    let mut from: Box<dyn BufRead> =
        opened.map_or_else(|| Box::new(io::stdin().lock()) as _, |file| Box::new(BufReader::new(file)) as _);
    let bar = bar(usize::try_from(bytes).unwrap_or(usize::MAX), "bytes");
    let mut line = String::new();
    while io::Read::take(&mut from, MAX_LINE as u64).read_line(&mut line).map_err(failed)? > 0 {
        if line.len() == MAX_LINE {
            return Err(format!("{} has a line of more than 16 MiB; write a request a line", file.display()).into());
        }
        replay.line(line.trim_end_matches(['\r', '\n']));
        bar.inc(line.len() as u64);
        line.clear();
    }
    bar.finish_and_clear();
    Ok(replay.finish())
}

fn text(replayed: &Replayed, args: &Args) -> String {
    let mut page = Page::new(crate::cli::output_color());
    let compared = args.against.is_some();
    let rows = replayed.tallies.iter().map(|((rule, gate, action), tally)| {
        let new = if compared { tally.new.to_string() } else { String::new() };
        [rule.clone(), (*gate).to_owned(), (*action).to_owned(), tally.lines.to_string(), new]
    });
    let rows: Vec<_> = rows.collect();
    if !rows.is_empty() {
        page.table(["RULE", "GATE", "DOES", "LINES", if compared { "NEW" } else { "" }], &rows);
        page.line("");
    }
    for ((rule, ..), tally) in &replayed.tallies {
        samples(&mut page, rule, tally, args.show_text);
    }
    for (why, (count, first)) in &replayed.unread {
        let told = page.styled(DIM, &format!("{} not read, the first is line {first}: {why}.", counted(*count, "line")));
        page.line(&told);
    }
    let newly = if compared { format!(", {} newly", replayed.newly_blocked) } else { String::new() };
    page.line(&format!("{} judged, {} would be blocked{newly}.", counted(replayed.lines, "line"), replayed.blocked));
    page.line(next(replayed, args));
    page.text
}

fn samples(page: &mut Page, rule: &str, tally: &Tally, show_text: bool) {
    for Sample { line, span, text } in &tally.samples {
        let place = span.as_ref().map_or_else(String::new, |span| format!(", bytes {} to {}", span.start, span.end));
        let head = page.styled(HEAD, rule);
        let shown = if show_text && !text.is_empty() { format!(": {}", safe(text)) } else { String::new() };
        page.line(&format!("{head}  line {line}{place}{shown}"));
    }
}

fn next(replayed: &Replayed, args: &Args) -> &'static str {
    if replayed.tallies.is_empty() {
        "Nothing was found. Next: check with `lockgate rules try` that the rules find what they should."
    } else if args.show_text {
        "Next: keep what was found wrongly as `pass` examples, and run `lockgate rules test`."
    } else {
        "Next: look at the matches themselves with --show-text, and keep the wrong ones as `pass` examples."
    }
}

fn json(replayed: &Replayed, args: &Args) -> Value {
    let rules = replayed.tallies.iter().map(|((rule, gate, action), tally)| {
        let samples = tally.samples.iter().map(|Sample { line, span, text }| {
            let span = span.as_ref().map(|span| [span.start, span.end]);
            json!({ "line": line, "span": span, "text": args.show_text.then_some(text) })
        });
        json!({
            "rule": rule, "gate": gate, "action": action, "lines": tally.lines, "new": tally.new, "samples": samples.collect::<Vec<_>>(),
        })
    });
    let unread = replayed.unread.iter().map(|(why, (lines, first))| json!({ "why": why, "lines": lines, "first": first }));
    json!({
        "lines": replayed.lines,
        "blocked": replayed.blocked,
        "newly_blocked": replayed.newly_blocked,
        "rules": rules.collect::<Vec<_>>(),
        "unread": unread.collect::<Vec<_>>(),
    })
}
