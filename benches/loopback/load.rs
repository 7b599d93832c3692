//! The load: keep-alive connections on one thread, each asking again as soon as it was answered.
//!
//! Responses are parsed only as far as needed to find their end, their status and the cache's word about them: the
//! load shares the machine with what it measures.

use std::{
    cell::RefCell,
    io,
    net::SocketAddr,
    rc::Rc,
    time::{Duration, Instant},
};

use bytes::BytesMut;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    task::{JoinSet, LocalSet},
};

use crate::prompts::Prompts;

/// What one run saw.
#[derive(Debug, Default)]
pub(crate) struct Samples {
    /// How long each answer took, in order of arrival.
    pub(crate) latencies: Vec<Duration>,
    /// How long the run took.
    pub(crate) elapsed: Duration,
    /// Answers whose cache status was the expected one.
    pub(crate) expected: usize,
}

/// What the load wants to know of a response.
struct Answer {
    status: u16,
    expected: bool,
}

/// Asks over `connections` for `time`. Any answer but 200 ends the run: its numbers would mean nothing.
pub(crate) fn run(
    to: SocketAddr,
    connections: usize,
    time: Duration,
    prompts: &mut Prompts,
    expected: &'static str,
) -> io::Result<Samples> {
    let shared = Rc::new(RefCell::new(std::mem::take(prompts)));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    let start = Instant::now();
    let asked = LocalSet::new().block_on(&runtime, async {
        let mut clients = JoinSet::new();
        for _ in 0..connections {
            clients.spawn_local(converse(to, start + time, Rc::clone(&shared), expected));
        }
        let mut all = Samples::default();
        for samples in clients.join_all().await {
            let samples = samples?;
            all.latencies.extend(samples.latencies);
            all.expected += samples.expected;
        }
        Ok(all)
    });
    *prompts = shared.take();
    asked.map(|samples| Samples { elapsed: start.elapsed(), ..samples })
}

/// One connection's conversation.
async fn converse(to: SocketAddr, until: Instant, prompts: Rc<RefCell<Prompts>>, expected: &'static str) -> io::Result<Samples> {
    let mut socket = TcpStream::connect(to).await?;
    socket.set_nodelay(true)?;
    let mut samples = Samples::default();
    let (mut request, mut response) = (Vec::with_capacity(1024), BytesMut::with_capacity(4096));
    while Instant::now() < until {
        // Before the clock starts: what a prompt costs to make is not what is measured.
        prompts.borrow_mut().write_request(&mut request);
        let asked = Instant::now();
        socket.write_all(&request).await?;
        let answer = loop {
            if socket.read_buf(&mut response).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if let Some(answer) = parse(&response, expected)? {
                break answer;
            }
        };
        samples.latencies.push(asked.elapsed());
        if answer.status != 200 {
            return Err(io::Error::other(String::from_utf8_lossy(&response).into_owned()));
        }
        samples.expected += usize::from(answer.expected);
        response.clear();
    }
    Ok(samples)
}

/// Reads a response, if it is all there.
fn parse(bytes: &[u8], expected: &str) -> io::Result<Option<Answer>> {
    let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else {
        return Ok(None);
    };
    let unreadable = || io::Error::other("the response has no readable head");
    let head = std::str::from_utf8(&bytes[..end]).map_err(|_| unreadable())?;
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok()).ok_or_else(unreadable)?;
    let (mut as_expected, mut complete) = (false, false);
    let body = &bytes[end + 4..];
    for (name, value) in lines.filter_map(|line| line.split_once(": ")) {
        if name.eq_ignore_ascii_case("content-length") {
            complete = value.parse().is_ok_and(|length: usize| length <= body.len());
        } else if name.eq_ignore_ascii_case("transfer-encoding") {
            complete = has_last_chunk(body);
        } else if name.eq_ignore_ascii_case("x-portkey-cache-status") {
            as_expected = value == expected;
        }
    }
    Ok(complete.then_some(Answer { status, expected: as_expected }))
}

/// Is the last chunk there? Found by walking over the chunks, because a chunk may hold what looks like the end.
fn has_last_chunk(mut body: &[u8]) -> bool {
    while let Some(line) = body.windows(2).position(|window| window == b"\r\n") {
        let size = std::str::from_utf8(&body[..line]).ok().and_then(|size| usize::from_str_radix(size, 16).ok());
        let Some(after) = size.and_then(|size| body.get(line + 2 + size + 2..)) else {
            return false;
        };
        if size == Some(0) {
            return true;
        }
        body = after;
    }
    false
}
