//! HTTP/1.1 messages as bytes on a socket, for tests that must see or send exactly these bytes.

use std::io;

use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader},
    net::TcpStream,
};

/// A request or a response.
#[derive(Debug, Clone, Default)]
pub(crate) struct Message {
    /// `POST /v1/models HTTP/1.1`, or `HTTP/1.1 200 OK`.
    pub(crate) first: String,
    /// Names in small letters.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Message {
    /// Reads one; an error if it breaks off, of kind `UnexpectedEof` where nothing came at all.
    pub(crate) async fn read(stream: &mut BufReader<TcpStream>) -> io::Result<Self> {
        let first = line(stream).await?;
        let mut message = Self { first, headers: headers(stream).await?, body: Vec::new() };
        if message.header("transfer-encoding") == "chunked" {
            message.body = chunks(stream).await?;
        } else if let Ok(length) = message.header("content-length").parse() {
            message.body = vec![0; length];
            stream.read_exact(&mut message.body).await?;
        }
        Ok(message)
    }

    /// The value of a header, all of them joined by a comma; empty if there is none.
    pub(crate) fn header(&self, name: &str) -> String {
        let values = self.headers.iter().filter(|(known, _)| known == name).map(|(_, value)| value.as_str());
        values.collect::<Vec<_>>().join(", ")
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.headers.iter().any(|(known, _)| known == name)
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The status of a response.
    pub(crate) fn status(&self) -> u16 {
        self.first.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_default()
    }
}

async fn line(stream: &mut BufReader<TcpStream>) -> io::Result<String> {
    let mut line = String::new();
    stream.read_line(&mut line).await?;
    if line.ends_with('\n') { Ok(line.trim_end().to_owned()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

async fn headers(stream: &mut BufReader<TcpStream>) -> io::Result<Vec<(String, String)>> {
    let mut headers = Vec::new();
    loop {
        let line = line(stream).await?;
        let Some((name, value)) = line.split_once(':') else { return Ok(headers) };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
}

/// The chunks of a body; trailers are read and left out.
async fn chunks(stream: &mut BufReader<TcpStream>) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let size = line(stream).await?;
        let size = usize::from_str_radix(size.trim(), 16).map_err(io::Error::other)?;
        if size == 0 {
            headers(stream).await?;
            return Ok(body);
        }
        let start = body.len();
        body.resize(start + size, 0);
        stream.read_exact(&mut body[start..]).await?;
        line(stream).await?;
    }
}
