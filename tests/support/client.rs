//! Clients: one that speaks HTTP properly, and one that sends whatever bytes a test wants.

use std::net::SocketAddr;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, header};
use http_body_util::{BodyExt as _, Full};
use hyper::{body::Incoming, client::conn::http1};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::TcpStream,
    task::JoinHandle,
};

use crate::{message::Message, patient};

/// One connection.
#[derive(Debug)]
pub(crate) struct Client {
    sender: http1::SendRequest<Full<Bytes>>,
    driver: JoinHandle<()>,
    address: SocketAddr,
}

impl Client {
    pub(crate) async fn to(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.expect("somebody listens");
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.expect("a socket takes it");
        // How a connection ends shows in the answers that were on it.
        let driver = tokio::spawn(async move { drop(connection.await) });
        Self { sender, driver, address }
    }

    pub(crate) fn get(&mut self, path: &str) -> Asking<'_> {
        self.request(Method::GET, path)
    }

    pub(crate) fn post(&mut self, path: &str) -> Asking<'_> {
        self.request(Method::POST, path)
    }

    fn request(&mut self, method: Method, path: &str) -> Asking<'_> {
        let request = Request::builder().method(method).uri(path).header(header::HOST, self.address.to_string());
        Asking { client: self, request: request.body(Full::default()).expect("the path is one") }
    }
}

/// Dropping a client closes its connection, whatever is on it.
impl Drop for Client {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// A request in the making.
#[derive(Debug)]
pub(crate) struct Asking<'c> {
    client: &'c mut Client,
    request: Request<Full<Bytes>>,
}

impl Asking<'_> {
    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        let name: HeaderName = name.parse().expect("a name");
        let value = HeaderValue::from_str(value).expect("a value");
        if name == header::HOST || name == header::CONTENT_TYPE {
            self.request.headers_mut().insert(name, value);
        } else {
            self.request.headers_mut().append(name, value);
        }
        self
    }

    pub(crate) fn headers(self, headers: &[(&str, &str)]) -> Self {
        headers.iter().fold(self, |asking, (name, value)| asking.header(name, value))
    }

    pub(crate) fn json(self, body: &Value) -> Self {
        self.body("application/json", body.to_string())
    }

    pub(crate) fn body(self, kind: &str, body: impl Into<Bytes>) -> Self {
        let mut asking = self.header("content-type", kind);
        *asking.request.body_mut() = Full::new(body.into());
        asking
    }

    /// The whole answer.
    pub(crate) async fn send(self) -> Answer {
        self.open().await.rest().await
    }

    /// The whole answer, if the other side lives until its end.
    pub(crate) async fn attempt(self) -> Option<Answer> {
        self.client.sender.ready().await.ok()?;
        let (parts, body) = self.client.sender.send_request(self.request).await.ok()?.into_parts();
        let body = body.collect().await.ok()?.to_bytes();
        Some(Answer { status: parts.status.as_u16(), headers: parts.headers, body })
    }

    /// The answer's head, its body to be read as it comes.
    pub(crate) async fn open(self) -> Opened {
        patient(self.client.sender.ready()).await.expect("the connection is open");
        let response = patient(self.client.sender.send_request(self.request)).await.expect("there is an answer");
        Opened { response, unread: String::new() }
    }
}

/// An answer that is being read.
#[derive(Debug)]
pub(crate) struct Opened {
    response: Response<Incoming>,
    unread: String,
}

impl Opened {
    pub(crate) fn status(&self) -> u16 {
        self.response.status().as_u16()
    }

    /// The data of the next event; nothing at the end.
    pub(crate) async fn event(&mut self) -> Option<String> {
        loop {
            if let Some(end) = self.unread.find("\n\n") {
                let event = self.unread.drain(..end + 2).collect::<String>();
                return Some(event.strip_prefix("data: ").unwrap_or(&event).trim_end().to_owned());
            }
            let frame = patient(self.response.frame()).await?.expect("the stream does not break off");
            self.unread.push_str(std::str::from_utf8(frame.data_ref()?).expect("whole characters"));
        }
    }

