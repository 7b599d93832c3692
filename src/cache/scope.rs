//! What must match exactly: everything that changes the answer, but for the words of the last message.
//!
//! The order of keys, whitespace, and the way a string or a number is written do not matter. A field that Lockgate has never heard of is in: the provider
//! may read it.

use blake3::Hasher;

use crate::{
    exchange::{Bypass, Tenant},
    guard::Screened,
    wire::{
        Endpoint, Request,
        json::{Kind, Value},
    },
};

/// Top-level fields that do not change what the model says: how it is delivered, and labels for the provider's own books.
pub const OUT_OF_SCOPE: [&str; 5] = ["stream", "stream_options", "user", "metadata", "store"];

/// Requests with the same key are the same request.
pub type Key = [u8; 32];

/// A request as the cache sees it.
#[derive(Debug, Clone)]
pub struct Scope {
    /// Everything, the last message included.
    pub exact: Key,
    /// Everything but the words of the last message, of which only the numbers count: entries are compared by meaning only within one partition.
    pub partition: Key,
    /// The words of the last message, if they are a user's text and nothing else.
    pub text: Option<String>,
    /// Why there are none, where there are none.
    pub without_text: Bypass,
}

impl Scope {
    /// Fingerprints a request. `context` is what is not in the body and changes the answer all the same: the upstream, the namespace.
    pub fn of(screened: &Screened, tenant: Tenant, context: &[&[u8]]) -> Self {
        let request = screened.request();
        let last = last_user_text(request);
        let mut hasher = Hasher::new();
        hasher.update(&tenant.0);
        for part in context {
            sized(&mut hasher, part);
        }
        sized(&mut hasher, request.endpoint().as_str().as_bytes());
        let skip = last.as_ref().map(|(value, _)| value.span().start);
        let mut fields: Vec<_> = request.json().root().members().filter(|(key, _)| in_scope(*key)).collect();
        sort_by_key(&mut fields);
        members(&mut hasher, &fields, skip);
        if let Some((_, text)) = &last {
            numbers(&mut hasher, text);
        }
        let partition = *hasher.finalize().as_bytes();
        let text = last.map(|(_, text)| text);
        let mut exact = Hasher::new();
        exact.update(&partition);
        sized(&mut exact, text.as_deref().unwrap_or_default().as_bytes());
        let without_text = if request.endpoint() == Endpoint::Chat { Bypass::NotText } else { Bypass::Endpoint };
        Self { exact: *exact.finalize().as_bytes(), partition, text, without_text }
    }
}

/// The numbers of a text, in order. Vectors hardly tell order 1507 from order 1508, and their answers are never the same.
fn numbers(hasher: &mut Hasher, text: &str) {
    let runs = text.split(|char: char| !char.is_numeric()).filter(|run| !run.is_empty());
    runs.for_each(|run| sized(hasher, run.as_bytes()));
}

fn in_scope(key: Value<'_>) -> bool {
    key.as_str().is_none_or(|key| !OUT_OF_SCOPE.contains(&&*key))
}

/// The content of the last message, where it is a user's and all text: the value to leave out of the partition, and its words.
fn last_user_text(request: &Request) -> Option<(Value<'_>, String)> {
    if request.endpoint() != Endpoint::Chat {
        return None;
    }
    let last = request.json().root().get("messages")?.items().last()?;
    if last.get("role")?.as_str()? != "user" {
        return None;
    }
    let content = last.get("content")?;
    let text = match content.kind() {
        Kind::String => content.as_str()?.into_owned(),
        Kind::Array => {
            let mut texts = Vec::new();
            for part in content.items() {
                let plain = part.get("type")?.as_str()? == "text" && part.members().count() == 2;
                texts.push(plain.then(|| part.get("text")?.as_str())??);
            }
            texts.join("\n")
        }
        _ => return None,
    };
    (!text.trim().is_empty()).then_some((content, text))
}

/// Hashes a value so that equal values, however they are written, come out equal, and different ones do not.
fn value(hasher: &mut Hasher, value_: Value<'_>, skip: Option<usize>) {
    if Some(value_.span().start) == skip {
        hasher.update(b"*");
        return;
    }
    match value_.kind() {
        Kind::Null => drop(hasher.update(b"0")),
        Kind::Bool => drop(hasher.update(if value_.raw() == "true" { b"T" } else { b"F" })),
        Kind::Number => number(hasher, value_.raw()),
        Kind::String => {
            hasher.update(b"s");
            sized(hasher, value_.as_str().unwrap_or_default().as_bytes());
        }
        Kind::Array => {
            hasher.update(b"[");
            value_.items().for_each(|item| value(hasher, item, skip));
            hasher.update(b"]");
        }
        Kind::Object => {
            let mut fields: Vec<_> = value_.members().collect();
            sort_by_key(&mut fields);
            members(hasher, &fields, skip);
        }
    }
}

fn members(hasher: &mut Hasher, fields: &[(Value<'_>, Value<'_>)], skip: Option<usize>) {
    hasher.update(b"{");
    for (key, field) in fields {
        sized(hasher, key.as_str().unwrap_or_default().as_bytes());
        value(hasher, *field, skip);
    }
    hasher.update(b"}");
}

fn sort_by_key(fields: &mut [(Value<'_>, Value<'_>)]) {
    fields.sort_by(|(a, _), (b, _)| a.as_str().cmp(&b.as_str()));
}

