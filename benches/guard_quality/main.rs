//! What the rules find of labelled data, and what they find where there is nothing.
//!
//! ```text
//! LOCKGATE_EVAL_DATA=… cargo bench --bench guard_quality                  tables for the sets in that folder
//! LOCKGATE_EVAL_DATA=… cargo bench --bench guard_quality -- --examples    and every text on which personal data was missed or seen wrongly
//! LOCKGATE_EVAL_DATA=… cargo bench --bench guard_quality -- --only personal   one of personal, injection, moderation
//! cargo bench --bench guard_quality -- --findings texts.jsonl > findings.jsonl  signs, words and vector of every text, for models/guard
//! ```

#![expect(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a bench prints, and fails by panicking")]

use std::{env, path::PathBuf, process::ExitCode};

mod data;
mod findings;
mod injection;
mod moderation;
mod personal;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let after = |flag: &str| arguments.iter().skip_while(|argument| *argument != flag).nth(1);
    if let Some(file) = after("--findings") {
        findings::print(file.as_ref());
        return ExitCode::SUCCESS;
    }
    let Some(folder) = env::var_os("LOCKGATE_EVAL_DATA").map(PathBuf::from) else {
        println!(
            "LOCKGATE_EVAL_DATA is not set: name the folder that holds pii/, injection/, moderation/ and traffic/. Nothing was measured."
        );
        return ExitCode::SUCCESS;
    };
    let wanted = |part: &str| after("--only").is_none_or(|only| only == part);
    if wanted("personal") {
        personal::report(&folder, arguments.iter().any(|argument| argument == "--examples"));
    }
    if wanted("injection") {
        injection::report(&folder);
    }
    if wanted("moderation") {
        moderation::report(&folder);
    }
    ExitCode::SUCCESS
}
