//! What configs say is compiled or criticised in its place, and hooks that ask nobody judge and change as they should.

use std::sync::LazyLock;

use http::HeaderMap;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::{super::Callouts, *};
use crate::{
    exchange::Tenant,
    guard::{Gates, Override, Settings, rules::load},
    outbound::{Client, Settings as Outbound},
    wire::Request,
};

/// The rules that ship, which take a while to load.
static SHIPPED: LazyLock<Arc<Pack>> = LazyLock::new(|| Arc::new(loaded(&[])));

fn pack(overrides: &[(&str, Override)]) -> Arc<Pack> {
    if overrides.is_empty() { Arc::clone(&SHIPPED) } else { Arc::new(loaded(overrides)) }
}

fn loaded(overrides: &[(&str, Override)]) -> Pack {
    let overrides = overrides.iter().map(|&(id, says)| (id.to_owned(), says)).collect();
    load(&Settings { builtin: true, directory: None, overrides }).unwrap()
}

fn compiled(config: &Value) -> std::result::Result<Hooks, Fault> {
    let lists = HookLists::of(config.as_object().unwrap());
    Hooks::compile(&lists, &pack(&[]), &Profiles::default())
}

fn callouts() -> Callouts {
    let settings =
        Outbound { connect_timeout: std::time::Duration::from_secs(1), allow_private: false, allow_loopback: true, max_idle: 1 };
    Callouts::new(Client::new(&settings))
}

fn exchange() -> Exchange {
    Exchange::new("t".to_owned(), Tenant([0; 16]))
}

/// A request of messages by role and content, through the gate and the hooks of a config.
async fn screened(overrides: &[(&str, Override)], config: Value, messages: Value) -> (Screening, Exchange) {
    let pack = pack(overrides);
    let hooks = Hooks::compile(&HookLists::of(config.as_object().unwrap()), &pack, &Profiles::default()).unwrap();
    let (gate, mut exchange) = (Gates::of(&pack).input, exchange());
    let body = json!({ "model": "m", "messages": messages }).to_string();
    let screening = gate.screen(Request::decode(Endpoint::Chat, body.into()).unwrap(), &mut exchange).unwrap();
    let (callouts, headers) = (callouts(), HeaderMap::new());
    let errand = Errand { callouts: &callouts, headers: &headers };
    (hooks.before(&gate, screening, errand, &mut exchange).await.unwrap(), exchange)
}

async fn asked(config: Value, text: &str) -> (Screening, Exchange) {
    screened(&[], config, json!([{ "role": "user", "content": text }])).await
}

/// The content of the last message, after the hooks.
fn last(screening: &Screening) -> String {
    let Screening::Passed(screened) = screening else { panic!("{screening:?}") };
    screened.request().texts().last().unwrap().text.to_string()
}

