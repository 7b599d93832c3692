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
};

/// Soon enough for an author who has just saved a file.
const LOOK: Duration = Duration::from_secs(1);

/// What tells one state of some files from another: their paths, sizes and times.
type Look = Vec<(PathBuf, Option<(u64, SystemTime)>)>;

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

/// Reloads until `end` is done.
pub(super) async fn watch(rules: Arc<Rules>, file: Option<PathBuf>, end: impl Future) -> usize {
    let mut end = std::pin::pin!(end);
    let mut hangup = signal(SignalKind::hangup()).ok();
    let mut ticks = interval(LOOK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut seen = look(&rules, file.as_deref()).await;
    let mut changing = false;
    loop {
        tokio::select! {
            _ = &mut end => return 0,
            () = hung_up(hangup.as_mut()) => {
                tracing::info!(signal = "SIGHUP", "The rules are read again.");
                reload(&rules).await;
            }
            _ = ticks.tick() => {
                let now = look(&rules, file.as_deref()).await;
                // What is still changing is waited for: editors and deployments write more than once.
                if now != seen {
                    (seen, changing) = (now, true);
                } else if changing {
                    changing = false;
                    reload(&rules).await;
                    // Other settings may name another folder.
                    seen = look(&rules, file.as_deref()).await;
                }
            }
        }
    }
}

async fn hung_up(signal: Option<&mut Signal>) {
    match signal {
        Some(signal) => drop(signal.recv().await),
        None => std::future::pending().await,
    }
}

/// What came of it is in log, metrics and status.
async fn reload(rules: &Arc<Rules>) {
    let rules = Arc::clone(rules);
    drop(spawn_blocking(move || rules.reload()).await);
}

async fn look(rules: &Arc<Rules>, file: Option<&Path>) -> Look {
    let (rules, file) = (Arc::clone(rules), file.map(Path::to_owned));
    let seen = move || rules.files().into_iter().chain(file).map(|path| (state(&path), path)).map(|(state, path)| (path, state));
    spawn_blocking(move || seen().collect()).await.unwrap_or_default()
}

fn state(path: &Path) -> Option<(u64, SystemTime)> {
    let data = path.metadata().ok()?;
    Some((data.len(), data.modified().ok()?))
}
