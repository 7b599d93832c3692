//! The output gate: nothing reaches a client or the cache before it has passed here, hits included.

use std::sync::Arc;

use bytes::Bytes;

use super::{
    proof::{Cleared, Complete, Stored},
    redact::decide,
    replace::{HashKey, StandIns},
    rules::RuleSet,
    verdict::{Block, Gate},
};
use crate::{
    error::Result,
    exchange::{Exchange, Tenant},
    wire::{
        Endpoint,
        response::{self, Response},
    },
};

/// What became of an answer.
#[derive(Debug)]
pub enum Clearing {
    /// It goes on, as the rules left it; with the token if the model had finished.
    Passed(Cleared, Option<Complete>),
    /// It is refused.
    Blocked(Block),
}

/// Holds the output rules.
#[derive(Debug, Clone)]
pub struct OutputGate {
    rules: Arc<RuleSet>,
    key: HashKey,
}

impl OutputGate {
    /// The gate with these rules. Values are hashed with the key.
    pub fn new(rules: Arc<RuleSet>, key: HashKey) -> Self {
        Self { rules, key }
    }

    /// The rules of this gate.
    pub fn rules(&self) -> &RuleSet {
        &self.rules
    }

    /// What makes the stand-ins for values in answers to a tenant.
    pub(super) fn stand_ins(&self, tenant: Tenant) -> StandIns {
        StandIns::new(Gate::Output, self.key, tenant)
    }

    /// Whether a stream must be held until it is whole: a rule may refuse it that cannot judge a part.
    pub fn holds_streams(&self) -> bool {
        let set = self.rules();
        set.rules().iter().enumerate().any(|(n, rule)| set.acts(n) && rule.needs_whole_answer())
    }

    /// Reads and judges a whole answer. Vectors hold no text, and pass once they are known to be vectors.
    pub fn clear_body(&self, endpoint: Endpoint, body: Bytes, exchange: &mut Exchange) -> Result<Clearing> {
        if endpoint == Endpoint::Embeddings {
            let usage = response::check_vectors(&body)?;
            return Ok(Clearing::Passed(self.wave_through(body), Some(Complete::new(usage))));
        }
        Ok(self.clear(&Response::decode(endpoint, body)?, exchange))
    }

    /// Judges every text of an answer.
    pub fn clear(&self, response: &Response, exchange: &mut Exchange) -> Clearing {
        let set = self.rules();
        let texts = response.texts();
        let mut findings = set.scan(&texts);
        // What is judged whole is judged with the caller's own values, and only for that caller.
        findings.retain(|finding| !set.judged_restored(finding, &texts));
        let mut outcome = decide(Gate::Output, set, &texts, &findings, &mut self.stand_ins(exchange.tenant));
        outcome.note(exchange);
        if let Some(block) = outcome.block {
            return Clearing::Blocked(block);
        }
        if !outcome.edits.is_empty() {
            outcome.edits.extend(response.spellings().into_iter().map(|span| (span, "null".into())));
            outcome.edits.sort_by_key(|(span, _)| span.start);
        }
        let body = if outcome.edits.is_empty() { response.json().bytes().clone() } else { response.json().splice(outcome.edits) };
        // What could not be judged is not kept: the next time it may be.
        let complete = (response.complete() && outcome.failures.is_empty()).then(|| Complete::new(response.usage()));
        Clearing::Passed(Cleared::new(body, set.id(), outcome.notes), complete)
    }

    /// Judges an answer from the cache: again, if the rules have changed since it was put there.
    pub fn clear_stored(&self, endpoint: Endpoint, stored: Stored, exchange: &mut Exchange) -> Result<Clearing> {
        if stored.rules == self.rules().id() {
            let notes: Vec<_> = stored.notes.into_iter().map(|note| self.rules().told_again(note)).collect();
            exchange.note_rules(notes.clone());
            return Ok(Clearing::Passed(Cleared::new(stored.body, stored.rules, notes), None));
        }
        self.clear_body(endpoint, stored.body, exchange)
    }

    /// Lets an answer pass that is not judged: what an upstream's error says.
    pub fn wave_through(&self, body: Bytes) -> Cleared {
        Cleared::new(body, self.rules().id(), Vec::new())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        exchange::Tenant,
        guard::{Gates, Override, Settings, rules::load},
    };

    fn gate(overrides: &[(&str, Override)]) -> OutputGate {
        let overrides = overrides.iter().map(|&(id, says)| (id.to_owned(), says)).collect();
        Gates::of(&load(&Settings { builtin: true, directory: None, overrides }).unwrap()).output
    }

    fn answer(content: &str) -> Response {
        let body =
            serde_json::json!({"choices": [{"message": {"role": "assistant", "content": content}, "finish_reason": "stop"}]});
        Response::decode(Endpoint::Chat, body.to_string().into()).unwrap()
    }

    fn exchange() -> Exchange {
        Exchange::new("t".to_owned(), Tenant([0; 16]))
    }

    #[test]
    fn what_a_rule_replaces_is_gone_from_the_answer() {
        let mut exchange = exchange();
        let clearing = gate(&[("violent-threat", Override::Replace)]).clear(&answer("then: KYS, friend"), &mut exchange);
        let Clearing::Passed(cleared, Some(_complete)) = clearing else { panic!("{clearing:?}") };
        assert!(String::from_utf8_lossy(cleared.body()).contains("then: [REDACTED], friend"));
        assert_eq!(exchange.rules[0].action, "replace");
    }

    #[test]
    fn what_is_replaced_is_not_spelled_out_beside_it() {
        let body = serde_json::json!({"choices": [
            {"logprobs": {"content": [{"token": "kys"}]}, "message": {"content": "kys"}, "finish_reason": "stop"}]});
        let response = Response::decode(Endpoint::Chat, body.to_string().into()).unwrap();
        let clearing = gate(&[("violent-threat", Override::Replace)]).clear(&response, &mut exchange());
        let Clearing::Passed(cleared, _) = clearing else { panic!("{clearing:?}") };
        let text = String::from_utf8_lossy(cleared.body());
        assert!(!text.contains("kys") && text.contains(r#""logprobs":null"#), "{text}");
    }

    #[test]
    fn an_answer_of_the_wrong_shape_is_blocked_when_a_schema_rule_is_on() {
        let gate = gate(&[("answer-is-json", Override::Block)]);
        assert!(
            matches!(gate.clear(&answer("Sure!"), &mut exchange()), Clearing::Blocked(block) if block.rule == "answer-is-json")
        );
        assert!(matches!(gate.clear(&answer("{}"), &mut exchange()), Clearing::Passed(..)));
    }

    #[test]
    fn a_hit_is_judged_again_under_new_rules_and_not_under_the_same() {
        let old = gate(&[]);
        let Clearing::Passed(cleared, _) = old.clear(&answer("i will kill you"), &mut exchange()) else { panic!("blocked") };
        let stored = cleared.into_stored();
        let mut again = exchange();
        assert!(matches!(old.clear_stored(Endpoint::Chat, stored.clone(), &mut again), Ok(Clearing::Passed(..))));
        assert_eq!(again.rules[0].rule, "violent-threat", "a hit tells what its answer told");
        let new = gate(&[("violent-threat", Override::Block)]);
        assert!(matches!(new.clear_stored(Endpoint::Chat, stored, &mut exchange()), Ok(Clearing::Blocked(_))));
    }
}
