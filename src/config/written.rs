//! The file as it is written. Doc comments here are what editors show and what reports offer as a remedy.
//!
//! Durations, sizes and addresses stay text at this level, so that each can be criticised at its place.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use super::defaults;
use crate::cache::verify::{CHECKS, Check, Stance, Stances};

/// Configuration of Lockgate: a semantic cache and guardrails sidecar for LLM traffic.
///
/// Every key may be left out. `${NAME}` and `${NAME:-default}` put in variables of the environment.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(title = "Lockgate configuration")]
pub(super) struct Written {
    /// How requests are let in.
    pub(super) server: Server,
    /// Who may call.
    pub(super) access: Access,
    /// Who answers what the cache does not.
    pub(super) upstream: Upstream,
    /// Names for credentials of providers, which clients use without knowing them: `x-portkey-virtual-key: <name>`, or `provider: @<name>`.
    pub(super) virtual_keys: BTreeMap<String, VirtualKey>,
    /// Portkey configs by name: targets, strategies, retries, caches. A client sends the name as `x-portkey-config`.
    pub(super) configs: BTreeMap<String, serde_json::Value>,
    /// Paths under which the endpoints lie once more, each with a config: `premium` is `/premium/v1/…`.
    pub(super) routes: BTreeMap<String, Route>,
    /// A folder of prompt templates, which clients call by name: `POST /v1/prompts/<name>/completions`.
    pub(super) prompts: Option<String>,
    /// What is answered without asking again.
    pub(super) cache: Cache,
    /// How texts become vectors, for the semantic cache.
    pub(super) embedding: Embedding,
    /// What is looked for in requests and answers.
    pub(super) guardrails: Guardrails,
    /// What models cost, by name, so that savings are told in money; `gpt-5*` is every model that begins so.
    pub(super) prices: BTreeMap<String, Price>,
    /// How logs are written.
    pub(super) log: Log,
}

/// How requests are let in.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Server {
    /// Address and port for the app. Any address but loopback needs client keys.
    pub(super) listen: String,
    /// Address and port for operators. Loopback only: it shows and changes everything.
    pub(super) admin: String,
    /// Address and port of a read-only listener with health and metrics, for probes; may be reachable from elsewhere.
    pub(super) health: Option<String>,
    /// Largest request body, before and after decompression.
    pub(super) max_body: String,
    /// Largest request head: request line and headers.
    pub(super) max_head: String,
    /// How long a client may take to send a request head.
    pub(super) head_timeout: String,
    /// How long a client may take to send a request body, and how long it may leave an answer unread.
    pub(super) body_timeout: String,
    /// How long open requests may go on after SIGTERM.
    pub(super) drain_timeout: String,
    /// Connections open at once, at least 1; one more waits.
    #[schemars(range(min = 1))]
    pub(super) max_connections: usize,
    /// Paths under /v1/ that are passed on without being read: neither guarded nor cached.
    #[schemars(extend("examples" = [["/v1/images/generations"]]))]
    pub(super) relay: Vec<String>,
}

/// Who may call.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Access {
    /// The keys that clients present; with none, whoever reaches the port may call.
    pub(super) client_keys: Vec<ClientKey>,
    /// How much each tenant, user or model may have.
    pub(super) limits: Vec<SharedLimits>,
}

/// How much each of some may have.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SharedLimits {
    /// Whose use is counted together.
    pub(super) by: By,
    /// As `60 requests/minute`, `100000 tokens/day`, `50 usd/month`; windows are minute, hour, day and month. With `soft` before it a limit only warns.
    pub(super) limits: Vec<String>,
}

/// Whose use is counted together.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum By {
    /// Each tenant's.
    Tenant,
    /// Each user's of a tenant: `_user` in `x-portkey-metadata`.
    User,
    /// Each model's.
    Model,
}

