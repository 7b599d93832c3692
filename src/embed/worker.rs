//! The threads that embed: a bounded queue, one prompt per inference.

use std::{sync::Arc, thread};

use crossbeam_channel::{Receiver, Sender, TrySendError};
use tokio::sync::oneshot;

use super::{EmbedError, Embedder, Embedding};

/// The queue is full: the request goes on as a miss.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Busy;

/// A prompt in the queue.
trait Job: Send {
    /// Whether somebody still waits for it.
    fn wanted(&self) -> bool;

    /// Embeds it and answers.
    fn run(self: Box<Self>, embedder: &dyn Embedder);
}

/// A prompt, and what to do with its vector on the thread that made it.
struct Prompt<T, F> {
    text: String,
    then: F,
    reply: oneshot::Sender<Result<T, EmbedError>>,
}

impl<T: Send, F: FnOnce(String, Embedding) -> T + Send> Job for Prompt<T, F> {
    fn wanted(&self) -> bool {
        !self.reply.is_closed()
    }

    fn run(self: Box<Self>, embedder: &dyn Embedder) {
        let Self { text, then, reply } = *self;
        // A panic in an engine must not take the thread, and with it the tier, away.
        let work = std::panic::AssertUnwindSafe(|| embedder.embed(&text).map(|embedding| then(text, embedding)));
        let result =
            std::panic::catch_unwind(work).unwrap_or_else(|_| Err(EmbedError::Inference("the engine panicked".to_owned())));
        drop(reply.send(result));
    }
}

/// A handle to the threads; they end when the last handle is dropped.
#[derive(Clone)]
pub struct Worker {
    embedder: Arc<dyn Embedder>,
    queue: Sender<Box<dyn Job>>,
}

impl std::fmt::Debug for Worker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Worker").field("waiting", &self.queue.len()).finish_non_exhaustive()
    }
}

impl Worker {
    /// Starts the threads.
    pub fn start(embedder: &Arc<dyn Embedder>, threads: usize, queue: usize) -> std::io::Result<Self> {
        let (sender, receiver) = crossbeam_channel::bounded(queue.max(1));
        for n in 0..threads.max(1) {
            let (embedder, receiver) = (Arc::clone(embedder), receiver.clone());
            thread::Builder::new().name(format!("embed-{n}")).spawn(move || work(&*embedder, &receiver))?;
        }
        Ok(Self { embedder: Arc::clone(embedder), queue: sender })
    }

    /// Embeds on the caller's own thread, which may block.
    pub fn embed_here(&self, text: &str) -> Result<Embedding, EmbedError> {
        self.embedder.embed(text)
    }

    /// Embeds without blocking the caller's thread. `then` runs on the embedding thread, and may take as long as an embedding.
    pub async fn embed<T, F>(&self, text: String, then: F) -> Result<Result<T, EmbedError>, Busy>
    where
        T: Send + 'static,
        F: FnOnce(String, Embedding) -> T + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        match self.queue.try_send(Box::new(Prompt { text, then, reply })) {
            Ok(()) => Ok(answer.await.unwrap_or_else(|_| Err(EmbedError::Inference("the embedding thread ended".to_owned())))),
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => Err(Busy),
        }
    }
}

fn work(embedder: &dyn Embedder, jobs: &Receiver<Box<dyn Job>>) {
    // A client that left while its prompt waited costs nothing more.
    for job in jobs.iter().filter(|job| job.wanted()) {
        job.run(embedder);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Condvar, Mutex};

    use super::*;

    /// An engine that waits for a signal, to fill the queue at will.
    #[derive(Debug, Default)]
    struct Gate {
        open: Mutex<bool>,
        changed: Condvar,
    }

    impl Embedder for Gate {
        fn embed(&self, text: &str) -> Result<Embedding, EmbedError> {
            drop(self.changed.wait_while(self.open.lock().unwrap(), |open| !*open).unwrap());
            assert_ne!(text, "boom");
            Ok(Embedding {
                vector: vec![],
                token_vectors: vec![],
                offsets: vec![],
                tokens: text.len(),
                truncated: false,
                unknown: 0.0,
            })
        }

        fn name(&self) -> &'static str {
            "gate"
        }
    }

    impl Gate {
        fn open(&self) {
            *self.open.lock().unwrap() = true;
            self.changed.notify_all();
        }
    }

    #[tokio::test]
    async fn a_full_queue_is_said_at_once() {
        let gate = Arc::new(Gate::default());
        let embedder: Arc<dyn Embedder> = gate.clone();
        let worker = Worker::start(&embedder, 1, 1).unwrap();
        let ask = |text: &'static str| {
            let worker = worker.clone();
            tokio::spawn(async move { worker.embed(text.to_owned(), |_, _| ()).await })
        };
        // The first prompt is taken by the thread, the second waits.
        let first = ask("a");
        while !worker.queue.is_empty() || Arc::strong_count(&gate) < 2 {
            tokio::task::yield_now().await;
        }
        // One prompt may be in the engine and one in the queue; of four more, some are refused.
        let others = [ask("b"), ask("c"), ask("d"), ask("e")];
        while others.iter().filter(|other| other.is_finished()).count() < 2 {
            tokio::task::yield_now().await;
        }
        gate.open();
        assert!(first.await.unwrap().unwrap().is_ok());
        let mut refused = 0;
        for other in others {
            refused += usize::from(other.await.unwrap().is_err());
        }
        assert!(refused >= 2, "{refused} refused");
    }

    #[tokio::test]
    async fn a_panic_in_the_engine_is_an_error_and_the_thread_goes_on() {
        let gate = Arc::new(Gate::default());
        gate.open();
        let embedder: Arc<dyn Embedder> = gate;
        let worker = Worker::start(&embedder, 1, 8).unwrap();
        assert!(worker.embed("boom".to_owned(), |_, _| ()).await.unwrap().is_err());
        assert!(worker.embed("fine".to_owned(), |_, _| ()).await.unwrap().is_ok());
    }
}
