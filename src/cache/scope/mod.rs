//! What must match exactly: everything that changes the answer, but for the words of the last message.
//!
//! The order of keys, whitespace, and the way a string or a number is written do not matter. A field that Lockgate has never heard of is in: the provider
//! may read it.
#![doc = include_str!("fields.md")]

mod canonical;
pub mod fields;
mod personal;
mod phrases;
mod temporal;

use std::borrow::Cow;

use blake3::Hasher;

use canonical::sized;

use crate::{
    exchange::{Bypass, Tenant},
    guard::Screened,
    wire::{
        Endpoint, Request,
        json::{Kind, Value},
    },
};

/// Requests with the same key are the same request.
pub type Key = [u8; 32];

/// Builds what questions are searched with. It takes some 20 ms, which no request should wait for.
pub fn prepare() {
    temporal::prepare();
    personal::prepare();
}

/// A request as the cache sees it.
#[derive(Debug, Clone, Copy)]
pub struct Scope {
    /// Everything, the last message included.
    pub exact: Key,
    /// Everything but the words of the last message: entries are compared by meaning only within one partition.
    pub partition: Key,
}

impl Scope {
    /// Fingerprints a request. `context` is what is not in the body and changes the answer all the same: the upstream, the namespace.
    pub fn of(screened: &Screened, tenant: Tenant, context: &[&[u8]]) -> Self {
        let request = screened.request();
        let question = Question::of(request);
        let mut hasher = Hasher::new();
        hasher.update(&tenant.0);
        for part in context {
            sized(&mut hasher, part);
        }
        sized(&mut hasher, request.endpoint().as_str().as_bytes());
        let skip = question.as_ref().ok().map(|question| question.value.span().start);
        let in_scope = |key: Value<'_>| key.as_str().is_none_or(|key| fields::in_scope(request.endpoint(), &key));
        canonical::members(&mut hasher, request.json().root().members().filter(|(key, _)| in_scope(*key)), skip);
        let texts = question.as_ref().map_or(&[][..], |question| &question.texts);
        let partition = *hasher.finalize().as_bytes();
        let mut exact = Hasher::new();
        exact.update(&partition);
        for text in texts {
            sized(&mut exact, text.as_bytes());
        }
        Self { exact: *exact.finalize().as_bytes(), partition }
    }
}

/// The words of the last message, if they may be compared by meaning, or why not. It takes some microseconds, which an exact hit need not spend.
pub fn question(screened: &Screened) -> Result<String, Bypass> {
    let request = screened.request();
    let question = Question::of(request)?;
    let text = question.texts.join("\n");
    let before = |tells: fn(&str) -> bool| {
        let end = question.value.span().start;
        request.texts().iter().any(|text| text.part.is_said() && text.span.end <= end && tells(&text.text))
    };
    if searches_the_web(request) || temporal::asks_about_now(&text) && !before(temporal::tells_now) {
        Err(Bypass::Now)
    } else if personal::asks_about_asker(&text) && !before(personal::tells_asker) {
        Err(Bypass::Asker)
    } else {
        Ok(text)
    }
}

/// What is found on the web depends on when it is looked for.
fn searches_the_web(request: &Request) -> bool {
    request.json().root().get("web_search_options").is_some_and(|options| !options.is_null())
}

/// The last message, where it is a user's and all text.
#[derive(Debug)]
struct Question<'r> {
    /// The value to leave out of the partition.
    value: Value<'r>,
    /// Its words, part by part. A string is one part.
    texts: Vec<Cow<'r, str>>,
}

impl<'r> Question<'r> {
    fn of(request: &'r Request) -> Result<Self, Bypass> {
        let root = request.json().root();
        let value = match request.endpoint() {
            Endpoint::Chat => last_of_user(root),
            // What repeats its prompt would answer one question with the words of another.
            Endpoint::Completions if root.get("echo").and_then(Value::as_bool) == Some(true) => return Err(Bypass::Endpoint),
            Endpoint::Completions => {
                root.get("prompt").filter(|prompt| prompt.as_str().is_some_and(|prompt| is_one_paragraph(&prompt)))
            }
            Endpoint::Embeddings => return Err(Bypass::Endpoint),
        };
        let value = value.ok_or(Bypass::NotText)?;
        let texts = texts_of(value).filter(|texts| texts.iter().any(|text| !text.trim().is_empty())).ok_or(Bypass::NotText)?;
        Ok(Self { value, texts })
    }
}

