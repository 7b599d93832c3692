//! Who may import whom, as a table, and the check that the code keeps to it.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    Fault, File,
    paths::{self, Mention},
};

/// What a room may import beside [`COMMON`]: a whole room, or only what is named behind `::`.
///
/// A stage does not import its neighbours: `pipeline` passes what the one returns to the other. Of the guard, the rooms that handle
/// text see only the proofs that it was guarded.
const ROOMS: &[(&str, &[&str])] = &[
    ("main", &["cli"]),
    ("lib", &[]),
    // The verbs say what would run and run it, so they see what `app` sees.
    (
        "cli",
        &[
            "app", "config", "demo", "pipeline", "ingress", "access", "guard", "cache", "embed", "route", "egress", "outbound",
            "ledger", "tune", "console",
        ],
    ),
    (
        "app",
        &[
            "config", "demo", "pipeline", "ingress", "access", "guard", "cache", "embed", "route", "egress", "outbound",
            "ledger", "tune", "console",
        ],
    ),
    // It builds the settings of every room, so no room that it builds may import it.
    (
        "config",
        &["pipeline", "ingress", "access", "guard", "cache", "embed", "route", "egress", "outbound", "ledger", "tune", "console"],
    ),
    ("ingress", &["pipeline", "egress"]),
    ("pipeline", &["access", "route", "guard", "cache", "ledger"]),
    ("access", &[]),
    ("guard", &["embed", "outbound"]),
    ("cache", &["embed", "guard::proof", "guard::Screened", "guard::Cleared", "guard::Complete", "guard::Stored"]),
    ("embed", &[]),
    ("route", &["outbound", "guard::proof", "guard::Screened", "guard::Cleared", "guard::Complete", "guard::Stored"]),
    // It turns a `Reply` into HTTP; the pipeline knows nothing of it.
    (
        "egress",
        &[
            "pipeline",
            "guard::proof",
            "guard::Screened",
            "guard::Cleared",
            "guard::Complete",
            "guard::Stored",
            "guard::Block",
            "guard::Gate",
            "guard::Refusal",
        ],
    ),
    ("outbound", &[]),
    ("ledger", &["outbound"]),
    ("tune", &["cache::policy", "cache::verify", "ledger"]),
    // The admin port is a port like the other: it is listened on and answered in the same way.
    ("console", &["ledger", "cache", "guard", "tune", "ingress", "egress"]),
    ("demo", &[]),
    ("wire", &[]),
    ("exchange", &[]),
    ("error", &[]),
    ("clock", &[]),
    ("diagnostics", &[]),
    ("telemetry", &[]),
];

/// What every room may import.
const COMMON: [&str; 6] = ["wire", "exchange", "error", "clock", "diagnostics", "telemetry"];

/// The demo upstream plays a stranger: it knows the wire and nothing of the house.
const STRANGERS: [(&str, &[&str]); 1] = [("demo", &["wire", "error", "clock"])];

const TABLE: &str = "the table in tests/tidy/edges.rs";

/// Every import that the table does not allow, and every circle of rooms.
pub(crate) fn faults(files: &[File]) -> Vec<Fault> {
    let (mut faults, mut tests, mut read) = (vec![], BTreeSet::new(), vec![]);
    for file in files.iter().filter(|file| file.is_rust()) {
        let Some(module) = module_of(&file.path) else { continue };
        match paths::read(&module, &file.text) {
            Ok(found) => {
                tests.extend(found.tests);
                read.push((file, module, found.mentions));
            }
            Err(error) => {
                faults.push(Fault::new(&file.path, error.span().start().line, error.to_string(), "write what Rust can parse"));
            }
        }
    }
    let mut circles = Graph::default();
    for (file, module, mentions) in read {
        if (1..=module.len()).any(|depth| tests.contains(&module[..depth])) {
            continue;
        }
        let room = room_of(&file.path, &module);
        if !ROOMS.iter().any(|(name, _)| *name == room) {
            let remedy = format!("choose one of the rooms there are, or give `{room}` a line in {TABLE}");
            faults.push(Fault::new(&file.path, 1, format!("no room is called `{room}`"), remedy));
            continue;
        }
        for mention in mentions {
            faults.extend(judged(&file.path, &room, &mention));
            circles.add(&room, &file.path, &mention);
        }
    }
    faults.extend(circles.fault());
    faults
}

