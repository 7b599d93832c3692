//! What the rules find of labelled data, and what they find where there is nothing.
//!
//! ```text
//! LOCKGATE_EVAL_DATA=… cargo bench --bench guard_quality                      tables for the sets in that folder
//! cargo bench --bench guard_quality -- --findings texts.jsonl > findings.jsonl  signs, words and vector of every text, for models/guard
//! ```

#![expect(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a bench prints, and fails by panicking")]

use std::{env, path::PathBuf, process::ExitCode};

mod data;
mod findings;
mod injection;
mod moderation;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).filter(|argument| argument != "--bench").collect();
    if let ["--findings", file] = arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        findings::print(file.as_ref());
        return ExitCode::SUCCESS;
    }
    let Some(folder) = env::var_os("LOCKGATE_EVAL_DATA").map(PathBuf::from) else {
        println!("LOCKGATE_EVAL_DATA is not set: name the folder that holds injection/ and moderation/. Nothing was measured.");
        return ExitCode::SUCCESS;
    };
    injection::report(&folder);
    moderation::report(&folder);
    ExitCode::SUCCESS
}
