//! An upstream on loopback that does what a test tells it to, down to the bytes, and remembers what it was asked.

use std::{
    fmt::Write as _,
    future::Future,
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use serde_json::Value;
use socket2::SockRef;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
    sync::{Semaphore, watch},
    task::{JoinHandle, JoinSet},
};

use crate::{message::Message, said, shapes};

/// One request that has arrived.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    /// Which connection, from 0.
    pub(crate) connection: usize,
    /// Which request, from 1.
    pub(crate) number: usize,
    pub(crate) request: Message,
}

impl Asked {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.request.body).unwrap_or_default()
    }
}

/// Lives until it is dropped.
#[derive(Debug)]
pub(crate) struct Upstream {
    pub(crate) address: SocketAddr,
    asked: watch::Receiver<Vec<Asked>>,
    backstage: Backstage,
    serving: JoinHandle<()>,
}

/// What test and script say to each other.
#[derive(Debug, Clone)]
struct Backstage {
    cues: Arc<Semaphore>,
    told: watch::Sender<Vec<String>>,
}

/// The upstream's side of a connection while it answers.
#[derive(Debug)]
pub(crate) struct Talk {
    stream: BufReader<TcpStream>,
    backstage: Backstage,
}

impl Upstream {
    /// Answers by `script`, which gives the connection back for the next request or drops it, and so closes it.
    pub(crate) async fn start<S, F>(script: S) -> Self
    where
        S: Fn(Asked, Talk) -> F + Send + Sync + 'static,
        F: Future<Output = Option<Talk>> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has a free port");
        let address = listener.local_addr().expect("it is bound");
        let (seen, asked) = watch::channel(Vec::new());
        let backstage = Backstage { cues: Arc::new(Semaphore::new(0)), told: watch::Sender::new(Vec::new()) };
        let (script, behind, counter) = (Arc::new(script), backstage.clone(), Arc::new(AtomicUsize::new(0)));
        let seen = Arc::new(seen);
        let serving = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            for connection in 0.. {
                let Ok((stream, _)) = listener.accept().await else { return };
                // Else each answer of two writes would wait for an acknowledgement that the other side delays.
                let _ = stream.set_nodelay(true);
                let talk = Talk { stream: BufReader::new(stream), backstage: behind.clone() };
                let (script, seen, counter) = (Arc::clone(&script), Arc::clone(&seen), Arc::clone(&counter));
                connections.spawn(async move {
                    let mut open = Some(talk);
                    while let Some(mut talk) = open.take() {
                        let Ok(request) = Message::read(&mut talk.stream).await else { return };
                        let number = counter.fetch_add(1, Ordering::Relaxed) + 1;
                        let asked = Asked { connection, number, request };
                        seen.send_modify(|seen| seen.push(asked.clone()));
                        open = script(asked, talk).await;
                    }
                });
            }
        });
        Self { address, asked, backstage, serving }
    }

    /// Answers every request in the shape of its endpoint, as a stream where it is asked for one. The `n`th answer says `Answer n`.
    pub(crate) async fn plain() -> Self {
        Self::start(|asked, talk| async move {
            let text = format!("Answer {}", asked.number);
            talk.answer(&asked, &text).await
        })
        .await
    }

    /// As [`Upstream::plain`], but always with this text.
    pub(crate) async fn saying(text: &'static str) -> Self {
        Self::start(move |asked, talk| async move { talk.answer(&asked, text).await }).await
    }

    /// Every request so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.borrow().clone()
    }

    pub(crate) fn calls(&self) -> usize {
        self.asked.borrow().len()
    }

    /// The last request.
    pub(crate) fn last(&self) -> Message {
        self.asked.borrow().last().expect("the upstream was asked").request.clone()
    }

    /// Waits until so many requests have arrived.
    pub(crate) async fn was_asked(&self, times: usize) {
        let mut asked = self.asked.clone();
        crate::patient(asked.wait_for(|asked| asked.len() >= times)).await.expect("the upstream serves");
    }

    /// Lets a script go on that waits in [`Talk::cue`].
    pub(crate) fn cue(&self) {
        self.backstage.cues.add_permits(1);
    }

    /// Waits until a script has told this.
    pub(crate) async fn told(&self, what: &str) {
        let mut told = self.backstage.told.subscribe();
        let told = told.wait_for(|told| told.iter().any(|word| word == what));
        crate::patient(told).await.expect("the test holds the sender");
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Talk {
    /// Answers in the shape of the endpoint.
    pub(crate) async fn answer(self, asked: &Asked, text: &str) -> Option<Self> {
        let path = asked.request.first.split(' ').nth(1).unwrap_or_default().to_owned();
        match path.as_str() {
            "/v1/chat/completions" if asked.json()["stream"] == true => self.events(&shapes::told(text)).await,
            "/v1/chat/completions" => self.json(&said(text)).await,
            "/v1/completions" => self.json(&shapes::completed(text)).await,
            "/v1/embeddings" => self.json(&shapes::vectors()).await,
            "/v1/models" => self.json(&shapes::models()).await,
            other => self.json(&serde_json::json!({ "path": other })).await,
        }
    }

    pub(crate) async fn json(self, body: &Value) -> Option<Self> {
        self.whole(200, &[("content-type", "application/json")], body.to_string()).await
    }

    /// A whole response with its `content-length`.
    pub(crate) async fn whole(mut self, status: u16, headers: &[(&str, &str)], body: impl AsRef<[u8]>) -> Option<Self> {
        let body = body.as_ref();
        let length = body.len().to_string();
        self.head(status, &[headers, &[("content-length", &length)]].concat()).await;
        self.write(body).await;
        Some(self)
    }

    /// A whole stream, one chunk for each event.
    pub(crate) async fn events(mut self, events: &[String]) -> Option<Self> {
        self.stream().await;
        for event in events {
            self.event(event).await;
        }
        self.end().await;
        Some(self)
    }

    /// The same with events of one's own.
    pub(crate) async fn events_owned(self, events: Vec<String>) -> Option<Self> {
        self.events(&events).await
    }

    pub(crate) async fn head(&mut self, status: u16, headers: &[(&str, &str)]) {
        let mut head = format!("HTTP/1.1 {status} Whatever\r\n");
        for (name, value) in headers {
            let _ = write!(head, "{name}: {value}\r\n");
        }
        self.write(head + "\r\n").await;
    }

    /// The head of a stream of events.
    pub(crate) async fn stream(&mut self) {
        self.head(200, &[("content-type", "text/event-stream"), ("transfer-encoding", "chunked")]).await;
    }

    pub(crate) async fn event(&mut self, data: &str) {
        self.chunk(&format!("data: {data}\n\n")).await;
    }

    pub(crate) async fn chunk(&mut self, text: &str) {
        self.write(format!("{:x}\r\n{text}\r\n", text.len())).await;
    }

    pub(crate) async fn end(&mut self) {
        self.write("0\r\n\r\n").await;
    }

    /// Writes, and does not mind that nobody reads.
    pub(crate) async fn write(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = self.stream.get_mut().write_all(bytes.as_ref()).await;
    }

    /// Writes as much as goes now, and says how much that was.
    pub(crate) fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.get_ref().try_write(bytes)
    }

    /// Waits for the test.
    pub(crate) async fn cue(&self) {
        crate::patient(self.backstage.cues.acquire()).await.expect("nobody closes it").forget();
    }

    /// Says something to the test.
    pub(crate) fn tell(&self, what: &str) {
        self.backstage.told.send_modify(|told| told.push(what.to_owned()));
    }

    /// Waits until the other side closes the connection.
    pub(crate) async fn gone(&mut self) {
        let mut byte = [0];
        while self.stream.read(&mut byte).await.is_ok_and(|read| read > 0) {}
    }

    /// Closes the connection, and then says so.
    pub(crate) fn close(self, what: &str) -> Option<Self> {
        let Self { stream, backstage } = self;
        drop(stream);
        backstage.told.send_modify(|told| told.push(what.to_owned()));
        None
    }

    /// Breaks the connection off with a reset.
    pub(crate) fn reset(self) -> Option<Self> {
        SockRef::from(self.stream.get_ref()).set_linger(Some(std::time::Duration::ZERO)).expect("a socket takes it");
        None
    }
}
