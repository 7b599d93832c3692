//! The thread that owns the store. Requests hand changes over and never wait; what finds no room is not kept.
//!
//! While one batch is being written the next one gathers, so that the busier it is, the larger the transactions are.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use metrics::{counter, gauge};
use tokio::sync::{mpsc, oneshot};

use super::{Change, Page, Pair, Position, Record, Size, Store, StoreError, give_up};
use crate::{
    cache::{
        entry::Entry,
        verify::{Labels, ScoringId},
    },
    clock,
    telemetry::metric,
};

/// Commands that wait at most, and that are written in one transaction at most.
const QUEUE: usize = 1024;
/// Bytes of entries that wait at most: they are held in memory beside the cache.
const QUEUE_BYTES: usize = 16 << 20;

/// What the thread is asked.
enum Command {
    Change(Change),
    /// An entry was served for the first time since its hits were last written down.
    Used(Arc<Entry>),
    Page {
        engine: Option<Arc<str>>,
        after: Option<Position>,
        most: usize,
        reply: oneshot::Sender<Page>,
    },
    Differences(oneshot::Sender<Vec<Pair>>),
    Labels {
        engine: Arc<str>,
        scoring: ScoringId,
        reply: oneshot::Sender<Option<Labels>>,
    },
    /// Answered when every change before it is written.
    Written(oneshot::Sender<()>),
    Size(oneshot::Sender<Size>),
    Tidy,
    Close(oneshot::Sender<()>),
}

/// A handle to the thread; it ends when it is closed, when the last handle is dropped, or when the store fails.
#[derive(Debug, Clone)]
pub struct Writer {
    queue: mpsc::Sender<Command>,
    waiting: Arc<AtomicUsize>,
    engine: Arc<str>,
}

impl Writer {
    /// Starts the thread. `engine` is the label of the engine that embeds now; see [`super::engine_label`].
    pub fn start(store: Box<dyn Store>, engine: Arc<str>) -> io::Result<Self> {
        let (queue, commands) = mpsc::channel(QUEUE);
        let waiting = Arc::new(AtomicUsize::new(0));
        let worker = Worker { store, commands, waiting: Arc::clone(&waiting), used: Vec::new() };
        thread::Builder::new().name("store".to_owned()).spawn(move || worker.run())?;
        Ok(Self { queue, waiting, engine })
    }

    /// Keeps an entry, if there is room in the queue.
    pub(in crate::cache) fn put(&self, entry: Arc<Entry>, vector: Vec<f32>) {
        let record = self.record(entry, vector);
        let size = record.size();
        let before = self.waiting.fetch_add(size, Ordering::Relaxed);
        if before + size > QUEUE_BYTES || !self.try_send(Command::Change(Change::Put(record))) {
            self.waiting.fetch_sub(size, Ordering::Relaxed);
            counter!(metric::STORE_DROPPED).increment(1);
        }
    }

    /// An entry of the engine that embeds now.
    pub(in crate::cache) fn record(&self, entry: Arc<Entry>, vector: Vec<f32>) -> Record {
        Record { engine: Arc::clone(&self.engine), entry, vector }
    }

    /// Remembers that an entry was served.
    pub(in crate::cache) fn used(&self, entry: &Arc<Entry>) {
        // One message until the hits are written down, however many there are.
        if entry.count_hit() && !self.try_send(Command::Used(Arc::clone(entry))) {
            entry.take_hits();
        }
    }

    /// Keeps the labels of the scores of the engine that embeds now. Without room in the queue they are kept with the next label.
    pub(in crate::cache) fn keep_labels(&self, scoring: ScoringId, labels: &Labels) {
        let (engine, labels) = (Arc::clone(&self.engine), Box::new(labels.clone()));
        self.try_send(Command::Change(Change::Label { engine, scoring, labels }));
    }

    /// Writes down what was used and drops what has expired, soon.
    pub(in crate::cache) fn tidy(&self) {
        self.try_send(Command::Tidy);
    }

    fn try_send(&self, command: Command) -> bool {
        self.queue.try_send(command).is_ok()
    }

    /// Has a change written down, however long the queue is; `false` if that cannot be, because the store was given up.
    pub async fn change(&self, change: Change) -> bool {
        self.changes([change]).await
    }

    /// The same of several, in as few transactions as there can be.
    pub async fn changes(&self, changes: impl IntoIterator<Item = Change>) -> bool {
        for change in changes {
            if let Change::Put(record) = &change {
                self.waiting.fetch_add(record.size(), Ordering::Relaxed);
            }
            if self.queue.send(Command::Change(change)).await.is_err() {
                return false;
            }
        }
        self.ask(Command::Written).await.is_some()
    }

    /// How much is kept; `None` if the store is given up.
    pub async fn size(&self) -> Option<Size> {
        self.ask(Command::Size).await
    }

