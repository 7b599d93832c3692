//! Prompts as a client uses them.

use serde_json::json;

use super::*;

const SUPPORT: &str = r#"
summary: Answers a customer.
weights: { 1: 90, 2: 10 }
variables: { tone: kind }
partials: { sign: "Sign as {{company}}." }
versions:
  1:
    model: gpt-5-mini
    temperature: 0.2
    messages:
      - { role: system, content: "Be {{tone}}. {{> sign}}" }
      - { role: user, content: "{{question}}" }
  2:
    model: gpt-5
    config: careful
    messages: [{ role: user, content: [{ type: text, text: "{{#if vip}}Quick: {{/if}}{{question}}" }] }]
"#;

fn prompts(files: &[(&str, &str)]) -> std::result::Result<Prompts, Vec<Report>> {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs::write(folder.path().join(name), text).unwrap();
    }
    Prompts::load(folder.path())
}

fn render(id: &str, asked: Value) -> Result<Rendered> {
    let Value::Object(asked) = asked else { panic!("an object") };
    prompts(&[("support.yaml", SUPPORT), ("notes.txt", "x")]).unwrap().render(id, asked, 0.5)
}

#[test]
fn a_prompt_becomes_a_request() {
    let asked = json!({"variables": {"question": "Where is \"it\" & why?", "company": "ACME"}, "stream": true, "temperature": 1});
    let rendered = render("support", asked).unwrap();
    let messages =
        json!([{"role": "system", "content": "Be kind. Sign as ACME."}, {"role": "user", "content": "Where is \"it\" & why?"}]);
    let expected = json!({"model": "gpt-5-mini", "temperature": 1, "messages": messages, "stream": true});
    assert_eq!((Value::Object(rendered.body), rendered.name.as_str(), rendered.config), (expected, "support@1", None));
}

#[test]
fn versions_are_named_or_drawn() {
    let variables = json!({"variables": {"question": "q", "vip": true}});
    let rendered = render("support@2", variables.clone()).unwrap();
    assert_eq!(rendered.body["messages"][0]["content"][0]["text"], "Quick: q");
    assert_eq!((rendered.name.as_str(), rendered.config.as_deref()), ("support@2", Some("careful")));
    assert_eq!(render("support@latest", variables).unwrap().name, "support@2");
    let prompts = prompts(&[("support.yaml", SUPPORT)]).unwrap();
    let drawn = |dice| prompts.0["support"].picked(dice);
    assert_eq!([drawn(0.0), drawn(0.89), drawn(0.91), drawn(0.999)], [1, 1, 2, 2]);
}

#[test]
fn what_is_missing_or_too_much_is_named() {
    for (id, asked, field, word) in [
        ("support@2", json!({"variables": {"vip": true}}), Some("variables.question"), "lacks `question`"),
        ("support@1", json!({}), Some("variables.company"), "`company`, `question`"),
        (
            "support@2",
            json!({"variables": {"question": "q", "vip": 1, "colour": "red"}}),
            Some("variables.colour"),
            "no variable `colour`",
        ),
        ("support@2", json!({"variables": []}), Some("variables"), "object"),
        ("support@3", json!({}), None, "only 1, 2"),
        ("suport", json!({}), None, "no prompt `suport`"),
    ] {
        let error = render(id, asked).unwrap_err();
        assert!(error.field() == field && error.message().contains(word), "{error}");
    }
}

#[test]
fn a_file_is_criticised_at_its_place() {
    for (text, word) in [
        ("versions: {}", "`versions` is empty"),
        ("default: 3\nversions: {1: {messages: []}}", "`default` is not a version"),
        ("weights: {2: 1}\nversions: {1: {messages: []}}", "`weights.2` is not a version"),
        ("versions: {1: {model: m}}", "neither `messages` nor `prompt`"),
        ("versions: {1: {messages: [{role: user, content: '{{#if a}}'}]}}", "is no template"),
        ("partials: {p: '{{'}\nversions: {1: {messages: []}}", "`partials.p` is no template"),
        ("colour: red\nversions: {1: {messages: []}}", "colour"),
    ] {
        let reports = prompts(&[("p.yaml", text)]).unwrap_err();
        assert!(reports[0].to_string().contains(word), "{}", reports[0]);
    }
    assert!(Prompts::load(Path::new("nowhere")).is_err());
}