/// A key that a client presents as `Authorization: Bearer …`. It is never passed on.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ClientKey {
    /// Its name in logs and metrics: up to 64 letters, digits, `.`, `_` and `-`.
    #[schemars(regex(pattern = r"^[A-Za-z0-9._-]{1,64}$"))]
    pub(super) name: String,
    /// The key itself, at least 22 characters, best from the environment: `${LOCKGATE_CLIENT_KEY}`.
    #[schemars(with = "Option<String>")]
    pub(super) key: Option<SecretString>,
    /// In place of the key: its SHA-256, in 64 hexadecimal digits.
    pub(super) sha256: Option<String>,
    /// Whose cache entries it shares: up to 64 letters, digits, `.`, `_` and `-`.
    #[serde(default = "default_tenant")]
    #[schemars(regex(pattern = r"^[A-Za-z0-9._-]{1,64}$"))]
    pub(super) tenant: String,
    /// Its profiles of guardrails; those of `guardrails.default` when left out.
    pub(super) guardrails: Option<Vec<String>>,
    /// The config, of those under `configs`, that its requests follow when they bring none.
    pub(super) config: Option<String>,
    /// The virtual keys that it may use; all when left out.
    pub(super) virtual_keys: Option<Vec<String>>,
    /// How much it may have: `60 requests/minute`, `100000 tokens/day`, `50 usd/month`; with `soft` before it a limit only warns.
    #[serde(default)]
    pub(super) limits: Vec<String>,
}

/// A name for a credential of a provider.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct VirtualKey {
    /// The provider: openai, anthropic, azure-openai, groq, ollama, …
    pub(super) provider: String,
    /// The credential, best from the environment: `${OPENAI_API_KEY}`.
    #[schemars(with = "Option<String>")]
    pub(super) api_key: Option<SecretString>,
    /// In place of it: a file that holds it, and is read again when it changes.
    pub(super) api_key_file: Option<String>,
    /// Another base than the provider's own, up to and with `/v1`.
    pub(super) url: Option<String>,
    /// The models that it may be used for: names, or beginnings that end with `*`; all when left out.
    #[serde(default)]
    pub(super) models: Vec<String>,
    /// How much may be had with it: `60 requests/minute`, `100000 tokens/day`, `50 usd/month`; with `soft` before it a limit only warns.
    #[serde(default)]
    pub(super) limits: Vec<String>,
    /// What the provider is told beside the credential, under the names of Portkey's configs: `azure_resource_name`, `vertex_region`, …
    #[serde(default)]
    pub(super) options: BTreeMap<String, String>,
}

/// A path of its own for some of the requests.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Route {
    /// The config, of those under `configs`, that its requests follow when they bring none.
    pub(super) config: String,
}

fn default_tenant() -> String {
    defaults::TENANT.to_owned()
}

/// Who answers what the cache does not.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Upstream {
    /// The provider's base, up to and with `/v1`.
    #[schemars(extend("examples" = ["https://api.openai.com/v1"]))]
    pub(super) url: Option<String>,
    /// The key sent to the provider when the client brought none of its own, best from the environment:
    /// `${OPENAI_API_KEY:-}`.
    #[schemars(with = "Option<String>")]
    pub(super) api_key: Option<SecretString>,
    /// How long resolving, connecting and the TLS handshake may take together.
    pub(super) connect_timeout: String,
    /// How long the provider may take to begin its answer.
    pub(super) response_timeout: String,
    /// How long the provider may be silent inside an answer.
    pub(super) idle_timeout: String,
    /// Whether addresses of your own network, and plain HTTP to them, may be called.
    pub(super) allow_private_addresses: bool,
}

/// What is answered without asking again.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Cache {
    /// Which requests are answered from the cache.
    pub(super) mode: Mode,
    /// Least score of a semantic hit, 0.5 to 1; higher is stricter. The score is the cosine similarity, lowered by what the checks find.
    pub(super) threshold: f64,
    /// In place of a threshold: the share of semantic hits that may be wrong, such as 0.02. An estimate from public data, until labels of your own traffic are enough: `mode: shadow` and reported false hits make them.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub(super) max_error: Option<f64>,
    /// What speaks against a near neighbour, and what it may do: veto, weigh or off.
    pub(super) checks: Checks,
    /// How long an answer is served again; single ones up to a twentieth less, so that they do not all end together.
    pub(super) ttl: String,
    /// Memory for answers.
    pub(super) max_memory: String,
    /// Answers in memory, at least 1.
    #[schemars(range(min = 1))]
    pub(super) max_entries: u64,
    /// Largest answer that is kept.
    pub(super) max_entry: String,
    /// Where answers are kept across restarts.
    pub(super) store: Store,
}

