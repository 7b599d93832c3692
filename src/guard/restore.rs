//! The caller's own values, put back in place of what stood for them: the last that happens to an answer.

use std::{borrow::Cow, ops::Range};

use bytes::Bytes;

use super::{
    output::OutputGate,
    placeholder::{Bindings, placeholders},
    proof::Cleared,
    redact::decide,
    verdict::{Block, Gate},
};
use crate::{
    exchange::Exchange,
    wire::{Json, Role, Text, channel},
};

/// A whole answer as one caller gets it. It has that caller's values, so there is no way from here into a cache.
#[derive(Debug)]
pub struct Restored(Bytes);

/// What became of an answer with a caller's values.
#[derive(Debug)]
pub enum Restoration {
    /// It goes to the caller.
    Passed(Restored),
    /// With these values it is refused.
    Blocked(Block),
}

impl Restored {
    /// What the caller is sent.
    pub fn body(&self) -> &Bytes {
        &self.0
    }
}

impl OutputGate {
    /// Puts a caller's values back. They stand in texts alone: no id and no name is touched. What judges a text as a whole judges it with them.
    pub fn restore(&self, cleared: &Cleared, bindings: &Bindings, exchange: &mut Exchange) -> Restoration {
        let unchanged = || Restoration::Passed(Restored(cleared.body().clone()));
        let named = std::str::from_utf8(cleared.body()).is_ok_and(|body| placeholders(body).next().is_some());
        // What is no JSON has no texts.
        let Some(json) = named.then(|| Json::parse(cleared.body().clone()).ok()).flatten() else { return unchanged() };
        let (mut changes, mut texts) = (Vec::new(), Vec::new());
        for piece in channel::pieces(&json).into_iter().filter(|piece| placeholders(&piece.text).next().is_some()) {
            let restored = bindings.restore_with(&piece.text, |value| spelled(value, piece.channel.field.is_json())).into_owned();
            let (part, text) = (piece.channel.field.part(), restored.clone().into());
            texts.push(Text { role: Role::Assistant, part, last: true, text, span: piece.place.span.clone() });
            if restored != piece.text {
                changes.push((piece.place, restored));
            }
        }
        if let Some(block) = self.judge_restored(&texts, exchange) {
            return Restoration::Blocked(block);
        }
        if changes.is_empty() { unchanged() } else { Restoration::Passed(Restored(channel::rewritten(&json, changes))) }
    }

    /// This verdict is about one caller's values, and so is kept nowhere.
    fn judge_restored(&self, texts: &[Text<'_>], exchange: &mut Exchange) -> Option<Block> {
        let set = self.rules();
        let mut findings = set.scan(texts);
        findings.retain(|finding| set.rules()[finding.rule].needs_whole_answer());
        let outcome = decide(Gate::Output, set, texts, &findings, &mut self.stand_ins(exchange.tenant));
        outcome.note(exchange);
        outcome.block
    }
}

/// Where a text names placeholders, and what is put there.
pub(super) fn values<'b>(bindings: &'b Bindings, text: &str, is_json: bool) -> Vec<(Range<usize>, Cow<'b, str>)> {
    bindings.values(text).map(|(span, value)| (span, spelled(value, is_json))).collect()
}

/// A value as it is written in a text, or inside the strings of one that is JSON.
pub(super) fn spelled(value: &str, is_json: bool) -> Cow<'_, str> {
    if !is_json {
        return Cow::Borrowed(value);
    }
    let literal = serde_json::Value::from(value).to_string();
    Cow::Owned(literal[1..literal.len() - 1].to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::{
        exchange::Tenant,
        guard::{Clearing, Gates, Settings, rules::load},
        wire::{Endpoint, response::Response},
    };

    fn gate() -> OutputGate {
        let settings = Settings { builtin: false, directory: None, overrides: Default::default() };
        Gates::of(&load(&settings).unwrap()).output
    }

    fn bindings() -> Bindings {
        let mut bindings = Bindings::default();
        let _ = bindings.bind("NAME", "Ann \"A\" Lee");
        bindings
    }

    fn exchange() -> Exchange {
        Exchange::new("t".to_owned(), Tenant([0; 16]))
    }

    fn restored(body: &Value) -> Value {
        let cleared = gate().wave_through(body.to_string().into());
        let Restoration::Passed(restored) = gate().restore(&cleared, &bindings(), &mut exchange()) else { panic!("blocked") };
        serde_json::from_slice(restored.body()).unwrap()
    }

    #[test]
    fn values_come_back_in_every_text_and_nowhere_else() {
        let call = |arguments: &str| json!({"id": "{{NAME_1}}", "function": {"name": "{{NAME_1}}", "arguments": arguments}});
        let answer = |text: &str, arguments: &str| {
            json!({"id": "{{NAME_1}}", "choices": [
                {"message": {"content": text, "refusal": null, "tool_calls": [call(arguments)]}}, {"text": text}]})
        };
        let told = restored(&answer("Hi {{NAME_1}}, {{NAME_2}}", r#"{"to":"{{NAME_1}}"}"#));
        assert_eq!(told, answer("Hi Ann \"A\" Lee, {{NAME_2}}", r#"{"to":"Ann \"A\" Lee"}"#));
    }

    #[test]
    fn what_is_restored_is_not_spelled_out_beside_it() {
        let answer = json!({"choices": [{"message": {"content": "{{NAME_1}}"}, "logprobs": {"content": []}}]});
        assert!(restored(&answer)["choices"][0]["logprobs"].is_null());
        let untouched = json!({"choices": [{"message": {"content": "{{NAME_2}}"}, "logprobs": {"content": []}}]});
        assert_eq!(restored(&untouched), untouched);
    }

    #[test]
    fn an_answer_that_names_no_placeholder_stays_byte_for_byte() {
        for body in ["{\"choices\": [ {\"text\":\"{{name}}\"} ]}", "not JSON: {{NAME_1}}", "\u{fffd}"] {
            let cleared = gate().wave_through(body.into());
            let Restoration::Passed(restored) = gate().restore(&cleared, &bindings(), &mut exchange()) else { panic!("blocked") };
            assert_eq!(restored.body(), body);
        }
    }

    #[test]
    fn the_shape_of_an_answer_is_judged_with_each_callers_values() {
        let folder = tempfile::tempdir().unwrap();
        let rule = "summary: No Ann\nwhy: A test.\nstage: output\naction: block\nmatch: {json_schema: {enum: [Ann]}}\n\
                    examples: {match: [Bob], pass: ['\"Ann\"']}\n";
        std::fs::write(folder.path().join("ann.yaml"), rule).unwrap();
        let settings = Settings { builtin: false, directory: Some(folder.path().to_owned()), overrides: Default::default() };
        let gate = Gates::of(&load(&settings).unwrap()).output;
        let body = json!({"choices": [{"message": {"content": "\"{{NAME_1}}\""}, "finish_reason": "stop"}]});
        let response = Response::decode(Endpoint::Chat, body.to_string().into()).unwrap();
        let Clearing::Passed(cleared, _) = gate.clear(&response, &mut exchange()) else { panic!("judged with the placeholder") };
        for (value, passes) in [("Ann", true), ("Bob", false)] {
            let (mut bindings, mut exchange) = (Bindings::default(), exchange());
            let _ = bindings.bind("NAME", value);
            let restoration = gate.restore(&cleared, &bindings, &mut exchange);
            assert_eq!(matches!(restoration, Restoration::Passed(_)), passes, "{value}");
            assert_eq!(exchange.rules.is_empty(), passes);
        }
    }
}
