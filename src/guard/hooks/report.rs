//! What hooks came to, as Portkey's clients read it.

use std::time::Duration;

use serde_json::{Value, json};

use super::{
    compile::{Check, Hook},
    run::Outcome,
};
use crate::{
    clock,
    error::{Error, Kind},
    exchange::{HookCheck, HookData, HookError, HookResult},
};

/// Characters of what the client has sent that it is shown again.
const EXCERPT: usize = 100;

/// The result of a hook. `sent` is what its checks have read, if the client has sent it.
pub(super) fn result(hook: &Hook, outcomes: Vec<Outcome>, sent: Option<&str>) -> HookResult {
    let created_at = clock::timestamp();
    let took = outcomes.iter().map(|outcome| outcome.took).max().unwrap_or_default();
    let denies = outcomes.iter().any(|outcome| outcome.verdict.denies);
    let verdict = hook.checks.iter().zip(&outcomes).all(|(check, outcome)| is_content(check, outcome)) && !denies;
    let transformed = outcomes.iter().any(|outcome| outcome.verdict.transformed);
    let checks: Vec<_> =
        hook.checks.iter().zip(outcomes).map(|(check, outcome)| told(check, outcome, sent, &created_at)).collect();
    HookResult {
        feedback: feedback(&hook.feedback[usize::from(verdict)], &checks),
        verdict,
        id: hook.id.clone(),
        transformed,
        checks,
        execution_time: milliseconds(took),
        is_async: hook.is_async,
        kind: hook.kind,
        created_at,
        deny: hook.deny || denies,
    }
}

/// Whether a check has passed, or cannot tell and may.
fn is_content(check: &Check, outcome: &Outcome) -> bool {
    outcome.verdict.passed || (outcome.verdict.error.is_some() && !check.fail_on_error)
}

fn told(check: &Check, outcome: Outcome, sent: Option<&str>, created_at: &str) -> HookCheck {
    let Outcome { verdict, took } = outcome;
    let data = verdict.error.is_none().then(|| HookData {
        explanation: explanation(&check.id, verdict.passed, &verdict.rules.into_iter().collect::<Vec<_>>()),
        text_excerpt: sent.map(excerpt),
    });
    HookCheck {
        data,
        verdict: verdict.passed,
        id: check.id.clone(),
        error: verdict.error.map(|error| error_of(&error)),
        execution_time: milliseconds(took),
        transformed: verdict.transformed,
        created_at: created_at.to_owned(),
        log: (),
        fail_on_error: check.fail_on_error,
    }
}

fn explanation(id: &str, passed: bool, rules: &[String]) -> String {
    let rules = if rules.is_empty() { String::new() } else { format!(" Rules that matched: {}.", rules.join(", ")) };
    let outcome = if passed { "passed" } else { "failed" };
    format!("The check `{id}` {outcome}.{rules}")
}

/// As Portkey cuts it.
fn excerpt(text: &str) -> String {
    match text.char_indices().nth(EXCERPT) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}

fn error_of(error: &Error) -> HookError {
    let name = if error.kind() == Kind::UpstreamTimeout { "TimeoutError" } else { "Error" };
    HookError { name, message: error.message().to_owned() }
}

/// What the config says of this verdict, with the ids of its checks by what they came to.
fn feedback(said: &Value, checks: &[HookCheck]) -> Value {
    let mut feedback = said.clone();
    let Some(members) = feedback.as_object_mut() else { return Value::Null };
    let ids = |wanted: &dyn Fn(&HookCheck) -> bool| {
        let ids = checks.iter().filter(|check| wanted(check)).map(|check| check.id.as_str());
        json!(ids.collect::<Vec<_>>().join(", "))
    };
    let mut metadata = members.get("metadata").and_then(Value::as_object).cloned().unwrap_or_default();
    metadata.insert("successfulChecks".to_owned(), ids(&|check| check.verdict));
    metadata.insert("failedChecks".to_owned(), ids(&|check| !check.verdict && check.error.is_none()));
    metadata.insert("erroredChecks".to_owned(), ids(&|check| !check.verdict && check.error.is_some()));
    members.insert("metadata".to_owned(), metadata.into());
    feedback
}

fn milliseconds(took: Duration) -> u64 {
    u64::try_from(took.as_millis()).unwrap_or(u64::MAX)
}
