//! Server-sent events: split a byte stream at event boundaries, whatever the frames of the transport are.
//!
//! Events are handed on as the bytes that arrived; only what is inside them is looked at.

use bytes::{Bytes, BytesMut};

/// The last event of an OpenAI stream.
pub const DONE: &[u8] = b"[DONE]";

/// An event that never ends must not grow without bound.
pub const MAX_EVENT_BYTES: usize = 4 << 20;

/// An event grew over [`MAX_EVENT_BYTES`].
#[derive(Debug, PartialEq, Eq)]
pub struct EventTooLarge;

/// Collects bytes until whole events are there.
#[derive(Debug, Default)]
pub struct Splitter {
    tail: BytesMut,
}

impl Splitter {
    /// Takes a frame, gives the bytes of all events that are now whole (maybe none).
    pub fn push(&mut self, frame: Bytes) -> Result<Bytes, EventTooLarge> {
        let joined = if self.tail.is_empty() {
            frame
        } else {
            self.tail.extend_from_slice(&frame);
            self.tail.split().freeze()
        };
        let whole = whole_events(&joined);
        if joined.len() - whole > MAX_EVENT_BYTES {
            return Err(EventTooLarge);
        }
        self.tail.extend_from_slice(&joined[whole..]);
        Ok(joined.slice(..whole))
    }

    /// What is left when the stream ends: an event without its blank line, which some servers send last.
    pub fn finish(&mut self) -> Bytes {
        self.tail.split().freeze()
    }
}

/// Where the last whole event ends: after the last blank line.
fn whole_events(bytes: &[u8]) -> usize {
    let mut end = bytes.len();
    while end > 0 {
        let Some(newline) = bytes[..end].iter().rposition(|&byte| byte == b'\n' || byte == b'\r') else { return 0 };
        // A carriage return at the very end may be half of a CRLF, the rest of which comes with the next frame.
        let undecided = newline + 1 == bytes.len() && bytes[newline] == b'\r';
        let line = bytes[..newline].strip_suffix(b"\r").filter(|_| bytes[newline] == b'\n').unwrap_or(&bytes[..newline]);
        if ends_line(line) && !undecided {
            return newline + 1;
        }
        end = newline;
    }
    0
}

fn ends_line(before: &[u8]) -> bool {
    before.last().is_some_and(|&byte| byte == b'\n' || byte == b'\r')
}

/// Where the first of some whole events ends: after its blank line.
pub fn first_event(events: &[u8]) -> usize {
    let mut end = 0;
    for line in lines(events) {
        let ending = if events[end + line.len()..].starts_with(b"\r\n") { 2 } else { 1 };
        end = events.len().min(end + line.len() + ending);
        if line.is_empty() {
            return end;
        }
    }
    end
}

/// The `data` of each event in bytes that hold whole events; comments and other fields are left out.
pub fn data_of(events: &[u8]) -> Vec<Vec<u8>> {
    let (mut out, mut data) = (Vec::new(), None::<Vec<u8>>);
    for line in lines(events) {
        if line.is_empty() {
            out.extend(data.take());
        } else if let Some(value) = line.strip_prefix(b"data:") {
            let value = value.strip_prefix(b" ").unwrap_or(value);
            match &mut data {
                Some(data) => {
                    data.push(b'\n');
                    data.extend_from_slice(value);
                }
                None => data = Some(value.to_vec()),
            }
        }
    }
    out.extend(data);
    out
}

/// Lines that end in LF, CR or CRLF.
fn lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let end = rest.iter().position(|&byte| byte == b'\n' || byte == b'\r').unwrap_or(rest.len());
        let line = &rest[..end];
        let skip = if rest[end..].starts_with(b"\r\n") { 2 } else { 1 };
        rest = rest.get(end + skip..).unwrap_or_default();
        Some(line)
    })
}

/// One event with this data, which has no line breaks.
pub fn event(data: &[u8]) -> Bytes {
    let mut out = BytesMut::with_capacity(data.len() + 8);
    push_event(&mut out, data);
    out.freeze()
}

