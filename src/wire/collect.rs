//! A body read whole, up to a cap. A body without one is a memory leak that a stranger controls.

use std::{future::poll_fn, pin::Pin};

use bytes::{Bytes, BytesMut};
use http_body::Body;

/// Why a body could not be read whole.
#[derive(Debug)]
pub enum NotWhole<E> {
    /// It is larger than the cap.
    TooLarge,
    /// It broke off.
    Broken(E),
}

/// Reads a body to its end. One that comes in one piece is not copied; trailers are dropped.
pub async fn whole<B: Body<Data = Bytes> + Unpin>(mut body: B, cap: usize) -> Result<Bytes, NotWhole<B::Error>> {
    let mut only = Bytes::new();
    let mut several = BytesMut::new();
    while let Some(frame) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        let Ok(data) = frame.map_err(NotWhole::Broken)?.into_data() else { continue };
        if only.len() + several.len() + data.len() > cap {
            return Err(NotWhole::TooLarge);
        }
        if only.is_empty() && several.is_empty() {
            only = data;
        } else {
            several.extend_from_slice(&std::mem::take(&mut only));
            several.extend_from_slice(&data);
        }
    }
    Ok(if several.is_empty() { only } else { several.freeze() })
}

#[cfg(test)]
mod tests {
    use std::{
        collections::VecDeque,
        convert::Infallible,
        task::{Context, Poll},
    };

    use http_body::Frame;

    use super::*;

    struct Pieces(VecDeque<&'static str>);

    impl Body for Pieces {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            Poll::Ready(self.0.pop_front().map(|piece| Ok(Frame::data(Bytes::from_static(piece.as_bytes())))))
        }
    }

    #[tokio::test]
    async fn joins_pieces_up_to_the_cap() {
        let pieces = || Pieces(VecDeque::from(["a", "", "bc", "d"]));
        assert_eq!(whole(pieces(), 4).await.unwrap(), "abcd");
        assert!(matches!(whole(pieces(), 3).await, Err(NotWhole::TooLarge)));
        assert_eq!(whole(Pieces(VecDeque::new()), 0).await.unwrap(), "");
    }
}
