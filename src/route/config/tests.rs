//! Configs become plans: what is inherited, which targets are tried, and what is said of a mistake.

use std::collections::BTreeMap;

use http::{HeaderMap, StatusCode};
use proptest::prelude::*;
use serde_json::json;

use super::{plan::Chances, *};
use crate::{
    clock,
    route::{
        destination::Atlas,
        health::Health,
        journey::{Journey, Next},
        retry::Verdict,
        vault::{self, Source, Vault},
    },
    wire::Json,
};

fn atlas() -> Atlas {
    let key = |provider: &str, base: Option<&str>| vault::Settings {
        provider: provider.to_owned(),
        base_url: base.map(|base| base.parse().unwrap()),
        options: BTreeMap::new(),
        source: Source::Given("secret".to_owned().into()),
        models: Vec::new(),
    };
    let keys = [("one", key("openai", None)), ("two", key("groq", None)), ("own", key("openai", Some("https://llm.example/v1")))];
    let keys = keys.into_iter().map(|(name, key)| (name.to_owned(), key)).collect();
    let default = Destination::configured(&"https://upstream.example/v1".parse().unwrap(), None).unwrap();
    Atlas { vault: Vault::open(&keys), keys: BTreeMap::from([("mistral-ai".to_owned(), "m".to_owned().into())]), default }
}

fn compile(config: Value) -> Result<Config, Vec<Fault>> {
    Config::compile(config, &Spec::default(), &|spec| atlas().find(spec))
}

/// The paths of the targets that are tried, with these metadata and this body, and what might answer.
fn planned(config: &Config, metadata: &[(&str, &str)], body: &Value, dice: fn() -> f64) -> (Vec<String>, TargetId) {
    let metadata = metadata.iter().map(|&(key, value)| (key.to_owned(), value.to_owned())).collect();
    let body = Json::parse(body.to_string().into()).unwrap();
    let facts = Facts { metadata: &metadata, params: Some(body.root()), path: "/v1/chat/completions" };
    let plan = config.plan(&Chances { facts, health: &Health::default(), dice, now: clock::now() }).unwrap();
    (plan.legs.iter().map(|leg| leg.target.path.clone()).collect(), plan.identity)
}

fn tried(config: Value) -> Vec<String> {
    planned(&compile(config).unwrap(), &[], &json!({}), || 0.5).0
}

fn verdict(status: u16) -> Verdict {
    Verdict::answered(StatusCode::from_u16(status).unwrap(), &HeaderMap::new())
}

/// The targets that a request comes to when they answer with these statuses.
fn travelled(config: Value, statuses: &[u16]) -> Vec<String> {
    let config = compile(config).unwrap();
    let facts = Facts { metadata: &BTreeMap::new(), params: None, path: "" };
    let plan = config.plan(&Chances { facts, health: &Health::default(), dice: || 0.0, now: clock::now() }).unwrap();
    let mut journey = Journey::new(&plan);
    let mut asked = vec![journey.target().path.clone()];
    for status in statuses {
        if journey.after(&verdict(*status), 0.0) == Next::Done {
            return asked;
        }
        asked.push(journey.target().path.clone());
    }
    panic!("{asked:?} goes on")
}

#[test]
fn a_target_inherits_what_it_does_not_say() {
    let config = json!({"retry": {"attempts": 2}, "requestTimeout": 700, "overrideParams": {"model": "a", "top_p": 1}, "cache": "simple",
        "strategy": {"mode": "fallback"}, "targets": [
            {"virtual_key": "one", "override_params": {"model": "b"}},
            {"virtual_key": "two", "retry": {"attempts": 1, "on_status_codes": [418]}, "cache": {"mode": "semantic"}, "request_timeout": 5}]});
    let config = compile(config).unwrap();
    let [one, two] = config.targets()[..] else { panic!("two targets") };
    assert_eq!((one.retry.attempts, one.request_timeout), (2, Some(Duration::from_millis(700))));
    assert_eq!((one.overrides.model("x"), two.overrides.model("x")), ("b", "a"));
    assert_eq!((two.retry.attempts, two.request_timeout), (1, Some(Duration::from_millis(5))));
    assert_eq!((one.cache.mode, two.cache.mode), (Some(Named::Simple), Some(Named::Semantic)));
    assert_eq!((one.path.as_str(), two.destination.provider.slug()), ("config.targets[0]", "groq"));
}

