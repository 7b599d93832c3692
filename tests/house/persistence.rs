//! Entries across restarts, from outside: what is answered after a stop, after `kill -9` in the middle of everything, and when the disk fails.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use tokio::task::JoinSet;

use crate::{
    CHAT, Upstream,
    binary::{Running, lockgate, serve},
    chat,
    client::{Answer, Client},
    patient,
    process::{address, config, ended, signal, writes},
};

const EXACT: &str = "cache: { mode: exact }";

fn store(folder: &Path) -> PathBuf {
    folder.join("lockgate/cache.db")
}

async fn ask(running: &Running, tenant: &str, question: &str) -> Answer {
    let mut client = Client::to(address(&running.origin)).await;
    client.post(CHAT).header("authorization", tenant).json(&chat(question)).send().await
}

async fn stop(running: Running) -> String {
    signal(&running, "TERM");
    let (status, running) = ended(running).await;
    assert_eq!(status.code(), Some(0));
    writes(&running, "Stopped.").await
}

/// Asks until the answer comes from the cache: entries come back while requests are answered already.
async fn restored(running: &Running, tenant: &str, question: &str) -> Answer {
    writes(running, "are in memory again").await;
    ask(running, tenant, question).await
}

#[tokio::test]
async fn answers_outlive_the_process_in_both_tiers_and_stay_their_tenants_own() {
    let upstream = Upstream::plain().await;
    let folder = tempfile::tempdir().unwrap();
    let running = serve(&config(&upstream, "", "embedding: { engine: rten, threads: 1 }"), folder.path());
    let first = ask(&running, "Bearer one", "What is the capital of France?").await;
    assert_eq!(first.cache(), "MISS");
    let said = stop(running).await;
    assert!(said.contains(&format!("answers kept in {}", store(folder.path()).display())), "{said}");
    let running = serve(&config(&upstream, "", "embedding: { engine: rten, threads: 1 }"), folder.path());
    let again = restored(&running, "Bearer one", "What is the capital of France?").await;
    assert_eq!((again.cache(), again.said()), ("HIT", first.said()));
    let near = ask(&running, "Bearer one", "What's the capital of France?").await;
    assert_eq!((near.cache(), near.said()), ("SEMANTIC HIT", first.said()));
    assert_eq!(ask(&running, "Bearer two", "What is the capital of France?").await.cache(), "MISS");
}

#[tokio::test]
async fn the_demos_answers_outlive_its_port() {
    let folder = tempfile::tempdir().unwrap();
    let start = || {
        let mut command = lockgate(&[], folder.path());
        command.env("LOCKGATE_LISTEN", "127.0.0.1:0").env("LOCKGATE_ADMIN", "127.0.0.1:0");
        Running::start(command)
    };
    let running = start();
    assert_eq!(ask(&running, "", "Hello").await.cache(), "MISS");
    stop(running).await;
    assert_eq!(restored(&start(), "", "Hello").await.cache(), "HIT");
}

/// Starts, and waits until it says that it goes on without a store, and why.
async fn without_store(config: &str, folder: &Path, reason: &str) {
    goes_on_without_store(&serve(config, folder), reason).await;
}

async fn goes_on_without_store(running: &Running, reason: &str) {
    let said = writes(running, "no longer kept on disk").await;
    assert!(said.contains(reason), "no {reason:?} in {said}");
    let question = format!("Is it {reason}?");
    let answers = [ask(running, "", &question).await, ask(running, "", &question).await];
    assert_eq!(answers.map(|answer| answer.cache().to_owned()), ["MISS", "HIT"], "requests go on from memory");
    assert_eq!(running.said().matches("no longer kept on disk").count(), 1, "once, and loudly");
}

