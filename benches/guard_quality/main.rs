//! What the rules find of labelled data, and what they find where there is nothing.
//!
//! ```text
//! LOCKGATE_EVAL_DATA=… cargo bench --bench guard_quality                  tables for the sets in that folder
//! LOCKGATE_EVAL_DATA=… cargo bench --bench guard_quality -- --examples    and every text on which personal data was missed or seen wrongly
//! ```

#![expect(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a bench prints, and fails by panicking")]

use std::{env, path::PathBuf, process::ExitCode};

mod data;
mod personal;

fn main() -> ExitCode {
    let Some(folder) = env::var_os("LOCKGATE_EVAL_DATA").map(PathBuf::from) else {
        println!(
            "LOCKGATE_EVAL_DATA is not set: name the folder that holds pii/*.jsonl and traffic/*.jsonl. Nothing was measured."
        );
        return ExitCode::SUCCESS;
    };
    personal::report(&folder, env::args().any(|argument| argument == "--examples"));
    ExitCode::SUCCESS
}
