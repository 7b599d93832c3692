//! The binary's verbs that end by themselves: what they print, and with which exit code.

use std::{fs, path::Path, process::Output};

use crate::binary::lockgate;

fn output(arguments: &[&str], folder: &Path) -> Output {
    lockgate(arguments, folder).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn it_says_its_version() {
    let folder = tempfile::tempdir().unwrap();
    let output = output(&["--version"], folder.path());
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(0), format!("lockgate {}\n", env!("CARGO_PKG_VERSION"))));
}

#[test]
fn it_prints_completions_for_every_common_shell() {
    let folder = tempfile::tempdir().unwrap();
    for shell in ["bash", "zsh", "fish"] {
        let output = output(&["completions", shell], folder.path());
        let script = text(&output.stdout);
        assert_eq!(output.status.code(), Some(0), "{shell}");
        for verb in ["serve", "check", "cache", "rules", "demo", "completions"] {
            assert!(script.contains(verb), "{shell} completes no {verb}");
        }
    }
}

#[test]
fn a_command_line_that_cannot_be_read_ends_with_2() {
    let folder = tempfile::tempdir().unwrap();
    for (arguments, word) in [(&["sevre"][..], "serve"), (&["check"], "<FILE>"), (&["serve", "--confg", "x"], "--config")] {
        let output = output(arguments, folder.path());
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(text(&output.stderr).contains(word), "{}", text(&output.stderr));
    }
}

const TEN_MISTAKES: &str = "\
sever: {}
server:
  listen: localhost
  admin: 0.0.0.0:1
  max_body: much
  head_timeout: soon
cache:
  mode: fuzzy
  threshold: 0.2
  ttl: '5'
log:
  level: lout
upstream:
  url: ftp://example.com
";

#[test]
fn check_and_serve_tell_the_same_ten_mistakes() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("lockgate.yaml"), TEN_MISTAKES).unwrap();
    let check = output(&["check", "lockgate.yaml"], folder.path());
    let serve = output(&["serve", "--config", "lockgate.yaml"], folder.path());
    assert_eq!((check.status.code(), serve.status.code()), (Some(1), Some(1)));
    let (checked, served) = (text(&check.stdout), text(&serve.stderr));
    assert_eq!(checked.trim_end(), served.trim_end());
    let places = ["1:1", "3:11", "4:10", "5:13", "6:17", "8:9", "9:14", "10:8", "12:10", "14:8"];
    for place in places {
        assert!(checked.contains(&format!("lockgate.yaml:{place}")), "no {place} in\n{checked}");
    }
    assert!(
        checked.contains("10 problems in ") && checked.contains("did you mean `server`") && checked.contains("^^^"),
        "{checked}"
    );
}

#[test]
fn check_and_serve_tell_the_same_mistakes_in_rules() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("rules")).unwrap();
    let rule =
        "summary: s\nwhy: w\nstage: sideways\naction: blok\nmatch: {patterns: [{regex: '('}]}\nexamples: {match: [], pass: []}\n";
    fs::write(folder.path().join("rules/mine.yaml"), rule).unwrap();
    let config = "upstream: {url: https://api.openai.com/v1}\nguardrails: {directory: rules}\n";
    fs::write(folder.path().join("lockgate.yaml"), config).unwrap();
    let check = output(&["check", "lockgate.yaml"], folder.path());
    let serve = output(&["serve", "--config", "lockgate.yaml"], folder.path());
    assert_eq!((check.status.code(), serve.status.code()), (Some(1), Some(1)));
    let (checked, served) = (text(&check.stdout), text(&serve.stderr));
    assert_eq!(checked.trim_end(), served.trim_end());
    assert!(checked.contains("mine.yaml:3:8") && checked.contains("mine.yaml:4:9"), "{checked}");
}

#[test]
fn check_sums_up_a_file_that_is_fine() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("lockgate.yaml"), "upstream: {url: https://api.openai.com/v1}\n").unwrap();
    let output = output(&["check", "lockgate.yaml"], folder.path());
    assert_eq!(output.status.code(), Some(0));
    assert!(text(&output.stdout).starts_with("lockgate.yaml: fine\n"), "{}", text(&output.stdout));
}

#[test]
fn what_cannot_be_started_ends_with_1_and_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let other = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = other.local_addr().unwrap().to_string();
    let in_use = format!("server: {{ listen: '{address}' }}\nupstream: {{ url: https://api.openai.com/v1 }}\n");
    let open = "server: { listen: '0.0.0.0:0' }\nupstream: { url: https://api.openai.com/v1 }\n";
    let no_model = "embedding: { model: nowhere }\nupstream: { url: https://api.openai.com/v1 }\n";
    let cases = [
        (in_use.as_str(), vec![address.as_str(), "another program listens there", "choose another port"]),
        (open, vec!["lockgate.yaml:1:", "no client keys", "access.client_keys"]),
        (no_model, vec!["lockgate.yaml:1:", "embedding.model", "nowhere"]),
    ];
    for (config, words) in cases {
        fs::write(folder.path().join("lockgate.yaml"), config).unwrap();
        let output = output(&["serve", "--config", "lockgate.yaml"], folder.path());
        assert_eq!(output.status.code(), Some(1));
        for word in words {
            assert!(text(&output.stderr).contains(word), "no {word:?} in {}", text(&output.stderr));
        }
    }
    let missing = output(&["serve", "--config", "missing.yaml"], folder.path());
    assert!(missing.status.code() == Some(1) && text(&missing.stderr).contains("missing.yaml"));
}

#[test]
fn without_a_file_an_open_port_needs_a_key_too() {
    let folder = tempfile::tempdir().unwrap();
    let output = lockgate(&[], folder.path()).env("LOCKGATE_LISTEN", "0.0.0.0:0").output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("PORTKEY_API_KEY"), "{}", text(&output.stderr));
}
