//! The binary as a process that serves: its greeting, its signals, its log, its metrics.

use std::{
    net::SocketAddr,
    process::{Command, ExitStatus},
    thread,
};

use serde_json::Value;
use tokio::sync::oneshot;

use crate::{
    CHAT, Upstream,
    binary::{Running, lockgate, serve},
    chat,
    client::Client,
    patient, streamed,
};

pub(crate) fn address(origin: &str) -> SocketAddr {
    origin.strip_prefix("http://").unwrap().parse().unwrap()
}

/// Free ports, this upstream, and more.
pub(crate) fn config(upstream: &Upstream, server: &str, more: &str) -> String {
    format!(
        "server: {{ listen: '127.0.0.1:0', admin: '127.0.0.1:0', {server} }}\nupstream: {{ url: 'http://{}/v1' }}\n{more}\n",
        upstream.address
    )
}

/// Sends a signal by the shell, which is everywhere.
pub(crate) fn signal(running: &Running, name: &str) {
    let pid = running.child.id().to_string();
    assert!(Command::new("sh").args(["-c", "kill -s \"$0\" \"$1\"", name, &pid]).status().unwrap().success());
}

/// Waits for the end of a process.
pub(crate) async fn ended(mut running: Running) -> (ExitStatus, Running) {
    let (done, end) = oneshot::channel();
    thread::spawn(move || {
        let status = running.child.wait();
        drop(done.send((status, running)));
    });
    let (status, running) = patient(end).await.unwrap();
    (status.unwrap(), running)
}

/// Waits until a process has written this, and gives all that it wrote.
pub(crate) async fn writes(running: &Running, what: &str) -> String {
    patient(async {
        while !running.said().contains(what) {
            tokio::task::yield_now().await;
        }
        running.said()
    })
    .await
}

#[tokio::test]
async fn without_anything_it_greets_with_two_commands_that_show_a_semantic_hit() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = lockgate(&[], folder.path());
    command.env("LOCKGATE_LISTEN", "127.0.0.1:0").env("LOCKGATE_ADMIN", "127.0.0.1:0");
    let running = Running::start(command);
    let said = writes(&running, "Next:").await;
    let greeting: Vec<&str> = said.lines().collect();
    assert!(greeting.len() <= 5, "{said}");
    assert!(said.contains("No OPENAI_API_KEY is set") && said.contains("demo upstream"), "{said}");
    let mut caches = Vec::new();
    for line in greeting.iter().filter(|line| line.trim_start().starts_with("curl -i")) {
        let body = line.split_once("-d '").unwrap().1.strip_suffix('\'').unwrap().replace(r"'\''", "'");
        assert!(line.contains(&format!("{}{CHAT} ", running.origin)), "{line}");
        let mut client = Client::to(address(&running.origin)).await;
        let answer = client.post(CHAT).body("application/json", body).send().await;
        caches.push((answer.status, answer.cache().to_owned()));
    }
    assert_eq!(caches, [(200, "MISS".to_owned()), (200, "SEMANTIC HIT".to_owned())]);
}

#[tokio::test]
async fn with_a_key_in_the_environment_openai_answers() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = lockgate(&[], folder.path());
    command.env("LOCKGATE_LISTEN", "127.0.0.1:0").env("LOCKGATE_ADMIN", "127.0.0.1:0").env("OPENAI_API_KEY", "sk-secret");
    let running = Running::start(command);
    let said = writes(&running, "Upstream:").await;
    assert!(said.contains("https://api.openai.com/v1") && !said.contains("demo") && !said.contains("sk-secret"), "{said}");
}

