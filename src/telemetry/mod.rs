//! Set-up of logs and metrics, and the list of metric and label names.

use metrics::{Unit, describe_counter, describe_gauge, describe_histogram};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use tracing_appender::non_blocking::{NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::EnvFilter;

/// Lines of the log that wait to be written: a second of heavy traffic. Room for each is taken at the start.
const WAITING_LINES: usize = 8192;

/// How logs are written.
#[derive(Debug, Clone, PartialEq, Eq)]
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

/// Names of metrics. None is written anywhere else.
pub mod metric {
    /// Requests by endpoint, outcome and cache status.
    pub const REQUESTS: &str = "lockgate_requests_total";
    /// Time from a request's head to the end of its answer.
    pub const REQUEST_SECONDS: &str = "lockgate_request_seconds";
    /// Time from an upstream call to its response head.
    pub const UPSTREAM_SECONDS: &str = "lockgate_upstream_seconds";
    /// Time to embed a prompt, waiting for a thread included.
    pub const EMBED_SECONDS: &str = "lockgate_embed_seconds";
    /// Requests that were compared exactly only or not at all, by reason.
    pub const CACHE_BYPASSES: &str = "lockgate_cache_bypasses_total";
    /// Semantic hits that were not served but compared with the upstream's answer, by what came of it.
    pub const SHADOW_HITS: &str = "lockgate_shadow_hits_total";
    /// Neighbours that were not served, by the check that spoke loudest against them.
    pub const CHECKED: &str = "lockgate_checked_total";
    /// Requests that were answered by the call of another, which asked for the same at the same time.
    pub const FOLLOWERS: &str = "lockgate_flight_followers_total";
    /// Matches of rules, by rule, action and severity.
    pub const RULE_MATCHES: &str = "lockgate_rule_matches_total";
    /// Requests and answers that a rule could not judge, by rule, reason and what followed: `open` or `closed`.
    pub const RULE_FAILURES: &str = "lockgate_rule_failures_total";
    /// Verdicts of the hooks of Portkey configs, by gate and outcome: passed, failed, denied, or dropped because too many were under way.
    pub const HOOKS: &str = "lockgate_hooks_total";
    /// Reloads of the rules, by what they came to: replaced, unchanged, refused.
    pub const RULES_RELOADS: &str = "lockgate_rules_reloads_total";
    /// Counts the states of the rules, from 1 at the start.
    pub const RULES_GENERATION: &str = "lockgate_rules_generation";
    /// Requests refused before they were read, by reason.
    pub const REFUSED: &str = "lockgate_refused_total";
    /// Answers in the cache.
    pub const CACHE_ENTRIES: &str = "lockgate_cache_entries";
    /// Bytes in the cache.
    pub const CACHE_BYTES: &str = "lockgate_cache_bytes";
    /// Vectors of the semantic tier.
    pub const CACHE_VECTORS: &str = "lockgate_cache_vectors";
    /// Least score of a semantic hit, as configured or as labels have moved it.
    pub const CACHE_THRESHOLD: &str = "lockgate_cache_threshold";
    /// Whether entries are kept on disk: 1, or 0 once the store was given up.
    pub const STORE_UP: &str = "lockgate_store_up";
    /// Entries on disk.
    pub const STORE_ENTRIES: &str = "lockgate_store_entries";
    /// Bytes on disk that are in use.
    pub const STORE_BYTES: &str = "lockgate_store_bytes";
    /// Entries that are in memory alone, because the store was busier than it could write, or given up.
    pub const STORE_DROPPED: &str = "lockgate_store_dropped_total";
    /// Entries that were found damaged on disk, and dropped.
    pub const STORE_DAMAGED: &str = "lockgate_store_damaged_total";
    /// Tokens that were not spent because an answer had been given before.
    pub const SAVED_TOKENS: &str = "lockgate_saved_tokens_total";
    /// Seconds that nobody waited, for the same reason.
    pub const SAVED_SECONDS: &str = "lockgate_saved_seconds_total";
    /// US dollars that were not spent, for the same reason, where prices are configured.
    pub const SAVED_USD: &str = "lockgate_saved_usd_total";
    /// Attempts by target, provider, virtual key and status.
    pub const TARGET_ANSWERS: &str = "lockgate_target_answers_total";
    /// What attempts take, by target.
    pub const TARGET_SECONDS: &str = "lockgate_target_seconds";
    /// Tokens of answers, by target.
    pub const TARGET_TOKENS: &str = "lockgate_target_tokens_total";
    /// US dollars that answers have cost, by target, where prices are known.
    pub const TARGET_USD: &str = "lockgate_target_usd_total";
    /// Open connections, of all ports.
    pub const CONNECTIONS: &str = "lockgate_connections";
}

/// Names of labels.
pub mod label {
    /// Which endpoint.
    pub const ENDPOINT: &str = "endpoint";
    /// At which gate.
    pub const GATE: &str = "gate";
    /// How it ended.
    pub const OUTCOME: &str = "outcome";
    /// What the cache did.
    pub const CACHE: &str = "cache";
    /// Why.
    pub const REASON: &str = "reason";
    /// Which rule.
    pub const RULE: &str = "rule";
    /// Which target of a config.
    pub const TARGET: &str = "target";
    /// Which provider.
    pub const PROVIDER: &str = "provider";
    /// Which virtual key.
    pub const VIRTUAL_KEY: &str = "virtual_key";
    /// Which status.
    pub const STATUS: &str = "status";
    /// Which check.
    pub const CHECK: &str = "check";
    /// What the rule did.
    pub const ACTION: &str = "action";
    /// How much harm what a rule finds can do.
    pub const SEVERITY: &str = "severity";
    /// Which tokens: of the prompt or of the completion.
    pub const KIND: &str = "kind";
    /// Whose request: the tenant's name, or the beginning of its hash.
    pub const TENANT: &str = "tenant";
    /// Which model was asked for.
    pub const MODEL: &str = "model";
    /// What saved a call: `cache`, or the `flight` of another request.
    pub const BY: &str = "by";
}

/// From a tenth of a hit to a patient model.
const SECONDS: [f64; 16] =
    [0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.1, 0.25, 1.0, 2.5, 10.0, 30.0, 120.0];

/// Starts the log; lines are written until the guard is dropped. Writing never blocks a request: a line that finds no room is dropped.
pub fn start_log(settings: &Settings, color: bool) -> WorkerGuard {
    let (writer, guard) = NonBlockingBuilder::default().buffered_lines_limit(WAITING_LINES).finish(std::io::stderr());
    let filter = EnvFilter::try_new(&settings.filter).unwrap_or_else(|_| EnvFilter::new("info"));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer).with_target(false);
    // A second start in one process, as in tests, keeps the first log.
    let started = match settings.format {
        LogFormat::Text => builder.with_ansi(color).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).with_current_span(false).try_init(),
    };
    drop(started);
    guard
}

