//! Requests that are made of prompt templates.

use std::fs;

use serde_json::{Value, json};

use crate::{House, Upstream, house::config_and};

const SUPPORT: &str = "variables: { tone: kind }\nversions:\n\
    \x20 1: { model: gpt-test, messages: [{ role: system, content: 'Be {{tone}}.' }, { role: user, content: '{{question}}' }] }\n\
    \x20 2: { model: gpt-other, messages: [{ role: user, content: '{{question}}' }] }\ndefault: 1\n";

async fn house(upstream: &Upstream) -> (House, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("support.yaml"), SUPPORT).unwrap();
    let more = format!("prompts: '{}'\n", folder.path().display());
    (House::from(config_and(upstream.address, &more)).await, folder)
}

async fn ask(house: &House, path: &str, body: &Value) -> crate::client::Answer {
    house.client().await.post(path).json(body).send().await
}

#[tokio::test]
async fn a_prompt_is_answered_and_kept_like_any_request() {
    let upstream = Upstream::plain().await;
    let (house, _folder) = house(&upstream).await;
    let asked = json!({"variables": {"question": "Why?"}, "temperature": 0.5});
    let answer = ask(&house, "/v1/prompts/support/completions", &asked).await;
    assert_eq!((answer.status, answer.header("x-lockgate-prompt")), (200, "support@1"));
    let sent = upstream.asked()[0].json();
    assert_eq!(sent["messages"], json!([{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Why?"}]));
    assert_eq!((sent["model"].as_str(), sent["temperature"].as_f64()), (Some("gpt-test"), Some(0.5)));
    assert_eq!(ask(&house, "/v1/prompts/support/completions", &asked).await.cache(), "HIT");
    let other = ask(&house, "/v1/prompts/support@2/completions", &json!({"variables": {"question": "Why?"}})).await;
    assert_eq!((other.header("x-lockgate-prompt"), upstream.calls()), ("support@2", 2));
}

#[tokio::test]
async fn a_prompt_is_told_as_a_stream_and_passes_the_gates() {
    let upstream = Upstream::plain().await;
    let (house, _folder) = house(&upstream).await;
    let asked = json!({"variables": {"question": "My card is 4111 1111 1111 1111."}, "stream": true});
    let answer = ask(&house, "/v1/prompts/support/completions", &asked).await;
    assert_eq!(answer.told(), "Answer 1");
    assert!(!upstream.asked()[0].json().to_string().contains("4111"));
}

#[tokio::test]
async fn a_prompt_is_shown_without_being_asked() {
    let upstream = Upstream::plain().await;
    let (house, _folder) = house(&upstream).await;
    let shown = ask(&house, "/v1/prompts/support/render", &json!({"variables": {"question": "Why?", "tone": "short"}})).await;
    let shown = shown.json();
    assert_eq!((&shown["success"], &shown["data"]["messages"][0]["content"]), (&json!(true), &json!("Be short.")));
    assert_eq!(upstream.calls(), 0);
}

#[tokio::test]
async fn a_variable_too_few_or_too_many_is_named() {
    let upstream = Upstream::plain().await;
    let (house, _folder) = house(&upstream).await;
    let path = "/v1/prompts/support/completions";
    ask(&house, path, &json!({})).await.is_error(400, "invalid_request", &["`question`", "variables"]);
    let extra = json!({"variables": {"question": "q", "colour": "red"}});
    ask(&house, path, &extra).await.is_error(400, "invalid_request", &["no variable `colour`", "`question`"]);
    ask(&house, "/v1/prompts/nobody/completions", &json!({})).await.is_error(404, "unknown_endpoint", &["no prompt `nobody`"]);
}
