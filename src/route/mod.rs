//! Plan and 3: which upstream answers, and the attempt to make it answer.

use std::time::Duration;

use http::Uri;
use secrecy::SecretString;

/// Where a request goes on a miss.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The upstream's base, up to and with `/v1`: `https://api.openai.com/v1`.
    pub base_url: Uri,
    /// The key sent upstream when the client brought none of its own.
    pub api_key: Option<SecretString>,
    /// How long the upstream may take to send its response head.
    pub response_timeout: Duration,
    /// How long the upstream may be silent inside a body.
    pub idle_timeout: Duration,
}
