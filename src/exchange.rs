//! What travels with one request: ids, tenant, timings, and the notes that become headers, log line and metrics.

use std::{
    collections::BTreeMap,
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use serde::Serialize;

use crate::{clock, error::Kind, wire::response::Usage};

/// Whose cache entries a request may see. A hash, so that it can be part of a key without being a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Tenant(pub [u8; 16]);

/// In 32 hexadecimal digits.
impl fmt::Display for Tenant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

/// What the upstream took for an answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cost {
    /// Tokens, as the provider counts them.
    pub usage: Usage,
    /// Time, from the lookup that missed to the end of the answer.
    pub took: Duration,
}

/// What the cache did, in the words of the Portkey wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CacheStatus {
    /// Nothing that may be served was found; the upstream answered.
    Miss,
    /// The same request was answered before.
    Hit,
    /// A request that means the same was answered before.
    SemanticHit,
    /// As a miss, where one that means the same was asked for by name.
    SemanticMiss,
    /// The client asked for a fresh answer, which replaces its own entry.
    Refresh,
    /// The cache had no part in this request.
    Disabled,
}

impl CacheStatus {
    /// The value of `x-portkey-cache-status`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Miss => "MISS",
            Self::Hit => "HIT",
            Self::SemanticHit => "SEMANTIC HIT",
            Self::SemanticMiss => "SEMANTIC MISS",
            Self::Refresh => "REFRESH",
            Self::Disabled => "DISABLED",
        }
    }
}

/// Why a request was compared exactly only, or not at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bypass {
    /// The configuration says so.
    Configured,
    /// The client asked not to be answered from the cache or not to be stored.
    Client,
    /// The request's config names no cache.
    Config,
    /// Answers of this kind are compared exactly only: vectors, and completions that repeat their prompt.
    Endpoint,
    /// The last message is not a user's text alone.
    NotText,
    /// The answer depends on when it is asked.
    Now,
    /// The answer depends on who asks.
    Asker,
    /// The text is longer than the model reads.
    TooLong,
    /// The model does not know the words, or their language.
    UnknownWords,
    /// The embedding queue was full.
    Busy,
    /// The embedding engine failed.
    EngineFailed,
}

impl Bypass {
    /// The word used in header, log and metric.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Configured => "configured",
            Self::Client => "client",
            Self::Config => "config",
            Self::Endpoint => "endpoint",
            Self::NotText => "not-text",
            Self::Now => "now",
            Self::Asker => "asker",
            Self::TooLong => "too-long",
            Self::UnknownWords => "unknown-words",
            Self::Busy => "busy",
            Self::EngineFailed => "engine-failed",
        }
    }
}

/// How a stream ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// The upstream said all.
    Finished,
    /// The upstream or the connection to it failed.
    Failed(Kind),
    /// The client left.
    Cancelled,
}

/// What the semantic tier said of the best neighbour.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Judged {
    /// The cosine of the two vectors.
    pub similarity: f32,
    /// The same after all checks: what is held against the threshold.
    pub score: f32,
    /// Of a neighbour that was not served, the check that spoke loudest against it.
    pub reason: Option<&'static str>,
}

/// What a rule did to this request or its answer. Never the text that it matched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleNote {
    /// The rule's id.
    pub rule: String,
    /// `block`, `warn` or `replace`, or the same after `monitor-` where that was only noted.
    pub action: &'static str,
    /// How much harm what it finds can do.
    pub severity: &'static str,
}

/// A rule that could not judge this request or its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleFailure {
    /// The rule's id.
    pub rule: String,
    /// Why.
    pub reason: &'static str,
    /// `open`: it went on as if nothing had matched; `closed`: as if all had.
    pub outcome: &'static str,
}

/// What the hooks of a config came to, in the words of the Portkey wire. Only the client reads it: no log line and no entry has it.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct HookReport {
    /// Of those that judge the request.
    #[serde(rename = "before_request_hooks")]
    pub before: Vec<HookResult>,
    /// Of those that judge the answer.
    #[serde(rename = "after_request_hooks")]
    pub after: Vec<HookResult>,
    /// Whether more comes when the answer is whole.
    #[serde(skip)]
    pub expected: bool,
}

impl HookReport {
    /// Whether nobody waited for a hook.
    pub fn is_empty(&self) -> bool {
        self.before.is_empty() && self.after.is_empty()
    }

    /// Whether every hook was content.
    pub fn passed(&self) -> bool {
        self.before.iter().chain(&self.after).all(|hook| hook.verdict)
    }
}