    /// At most `most` entries of the engine that embeds now; `None` if the store is given up.
    pub async fn page(&self, after: Option<Position>, most: usize) -> Option<Page> {
        self.page_of(Some(Arc::clone(&self.engine)), after, most).await
    }

    /// At most `most` entries of every engine; `None` if the store is given up.
    pub async fn page_of_all(&self, after: Option<Position>, most: usize) -> Option<Page> {
        self.page_of(None, after, most).await
    }

    async fn page_of(&self, engine: Option<Arc<str>>, after: Option<Position>, most: usize) -> Option<Page> {
        self.ask(|reply| Command::Page { engine, after, most, reply }).await
    }

    /// All pairs that are not the same; `None` if the store is given up.
    pub async fn differences(&self) -> Option<Vec<Pair>> {
        self.ask(Command::Differences).await
    }

    /// The labels of the scores of the engine that embeds now; `None` if there are none, or the store is given up.
    pub async fn labels(&self, scoring: ScoringId) -> Option<Labels> {
        self.ask(|reply| Command::Labels { engine: Arc::clone(&self.engine), scoring, reply }).await?
    }

    /// Writes down what waits and closes the store.
    pub async fn close(&self) {
        self.ask(Command::Close).await;
    }

    async fn ask<T>(&self, command: impl FnOnce(oneshot::Sender<T>) -> Command) -> Option<T> {
        let (reply, answer) = oneshot::channel();
        self.queue.send(command(reply)).await.ok()?;
        answer.await.ok()
    }
}

/// What runs on the thread.
struct Worker {
    store: Box<dyn Store>,
    commands: mpsc::Receiver<Command>,
    waiting: Arc<AtomicUsize>,
    used: Vec<Arc<Entry>>,
}

impl Worker {
    fn run(mut self) {
        gauge!(metric::STORE_UP).set(1.0);
        if let Err(error) = self.serve() {
            give_up(&self.store.place(), &error);
        }
    }

    fn serve(&mut self) -> Result<(), StoreError> {
        self.tidy()?;
        let mut commands = Vec::with_capacity(QUEUE);
        while self.commands.blocking_recv_many(&mut commands, QUEUE) > 0 {
            let mut changes = Vec::new();
            let mut asked = Vec::new();
            for command in commands.drain(..) {
                match command {
                    Command::Change(change) => changes.push(change),
                    Command::Used(entry) => self.used.push(entry),
                    other => asked.push(other),
                }
            }
            self.write(&changes)?;
            for command in asked {
                if let Some(closed) = self.answer(command)? {
                    self.write_used()?;
                    self.store.close()?;
                    let _nobody_waits = closed.send(());
                    return Ok(());
                }
            }
        }
        self.write_used()?;
        self.store.close()
    }

    fn write(&mut self, changes: &[Change]) -> Result<(), StoreError> {
        let sizes = changes.iter().map(|change| if let Change::Put(record) = change { record.size() } else { 0 });
        self.waiting.fetch_sub(sizes.sum(), Ordering::Relaxed);
        if changes.is_empty() { Ok(()) } else { self.store.write(changes) }
    }

    /// Answers who asked; gives back who wants to know of the end.
    fn answer(&mut self, command: Command) -> Result<Option<oneshot::Sender<()>>, StoreError> {
        match command {
            Command::Page { engine, after, most, reply } => drop(reply.send(self.store.page(engine.as_deref(), after, most)?)),
            Command::Differences(reply) => drop(reply.send(self.store.differences()?)),
            Command::Labels { engine, scoring, reply } => drop(reply.send(self.store.labels(&engine, &scoring)?)),
            Command::Written(reply) => drop(reply.send(())),
            Command::Size(reply) => drop(reply.send(self.tidy()?)),
            Command::Tidy => drop(self.tidy()?),
            Command::Close(closed) => return Ok(Some(closed)),
            Command::Change(_) | Command::Used(_) => {}
        }
        Ok(None)
    }

    fn tidy(&mut self) -> Result<Size, StoreError> {
        self.write_used()?;
        let size = self.store.tidy(clock::unix_millis())?;
        gauge!(metric::STORE_ENTRIES).set(size.entries as f64);
        gauge!(metric::STORE_BYTES).set(size.bytes as f64);
        Ok(size)
    }

    fn write_used(&mut self) -> Result<(), StoreError> {
        let at = clock::unix_millis();
        let used = |entry: Arc<Entry>| Change::Used { key: entry.key, hits: entry.take_hits(), at };
        let changes: Vec<Change> = self.used.drain(..).map(used).collect();
        self.write(&changes)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Mutex, atomic::AtomicBool};

    use super::{
        super::{
            conformance::{ROOMY, record},
            memory::Memory,
        },
        *,
    };
    use crate::guard::Stored;

    struct Held {
        writer: Writer,
        full: Arc<AtomicBool>,
        busy: Arc<Mutex<()>>,
    }

