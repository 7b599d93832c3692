//! What the router adds to a request: reading its headers, planning its way, counting it for its limits.
//!
//! `cargo bench --bench router`. A plan with its conditions should take under 5 µs, and a config header with two targets, retry and limits at most 30 µs more than
//! a request that has none of them: compare `a config of two targets, retry and limits` with `nothing said`.

#![expect(clippy::unwrap_used, reason = "a bench fails by panicking")]

use std::{collections::BTreeMap, hint::black_box, time::Duration};

use criterion::Criterion;
use http::{HeaderMap, HeaderName};
use lockgate::{
    access::{
        Access, fresh_secret,
        limits::{self, Limits},
    },
    outbound::{self, Client},
    route::{Ask, Facts, Grant, Router, Settings},
    wire::Json,
};
use serde_json::{Value, json};

const BODY: &str =
    r#"{"model": "gpt-4o", "temperature": 0.3, "messages": [{"role": "user", "content": "How do I cancel my subscription?"}]}"#;

fn router() -> Router {
    let mut settings = Settings::to("https://api.openai.com/v1".parse().unwrap(), Duration::from_secs(1));
    settings.provider_keys =
        BTreeMap::from(["openai", "groq", "mistral-ai"].map(|slug| (slug.to_owned(), "key".to_owned().into())));
    let outbound =
        outbound::Settings { connect_timeout: Duration::from_secs(1), allow_private: false, allow_loopback: true, max_idle: 1 };
    Router::new(&settings, Client::new(&outbound)).unwrap()
}

/// What Portkey's clients send with every request, and a config.
fn headers(config: Option<&Value>) -> HeaderMap {
    let sent = [
        ("authorization", "Bearer sk-0123456789".to_owned()),
        ("content-type", "application/json".to_owned()),
        ("user-agent", "OpenAI/Python 1.0".to_owned()),
        ("x-stainless-lang", "python".to_owned()),
        ("accept", "application/json".to_owned()),
    ];
    let portkey = config.map(|config| {
        [
            ("x-portkey-config", config.to_string()),
            ("x-portkey-api-key", "pk-1".to_owned()),
            ("x-portkey-package-version", "portkey-1".to_owned()),
            ("x-portkey-strict-open-ai-compliance", "false".to_owned()),
        ]
    });
    let all = sent.into_iter().chain(portkey.into_iter().flatten());
    all.map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap())).collect()
}

fn main() {
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .sample_size(50)
        .configure_from_args();
    let router = router();
    let fallback = json!({"retry": {"attempts": 3}, "strategy": {"mode": "fallback", "on_status_codes": [429, 503]},
        "targets": [{"provider": "openai", "override_params": {"model": "gpt-5"}}, {"provider": "groq"}]});
    let branches: Vec<_> = (0..10)
        .map(|n| json!({"query": {"$or": [{"metadata.plan": format!("plan-{n}")}, {"params.temperature": {"$gt": 1.5}}]}, "then": "a"}))
        .collect();
    let conditional = json!({"strategy": {"mode": "conditional", "conditions": branches, "default": "b"},
        "targets": [{"name": "a", "provider": "openai"}, {"name": "b", "provider": "mistral-ai"}]});
    let metadata = BTreeMap::from([("plan".to_owned(), "none".to_owned())]);
    let body = Json::parse(BODY.into()).unwrap();
    let facts = Facts { metadata: &metadata, params: Some(body.root()), path: "/v1/chat/completions" };
    let plan = |headers: &HeaderMap| {
        let ask = Ask::read(headers).unwrap();
        black_box(router.plan(&ask, Grant::default(), "gpt-4o", facts).unwrap())
    };

    let mut group = criterion.benchmark_group("plan");
    for (name, config) in
        [("nothing said", None), ("a fallback of two targets", Some(&fallback)), ("ten conditions", Some(&conditional))]
    {
        let headers = headers(config);
        group.bench_function(name, |bencher| bencher.iter(|| plan(&headers)));
    }
    group.finish();

    let limit = |text: &str| text.parse().unwrap();
    let all = vec![limit("1000000000 requests/minute"), limit("1000000000 tokens/day"), limit("1000000000 usd/month")];
    let shared = vec![(limits::By::Tenant, all.clone()), (limits::By::Model, all)];
    let limits = Limits::new(&limits::Settings { shared, ..limits::Settings::default() });
    let access = Access::new(&lockgate::access::Settings::default(), fresh_secret());
    let count = |headers: &HeaderMap, limits: &Limits| {
        let caller = access.admit(headers).unwrap();
        let bill = limits.bill(&caller, None, "gpt-4o");
        limits.count(&bill).unwrap();
        limits.may_spend(&bill).unwrap();
        let standing = limits.standing(&bill);
        limits.spend(&bill, 100, Some(0.001));
        black_box(standing)
    };
    let mut group = criterion.benchmark_group("added");
    let (plain, portkey, none) = (headers(None), headers(Some(&fallback)), Limits::new(&limits::Settings::default()));
    group.bench_function("nothing said", |bencher| bencher.iter(|| (plan(&plain), count(&plain, &none))));
    group.bench_function("a config of two targets, retry and limits", |bencher| {
        bencher.iter(|| (plan(&portkey), count(&portkey, &limits)));
    });
    group.finish();
    criterion.final_summary();
}
