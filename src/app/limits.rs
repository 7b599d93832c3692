//! Keeps what was used of limits across restarts: else a month's budget would begin anew with each.
//!
//! The file has hashes and numbers alone, and lies beside the cache's. One that cannot be written costs a line in the log; counting goes on in memory.

use std::{
    fs,
    future::Future,
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use tokio::{task::spawn_blocking, time::interval};

use crate::access::Limits;

/// Beside the cache's file.
const FILE: &str = "limits.json";
/// What a crash may forget.
const WRITTEN: Duration = Duration::from_secs(5);

/// Writes down what was used.
#[derive(Debug)]
pub(super) struct Keeper {
    limits: Limits,
    path: PathBuf,
    written: String,
    failed: bool,
}

impl Keeper {
    /// Takes up what an earlier run has left beside the cache's file. Reads the disk.
    pub(super) fn open(limits: &Limits, cache: Option<&Path>) -> Option<Self> {
        let path = cache?.with_file_name(FILE);
        let trouble = match fs::read_to_string(&path) {
            Ok(kept) => (!limits.meter().import(&kept)).then(|| "it is not what was written".to_owned()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => Some(error.to_string()),
        };
        if let Some(cause) = trouble {
            tracing::error!(file = %path.display(), cause, "What was used of limits cannot be read, and counts from zero again.");
        }
        let written = limits.meter().export();
        Some(Self { limits: limits.clone(), path, written, failed: false })
    }

    /// Writes until `end` is done, and once more then.
    pub(super) async fn run(mut self, end: impl Future) -> usize {
        let mut ticks = interval(WRITTEN);
        let mut end = std::pin::pin!(end);
        loop {
            let last = tokio::select! {
                _ = &mut end => true,
                _ = ticks.tick() => false,
            };
            self.write().await;
            if last {
                return 0;
            }
        }
    }

    async fn write(&mut self) {
        let now = self.limits.meter().export();
        if now == self.written {
            return;
        }
        let (path, text) = (self.path.clone(), now.clone());
        match spawn_blocking(move || replace(&path, &text)).await.map_err(io::Error::other).flatten() {
            Ok(()) => (self.written, self.failed) = (now, false),
            Err(error) if !self.failed => {
                tracing::error!(file = %self.path.display(), %error, "What was used of limits is not kept on disk; counting goes on in memory.");
                self.failed = true;
            }
            Err(_) => {}
        }
    }
}

/// Puts a file in the place of another at once, so that no crash leaves half of it.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut fresh = tempfile::NamedTempFile::new_in(folder)?;
    io::Write::write_all(&mut fresh, text.as_bytes())?;
    fresh.persist(path).map(drop).map_err(|error| error.error)
}
