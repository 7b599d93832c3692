//! A thread for work that takes long and that no request waits for, one piece after the other.

use std::{sync::OnceLock, thread};

use crossbeam_channel::Sender;

type Work = Box<dyn FnOnce() + Send>;

/// The thread starts with the first piece of work and ends when this is dropped and the work is done.
#[derive(Debug, Default)]
pub(super) struct Background(OnceLock<Option<Sender<Work>>>);

impl Background {
    /// Does it when everything before it is done; never, if no thread can be started.
    pub(super) fn run(&self, work: impl FnOnce() + Send + 'static) {
        if let Some(queue) = self.0.get_or_init(start) {
            drop(queue.send(Box::new(work)));
        }
    }

    /// Waits until all is done.
    #[cfg(test)]
    pub(super) fn finish(&self) {
        let (done, finished) = crossbeam_channel::bounded(1);
        self.run(move || done.send(()).unwrap());
        finished.recv().unwrap();
    }
}

fn start() -> Option<Sender<Work>> {
    let (queue, waiting) = crossbeam_channel::unbounded::<Work>();
    let thread = thread::Builder::new().name("index".to_owned());
    let started = thread.spawn(move || waiting.iter().for_each(|work| work()));
    if let Err(error) = &started {
        tracing::error!(%error, "The thread that builds graphs cannot be started; large partitions are searched entry by entry.");
    }
    started.is_ok().then_some(queue)
}
