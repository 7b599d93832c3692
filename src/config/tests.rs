//! Files with one defect each, a file with ten, and files that are fine.

use std::{collections::HashMap, fs, net::SocketAddr, path::Path, time::Duration};

use proptest::prelude::*;
use secrecy::ExposeSecret as _;
use sha2::{Digest as _, Sha256};

use crate::{
    cache::{
        self,
        verify::{Check, Stance},
    },
    config::{Config, Environment},
    diagnostics::{Report, Source},
    embed, guard,
};

const EXAMPLE: &str = include_str!("../../deploy/lockgate.yaml");

const KEY: &str = "0123456789012345678901";

fn nothing(_: &str) -> Option<String> {
    None
}

fn check_in(base: &Path, text: &str, environment: Environment<'_>) -> Result<Config, Report> {
    Config::check(Source::new("lockgate.yaml", text), base, environment)
}

/// The text, with an upstream where it names none.
fn check(text: &str) -> Result<Config, Report> {
    let upstream = if text.contains("upstream:") { "" } else { "upstream: {url: https://api.openai.com/v1}\n" };
    check_in(Path::new(""), &format!("{text}\n{upstream}"), &nothing)
}

fn fine(text: &str) -> Config {
    check(text).unwrap_or_else(|report| panic!("{text}\n{report}"))
}

/// `line:column message | remedy` of every problem.
fn lines(report: &Report) -> Vec<String> {
    let line = |problem: &crate::diagnostics::Problem| {
        let (line, column) = problem.span.as_ref().map_or((0, 0), |span| report.source().place(span.start));
        format!("{line}:{column} {} | {}", problem.message, problem.remedy)
    };
    report.problems().iter().map(line).collect()
}

