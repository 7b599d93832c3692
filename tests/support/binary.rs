//! The binary under test as a process on free ports, for the targets that meet it from outside.

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

/// A cold start reads the model.
const PATIENCE: Duration = Duration::from_mins(1);

/// A process that listens, stopped when dropped.
#[derive(Debug)]
pub(crate) struct Running {
    /// The process.
    pub(crate) child: Child,
    /// Where it listens, as `http://127.0.0.1:PORT`: the first address that it named.
    pub(crate) origin: String,
    said: Arc<Mutex<String>>,
}

/// The binary, without the settings of whoever runs the tests, and in a folder where it may leave files.
pub(crate) fn lockgate(arguments: &[&str], folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lockgate"));
    for (name, _) in env::vars() {
        if ["LOCKGATE_", "OPENAI_", "PORTKEY_"].iter().any(|prefix| name.starts_with(prefix)) {
            command.env_remove(name);
        }
    }
    command.args(arguments).current_dir(folder).env("XDG_STATE_HOME", folder);
    command
}

/// Lockgate itself with this configuration, which is left in `folder`.
pub(crate) fn serve(config: &str, folder: &Path) -> Running {
    let file = folder.join("lockgate.yaml");
    std::fs::write(&file, config).expect("the configuration can be written");
    let file = file.to_str().expect("temporary folders have plain names");
    Running::start(lockgate(&["serve", "--config", file], folder))
}

impl Running {
    /// Starts a process and waits until it names the address where it listens, on either output.
    pub(crate) fn start(mut command: Command) -> Self {
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the process starts");
        let said = Arc::new(Mutex::new(String::new()));
        let (found, listening) = mpsc::channel();
        follow(child.stdout.take().expect("it is piped"), Arc::clone(&said), found.clone());
        follow(child.stderr.take().expect("it is piped"), Arc::clone(&said), found);
        let mut running = Self { child, origin: String::new(), said };
        running.origin = listening
            .recv_timeout(PATIENCE)
            .unwrap_or_else(|_| panic!("no address within {PATIENCE:?}, but:\n{}", running.said()));
        running
    }

    /// What it has written so far.
    pub(crate) fn said(&self) -> String {
        self.said.lock().expect("no reader panics").clone()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Reads an output to its end, so that the process never blocks on writing, and reports the addresses that it names.
fn follow(output: impl Read + Send + 'static, said: Arc<Mutex<String>>, found: mpsc::Sender<String>) {
    thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            let _ = writeln!(said.lock().expect("no reader panics"), "{line}");
            if let Some(origin) = origin(&line) {
                let _ = found.send(origin);
            }
        }
    });
}

fn origin(line: &str) -> Option<String> {
    let (_, after) = line.split_once("http://127.0.0.1:")?;
    let port = after.split(|c: char| !c.is_ascii_digit()).next()?;
    Some(format!("http://127.0.0.1:{port}"))
}