#[tokio::test]
async fn a_store_that_cannot_be_used_is_told_and_missed_by_nobody() {
    let upstream = Upstream::plain().await;
    let plain = config(&upstream, "", EXACT);
    let folder = tempfile::tempdir().unwrap();
    let first = serve(&plain, folder.path());
    without_store(&plain, folder.path(), "another process has the file open").await;
    drop(first);

    let corrupt = tempfile::tempdir().unwrap();
    fs::create_dir(corrupt.path().join("lockgate")).unwrap();
    fs::write(store(corrupt.path()), "no database at all, but some other text").unwrap();
    without_store(&plain, corrupt.path(), "move it away").await;
    assert_eq!(fs::read(store(corrupt.path())).unwrap(), b"no database at all, but some other text");

    let occupied = tempfile::tempdir().unwrap();
    fs::create_dir_all(store(occupied.path())).unwrap();
    without_store(&plain, occupied.path(), "Is a directory").await;

    let homeless = tempfile::tempdir().unwrap();
    let file = homeless.path().join("lockgate.yaml");
    fs::write(&file, &plain).unwrap();
    let mut command = lockgate(&["serve", "--config", file.to_str().unwrap()], homeless.path());
    command.env_remove("XDG_STATE_HOME").env_remove("HOME");
    goes_on_without_store(&Running::start(command), "cache.store.path").await;
}

#[tokio::test]
async fn a_disk_that_fills_up_while_it_runs_stops_nobody() {
    let upstream = Upstream::saying("word".repeat(4000).leak()).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("lockgate.yaml");
    fs::write(&file, config(&upstream, "", EXACT)).unwrap();
    // No file of this process grows beyond half a megabyte; the signal that would say so is ignored.
    let mut command = lockgate(&[], folder.path());
    let binary = command.get_program().to_owned();
    command = Command::new("sh");
    command.args(["-c", "trap '' XFSZ; ulimit -f 1024; exec \"$0\" serve --config \"$1\""]).arg(binary).arg(&file);
    command.current_dir(folder.path()).env("XDG_STATE_HOME", folder.path());
    let running = Running::start(command);
    patient(async {
        for n in 0.. {
            assert_eq!(ask(&running, "", &format!("Question {n}")).await.status, 200);
            if running.said().contains("no longer kept on disk") {
                break;
            }
        }
    })
    .await;
    assert_eq!(ask(&running, "", "Question 0").await.cache(), "HIT");
    goes_on_without_store(&running, "disk I/O error").await;
}

#[tokio::test]
async fn with_the_store_switched_off_nothing_is_written() {
    let upstream = Upstream::plain().await;
    let folder = tempfile::tempdir().unwrap();
    for off in ["cache: { mode: exact, store: { enabled: false } }", "cache: { mode: off }"] {
        let running = serve(&config(&upstream, "", off), folder.path());
        ask(&running, "", "Hello").await;
        let said = stop(running).await;
        assert!(!said.contains("kept"), "{said}");
    }
    assert!(!folder.path().join("lockgate").exists());
}

/// How often the process is killed; every twentieth life has the semantic tier.
const KILLS: usize = 100;
const CLIENTS: usize = 4;
/// Questions that are new in each life; the others are of earlier ones.
const NEW: usize = 30;

/// Chance that is the same on every run.
#[derive(Debug)]
struct Dice(usize);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }
}

/// Who asks what. The number keeps questions apart in the semantic tier, too.
type Asked = (usize, usize);

fn tenant(of: usize) -> String {
    format!("Bearer {of}")
}

fn question(number: usize) -> String {
    format!("Tell me of subject {number}")
}

/// The one right answer. Some are long, so that writing them takes a while in which a kill can come.
fn right(tenant: &str, question: &str) -> String {
    let length = if question.ends_with('7') { 10_000 } else { 500 };
    format!("{tenant} asked: {question}. {}", "So it is. ".repeat(length))
}

/// What all clients have seen.
#[derive(Debug, Default)]
struct Seen {
    answers: AtomicUsize,
    hits: AtomicUsize,
    asked: Mutex<BTreeSet<Asked>>,
}

impl Seen {
    /// Every answer must be the right one, wherever it comes from.
    fn check(&self, (of, number): Asked, answer: &Answer) {
        assert_eq!(answer.status, 200);
        assert_eq!(answer.said(), right(&tenant(of), &question(number)), "{}", answer.cache());
        self.answers.fetch_add(1, Ordering::Relaxed);
        self.hits.fetch_add(usize::from(answer.cache() == "HIT"), Ordering::Relaxed);
        self.asked.lock().unwrap().insert((of, number));
    }
}