/// A text with one defect, where it is, the message, and a part of the remedy.
type Defect = (&'static str, &'static str, &'static str);

fn assert_refused(cases: &[Defect]) {
    for (text, message, remedy) in cases {
        let found = lines(&check(text).expect_err(text));
        assert_eq!(found.len(), 1, "{text}: {found:#?}");
        let (found_message, found_remedy) = found[0].split_once(" | ").unwrap();
        assert_eq!(found_message, *message, "{text}");
        assert!(found_remedy.contains(remedy), "{text}: {found_remedy}");
    }
}

#[test]
fn the_shape_is_checked() {
    assert_refused(&[
        ("sever: {}", "1:1 unknown key `sever`", "did you mean `server`? The keys here are `server`, `access`"),
        ("threshold: 0.9", "1:1 unknown key `threshold`", "write it under `cache`; the keys here are"),
        ("server:\n  lisen: x", "2:3 unknown key `lisen`", "did you mean `listen`?"),
        (
            "cache:\n  mode: semantc",
            "2:9 `mode` does not take this value",
            "did you mean `semantic`? Write `semantic`, `shadow`, `exact` or `off`",
        ),
        ("cache:\n  threshold: high", "2:14 `threshold` takes a number, not a string", "such as 0.94"),
        ("cache:\n  threshold: '0.9'", "2:14 `threshold` takes a number, not a string", "remove the quotes"),
        ("cache:\n  ttl: 30", "2:8 `ttl` takes a string, not a number", "such as 24h"),
        ("server: 8787", "1:9 `server` takes a mapping, not a number", "indented"),
        ("server:\n  relay: /v1/files", "2:10 `relay` takes a list, not a string", "- item"),
        (
            "embedding:\n  queue: 0",
            "2:10 `queue`: the value is less than the minimum of 1",
            "Texts that may wait for a thread, at least 1",
        ),
        ("embedding:\n  threads: -1", "2:12 `threads`: the value is less than the minimum of 0", "at most 1024"),
        ("guardrails:\n  rules: {pii: blok}", "2:16 `pii` does not take this value", "did you mean `block`?"),
        ("guardrails:\n  builtin: yes", "2:12 `builtin` takes true or false, not a string", "true or false"),
        ("access:\n  client_keys:\n    - sha: x\n      name: a", "3:7 unknown key `sha`", "`sha256`"),
        ("access:\n  client_keys: [{key: 0123456789012345678901x}]", "2:17 an item of `client_keys` lacks `name`", "name: …"),
    ]);
}

#[test]
fn values_are_checked() {
    assert_refused(&[
        ("server:\n  listen: localhost:8787", "2:11 `server.listen` is not an address and port", "127.0.0.1:8787"),
        ("server:\n  listen: ':8787'", "2:11 `server.listen` is not an address and port", "0.0.0.0:8787"),
        ("server:\n  max_body: 10 parsecs", "2:13 `server.max_body` is not a size", "10MiB"),
        ("server:\n  max_head: 4KiB", "2:13 `server.max_head` is too small", "8.0 KiB or more"),
        ("server:\n  head_timeout: soon", "2:17 `server.head_timeout` is not a duration", "30s, 5m or 24h"),
        ("cache:\n  ttl: '30'", "2:8 `cache.ttl` is not a duration", "a number and its unit"),
        ("cache:\n  ttl: 0s", "2:8 `cache.ttl` is zero, so that it would always have passed", "24h"),
        ("cache:\n  ttl: 2years", "2:8 `cache.ttl` is longer than a year", "24h"),
        ("cache:\n  threshold: 1.5", "2:14 `cache.threshold` is a cosine similarity: from 0 to 1, higher is stricter", "1 - d"),
        ("cache:\n  threshold: 0.03", "2:14 `cache.threshold` is below 0.5", "1 - d"),
        ("cache:\n  max_memory: 1KiB", "1:1 `cache.max_entry` is larger than the whole cache", "cache.max_memory"),
        ("cache:\n  store: {max_size: 1KiB}", "2:21 `cache.store.max_size` is too small", "1.0 MiB or more"),
        (
            "cache:\n  store: {max_entries: 0}",
            "2:24 `max_entries`: the value is less than the minimum of 1",
            "Answers in the file, at least 1",
        ),
        ("log:\n  level: inof", "2:10 `log.level` is not a log level", "info"),
        ("log:\n  level: info,a=b=c", "2:10 `log.level` is not a log level", "lockgate::cache=debug"),
        (
            "guardrails:\n  directory: ./absent",
            "2:14 `guardrails.directory` is not a folder that can be read",
            "folder of this file",
        ),
        ("embedding:\n  model: src", "2:10 `embedding.model` has no model.int8.onnx in it", "tokenizer"),
    ]);
}

#[test]
fn listeners_are_checked() {
    let keys = "\naccess: {client_keys: [{name: a, key: 0123456789012345678901x}]}";
    assert_refused(&[
        (
            "server:\n  listen: 0.0.0.0:8787",
            "2:11 `server.listen` is not on loopback, and there are no client keys",
            "PORTKEY_API_KEY",
        ),
        ("server:\n  admin: 10.0.0.1:8788", "2:10 `server.admin` is not on loopback", "`server.health`"),
        ("server:\n  admin: 127.0.0.1:8787", "2:10 `server.admin` is the same address as `server.listen`", "a port of its own"),
        ("server:\n  health: 0.0.0.0:8788", "2:11 `server.health` is the same address as `server.admin`", "a port of its own"),
        ("server:\n  relay:\n    - /files", "3:7 `server.relay.0` is not a path under /v1/", "/v1/images/generations"),
        ("server:\n  relay: [/v1/a, /v1//b]", "2:18 `server.relay.1` is not a path under /v1/", "no escapes"),
        ("server:\n  relay: [/v1/chat/completions]", "2:11 `server.relay.0` is an endpoint that Lockgate reads", "remove it"),
    ]);
    let open = fine(&format!("server: {{listen: '0.0.0.0:8787', health: '[::]:8789'}}{keys}"));
    assert_eq!(open.ingress.listen, SocketAddr::from(([0, 0, 0, 0], 8787)));
    assert_eq!(open.console.health.unwrap().port(), 8789);
    let any = fine("server: {listen: '127.0.0.1:0', admin: '127.0.0.1:0', drain_timeout: 0s}");
    assert_eq!(any.ingress.drain_timeout, Duration::ZERO);
}

#[test]
fn client_keys_are_checked() {
    assert_refused(&[
        (
            "access:\n  client_keys: [{name: a}]",
            "2:17 `access.client_keys.0` has neither `key` nor `sha256`",
            "LOCKGATE_CLIENT_KEY",
        ),
        (
            "access:\n  client_keys:\n    - name: a\n      key: short",
            "4:12 `access.client_keys.0.key` is shorter than 22 characters",
            "openssl",
        ),
        (
            "access:\n  client_keys:\n    - name: a\n      sha256: abc",
            "4:15 `access.client_keys.0.sha256` is not 64 hexadecimal digits",
            "sha256sum",
        ),
        (
            "access:\n  client_keys:\n    - name: a\n      sha256: abc\n      key: x",
            "3:7 `access.client_keys.0` has both `key` and `sha256`",
            "one of the two",
        ),
        (
            "access:\n  client_keys:\n    - name: a b\n      key: x",
            "3:13 `name`: the value does not match \"^[A-Za-z0-9._-]{1,64}$\"",
            "64 letters",
        ),
        (
            "access:\n  client_keys:\n    - {name: a, key: 0123456789012345678901x}\n    - {name: a, key: 0123456789012345678901y}",
            "4:14 `access.client_keys.1.name` is the name of another key too",
            "a name of its own",
        ),
        (
            "access:\n  client_keys:\n    - {name: a, key: 0123456789012345678901x}\n    - {name: b, key: 0123456789012345678901x}",
            "4:7 `access.client_keys.1` is the same key as one above",
            "a key of its own",
        ),
    ]);
    let text =
        format!("access: {{client_keys: [{{name: a, key: '{KEY}', tenant: t}}, {{name: b, sha256: '{}'}}]}}", "0fF0".repeat(16));
    let keys = fine(&text).access.client_keys;
    assert_eq!(keys[0].sha256, <[u8; 32]>::from(Sha256::digest(KEY)));
    assert_eq!((keys[0].name.as_str(), keys[0].tenant.as_str()), ("a", "t"));
    assert_eq!((keys[1].sha256[..2].to_vec(), keys[1].tenant.as_str()), (vec![0x0f, 0xf0], "default"));
}

#[test]
fn the_upstream_is_checked() {
    assert_refused(&[
        ("upstream: {}", "1:1 `upstream.url` is missing", "https://api.openai.com/v1"),
        (
            "upstream:\n  url: api.openai.com/v1",
            "2:8 `upstream.url` is not a URL with a scheme and a host",
            "https://api.openai.com/v1",
        ),
        ("upstream:\n  url: ftp://a.b/v1", "2:8 `upstream.url` is neither http nor https", "https://"),
        ("upstream:\n  url: http://a.b/v1", "2:8 `upstream.url` is plain http", "allow_private_addresses: true"),
        ("upstream:\n  url: https://me:pw@a.b/v1", "2:8 `upstream.url` has credentials in it", "`api_key`"),
        ("upstream:\n  url: https://a.b/v1?x=1", "2:8 `upstream.url` has a query or a fragment", "the endpoint is added to it"),
        ("upstream:\n  url: https://192.168.1.2/v1", "2:8 `upstream.url` is a private address", "allow_private_addresses: true"),
        (
            "access: {client_keys: [{name: a, key: 0123456789012345678901x}]}\nupstream:\n  url: http://localhost:1/v1",
            "3:8 `upstream.url` is on loopback, while Lockgate has client keys or listens beyond loopback",
            "allow_private_addresses: true",
        ),
    ]);
    for (url, host) in [("http://localhost:11434/v1/", "localhost"), ("http://[::1]:1/v1", "[::1]")] {
        let config = fine(&format!("upstream: {{url: '{url}'}}"));
        let base = config.route.unwrap().base_url;
        assert_eq!((base.host(), base.path()), (Some(host), "/v1"));
        assert!(config.outbound.allow_loopback && !config.outbound.allow_private);
    }
    fine("upstream: {url: 'http://model.local/v1', allow_private_addresses: true}");
}

#[test]
fn ten_mistakes_are_ten_problems_each_in_its_place() {
    let text = "\
server:
  listen: 0.0.0.0:8787
  max_body: huge
  drain: 5s
access:
  client_keys:
    - name: app
      key: ${ABSENT}
upstream:
  url: http://provider.example/v1
  connect_timeout: 5
cache:
  mode: fuzzy
  threshold: 97
  ttl: forever
guardrails:
  directory: ./absent
log:
  level: loud
";
    let report = check_in(Path::new(""), text, &nothing).unwrap_err();
    let places: Vec<_> = lines(&report).iter().map(|line| line.split(" | ").next().unwrap().to_owned()).collect();
    assert_eq!(
        places,
        [
            "3:13 `server.max_body` is not a size",
            "4:3 unknown key `drain`",
            "8:12 the environment has no `ABSENT`",
            "10:8 `upstream.url` is plain http",
            "11:20 `connect_timeout` takes a string, not a number",
            "13:9 `mode` does not take this value",
            "14:14 `cache.threshold` is a cosine similarity: from 0 to 1, higher is stricter",
            "15:8 `cache.ttl` is not a duration",
            "17:14 `guardrails.directory` is not a folder that can be read",
            "19:10 `log.level` is not a log level",
        ]
    );
    assert!(report.to_string().ends_with("10 problems in lockgate.yaml\n"));
}

#[test]
fn a_report_shows_the_line_and_no_secret() {
    let lookup = |_: &str| Some("s3cret".to_owned());
    let text = "upstream: {url: https://a.b/v1}\naccess:\n  client_keys:\n    - name: a\n      key: ${K}\n    - name: b\n      key: hunter2\n";
    let report = check_in(Path::new(""), text, &lookup).unwrap_err().to_string();
    let first = "\
error: `access.client_keys.0.key` is shorter than 22 characters
 --> lockgate.yaml:5:12
  |
5 |       key: ${K}
  |            ^^^^
  |
  = note: who can reach the port could find it by trying
  = help: make one with: openssl rand -base64 24
";
    assert!(report.starts_with(first), "{report}");
    assert!(!report.contains("s3cret") && !report.contains("hunter2"), "{report}");
}

#[test]
fn paths_start_at_the_folder_of_the_file() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("rules")).unwrap();
    fs::create_dir_all(folder.path().join("model")).unwrap();
    fs::write(folder.path().join("model/model.int8.onnx"), "").unwrap();
    fs::write(folder.path().join("model/tokenizer.json"), "").unwrap();
    let file = folder.path().join("lockgate.yaml");
    let text = "upstream: {url: https://a.b/v1}\nguardrails: {directory: ./rules, rules: {payment-card: warn, jwt: off}}\n\
                embedding: {engine: rten, model: model, threads: 2}\ncache: {mode: exact}\n";
    fs::write(&file, text).unwrap();
    let config = Config::load(&file, &nothing).unwrap();
    assert_eq!(config.guard.directory.unwrap(), folder.path().join("rules"));
    assert_eq!(config.guard.overrides["payment-card"], guard::Override::Warn);
    assert_eq!(config.guard.overrides["jwt"], guard::Override::Off);
    assert_eq!(config.embed.model.unwrap(), folder.path().join("model"));
    assert_eq!((config.embed.engine, config.embed.threads), (embed::EngineChoice::Rten, 2));
    assert_eq!(config.cache.mode, cache::Mode::Exact);
}

