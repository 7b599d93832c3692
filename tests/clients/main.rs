//! The SDKs that applications use, against the binary in front of a demo upstream.
//!
//! The scenarios are in Python and JavaScript beside this file; here both processes are started on free ports, and
//! the scenarios run with their addresses in the environment.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::{
    env,
    fmt::Write as _,
    io::{BufRead as _, BufReader, Read},
    path::Path,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex, mpsc},
    thread,
    time::Duration,
};

const SCENARIOS: &str = "tests/clients";
/// A cold start reads the model.
const PATIENCE: Duration = Duration::from_secs(60);

/// A process of the binary under test, stopped when dropped.
struct Lockgate {
    child: Child,
    /// Where it listens, as `http://127.0.0.1:PORT`.
    origin: String,
    said: Arc<Mutex<String>>,
}

impl Lockgate {
    /// The demo upstream, which says where it listens on standard output.
    fn demo() -> Self {
        let mut command = lockgate(&["demo", "--listen", "127.0.0.1:0"]);
        let mut child = command
            .stdout(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let output = child.stdout.take().expect("the output is piped");
        Self::once_listening(child, output)
    }

    /// Lockgate itself in front of `upstream`, with everything else as it comes.
    fn serving(upstream: &str, folder: &Path) -> Self {
        let config = folder.join("lockgate.yaml");
        let text = format!(
            "server: {{ listen: \"127.0.0.1:0\", admin: \"127.0.0.1:0\" }}\n\
             upstream: {{ url: \"{upstream}/v1\" }}\n\
             cache: {{ mode: semantic }}\n",
        );
        std::fs::write(&config, text).expect("the configuration can be written");
        let config = config.to_str().expect("temporary folders have plain names");
        let mut command = lockgate(&["serve", "--config", config]);
        let mut child = command
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let output = child.stderr.take().expect("the output is piped");
        Self::once_listening(child, output)
    }

    /// Waits for the first line that names an address, and keeps reading so that the process never blocks on writing.
    fn once_listening(child: Child, output: impl Read + Send + 'static) -> Self {
        let said = Arc::new(Mutex::new(String::new()));
        let (found, listening) = mpsc::channel();
        let log = Arc::clone(&said);
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                let origin = origin(&line);
                let _ = writeln!(log.lock().expect("no reader panics"), "{line}");
                if let Some(origin) = origin {
                    let _ = found.send(origin);
                }
            }
        });
        let mut started = Self {
            child,
            origin: String::new(),
            said,
        };
        started.origin = listening
            .recv_timeout(PATIENCE)
            .unwrap_or_else(|_| panic!("no address within {PATIENCE:?}, but:\n{}", started.said()));
        started
    }

    fn said(&self) -> String {
        self.said.lock().expect("no reader panics").clone()
    }
}

impl Drop for Lockgate {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The binary, without the settings of whoever runs the tests.
fn lockgate(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lockgate"));
    for (name, _) in env::vars() {
        if ["LOCKGATE_", "OPENAI_", "PORTKEY_"]
            .iter()
            .any(|prefix| name.starts_with(prefix))
        {
            command.env_remove(name);
        }
    }
    command.args(arguments);
    command
}

fn origin(line: &str) -> Option<String> {
    let after = &line[line.find("http://127.0.0.1:")?..];
    let port = after["http://127.0.0.1:".len()..]
        .split(|c: char| !c.is_ascii_digit())
        .next()?;
    Some(format!("http://127.0.0.1:{port}"))
}

/// Runs the scenarios of one language, and shows what everyone said if one fails.
fn run(mut scenarios: Command) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let demo = Lockgate::demo();
    let lockgate = Lockgate::serving(&demo.origin, folder.path());
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
    let python = env::var("LOCKGATE_TEST_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let has_packages = Command::new(&python)
        .args(["-c", "import openai, portkey_ai, pytest"])
        .output();
    assert!(
        has_packages.is_ok_and(|output| output.status.success()),
        "`{python}` lacks the packages. Install them and name that Python:\n  \
         python3 -m venv .venv && .venv/bin/pip install -r {SCENARIOS}/requirements.txt\n  \
         export LOCKGATE_TEST_PYTHON=.venv/bin/python",
    );
    let mut pytest = Command::new(python);
    pytest.env("PYTHONDONTWRITEBYTECODE", "1").args([
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
    ]);
    // A client that waits for ever fails the run, with the place where it waits.
    pytest.args([
        "-o",
        "faulthandler_timeout=120",
        "-o",
        "faulthandler_exit_on_timeout=true",
        SCENARIOS,
    ]);
    run(pytest);
}

#[test]
fn node_clients() {
    let installed = ["openai", "portkey-ai"].iter().all(|package| {
        Path::new(SCENARIOS)
            .join("node_modules")
            .join(package)
            .is_dir()
    });
    assert!(
        installed,
        "the Node packages are missing. Install them:\n  npm ci --prefix {SCENARIOS}"
    );
    let has_node = Command::new("node").arg("--version").output();
    assert!(
        has_node.is_ok(),
        "`node` is not on the path. Install Node 20 or later."
    );
    let mut node = Command::new("node");
    // One file at a time: both ask the demo upstream what reached it last.
    node.args(["--test", "--test-concurrency=1", "--test-timeout=120000"]);
    node.args(["openai", "portkey"].map(|client| format!("{SCENARIOS}/{client}.test.mjs")));
    run(node);
}
