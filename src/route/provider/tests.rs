//! One chat request, and what each provider of the table is sent: files that can be read, and rewritten with `LOCKGATE_UPDATE_GOLDEN=1`.

use std::{env, fs, path::Path};

use http::HeaderMap;
use serde_json::{Map, Value, json};

use super::*;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/route/provider/golden");

/// Nobody's key.
const KEY: &str = "the-key";

/// What a provider may have to be told, all of it.
fn told() -> Options {
    let values = [
        ("azure_resource_name", "acme"),
        ("aws_region", "eu-central-1"),
        ("vertex_region", "europe-west4"),
        ("vertex_project_id", "acme"),
        ("workers_ai_account_id", "0123abcd"),
    ];
    Options { base_url: None, values: values.map(|(name, value)| (name.to_owned(), value.to_owned())).into() }
}

fn input() -> Request {
    let body = fs::read(Path::new(FOLDER).join("request.json")).unwrap();
    Request::decode(Endpoint::Chat, body.into()).unwrap()
}

/// What is sent, with a word in place of the key.
fn sent(provider: &dyn Provider, request: &Request) -> Value {
    let mut headers = HeaderMap::new();
    provider.add_headers(Some(KEY), &mut headers).unwrap();
    let headers: Map<_, _> = headers
        .iter()
        .map(|(name, value)| {
            assert!(value.is_sensitive() || !value.to_str().unwrap().contains(KEY), "{name} shows the key");
            (name.to_string(), json!(value.to_str().unwrap().replace(KEY, "…")))
        })
        .collect();
    let body: Value = serde_json::from_slice(&provider.body(request).unwrap()).unwrap();
    let path = provider.path(Route::Read(Endpoint::Chat, request.model())).unwrap();
    let url = format!("{}{path}", provider.origin().to_string().trim_end_matches('/'));
    json!({ "method": "POST", "url": url, "headers": headers, "body": body })
}

#[test]
fn each_provider_is_sent_what_its_file_says() {
    let (request, update) = (input(), env::var_os("LOCKGATE_UPDATE_GOLDEN").is_some());
    let mut files = 1;
    for entry in all().iter().filter(|entry| entry.serves(Endpoint::Chat)) {
        let provider = entry.provider(&told()).unwrap();
        let found = serde_json::to_string_pretty(&sent(&*provider, &request)).unwrap() + "\n";
        let file = Path::new(FOLDER).join(format!("{}.json", entry.slug));
        if update {
            fs::write(&file, &found).unwrap();
        }
        let expected = fs::read_to_string(&file).unwrap_or_default();
        assert_eq!(found, expected, "{}: if that is right, run this test with LOCKGATE_UPDATE_GOLDEN=1", file.display());
        files += 1;
    }
    assert_eq!(fs::read_dir(FOLDER).unwrap().count(), files, "a file of no provider lies in {FOLDER}");
}

#[test]
fn what_a_provider_knows_goes_on_byte_for_byte() {
    let body = Bytes::from_static(b"{ \"model\": \"m\",\"temperature\":1.50, \"messages\":[ ] }");
    let request = Request::decode(Endpoint::Chat, body.clone()).unwrap();
    for entry in all().iter().filter(|entry| entry.kind == Kind::Openai) {
        assert_eq!(entry.provider(&told()).unwrap().body(&request).unwrap(), body, "{}", entry.slug);
    }
}

#[test]
fn an_endpoint_that_a_provider_lacks_has_no_path() {
    let groq = named("groq").unwrap();
    let route = Route::Read(Endpoint::Embeddings, "m");
    assert_eq!(groq.provider(&Options::default()).unwrap().path(route), None);
    let custom = Options { base_url: Some(Uri::from_static("http://localhost:1/v1")), ..Options::default() };
    assert_eq!(groq.provider(&custom).unwrap().path(route).as_deref(), Some("/v1/embeddings"));
}

#[test]
fn a_key_that_no_header_can_hold_is_refused_without_being_shown() {
    let provider = named("openai").unwrap().provider(&Options::default()).unwrap();
    let error = provider.add_headers(Some("a\nsecret"), &mut HeaderMap::new()).unwrap_err();
    assert!(!format!("{error:?}").contains("secret"));
}