/// The same event with other data; its comments and other fields stay.
pub fn with_data(event: &[u8], data: &[u8]) -> Bytes {
    let mut out = BytesMut::with_capacity(event.len() + data.len());
    let others = lines(event).filter(|line| !line.is_empty() && !line.starts_with(b"data:"));
    for line in others {
        out.extend_from_slice(line);
        out.extend_from_slice(b"\n");
    }
    for line in lines(data) {
        out.extend_from_slice(b"data: ");
        out.extend_from_slice(line);
        out.extend_from_slice(b"\n");
    }
    out.extend_from_slice(b"\n");
    out.freeze()
}

/// Appends one event with this data, which has no line breaks.
pub fn push_event(out: &mut BytesMut, data: &[u8]) {
    out.extend_from_slice(b"data: ");
    out.extend_from_slice(data);
    out.extend_from_slice(b"\n\n");
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn texts(events: &[u8]) -> Vec<String> {
        data_of(events).into_iter().map(|data| String::from_utf8(data).unwrap()).collect()
    }

    #[test]
    fn reads_every_kind_of_line_end_and_skips_comments() {
        let stream = b": hello\ndata: a\n\nevent: x\r\ndata:b\r\ndata: c\r\n\r\ndata: d\r\r";
        assert_eq!(texts(stream), ["a", "b\nc", "d"]);
    }

    #[test]
    fn holds_back_an_event_until_its_blank_line() {
        let mut splitter = Splitter::default();
        assert_eq!(splitter.push(Bytes::from_static(b"data: a\n")).unwrap(), "");
        assert_eq!(splitter.push(Bytes::from_static(b"\ndata: b")).unwrap(), "data: a\n\n");
        assert_eq!(splitter.finish(), "data: b");
    }

    #[test]
    fn other_data_leaves_the_rest_of_an_event_as_it_is() {
        assert_eq!(with_data(b": c\r\nid: 1\r\ndata: a\r\ndata: b\r\n\r\n", b"{\n}"), ": c\nid: 1\ndata: {\ndata: }\n\n");
        assert_eq!(with_data(b"data: a", b"b"), "data: b\n\n");
    }

    #[test]
    fn refuses_an_event_without_end() {
        let mut splitter = Splitter::default();
        let frame = Bytes::from(vec![b'x'; MAX_EVENT_BYTES / 2 + 1]);
        assert!(splitter.push(frame.clone()).is_ok());
        assert_eq!(splitter.push(frame), Err(EventTooLarge));
    }

    proptest! {
        #[test]
        fn any_split_gives_the_same_events(
            payloads in prop::collection::vec("[a-z{}\": ]{0,12}", 1..6),
            ending in prop::sample::select(vec!["\n", "\r\n", "\r"]),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
        ) {
            let stream: String = payloads.iter().map(|data| format!("data: {data}{ending}{ending}")).collect();
            let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
            at.extend([0, stream.len()]);
            at.sort_unstable();
            let (mut splitter, mut relayed) = (Splitter::default(), Vec::new());
            for pair in at.windows(2) {
                let whole = splitter.push(Bytes::copy_from_slice(&stream.as_bytes()[pair[0]..pair[1]])).unwrap();
                relayed.extend_from_slice(&whole);
            }
            relayed.extend_from_slice(&splitter.finish());
            prop_assert_eq!(&relayed, stream.as_bytes());
            prop_assert_eq!(texts(&relayed), &payloads[..]);
            let mut rest = &relayed[..];
            for payload in payloads {
                let (event, after) = rest.split_at(first_event(rest));
                prop_assert_eq!(texts(event), [payload]);
                rest = after;
            }
            prop_assert!(rest.is_empty());
        }

        #[test]
        fn never_panics(frames in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..32), 0..8)) {
            let mut splitter = Splitter::default();
            for frame in frames {
                let whole = splitter.push(frame.into()).unwrap();
                let _ = data_of(&whole);
            }
        }
    }
}