#[test]
fn profiles_name_what_there_is() {
    let config = fine(&format!(
        "server: {{listen: '127.0.0.1:1'}}\naccess: {{client_keys: [{{name: a, key: '{KEY}', guardrails: [strict, secrets]}}]}}\n\
         guardrails: {{profiles: {{strict: {{rules: [all, medical-dosage], mandatory: true}}, look: {{rules: [injection], mode: monitor}}}}, default: [look]}}"
    ));
    let strict = &config.profiles.named["strict"];
    assert!(strict.mandatory && strict.mode == guard::Mode::Enforce && strict.rules.contains("medical-dosage"));
    assert_eq!(config.profiles.named["look"].mode, guard::Mode::Monitor);
    assert!(config.profiles.default.iter().eq(["look"]));
    assert!(config.access.client_keys[0].profiles.as_ref().unwrap().iter().eq(["secrets", "strict"]));
    assert!(fine("").profiles.default.iter().eq(["all"]), "who says nothing has all");
    assert_refused(&[
        (
            "guardrails:\n  default: [strct]\n  profiles: {strict: {rules: []}}",
            "2:13 `guardrails.default.0` names no profile",
            "did you mean `strict`?",
        ),
        (
            "guardrails:\n  profiles:\n    p:\n      rules: [secret]",
            "4:15 `guardrails.profiles.p.rules.0` names neither a rule nor a group of rules",
            "did you mean `secrets`?",
        ),
        (
            "guardrails:\n  profiles:\n    My profile: {rules: []}",
            "3:5 `guardrails.profiles.My profile` cannot be asked for in a header",
            "small letters",
        ),
        (
            "server:\n  relay: [/v1/files]\nguardrails: {profiles: {p: {rules: [all], mandatory: true}}}",
            "2:10 `server.relay` lists paths while a profile of guardrails is mandatory",
            "remove",
        ),
    ]);
}