/// What one hook came to.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HookResult {
    /// Whether each of its checks passed, or could not judge and may fail.
    pub verdict: bool,
    /// The hook's id.
    pub id: String,
    /// Whether it has changed what it judged.
    pub transformed: bool,
    /// What each check came to.
    pub checks: Vec<HookCheck>,
    /// What the config says of such a verdict, for whoever collects feedback; `null` if it says nothing.
    pub feedback: serde_json::Value,
    /// Milliseconds.
    pub execution_time: u64,
    /// Whether nobody waited for it; such a one is in no report.
    #[serde(rename = "async")]
    pub is_async: bool,
    /// `guardrail` or `mutator`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// When it was done.
    pub created_at: String,
    /// Whether its verdict refuses.
    pub deny: bool,
}

/// What one check came to.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HookCheck {
    /// More about it, where it could judge.
    pub data: Option<HookData>,
    /// Whether it passed.
    pub verdict: bool,
    /// The check's id.
    pub id: String,
    /// Why it could not judge.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<HookError>,
    /// Milliseconds.
    pub execution_time: u64,
    /// Whether it has changed what it judged.
    pub transformed: bool,
    /// When it was done.
    pub created_at: String,
    /// Always `null`.
    pub log: (),
    /// Whether it fails where it cannot judge.
    pub fail_on_error: bool,
}

/// What a check tells of its verdict.
#[derive(Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HookData {
    /// For people, without a word of the text.
    pub explanation: String,
    /// The beginning of what the client itself sent; never of an answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text_excerpt: Option<String>,
}

/// Nobody's words are in a debugger's line.
impl fmt::Debug for HookData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HookData").field("explanation", &self.explanation).finish_non_exhaustive()
    }
}

/// Why a check could not judge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HookError {
    /// `TimeoutError` or `Error`.
    pub name: &'static str,
    /// For people, without a word of the text.
    pub message: String,
}

/// Where a request went.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RouteNote {
    /// The target's place in its config: `config.targets[0]`.
    pub option: String,
    /// The provider's slug.
    pub provider: String,
    /// The virtual key's name, if it was called with one.
    pub virtual_key: Option<String>,
    /// How often that target was asked again; -1 if it wanted to be left alone for too long.
    pub retries: i32,
    /// How many targets were asked.
    pub targets: u32,
    /// The model that was asked for there.
    pub model: String,
}

/// Where a request stands in a trace of the client's own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Span {
    /// Its id.
    pub id: Option<String>,
    /// What it is called.
    pub name: Option<String>,
    /// The id of the one that it belongs to.
    pub parent: Option<String>,
}

/// What is left of a limit.
#[derive(Debug, Clone, PartialEq)]
pub struct Standing {
    /// `requests`, `tokens` or `usd`.
    pub unit: &'static str,
    /// The limit.
    pub most: f64,
    /// What is left of it.
    pub left: f64,
    /// When its window ends.
    pub reset: Duration,
}

/// Where the time of a request went.
#[derive(Debug, Clone, Copy, Default)]
pub struct Timings {
    /// Embedding, waiting for a thread included.
    pub embed: Option<Duration>,
    /// From the upstream call to its response head.
    pub upstream: Option<Duration>,
}

/// One request on its way.
#[derive(Debug, Clone)]
pub struct Exchange {
    /// Echoed or made; joins log lines, headers and the client's own traces.
    pub trace_id: String,
    /// Where it stands in the client's trace.
    pub span: Arc<Span>,
    /// Whose request.
    pub tenant: Tenant,
    /// What the configuration calls the tenant, where it has a name.
    pub tenant_name: Option<Arc<str>>,
    /// What the client says of the request, by key.
    pub metadata: Arc<BTreeMap<String, String>>,
    /// When its head had been read.
    pub started: Instant,
    /// What the cache did.
    pub cache: CacheStatus,
    /// Why the cache did less than it could.
    pub bypass: Option<Bypass>,
    /// What was said of the best neighbour, if there is one: served or not.
    pub judged: Option<Judged>,
    /// The age of the answer, if it came from the cache.
    pub age: Option<Duration>,
    /// The key of the entry that it came from, if it did.
    pub entry: Option<[u8; 32]>,
    /// What the upstream took for the answer, where that is known: now, or when an entry was made.
    pub cost: Option<Cost>,
    /// Whether another request, which asked for the same at the same time, was carried out for this one as well.
    pub follower: bool,
    /// What the rules did.
    pub rules: Vec<RuleNote>,
    /// Which rules could not judge.
    pub failures: Vec<RuleFailure>,
    /// Whether the model reads something that no rule could.
    pub unguarded: bool,
    /// Where it went; of a hit, where it would have gone first.
    pub route: Option<Arc<RouteNote>>,
    /// The prompt that the request was made of, with its version.
    pub prompt: Option<String>,
    /// US dollars that the call has cost, where the price of the model is known.
    pub usd: Option<f64>,
    /// Whether the tokens of the cost are counted here and not by the provider.
    pub estimated: bool,
    /// What is left of the caller's limits.
    pub standing: Vec<Standing>,
    /// The threshold that holds in place of a lower one that the client asked for.
    pub clamped: Option<f32>,
    /// Whether it is spoken with as hosted Portkey speaks with its clients: it came with a config.
    pub portkey: bool,
    /// What the config's hooks came to.
    pub hooks: HookReport,
    /// Where the time went.
    pub timings: Timings,
}