#[test]
fn targets_without_a_strategy_mean_the_first() {
    assert_eq!(tried(json!({"targets": [{"virtual_key": "one"}, {"virtual_key": "two"}]})), ["config.targets[0]"]);
    assert_eq!(tried(json!({"virtual_key": "one"})), ["config"]);
}

#[test]
fn a_fallback_goes_on_for_what_it_lists_and_stops_at_what_it_does_not() {
    let config = |on: Value| {
        json!({"strategy": {"mode": "fallback", "on_status_codes": on},
        "targets": [{"virtual_key": "one"}, {"virtual_key": "two"}, {"virtual_key": "own"}]})
    };
    let all = ["config.targets[0]", "config.targets[1]", "config.targets[2]"];
    assert_eq!(travelled(config(Value::Null), &[400, 500, 503]), all);
    assert_eq!(travelled(config(Value::Null), &[500, 200]), all[..2]);
    assert_eq!(travelled(config(Value::Null), &[246]), all[..1], "failed hooks that deny nothing are an answer");
    assert_eq!(travelled(config(json!([429])), &[429, 500]), all[..2]);
}

#[test]
fn a_target_is_tried_again_before_the_next_one_is() {
    let config = json!({"strategy": {"mode": "fallback"},
        "targets": [{"virtual_key": "one", "retry": {"attempts": 2, "on_status_codes": [503]}}, {"virtual_key": "two"}]});
    let (one, two) = ("config.targets[0]", "config.targets[1]");
    assert_eq!(travelled(config.clone(), &[503, 503, 503, 200]), [one, one, one, two]);
    assert_eq!(travelled(config, &[400, 200]), [one, two]);
}

#[test]
fn targets_below_targets_are_left_when_they_have_nobody_left() {
    let config = json!({"strategy": {"mode": "fallback"}, "targets": [
        {"strategy": {"mode": "loadbalance", "on_status_codes": [500]}, "targets": [{"virtual_key": "one"}, {"virtual_key": "two"}]},
        {"virtual_key": "own"}]});
    let (inner, other, outer) = ("config.targets[0].targets[0]", "config.targets[0].targets[1]", "config.targets[1]");
    assert_eq!(travelled(config.clone(), &[500, 500, 200]), [inner, other, outer]);
    assert_eq!(travelled(config, &[429, 200]), [inner, outer]);
}

#[test]
fn conditions_choose_and_a_virtual_key_stands_for_a_target_of_its_name() {
    let config = compile(json!({"strategy": {"mode": "conditional", "default": "two",
        "conditions": [{"query": {"model": "gpt-4"}, "then": "one"}, {"query": {"metadata.plan": {"$in": ["paid"]}}, "then": "big"}]},
        "targets": [{"name": "big", "virtual_key": "own"}]}))
    .unwrap();
    let keys = |metadata: &[(&str, &str)], model: &str| {
        let (paths, id) = planned(&config, metadata, &json!({"model": model}), || 0.5);
        let target = config.targets().into_iter().find(|target| target.path == paths[0]).unwrap();
        (target.destination.virtual_key.as_ref().unwrap().name.clone(), id)
    };
    let (one, two, big) = (keys(&[], "gpt-4"), keys(&[], "other"), keys(&[("plan", "paid")], "other"));
    assert_eq!([&one.0, &two.0, &big.0], ["one", "two", "own"]);
    assert!(one.1 != two.1 && one.1 != big.1, "what one branch answers is not what another would");
}

#[test]
fn without_a_branch_there_is_no_way() {
    let config = json!({"strategy": {"mode": "conditional", "conditions": [{"query": {"model": "a"}, "then": "one"}]}});
    let config = compile(config).unwrap();
    let facts = Facts { metadata: &BTreeMap::new(), params: None, path: "" };
    let error = config.plan(&Chances { facts, health: &Health::default(), dice: || 0.0, now: clock::now() }).unwrap_err();
    assert!(error.message().starts_with("Query router did not resolve to any valid target"));
}

#[test]
fn weights_of_any_scale_are_shares() {
    for weights in [[50.0, 30.0, 20.0], [0.5, 0.3, 0.2]] {
        let targets: Vec<_> =
            weights.iter().zip(["one", "two", "own"]).map(|(w, key)| json!({"virtual_key": key, "weight": w})).collect();
        let config = compile(json!({"strategy": {"mode": "loadbalance"}, "targets": targets})).unwrap();
        let mut counts = BTreeMap::new();
        let mut identities = std::collections::BTreeSet::new();
        for _ in 0..10_000 {
            let (paths, identity) = planned(&config, &[], &json!({}), fastrand::f64);
            assert_eq!(paths.len(), 1);
            identities.insert(identity);
            *counts.entry(paths[0].clone()).or_insert(0.0_f64) += 1.0;
        }
        assert_eq!(identities.len(), 1, "whichever is picked, the others might have answered");
        for (count, weight) in counts.values().zip([0.5_f64, 0.3, 0.2]) {
            // Five standard deviations of a share of 10,000.
            assert!((count / 10_000.0 - weight).abs() < 0.025, "{counts:?}");
        }
    }
}

