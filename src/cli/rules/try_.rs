//! `rules try`: a text from the command line, a file or the input, and what it would meet.

use std::{
    io::{self, Read as _},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet, normalize_untrusted_str};
use clap::ValueEnum;
use serde_json::json;

use super::{Outcome, Said, Trouble, Which, counted, known};
use crate::{
    cli::page::{BAD, DIM, GOOD, HEAD, Page, safe},
    guard::{
        Action, Gate,
        authoring::trial::{self, Found, Trial, Verdict},
        rules,
    },
    wire::Role,
};

/// More than any prompt; a file that is larger is traffic, which `replay` reads.
const MAX_BYTES: u64 = 16 << 20;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The text; without it, the input.
    #[arg(conflicts_with = "file")]
    text: Option<String>,
    /// A file with the text.
    #[arg(long, short, value_name = "FILE")]
    file: Option<PathBuf>,
    /// At which gate.
    #[arg(long, value_enum, default_value = "input")]
    stage: Stage,
    /// Whose words they are, at the input gate.
    #[arg(long, value_enum, default_value = "user")]
    role: RoleArg,
    /// Only this rule, a preview rule as well; more than once for more.
    #[arg(long, value_name = "ID")]
    rule: Vec<String>,
    /// Print what was found for machines.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Stage {
    /// What the model would read.
    Input,
    /// What the model has written.
    Output,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum RoleArg {
    System,
    User,
    Assistant,
    Tool,
}

impl Args {
    fn gate(&self) -> Gate {
        match self.stage {
            Stage::Input => Gate::Input,
            Stage::Output => Gate::Output,
        }
    }

    fn role(&self) -> Role {
        match self.role {
            RoleArg::System => Role::System,
            RoleArg::User => Role::User,
            RoleArg::Assistant => Role::Assistant,
            RoleArg::Tool => Role::Tool,
        }
    }
}

pub(super) fn run(which: &Which, args: &Args) -> Outcome {
    let (library, settings) = which.library()?;
    for id in &args.rule {
        known(&library, id)?;
    }
    let text = text(args)?;
    let settings = trial::only(&library, &settings, &args.rule)?;
    let pack = Arc::new(rules::load(&settings)?);
    let trial = trial::run(&pack, args.gate(), args.role(), &text)?;
    let name = args.file.as_deref().map_or_else(|| "text".to_owned(), |file| file.display().to_string());
    Ok(Said::well(if args.json { format!("{:#}\n", json(&trial)) } else { told(&trial, args, &name, &text) }))
}

fn text(args: &Args) -> Result<String, Trouble> {
    match (&args.text, &args.file) {
        (Some(text), _) => Ok(text.clone()),
        (None, Some(file)) => read(file, std::fs::File::open(file)),
        (None, None) => read(Path::new("the input"), Ok(io::stdin().lock())),
    }
}

fn read(name: &Path, from: io::Result<impl io::Read>) -> Result<String, Trouble> {
    let unreadable = |error: io::Error| {
        let remedy =
            if error.kind() == io::ErrorKind::InvalidData { "save it as UTF-8" } else { "check the path and its permissions" };
        Trouble::Failure(format!("{}: {error}; {remedy}", name.display()))
    };
    let mut text = String::new();
    from.map_err(unreadable)?.take(MAX_BYTES + 1).read_to_string(&mut text).map_err(unreadable)?;
    if text.len() as u64 > MAX_BYTES {
        return Err(
            format!("{} is larger than 16 MiB; recorded traffic is read by `lockgate rules replay`", name.display()).into()
        );
    }
    Ok(text)
}

fn told(trial: &Trial, args: &Args, name: &str, text: &str) -> String {
    let mut page = Page::new(crate::cli::output_color());
    let renderer = if page.color { Renderer::styled() } else { Renderer::plain() };
    for found in &trial.findings {
        page.line(&snippet(found, name, text, &renderer));
        page.line("");
    }
    let reader = match args.gate() {
        Gate::Input => "model",
        Gate::Output => "client",
    };
    match &trial.verdict {
        Verdict::Blocked(rule) => {
            let refused = page.styled(BAD, "refused");
            page.line(&format!("It is {refused} by `{rule}`: the {reader} would get nothing."));
        }
        Verdict::Passed(seen) if seen == text => {
            let unchanged = page.styled(GOOD, "as it is");
            page.line(&format!("It goes to the {reader} {unchanged}."));
        }
        Verdict::Passed(seen) => {
            let head = page.styled(HEAD, &format!("The {reader} would read:"));
            page.line(&head);
            seen.lines().for_each(|line| page.line(&format!("  {}", safe(line))));
        }
    }
    let timing = page.styled(DIM, &timing(trial));
    page.line(&timing);
    page.line(next(trial));
    page.text
}

fn level(action: Action) -> Level<'static> {
    let level = match action {
        Action::Block => Level::ERROR,
        Action::Replace => Level::NOTE,
        Action::Warn => Level::WARNING,
    };
    level.with_name(action.as_str())
}

/// The text with a caret under every match.
fn snippet(found: &Found, name: &str, text: &str, renderer: &Renderer) -> String {
    let title = format!("{}: {}", found.rule, found.summary);
    let title = level(found.action).primary_title(normalize_untrusted_str(&title));
    let carets = found.spans.iter().map(|span| AnnotationKind::Primary.span(span.clone()));
    let group = title.element(Snippet::source(text).path(name).annotations(carets));
    renderer.render(&[group])
}

fn timing(trial: &Trial) -> String {
    let all: Duration = trial.took.iter().map(|(_, took)| *took).sum();
    let of = |(id, took): &(String, Duration)| format!("{id} {}", micros(*took));
    let fired = trial.took.iter().filter(|(id, _)| trial.findings.iter().any(|found| found.rule == *id));
    let shown: Vec<_> =
        if trial.findings.is_empty() { trial.took.iter().take(1).map(of).collect() } else { fired.map(of).collect() };
    let of_these = if shown.is_empty() { String::new() } else { format!(", of these {}", shown.join(", ")) };
    format!("{} looked, one after the other for {}{of_these}.", counted(trial.took.len(), "rule"), micros(all))
}

fn micros(took: Duration) -> String {
    format!("{:.1} µs", took.as_nanos() as f64 / 1e3)
}

fn next(trial: &Trial) -> &'static str {
    if trial.findings.is_empty() {
        "Nothing was found. Next: `lockgate rules explain ID` says what a rule looks for; --rule ID tries one that is off."
    } else {
        "Next: keep this text in `examples` of the rule, under `match` if it was right and under `pass` if it was not."
    }
}

fn json(trial: &Trial) -> serde_json::Value {
    let findings = trial.findings.iter().map(|found| {
        let spans = found.spans.iter().map(|span| json!([span.start, span.end])).collect::<Vec<_>>();
        json!({ "rule": found.rule, "summary": found.summary, "action": found.action, "spans": spans })
    });
    let took = trial.took.iter().map(|(id, took)| (id.clone(), json!(took.as_nanos() as f64 / 1e3)));
    let (blocked_by, reads) = match &trial.verdict {
        Verdict::Blocked(rule) => (Some(rule), None),
        Verdict::Passed(text) => (None, Some(text)),
    };
    json!({
        "findings": findings.collect::<Vec<_>>(),
        "blocked_by": blocked_by,
        "reads": reads,
        "took_us": took.collect::<serde_json::Map<_, _>>(),
    })
}