/// Asks one question after the other until the process is gone.
async fn load(mut client: Client, mut dice: Dice, life: usize, seen: Arc<Seen>) {
    loop {
        let asked = (dice.roll(3), if dice.roll(2) == 0 { life * NEW + dice.roll(NEW) } else { dice.roll((life + 1) * NEW) });
        let asking = client.post(CHAT).header("authorization", &tenant(asked.0)).json(&chat(&question(asked.1)));
        let Some(answer) = asking.attempt().await else { return };
        seen.check(asked, &answer);
    }
}

/// Kills after so many answers, and then as soon as the store is seen to grow: in the middle of writing, as far as that can be met from outside.
fn kill(running: &mut Running, file: &Path, seen: &Seen, enough: usize) {
    let length = || ["db", "db-wal"].map(|end| fs::metadata(file.with_extension(end)).map_or(0, |data| data.len()));
    let answers = || seen.answers.load(Ordering::Relaxed);
    while answers() < enough {
        thread::yield_now();
    }
    let before = length();
    while length() == before && answers() < enough + 20 {}
    running.child.kill().unwrap();
    running.child.wait().unwrap();
}

/// One life: a start, load from all sides, and a kill.
async fn live_and_be_killed(config: &str, folder: &Path, life: usize, seen: &Arc<Seen>) {
    let mut running = serve(config, folder);
    let mut clients = JoinSet::new();
    for client in 0..CLIENTS {
        let to = Client::to(address(&running.origin)).await;
        clients.spawn(load(to, Dice(1 + life * CLIENTS + client), life, Arc::clone(seen)));
    }
    let enough = seen.answers.load(Ordering::Relaxed) + 1 + Dice(life + 1).roll(60);
    let (file, seen) = (store(folder), Arc::clone(seen));
    let killing = tokio::task::spawn_blocking(move || {
        kill(&mut running, &file, &seen, enough);
        running
    });
    let running = patient(killing).await.unwrap();
    clients.join_all().await;
    let said = running.said();
    for word in ["ERROR", "WARN", "panicked"] {
        assert!(!said.contains(word), "life {life}: {said}");
    }
}

#[tokio::test]
async fn killed_a_hundred_times_under_load_it_has_no_corrupt_and_no_foreign_entry() {
    let upstream = Upstream::start(|asked, talk| async move {
        let question = asked.json()["messages"][0]["content"].as_str().unwrap().to_owned();
        let answer = right(&asked.request.header("authorization"), &question);
        talk.answer(&asked, &answer).await
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let exact = config(&upstream, "", EXACT);
    let semantic = config(&upstream, "", "embedding: { engine: rten }");
    // Lives with and without the tier leave each other's entries aside, and say so: they have a file each.
    let other = tempfile::tempdir().unwrap();
    let (seen, apart) = (Arc::new(Seen::default()), Arc::new(Seen::default()));
    for life in 0..KILLS {
        match life % 20 {
            19 => live_and_be_killed(&semantic, other.path(), life, &apart).await,
            _ => live_and_be_killed(&exact, folder.path(), life, &seen).await,
        }
    }
    let running = serve(&exact, folder.path());
    writes(&running, "are in memory again").await;
    let (mut client, last) = (Client::to(address(&running.origin)).await, Seen::default());
    let asked = seen.asked.lock().unwrap().clone();
    for &(of, number) in asked.iter().step_by(3) {
        let answer = client.post(CHAT).header("authorization", &tenant(of)).json(&chat(&question(number))).send().await;
        last.check((of, number), &answer);
    }
    let hits = last.hits.load(Ordering::Relaxed);
    assert!(hits > asked.len() / 6, "of every third of {} answers only {hits} have survived", asked.len());
    stop(running).await;
    for folder in [folder, other] {
        let database = rusqlite::Connection::open(store(folder.path())).unwrap();
        let verdict: String = database.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
        assert_eq!(verdict, "ok");
    }
}