#[test]
fn the_store_lies_where_the_file_or_the_environment_says() {
    let place = |store: &str, environment: &[(&str, &str)]| {
        let lookup = |wanted: &str| environment.iter().find(|(name, _)| *name == wanted).map(|(_, value)| (*value).to_owned());
        let text = format!("upstream: {{url: https://a.b/v1}}\ncache: {{{store}}}\n");
        check_in(Path::new("/etc/lockgate"), &text, &lookup).unwrap().store.map(|store| store.path)
    };
    let both = [("XDG_STATE_HOME", "/state"), ("HOME", "/me")];
    let some = |path: &str| Some(Some(path.into()));
    assert_eq!(place("", &both), some("/state/lockgate/cache.db"));
    assert_eq!(place("", &both[1..]), some("/me/.local/state/lockgate/cache.db"));
    assert_eq!(place("", &[("XDG_STATE_HOME", "state"), ("HOME", "")]), Some(None), "relative paths do not count");
    assert_eq!(place("store: {path: ../cache.db}", &both), some("/etc/lockgate/../cache.db"));
    assert_eq!(place("store: {enabled: false}", &both), None);
    assert_eq!(place("mode: off", &both), None, "what is not cached is not kept either");
}

#[test]
fn what_is_near_enough_is_set_in_one_way() {
    let cache = |text: &str| fine(&format!("cache: {{{text}}}")).cache;
    let [strict, lax] = ["max_error: 0.02", "max_error: 0.1"].map(|text| cache(text).threshold);
    assert!(strict > lax && (0.7..1.0).contains(&lax), "{strict} {lax}");
    assert!((cache("threshold: 0.9").threshold - 0.9).abs() < 1e-6);
    assert_refused(&[
        (
            "cache:\n  threshold: 0.9\n  max_error: 0.02",
            "3:14 `cache.max_error` is written beside `cache.threshold`",
            "remove one",
        ),
        ("cache:\n  max_error: 0", "2:14 `cache.max_error` is less than any threshold promises", "such as 0.05"),
    ]);
}

