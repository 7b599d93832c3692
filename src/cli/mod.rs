//! The verbs, one file each.

use std::{
    io::{IsTerminal as _, Write as _},
    path::PathBuf,
    process::ExitCode,
};

use clap::{CommandFactory as _, Parser, Subcommand};
use clap_complete::Shell;

use crate::config;

mod admin;
pub mod cache;
pub mod check;
pub mod demo;
mod page;
pub mod rules;
pub mod serve;

/// A semantic cache and guardrails sidecar for LLM traffic. Without a verb it serves with built-in defaults.
#[derive(Debug, Parser)]
#[command(name = "lockgate", version, about, max_term_width = 100)]
pub struct Cli {
    #[command(subcommand)]
    verb: Option<Verb>,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Serve, with a configuration file or with built-in defaults.
    Serve {
        /// The configuration; without it, defaults and the environment.
        #[arg(long, short, value_name = "FILE")]
        config: Option<PathBuf>,
    },
    /// Say what is wrong with a configuration and its rules, or what would run.
    Check {
        /// The configuration.
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Look into the cache of a Lockgate that runs, and take out of it.
    Cache(cache::Args),
    /// Write, test and try rules.
    Rules(rules::Args),
    /// Run only the demo upstream: OpenAI-shaped, with latency and failure on request.
    Demo(demo::Args),
    /// Print a completion script for a shell.
    Completions {
        /// The shell.
        shell: Shell,
    },
}

/// Does what the command line says. The exit code is 0, 1 when something is wrong with files or ports, 2 when it is with the command line.
pub fn run() -> ExitCode {
    match Cli::parse().verb.unwrap_or(Verb::Serve { config: None }) {
        Verb::Serve { config } => serve::run(config.as_deref()),
        Verb::Check { file } => {
            let checked = check::run(&file, &config::environment, output_color());
            print(&checked.text);
            if checked.ok { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Verb::Cache(args) => cache::run(&args),
        Verb::Rules(args) => rules::run(&args),
        Verb::Demo(args) => {
            serve::block_on(demo::run(args)).and_then(|result| result).map_or_else(|error| fail(&error), |()| ExitCode::SUCCESS)
        }
        Verb::Completions { shell } => {
            clap_complete::generate(shell, &mut Cli::command(), "lockgate", &mut std::io::stdout());
            ExitCode::SUCCESS
        }
    }
}

/// Whether what goes to stderr may be coloured.
fn color() -> bool {
    colored(std::io::stderr().is_terminal())
}

/// Whether what goes to stdout may be coloured.
fn output_color() -> bool {
    colored(std::io::stdout().is_terminal())
}

fn colored(terminal: bool) -> bool {
    terminal && config::environment("NO_COLOR").is_none()
}

/// The answer of a verb. Where nobody reads it to the end, nobody wants more of it.
fn print(text: &str) {
    let mut output = std::io::stdout().lock();
    drop(output.write_all(text.as_bytes()).and_then(|()| output.flush()));
}

#[expect(clippy::print_stderr, reason = "the last word of a verb that failed")]
fn fail(error: &dyn std::fmt::Display) -> ExitCode {
    eprintln!("error: {error}");
    ExitCode::FAILURE
}