    fn writer() -> Held {
        let store = Memory::new(&ROOMY);
        let (full, busy) = (Arc::clone(&store.full), Arc::clone(&store.busy));
        Held { writer: Writer::start(Box::new(store), "rten-1".into()).unwrap(), full, busy }
    }

    /// An entry that has not expired.
    fn entry(n: u8, bytes: usize) -> Arc<Entry> {
        let mut entry = record(n, 0, "").entry;
        let unique = Arc::get_mut(&mut entry).unwrap();
        unique.created = clock::unix_millis();
        unique.stored = Stored::from_store(vec![b'x'; bytes].into(), [0; 16], &[]).unwrap();
        entry
    }

    async fn numbers(writer: &Writer) -> Option<Vec<u8>> {
        Some(writer.page(None, 100).await?.records.iter().map(|record| record.entry.key[0]).collect())
    }

    #[tokio::test]
    async fn what_is_handed_over_is_written_in_order() {
        let Held { writer, .. } = writer();
        writer.put(entry(1, 9), Vec::new());
        writer.put(entry(2, 9), Vec::new());
        assert!(writer.change(Change::Remove([1; 32])).await);
        assert_eq!(numbers(&writer).await.unwrap(), [2]);
        assert!(writer.change(Change::Differ([3; 32])).await);
        assert_eq!(writer.differences().await.unwrap(), [[3; 32]]);
    }

    #[tokio::test]
    async fn hits_are_written_down_together() {
        let Held { writer, .. } = writer();
        let [one, two] = [entry(1, 9), entry(2, 9)];
        writer.put(Arc::clone(&one), Vec::new());
        writer.put(Arc::clone(&two), Vec::new());
        (0..3).for_each(|_| writer.used(&two));
        writer.used(&one);
        assert_eq!(numbers(&writer).await.unwrap(), [2, 1]);
        (0..5).for_each(|_| writer.used(&one));
        writer.tidy();
        assert_eq!(numbers(&writer).await.unwrap(), [1, 2], "six hits rank before three");
        assert_eq!(one.take_hits(), 0, "they are not counted twice");
    }

    #[tokio::test]
    async fn several_changes_are_written_in_order_and_counted_as_they_wait() {
        let Held { writer, .. } = writer();
        let changes = [1, 2, 3].map(|n| Change::Put(writer.record(entry(n, 9), Vec::new())));
        assert!(writer.changes(changes.into_iter().chain([Change::Remove([2; 32])])).await);
        assert_eq!((numbers(&writer).await.unwrap().len(), writer.size().await.unwrap().entries), (2, 2));
        assert_eq!(writer.waiting.load(Ordering::Relaxed), 0);
    }

    #[tokio::test]
    async fn a_store_that_fails_is_given_up_and_nobody_waits_for_it() {
        let Held { writer, full, .. } = writer();
        writer.put(entry(1, 9), Vec::new());
        assert_eq!(numbers(&writer).await.unwrap(), [1]);
        full.store(true, Ordering::Relaxed);
        writer.put(entry(2, 9), Vec::new());
        assert_eq!(numbers(&writer).await, None);
        let three = entry(3, 9);
        writer.put(Arc::clone(&three), Vec::new());
        writer.used(&three);
        writer.tidy();
        assert!(!writer.change(Change::Clear).await && writer.differences().await.is_none());
        writer.close().await;
    }

    #[tokio::test]
    async fn what_waits_is_bounded_in_number_and_in_bytes() {
        for (count, bytes) in [(QUEUE + 100, 9), (20, QUEUE_BYTES / 10)] {
            let Held { writer, busy, .. } = writer();
            let written = {
                let held = busy.lock().unwrap();
                // Each has a key of its own only as far as one byte goes; of the others the last one stays.
                let before = writer.waiting.load(Ordering::Relaxed);
                (0..count).for_each(|n| writer.put(entry(n.to_le_bytes()[0], bytes), Vec::new()));
                let waiting = writer.waiting.load(Ordering::Relaxed) - before;
                drop(held);
                waiting
            };
            assert!(written <= QUEUE_BYTES, "{written}");
            assert!(written < count * bytes.max(384), "not all of them found room");
            assert!(!numbers(&writer).await.unwrap().is_empty());
            assert_eq!(writer.waiting.load(Ordering::Relaxed), 0);
        }
    }

    #[tokio::test]
    async fn closing_writes_down_what_waits() {
        let folder = tempfile::tempdir().unwrap();
        let open = || super::super::Sqlite::open(&folder.path().join("cache.db"), &ROOMY, [0; 32]).unwrap();
        let writer = Writer::start(Box::new(open()), "rten-1".into()).unwrap();
        (0..100).for_each(|n| writer.put(entry(n, 9), Vec::new()));
        writer.close().await;
        assert_eq!(open().tidy(0).unwrap().entries, 100);
    }
}