#[test]
fn single_checks_are_set_by_name() {
    let stances = fine("cache: {checks: {names: weigh, scope: veto, question: off}}").cache.stances;
    assert_eq!(
        [Check::Names, Check::Scope, Check::Question].map(|check| stances.of(check)),
        [Stance::Weigh, Stance::Veto, Stance::Off]
    );
    assert_eq!(stances.of(Check::Numbers), Stance::Veto, "the others stay as they are");
    let unknown = lines(&check("cache: {checks: {number: veto}}").unwrap_err());
    assert!(unknown[0].contains("numbers"), "a name that does not exist is told the nearest: {unknown:?}");
}

#[test]
fn the_example_shows_the_defaults() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/lockgate.yaml");
    let example = Config::load(&path, &nothing).unwrap_or_else(|report| panic!("{report}"));
    assert_eq!(example.file.as_deref(), Some(&*path));
    let example = Config { file: None, ..example };
    assert_eq!(format!("{example:#?}"), format!("{:#?}", fine("")));
}

#[test]
fn what_only_a_restart_takes_up_is_told_from_the_rules() {
    let one = fine("cache: {ttl: 1h}\n");
    assert!(!one.differs_beside_rules(&fine("guardrails: {rules: {jwt: off}}\ncache: {ttl: 60m}\n")));
    assert!(one.differs_beside_rules(&fine("cache: {ttl: 2h}\n")));
    assert!(one.differs_beside_rules(&fine("cache: {ttl: 1h}\nlog: {level: debug}\n")));
}

