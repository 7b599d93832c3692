//! Any text as a configuration: read or criticised, never a panic; every problem points into the text.
//!
//! `cargo fuzz run --fuzz-dir tests/fuzz config`
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use lockgate::{config::Config, diagnostics::Source};

fuzz_target!(|text: &str| {
    if let Err(report) = Config::check(Source::new("fuzz.yaml", text), Path::new(""), &|_| None) {
        assert!(!report.problems().is_empty());
        for problem in report.problems() {
            if let Some(span) = &problem.span {
                assert!(text.get(span.clone()).is_some(), "{span:?}");
            }
        }
        drop(report.render(true));
    }
});
