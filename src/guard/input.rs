//! The input gate: nothing reaches a cache key, a vector or a provider before it has passed here.

use std::sync::Arc;

use super::{
    checks::Facts,
    meaning,
    placeholder::Bindings,
    proof::Screened,
    redact::decide,
    rules::{Pack, RuleSet},
    verdict::{Block, Gate},
};
use crate::{error::Result, exchange::Exchange, wire::Request};

/// What became of a request.
#[derive(Debug)]
pub enum Screening {
    /// It goes on, as the rules left it.
    Passed(Screened),
    /// It is refused.
    Blocked(Block),
}

/// Holds the input rules.
#[derive(Debug, Clone)]
pub struct InputGate {
    pack: Arc<Pack>,
}

impl InputGate {
    /// The gate with the input rules of a pack.
    pub fn new(pack: Arc<Pack>) -> Self {
        Self { pack }
    }

    /// The rules of this gate.
    pub fn rules(&self) -> &RuleSet {
        &self.pack.input
    }

    /// Judges the vector of the last message, where the cache has computed one, by the rules that did not demand one before.
    pub fn judge(&self, text: &str, vector: &[f32], exchange: &mut Exchange) -> Option<Block> {
        meaning::judge(self.rules(), text, vector, exchange)
    }

    /// Judges every text that the model would read.
    pub fn screen(&self, request: Request, exchange: &mut Exchange) -> Result<Screening> {
        let set = self.rules();
        let texts = request.texts();
        let mut findings = set.scan(&texts);
        findings.extend(set.scan_facts(&Facts { request: &request }));
        if findings.is_empty() {
            drop(texts);
            return Ok(Screening::Passed(Screened::new(request, Bindings::default())));
        }
        let outcome = decide(Gate::Input, set, &texts, &findings);
        exchange.note_rules(outcome.notes);
        if let Some(block) = outcome.block {
            return Ok(Screening::Blocked(block));
        }
        if outcome.edits.is_empty() {
            drop(texts);
            return Ok(Screening::Passed(Screened::new(request, Bindings::default())));
        }
        let changed = request.with_body(request.json().splice(outcome.edits))?;
        Ok(Screening::Passed(Screened::new(changed, Bindings::default())))
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::{
        exchange::Tenant,
        guard::{Override, Settings, rules::load},
        wire::Endpoint,
    };

    fn screen(overrides: &[(&str, Override)], body: &str) -> (Screening, Exchange) {
        let overrides = overrides.iter().map(|&(id, says)| (id.to_owned(), says)).collect();
        let gate = InputGate::new(Arc::new(load(&Settings { builtin: true, directory: None, overrides }).unwrap()));
        let request = Request::decode(Endpoint::Chat, Bytes::copy_from_slice(body.as_bytes())).unwrap();
        let mut exchange = Exchange::new("t".to_owned(), Tenant([0; 16]));
        (gate.screen(request, &mut exchange).unwrap(), exchange)
    }

    #[test]
    fn an_innocent_request_passes_byte_for_byte() {
        let body = r#"{"model":"m", "messages":[{"role":"user","content":"Hello\nthere"}], "x":1.0}"#;
        let (Screening::Passed(screened), exchange) = screen(&[], body) else { panic!("blocked") };
        assert_eq!(screened.request().json().bytes(), body);
        assert!(exchange.rules.is_empty());
    }

    #[test]
    fn what_is_replaced_is_gone_and_everything_else_stays() {
        let (Screening::Passed(screened), exchange) = screen(
            &[],
            r#"{"model":"m", "messages":[{"role":"user","content":"Card \"4111 1111 1111 1111\" \u00e9 and 5500-0055-5555-5559"}], "seed": 1.50}"#,
        ) else {
            panic!("blocked")
        };
        assert_eq!(
            screened.request().json().bytes(),
            r#"{"model":"m", "messages":[{"role":"user","content":"Card \"[PAYMENT_CARD]\" é and [PAYMENT_CARD]"}], "seed": 1.50}"#
        );
        assert_eq!(exchange.rules.len(), 1);
    }

    #[test]
    fn a_blocking_rule_refuses_and_the_apps_own_words_are_only_warned_about() {
        let with =
            |role: &str| format!(r#"{{"model":"m","messages":[{{"role":"{role}","content":"card 4111 1111 1111 1111"}}]}}"#);
        let (screening, _) = screen(&[("payment-card", Override::Block)], &with("user"));
        assert!(matches!(screening, Screening::Blocked(block) if block.rule == "payment-card"));
        let (screening, exchange) = screen(&[("payment-card", Override::Block)], &with("system"));
        assert!(matches!(screening, Screening::Passed(_)));
        assert_eq!(exchange.rules[0].action, "warn");
    }
}
