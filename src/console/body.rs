//! The body of a request to the admin port: JSON within bounds, or lines as they come.

use std::{future::poll_fn, pin::Pin, time::Duration};

use bytes::{Buf as _, Bytes, BytesMut};
use http::{HeaderMap, header::CONTENT_TYPE};
use http_body::Body;
use hyper::body::Incoming;
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use crate::{
    error::{Error, Kind, Result},
    wire::collect::{NotWhole, whole},
};

/// Nothing that an operator asks is longer.
const MAX_BYTES: usize = 1 << 20;
/// An operator is on this machine: who is silent for so long has gone.
const PATIENCE: Duration = Duration::from_secs(30);

/// Refuses other content types: those that a web page may send anywhere without being asked.
pub(super) fn expect(headers: &HeaderMap, kind: &str) -> Result<()> {
    let sent = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = sent.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case(kind) {
        return Ok(());
    }
    let message = format!("The request's `content-type` is not `{kind}`. Set it, and send that.");
    Err(Error::new(Kind::UnsupportedMedia, message).param("content-type"))
}

/// Reads a whole body of JSON.
pub(super) async fn json<T: DeserializeOwned>(headers: &HeaderMap, body: Incoming) -> Result<T> {
    expect(headers, "application/json")?;
    let bytes = timeout(PATIENCE, whole(body, MAX_BYTES)).await.map_err(|_elapsed| slow())?.map_err(|error| match error {
        NotWhole::TooLarge => Error::new(Kind::TooLarge, format!("The body is larger than {MAX_BYTES} bytes. Send less.")),
        NotWhole::Broken(cause) => broken(cause),
    })?;
    serde_json::from_slice(&bytes).map_err(|error| {
        let kind = if error.is_data() { Kind::InvalidRequest } else { Kind::MalformedJson };
        Error::new(kind, format!("The body cannot be read: {error}. The README lists what each operation takes."))
    })
}

/// A body, line by line.
pub(super) struct Lines<B = Incoming> {
    body: B,
    read: BytesMut,
    longest: usize,
    ended: bool,
}

impl<B> Lines<B>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: std::error::Error + Send + Sync + 'static,
{
    /// The lines of a body, none of them longer than so many bytes.
    pub(super) fn of(body: B, longest: usize) -> Self {
        Self { body, read: BytesMut::new(), longest, ended: false }
    }

    /// The next line without its end; `None` after the last.
    pub(super) async fn next(&mut self) -> Result<Option<BytesMut>> {
        let mut looked = 0;
        loop {
            if let Some(end) = self.read[looked..].iter().position(|&byte| byte == b'\n') {
                let line = self.read.split_to(looked + end);
                self.read.advance(1);
                return Ok(Some(line));
            }
            looked = self.read.len();
            if looked > self.longest {
                return Err(Error::new(Kind::TooLarge, "is longer than any entry that this Lockgate keeps"));
            }
            if self.ended {
                let rest = std::mem::take(&mut self.read);
                return Ok(Some(rest).filter(|rest| !rest.is_empty()));
            }
            self.more().await?;
        }
    }

    async fn more(&mut self) -> Result<()> {
        let frame = poll_fn(|cx| Pin::new(&mut self.body).poll_frame(cx));
        match timeout(PATIENCE, frame).await.map_err(|_elapsed| slow())? {
            Some(Ok(frame)) => self.read.extend_from_slice(&frame.into_data().unwrap_or_default()),
            Some(Err(cause)) => return Err(broken(cause)),
            None => self.ended = true,
        }
        Ok(())
    }
}

fn slow() -> Error {
    Error::new(Kind::SlowBody, format!("Nothing more of the body came within {} s. Send it again.", PATIENCE.as_secs()))
}

fn broken(cause: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::new(Kind::BrokenBody, "The body ended early. Send it again.").because(cause)
}

#[cfg(test)]
mod tests {
    use std::{
        collections::VecDeque,
        convert::Infallible,
        task::{Context, Poll},
    };

    use http_body::Frame;
    use proptest::prelude::*;

    use super::*;

    struct Pieces(VecDeque<Bytes>);

    impl Body for Pieces {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<std::result::Result<Frame<Bytes>, Infallible>>> {
            Poll::Ready(self.0.pop_front().map(|piece| Ok(Frame::data(piece))))
        }
    }

    /// The lines of a text that comes in pieces of this size.
    async fn lines(text: &str, size: usize, longest: usize) -> Result<Vec<String>> {
        let pieces = text.as_bytes().chunks(size).map(Bytes::copy_from_slice).collect();
        let (mut lines, mut read) = (Lines::of(Pieces(pieces), longest), Vec::new());
        while let Some(line) = lines.next().await? {
            read.push(String::from_utf8(line.to_vec()).unwrap());
        }
        Ok(read)
    }

    fn now<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(future)
    }

    #[test]
    fn a_line_has_an_end_and_a_bound() {
        assert_eq!(now(lines("a\n\nbc", 1, 9)).unwrap(), ["a", "", "bc"]);
        assert_eq!(now(lines("a\n", 9, 9)).unwrap(), ["a"]);
        for (text, longest) in [("1234\n1234", 4), ("12345", 5)] {
            assert!(now(lines(text, 1, longest)).is_ok(), "{text}");
        }
        assert_eq!(now(lines("1\n12345", 1, 4)).unwrap_err().kind(), Kind::TooLarge);
    }

    proptest! {
        #[test]
        fn any_split_gives_the_same_lines(text in "([a-cé]{0,5}\n?){0,12}", size in 1..9_usize) {
            let expected: Vec<_> = text.split_terminator('\n').map(str::to_owned).collect();
            prop_assert_eq!(now(lines(&text, size, 100)).unwrap(), expected);
        }
    }
}
