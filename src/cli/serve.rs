//! `lockgate serve`: loads, says where it listens and what to try, and runs until it is told to stop.

use std::{fmt::Write as _, future::Future, io, path::Path, process::ExitCode};

use tokio::{
    runtime,
    signal::unix::{SignalKind, signal},
};

use crate::{
    app::App,
    config::Config,
    telemetry::{self, LogFormat},
};

/// Serves with a file, or with built-in defaults.
pub fn run(file: Option<&Path>) -> ExitCode {
    match block_on(serve(file)) {
        Ok(code) => code,
        Err(error) => super::fail(&error),
    }
}

/// Runs a future on this thread. Requests are served on threads of their own.
pub(super) fn block_on<T>(future: impl Future<Output = T>) -> io::Result<T> {
    Ok(runtime::Builder::new_current_thread().enable_all().build()?.block_on(future))
}

async fn serve(file: Option<&Path>) -> ExitCode {
    let config = match file {
        Some(file) => Config::load(file, &crate::config::environment),
        None => Config::builtin(&crate::config::environment),
    };
    let config = match config {
        Ok(config) => config,
        Err(report) => return refuse(&report.render(super::color())),
    };
    let format = config.telemetry.format;
    let _log = telemetry::start_log(&config.telemetry, super::color());
    let metrics = match telemetry::start_metrics() {
        Ok(metrics) => metrics,
        Err(error) => return super::fail(&error),
    };
    let app = match App::start(config, metrics).await {
        Ok(app) => app,
        Err(error) => return refuse(&error.render(super::color())),
    };
    let stop = match stop_signal() {
        Ok(stop) => stop,
        Err(error) => return super::fail(&error),
    };
    match format {
        LogFormat::Text => say(&greeting(&app, file)),
        LogFormat::Json => announce(&app),
    }
    let cut_off = app.run(stop).await;
    if cut_off > 0 {
        tracing::warn!(cut_off, "Requests were still open after the drain time and were cut off.");
    }
    tracing::info!("Stopped.");
    ExitCode::SUCCESS
}

/// SIGTERM, as a supervisor sends it, or Ctrl-C.
fn stop_signal() -> io::Result<impl Future<Output = ()>> {
    let (mut term, mut int) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(async move {
        let name = tokio::select! {
            _ = term.recv() => "SIGTERM",
            _ = int.recv() => "SIGINT",
        };
        tracing::info!(signal = name, "Draining: open requests are answered, new ones are not taken.");
    })
}

/// For machines, what the greeting says is a line of the log like any other.
fn announce(app: &App) {
    let url = |address: io::Result<std::net::SocketAddr>| address.map(|address| format!("http://{address}")).ok();
    let loaded = app.loaded();
    tracing::info!(
        data = url(app.data_address()),
        admin = url(app.admin_address()),
        upstream = loaded.upstream,
        engine = loaded.engine,
        store = loaded.store,
        rules = loaded.rules.iter().sum::<usize>(),
        version = env!("CARGO_PKG_VERSION"),
        "Serving."
    );
}

/// Five lines at most: where it listens, who answers, and two commands to paste.
fn greeting(app: &App, file: Option<&Path>) -> String {
    let data = app.data_address().map_or_else(|error| error.to_string(), |address| format!("http://{address}"));
    let admin = app.admin_address().map_or_else(|error| error.to_string(), |address| format!("http://{address}"));
    let health = app.health_address().map(|address| format!(", health http://{address}")).unwrap_or_default();
    let loaded = app.loaded();
    let [input, output] = loaded.rules;
    let store = loaded.store.as_deref().map(|place| format!(", answers kept in {place}")).unwrap_or_default();
    let engine = loaded.engine.map_or_else(|| "semantic tier off".to_owned(), |engine| format!("embeddings by {engine}"));
    let mut text = format!(
        "Lockgate {} serves {data}/v1 (admin {admin}{health}): {} rules, {engine}{store}.\n",
        env!("CARGO_PKG_VERSION"),
        input + output
    );
    if app.demo_address().is_none() {
        let _infallible = writeln!(text, "Upstream: {}.", loaded.upstream);
        return text;
    }
    text.push_str(
        "No OPENAI_API_KEY is set, so the built-in demo upstream answers. Paste these to see a miss, then a semantic hit:\n",
    );
    for question in ["What is the capital of France?", "What's the capital of France?"] {
        let body = format!(r#"{{"model":"demo","messages":[{{"role":"user","content":"{question}"}}]}}"#);
        // In the shell an apostrophe ends a quoted string.
        let body = body.replace('\'', r"'\''");
        let _infallible = writeln!(text, "  curl -i {data}/v1/chat/completions -H 'content-type: application/json' -d '{body}'");
    }
    if file.is_none() {
        text.push_str(
            "Next: write a configuration (deploy/lockgate.yaml is a commented example) and start with --config FILE.\n",
        );
    }
    text
}

#[expect(clippy::print_stderr, reason = "the start-up text is for the person who started it, whatever the log's level")]
fn say(text: &str) {
    eprint!("{text}");
}

#[expect(clippy::print_stderr, reason = "a report is for the person who started it")]
fn refuse(report: &str) -> ExitCode {
    eprintln!("{}", report.trim_end());
    ExitCode::FAILURE
}