/// `src/cache/index/flat.rs` is `cache::index::flat`; what is not under `src/` is no module of ours.
fn module_of(path: &str) -> Option<Vec<String>> {
    let path = path.strip_prefix("src/")?.strip_suffix(".rs")?;
    let mut module: Vec<String> = path.split('/').map(str::to_owned).collect();
    if module.last().is_some_and(|last| last == "mod") || path == "lib" || path == "main" {
        module.pop();
    }
    Some(module)
}

fn room_of(path: &str, module: &[String]) -> String {
    match module.first() {
        Some(room) => room.clone(),
        None if path == "src/main.rs" => "main".to_owned(),
        None => "lib".to_owned(),
    }
}

fn judged(file: &str, room: &str, mention: &Mention) -> Option<Fault> {
    let fault = |rule: String, remedy: String| Some(Fault::new(file, mention.line, rule, remedy));
    let named = mention.target.join("::");
    let first = mention.target.first().map_or("self", String::as_str);
    if ["self", "*"].contains(&first) {
        return fault(format!("`{room}` imports the crate's root"), "name the room that is meant".to_owned());
    }
    let own = STRANGERS.iter().find(|(name, _)| *name == room).map(|(_, may)| *may);
    let common = own.unwrap_or(&COMMON);
    let extra = ROOMS.iter().find(|(name, _)| *name == room).map_or(&[][..], |(_, may)| *may);
    let inside = |allowed: &str| named == allowed || named.strip_prefix(allowed).is_some_and(|rest| rest.starts_with("::"));
    if first == room || common.iter().chain(extra).any(|allowed| inside(allowed)) {
        return None;
    }
    let parts: Vec<&str> = extra.iter().copied().filter(|allowed| allowed.starts_with(&format!("{first}::"))).collect();
    let remedy = if parts.is_empty() {
        format!("let a room above both pass it on, move it to one of {}, or change {TABLE} and say why", common.join(", "))
    } else {
        format!("import only {}, or change {TABLE} and say why", parts.join(", "))
    };
    fault(format!("`{room}` may not import `{named}`"), remedy)
}

/// Which room imports which, with the first place that does.
#[derive(Debug, Default)]
struct Graph(BTreeMap<String, BTreeMap<String, (String, usize)>>);

impl Graph {
    fn add(&mut self, room: &str, file: &str, mention: &Mention) {
        if let Some(target) = mention.target.first().filter(|target| *target != room) {
            let targets = self.0.entry(room.to_owned()).or_default();
            targets.entry(target.clone()).or_insert_with(|| (file.to_owned(), mention.line));
        }
    }

