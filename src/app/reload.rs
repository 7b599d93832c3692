//! When the rules are loaded again: as their files or the configuration change, and on SIGHUP.
//!
//! Files are looked at, not listened to. The kernel's notifications do not cross the mounts by which containers get their configuration (network and
//! desktop file systems), and a node runs out of them; a look at a few dozen files costs microseconds and works everywhere.

use std::{
    future::Future,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    task::spawn_blocking,
    time::{MissedTickBehavior, interval},
};

use crate::{
    config::{self, Config},
    diagnostics::Report,
    guard::{self, Profiles, Rules},
    route::vault::Vault,
};

/// Soon enough for an author who has just saved a file.
const LOOK: Duration = Duration::from_secs(1);

/// What tells one state of some files from another: their paths, sizes and times.
pub(super) type Look = Vec<(Option<(u64, SystemTime)>, PathBuf)>;

/// Reads the settings of the rules from the file that Lockgate was started with; without one they stay as they were.
pub(super) fn reread(config: &Config) -> impl Fn() -> Result<(guard::Settings, Profiles), Report> + Send + Sync + use<> {
    let started = config.clone();
    move || {
        let Some(file) = &started.file else { return Ok((started.guard.clone(), started.profiles.clone())) };
        let config = Config::load(file, &config::environment)?;
        if config.differs_beside_rules(&started) {
            tracing::warn!(
                file = %file.display(),
                "More than the rules has changed in the configuration: only the rules are taken up, the rest needs a restart."
            );
        }
        Ok((config.guard, config.profiles))
    }
}

/// How files look. Reads the disk.
pub(super) fn look(files: impl IntoIterator<Item = PathBuf>) -> Look {
    files.into_iter().map(|path| (state(&path), path)).collect()
}

fn state(path: &Path) -> Option<(u64, SystemTime)> {
    let data = path.metadata().ok()?;
    Some((data.len(), data.modified().ok()?))
}

/// Looks at the files of the rules, and at the configuration.
#[derive(Debug)]
pub(super) struct Watch {
    /// What is loaded again.
    pub(super) rules: Arc<Rules>,
    /// The configuration, if it is a file.
    pub(super) file: Option<PathBuf>,
    /// How the files looked before the rules were loaded, so that no change slips through between the two.
    pub(super) seen: Look,
    /// Keys that may lie in files, which are rotated.
    pub(super) vault: Vault,
}

impl Watch {
    /// Reloads until `end` is done.
    pub(super) async fn run(mut self, end: impl Future) -> usize {
        let mut end = std::pin::pin!(end);
        let mut hangup = signal(SignalKind::hangup()).ok();
        let mut ticks = interval(LOOK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut changing = false;
        loop {
            tokio::select! {
                _ = &mut end => return 0,
                () = hung_up(hangup.as_mut()) => {
                    tracing::info!(signal = "SIGHUP", "The rules are read again.");
                    self.reload().await;
                }
                _ = ticks.tick() => {
                    let seen = self.look().await;
                    let changed = seen != self.seen;
                    self.seen = seen;
                    // What is still changing is waited for: editors and deployments write more than once.
                    if changing && !changed {
                        self.reload().await;
                    }
                    changing = changed;
                }
            }
        }
    }

    /// What came of it is in log, metrics and status.
    async fn reload(&self) {
        let rules = Arc::clone(&self.rules);
        drop(spawn_blocking(move || rules.reload()).await);
    }

    async fn look(&self) -> Look {
        let (rules, file, vault) = (Arc::clone(&self.rules), self.file.clone(), self.vault.clone());
        let looked = spawn_blocking(move || {
            vault.refresh();
            look(rules.files().into_iter().chain(file))
        });
        looked.await.unwrap_or_default()
    }
}

async fn hung_up(signal: Option<&mut Signal>) {
    match signal {
        Some(signal) => drop(signal.recv().await),
        None => std::future::pending().await,
    }
}
