//! One input, one expectation for each way that it goes: files that can be read, and rewritten with `LOCKGATE_UPDATE_GOLDEN=1`.
//!
//! A folder is a case, and the first word of its name says what it holds: a request, an answer, an error or a stream. `in` is what is given.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use serde_json::Value;

use super::{Events, messages, responses};
use crate::wire::{assemble::Assembler, sse};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/wire/dialect/golden");

/// The files that are not written by these tests.
const GIVEN: [&str; 3] = ["in.json", "in.sse", "answered.sse"];

/// When every answer was made.
const CREATED: u64 = 1_700_000_000;

/// What a case comes to: the names of files, and what they hold.
type Found = Vec<(&'static str, String)>;

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap() + "\n"
}

fn read(case: &Path) -> Value {
    let text = fs::read_to_string(case.join("in.json")).unwrap_or_else(|error| panic!("{}: {error}", case.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", case.display()))
}

fn told(mut translator: Box<dyn Events>, events: &str) -> String {
    let mut out = translator.push(events.to_owned().into()).unwrap().to_vec();
    out.extend_from_slice(&translator.finish().unwrap());
    String::from_utf8(out).unwrap()
}

fn of_messages(case: &Path, kind: &str) -> Found {
    match kind {
        "request" => {
            let chat = messages::request_to_chat(read(case)).unwrap();
            let mut openai = super::object(chat.clone());
            messages::strip(&mut openai, &[]);
            let back = messages::request_from_chat(chat.clone());
            vec![("chat.json", pretty(&chat)), ("openai.json", pretty(&openai.into())), ("back.json", pretty(&back))]
        }
        "answer" => {
            let chat = messages::answer_to_chat(read(case), CREATED).unwrap();
            let back = messages::answer_from_chat(chat.clone()).unwrap();
            vec![("chat.json", pretty(&chat)), ("back.json", pretty(&back))]
        }
        "error" => {
            let chat = messages::error_to_chat(read(case)).unwrap();
            let back = messages::error_from_chat(429, chat.clone());
            vec![("chat.json", pretty(&chat)), ("back.json", pretty(&back))]
        }
        "stream" => {
            let chat = told(messages::events_to_chat(CREATED, true), &events(case));
            let back = told(messages::events_from_chat(), &chat);
            vec![("chat.sse", chat), ("back.sse", back)]
        }
        other => panic!("{}: no case is called {other}", case.display()),
    }
}

fn of_chat(case: &Path, kind: &str) -> Found {
    match kind {
        "request" => vec![("messages.json", pretty(&messages::request_from_chat(read(case))))],
        "answer" => vec![("messages.json", pretty(&messages::answer_from_chat(read(case)).unwrap()))],
        "stream" => vec![("messages.sse", told(messages::events_from_chat(), &events(case)))],
        other => panic!("{}: no case is called {other}", case.display()),
    }
}

fn of_responses(case: &Path, kind: &str) -> Found {
    assert_eq!(kind, "request", "{}: a case of Responses is a request, with the answer that it gets", case.display());
    let (chat, echo) = responses::request_to_chat(read(case)).unwrap();
    let answer = fs::read_to_string(case.join("answered.sse")).unwrap();
    let mut assembler = Assembler::default();
    for data in sse::data_of(answer.as_bytes()).iter().filter(|data| *data != sse::DONE) {
        assembler.push(serde_json::from_slice(data).unwrap());
    }
    let whole = responses::answer_from_chat(assembler.finish(), &echo).unwrap();
    let events = told(responses::events_from_chat(echo), &answer);
    // The last event says what the whole answer says.
    let last: Value = serde_json::from_str(events.trim_end().rsplit("data: ").next().unwrap()).unwrap();
    assert_eq!(last["response"], whole, "{}", case.display());
    vec![("chat.json", pretty(&chat)), ("answer.json", pretty(&whole)), ("answer.sse", events)]
}

fn events(case: &Path) -> String {
    fs::read_to_string(case.join("in.sse")).unwrap()
}

fn cases(shape: &str) -> Vec<(PathBuf, String)> {
    let folder = Path::new(FOLDER).join(shape);
    let mut cases: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.sort();
    let kind = |case: PathBuf| {
        let name = case.file_name().unwrap().to_string_lossy().into_owned();
        (case, name.split('_').next().unwrap_or_default().to_owned())
    };
    cases.into_iter().map(kind).collect()
}

fn check(shape: &str, of: impl Fn(&Path, &str) -> Found) {
    let (update, cases) = (env::var_os("LOCKGATE_UPDATE_GOLDEN").is_some(), cases(shape));
    assert!(!cases.is_empty());
    for (case, kind) in cases {
        let found = of(&case, &kind);
        let files = fs::read_dir(&case).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let stray: Vec<_> =
            files.filter(|file| !GIVEN.contains(&&**file) && !found.iter().any(|(name, _)| name == file)).collect();
        assert_eq!(stray, [""; 0], "{}", case.display());
        for (name, found) in found {
            let file = case.join(name);
            if update {
                fs::write(&file, &found).unwrap();
            }
            let expected = fs::read_to_string(&file).unwrap_or_default();
            assert_eq!(found, expected, "{}: if that is right, run this test with LOCKGATE_UPDATE_GOLDEN=1", file.display());
        }
    }
}

#[test]
fn what_anthropics_clients_send_and_its_servers_answer() {
    check("messages", of_messages);
}

#[test]
fn what_chats_clients_send_and_its_servers_answer() {
    check("chat", of_chat);
}

#[test]
fn what_clients_of_responses_send_and_are_told() {
    check("responses", of_responses);
}
