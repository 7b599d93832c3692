//! Set-up of logs and metrics, and the list of metric and label names.

/// How logs are written.
#[derive(Debug, Clone)]
pub struct Settings {
    /// One line of text or one JSON object per event.
    pub format: LogFormat,
    /// What is logged, in the syntax of `tracing`'s `EnvFilter`: `info`, `lockgate=debug`.
    pub filter: String,
}

/// The shape of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// For machines.
    Json,
}