/// What is said by choices, through the gate and the hooks of a config.
async fn cleared(config: Value, choices: &[&str]) -> (Clearing, Exchange) {
    let pack = pack(&[]);
    let hooks = Hooks::compile(&HookLists::of(config.as_object().unwrap()), &pack, &Profiles::default()).unwrap();
    let (gates, mut exchange) = (Gates::of(&pack), exchange());
    let request = Request::decode(Endpoint::Chat, r#"{"model":"m","messages":[]}"#.into()).unwrap();
    let Screening::Passed(asked) = gates.input.screen(request, &mut exchange).unwrap() else { panic!("blocked") };
    let choices = choices.iter().map(|text| json!({ "message": { "content": text }, "finish_reason": "stop", "logprobs": {} }));
    let body = json!({ "choices": choices.collect::<Vec<_>>() }).to_string();
    let clearing = gates.output.clear_body(Endpoint::Chat, body.into(), &mut exchange).unwrap();
    let (callouts, headers) = (callouts(), HeaderMap::new());
    let errand = Errand { callouts: &callouts, headers: &headers };
    (hooks.after(&gates.output, clearing, &asked, errand, &mut exchange).await.unwrap(), exchange)
}

fn is_denied(screening: &Screening) -> bool {
    matches!(screening, Screening::Blocked(block) if block.refusal == Refusal::Hooks)
}

#[test]
fn what_cannot_be_compiled_is_named_by_its_place() {
    let cases = [
        (json!({"before_request_hooks": {}}), "before_request_hooks", "a list"),
        (json!({"before_request_hooks": [3]}), "before_request_hooks[0]", "expected a hook"),
        (json!({"before_request_hooks": [{}]}), "before_request_hooks[0]", "no check"),
        (json!({"afterRequestHooks": [{"checks": {}}]}), "after_request_hooks[0].checks", "a list"),
        (json!({"after_request_hooks": [{"checks": [{}]}]}), "after_request_hooks[0].checks[0]", "no `id`"),
        (
            json!({"before_request_hooks": [{"checks": [{"id": "default.notNull"}, {"id": "default.regexMatch", "parameters": {"rule": "("}}]}]}),
            "before_request_hooks[0].checks[1].parameters.rule",
            "cannot be compiled",
        ),
        (json!({"input_guardrails": [{"contains": {"words": 3}}]}), "input_guardrails[0].contains.words", "cannot be read"),
        (json!({"input_guardrails": [{"default.nothing": {}}]}), "input_guardrails[0].default.nothing", "no check"),
        (json!({"output_guardrails": [{"notNull": [], "deny": true}]}), "output_guardrails[0].notNull", "parameters"),
        (json!({"output_guardrails": ["nobody"]}), "output_guardrails[0]", "names no rule"),
        (json!({"input_guardrails": [{"notNull": {}, "deny": 1}]}), "input_guardrails[0].deny", "`true` or `false`"),
        (json!({"output_mutators": [{"addPrefix": {"prefix": "x"}}]}), "output_mutators[0].addPrefix", "changes requests"),
        (json!({"guardrails": []}), "guardrails", "an object"),
        (json!({"guardrails": {"on_fail": "explode"}}), "guardrails.on_fail", "`block`"),
        (json!({"guardrails": {"input_guardrails": ["no-pi"]}}), "guardrails.input_guardrails[0]", "names no rule"),
        (json!({"default_input_guardrails": ["topics"]}), "default_input_guardrails[0]", "no rule of `topics` runs"),
        (
            json!({"input_guardrails": [{"portkey.pii": {"categories": ["NAME"]}}]}),
            "input_guardrails[0].portkey.pii",
            "categories",
        ),
    ];
    for (config, path, message) in cases {
        let problem = compiled(&config).unwrap_err();
        assert_eq!(problem.path, path, "{config}: {problem}");
        assert!(problem.message.contains(message), "{problem}");
    }
    let many: Vec<_> = (0..100).map(|_| json!("no-pii")).collect();
    assert_eq!(compiled(&json!({ "input_guardrails": many })).unwrap_err().path, "input_guardrails");
}

#[test]
fn every_shape_of_a_hook_is_read() {
    let config = json!({
        "beforeRequestHooks": [{"type": "guardrail", "id": "mine", "deny": "true", "sequential": true, "async": false,
            "checks": [{"id": "default.notNull", "isEnabled": false}, {"id": "default.contains", "parameters": {"words": ["a"]}}]}],
        "input_guardrails": [{"default.notNull": {}, "alluppercase": {"not": true}, "onFail": {}}, {"id": "secrets"}, "payment-card"],
        "input_mutators": [{"regexReplace": {"rule": "a"}}],
        "default_output_guardrails": ["length-check"],
        "guardrails": {"input_guardrails": ["no-pii", "topic-restriction"], "output_guardrails": ["no-harmful-content", "length-check"],
            "on_fail": "warn"},
    });
    let hooks = compiled(&config).unwrap();
    let told = |hook: &Hook| (hook.id.clone(), hook.kind, hook.checks.iter().map(|check| check.id.clone()).collect::<Vec<_>>());
    let told: Vec<_> = hooks.before.iter().map(told).collect();
    let one = |id: &str, kind, checks: &[&str]| (id.to_owned(), kind, checks.iter().map(|&id| id.to_owned()).collect::<Vec<_>>());
    assert_eq!(
        told,
        [
            one("mine", "guardrail", &["default.contains"]),
            one("input_guardrail_001", "guardrail", &["default.notNull", "default.alluppercase"]),
            one("secrets", "guardrail", &["secrets"]),
            one("payment-card", "guardrail", &["payment-card"]),
            one("no-pii", "guardrail", &["no-pii"]),
            one("topic-restriction", "guardrail", &["topic-restriction"]),
            one("input_guardrail_006", "mutator", &["default.regexReplace"]),
        ]
    );
    assert!(hooks.before[0].deny && hooks.before[0].sequential && !hooks.before[1].deny);
    assert_eq!(hooks.after.len(), 3);
}

#[test]
fn a_level_replaces_what_it_names_and_adds_to_the_defaults() {
    let lists = |config: Value| HookLists::of(config.as_object().unwrap());
    let above = lists(json!({"input_guardrails": ["a"], "output_guardrails": ["b"], "default_input_guardrails": ["c"]}));
    let below = lists(json!({"input_guardrails": ["d"], "default_input_guardrails": ["e"]})).under(&above);
    let expected = lists(json!({"input_guardrails": ["d"], "output_guardrails": ["b"], "default_input_guardrails": ["c", "e"]}));
    assert_eq!(below, expected);
    assert!(lists(json!({})).is_empty() && !below.is_empty());
}

#[test]
fn a_fingerprint_tells_configs_and_rules_apart() {
    let of = |config: Value, overrides: &[(&str, Override)]| {
        let lists = HookLists::of(config.as_object().unwrap());
        Hooks::compile(&lists, &pack(overrides), &Profiles::default()).unwrap().fingerprint()
    };
    let named = || json!({"output_guardrails": ["length-check"]});
    assert_eq!(of(json!({}), &[]), [0; 16]);
    assert_eq!(of(named(), &[]), of(named(), &[]));
    assert_ne!(of(named(), &[]), of(json!({"input_guardrails": ["length-check"]}), &[]));
    assert_ne!(of(named(), &[]), of(named(), &[("answer-length", Override::Block)]));
}

#[tokio::test]
async fn a_check_of_the_last_message_denies_fails_or_passes() {
    let config = |deny: bool| json!({"input_guardrails": [{"id": "words", "contains": {"words": ["zebra"], "operator": "none"}, "deny": deny}]});
    let (screening, exchange) = asked(config(true), "A zebra").await;
    assert!(is_denied(&screening));
    let told = json!(exchange.hooks);
    let hook = &told["before_request_hooks"][0];
    assert_eq!(
        (&hook["verdict"], &hook["id"], &hook["deny"], &hook["async"]),
        (&json!(false), &json!("words"), &json!(true), &json!(false))
    );
    assert_eq!((&hook["type"], &hook["feedback"], &hook["transformed"]), (&json!("guardrail"), &Value::Null, &json!(false)));
    let check = &hook["checks"][0];
    assert_eq!((&check["id"], &check["verdict"], &check["log"]), (&json!("default.contains"), &json!(false), &Value::Null));
    assert_eq!(check["data"]["textExcerpt"], "A zebra");
    assert_eq!(told["after_request_hooks"], json!([]));
    assert!(!format!("{exchange:?}").contains("zebra"), "no log may have it");

    let (screening, exchange) = asked(config(false), "A zebra").await;
    assert!(last(&screening) == "A zebra" && !exchange.hooks.passed());
    let earlier =
        json!([{"role": "user", "content": "A zebra"}, {"role": "user", "content": [{"type": "text", "text": "A horse"}]}]);
    let (screening, exchange) = screened(&[], config(true), earlier).await;
    assert!(last(&screening) == "A horse" && exchange.hooks.passed() && !exchange.hooks.is_empty());
}

#[tokio::test]
async fn a_hook_tells_its_feedback_with_its_checks() {
    let config = json!({"before_request_hooks": [{"id": "h",
        "checks": [{"id": "default.notNull"}, {"id": "default.alluppercase"}, {"id": "default.endsWith", "parameters": {"suffix": "Hi"}}],
        "on_fail": {"feedback": {"value": -1, "weight": 0.5, "metadata": {"a": "b"}}}, "on_success": {"feedback": {"value": 1}}}]});
    let (_, exchange) = asked(config.clone(), "Hi").await;
    let expected = json!({"value": -1, "weight": 0.5, "metadata":
        {"a": "b", "successfulChecks": "default.notNull, default.endsWith", "failedChecks": "default.alluppercase", "erroredChecks": ""}});
    assert_eq!(exchange.hooks.before[0].feedback, expected);
    let (_, exchange) = asked(config, "HI, Hi").await;
    assert_eq!(exchange.hooks.before[0].feedback["value"], -1);
}

#[tokio::test]
async fn changes_of_several_checks_are_put_together() {
    let replace = |rule: &str, with: &str| json!({"regexReplace": {"rule": rule, "redactText": with}});
    let config = json!({"input_mutators": [replace("b+", "B"), replace("bc", "X"), replace("[0-9]", "#"), {"addPrefix": {"prefix": "> "}}]});
    let (screening, exchange) = asked(config, "a bbc 12 d").await;
    assert_eq!(last(&screening), "> a B ## d");
    assert!(exchange.hooks.before.iter().all(|hook| hook.transformed && hook.verdict && hook.kind == "mutator"));
    let one_by_one = json!({"input_mutators": [{"sequential": true, "regexReplace": {"rule": "a", "redactText": "b"}},
        {"sequential": true, "regexReplace": {"rule": "b", "redactText": "c"}}]});
    let (screening, _) = asked(one_by_one, "ab").await;
    assert_eq!(last(&screening), "cc", "one after the other");
    let failing = json!({"input_guardrails": [{"regexReplace": {"rule": "a", "failOnDetection": true}, "deny": true}]});
    assert!(is_denied(&asked(failing.clone(), "a").await.0) && last(&asked(failing, "b").await.0) == "b");
}

#[tokio::test]
async fn placeholders_survive_and_what_rules_took_out_does_not_come_back() {
    let replace = |rule: &str, with: &str| json!({"input_mutators": [{"regexReplace": {"rule": rule, "redactText": with}}]});
    let card = "Charge 4111 1111 1111 1111 now";
    let (screening, _) = asked(replace("[0-9]|now", "#"), card).await;
    assert_eq!(last(&screening), "Charge {{PAYMENT_CARD_1}} #", "half of a placeholder is nobody's");
    let Screening::Passed(passed) = &screening else { panic!() };
    assert_eq!(passed.bindings().restore("{{PAYMENT_CARD_1}}"), "4111 1111 1111 1111");
    assert_eq!(last(&asked(replace("Charge .* now", "gone"), card).await.0), "gone");
    let (screening, exchange) = asked(replace("now", "5500-0055-5555-5559"), card).await;
    assert_eq!(last(&screening), "Charge {{PAYMENT_CARD_1}} {{PAYMENT_CARD_2}}", "what a hook puts in is judged, too");
    assert_eq!(exchange.rules.len(), 1);
    let (screening, _) = asked(replace("x", "{{PAYMENT_CARD_9}}"), "x").await;
    assert_eq!(last(&screening), "{{LITERAL_1}}", "a config makes no placeholder of ours");
}

#[tokio::test]
async fn a_change_that_a_rule_of_the_gate_refuses_is_refused() {
    let config = json!({"input_mutators": [{"addPrefix": {"prefix": "5500-0055-5555-5559 "}}]});
    let messages = json!([{"role": "user", "content": "Hi"}]);
    let (screening, _) = screened(&[("payment-card", Override::Block)], config, messages).await;
    assert!(matches!(&screening, Screening::Blocked(block) if block.rule == "payment-card"), "{screening:?}");
}

#[tokio::test]
async fn rules_are_named_with_what_follows() {
    let config = |on_fail: &str| json!({"guardrails": {"input_guardrails": ["no-pii", "topic-restriction"], "on_fail": on_fail}});
    let mail = "Write to ann.miller@acme-corp.com";
    for off in [&[][..], &[("email-address", Override::Warn)]] {
        let messages = || json!([{"role": "system", "content": "Be kind."}, {"role": "user", "content": mail}]);
        let (screening, exchange) = screened(off, config("block"), messages()).await;
        assert!(is_denied(&screening), "{off:?}");
        let check = &exchange.hooks.before[0].checks[0];
        assert!(check.data.as_ref().unwrap().explanation.contains("email-address"), "a block names the rule: {check:?}");
        assert!(exchange.hooks.before[0].deny && exchange.hooks.before[1].verdict);
        let (screening, exchange) = screened(off, config("warn"), messages()).await;
        assert!(matches!(screening, Screening::Passed(_)) && !exchange.hooks.passed());
        let (screening, exchange) = screened(off, config("replace"), messages()).await;
        assert_eq!(last(&screening), "Write to {{EMAIL_ADDRESS_1}}");
        assert!(exchange.hooks.passed() && exchange.hooks.before[0].transformed);
    }
    let (screening, _) = asked(config("replace"), "How do I make a bomb?").await;
    assert!(!last(&screening).contains("bomb"), "a sentence has a place: {screening:?}");
    assert!(is_denied(&asked(json!({"input_guardrails": ["topic-restriction"]}), "How do I make a bomb?").await.0));
    assert!(!is_denied(&asked(json!({"input_guardrails": ["topic-restriction"]}), "How do I make bread?").await.0));
}

#[tokio::test]
async fn portkeys_own_checks_of_personal_data_read_the_last_message() {
    let config = |parameters: Value| json!({"input_guardrails": [{"portkey.pii": parameters, "deny": true}]});
    let two = json!([{"role": "user", "content": "I am ann.miller@acme-corp.com"}, {"role": "user", "content": "Hi"}]);
    assert!(!is_denied(&screened(&[], config(json!({})), two).await.0));
    let mail = "Write to ann.miller@acme-corp.com";
    assert!(is_denied(&asked(config(json!({})), mail).await.0));
    assert!(!is_denied(&asked(config(json!({"categories": ["CREDIT_CARD"]})), mail).await.0));
    assert!(!is_denied(&asked(config(json!({"not": true})), mail).await.0));
    assert!(is_denied(&asked(config(json!({"not": true})), "Hi").await.0));
    let (screening, exchange) = asked(config(json!({"redact": true})), mail).await;
    assert!(last(&screening) == "Write to {{EMAIL_ADDRESS_1}}" && exchange.hooks.passed());
}

#[tokio::test]
async fn an_answers_last_choice_is_judged_and_changed() {
    let contains =
        |deny: bool| json!({"output_guardrails": [{"contains": {"words": ["zebra"], "operator": "none"}, "deny": deny}]});
    let (clearing, exchange) = cleared(contains(true), &["horse", "A zebra"]).await;
    assert!(matches!(clearing, Clearing::Blocked(block) if block.refusal == Refusal::Hooks && block.gate == Gate::Output));
    let data = exchange.hooks.after[0].checks[0].data.clone().unwrap();
    assert_eq!(data.text_excerpt, None, "nobody reads of what was refused");
    assert!(matches!(cleared(contains(true), &["zebra", "horse"]).await.0, Clearing::Passed(_, Some(_))));
    let (clearing, exchange) = cleared(contains(false), &["A zebra"]).await;
    assert!(matches!(clearing, Clearing::Passed(_, Some(_))) && !exchange.hooks.passed());

    let replace = json!({"output_mutators": [{"regexReplace": {"rule": "zebra", "redactText": "horse"}}]});
    let Clearing::Passed(changed, Some(_)) = cleared(replace, &["A zebra", "Two zebras"]).await.0 else { panic!("blocked") };
    let body: Value = serde_json::from_slice(changed.body()).unwrap();
    assert_eq!(body["choices"][0]["message"]["content"], "A horse");
    assert_eq!(
        (&body["choices"][1]["message"]["content"], &body["choices"][1]["logprobs"]),
        (&json!("Two horses"), &Value::Null)
    );
}

#[tokio::test]
async fn rules_named_for_the_other_gate_judge_what_is_said() {
    let config = json!({"output_guardrails": ["no-pii"], "guardrails": {"output_guardrails": ["no-harmful-content", "length-check"], "on_fail": "block"}});
    assert!(matches!(cleared(config.clone(), &["Fine."]).await.0, Clearing::Passed(..)));
    assert!(matches!(cleared(config.clone(), &[""]).await.0, Clearing::Blocked(_)));
    let Clearing::Passed(changed, _) = cleared(config, &["ann.miller@acme-corp.com"]).await.0 else { panic!("blocked") };
    assert!(String::from_utf8_lossy(changed.body()).contains("[EMAIL_ADDRESS]"));
}

#[test]
fn named_rules_stand_at_the_gates_unless_the_config_softens_them() {
    let names = |config: Value| {
        let hooks = compiled(&config).unwrap();
        let of = |gate| hooks.names(gate).map(str::to_owned).collect::<Vec<_>>();
        [of(Gate::Input), of(Gate::Output)]
    };
    let config = |on_fail: Value| json!({"guardrails": {"input_guardrails": ["topic-restriction"], "output_guardrails": ["harmful-answer"], "on_fail": on_fail}});
    for on_fail in [Value::Null, json!("block")] {
        assert_eq!(names(config(on_fail)), [vec!["topic-restriction".to_owned()], vec!["harmful-answer".to_owned()]]);
    }
    let none = [Vec::<String>::new(), Vec::new()];
    assert_eq!(names(config(json!("warn"))), none);
    assert_eq!(names(json!({"input_guardrails": [{"portkey.pii": {}}, {"id": "topic-restriction", "async": true}]})), none);
    assert_eq!(names(json!({"output_guardrails": ["no-pii"]})), none, "its rules look at requests");
}

/// What a config may hold in the place of something else.
fn anything() -> impl Strategy<Value = Value> {
    let words =
        ["no-pii", "default.contains", "regexMatch", "default.webhook", "block", "", "true", "(", "https://a.test/x", "any"];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        prop::sample::select(words.to_vec()).prop_map(Value::from),
        ".{0,6}".prop_map(Value::from),
    ];
    let keys = [
        "id",
        "checks",
        "parameters",
        "rule",
        "words",
        "deny",
        "async",
        "on_fail",
        "onSuccess",
        "feedback",
        "type",
        "is_enabled",
        "schema",
        "default.contains",
        "regexMatch",
        "portkey.pii",
        "no-pii",
        "categories",
        "webhookURL",
        "input_guardrails",
        "output_guardrails",
    ];
    leaf.prop_recursive(5, 48, 5, move |inner| {
        let member = (prop::sample::select(keys.to_vec()), inner.clone());
        prop_oneof![
            prop::collection::vec(inner, 0..5).prop_map(Value::from),
            prop::collection::vec(member, 0..5).prop_map(|members| members
                .into_iter()
                .map(|(key, value)| (key.to_owned(), value))
                .collect::<Map<_, _>>()
                .into()),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_config_is_compiled_or_criticised(values in prop::collection::vec(anything(), 9)) {
        let names = [
            "before_request_hooks", "after_request_hooks", "input_guardrails", "output_guardrails", "input_mutators", "output_mutators",
            "default_input_guardrails", "defaultOutputGuardrails", "guardrails",
        ];
        for (name, value) in names.into_iter().zip(values) {
            let lists = HookLists::of(&Map::from_iter([(name.to_owned(), value)]));
            let compiled = Hooks::compile(&lists, &SHIPPED, &Profiles::default());
            if let Err(problem) = compiled {
                let place = name.replace("defaultOutput", "default_output_").to_ascii_lowercase();
                prop_assert!(problem.path.starts_with(&place), "{}", problem);
                prop_assert!(!problem.message.is_empty());
            }
        }
    }
}
