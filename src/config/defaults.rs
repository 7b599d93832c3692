//! Every default, and why it is what it is.
//!
//! They are written as one would write them in the file: the schema and the example show these very words.

/// Where Portkey's SDKs look for a local gateway; on loopback, because nobody has been let in yet.
pub(super) const LISTEN: &str = "127.0.0.1:8787";

/// The next port; on loopback always, because it shows and changes everything.
pub(super) const ADMIN: &str = "127.0.0.1:8788";

/// A long conversation with a few pictures in it; a larger one is rare enough to be named by the operator.
pub(super) const MAX_BODY: &str = "10MiB";

/// What common servers and load balancers allow; a larger head would be refused upstream anyway.
pub(super) const MAX_HEAD: &str = "64KiB";

/// hyper panics on a smaller buffer.
pub(super) const LEAST_MAX_HEAD: u64 = 8 * 1024;

/// A client that needs longer for a few lines is not a client.
pub(super) const HEAD_TIMEOUT: &str = "10s";

/// [`MAX_BODY`] over a slow line of 3 Mbit/s.
pub(super) const BODY_TIMEOUT: &str = "30s";

/// What Kubernetes grants between SIGTERM and SIGKILL.
pub(super) const DRAIN_TIMEOUT: &str = "30s";

/// A sidecar serves one app; this many streams at once stay below the usual limit of open files.
pub(super) const MAX_CONNECTIONS: usize = 4096;

/// Tenants part the cache; one app is one tenant.
pub(super) const TENANT: &str = "default";

/// 128 bits in the densest common alphabet (base64) are 22 characters; less can be guessed.
pub(super) const LEAST_KEY_LENGTH: usize = 22;

/// Where an app that knows no other provider would go.
pub(super) const OPENAI: &str = "https://api.openai.com/v1";

/// Two lost SYN packets and a TLS handshake across an ocean.
pub(super) const CONNECT_TIMEOUT: &str = "5s";

/// A reasoning model may think for a minute or more before it says a word.
pub(super) const RESPONSE_TIMEOUT: &str = "120s";

/// Providers send keep-alives every 15 s or so; four missed ones are a dead connection.
pub(super) const IDLE_TIMEOUT: &str = "60s";

/// Who switches the guardrails on and says no more wants all of them; what they do by default is cautious.
pub(super) const PROFILE: &str = crate::guard::profiles::ALL;

/// As many as an app commonly has calls in flight; more would only be kept to be closed by the provider.
pub(super) const MAX_IDLE: usize = 32;

/// With the checks as they ship, this serves under 2 % of QQP's different pairs, whose labels are wrong in a third of the near ones, none of the traps, and a
/// quarter of QQP's same pairs (`cargo bench --bench cache_quality`). Below it, wrong answers grow faster than hits do.
pub(super) const THRESHOLD: f64 = 0.94;

/// Below this, texts on nearly any two subjects are alike.
pub(super) const LEAST_THRESHOLD: f64 = 0.5;

/// A day: long enough for a working day's repetitions, short enough that yesterday's facts go.
pub(super) const TTL: &str = "24h";

/// Some hundred thousand short answers, in a container of half a gigabyte.
pub(super) const MAX_MEMORY: &str = "256MiB";

/// As many answers of a few sentences as fit into [`MAX_MEMORY`].
pub(super) const MAX_ENTRIES: u64 = 200_000;

/// A cache that is empty after every deployment saves little. The prompts on disk are those of the user who runs Lockgate, in a file that nobody else
/// can read, at a place that the greeting names, and one word here turns it off.
pub(super) const STORE_ENABLED: bool = true;

/// Four times [`MAX_MEMORY`]: what memory had no room for waits there for the next start.
pub(super) const STORE_MAX_SIZE: &str = "1GiB";

/// An empty store has about ten pages.
pub(super) const LEAST_STORE_SIZE: u64 = 1024 * 1024;

/// As many answers of a few sentences as fit into [`STORE_MAX_SIZE`].
pub(super) const STORE_MAX_ENTRIES: u64 = 500_000;

/// No answer of text is larger; what is, would push out a thousand that are not.
pub(super) const MAX_ENTRY: &str = "1MiB";

/// One per core.
pub(super) const THREADS: usize = 0;

/// At about a millisecond a prompt, this is how many fit into a quarter of a second; who would wait longer had
/// better be answered by the provider.
pub(super) const QUEUE: usize = 256;

/// What happened, not how.
pub(super) const LEVEL: &str = "info";
