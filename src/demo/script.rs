//! The body of an answer, as steps: failures are edits of the list of steps, and sending only follows it.

use std::{
    collections::VecDeque,
    fmt,
    future::pending,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use futures_util::stream;
use http_body_util::{BodyExt as _, StreamBody, combinators::UnsyncBoxBody};
use hyper::body::Frame;

use super::{directives::Directives, stats::OpenCall};

/// A broken event: a line that opens JSON and never closes it.
const BROKEN_EVENT: &str = "data: {\"id\": \"chatcmpl-\n\n";

/// What hyper sends.
pub(super) type Body = UnsyncBoxBody<Bytes, Broken>;

/// One thing to do on the way through a body.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Step {
    /// Send these bytes.
    Send(Bytes),
    /// Wait.
    Pause(Duration),
    /// Send nothing more, and wait until the client goes away.
    Stall,
    /// Close the connection in the middle of the body, with a TCP reset.
    Reset,
    /// End the body here, though `content-length` promises more.
    Cut,
}

/// The connection ends before the body does.
#[derive(Debug)]
pub(super) struct Broken;

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the body was broken off on request")
    }
}

impl std::error::Error for Broken {}

/// The steps of a stream of events.
pub(super) fn stream_steps(mut events: Vec<Bytes>, directives: &Directives) -> Vec<Step> {
    if directives.truncate {
        events.truncate(events.len() / 2);
    }
    if let Some(after) = directives.malformed {
        events.insert(after.min(events.len()), Bytes::from_static(BROKEN_EVENT.as_bytes()));
    }
    let end = ending(directives);
    if let Some((after, _)) = &end {
        events.truncate(*after);
    }
    let mut steps = Vec::with_capacity(events.len() * 2);
    for event in events {
        // Between events, so not before the first.
        steps.extend(directives.interval.filter(|_| !steps.is_empty()).map(Step::Pause));
        steps.push(Step::Send(event));
    }
    steps.extend(end.map(|(_, step)| step));
    steps
}

/// The steps of a JSON body, and the `content-length` to announce.
pub(super) fn json_steps(mut body: Bytes, directives: &Directives) -> (Vec<Step>, usize) {
    if let Some(length) = directives.malformed {
        body.truncate(length);
    }
    let announced = body.len();
    let end = ending(directives).or_else(|| directives.truncate.then_some((announced / 2, Step::Cut)));
    if let Some((after, _)) = &end {
        body.truncate(*after);
    }
    let sends = (!body.is_empty()).then_some(Step::Send(body));
    (sends.into_iter().chain(end.map(|(_, step)| step)).collect(), announced)
}

/// The early ending that the directives name, and after how many events or bytes; a reset wins over a stall.
fn ending(directives: &Directives) -> Option<(usize, Step)> {
    let reset = directives.reset.map(|after| (after, Step::Reset));
    reset.or_else(|| directives.stall.map(|after| (after, Step::Stall)))
}

struct Script {
    steps: VecDeque<Step>,
    call: OpenCall,
    /// Read by the connection, which owns the socket.
    reset: Arc<AtomicBool>,
}

/// A body that follows `steps`; the call counts as open until it has been sent or dropped.
pub(super) fn body(steps: Vec<Step>, mut call: OpenCall, reset: Arc<AtomicBool>) -> Body {
    if steps.is_empty() {
        call.finish();
    }
    let script = Script { steps: steps.into(), call, reset };
    StreamBody::new(stream::unfold(script, Script::next)).boxed_unsync()
}

impl Script {
    async fn next(mut self) -> Option<(Result<Frame<Bytes>, Broken>, Self)> {
        loop {
            match self.steps.pop_front()? {
                Step::Send(bytes) => {
                    // Here and not at the end: hyper stops asking once `content-length` is reached.
                    if self.steps.is_empty() {
                        self.call.finish();
                    }
                    return Some((Ok(Frame::data(bytes)), self));
                }
                Step::Pause(wait) => tokio::time::sleep(wait).await,
                Step::Stall => pending().await,
                Step::Reset => {
                    self.reset.store(true, Ordering::Relaxed);
                    return Some((self.break_off().await, self));
                }
                Step::Cut => return Some((self.break_off().await, self)),
            }
        }
    }

    async fn break_off(&mut self) -> Result<Frame<Bytes>, Broken> {
        self.call.finish();
        // Hyper writes out what it holds when a body is not ready; without this the error would overtake the bytes.
        tokio::task::yield_now().await;
        Err(Broken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(words: &[&'static str]) -> Vec<Bytes> {
        words.iter().map(|word| Bytes::from_static(word.as_bytes())).collect()
    }

    fn send(text: &'static str) -> Step {
        Step::Send(Bytes::from_static(text.as_bytes()))
    }

    #[test]
    fn a_failure_is_an_edit_of_the_steps_of_a_stream() {
        let cases = [
            ("", vec![send("a"), send("b"), send("c"), send("d")]),
            ("reset=2", vec![send("a"), send("b"), Step::Reset]),
            ("stall=0", vec![Step::Stall]),
            ("stall=9", vec![send("a"), send("b"), send("c"), send("d"), Step::Stall]),
            ("malformed=1", vec![send("a"), send(BROKEN_EVENT), send("b"), send("c"), send("d")]),
            ("truncate", vec![send("a"), send("b")]),
            ("interval=5,reset=2", vec![send("a"), Step::Pause(Duration::from_millis(5)), send("b"), Step::Reset]),
        ];
        for (text, expected) in cases {
            let directives = Directives::parse(text).unwrap();
            assert_eq!(stream_steps(events(&["a", "b", "c", "d"]), &directives), expected, "{text}");
        }
    }

    #[test]
    fn a_json_body_breaks_at_a_byte() {
        let cases = [
            ("", vec![send("{\"a\":1}")], 7),
            ("reset=2", vec![send("{\""), Step::Reset], 7),
            ("stall=0", vec![Step::Stall], 7),
            ("malformed=3", vec![send("{\"a")], 3),
            ("truncate", vec![send("{\"a"), Step::Cut], 7),
        ];
        for (text, steps, announced) in cases {
            let directives = Directives::parse(text).unwrap();
            let body = Bytes::from_static(b"{\"a\":1}");
            assert_eq!(json_steps(body, &directives), (steps, announced), "{text}");
        }
    }
}
