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
    for entry in all().iter().filter(|entry| entry.kind == table::Kind::Openai) {
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
