//! Any text as a rule file: compiled or criticised, never a panic; every problem points into the text.
//!
//! `cargo fuzz run --fuzz-dir tests/fuzz rule`
#![no_main]

use libfuzzer_sys::fuzz_target;
use lockgate::{diagnostics::Source, guard::rules::compile};

fuzz_target!(|text: &str| {
    match compile("fuzz", Source::new("fuzz.yaml", text)) {
        Ok(rule) => {
            let examples = &rule.written().examples;
            assert!(examples.matching.iter().all(|text| !rule.find(text).is_empty()));
            assert!(examples.pass.iter().all(|text| rule.find(text).is_empty()));
        }
        Err(report) => {
            assert!(!report.problems().is_empty());
            for span in report.problems().iter().filter_map(|problem| problem.span.clone()) {
                assert!(text.get(span.clone()).is_some(), "{span:?}");
            }
            drop(report.render(true));
        }
    }
});
