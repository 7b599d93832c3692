//! What can go wrong with a request, and whose fault it is. No HTTP here: `egress` gives each kind its status.

use std::{error::Error as StdError, fmt, sync::Arc, time::Duration};

/// Who has to act for the failure to go away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The request is at fault.
    Client,
    /// The provider is at fault.
    Upstream,
    /// Lockgate or its configuration is at fault.
    Internal,
}

impl Origin {
    /// The word used in logs and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Upstream => "upstream",
            Self::Internal => "internal",
        }
    }
}

/// What went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The body is not JSON, or has the same key twice.
    MalformedJson,
    /// The body is JSON, but not of the shape that the endpoint reads.
    InvalidRequest,
    /// The body has a content type or content encoding that is not read.
    UnsupportedMedia,
    /// The body is larger than the limit.
    TooLarge,
    /// The body ended early or the client broke the connection's rules.
    BrokenBody,
    /// The body did not arrive in time.
    SlowBody,
    /// The answer was shared, and this client read it too slowly.
    SlowReader,
    /// A header cannot be read.
    InvalidHeader,
    /// The request line and headers are larger than the limit.
    HeadTooLarge,
    /// `Host` or `Origin` is not ours.
    ForeignOrigin,
    /// No client key, or an unknown one.
    Unauthenticated,
    /// There is no such endpoint.
    UnknownEndpoint,
    /// The cache has no such entry.
    UnknownEntry,
    /// The endpoint exists, but not for this method.
    WrongMethod,
    /// The request asks for another protocol.
    UpgradeRefused,
    /// The request asks for something that Lockgate does not do yet.
    Unsupported,
    /// The config that says where the request goes cannot be read, or leads nowhere.
    InvalidConfig,
    /// The caller may not use what it names.
    Forbidden,
    /// The caller has had as many requests or tokens as it may have for now.
    Limited,
    /// What the caller may spend is spent.
    OverBudget,
    /// The upstream did not answer in the time that the request gives it.
    RequestTimeout,
    /// The upstream cannot be reached.
    Unreachable,
    /// The upstream's address may not be called.
    ForbiddenAddress,
    /// The upstream did not answer in time.
    UpstreamTimeout,
    /// The upstream broke off.
    UpstreamReset,
    /// The upstream's answer cannot be understood.
    UpstreamMalformed,
    /// The upstream reported an error under a success status.
    UpstreamError,
    /// What is asked for cannot be done now.
    Unavailable,
    /// Lockgate itself failed.
    Internal,
}

impl Kind {
    /// Whose fault this kind is.
    pub fn origin(self) -> Origin {
        match self {
            Self::MalformedJson
            | Self::InvalidRequest
            | Self::UnsupportedMedia
            | Self::TooLarge
            | Self::BrokenBody
            | Self::SlowBody
            | Self::SlowReader
            | Self::InvalidHeader
            | Self::HeadTooLarge
            | Self::ForeignOrigin
            | Self::Unauthenticated
            | Self::UnknownEndpoint
            | Self::UnknownEntry
            | Self::WrongMethod
            | Self::UpgradeRefused
            | Self::Unsupported
            | Self::InvalidConfig
            | Self::Forbidden
            | Self::Limited
            | Self::OverBudget => Origin::Client,
            Self::Unreachable
            | Self::RequestTimeout
            | Self::UpstreamTimeout
            | Self::UpstreamReset
            | Self::UpstreamMalformed
            | Self::UpstreamError => Origin::Upstream,
            Self::ForbiddenAddress | Self::Unavailable | Self::Internal => Origin::Internal,
        }
    }

    /// The word used in the error's `code`, in logs and in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::MalformedJson => "malformed_json",
            Self::InvalidRequest => "invalid_request",
            Self::UnsupportedMedia => "unsupported_media",
            Self::TooLarge => "too_large",
            Self::BrokenBody => "broken_body",
            Self::SlowBody => "slow_body",
            Self::SlowReader => "slow_reader",
            Self::InvalidHeader => "invalid_header",
            Self::HeadTooLarge => "head_too_large",
            Self::ForeignOrigin => "foreign_origin",
            Self::Unauthenticated => "unauthenticated",
            Self::UnknownEndpoint => "unknown_endpoint",
            Self::UnknownEntry => "unknown_entry",
            Self::WrongMethod => "wrong_method",
            Self::UpgradeRefused => "upgrade_refused",
            Self::Unsupported => "unsupported",
            Self::InvalidConfig => "invalid_config",
            Self::Forbidden => "forbidden",
            Self::Limited => "rate_limit_exceeded",
            Self::OverBudget => "budget_exceeded",
            Self::RequestTimeout => "request_timeout",
            Self::Unreachable => "upstream_unreachable",
            Self::ForbiddenAddress => "forbidden_address",
            Self::UpstreamTimeout => "upstream_timeout",
            Self::UpstreamReset => "upstream_reset",
            Self::UpstreamMalformed => "upstream_malformed",
            Self::UpstreamError => "upstream_error",
            Self::Unavailable => "unavailable",
            Self::Internal => "internal",
        }
    }
}

/// A failed request: what, where, and what to do about it.
#[derive(Debug, Clone)]
pub struct Error {
    kind: Kind,
    message: String,
    param: Option<String>,
    detail: Option<String>,
    retry_after: Option<Duration>,
    source: Option<Arc<dyn StdError + Send + Sync>>,
}

/// What most functions on a request's way return.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// An error whose message names the place and the remedy.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), param: None, detail: None, retry_after: None, source: None }
    }

    /// Adds the request field at fault, as in `messages[0].content`.
    #[must_use]
    pub fn param(mut self, param: impl Into<String>) -> Self {
        self.param = Some(param.into());
        self
    }

    /// Adds the upstream's own words, which go to the client and not to the log: providers repeat prompts and parts of keys.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// Adds after how long another try makes sense.
    #[must_use]
    pub fn retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    /// Adds the cause, which goes to the log and not to the client.
    #[must_use]
    pub fn because(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(source.into().into());
        self
    }

    /// What went wrong.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The sentence for client and log.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// All that is for the client: the sentence, and the upstream's own words where there are any.
    pub fn told(&self) -> String {
        let detail = self.detail.as_deref().map(|detail| format!(" It said: {detail}")).unwrap_or_default();
        format!("{}{detail}", self.message)
    }

    /// After how long another try makes sense, where that is known.
    pub fn wait(&self) -> Option<Duration> {
        self.retry_after
    }

    /// The request field at fault.
    pub fn field(&self) -> Option<&str> {
        self.param.as_deref()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        let mut cause = self.source.as_deref().map(|source| source as &dyn StdError);
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

impl StdError for Error {}
