//! What happened: one log line and a few metrics for each request, however it ended.

use std::{sync::Arc, time::Duration};

mod branches;
mod savings;

pub use branches::Branches;
pub use savings::{Price, Saved, Savings, Settings};

use metrics::{Label, counter, histogram};

use crate::{
    clock,
    error::Error,
    exchange::{Bypass, Ending, Exchange, RuleFailure},
    telemetry::{label, metric},
    wire::Request,
};

/// Longer than any model's name.
const MAX_MODEL_BYTES: usize = 128;

/// How much harm what rules find can do, least first.
const SEVERITIES: [&str; 4] = ["low", "medium", "high", "critical"];

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// With an answer, from wherever.
    Answered,
    /// With what the upstream said, which was not an answer.
    UpstreamRefused,
    /// A rule refused it.
    Blocked,
    /// With an error.
    Failed,
    /// The client left before the end.
    Cancelled,
}

impl Outcome {
    /// The word used in log and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::UpstreamRefused => "upstream-refused",
            Self::Blocked => "blocked",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

/// A request that has begun. Dropped before it is closed, it was cancelled: the server drops what nobody waits for.
#[derive(Debug)]
pub struct Record {
    endpoint: &'static str,
    model: String,
    key: Option<String>,
    trace_id: String,
    savings: Option<Arc<Savings>>,
    open: bool,
}

impl Record {
    /// Begins with a request that was read.
    pub fn of(request: &Request, key: Option<String>, trace_id: &str, savings: &Arc<Savings>) -> Self {
        let mut record = Self::open(request.endpoint().as_str(), request.model(), key, trace_id);
        record.savings = Some(Arc::clone(savings));
        record
    }

    /// Begins with a request that is passed on unread. Of its path the query is left out, which may hold a key.
    pub fn unguarded(path: &str, trace_id: &str) -> Self {
        Self::open("unguarded", path.split('?').next().unwrap_or_default(), None, trace_id)
    }

    fn open(endpoint: &'static str, model: &str, key: Option<String>, trace_id: &str) -> Self {
        Self { endpoint, model: cut(model).to_owned(), key, trace_id: trace_id.to_owned(), savings: None, open: true }
    }

    /// Ends with an answer, or with what the upstream said in place of one.
    pub fn answered(mut self, exchange: &Exchange, success: bool) {
        self.write(exchange, if success { Outcome::Answered } else { Outcome::UpstreamRefused }, None);
    }

    /// Ends at a gate.
    pub fn blocked(mut self, exchange: &Exchange) {
        self.write(exchange, Outcome::Blocked, None);
    }

    /// Ends with the last event of a stream, wherever that came from.
    pub fn ended(mut self, exchange: &Exchange, ending: Ending) {
        match ending {
            Ending::Finished => self.write(exchange, Outcome::Answered, None),
            Ending::Failed(kind) => self.write(exchange, Outcome::Failed, Some(&Error::new(kind, "The stream broke off."))),
            Ending::Cancelled => self.write(exchange, Outcome::Cancelled, None),
        }
    }

    /// Ends with an error.
    pub fn fail(mut self, exchange: &Exchange, error: &Error) {
        self.write(exchange, Outcome::Failed, Some(error));
    }