#[test]
fn a_target_without_weight_is_never_picked_and_turns_are_taken() {
    let config = compile(json!({"strategy": {"mode": "loadbalance", "on_status_codes": [500]},
        "targets": [{"virtual_key": "one", "weight": 0}, {"virtual_key": "two"}]}))
    .unwrap();
    assert_eq!(planned(&config, &[], &json!({}), || 0.0).0, ["config.targets[1]"]);
    let turns = compile(json!({"strategy": {"mode": "loadbalance", "pick": "round-robin"},
        "targets": [{"virtual_key": "one"}, {"virtual_key": "two"}]}))
    .unwrap();
    let first: Vec<_> = (0..4).map(|_| planned(&turns, &[], &json!({}), || 0.0).0.remove(0)).collect();
    assert_eq!(first, ["config.targets[0]", "config.targets[1]", "config.targets[0]", "config.targets[1]"]);
}

#[test]
fn who_is_the_same_sticks_to_a_target() {
    let config =
        compile(json!({"strategy": {"mode": "loadbalance", "sticky": {"enabled": true, "hash_fields": ["metadata.user"]}},
        "targets": [{"virtual_key": "one"}, {"virtual_key": "two"}]}))
        .unwrap();
    let of = |user: &str| planned(&config, &[("user", user)], &json!({}), fastrand::f64).0;
    let users: Vec<_> = (0..40).map(|n| n.to_string()).collect();
    assert!(users.iter().all(|user| (0..5).all(|_| of(user) == of(user))));
    let firsts: std::collections::BTreeSet<_> = users.iter().map(|user| of(user)).collect();
    assert_eq!(firsts.len(), 2, "not everybody sticks to the same");
}

#[test]
fn a_target_that_failed_too_often_is_left_out_unless_all_did() {
    let config = compile(json!({"strategy": {"mode": "fallback", "cb_config": {"failure_threshold": 1}},
        "targets": [{"virtual_key": "one"}, {"virtual_key": "two"}]}))
    .unwrap();
    let (health, nothing) = (Health::default(), BTreeMap::new());
    let plan = || {
        let facts = Facts { metadata: &nothing, params: None, path: "" };
        config.plan(&Chances { facts, health: &health, dice: || 0.0, now: clock::now() }).unwrap()
    };
    let paths = || plan().legs.iter().map(|leg| leg.target.path.clone()).collect::<Vec<_>>();
    let all = plan();
    let fail = |leg: usize| {
        let leg = &all.legs[leg];
        health.note(leg.target.id, leg.breaker.as_deref(), &verdict(503), Duration::ZERO, clock::now());
    };
    fail(0);
    assert_eq!(paths(), ["config.targets[1]"]);
    assert_eq!(plan().identity, all.identity, "what the cache holds does not depend on who is well");
    fail(1);
    assert_eq!(paths(), ["config.targets[0]", "config.targets[1]"]);
}

#[test]
fn a_virtual_key_goes_to_no_other_host_and_the_operators_key_stays_at_its_provider() {
    let of = |config: Value| compile(config).map(|config| config.targets()[0].destination.clone());
    assert!(of(json!({"virtual_key": "one", "custom_host": "https://evil.example/v1"})).is_err());
    assert!(of(json!({"virtual_key": "own", "custom_host": "https://llm.example/v1"})).is_ok());
    assert_eq!(of(json!({"provider": "mistral-ai"})).unwrap().payer.as_deref(), Some("mistral-ai"));
    assert_eq!(of(json!({"provider": "mistral-ai", "custom_host": "https://else.example/v1"})).unwrap().payer, None);
    assert_eq!(of(json!({"provider": "@two"})).unwrap().provider.slug(), "groq");
    assert_eq!(of(json!({})).unwrap().identity, atlas().default.identity);
}

#[test]
fn who_brings_a_key_in_a_config_does_not_share_answers_with_another() {
    let id = |key: &str| compile(json!({"provider": "openai", "api_key": key})).unwrap().targets()[0].id;
    assert!(id("sk-one") != id("sk-two") && id("sk-one") == id("sk-one"));
}