    /// Reads on until the connection breaks off, if it does.
    pub(crate) async fn breaks_off(mut self) -> bool {
        loop {
            match patient(self.response.frame()).await {
                Some(Ok(_)) => {}
                Some(Err(_)) => return true,
                None => return false,
            }
        }
    }

    /// The whole answer.
    pub(crate) async fn rest(self) -> Answer {
        let (parts, body) = self.response.into_parts();
        let body = patient(body.collect()).await.expect("the answer does not break off").to_bytes();
        Answer { status: parts.status.as_u16(), headers: parts.headers, body }
    }
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    /// The value of a header; empty if there is none.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("plain text"))
    }

    pub(crate) fn cache(&self) -> &str {
        self.header("x-portkey-cache-status")
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    /// What the model said.
    pub(crate) fn said(&self) -> String {
        self.json()["choices"][0]["message"]["content"].as_str().unwrap_or_else(|| panic!("{}", self.text())).to_owned()
    }

    /// The data of the events, as a stream.
    pub(crate) fn events(&self) -> Vec<String> {
        let text = self.text();
        text.split("\n\n").filter_map(|event| event.strip_prefix("data: ")).map(str::to_owned).collect()
    }

    /// What the model said, in events.
    pub(crate) fn told(&self) -> String {
        let deltas = self.events().into_iter().filter_map(|event| serde_json::from_str::<Value>(&event).ok());
        deltas.filter_map(|event| event["choices"][0]["delta"]["content"].as_str().map(str::to_owned)).collect()
    }

    /// Asserts an error in the shape of the OpenAI API, with every one of `words` in its message.
    pub(crate) fn is_error(&self, status: u16, code: &str, words: &[&str]) {
        assert_eq!(self.status, status, "{}", self.text());
        assert_eq!(self.header("content-type"), "application/json");
        is_error(&self.json()["error"], code, words);
    }
}

/// Asserts an `error` object with this code, and every one of `words` in its message.
pub(crate) fn is_error(error: &Value, code: &str, words: &[&str]) {
    assert_eq!(error["code"], code, "{error}");
    assert!(error["type"].is_string() && error.get("param").is_some(), "{error}");
    let message = error["message"].as_str().unwrap_or_default();
    for word in words {
        assert!(message.contains(word), "no {word:?} in {message:?}");
    }
}

/// A connection and nothing else.
#[derive(Debug)]
pub(crate) struct Raw(BufReader<TcpStream>);

impl Raw {
    pub(crate) async fn to(address: SocketAddr) -> Self {
        Self(BufReader::new(TcpStream::connect(address).await.expect("somebody listens")))
    }

    /// Sends these bytes; whether they were taken is seen in the answer.
    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        let _ = patient(self.0.get_mut().write_all(bytes.as_ref())).await;
        self
    }

    /// Says that nothing more will come.
    pub(crate) async fn end(&mut self) -> &mut Self {
        let _ = self.0.get_mut().shutdown().await;
        self
    }

    pub(crate) async fn answer(&mut self) -> Message {
        patient(Message::read(&mut self.0)).await.expect("there is an answer")
    }

    /// Reads until the other side has said this.
    pub(crate) async fn says(&mut self, what: &str) {
        let mut said = Vec::new();
        while !String::from_utf8_lossy(&said).contains(what) {
            let byte = patient(self.0.read_u8()).await;
            said.push(byte.unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&said))));
        }
    }

    /// Waits until the other side closes, and gives what it said before that.
    pub(crate) async fn closed(&mut self) -> String {
        let mut last = Vec::new();
        let _ = patient(self.0.read_to_end(&mut last)).await;
        String::from_utf8_lossy(&last).into_owned()
    }
}