/// Where answers are kept across restarts.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Store {
    /// Whether they are. The file holds prompts and answers in clear, readable for its owner alone.
    pub(super) enabled: bool,
    /// The file; left out, `lockgate/cache.db` in the user's folder for state: `XDG_STATE_HOME`, or else `~/.local/state`.
    pub(super) path: Option<String>,
    /// Largest size of the file.
    pub(super) max_size: String,
    /// Answers in the file, at least 1.
    #[schemars(range(min = 1))]
    pub(super) max_entries: u64,
}

/// What speaks against a near neighbour.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Checks {
    /// Numbers, amounts, units.
    pub(super) numbers: Stance,
    /// URLs, addresses, ids, versions, dates, names in code.
    pub(super) literals: Stance,
    /// Not, never, without: on one side only.
    pub(super) negation: Stance,
    /// A word stands against its opposite.
    pub(super) opposites: Stance,
    /// Who does what to whom is the other way round.
    pub(super) arguments: Stance,
    /// Other names.
    pub(super) names: Stance,
    /// He, she, or somebody by name.
    pub(super) people: Stance,
    /// Other days, months and habits.
    pub(super) time: Stance,
    /// Where, when, why, how.
    pub(super) question: Stance,
    /// Only, all, first, other.
    pub(super) scope: Stance,
    /// A word was added that the other side does not account for.
    pub(super) added: Stance,
    /// A word has nothing like it on the other side.
    pub(super) unmatched: Stance,
    /// The likeness is one of words rather than of meaning.
    pub(super) shared: Stance,
}

impl Checks {
    /// Every check, and what is written of it.
    pub(super) fn all(&self) -> [(Check, Stance); CHECKS] {
        [
            (Check::Numbers, self.numbers),
            (Check::Literals, self.literals),
            (Check::Negation, self.negation),
            (Check::Opposites, self.opposites),
            (Check::Arguments, self.arguments),
            (Check::Names, self.names),
            (Check::People, self.people),
            (Check::Time, self.time),
            (Check::Question, self.question),
            (Check::Scope, self.scope),
            (Check::Added, self.added),
            (Check::Unmatched, self.unmatched),
            (Check::Shared, self.shared),
        ]
    }
}

/// Which requests are answered from the cache.
#[derive(Debug, Clone, Copy, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Mode {
    /// Also those whose last message means the same.
    Semantic,
    /// As semantic, but a semantic hit is only written down and the upstream answers: to see before one believes.
    Shadow,
    /// Those that are the same, field for field.
    Exact,
    /// None.
    Off,
}

/// How texts become vectors.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Embedding {
    /// What computes the vectors.
    pub(super) engine: Engine,
    /// A folder with `model.int8.onnx` and `tokenizer.json`, in place of the model that Lockgate brings.
    pub(super) model: Option<String>,
    /// Threads, each on one text at a time, at most 1024; 0 is one per core.
    #[schemars(range(max = 1024))]
    pub(super) threads: usize,
    /// Texts that may wait for a thread, at least 1; one more goes on as a miss.
    #[schemars(range(min = 1))]
    pub(super) queue: usize,
}

/// What computes the vectors.
#[derive(Debug, Clone, Copy, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Engine {
    /// ONNX Runtime where its library is found, else rten.
    Auto,
    /// rten, pure Rust, always there.
    Rten,
    /// ONNX Runtime; Lockgate does not start without its library.
    OnnxRuntime,
}

/// What is looked for in requests and answers.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Guardrails {
    /// Whether the rules that ship with Lockgate are active.
    pub(super) builtin: bool,
    /// A folder of rule files of your own.
    pub(super) directory: Option<String>,
    /// What single rules do, by id, in place of what their files say.
    pub(super) rules: BTreeMap<String, Action>,
    /// Rules that are chosen together, by a name of up to 64 small letters, digits and dashes. Beside these, every group of rules (the folder that their
    /// files lie in) is a profile, and so is `all`.
    pub(super) profiles: BTreeMap<String, Profile>,
    /// The profiles of requests whose client key names none.
    pub(super) default: Vec<String>,
}

/// Rules that are chosen together.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Profile {
    /// Ids of rules, groups of rules, or `all`.
    pub(super) rules: Vec<String>,
    /// Whether what they say is done.
    #[serde(default)]
    pub(super) mode: ProfileMode,
    /// Whether every request has it, whatever its key or the client says.
    #[serde(default)]
    pub(super) mandatory: bool,
}