/// Starts the metrics of this process.
pub fn start_metrics() -> Result<PrometheusHandle, BuildError> {
    let recorder =
        PrometheusBuilder::new().set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)?.build_recorder();
    let handle = recorder.handle();
    // A second start in one process, as in tests, keeps the first recorder.
    drop(metrics::set_global_recorder(recorder));
    describe();
    Ok(handle)
}

fn describe() {
    describe_counter!(metric::REQUESTS, "Requests by endpoint, outcome and cache status.");
    describe_histogram!(metric::REQUEST_SECONDS, Unit::Seconds, "From a request's head to the end of its answer.");
    describe_histogram!(metric::UPSTREAM_SECONDS, Unit::Seconds, "From an upstream call to its response head.");
    describe_histogram!(metric::EMBED_SECONDS, Unit::Seconds, "Embedding a prompt, waiting for a thread included.");
    describe_counter!(metric::CACHE_BYPASSES, "Requests compared exactly only or not at all, by reason.");
    describe_counter!(metric::FOLLOWERS, "Requests answered by the call of another, which asked for the same at the same time.");
    describe_counter!(metric::CHECKED, "Neighbours that were not served, by the check that spoke loudest against them.");
    describe_counter!(
        metric::SHADOW_HITS,
        "Semantic hits that were compared with the upstream's answer in place of being served, by what came of it."
    );
    describe_counter!(metric::RULE_MATCHES, "Matches of rules, by rule, action and severity.");
    describe_counter!(
        metric::RULE_FAILURES,
        "Requests and answers that a rule could not judge, by rule, reason and what followed."
    );
    describe_counter!(metric::HOOKS, "Verdicts of the hooks of Portkey configs, by gate and outcome.");
    describe_counter!(metric::RULES_RELOADS, "Reloads of the rules, by what they came to.");
    describe_gauge!(metric::RULES_GENERATION, "Counts the states of the rules, from 1 at the start.");
    describe_counter!(metric::REFUSED, "Requests refused before they were read, by reason.");
    describe_gauge!(metric::CACHE_ENTRIES, "Answers in the cache.");
    describe_gauge!(metric::CACHE_BYTES, Unit::Bytes, "Bytes in the cache.");
    describe_gauge!(metric::CACHE_VECTORS, "Vectors of the semantic tier.");
    describe_gauge!(metric::CACHE_THRESHOLD, "Least score of a semantic hit, as configured or as labels have moved it.");
    describe_gauge!(metric::STORE_UP, "Whether entries are kept on disk.");
    describe_gauge!(metric::STORE_ENTRIES, "Entries on disk.");
    describe_gauge!(metric::STORE_BYTES, Unit::Bytes, "Bytes on disk that are in use.");
    describe_counter!(metric::STORE_DROPPED, "Entries that are in memory alone.");
    describe_counter!(metric::STORE_DAMAGED, "Entries found damaged on disk, and dropped.");
    describe_counter!(metric::SAVED_TOKENS, "Tokens not spent, because an answer had been given before.");
    describe_gauge!(metric::SAVED_SECONDS, Unit::Seconds, "Time that nobody waited, because an answer had been given before.");
    describe_gauge!(metric::SAVED_USD, "US dollars not spent at the configured prices, because an answer had been given before.");
    describe_gauge!(metric::CONNECTIONS, "Open connections, of all ports.");
}