    fn write(&mut self, exchange: &Exchange, outcome: Outcome, error: Option<&Error>) {
        self.open = false;
        let took = clock::now().saturating_duration_since(exchange.started);
        count(self.endpoint, exchange, outcome, took);
        if let Some(savings) = self.savings.take().filter(|_| outcome == Outcome::Answered) {
            savings.count(exchange, &self.model, took);
        }
        let rules: Vec<_> = exchange.rules.iter().map(|note| format!("{}={}", note.rule, note.action)).collect();
        let severity = SEVERITIES.into_iter().rfind(|severity| exchange.rules.iter().any(|note| note.severity == *severity));
        let route = exchange.route.as_deref();
        // What an answer from the cache cost was paid before.
        let spent = exchange.cost.filter(|_| exchange.entry.is_none() && !exchange.follower);
        let failed = |failure: &RuleFailure| format!("{}={} ({})", failure.rule, failure.outcome, failure.reason);
        let failures: Vec<_> = exchange.failures.iter().map(failed).collect();
        tracing::info!(
            trace_id = exchange.trace_id,
            span_id = exchange.span.id,
            span = exchange.span.name,
            parent_span_id = exchange.span.parent,
            endpoint = self.endpoint,
            model = self.model,
            key = self.key,
            outcome = outcome.as_str(),
            cache = exchange.cache.as_str(),
            bypass = exchange.bypass.map(Bypass::as_str),
            similarity = exchange.judged.map(|judged| judged.similarity),
            score = exchange.judged.map(|judged| judged.score),
            check = exchange.judged.and_then(|judged| judged.reason),
            flight = exchange.follower.then_some("follower"),
            target = route.map(|route| route.option.as_str()),
            provider = route.map(|route| route.provider.as_str()),
            virtual_key = route.and_then(|route| route.virtual_key.as_deref()),
            retries = route.map(|route| route.retries).filter(|retries| *retries != 0),
            targets = route.map(|route| route.targets).filter(|targets| *targets > 1),
            user = exchange.metadata.get("_user").map(|user| cut(user)),
            prompt = exchange.prompt.as_ref().or(exchange.metadata.get("_prompt")).map(|prompt| cut(prompt)),
            prompt_tokens = spent.map(|cost| cost.usage.prompt_tokens),
            completion_tokens = spent.map(|cost| cost.usage.completion_tokens),
            estimated = exchange.estimated.then_some(true),
            usd = exchange.usd,
            rules = (!rules.is_empty()).then(|| rules.join(",")),
            severity,
            failures = (!failures.is_empty()).then(|| failures.join(",")),
            unguarded = exchange.unguarded.then_some(true),
            took_ms = milliseconds(took),
            embed_ms = exchange.timings.embed.map(milliseconds),
            upstream_ms = exchange.timings.upstream.map(milliseconds),
            error = error.map(|error| error.kind().as_str()),
            origin = error.map(|error| error.kind().origin().as_str()),
            cause = error.map(tracing::field::display),
            "Request."
        );
    }
}

/// A model's name as far as one reads it: a client may write anything there.
fn cut(model: &str) -> &str {
    &model[..model.floor_char_boundary(MAX_MODEL_BYTES)]
}

fn milliseconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}

fn count(endpoint: &'static str, exchange: &Exchange, outcome: Outcome, took: Duration) {
    let cache = exchange.cache.as_str();
    counter!(metric::REQUESTS, label::ENDPOINT => endpoint, label::OUTCOME => outcome.as_str(), label::CACHE => cache)
        .increment(1);
    histogram!(metric::REQUEST_SECONDS, label::CACHE => cache).record(took);
    if let Some(bypass) = exchange.bypass {
        counter!(metric::CACHE_BYPASSES, label::REASON => bypass.as_str()).increment(1);
    }
    if let Some(check) = exchange.judged.and_then(|judged| judged.reason) {
        counter!(metric::CHECKED, label::CHECK => check).increment(1);
    }
    if exchange.follower {
        counter!(metric::FOLLOWERS).increment(1);
    }
    for note in &exchange.rules {
        let labels = [
            Label::new(label::RULE, note.rule.clone()),
            Label::new(label::ACTION, note.action),
            Label::new(label::SEVERITY, note.severity),
        ];
        counter!(metric::RULE_MATCHES, labels.iter()).increment(1);
    }
    for failure in &exchange.failures {
        let labels = [
            Label::new(label::RULE, failure.rule.clone()),
            Label::new(label::REASON, failure.reason),
            Label::new(label::OUTCOME, failure.outcome),
        ];
        counter!(metric::RULE_FAILURES, labels.iter()).increment(1);
    }
    if let Some(embed) = exchange.timings.embed {
        histogram!(metric::EMBED_SECONDS).record(embed);
    }
    if let Some(upstream) = exchange.timings.upstream {
        histogram!(metric::UPSTREAM_SECONDS).record(upstream);
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        if self.open {
            counter!(metric::REQUESTS, label::ENDPOINT => self.endpoint, label::OUTCOME => Outcome::Cancelled.as_str(), label::CACHE => "").increment(1);
            tracing::info!(
                trace_id = self.trace_id,
                endpoint = self.endpoint,
                model = self.model,
                outcome = "cancelled",
                "Request."
            );
        }
    }
}

/// A request that was refused before it was one: what, and how often.
pub fn refused(error: &Error, trace_id: &str) {
    let kind = error.kind();
    counter!(metric::REFUSED, label::REASON => kind.as_str()).increment(1);
    tracing::info!(trace_id, error = kind.as_str(), origin = kind.origin().as_str(), cause = %error, "Request refused.");
}
