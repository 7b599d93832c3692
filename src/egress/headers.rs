//! What a response says about how it came about: in Portkey's names where they have one, in ours where they lack it.

use http::{HeaderMap, HeaderName, HeaderValue, header::AGE};

use crate::exchange::{CacheStatus, Exchange, Standing};

const TRACE_ID: HeaderName = HeaderName::from_static("x-portkey-trace-id");
const CACHE_STATUS: HeaderName = HeaderName::from_static("x-portkey-cache-status");
const SIMILARITY: HeaderName = HeaderName::from_static("x-lockgate-similarity");
const SCORE: HeaderName = HeaderName::from_static("x-lockgate-score");
const CHECK: HeaderName = HeaderName::from_static("x-lockgate-check");
const ENTRY: HeaderName = HeaderName::from_static("x-lockgate-entry");
const COST: HeaderName = HeaderName::from_static("x-lockgate-cost");
const TOKENS: HeaderName = HeaderName::from_static("x-lockgate-tokens");
const BYPASS: HeaderName = HeaderName::from_static("x-lockgate-cache-bypass");
const FLIGHT: HeaderName = HeaderName::from_static("x-lockgate-flight");
const OPTION: HeaderName = HeaderName::from_static("x-portkey-last-used-option-index");
const PROVIDER: HeaderName = HeaderName::from_static("x-portkey-provider");
const RETRIES: HeaderName = HeaderName::from_static("x-portkey-retry-attempt-count");
const PROMPT: HeaderName = HeaderName::from_static("x-lockgate-prompt");
const THRESHOLD: HeaderName = HeaderName::from_static("x-lockgate-threshold");
const RULES: HeaderName = HeaderName::from_static("x-lockgate-rules");

/// Enough that no two entries of a cache share them.
const ENTRY_DIGITS: usize = 16;

/// Says that no rule has seen a body.
pub const UNGUARDED: (HeaderName, &str) = (HeaderName::from_static("x-lockgate-guard"), "unguarded");

pub(super) fn add(headers: &mut HeaderMap, exchange: &Exchange) {
    insert(headers, TRACE_ID, &exchange.trace_id);
    headers.insert(CACHE_STATUS, HeaderValue::from_static(exchange.cache.as_str()));
    if let Some(judged) = exchange.judged.filter(|_| exchange.cache != CacheStatus::Hit) {
        insert(headers, SIMILARITY, &format!("{:.4}", judged.similarity));
        insert(headers, SCORE, &format!("{:.4}", judged.score));
        if let Some(reason) = judged.reason {
            headers.insert(CHECK, HeaderValue::from_static(reason));
        }
    }
    if let Some(bypass) = exchange.bypass {
        headers.insert(BYPASS, HeaderValue::from_static(bypass.as_str()));
    }
    if let Some(age) = exchange.age {
        headers.insert(AGE, HeaderValue::from(age.as_secs()));
    }
    if let Some(entry) = exchange.entry {
        let id = blake3::Hash::from_bytes(entry).to_hex();
        insert(headers, ENTRY, &id[..ENTRY_DIGITS]);
        // The `usage` in the body is what the answer cost when it was made.
        headers.insert(COST, HeaderValue::from_static("0"));
    }
    if let Some(prompt) = &exchange.prompt {
        insert(headers, PROMPT, prompt);
    }
    if let Some(route) = &exchange.route {
        insert(headers, OPTION, &route.option);
        insert(headers, PROVIDER, &route.provider);
        headers.insert(RETRIES, HeaderValue::from(route.retries));
    }
    if let Some(cost) = exchange.cost.filter(|_| exchange.entry.is_none() && !exchange.follower) {
        let by = if exchange.estimated { "estimated" } else { "reported" };
        insert(headers, TOKENS, &format!("{} + {}; {by}", cost.usage.prompt_tokens, cost.usage.completion_tokens));
        if let Some(usd) = exchange.usd {
            insert(headers, COST, &format!("{usd:.8}"));
        }
    }
    limits(headers, exchange);
    if let Some(threshold) = exchange.clamped {
        insert(headers, THRESHOLD, &threshold.to_string());
    }
    if exchange.follower {
        headers.insert(FLIGHT, HeaderValue::from_static("follower"));
    }
    let notes = exchange.rules.iter().map(|note| format!("{}={}", note.rule, note.action));
    let failures = exchange.failures.iter().map(|failure| format!("{}=failed-{}", failure.rule, failure.outcome));
    let notes: Vec<_> = notes.chain(failures).collect();
    if !notes.is_empty() {
        insert(headers, RULES, &notes.join(", "));
    }
    if exchange.unguarded {
        headers.insert(UNGUARDED.0, HeaderValue::from_static(UNGUARDED.1));
    }
}

/// What is left of the caller's limits, in the words of OpenAI's API.
fn limits(headers: &mut HeaderMap, exchange: &Exchange) {
    for Standing { unit, most, left, reset } in &exchange.standing {
        let named = |what: &str| HeaderName::try_from(format!("x-ratelimit-{what}-{unit}"));
        let told = [("limit", most.to_string()), ("remaining", left.to_string()), ("reset", format!("{}s", reset.as_secs()))];
        for (what, value) in told {
            if let Ok(name) = named(what) {
                insert(headers, name, &value);
            }
        }
    }
}

/// What cannot be a header value is left out.
fn insert(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}
