//! One connection and the request that is on it, driven together.

use std::{
    future::{Future, poll_fn},
    io,
    pin::{Pin, pin},
    task::{Context, Poll},
    thread::{self, ThreadId},
};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::{body::Incoming, client::conn::http1};
use hyper_util::rt::TokioIo;
use pin_project_lite::pin_project;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};
use tokio_rustls::client::TlsStream;

pin_project! {
    /// With or without TLS.
    #[project = StreamProjection]
    pub(super) enum Stream {
        Plain { #[pin] tcp: TcpStream },
        Tls { #[pin] tls: Box<TlsStream<TcpStream>> },
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.project() {
            StreamProjection::Plain { tcp } => tcp.poll_read(cx, buffer),
            StreamProjection::Tls { tls } => tls.poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.project() {
            StreamProjection::Plain { tcp } => tcp.poll_write(cx, bytes),
            StreamProjection::Tls { tls } => tls.poll_write(cx, bytes),
        }
    }

    fn poll_write_vectored(self: Pin<&mut Self>, cx: &mut Context<'_>, bufs: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        match self.project() {
            StreamProjection::Plain { tcp } => tcp.poll_write_vectored(cx, bufs),
            StreamProjection::Tls { tls } => tls.poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Plain { tcp } => tcp.is_write_vectored(),
            Self::Tls { tls } => tls.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.project() {
            StreamProjection::Plain { tcp } => tcp.poll_flush(cx),
            StreamProjection::Tls { tls } => tls.poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.project() {
            StreamProjection::Plain { tcp } => tcp.poll_shutdown(cx),
            StreamProjection::Tls { tls } => tls.poll_shutdown(cx),
        }
    }
}

/// What became of a request.
pub(super) enum Sent {
    /// There is a response head.
    Answered(Response<Incoming>),
    /// Nothing was written; the request may go elsewhere.
    Unsent(Box<Request<Full<Bytes>>>),
    /// It may have been read, and is not repeated.
    Failed(hyper::Error),
}

/// An open connection.
pub(super) struct Connection {
    sender: http1::SendRequest<Full<Bytes>>,
    driver: Pin<Box<http1::Connection<TokioIo<Stream>, Full<Bytes>>>>,
    ended: bool,
    home: ThreadId,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection").field("ended", &self.ended).finish_non_exhaustive()
    }
}

impl Connection {
    pub(super) async fn handshake(io: TokioIo<Stream>) -> hyper::Result<Self> {
        let (sender, driver) = http1::handshake(io).await?;
        Ok(Self { sender, driver: Box::pin(driver), ended: false, home: thread::current().id() })
    }

    /// Moves bytes both ways as far as they go now.
    pub(super) fn drive(&mut self, cx: &mut Context<'_>) {
        // How a connection ended shows in the request that was on it.
        self.ended = self.ended || self.driver.as_mut().poll(cx).is_ready();
    }

    /// Whether another request may be sent: the other side is still there, and has been read to the end of its last answer.
    pub(super) async fn ready(&mut self) -> bool {
        poll_fn(|cx| {
            self.drive(cx);
            let ready = matches!(self.sender.poll_ready(cx), Poll::Ready(Ok(())));
            Poll::Ready(ready && !self.ended)
        })
        .await
    }

    /// The thread whose runtime watches the socket.
    pub(super) fn home(&self) -> ThreadId {
        self.home
    }

    /// Whether it is of further use.
    pub(super) fn is_open(&self) -> bool {
        !self.ended && !self.sender.is_closed()
    }

    pub(super) async fn send(&mut self, request: Request<Full<Bytes>>) -> Sent {
        let mut answer = pin!(self.sender.try_send_request(request));
        let (driver, ended) = (&mut self.driver, &mut self.ended);
        let sent = poll_fn(|cx| {
            *ended = *ended || driver.as_mut().poll(cx).is_ready();
            answer.as_mut().poll(cx)
        })
        .await;
        match sent {
            Ok(response) => Sent::Answered(response),
            Err(mut error) => match error.take_message() {
                Some(request) => Sent::Unsent(Box::new(request)),
                None => Sent::Failed(error.into_error()),
            },
        }
    }
}
