//! A stream that many read, each at its own pace: the events that have arrived at once, the rest as it arrives.
//!
//! The tape runs with its fastest reader, who alone makes the upstream wait. What has been told is kept for who comes later, up to
//! [`MAX_KEPT_BYTES`]; from there on nobody can join, and only what some reader still has to read is kept. A reader that then falls more than
//! [`MAX_BEHIND_BYTES`] behind is cut off with an error: it would stall the others or fill the memory.

use std::{
    collections::{BTreeMap, VecDeque},
    future::poll_fn,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use http_body::{Body, Frame};
use http_body_util::BodyExt as _;

use crate::{
    error::{Error, Kind, Result},
    exchange::{Cost, HookResult, RuleFailure, RuleNote},
    guard::{Block, Cleared, ClearedStream},
};

/// Events kept for readers to come. An answer of some thousand tokens fits.
const MAX_KEPT_BYTES: usize = 1 << 20;

/// How far a reader may fall behind on a tape that is longer than that.
const MAX_BEHIND_BYTES: usize = 8 << 20;

/// How far the tape runs ahead of its fastest reader.
const AHEAD_BYTES: u64 = 64 << 10;

/// What can be joined.
#[derive(Debug, Clone, Default)]
pub(super) struct Tape(Arc<Mutex<State>>);

/// The one who records a tape. Dropped before it has said how the tape ended, it ends it with an error.
#[derive(Debug, Default)]
pub(super) struct Recorder(Tape);

#[derive(Debug, Default)]
struct State {
    kept: VecDeque<Bytes>,
    kept_bytes: usize,
    /// Frames that were let go before the first that is kept.
    gone: usize,
    /// Bytes recorded, and the most that any reader has read of them.
    recorded: u64,
    read: u64,
    /// Too long to be kept whole: nobody can join.
    over: bool,
    readers: BTreeMap<u64, Seat>,
    next: u64,
    /// The recorder, while it waits for a reader.
    recorder: Option<Waker>,
    end: Option<End>,
}

/// Where a reader is.
#[derive(Debug, Default)]
struct Seat {
    frames: usize,
    bytes: u64,
    waker: Option<Waker>,
}

/// How a tape ended.
#[derive(Debug, Clone)]
pub(super) struct End {
    /// With the upstream's last word, or with an error.
    pub(super) result: Result<()>,
    /// What the rules found in the whole.
    pub(super) rules: Vec<RuleNote>,
    /// Which rules could not judge it.
    pub(super) failures: Vec<RuleFailure>,
    /// What the whole took, where it is known.
    pub(super) cost: Option<Cost>,
    /// The same in US dollars, where the price is known.
    pub(super) usd: Option<f64>,
    /// Whether its tokens were counted here.
    pub(super) estimated: bool,
    /// What the hooks on the whole came to.
    pub(super) hooks: Vec<HookResult>,
    /// What it came to, where it came to its own end or was cut by a rule.
    pub(super) whole: Option<Whole>,
}

/// What a tape came to.
#[derive(Debug, Clone)]
pub(super) enum Whole {
    /// An answer.
    Cleared(Cleared),
    /// A rule has cut it.
    Blocked(Block),
}

/// One who reads. Dropped, it stops.
#[derive(Debug)]
pub(super) struct Reader {
    tape: Tape,
    seat: u64,
}

impl Tape {
    /// Reads from the first event on; `None` if that is no longer kept.
    pub(super) fn join(&self) -> Option<Reader> {
        let mut state = self.lock();
        if state.over {
            return None;
        }
        let seat = state.next;
        state.next += 1;
        state.readers.insert(seat, Seat::default());
        Some(Reader { tape: self.clone(), seat })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Recorder {
    /// What it records.
    pub(super) fn tape(&self) -> &Tape {
        &self.0
    }

    /// Records a stream to its end. `over` is called once nobody can join any more.
    pub(super) async fn record<B>(&self, stream: &mut ClearedStream<B>, over: impl Fn()) -> Result<()>
    where
        B: Body<Data = Bytes, Error = Error> + Unpin,
    {
        loop {
            poll_fn(|cx| self.0.lock().wanted(cx)).await;
            let Some(frame) = stream.frame().await else { return Ok(()) };
            // What is no data are trailers, which end here.
            let Ok(data) = frame?.into_data() else { continue };
            if self.push(data) {
                over();
            }
        }
    }

    /// Tells all readers that nothing more will come.
    pub(super) fn end(self, end: End) {
        self.set(end);
    }

    fn set(&self, end: End) {
        let waiting = {
            let mut state = self.0.lock();
            state.end.get_or_insert(end);
            state.waiting()
        };
        waiting.into_iter().for_each(Waker::wake);
    }

    /// Whether the tape has grown over its bound with this.
    fn push(&self, frame: Bytes) -> bool {
        let (over, waiting) = {
            let mut state = self.0.lock();
            let before = state.over;
            state.push(frame);
            (state.over && !before, state.waiting())
        };
        waiting.into_iter().for_each(Waker::wake);
        over
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        let error = Error::new(Kind::Internal, "The stream was given up before its end. Try again.");
        self.set(End {
            result: Err(error),
            rules: Vec::new(),
            failures: Vec::new(),
            cost: None,
            usd: None,
            estimated: false,
            hooks: Vec::new(),
            whole: None,
        });
    }
}

impl State {
    /// Whether the fastest reader is near enough for more.
    fn wanted(&mut self, cx: &Context<'_>) -> Poll<()> {
        if self.near() {
            return Poll::Ready(());
        }
        self.recorder = Some(cx.waker().clone());
        Poll::Pending
    }

    fn near(&self) -> bool {
        self.recorded < self.read + AHEAD_BYTES
    }

    fn push(&mut self, frame: Bytes) {
        self.recorded += frame.len() as u64;
        self.kept_bytes += frame.len();
        self.kept.push_back(frame);
        self.over |= self.kept_bytes > MAX_KEPT_BYTES;
        if self.over {
            let slowest = self.readers.values().map(|seat| seat.frames).min().unwrap_or(usize::MAX);
            while self.kept_bytes > MAX_BEHIND_BYTES || self.gone < slowest {
                let Some(frame) = self.kept.pop_front() else { break };
                self.kept_bytes -= frame.len();
                self.gone += 1;
            }
        }
    }

    fn waiting(&mut self) -> Vec<Waker> {
        self.readers.values_mut().filter_map(|seat| seat.waker.take()).collect()
    }

    /// The next frame of a reader, or the end.
    fn read(&mut self, seat: u64, cx: &Context<'_>) -> Poll<Option<Result<Bytes>>> {
        let Some(seat) = self.readers.get_mut(&seat) else { return Poll::Ready(None) };
        let Some(at) = seat.frames.checked_sub(self.gone) else { return Poll::Ready(Some(Err(too_slow()))) };
        if let Some(frame) = self.kept.get(at) {
            seat.frames += 1;
            seat.bytes += frame.len() as u64;
            self.read = self.read.max(seat.bytes);
            return Poll::Ready(Some(Ok(frame.clone())));
        }
        if let Some(end) = &self.end {
            return Poll::Ready(end.result.clone().err().map(Err));
        }
        seat.waker = Some(cx.waker().clone());
        Poll::Pending
    }
}

fn too_slow() -> Error {
    let message = format!(
        "The answer was shared with other requests, and this one read it more than {} MiB behind them. Read faster, or ask with \
         `cache-control: no-store`, which shares nothing.",
        MAX_BEHIND_BYTES >> 20
    );
    Error::new(Kind::SlowReader, message)
}

impl Reader {
    /// How the tape ended; `None` while it runs.
    pub(super) fn end(&self) -> Option<End> {
        self.tape.lock().end.clone()
    }

    /// The next whole events.
    pub(super) fn poll_events(&self, cx: &Context<'_>) -> Poll<Option<Result<Bytes>>> {
        let (polled, recorder) = {
            let mut state = self.tape.lock();
            let polled = state.read(self.seat, cx);
            let near = state.near();
            (polled, state.recorder.take_if(|_| near))
        };
        recorder.into_iter().for_each(Waker::wake);
        polled
    }

    /// Lets the tape run to its end.
    pub(super) async fn ended(mut self) -> Result<End> {
        while let Some(frame) = self.frame().await {
            frame?;
        }
        let cut = || Error::new(Kind::Internal, "The stream has no end. Try again.");
        self.end().ok_or_else(cut)
    }
}

impl Body for Reader {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>>>> {
        self.poll_events(cx).map(|events| events.map(|events| events.map(Frame::data)))
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.tape.lock().readers.remove(&self.seat);
    }
}

#[cfg(test)]
mod tests {
    use std::task::Wake;

    use super::*;

    const FRAME: usize = 64 << 10;

    fn frame() -> Bytes {
        Bytes::from(vec![b'x'; FRAME])
    }

    fn read(reader: &mut Reader) -> Poll<Option<Result<Bytes>>> {
        let polled = Pin::new(reader).poll_frame(&mut Context::from_waker(Waker::noop()));
        polled.map(|frame| frame.map(|frame| frame.map(|frame| frame.into_data().unwrap())))
    }

    fn bytes(reader: &mut Reader) -> Bytes {
        let Poll::Ready(Some(Ok(frame))) = read(reader) else { panic!("there is no frame") };
        frame
    }

    fn finished() -> End {
        End {
            result: Ok(()),
            rules: Vec::new(),
            failures: Vec::new(),
            cost: None,
            usd: None,
            estimated: false,
            hooks: Vec::new(),
            whole: None,
        }
    }

    #[derive(Default)]
    struct Woken(Mutex<usize>);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            *self.0.lock().unwrap() += 1;
        }
    }

    #[test]
    fn each_reads_all_from_the_beginning_at_its_own_pace() {
        let recorder = Recorder::default();
        let mut early = recorder.tape().join().unwrap();
        assert!(read(&mut early).is_pending());
        recorder.push("a".into());
        recorder.push("b".into());
        assert_eq!(bytes(&mut early), "a");
        let mut late = recorder.tape().join().unwrap();
        assert_eq!((bytes(&mut late), bytes(&mut late), bytes(&mut early)), ("a".into(), "b".into(), "b".into()));
        recorder.push("c".into());
        recorder.end(finished());
        for mut reader in [early, late] {
            assert_eq!(bytes(&mut reader), "c");
            assert!(matches!(read(&mut reader), Poll::Ready(None)) && reader.end().is_some());
        }
    }

    #[test]
    fn a_reader_that_waits_is_woken_by_a_frame_and_by_the_end() {
        let (recorder, woken) = (Recorder::default(), Arc::new(Woken::default()));
        let waker = Waker::from(Arc::clone(&woken));
        let mut reader = recorder.tape().join().unwrap();
        let mut poll = || Pin::new(&mut reader).poll_frame(&mut Context::from_waker(&waker)).is_ready();
        assert!(!poll());
        recorder.push("a".into());
        assert_eq!(*woken.0.lock().unwrap(), 1);
        assert!(poll() && !poll());
        recorder.end(finished());
        assert_eq!(*woken.0.lock().unwrap(), 2);
    }

    #[test]
    fn the_recorder_waits_for_the_fastest_reader_and_for_no_other() {
        let (recorder, woken) = (Recorder::default(), Arc::new(Woken::default()));
        let waker = Waker::from(Arc::clone(&woken));
        let wanted = || recorder.0.lock().wanted(&Context::from_waker(&waker)).is_ready();
        let mut fast = recorder.tape().join().unwrap();
        let _slow = recorder.tape().join().unwrap();
        assert!(wanted());
        recorder.push(frame());
        assert!(!wanted());
        bytes(&mut fast);
        assert_eq!(*woken.0.lock().unwrap(), 1);
        assert!(wanted());
    }

    #[test]
    fn a_tape_that_is_too_long_keeps_only_what_somebody_still_has_to_read() {
        let recorder = Recorder::default();
        let mut reader = recorder.tape().join().unwrap();
        let left = recorder.tape().join().unwrap();
        let over = (0..=MAX_KEPT_BYTES / FRAME).filter(|_| recorder.push(frame())).count();
        assert_eq!(over, 1, "it is said once");
        assert!(recorder.tape().join().is_none());
        drop(left);
        for _ in 0..10 {
            bytes(&mut reader);
        }
        recorder.push(frame());
        assert_eq!(recorder.0.lock().gone, 10);
        let rest = std::iter::from_fn(|| read(&mut reader).is_ready().then_some(())).count();
        assert_eq!(rest, MAX_KEPT_BYTES / FRAME + 2 - 10);
    }

    #[test]
    fn a_reader_too_far_behind_is_cut_off_and_the_others_are_not() {
        let recorder = Recorder::default();
        let (mut fast, mut slow) = (recorder.tape().join().unwrap(), recorder.tape().join().unwrap());
        for _ in 0..MAX_BEHIND_BYTES / FRAME {
            recorder.push(frame());
            bytes(&mut fast);
        }
        bytes(&mut slow);
        for _ in 0..3 {
            recorder.push(frame());
            bytes(&mut fast);
        }
        assert!(recorder.0.lock().kept_bytes <= MAX_BEHIND_BYTES);
        let Poll::Ready(Some(Err(error))) = read(&mut slow) else { panic!("it is not cut off") };
        assert_eq!(error.kind(), Kind::SlowReader);
    }

    #[tokio::test]
    async fn a_recorder_that_is_dropped_leaves_an_error_and_not_silence() {
        let recorder = Recorder::default();
        let reader = recorder.tape().join().unwrap();
        recorder.push("a".into());
        drop(recorder);
        assert_eq!(reader.ended().await.unwrap_err().kind(), Kind::Internal);
    }
}