fn last_of_user(root: Value<'_>) -> Option<Value<'_>> {
    let last = root.get("messages")?.items().last()?;
    last.get("content").filter(|_| last.get("role").and_then(Value::as_str).as_deref() == Some("user"))
}

/// A prompt of several paragraphs may hold earlier turns, or a template around the words that matter.
fn is_one_paragraph(prompt: &str) -> bool {
    !prompt.trim().contains(['\n', '\r'])
}

/// The words of a content that is all text.
fn texts_of(content: Value<'_>) -> Option<Vec<Cow<'_, str>>> {
    match content.kind() {
        Kind::String => Some(vec![content.as_str()?]),
        Kind::Array => content.items().map(text_of_part).collect(),
        _ => None,
    }
}

fn text_of_part(part: Value<'_>) -> Option<Cow<'_, str>> {
    let plain = part.get("type")?.as_str()? == "text" && part.members().count() == 2;
    part.get("text").filter(|_| plain)?.as_str()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::{
        exchange::Exchange,
        guard::{Gates, Screening, Settings, rules::load},
    };

    /// What a scope says.
    struct Said {
        exact: Key,
        partition: Key,
        text: Result<String, Bypass>,
    }

    fn scope_for(tenant: u8, endpoint: Endpoint, body: &str) -> Said {
        let settings = Settings { builtin: false, directory: None, overrides: Default::default() };
        let gate = Gates::of(&load(&settings).unwrap()).input;
        let request = Request::decode(endpoint, Bytes::copy_from_slice(body.as_bytes())).unwrap();
        let mut exchange = Exchange::new("t".to_owned(), Tenant([tenant; 16]));
        let Screening::Passed(screened) = gate.screen(request, &mut exchange).unwrap() else { panic!("blocked") };
        let scope = Scope::of(&screened, Tenant([tenant; 16]), &[b"upstream"]);
        Said { exact: scope.exact, partition: scope.partition, text: question(&screened) }
    }

    fn scope(body: &str) -> Said {
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
        assert_eq!(other.text.as_deref(), Ok("hello"));
    }

    #[test]
    fn only_a_users_plain_text_is_compared_by_meaning() {
        let with = |message: &str| scope(&format!(r#"{{"model":"m","messages":[{message}]}}"#)).text;
        assert_eq!(
            with(r#"{"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]}"#).as_deref(),
            Ok("a\nb")
        );
        assert_eq!(
            with(r#"{"role":"user","content":[{"type":"text","text":"a"},{"type":"image_url","image_url":{"url":"u"}}]}"#),
            Err(Bypass::NotText)
        );
        assert_eq!(with(r#"{"role":"tool","tool_call_id":"1","content":"a"}"#), Err(Bypass::NotText));
        assert_eq!(with(r#"{"role":"user","content":"  "}"#), Err(Bypass::NotText));
        assert_eq!(scope_for(0, Endpoint::Embeddings, r#"{"model":"m","input":"a"}"#).text, Err(Bypass::Endpoint));
    }

    /// The scope of a conversation that ends with this question.
    fn after(role: &str, earlier: &str, question: &str) -> Said {
        let messages = serde_json::json!([{"role": role, "content": earlier}, {"role": "user", "content": question}]);
        scope(&serde_json::json!({"model": "m", "messages": messages}).to_string())
    }

    #[test]
    fn what_depends_on_the_time_or_the_asker_is_compared_by_meaning_only_where_the_scope_tells_them() {
        let (now, asker) = ("What's on television tonight?", "Where is my order?");
        for (question, reason) in [(now, Bypass::Now), (asker, Bypass::Asker)] {
            let held = after("system", "Be kind.", question);
            assert_eq!(held.text, Err(reason));
            assert_ne!(held.exact, after("system", "Be kind.", &format!("{question}!")).exact, "the exact tier reads it");
        }
        for role in ["system", "developer", "user"] {
            assert_eq!(after(role, "Today is 2026-11-20.", now).text.as_deref(), Ok(now));
            assert_eq!(after(role, "Customer id: C-1507", asker).text.as_deref(), Ok(asker));
        }
        assert_eq!(after("system", "Customer id: C-1507", now).text, Err(Bypass::Now));
        assert_eq!(scope(&BASE.replace("\"hi\"", "\"Customer id: C-1507. Where is my order?\"")).text, Err(Bypass::Asker));
    }

    #[test]
    fn what_is_searched_for_on_the_web_is_not_compared_by_meaning() {
        let with = |options: &str| scope(&BASE.replace("{\"model\"", &format!("{{\"web_search_options\":{options},\"model\"")));
        assert_eq!(with("{}").text, Err(Bypass::Now));
        assert_eq!(with("null").text.as_deref(), Ok("hi"));
    }

    #[test]
    fn a_prompt_is_compared_by_meaning_where_it_is_one_question() {
        let of = |rest: &str| scope_for(0, Endpoint::Completions, &format!(r#"{{"model":"m",{rest}}}"#));
        let base = of(r#""prompt":"Tell a joke""#);
        assert_eq!(base.text.as_deref(), Ok("Tell a joke"));
        assert_eq!(base.partition, of(r#""prompt":"Tell me a joke""#).partition);
        assert_ne!(base.partition, of(r#""prompt":"Tell a joke","suffix":"The end""#).partition);
        let without = [
            (r#""prompt":["Tell a joke"]"#, Bypass::NotText),
            (r#""prompt":[1,2,3]"#, Bypass::NotText),
            (r#""prompt":"User: Hi\nAssistant: Yes?\nUser: Tell a joke""#, Bypass::NotText),
            (r#""prompt":"Tell a joke","echo":true"#, Bypass::Endpoint),
        ];
        for (rest, reason) in without {
            assert_eq!(of(rest).text, Err(reason), "{rest}");
        }
    }

    #[test]
    fn the_parts_of_a_text_count_in_the_exact_key_and_not_in_the_partition() {
        let parts = |texts: &[&str]| {
            let parts: Vec<_> = texts.iter().map(|text| serde_json::json!({"type": "text", "text": text})).collect();
            scope(&BASE.replace("\"hi\"", &serde_json::json!(parts).to_string()))
        };
        let whole = scope(&BASE.replace("\"hi\"", "\"a\\nb\""));
        assert_eq!(parts(&["a\nb"]).exact, whole.exact);
        assert_ne!(parts(&["a", "b"]).exact, whole.exact);
        assert_eq!(parts(&["a", "b"]).partition, whole.partition);
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