#[test]
fn what_only_anthropic_knows_is_not_sent_to_others() {
    let body = json!({ "model": "m", "top_k": 3, "messages": [
        { "role": "user", "content": [{ "type": "text", "text": "Hi", "cache_control": { "type": "ephemeral" } }] }] });
    let request = Request::decode(Endpoint::Chat, body.to_string().into()).unwrap();
    let sent = |slug: &str, base: Option<&'static str>| {
        let options = Options { base_url: base.map(Uri::from_static), ..told() };
        let body = named(slug).unwrap().provider(&options).unwrap().body(&request).unwrap();
        serde_json::from_slice::<Value>(&body).unwrap()
    };
    let plain = json!([{ "role": "user", "content": [{ "type": "text", "text": "Hi" }] }]);
    assert_eq!(sent("openai", None), json!({ "model": "m", "messages": plain }));
    assert_eq!(sent("together", None), json!({ "model": "m", "top_k": 3, "messages": plain }));
    assert_eq!(sent("openai", Some("http://localhost:1/v1"))["top_k"], 3, "a host of open models may know it");
    assert_eq!(sent("anthropic", None)["messages"], body["messages"]);
    assert_eq!(sent("anthropic", None)["top_k"], 3);
}

#[test]
fn anthropic_answers_fails_and_streams_on_the_chat_wire() {
    let anthropic = named("anthropic").unwrap().provider(&Options::default()).unwrap();
    let answer = json!({ "id": "msg_1", "type": "message", "role": "assistant", "model": "claude", "stop_reason": "end_turn",
        "content": [{ "type": "text", "text": "Hi" }], "usage": { "input_tokens": 1, "output_tokens": 2 } });
    let said = |status: StatusCode, body: &str| {
        let body = anthropic.answer(Endpoint::Chat, status, Bytes::copy_from_slice(body.as_bytes()), 7);
        String::from_utf8(body.to_vec()).unwrap()
    };
    let chat: Value = serde_json::from_str(&said(StatusCode::OK, &answer.to_string())).unwrap();
    assert_eq!((&chat["choices"][0]["message"]["content"], &chat["created"]), (&json!("Hi"), &json!(7)));
    let error = json!({ "type": "error", "error": { "type": "overloaded_error", "message": "Overloaded" } });
    let error: Value = serde_json::from_str(&said(StatusCode::SERVICE_UNAVAILABLE, &error.to_string())).unwrap();
    assert_eq!(error["error"]["message"], "Overloaded");
    assert_eq!(said(StatusCode::BAD_GATEWAY, "<html>"), "<html>");
    let mut events = anthropic.events(&input(), 7).unwrap();
    let start =
        "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\",\"model\":\"claude\"}}\n\n";
    let (first, rest) = start.split_at(40);
    assert!(events.push(first.to_owned().into()).unwrap().is_empty());
    assert!(
        events.push(rest.to_owned().into()).unwrap().starts_with(b"data: {\"id\":\"msg_1\",\"object\":\"chat.completion.chunk\"")
    );
    assert!(events.push("data: nonsense\n\n".into()).is_err());
}

#[test]
fn a_bound_has_the_name_that_openais_own_host_knows_and_stays_as_it_is_elsewhere() {
    let sent = |endpoint, base: Option<&'static str>, body: Value| {
        let request = Request::decode(endpoint, body.to_string().into()).unwrap();
        let options = Options { base_url: base.map(Uri::from_static), ..told() };
        let body = named("openai").unwrap().provider(&options).unwrap().body(&request).unwrap();
        serde_json::from_slice::<Value>(&body).unwrap()
    };
    let chat = json!({ "model": "m", "messages": [], "max_tokens": 9 });
    assert_eq!(sent(Endpoint::Chat, None, chat.clone()), json!({ "model": "m", "messages": [], "max_completion_tokens": 9 }));
    assert_eq!(sent(Endpoint::Chat, Some("http://localhost:1/v1"), chat.clone()), chat);
    let older = json!({ "model": "m", "prompt": "Hi", "max_tokens": 9 });
    assert_eq!(sent(Endpoint::Completions, None, older.clone()), older);
}
