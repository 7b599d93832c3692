//! `lockgate rules …`: writing, testing and trying rules. What is found out is [`crate::guard::authoring`]'s; here it is asked and printed.

use std::{
    io::IsTerminal as _,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::Subcommand;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::admin::Failure;
use crate::{
    config::{self, Config},
    diagnostics::Report,
    guard::{Settings, authoring::Library},
};

mod explain;
mod lint;
mod list;
mod new;
mod reload;
mod replay;
mod test;
mod try_;

/// Write, test and try rules.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    which: Which,
    #[command(subcommand)]
    operation: Operation,
}

/// Which rules.
#[derive(Debug, clap::Args)]
struct Which {
    /// The configuration; without it, the rules that ship.
    #[arg(long, short, value_name = "FILE", global = true, help_heading = "Anywhere")]
    config: Option<PathBuf>,
    /// A folder of rules, in place of the one that the configuration names.
    #[arg(long, value_name = "FOLDER", global = true, help_heading = "Anywhere")]
    rules: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Operation {
    /// Hold rules to their examples, and say what no example shows.
    Test(test::Args),
    /// Say what a text would meet, where, and what the model would read.
    Try(try_::Args),
    /// Write a rule to begin with.
    New(new::Args),
    /// Say what a rule is for, where it looks and what it does.
    Explain(explain::Args),
    /// List the rules, and what each does under the configuration.
    List(list::Args),
    /// Look for rules that load and still are not what was meant.
    Lint(lint::Args),
    /// Say what recorded traffic would meet.
    Replay(replay::Args),
    /// Have a Lockgate that runs load its rules again.
    Reload(reload::Args),
}

/// What a verb says, and whether all was well.
struct Said {
    text: String,
    ok: bool,
}

impl Said {
    fn well(text: String) -> Self {
        Self { text, ok: true }
    }
}

/// Why a verb could not do its work.
enum Trouble {
    /// Something is wrong with the command line or with what it names.
    Failure(Failure),
    /// Files with mistakes.
    Reports(Vec<Report>),
}

impl From<Failure> for Trouble {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}

impl From<Vec<Report>> for Trouble {
    fn from(reports: Vec<Report>) -> Self {
        Self::Reports(reports)
    }
}

impl From<crate::error::Error> for Trouble {
    fn from(error: crate::error::Error) -> Self {
        Self::Failure(error.message().to_owned())
    }
}

type Outcome = Result<Said, Trouble>;

/// Does what the command line says. The exit code is 0, or 1 when something is wrong with rules, examples or files.
pub fn run(args: &Args) -> ExitCode {
    let Args { which, operation } = args;
    let outcome = match operation {
        Operation::Test(args) => test::run(which, args),
        Operation::Try(args) => try_::run(which, args),
        Operation::New(args) => new::run(which, args),
        Operation::Explain(args) => explain::run(which, args),
        Operation::List(args) => list::run(which, args),
        Operation::Lint(args) => lint::run(which, args),
        Operation::Replay(args) => replay::run(which, args),
        Operation::Reload(args) => reload::run(which, args),
    };
    match outcome {
        Ok(said) => {
            super::print(&said.text);
            if said.ok { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(Trouble::Failure(failure)) => super::fail(&failure),
        Err(Trouble::Reports(reports)) => refuse(&reports),
    }
}

#[expect(clippy::print_stderr, reason = "what is wrong with files goes where it does not mix with what machines read")]
fn refuse(reports: &[Report]) -> ExitCode {
    let color = super::color();
    let text = reports.iter().map(|report| report.render(color)).collect::<Vec<_>>().join("\n");
    eprintln!("{}", text.trim_end());
    ExitCode::FAILURE
}

impl Which {
    /// The settings of the rules.
    fn settings(&self) -> Result<Settings, Trouble> {
        let mut settings = settings_of(self.config.as_deref())?;
        if let Some(folder) = &self.rules {
            settings.directory = Some(folder.clone());
        }
        Ok(settings)
    }

    /// The rules themselves.
    fn library(&self) -> Result<(Library, Settings), Trouble> {
        let settings = self.settings()?;
        Ok((Library::of(&settings), settings))
    }
}

fn settings_of(file: Option<&Path>) -> Result<Settings, Trouble> {
    let loaded = |file: &Path| Config::load(file, &config::environment);
    let config = file.map_or_else(|| Config::builtin(&config::environment), loaded);
    config.map(|config| config.guard).map_err(|report| Trouble::Reports(vec![report]))
}

/// An id that there is, or which was meant.
fn known<'l>(library: &'l Library, id: &'l str) -> Result<&'l str, Trouble> {
    if library.sources().any(|(known, _)| known == id) {
        return Ok(id);
    }
    let meant = library.nearest(id).map_or_else(String::new, |near| format!("did you mean `{near}`? "));
    Err(Trouble::Failure(format!("there is no rule `{}`; {meant}`lockgate rules list` names them all", id.escape_default())))
}

/// A bar on stderr, if that is a terminal.
fn bar(length: usize, of: &str) -> ProgressBar {
    let target = if std::io::stderr().is_terminal() { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
    let style = ProgressStyle::with_template(&format!("{{bar:40}} {{pos}} of {{len}} {of}, {{eta}} left"));
    let bar = ProgressBar::with_draw_target(Some(length as u64), target);
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar
}

/// So many of something.
fn counted(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}
