//! The SDKs that applications use, against the binary in front of a demo upstream.
//!
//! The scenarios are in Python and JavaScript beside this file; here both processes are started on free ports, and
//! the scenarios run with their addresses in the environment.

#![expect(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "../support/binary.rs"]
mod binary;

use std::{path::Path, process::Command};

use binary::Running;
use lockgate::config::environment;

const SCENARIOS: &str = "tests/clients";

/// Everything as it comes, but for the addresses and the cache, which the scenarios ask for by its behaviour.
fn config(upstream: &str) -> String {
    format!(
        "server: {{ listen: \"127.0.0.1:0\", admin: \"127.0.0.1:0\" }}\n\
         upstream: {{ url: \"{upstream}/v1\" }}\n\
         cache: {{ mode: semantic }}\n\
         virtual_keys:\n\
         \x20 primary: {{ provider: openai, url: \"{upstream}/v1\", api_key: sk-primary }}\n\
         \x20 secondary: {{ provider: openai, url: \"{upstream}/v1\", api_key: sk-secondary }}\n\
         \x20 capped: {{ provider: openai, url: \"{upstream}/v1\", api_key: sk-capped, limits: [0.000001 usd/month] }}\n\
         configs: {{ premium: {{ virtual_key: secondary }}, standard: {{ virtual_key: primary }} }}\n\
         routes: {{ premium: {{ config: premium }}, standard: {{ config: standard }} }}\n\
         prices: {{ 'priced-*': {{ prompt: 10, completion: 30 }} }}\n",
    )
}

/// Runs the scenarios of one language, and shows what everyone said if one fails.
fn run(mut scenarios: Command) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let folder = folder.path();
    let demo = Running::start(binary::lockgate(&["demo", "--listen", "127.0.0.1:0"], folder));
    let lockgate = binary::serve(&config(&demo.origin), folder);
    let output = scenarios
        .env("LOCKGATE_URL", format!("{}/v1", lockgate.origin))
        .env("LOCKGATE_DEMO_URL", &demo.origin)
        .output()
        .expect("checked before");
    assert!(
        output.status.success(),
        "{}{}\nLockgate said:\n{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
        lockgate.said(),
    );
}

#[test]
fn python_clients() {
    let python = environment("LOCKGATE_TEST_PYTHON").unwrap_or_else(|| "python3".to_owned());
    let has_packages = Command::new(&python)
        .args(["-c", "import agno, anthropic, fastagentic, langchain_openai, openai, portkey_ai, pytest"])
        .output();
    assert!(
        has_packages.is_ok_and(|output| output.status.success()),
        "`{python}` lacks the packages. Install them and name that Python:\n  \
         python3 -m venv .venv && .venv/bin/pip install -r {SCENARIOS}/requirements.txt\n  \
         export LOCKGATE_TEST_PYTHON=.venv/bin/python",
    );
    let mut pytest = Command::new(python);
    pytest.env("PYTHONDONTWRITEBYTECODE", "1").args(["-m", "pytest", "-q", "-p", "no:cacheprovider"]);
    // A client that waits for ever fails the run, with the place where it waits.
    pytest.args(["-o", "faulthandler_timeout=120", "-o", "faulthandler_exit_on_timeout=true", SCENARIOS]);
    run(pytest);
}

#[test]
fn node_clients() {
    let installed = ["@ai-sdk/openai", "ai", "openai", "portkey-ai"]
        .iter()
        .all(|package| Path::new(SCENARIOS).join("node_modules").join(package).is_dir());
    assert!(installed, "the Node packages are missing. Install them:\n  npm ci --prefix {SCENARIOS}");
    let has_node = Command::new("node").arg("--version").output();
    assert!(has_node.is_ok(), "`node` is not on the path. Install Node 20 or later.");
    let mut node = Command::new("node");
    // One file at a time: both ask the demo upstream what reached it last.
    node.args(["--test", "--test-concurrency=1", "--test-timeout=120000"]);
    node.args(["openai", "portkey", "promises"].map(|client| format!("{SCENARIOS}/{client}.test.mjs")));
    run(node);
}