impl Exchange {
    /// A request that has just come in.
    pub fn new(trace_id: String, tenant: Tenant) -> Self {
        Self {
            trace_id,
            span: Arc::default(),
            tenant,
            tenant_name: None,
            metadata: Arc::default(),
            started: clock::now(),
            cache: CacheStatus::Disabled,
            bypass: None,
            judged: None,
            age: None,
            entry: None,
            cost: None,
            follower: false,
            rules: Vec::new(),
            failures: Vec::new(),
            unguarded: false,
            route: None,
            prompt: None,
            usd: None,
            estimated: false,
            standing: Vec::new(),
            clamped: None,
            portkey: false,
            hooks: HookReport::default(),
            timings: Timings::default(),
        }
    }

    /// The same request for the part of its way that it may share with others: what the rules did to it is its own.
    #[must_use]
    pub fn shared(&self) -> Self {
        Self { rules: Vec::new(), failures: Vec::new(), hooks: HookReport::default(), ..self.clone() }
    }

    /// Takes over what was noted on the shared part. Its time is counted once, with the request that was carried out.
    pub fn land(&mut self, shared: Self, follower: bool) {
        let Self { cache, bypass, judged, age, entry, cost, usd, estimated, rules, failures, route, timings, hooks, .. } = shared;
        (self.cache, self.bypass, self.judged, self.age) = (cache, bypass, judged, age);
        (self.entry, self.cost, self.follower, self.route) = (entry, cost, follower, route);
        (self.usd, self.estimated) = (usd, estimated);
        self.hooks.after = hooks.after;
        if !hooks.before.is_empty() {
            // Another target has had hooks of its own.
            self.hooks.before = hooks.before;
        }
        self.note_rules(rules);
        self.note_failures(failures);
        if !follower {
            self.timings = timings;
        }
    }

    /// Remembers what rules did, once however often they matched.
    pub fn note_rules(&mut self, notes: Vec<RuleNote>) {
        for note in notes {
            if !self.rules.contains(&note) {
                self.rules.push(note);
            }
        }
    }

    /// Remembers which rules could not judge, once however often they could not.
    pub fn note_failures(&mut self, failures: Vec<RuleFailure>) {
        for failure in failures {
            if !self.failures.contains(&failure) {
                self.failures.push(failure);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(rule: &str) -> RuleNote {
        RuleNote { rule: rule.to_owned(), action: "warn", severity: "medium" }
    }

    #[test]
    fn a_follower_takes_over_what_was_found_and_keeps_what_is_its_own() {
        let mut leader = Exchange::new("one".to_owned(), Tenant([0; 16]));
        leader.note_rules(vec![note("the-leaders")]);
        let mut shared = leader.shared();
        shared.note_rules(vec![note("the-answers")]);
        let judged = Judged { similarity: 0.99, score: 0.98, reason: None };
        (shared.cache, shared.judged) = (CacheStatus::SemanticHit, Some(judged));
        shared.timings.upstream = Some(Duration::from_secs(1));
        let mut follower = Exchange::new("two".to_owned(), Tenant([0; 16]));
        follower.land(shared.clone(), true);
        assert_eq!((follower.trace_id.as_str(), follower.follower), ("two", true));
        assert_eq!((follower.cache, follower.judged), (CacheStatus::SemanticHit, Some(judged)));
        assert_eq!(follower.rules, [note("the-answers")]);
        assert_eq!(follower.timings.upstream, None, "the time of a call is counted once");
        leader.land(shared, false);
        assert_eq!((leader.rules.len(), leader.timings.upstream, leader.follower), (2, Some(Duration::from_secs(1)), false));
    }
}