#[test]
fn mistakes_are_named_by_their_place() {
    for (config, path) in [
        (json!({"provider": "nobody"}), ""),
        (json!({"targets": [{"virtual_key": "one"}, {"virtual_key": "three"}]}), "targets[1]"),
        (json!({"targets": []}), "targets"),
        (json!({"strategy": {"mode": "random"}, "targets": [{"virtual_key": "one"}]}), "strategy.mode"),
        (json!({"strategy": {"mode": "loadbalance"}, "targets": [{"virtual_key": "one", "weight": 0}]}), "targets"),
        (
            json!({"strategy": {"mode": "loadbalance"}, "targets": [{"virtual_key": "one", "weight": -1}, {"virtual_key": "two"}]}),
            "targets[0].weight",
        ),
        (
            json!({"strategy": {"mode": "conditional", "conditions": [{"query": {}, "then": "three"}], "default": "one"}}),
            "strategy.conditions[0].then",
        ),
        (json!({"virtual_key": "one", "override_params": {"messages": []}}), "override_params.messages"),
        (json!({"virtual_key": "one", "custom_host": "ftp://a"}), ""),
        (json!({"virtual_key": "one", "forward_headers": ["authorization"]}), "forward_headers"),
        (json!({"virtual_key": "one", "cache": {"mode": "fuzzy"}}), "cache.mode"),
    ] {
        let problems = compile(config.clone()).unwrap_err();
        assert_eq!(problems[0].path, path, "{config}: {problems:?}");
    }
}

#[test]
fn what_nobody_knows_is_passed_over_and_said() {
    let config =
        compile(json!({"virtual_key": "one", "colour": "red", "azure_resource_name": "r", "input_guardrails": []})).unwrap();
    assert_eq!(config.ignored, ["colour"]);
    assert_eq!(config.targets()[0].guardrails.keys().collect::<Vec<_>>(), ["input_guardrails"]);
}

#[test]
fn a_tree_of_targets_has_its_bounds() {
    let nested = (0..=MAX_DEPTH).fold(json!({"virtual_key": "one"}), |below, _| json!({"targets": [below]}));
    assert!(compile(nested).unwrap_err()[0].message.contains("nested"));
    let many: Vec<_> = (0..=MAX_TARGETS).map(|_| json!({"virtual_key": "one"})).collect();
    assert!(compile(json!({"targets": many})).unwrap_err()[0].message.contains("more than"));
}

/// Any JSON with the keys of a config in it.
fn any_config() -> impl Strategy<Value = Value> {
    const KEYS: [&str; 14] = [
        "strategy",
        "mode",
        "targets",
        "virtual_key",
        "provider",
        "weight",
        "retry",
        "attempts",
        "conditions",
        "query",
        "then",
        "cache",
        "override_params",
        "default",
    ];
    const WORDS: [&str; 8] = ["one", "fallback", "loadbalance", "conditional", "openai", "simple", "$or", ""];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        prop::sample::select(&WORDS[..]).prop_map(Value::from)
    ];
    leaf.prop_recursive(5, 40, 5, |inner| {
        let members = prop::collection::btree_map(prop::sample::select(&KEYS[..]), inner.clone(), 0..5);
        let object = members.prop_map(|members| members.into_iter().map(|(key, value)| (key.to_owned(), value)).collect());
        prop_oneof![prop::collection::vec(inner, 0..4).prop_map(Value::Array), object.prop_map(Value::Object)]
    })
}

use prop::strategy::Strategy;

proptest! {
    #[test]
    fn any_config_compiles_or_says_why_and_its_plans_end(config in any_config(), statuses in prop::collection::vec(200_u16..600, 64)) {
        match compile(config) {
            Err(problems) => prop_assert!(!problems.is_empty()),
            Ok(config) => {
                let facts = Facts { metadata: &BTreeMap::new(), params: None, path: "" };
                if let Ok(plan) = config.plan(&Chances { facts, health: &Health::default(), dice: || 0.3, now: clock::now() }) {
                    let mut journey = Journey::new(&plan);
                    let most = plan.legs.iter().map(|leg| leg.target.retry.attempts as usize + 1).sum::<usize>();
                    let asked = statuses.iter().take_while(|status| journey.after(&verdict(**status), 0.0) != Next::Done).count();
                    prop_assert!(asked < most, "{asked} of {most}");
                }
            }
        }
    }
}
