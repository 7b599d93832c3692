//! `lockgate demo`: an OpenAI-shaped upstream on loopback, to try Lockgate without a provider.

use std::{
    io::{self, Write as _},
    net::SocketAddr,
    time::Duration,
};

use http::StatusCode;
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};

use crate::demo::{
    self, Directives,
    directives::{millis, rate, status, tokens},
};

/// Serve a made-up OpenAI API on loopback, which can be late or fail on request.
#[derive(Debug, clap::Args)]
#[command(after_help = directives_help())]
pub struct Args {
    /// Address to listen on; port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8789")]
    listen: SocketAddr,
    /// Milliseconds before the head of every answer.
    #[arg(long, value_name = "MS", value_parser = millis)]
    latency: Option<Duration>,
    /// Milliseconds between the events of every stream.
    #[arg(long, value_name = "MS", value_parser = millis)]
    interval: Option<Duration>,
    /// Answer with an error of this status.
    #[arg(long, value_name = "CODE", value_parser = status)]
    status: Option<StatusCode>,
    /// Seconds in the retry-after header of an error.
    #[arg(long, value_name = "S")]
    retry_after: Option<u32>,
    /// The share of calls that fail, from 0 to 1.
    #[arg(long, value_name = "SHARE", value_parser = rate)]
    rate: Option<f64>,
    /// Reset the connection after so many events, or bytes of a JSON body.
    #[arg(long, value_name = "N")]
    reset: Option<usize>,
    /// Go silent after so many events, or bytes of a JSON body.
    #[arg(long, value_name = "N")]
    stall: Option<usize>,
    /// Send a broken event after so many, or cut a JSON body to so many bytes.
    #[arg(long, value_name = "N")]
    malformed: Option<usize>,
    /// Answer 200 with an error object as the body.
    #[arg(long)]
    error200: bool,
    /// Send half of every answer.
    #[arg(long)]
    truncate: bool,
    /// Length of every answer, in words.
    #[arg(long, value_name = "N", value_parser = tokens)]
    tokens: Option<usize>,
    /// Answer with the request as it arrived.
    #[arg(long)]
    echo: bool,
}

impl Args {
    fn directives(&self) -> Directives {
        Directives {
            latency: self.latency,
            interval: self.interval,
            status: self.status,
            retry_after: self.retry_after,
            rate: self.rate,
            reset: self.reset,
            stall: self.stall,
            malformed: self.malformed,
            error200: self.error200,
            truncate: self.truncate,
            tokens: self.tokens,
            echo: self.echo,
        }
    }
}

/// Serves until the process is told to stop.
pub async fn run(args: Args) -> io::Result<()> {
    let listener = TcpListener::bind(args.listen).await?;
    let mut terminate = signal(SignalKind::terminate())?;
    // One line, for people and for scripts that asked for port 0.
    writeln!(io::stdout(), "Demo upstream on http://{}/v1", listener.local_addr()?)?;
    let shutdown = async {
        tokio::select! {
            _ = tokio::signal::ctrl_c() => {}
            _ = terminate.recv() => {}
        }
    };
    demo::serve(listener, args.directives(), shutdown).await;
    Ok(())
}

fn directives_help() -> String {
    format!(
        "A call asks for the same in the x-demo header or in the model's name after a colon, as in\n\
         x-demo: latency=200,status=429 or \"model\": \"demo:status=429\":\n{}",
        Directives::help(),
    )
}