    /// Takes away what imports nothing that is left, until only circles and what leads into them remain; then walks one.
    fn fault(mut self) -> Option<Fault> {
        loop {
            let left: BTreeSet<String> = self.0.keys().cloned().collect();
            self.0.values_mut().for_each(|targets| targets.retain(|target, _| left.contains(target)));
            self.0.retain(|_, targets| !targets.is_empty());
            if self.0.len() == left.len() {
                break;
            }
        }
        let mut walk = vec![self.0.keys().next()?];
        loop {
            let (next, (file, line)) = self.0.get(*walk.last()?)?.first_key_value()?;
            if let Some(begin) = walk.iter().position(|room| *room == next) {
                let circle: Vec<&str> = walk[begin..].iter().chain([&next]).map(|room| room.as_str()).collect();
                let rule = format!("rooms import each other in a circle: {}", circle.join(" → "));
                return Some(Fault::new(file, *line, rule, "move what both need into the lower room"));
            }
            walk.push(next);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(sources: &[(&str, &str)]) -> Vec<String> {
        let files: Vec<File> = sources.iter().map(|(path, text)| File::new(path, text)).collect();
        faults(&files).iter().map(|fault| format!("{}:{}: {}", fault.file, fault.line, fault.rule)).collect()
    }

    #[test]
    fn an_edge_outside_the_table_is_found() {
        for (path, text, rule) in [
            ("src/cache/mod.rs", "\nuse crate::config::Config;", "2: `cache` may not import `config::Config`"),
            ("src/route/attempt.rs", "use super::super::cache;", "1: `route` may not import `cache`"),
            ("src/pipeline.rs", "fn f() { super::egress::respond() }", "1: `pipeline` may not import `egress::respond`"),
            ("src/guard/rules/set.rs", "fn f() { dbg!(crate::cache::X); }", "1: `guard` may not import `cache::X`"),
            ("src/main.rs", "use lockgate::app::App;", "1: `main` may not import `app::App`"),
            ("src/demo/mod.rs", "use crate::exchange::Exchange;", "1: `demo` may not import `exchange::Exchange`"),
            ("src/wire/mod.rs", "use crate::guard::Cleared;", "1: `wire` may not import `guard::Cleared`"),
            ("src/config/mod.rs", "use crate::app::App;", "1: `config` may not import `app::App`"),
        ] {
            assert_eq!(found(&[(path, text)]), [format!("{path}:{rule}")]);
        }
    }

    #[test]
    fn an_edge_of_the_table_is_not() {
        for (path, text) in [
            ("src/main.rs", "fn main() { lockgate::cli::run() }"),
            ("src/app.rs", "use crate::{cache::Cache, config::Config, demo, guard::InputGate, ingress};"),
            ("src/cache/mod.rs", "use crate::{clock, embed::Worker, guard::{Cleared, Stored}};"),
            ("src/guard/input.rs", "use crate::{error::Result, exchange::Exchange, wire::Request};"),
            ("src/ingress/mod.rs", "use crate::{egress, pipeline::Pipeline};"),
            ("src/cache/index/flat.rs", "use super::{super::scope::Key, Id}; use crate::cache::Entry;"),
            ("src/config/resolve.rs", "use crate::{access, cache, telemetry};"),
        ] {
            assert_eq!(found(&[(path, text)]), Vec::<String>::new(), "{path}: {text}");
        }
    }

    #[test]
    fn of_some_rooms_only_a_part_may_be_imported() {
        assert_eq!(found(&[("src/egress/mod.rs", "use crate::guard::{Block, Gate, proof::Cleared};")]), [""; 0]);
        assert_eq!(found(&[("src/tune/mod.rs", "use crate::cache::policy;")]), [""; 0]);
        let sources = [("src/tune/mod.rs", "use crate::cache::{self, policy_of};"), ("src/route/mod.rs", "use crate::guard::*;")];
        let expected = [
            "src/tune/mod.rs:1: `tune` may not import `cache`",
            "src/tune/mod.rs:1: `tune` may not import `cache::policy_of`",
            "src/route/mod.rs:1: `route` may not import `guard::*`",
        ];
        assert_eq!(found(&sources), expected);
    }

    #[test]
    fn the_root_and_an_unknown_room_are_no_way_around() {
        let sources = [("src/cache/mod.rs", "use crate as house; use super::*;"), ("src/helpers.rs", "")];
        let expected = [
            "src/cache/mod.rs:1: `cache` imports the crate's root",
            "src/cache/mod.rs:1: `cache` imports the crate's root",
            "src/helpers.rs:1: no room is called `helpers`",
        ];
        assert_eq!(found(&sources), expected);
    }

    #[test]
    fn test_code_may_look_into_any_room_and_other_folders_are_not_read() {
        let sources = [
            ("src/cache/mod.rs", "#[cfg(test)] mod tests; #[cfg(test)] mod fake { use crate::config::Config; }"),
            ("src/cache/tests.rs", "use crate::{config, guard::InputGate};"),
            ("src/cache/tests/more.rs", "use crate::config;"),
            ("tests/proxy.rs", "use crate::config;"),
        ];
        assert_eq!(found(&sources), Vec::<String>::new());
        assert_eq!(found(&[("src/cache/tests.rs", "use crate::config;")]).len(), 1, "tests.rs that is not declared as test code");
    }

    #[test]
    fn a_circle_is_found_even_where_each_edge_is_allowed() {
        let sources = [
            ("src/cache/mod.rs", "use crate::wire::Role;"),
            ("src/wire/mod.rs", "use crate::error::Error;"),
            ("src/error.rs", "\nuse crate::exchange::Exchange;"),
            ("src/exchange.rs", "use crate::wire::Request;"),
        ];
        let [circle] = &found(&sources)[..] else { panic!("{:?}", found(&sources)) };
        assert!(circle.ends_with("rooms import each other in a circle: wire → error → exchange → wire"), "{circle}");
        assert_eq!(found(&sources[..3]), Vec::<String>::new());
    }

    #[test]
    fn a_failure_says_what_to_do() {
        let faults = faults(&[File::new("src/cache/mod.rs", "use crate::guard::InputGate;")]);
        let text = faults[0].to_string();
        assert!(text.starts_with("src/cache/mod.rs:1: `cache` may not import `guard::InputGate`\n"), "{text}");
        assert!(text.contains("import only guard::proof, guard::Screened"), "{text}");
        assert_eq!(super::faults(&[File::new("src/cache/mod.rs", "use crate::;")])[0].line, 1);
    }
}