/// Whether what rules say is done.
#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum ProfileMode {
    /// It is done.
    #[default]
    Enforce,
    /// It is only noted, in header, log and metric: to see before one believes.
    Monitor,
}

/// What a rule does when it finds something.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Action {
    /// It does not run.
    Off,
    /// The request or answer is refused.
    Block,
    /// A line in the log and a header.
    Warn,
    /// What was found is replaced.
    Replace,
}

/// US dollars per million tokens.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Price {
    /// Of tokens that the model reads.
    #[schemars(range(min = 0.0))]
    pub(super) prompt: f64,
    /// Of tokens that it writes; left out, none, as for embeddings.
    #[serde(default)]
    #[schemars(range(min = 0.0))]
    pub(super) completion: f64,
}

/// How logs are written.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Log {
    /// The shape of a line.
    pub(super) format: LogFormat,
    /// What is logged: a level (error, warn, info, debug or trace) and exceptions, such as `info,lockgate::cache=debug`.
    pub(super) level: String,
}

/// The shape of a line.
#[derive(Debug, Clone, Copy, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum LogFormat {
    /// For people.
    Text,
    /// For machines: a JSON object on each line.
    Json,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            listen: defaults::LISTEN.to_owned(),
            admin: defaults::ADMIN.to_owned(),
            health: None,
            max_body: defaults::MAX_BODY.to_owned(),
            max_head: defaults::MAX_HEAD.to_owned(),
            head_timeout: defaults::HEAD_TIMEOUT.to_owned(),
            body_timeout: defaults::BODY_TIMEOUT.to_owned(),
            drain_timeout: defaults::DRAIN_TIMEOUT.to_owned(),
            max_connections: defaults::MAX_CONNECTIONS,
            relay: Vec::new(),
        }
    }
}

impl Default for Upstream {
    fn default() -> Self {
        Self {
            url: None,
            api_key: None,
            connect_timeout: defaults::CONNECT_TIMEOUT.to_owned(),
            response_timeout: defaults::RESPONSE_TIMEOUT.to_owned(),
            idle_timeout: defaults::IDLE_TIMEOUT.to_owned(),
            allow_private_addresses: false,
        }
    }
}

impl Default for Cache {
    fn default() -> Self {
        Self {
            mode: Mode::Semantic,
            threshold: defaults::THRESHOLD,
            max_error: None,
            checks: Checks::default(),
            ttl: defaults::TTL.to_owned(),
            max_memory: defaults::MAX_MEMORY.to_owned(),
            max_entries: defaults::MAX_ENTRIES,
            max_entry: defaults::MAX_ENTRY.to_owned(),
            store: Store::default(),
        }
    }
}

impl Default for Store {
    fn default() -> Self {
        Self {
            enabled: defaults::STORE_ENABLED,
            path: None,
            max_size: defaults::STORE_MAX_SIZE.to_owned(),
            max_entries: defaults::STORE_MAX_ENTRIES,
        }
    }
}

impl Default for Checks {
    fn default() -> Self {
        let of = |check| Stances::default().of(check);
        Self {
            numbers: of(Check::Numbers),
            literals: of(Check::Literals),
            negation: of(Check::Negation),
            opposites: of(Check::Opposites),
            arguments: of(Check::Arguments),
            names: of(Check::Names),
            people: of(Check::People),
            time: of(Check::Time),
            question: of(Check::Question),
            scope: of(Check::Scope),
            added: of(Check::Added),
            unmatched: of(Check::Unmatched),
            shared: of(Check::Shared),
        }
    }
}

impl Default for Embedding {
    fn default() -> Self {
        Self { engine: Engine::Auto, model: None, threads: defaults::THREADS, queue: defaults::QUEUE }
    }
}

impl Default for Guardrails {
    fn default() -> Self {
        Self {
            builtin: true,
            directory: None,
            rules: BTreeMap::new(),
            profiles: BTreeMap::new(),
            default: vec![defaults::PROFILE.to_owned()],
        }
    }
}

impl Default for Log {
    fn default() -> Self {
        Self { format: LogFormat::Text, level: defaults::LEVEL.to_owned() }
    }
}