#[test]
fn the_example_shows_every_key() {
    let schema = crate::config::schema();
    for definition in schema["$defs"].as_object().unwrap().values().chain([&schema]) {
        for key in definition["properties"].as_object().into_iter().flat_map(|keys| keys.keys()) {
            assert!(EXAMPLE.contains(&format!("{key}:")), "{key}");
        }
    }
}

#[test]
fn variables_carry_the_keys() {
    let environment = HashMap::from([("UP", "sk-x"), ("DOWN", KEY)]);
    let lookup = |name: &str| environment.get(name).map(|value| (*value).to_owned());
    let text = "upstream: {url: https://a.b/v1, api_key: '${UP}'}\naccess: {client_keys: [{name: a, key: \"${DOWN}\"}]}";
    let config = check_in(Path::new(""), text, &lookup).unwrap();
    assert_eq!(config.route.unwrap().api_key.unwrap().expose_secret(), "sk-x");
    assert_eq!(config.access.client_keys[0].sha256, <[u8; 32]>::from(Sha256::digest(KEY)));
    let block = "upstream:\n  url: https://a.b/v1\naccess:\n  client_keys:\n    - name: a\n      key: ${DOWN}\n";
    let config = check_in(Path::new(""), block, &lookup).unwrap();
    assert_eq!(config.access.client_keys.len(), 1, "a key of digits alone is still a string");
}

fn builtin(environment: &[(&str, &str)]) -> Result<Config, Report> {
    let lookup = |wanted: &str| environment.iter().find(|(name, _)| *name == wanted).map(|(_, value)| (*value).to_owned());
    Config::builtin(&lookup)
}

#[test]
fn without_a_file_the_environment_decides() {
    let demo = builtin(&[("OPENAI_API_KEY", ""), ("PORTKEY_API_KEY", "short")]).unwrap();
    assert!(demo.route.is_none() && demo.access.client_keys.is_empty());
    let openai = builtin(&[("OPENAI_API_KEY", "sk-x"), ("LOCKGATE_LISTEN", "127.0.0.1:9000")]).unwrap();
    let route = openai.route.unwrap();
    assert_eq!(route.base_url.to_string(), "https://api.openai.com/v1");
    assert_eq!(route.api_key.unwrap().expose_secret(), "sk-x");
    assert_eq!(openai.ingress.listen.port(), 9000);
    let container = builtin(&[("LOCKGATE_LISTEN", "0.0.0.0:8787"), ("PORTKEY_API_KEY", KEY)]).unwrap();
    assert_eq!(container.access.client_keys[0].sha256, <[u8; 32]>::from(Sha256::digest(KEY)));
}

