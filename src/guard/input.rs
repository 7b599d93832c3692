//! The input gate: nothing reaches a cache key, a vector or a provider before it has passed here.

use std::sync::Arc;

use super::{
    checks::Facts,
    meaning,
    placeholder::Bindings,
    proof::Screened,
    redact::decide,
    replace::{HashKey, StandIns},
    rules::RuleSet,
    verdict::{Block, Gate},
};
use crate::{
    error::{Error, Kind, Result},
    exchange::{Exchange, Tenant},
    wire::Request,
};

/// The rules that ship take about a millisecond for so many bytes (`cargo bench --bench rules`).
const LONG: usize = 64 << 10;

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
    rules: Arc<RuleSet>,
    key: HashKey,
    mandatory: bool,
}

impl InputGate {
    /// The gate with these rules. Values are hashed with the key; `mandatory` says that nothing may pass unread.
    pub fn new(rules: Arc<RuleSet>, key: HashKey, mandatory: bool) -> Self {
        Self { rules, key, mandatory }
    }

    /// The rules of this gate.
    pub fn rules(&self) -> &RuleSet {
        &self.rules
    }

    /// What makes the stand-ins for a tenant's values, beside those that there are.
    pub(super) fn stand_ins(&self, tenant: Tenant, bindings: Bindings) -> StandIns {
        StandIns::resumed(Gate::Input, self.key, tenant, bindings)
    }

    /// Judges the vector of the last message, where the cache has computed one, by the rules that did not demand one before.
    pub fn judge(&self, text: &str, vector: &[f32], exchange: &mut Exchange) -> Option<Block> {
        meaning::judge(self.rules(), text, vector, exchange)
    }

    /// Judges every text that the model would read.
    pub fn screen(&self, request: Request, exchange: &mut Exchange) -> Result<Screening> {
        let set = self.rules();
        if let Some(field) = request.tokens().filter(|_| !set.rules().is_empty()) {
            self.pass_unread(field, exchange)?;
        }
        let (request, notes) = set.amended(request)?;
        exchange.note_rules(notes);
        self.screen_with(Bindings::default(), request, exchange)
    }

    /// Judges a request once more that somebody has changed since it passed here. What stood in place of the caller's values goes on doing so.
    pub(super) fn screen_with(&self, bindings: Bindings, request: Request, exchange: &mut Exchange) -> Result<Screening> {
        let set = self.rules();
        let texts = request.texts();
        let mut findings = set.scan(&texts);
        findings.extend(set.scan_facts(&Facts { request: &request, metadata: &exchange.metadata }));
        let mut stand_ins = self.stand_ins(exchange.tenant, bindings);
        let outcome = decide(Gate::Input, set, &texts, &findings, &mut stand_ins);
        outcome.note(exchange);
        if let Some(block) = outcome.block {
            return Ok(Screening::Blocked(block));
        }
        drop(texts);
        let request = if outcome.edits.is_empty() { request } else { request.with_body(request.json().splice(outcome.edits))? };
        Ok(Screening::Passed(Screened::new(request, stand_ins.into_bindings())))
    }

    /// The same, for a request of any length. A thread serves many connections, and what takes longer than a millisecond is no business of the others: it is
    /// judged aside.
    pub async fn screen_aside(&self, request: Request, exchange: &mut Exchange) -> Result<Screening> {
        if request.json().bytes().len() < LONG {
            return self.screen(request, exchange);
        }
        let (gate, mut aside) = (self.clone(), exchange.shared());
        let judged = tokio::task::spawn_blocking(move || (gate.screen(request, &mut aside), aside)).await;
        let (screening, aside) = judged
            .map_err(|panicked| Error::new(Kind::Internal, "The rules failed because of a bug. Try again.").because(panicked))?;
        exchange.note_rules(aside.rules);
        exchange.note_failures(aside.failures);
        exchange.unguarded |= aside.unguarded;
        screening
    }

    /// Tokens are read by the model and by no rule. Some libraries send nothing else, so they pass with a mark, unless every request must be guarded.
    fn pass_unread(&self, field: &str, exchange: &mut Exchange) -> Result<()> {
        exchange.unguarded = true;
        if !self.mandatory {
            return Ok(());
        }
        let message = format!(
            "`{field}` has tokens in place of text, which no guardrail can read, and this server guards every request. Send text."
        );
        Err(Error::new(Kind::InvalidRequest, message).param(field))
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::{
        guard::{Gates, Override, Settings, rules::load},
        wire::Endpoint,
    };

    fn screen(overrides: &[(&str, Override)], body: &str) -> (Screening, Exchange) {
        let overrides = overrides.iter().map(|&(id, says)| (id.to_owned(), says)).collect();
        let gate = Gates::of(&load(&Settings { builtin: true, directory: None, overrides }).unwrap()).input;
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
            r#"{"model":"m", "messages":[{"role":"user","content":"Card \"{{PAYMENT_CARD_1}}\" é and {{PAYMENT_CARD_2}}"}], "seed": 1.50}"#
        );
        assert_eq!(exchange.rules.len(), 1);
        assert_eq!(screened.bindings().restore("{{PAYMENT_CARD_2}}"), "5500-0055-5555-5559", "the caller gets its own back");
    }

    #[tokio::test]
    async fn a_long_request_is_judged_aside_like_a_short_one() {
        let gate = Gates::of(&load(&Settings { builtin: true, directory: None, overrides: Default::default() }).unwrap()).input;
        let long = "A long story. ".repeat(LONG / 8);
        for text in ["", long.as_str()] {
            let body = serde_json::json!({"model": "m", "messages": [{"role": "user", "content": format!("{text}card 4111 1111 1111 1111")}]});
            let request = Request::decode(Endpoint::Chat, body.to_string().into()).unwrap();
            let mut exchange = Exchange::new("t".to_owned(), Tenant([0; 16]));
            let Screening::Passed(screened) = gate.screen_aside(request, &mut exchange).await.unwrap() else { panic!("blocked") };
            assert!(screened.request().texts()[0].text.ends_with("card {{PAYMENT_CARD_1}}"));
            assert_eq!(exchange.rules[0].rule, "payment-card");
        }
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
