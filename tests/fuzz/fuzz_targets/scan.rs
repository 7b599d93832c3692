//! Any text before all rules that ship: every finding is a place in it, and one that its rule has by itself as well.
//!
//! `cargo fuzz run --fuzz-dir tests/fuzz scan`
#![no_main]

use std::{collections::BTreeMap, sync::LazyLock};

use libfuzzer_sys::fuzz_target;
use lockgate::{
    guard::{
        Settings,
        rules::{Pack, load},
    },
    wire::{Role, Text},
};

static PACK: LazyLock<Pack> = LazyLock::new(|| {
    load(&Settings { builtin: true, directory: None, overrides: BTreeMap::new() }).expect("the rules that ship load")
});

fuzz_target!(|text: &str| {
    for set in [&PACK.input, &PACK.output] {
        let seen = Text { role: Role::User, text: text.into(), span: 0..0 };
        for finding in set.scan(std::slice::from_ref(&seen)) {
            let rule = &set.rules()[finding.rule];
            let place = finding.place.expect("what matched is text");
            assert!(text.get(place.span.clone()).is_some(), "{} at {:?}", rule.id(), place.span);
            assert!(rule.find(text).contains(&place.span), "{} at {:?}", rule.id(), place.span);
        }
    }
});