#[test]
fn without_a_file_nothing_is_opened_unasked() {
    let open = builtin(&[("LOCKGATE_LISTEN", "0.0.0.0:8787")]).unwrap_err();
    assert!(lines(&open)[0].contains("(without a file: set PORTKEY_API_KEY)"), "{open}");
    let weak = builtin(&[("LOCKGATE_LISTEN", "0.0.0.0:8787"), ("PORTKEY_API_KEY", "short")]).unwrap_err();
    assert!(lines(&weak)[0].contains("is shorter than 22 characters"), "{weak}");
    let garbled = builtin(&[("LOCKGATE_ADMIN", "nowhere")]).unwrap_err();
    assert!(garbled.to_string().contains("admin: ${LOCKGATE_ADMIN:-127.0.0.1:8788}"), "{garbled}");
}

proptest! {
    #[test]
    fn any_change_of_the_example_is_fine_or_criticised(
        at in 0..EXAMPLE.len(),
        cut in 0..12_usize,
        put in r#"[-?:,\[\]{}#"$ \n0-9a-zA-Z./☕]{0,6}"#,
    ) {
        let end = EXAMPLE.ceil_char_boundary((at + cut).min(EXAMPLE.len()));
        let text = format!("{}{put}{}", &EXAMPLE[..EXAMPLE.floor_char_boundary(at)], &EXAMPLE[end..]);
        if let Err(report) = check_in(Path::new(""), &text, &nothing) {
            prop_assert!(!report.problems().is_empty(), "refused without a reason");
            prop_assert!(!report.render(true).is_empty());
        }
    }

    #[test]
    fn any_value_is_fine_or_criticised(text in prop_oneof![any::<String>(), "[ -~]{0,20}"]) {
        for at in ["server: {listen", "server: {max_body", "cache: {ttl", "upstream: {url", "log: {level"] {
            let document = format!("{at}: {}}}", serde_json::to_string(&text).unwrap());
            if let Err(report) = check(&document) {
                prop_assert!(!report.problems().is_empty());
            }
        }
    }
}

#[test]
fn a_rule_that_does_not_exist_is_pointed_at() {
    let report = check("upstream: {url: https://a.b/v1}\nguardrails:\n  rules: {payment-cards: block, jwt: warn}\n").unwrap_err();
    let text = report.to_string();
    assert!(text.contains("lockgate.yaml:3:11") && text.contains("did you mean `payment-card`?"), "{text}");
    assert_eq!(report.problems().len(), 1);
}

#[test]
fn prices_are_checked_model_by_model() {
    let config =
        check("upstream: {url: https://a.b/v1}\nprices: {gpt-5*: {prompt: 0.25, completion: 2}, e: {prompt: 1}}\n").unwrap();
    let prices: Vec<_> =
        config.ledger.prices.iter().map(|(model, price)| (model.as_str(), price.prompt, price.completion)).collect();
    assert_eq!(prices, [("e", 1.0, 0.0), ("gpt-5*", 0.25, 2.0)]);
    for (prices, words) in [
        ("g*t: {prompt: 1}", ["has a `*` inside", "at the end"]),
        ("g**: {prompt: 1}", ["has a `*` inside", "at the end"]),
        ("g: {prompt: -1}", ["`prompt`", "minimum of 0"]),
        ("g: {prompt: 1e999}", ["`prompt`", "number"]),
        ("g: {completion: 1}", ["`g` lacks `prompt`", "add"]),
        ("g: 1", ["lockgate.yaml:2:13", "`g`"]),
    ] {
        let report = check(&format!("upstream: {{url: https://a.b/v1}}\nprices: {{{prices}}}\n")).unwrap_err().to_string();
        assert!(words.iter().all(|word| report.contains(word)), "{words:?} in {report}");
    }
}