/// `1`, `1.0` and `1e0` are one number. What a double cannot hold exactly is compared as it is written.
fn number(hasher: &mut Hasher, raw: &str) {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    match raw.parse::<f64>() {
        Ok(number) if number.abs() < EXACT => {
            hasher.update(b"n").update(&(number + 0.0).to_le_bytes());
        }
        _ => {
            hasher.update(b"N");
            sized(hasher, raw.as_bytes());
        }
    }
}

/// Length first, so that no two sequences of parts hash alike.
fn sized(hasher: &mut Hasher, bytes: &[u8]) {
    hasher.update(&(bytes.len() as u64).to_le_bytes()).update(bytes);
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bytes::Bytes;

    use super::*;
    use crate::{
        exchange::Exchange,
        guard::{InputGate, Screening, Settings, rules::load},
    };

    fn scope_for(tenant: u8, endpoint: Endpoint, body: &str) -> Scope {
        let settings = Settings { builtin: false, directory: None, overrides: Default::default() };
        let gate = InputGate::new(Arc::new(load(&settings).unwrap()));
        let request = Request::decode(endpoint, Bytes::copy_from_slice(body.as_bytes())).unwrap();
        let mut exchange = Exchange::new("t".to_owned(), Tenant([tenant; 16]));
        let Screening::Passed(screened) = gate.screen(request, &mut exchange).unwrap() else { panic!("blocked") };
        Scope::of(&screened, Tenant([tenant; 16]), &[b"upstream"])
    }

    fn scope(body: &str) -> Scope {
        scope_for(0, Endpoint::Chat, body)
    }

    const BASE: &str =
        r#"{"model":"m","temperature":1,"messages":[{"role":"system","content":"s"},{"role":"user","content":"hi"}]}"#;

    #[test]
    fn the_way_a_request_is_written_does_not_matter() {
        let same = [
            r#" { "temperature" : 1.0, "messages":[{"content":"s","role":"system"},{"role":"user","content":"\u0068i"}],"model":"m"} "#,
            r#"{"model":"m","stream":true,"user":"u","metadata":{"a":"b"},"store":true,"stream_options":{"include_usage":true},"temperature":1e0,"messages":[{"role":"system","content":"s"},{"role":"user","content":"hi"}]}"#,
        ];
        for body in same {
            assert_eq!(scope(body).exact, scope(BASE).exact, "{body}");
        }
    }

    #[test]
    fn whatever_changes_the_answer_is_in_both_keys() {
        let changed = [
            BASE.replace("\"m\"", "\"n\""),
            BASE.replace("\"s\"", "\"t\""),
            BASE.replace(":1,", ":0.9,"),
            BASE.replace("{\"model\"", "{\"seed\":1,\"model\""),
            BASE.replace("{\"model\"", "{\"never_heard_of\":null,\"model\""),
            BASE.replace("{\"role\":\"system\"", "{\"name\":\"x\",\"role\":\"system\""),
            BASE.replace("[{\"role\":\"system\"", "[{\"role\":\"user\",\"content\":\"earlier\"},{\"role\":\"system\""),
        ];
        let base = scope(BASE);
        for body in changed {
            let other = scope(&body);
            assert!(other.exact != base.exact && other.partition != base.partition, "{body}");
        }
        let other = scope_for(1, Endpoint::Chat, BASE);
        assert!(other.exact != base.exact && other.partition != base.partition, "another tenant");
    }

    #[test]
    fn the_last_words_are_in_the_exact_key_only() {
        let (base, other) = (scope(BASE), scope(&BASE.replace("\"hi\"", "\"hello\"")));
        assert_eq!(base.partition, other.partition);
        assert_ne!(base.exact, other.exact);
        assert_eq!(other.text.as_deref(), Some("hello"));
    }

    #[test]
    fn texts_with_other_numbers_are_never_compared_by_meaning() {
        let partition = |text: &str| scope(&BASE.replace("\"hi\"", &format!("\"{text}\""))).partition;
        assert_ne!(partition("Where is order 1507?"), partition("Where is order 1508?"));
        assert_ne!(partition("from 3 to 4"), partition("from 4 to 3"));
        assert_eq!(partition("Where is order 1507?"), partition("Where's my order 1507"));
    }

    #[test]
    fn only_a_users_plain_text_is_compared_by_meaning() {
        let with = |message: &str| scope(&format!(r#"{{"model":"m","messages":[{message}]}}"#)).text;
        assert_eq!(
            with(r#"{"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]}"#).as_deref(),
            Some("a\nb")
        );
        assert_eq!(
            with(r#"{"role":"user","content":[{"type":"text","text":"a"},{"type":"image_url","image_url":{"url":"u"}}]}"#),
            None
        );
        assert_eq!(with(r#"{"role":"tool","tool_call_id":"1","content":"a"}"#), None);
        assert_eq!(with(r#"{"role":"user","content":"  "}"#), None);
        assert_eq!(scope_for(0, Endpoint::Embeddings, r#"{"model":"m","input":"a"}"#).text, None);
    }

    #[test]
    fn without_comparable_words_everything_is_in_the_key() {
        let image = |url: &str| {
            let part = format!(r#"{{"type":"image_url","image_url":{{"url":"{url}"}}}}"#);
            scope(&format!(r#"{{"model":"m","messages":[{{"role":"user","content":[{part}]}}]}}"#))
        };
        assert_ne!(image("a").exact, image("b").exact);
        assert_ne!(image("a").partition, image("b").partition);
        let number = |n: &str| scope_for(0, Endpoint::Embeddings, &format!(r#"{{"model":"m","input":[{n}]}}"#)).exact;
        assert_ne!(number("9007199254740993"), number("9007199254740992"));
    }
}
