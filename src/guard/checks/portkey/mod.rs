//! The checks of Portkey's configs, in terms of the kinds here. guardrails/PORTKEY.md shows the same table to its readers.
//!
//! A check of Portkey's says what must be, a kind here what must not: each is turned round, and `not` turns it back.

use serde_json::{Map, Value};

use super::{Check, FactCheck, NoFact, NoText, Prefix, RemoteCheck, Whole};
use crate::guard::verdict::OnError;

mod facts;
mod parameters;
mod remote;
mod text;

#[cfg(test)]
mod tests;

use parameters::Parameters;

/// What a check of a config comes to.
#[derive(Debug)]
pub enum Translated {
    /// Fails where this finds something in a text.
    Text(Box<dyn Check>),
    /// Fails where this matches the request.
    Facts(Box<dyn FactCheck>),
    /// Fails where whoever is asked says so, and says what follows where there is no answer.
    Remote(Box<dyn RemoteCheck>, OnError),
    /// Puts a text in the place of what is found.
    Replace {
        /// Finds.
        check: Box<dyn Check>,
        /// The text.
        with: String,
        /// Whether the check fails, too, where something is found.
        fails: bool,
    },
    /// Puts a text before what somebody says.
    Prefix(Prefix),
    /// Rules that ship with Lockgate do this: those in these folders of `guardrails/`.
    Rules(&'static [&'static str]),
}

/// A check of Portkey's, and what does it here.
struct Row {
    id: &'static str,
    kind: &'static str,
    translate: fn(&Parameters<'_>) -> Result<Translated, String>,
}

const CHECKS: [Row; 29] = [
    Row { id: "default.regexMatch", kind: "patterns", translate: text::regex_match },
    Row { id: "default.contains", kind: "contains", translate: text::contains },
    Row { id: "default.sentenceCount", kind: "length", translate: text::sentence_count },
    Row { id: "default.wordCount", kind: "length", translate: text::word_count },
    Row { id: "default.characterCount", kind: "length", translate: text::character_count },
    Row { id: "default.jsonSchema", kind: "json_schema", translate: text::json_schema },
    Row { id: "default.jsonKeys", kind: "json_keys", translate: text::json_keys },
    Row { id: "default.validUrls", kind: "valid_urls", translate: remote::valid_urls },
    Row { id: "default.containsCode", kind: "code", translate: text::contains_code },
    Row { id: "default.alluppercase", kind: "case", translate: |parameters| Ok(text::all_upper_case(parameters)) },
    Row { id: "default.alllowercase", kind: "case", translate: |parameters| Ok(text::all_lower_case(parameters)) },
    Row { id: "default.endsWith", kind: "ends_with", translate: text::ends_with },
    Row { id: "default.modelWhitelist", kind: "model", translate: facts::model_whitelist },
    Row { id: "default.modelRules", kind: "model", translate: facts::model_rules },
    Row { id: "default.allowedRequestTypes", kind: "endpoint", translate: facts::allowed_request_types },
    Row { id: "default.requiredMetadataKeys", kind: "metadata", translate: facts::required_metadata_keys },
    Row { id: "default.requiredMetadataKeyValuePairs", kind: "metadata", translate: facts::required_metadata_pairs },
    Row { id: "default.requestParametersCheck", kind: "parameters, tools", translate: facts::request_parameters },
    Row { id: "default.jwt", kind: "jwt", translate: remote::jwt },
    Row { id: "default.addPrefix", kind: "prefix", translate: text::add_prefix },
    Row { id: "default.regexReplace", kind: "patterns", translate: text::regex_replace },
    Row { id: "default.notNull", kind: "length", translate: |parameters| Ok(text::not_null(parameters)) },
    Row { id: "default.webhook", kind: "webhook", translate: remote::webhook },
    Row { id: "default.log", kind: "log", translate: remote::log },
    Row { id: "default.inlineImageUrls", kind: "", translate: inline_image_urls },
    Row { id: "portkey.moderateContent", kind: "rules: moderation", translate: |_| Ok(Translated::Rules(&["moderation"])) },
    Row { id: "portkey.language", kind: "language", translate: text::language },
    Row { id: "portkey.gibberish", kind: "gibberish", translate: |parameters| Ok(text::gibberish(parameters)) },
    Row { id: "portkey.pii", kind: "rules: personal-data", translate: |_| Ok(Translated::Rules(&["personal-data"])) },
];

/// The id of every check, with the keys under `match` that do the same in a rule file.
pub fn checks() -> impl Iterator<Item = (&'static str, &'static str)> {
    CHECKS.iter().map(|row| (row.id, row.kind))
}

/// Reads one check of a config, `{"id": "default.contains", "parameters": {…}}`. An id without a dot is one of `default`, and its case does not count.
/// The error says what the check lacks, or that there is none like it.
pub fn translate(check: &Map<String, Value>) -> Result<Translated, String> {
    let id = check.get("id").and_then(Value::as_str).ok_or("a check has no `id`")?;
    let full = if id.contains('.') { id.to_owned() } else { format!("default.{id}") };
    let row = CHECKS.iter().find(|row| row.id.eq_ignore_ascii_case(&full)).ok_or_else(|| format!("there is no check `{id}`"))?;
    let empty = Map::new();
    let parameters = check.get("parameters").and_then(Value::as_object).unwrap_or(&empty);
    (row.translate)(&Parameters(parameters)).map_err(|reason| format!("`{id}`: {reason}"))
}

fn inline_image_urls(_: &Parameters<'_>) -> Result<Translated, String> {
    Err("images go on as the client sends them; put them into the request as data URLs".to_owned())
}

/// What fails where this finds something; with `not`, where it does not.
fn fails_on(check: impl Check + 'static, parameters: &Parameters<'_>) -> Translated {
    let check: Box<dyn Check> = Box::new(check);
    Translated::Text(if parameters.flag("not", false) { without(check) } else { check })
}

/// What fails where this does not find something; with `not`, where it does.
fn demands(check: impl Check + 'static, parameters: &Parameters<'_>) -> Translated {
    let check: Box<dyn Check> = Box::new(check);
    Translated::Text(if parameters.flag("not", false) { check } else { without(check) })
}

fn without(check: Box<dyn Check>) -> Box<dyn Check> {
    Box::new(Whole(NoText(vec![check])))
}

/// What fails on a request that this matches; with `not`, on one that it does not.
fn fails_on_fact(check: impl FactCheck + 'static, parameters: &Parameters<'_>) -> Translated {
    let check: Box<dyn FactCheck> = Box::new(check);
    Translated::Facts(if parameters.flag("not", false) { Box::new(NoFact(vec![check])) } else { check })
}