#[tokio::test]
async fn sigterm_answers_what_is_open_and_ends_with_0() {
    let upstream = Upstream::start(|asked, talk| async move {
        talk.cue().await;
        talk.answer(&asked, "In time.").await
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let running = serve(&config(&upstream, "", "cache: { mode: exact }"), folder.path());
    let data = address(&running.origin);
    let (mut one, mut other) = (Client::to(data).await, Client::to(data).await);
    let test = async {
        upstream.was_asked(2).await;
        signal(&running, "TERM");
        writes(&running, "Draining").await;
        patient(async { while tokio::net::TcpStream::connect(data).await.is_ok() {} }).await;
        upstream.cue();
        upstream.cue();
    };
    let (whole, stream) = (chat("Whole"), streamed("Stream"));
    let (whole, stream, ()) = tokio::join!(one.post(CHAT).json(&whole).send(), other.post(CHAT).json(&stream).send(), test);
    assert_eq!((whole.said().as_str(), stream.told().as_str()), ("In time.", "In time."));
    let (status, _running) = ended(running).await;
    assert_eq!(status.code(), Some(0));
}

#[tokio::test]
async fn a_request_that_never_ends_does_not_keep_the_process_alive() {
    let upstream = Upstream::start(|_, mut talk| async move {
        talk.stream().await;
        talk.event(&crate::shapes::delta("Hello")).await;
        talk.gone().await;
        None
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let running = serve(&config(&upstream, "drain_timeout: 100ms", "cache: { mode: exact }"), folder.path());
    let mut client = Client::to(address(&running.origin)).await;
    let mut stream = client.post(CHAT).json(&streamed("Hi")).open().await;
    assert!(stream.event().await.is_some());
    signal(&running, "TERM");
    let (status, running) = ended(running).await;
    assert_eq!(status.code(), Some(0));
    writes(&running, "cut off").await;
    assert!(stream.breaks_off().await, "what was cut off does not look like the end");
}

#[tokio::test]
async fn an_interrupt_stops_it_as_well() {
    let upstream = Upstream::plain().await;
    let folder = tempfile::tempdir().unwrap();
    let running = serve(&config(&upstream, "", "cache: { mode: exact }"), folder.path());
    signal(&running, "INT");
    let (status, running) = ended(running).await;
    assert_eq!(status.code(), Some(0));
    writes(&running, "Stopped.").await;
}

#[tokio::test]
async fn the_log_tells_each_request_and_keeps_its_secrets() {
    let upstream = Upstream::start(|asked, talk| async move {
        if asked.request.text().contains("break") { None } else { talk.answer(&asked, "I will kill you.").await }
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let more = "log: { format: json, level: trace }\ncache: { mode: exact }\nguardrails: { rules: { us-ssn: block } }";
    let running = serve(&config(&upstream, "", more), folder.path());
    let data = address(&running.origin);
    let secret = ("authorization", "Bearer sk-secret-of-the-client");
    let questions = [
        ("answered", "Charge 4111 1111 1111 1111 for ada@analytical.engine.org."),
        ("blocked", "My SSN is 219-09-9999."),
        ("failed", "Please break, 5500-0055-5555-5559."),
    ];
    for (id, question) in questions {
        let mut client = Client::to(data).await;
        client.post(CHAT).headers(&[secret, ("x-portkey-trace-id", id)]).json(&chat(question)).send().await;
    }
    let mut client = Client::to(data).await;
    let asking = client.post(CHAT).headers(&[secret, ("x-portkey-trace-id", "refused")]);
    asking.body("application/json", "{\"model\": \"m\", 4111 1111 1111 1111").send().await;
    signal(&running, "TERM");
    let (_, running) = ended(running).await;
    let said = writes(&running, "Stopped.").await;
    // Whole values: four digits alone are in many a time of day.
    for word in ["sk-secret", "4111 1111", "219-09-9999", "5500-0055", "ada@", "kill you"] {
        assert!(!said.contains(word), "{word:?} is in the log:\n{said}");
    }
    let (greeting, log): (Vec<_>, Vec<_>) = said.lines().partition(|line| !line.starts_with('{'));
    assert!(greeting.len() <= 2, "{greeting:#?}");
    let log: Vec<Value> = log.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |id: &str| log.iter().find(|line| line["trace_id"] == id).unwrap_or_else(|| panic!("no {id} in\n{said}"));
    let answered = of("answered");
    assert_eq!(
        (&answered["outcome"], &answered["cache"], &answered["endpoint"]),
        (&"answered".into(), &"MISS".into(), &"chat".into())
    );
    let rules = answered["rules"].as_str().unwrap();
    for rule in ["payment-card=replace", "email-address=replace", "violent-threat=warn"] {
        assert!(rules.contains(rule), "{rules}");
    }
    assert_eq!((&of("blocked")["outcome"], &of("blocked")["rules"]), (&"blocked".into(), &"us-ssn=block".into()));
    assert_eq!(
        (&answered["severity"], &of("failed")["severity"]),
        (&"high".into(), &"high".into()),
        "the highest of the rules that matched"
    );
    assert_eq!((&of("failed")["outcome"], &of("failed")["error"]), (&"failed".into(), &"upstream_reset".into()));
    assert_eq!((&of("refused")["error"], &of("refused")["origin"]), (&"malformed_json".into(), &"client".into()));
}

#[tokio::test]
async fn the_metrics_count_what_happened() {
    let upstream = Upstream::plain().await;
    let folder = tempfile::tempdir().unwrap();
    let running = serve(&config(&upstream, "", "guardrails: { rules: { us-ssn: block } }"), folder.path());
    let mut client = Client::to(address(&running.origin)).await;
    for question in ["What is the capital of France?", "What's the capital of France?", "My SSN is 219-09-9999."] {
        client.post(CHAT).json(&chat(question)).send().await;
    }
    client.post(CHAT).json(&streamed("What is the capital of France?")).send().await;
    client.get("/nowhere").send().await;
    let said = running.said();
    let admin = said.split_once("admin http://").unwrap().1.split(|c: char| c != '.' && c != ':' && !c.is_ascii_digit()).next();
    let answer = Client::to(admin.unwrap().parse().unwrap()).await.get("/metrics").send().await;
    assert!(answer.status == 200 && answer.header("content-type").starts_with("text/plain"));
    let metrics = answer.text();
    let expected = [
        "lockgate_requests_total{endpoint=\"chat\",outcome=\"answered\",cache=\"MISS\"} 1",
        "lockgate_requests_total{endpoint=\"chat\",outcome=\"answered\",cache=\"SEMANTIC HIT\"} 1",
        "lockgate_requests_total{endpoint=\"chat\",outcome=\"answered\",cache=\"HIT\"} 1",
        "lockgate_requests_total{endpoint=\"chat\",outcome=\"blocked\",cache=\"DISABLED\"} 1",
        "lockgate_rule_matches_total{rule=\"us-ssn\",action=\"block\",severity=\"high\"} 1",
        "lockgate_refused_total{reason=\"unknown_endpoint\"} 1",
        "lockgate_cache_entries 1",
        "lockgate_cache_vectors 1",
        "lockgate_store_up 1",
        "# TYPE lockgate_store_bytes gauge",
        "lockgate_connections ",
        "lockgate_request_seconds_count{cache=\"MISS\"} 1",
        "lockgate_upstream_seconds_count 1",
        "lockgate_embed_seconds_count 2",
        "# TYPE lockgate_requests_total counter",
        "# HELP lockgate_requests_total ",
    ];
    for line in expected {
        assert!(metrics.contains(line), "no {line:?} in\n{metrics}");
    }
}
