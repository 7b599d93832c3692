//! However a text is split into events, the rules say the same of it: every example of every rule that ships, as if it were an answer.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use proptest::{prelude::*, test_runner::TestRunner};

use super::{judge::Judge, window::Editor};
use crate::{
    exchange::{Exchange, Tenant},
    guard::{
        Clearing, Gates, OutputGate, Override, Settings,
        rules::{Rule, load, written::Example},
    },
    wire::{
        Endpoint, Json,
        channel::{self, Channel, Field},
        response::Response,
    },
};

/// Examples up to this length are split at every pair of places.
const SHORT: usize = 60;

const CONTENT: Channel = Channel { choice: 0, field: Field::Content };

/// The rules of these files, standing at the output gate, with this action; without those that judge the whole.
fn gate(files: &[PathBuf], says: Override) -> OutputGate {
    let folder = tempfile::tempdir().unwrap();
    let mut overrides = BTreeMap::new();
    for file in files {
        let text = fs::read_to_string(file).unwrap().replace("stage: input", "stage: output");
        fs::write(folder.path().join(file.file_name().unwrap()), text).unwrap();
        overrides.insert(file.file_stem().unwrap().to_str().unwrap().to_owned(), Override::Block);
    }
    let pack = |overrides| load(&Settings { builtin: false, directory: Some(folder.path().to_owned()), overrides }).unwrap();
    let judges_whole = |rule: &&Arc<Rule>| rule.needs_whole_answer() || (says == Override::Replace && rule.judges_the_whole());
    // A rule that judges the whole could not even be loaded to replace.
    let whole: BTreeSet<_> =
        pack(overrides.clone()).output.rules().iter().filter(judges_whole).map(|rule| rule.id().to_owned()).collect();
    for (id, action) in &mut overrides {
        *action = if whole.contains(id) { Override::Off } else { says };
    }
    Gates::of(&pack(overrides)).output
}

fn rule_files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| if path.is_dir() { rule_files(&path) } else { vec![path] })
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .collect()
}

/// Every rule that ships.
fn shipped() -> Vec<PathBuf> {
    rule_files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("guardrails"))
}

/// The examples that its rules are held to.
fn examples(gate: &OutputGate) -> Vec<String> {
    let examples = gate.rules().rules().iter().map(|rule| &rule.written().examples);
    let examples = examples.flat_map(|examples| examples.matching.iter().chain(&examples.pass));
    let text = |example: &Example| match example {
        Example::Text(text) => Some(text.clone()),
        Example::Call(_) => None,
    };
    examples.filter_map(text).collect()
}

/// What becomes of a text: what is told of it, or nothing if it is refused.
fn whole(gate: &OutputGate, text: &str) -> Option<String> {
    let body = serde_json::json!({"choices": [{"message": {"content": text}, "finish_reason": "stop"}]});
    let response = Response::decode(Endpoint::Chat, body.to_string().into()).unwrap();
    match gate.clear(&response, &mut Exchange::new("t".to_owned(), Tenant([0; 16]))) {
        Clearing::Passed(cleared, _) => {
            let json = Json::parse(cleared.body().clone()).unwrap();
            Some(channel::pieces(&json)[0].text.clone().into_owned())
        }
        Clearing::Blocked(_) => None,
    }
}

/// The same when it comes in these pieces.
fn split<'t>(gate: &OutputGate, pieces: impl IntoIterator<Item = &'t str>) -> Option<String> {
    let mut judge = Judge::new(gate.clone(), Tenant([0; 16]));
    let (mut text, mut settled, mut edits) = (String::new(), 0, Vec::new());
    let mut look = |text: &str, ended: bool| {
        let edited = judge.edit(CONTENT, text, settled, ended);
        assert!(edited.settled >= settled && text.is_char_boundary(edited.settled), "{edited:?}");
        settled = edited.settled;
        edits.extend(edited.edits);
    };
    for piece in pieces {
        text.push_str(piece);
        look(&text, false);
    }
    look(&text, true);
    let told = edits.into_iter().rev().fold(text, |mut text, (span, with)| {
        text.replace_range(span, &with);
        text
    });
    judge.block.is_none().then_some(told)
}

fn places(text: &str) -> Vec<usize> {
    text.char_indices().map(|(at, _)| at).chain([text.len()]).collect()
}

#[test]
fn every_example_split_anywhere_has_the_same_verdict_and_text() {
    for says in [Override::Replace, Override::Block] {
        for gate in shipped().into_iter().map(|file| gate(&[file], says)) {
            for text in examples(&gate) {
                let expected = whole(&gate, &text);
                let places = places(&text);
                for (n, &first) in places.iter().enumerate() {
                    assert_eq!(split(&gate, [&text[..first], &text[first..]]), expected, "{text:?} at {first}");
                    for &second in places[n..].iter().filter(|_| text.len() <= SHORT) {
                        let pieces = [&text[..first], &text[first..second], &text[second..]];
                        assert_eq!(split(&gate, pieces), expected, "{text:?} at {first} and {second}");
                    }
                }
            }
        }
    }
}

#[test]
fn all_rules_together_say_the_same_of_pieces_of_any_size() {
    for says in [Override::Replace, Override::Block] {
        let gate = gate(&shipped(), says);
        let several = prop::collection::vec(prop::sample::select(examples(&gate)), 1..4);
        let sizes = prop::collection::vec(1_usize..24, 1..12);
        TestRunner::default()
            .run(&(several, sizes, "[ .,é\n]{0,3}"), |(texts, sizes, between)| {
                let text = texts.join(&between);
                let mut sizes = sizes.into_iter().cycle();
                let (mut pieces, mut rest) = (Vec::new(), text.as_str());
                while !rest.is_empty() {
                    let (piece, after) = rest.split_at(rest.ceil_char_boundary(sizes.next().unwrap_or(1)));
                    pieces.push(piece);
                    rest = after;
                }
                prop_assert_eq!(split(&gate, pieces), whole(&gate, &text), "{:?}", text);
                Ok(())
            })
            .unwrap();
    }
}
