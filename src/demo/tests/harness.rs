//! A demo upstream on a free port, and a client that shows what came even when it broke off.

use std::{
    io::{ErrorKind, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::{
    clock,
    demo::{Directives, serve},
};

/// A demo upstream of its own for each test, gone with the test.
pub(super) struct Demo {
    address: SocketAddr,
    _runtime: tokio::runtime::Runtime,
}

/// An answer as it came: a body that broke off is still here.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) head: String,
    pub(super) body: String,
    pub(super) broken: Option<ErrorKind>,
}

impl Demo {
    pub(super) fn start(defaults: &str) -> Self {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let defaults = Directives::parse(defaults).unwrap();
        runtime.spawn(serve(listener, defaults, std::future::pending::<()>()));
        Self { address, _runtime: runtime }
    }

    /// Sends a request and leaves the answer in the socket.
    pub(super) fn send(&self, method: &str, path: &str, directives: &str, body: &str) -> TcpStream {
        let mut socket = TcpStream::connect(self.address).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        write!(
            socket,
            "{method} {path} HTTP/1.1\r\nhost: demo\r\nx-demo: {directives}\r\nconnection: close\r\n\
             content-length: {}\r\n\r\n{body}",
            body.len(),
        )
        .unwrap();
        socket
    }

    pub(super) fn call(&self, method: &str, path: &str, directives: &str, body: &str) -> Answer {
        read(self.send(method, path, directives, body))
    }

    pub(super) fn chat(&self, directives: &str, extra: &Value) -> Answer {
        self.call("POST", "/v1/chat/completions", directives, &chat(extra))
    }

    pub(super) fn stats(&self) -> Value {
        self.call("GET", "/demo/stats", "", "").json()
    }

    /// Waits until a counter has a value.
    pub(super) fn wait_for(&self, counter: &str, value: u64) {
        let patience = clock::now() + Duration::from_secs(10);
        while self.stats()[counter] != value {
            assert!(clock::now() < patience, "{counter} never became {value}: {}", self.stats());
            std::thread::yield_now();
        }
    }
}

impl Answer {
    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    /// The data of each event, parsed where it is JSON.
    pub(super) fn events(&self) -> Vec<Value> {
        let data = self.body.lines().filter_map(|line| line.strip_prefix("data: "));
        data.map(|data| serde_json::from_str(data).unwrap_or_else(|_| data.into())).collect()
    }

    pub(super) fn streamed_text(&self) -> String {
        let events = self.events();
        events.iter().filter_map(|event| event["choices"][0]["delta"]["content"].as_str()).collect()
    }
}

/// A chat request with whatever `extra` adds to it.
pub(super) fn chat(extra: &Value) -> String {
    let mut request = json!({"model": "demo", "messages": [{"role": "user", "content": "How are you?"}]});
    for (key, value) in extra.as_object().unwrap() {
        request[key] = value.clone();
    }
    request.to_string()
}

fn read(mut socket: TcpStream) -> Answer {
    let mut raw = Vec::new();
    let broken = socket.read_to_end(&mut raw).err().map(|error| error.kind());
    let raw = String::from_utf8(raw).unwrap();
    let (head, body) = raw.split_once("\r\n\r\n").unwrap_or((&raw, ""));
    let head = head.to_lowercase();
    let status = head.split(' ').nth(1).map_or(0, |status| status.parse().unwrap());
    let chunked = head.contains("transfer-encoding: chunked");
    let body = if chunked { dechunked(body) } else { body.to_owned() };
    Answer { status, head, body, broken }
}

fn dechunked(mut rest: &str) -> String {
    let mut body = String::new();
    while let Some((size, after)) = rest.split_once("\r\n") {
        let size = usize::from_str_radix(size, 16).unwrap();
        body.push_str(&after[..size]);
        rest = after.get(size + 2..).unwrap_or("");
    }
    body
}
