//! Every check of Portkey's, with and without `not`, and the table that its readers see.

use std::collections::BTreeMap;

use serde_json::json;

use super::{super::conformance::asking, *};
use crate::guard::checks::Facts;

fn check(id: &str, parameters: &Value) -> Result<Translated, String> {
    translate(json!({ "id": id, "parameters": parameters }).as_object().unwrap())
}

/// Whether a text passes.
fn passes(id: &str, parameters: &Value, text: &str) -> bool {
    let Ok(Translated::Text(check)) = check(id, parameters) else { panic!("{id} {parameters}") };
    let mut found = Vec::new();
    check.find(text, &mut found);
    found.is_empty()
}

/// Whether a request passes.
fn lets_in(id: &str, parameters: &Value, request: &Value, metadata: &[(&str, &str)]) -> bool {
    let Ok(Translated::Facts(check)) = check(id, parameters) else { panic!("{id} {parameters}") };
    let metadata: BTreeMap<_, _> = metadata.iter().map(|&(key, value)| (key.to_owned(), value.to_owned())).collect();
    let mut body = json!({ "model": "m", "messages": [] });
    body.as_object_mut().unwrap().extend(request.as_object().unwrap().clone());
    !check.matches(&Facts { request: &asking(&body.to_string()), metadata: &metadata })
}

#[test]
fn texts_pass_and_fail_as_they_do_at_portkey() {
    let cases = [
        ("default.regexMatch", json!({"rule": "^a(?=b)"}), "ab", "ba"),
        ("default.contains", json!({"operator": "any", "words": ["a", "b"]}), "cab", "dog"),
        ("default.contains", json!({"operator": "all", "words": ["a", "b"]}), "cab", "cat"),
        ("default.contains", json!({"operator": "none", "words": ["a", "b"]}), "dog", "cat"),
        ("default.sentenceCount", json!({"minSentences": 1, "maxSentences": 2}), "One. Two!", "One"),
        ("default.sentenceCount", json!({"maxSentences": 2}), "One.", "One..."),
        ("default.wordCount", json!({"minWords": 1, "maxWords": 2}), "a b", "a b c"),
        ("default.characterCount", json!({"minCharacters": 0, "maxCharacters": 2}), "🎉", "🎉!"),
        ("default.jsonSchema", json!({"schema": {"type": "object", "required": ["a"]}}), "So: {\"a\": 1}", "{\"b\": 1}"),
        ("default.jsonSchema", json!({"schema": "{\"type\": \"object\"}"}), "```json\n{}\n```", "none"),
        ("default.jsonKeys", json!({"operator": "any", "keys": ["a", "b"]}), "{\"b\": 1}", "{\"c\": 1}"),
        ("default.jsonKeys", json!({"operator": "all", "keys": ["a", "b"]}), "{\"a\": 1, \"b\": 2}", "{\"a\": 1}"),
        ("default.jsonKeys", json!({"operator": "none", "keys": ["a"]}), "{\"b\": 1}", "{\"a\": 1}"),
        ("default.containsCode", json!({"format": "C#"}), "```cs\nx\n```", "```python\nx\n```"),
        ("default.containsCode", json!({"format": "SQL"}), "```sql\nselect 1\n```", "plain"),
        ("default.alluppercase", json!({}), "ABC 1é", "ABc"),
        ("default.allLowerCase", json!({}), "abc 1É", "abC"),
        ("default.endsWith", json!({"suffix": "end"}), "the end.", "the end!"),
        ("notNull", json!({}), "x", ""),
        (
            "portkey.language",
            json!({"language": ["eng_Latn"]}),
            "ok",
            "Bitte vergleiche die beiden Vorschläge für die neue Bibliothek und sag mir, welcher leichter zu pflegen ist.",
        ),
        ("portkey.gibberish", json!({}), "A plain sentence of English words.", "asdfghjkl qwertyuiop zxcvbnm"),
    ];
    for (id, parameters, good, bad) in cases {
        assert!(passes(id, &parameters, good), "{id} {parameters} lets pass {good}");
        assert!(!passes(id, &parameters, bad), "{id} {parameters} fails {bad}");
        let mut not = parameters.clone();
        not["not"] = json!(true);
        assert!(passes(id, &not, bad), "{id} {not} lets pass {bad}");
        assert!(id == "portkey.language" || !passes(id, &not, good), "{id} {not} fails {good}");
    }
}

#[test]
fn requests_pass_and_fail_as_they_do_at_portkey() {
    let none: &[(&str, &str)] = &[];
    let gold: &[(&str, &str)] = &[("tier", "gold"), ("team", "search, ranking")];
    let rules = json!({"rules": {"defaults": ["m"], "metadata": {"tier": {"gold": ["large"]}}}});
    let pairs = |how: &str, value: Value| json!({"matchType": how, "metadataPairs": [{"key": "team", "value": value}]});
    let cases = [
        ("default.modelwhitelist", json!({"models": ["m"]}), (json!({}), none), (json!({"model": "n"}), none)),
        ("default.modelWhitelist", json!({"models": ["m", "n"]}), (json!({"model": "n"}), none), (json!({"model": "o"}), none)),
        ("default.modelRules", rules, (json!({"model": "large"}), gold), (json!({"model": "large"}), none)),
        ("default.allowedRequestTypes", json!({}), (json!({}), none), (json!({}), &[("supported_endpoints", "embed, messages")])),
        ("default.requiredMetadataKeys", json!({"metadataKeys": ["tier"]}), (json!({}), gold), (json!({}), none)),
        (
            "default.requiredMetadataKeyValuePairs",
            pairs("containsAll", json!("search,ranking")),
            (json!({}), gold),
            (json!({}), none),
        ),
        ("default.requiredMetadataKeyValuePairs", pairs("regex", json!("^(?!ads)")), (json!({}), gold), (json!({}), none)),
        (
            "default.requiredMetadataKeyValuePairs",
            json!({"metadataPairs": {"tier": "gold"}}),
            (json!({}), gold),
            (json!({}), &[("tier", "tin")]),
        ),
        (
            "default.requestParametersCheck",
            json!({"params": {"blockedKeys": ["seed"]}}),
            (json!({}), none),
            (json!({"seed": 1}), none),
        ),
        (
            "default.requestParametersCheck",
            json!({"tools": {"allowedFunctionNames": ["f"]}}),
            (json!({"functions": [{"name": "f"}]}), none),
            (json!({"functions": [{"name": "g"}]}), none),
        ),
    ];
    for (id, parameters, good, bad) in cases {
        assert!(lets_in(id, &parameters, &good.0, good.1), "{id} {parameters} lets pass {good:?}");
        assert!(!lets_in(id, &parameters, &bad.0, bad.1), "{id} {parameters} fails {bad:?}");
        let mut not = parameters.clone();
        not["not"] = json!(true);
        assert!(lets_in(id, &not, &bad.0, bad.1) && !lets_in(id, &not, &good.0, good.1), "{id} {not}");
    }
    let types = json!({"allowedTypes": ["messages"]});
    assert!(!lets_in("default.allowedRequestTypes", &types, &json!({}), none), "an endpoint that is not served is none of ours");
    assert!(!lets_in("default.modelWhitelist", &json!({"models": []}), &json!({}), none), "an empty list allows nothing");
}

#[test]
fn what_changes_or_calls_out_is_translated_too() {
    let replace = json!({"rule": "/secret\\w*/i", "failOnDetection": true});
    let Ok(Translated::Replace { check: found, with, fails: true }) = check("default.regexReplace", &replace) else { panic!() };
    let mut places = Vec::new();
    found.find("a SECRETS b", &mut places);
    assert_eq!((with.as_str(), &places[..]), ("[REDACTED]", &[2..9][..]));
    let Ok(Translated::Prefix(prefix)) = check("addPrefix", &json!({"prefix": "x", "applyToRole": "system"})) else { panic!() };
    assert_eq!((prefix.role.as_str(), prefix.to_existing, prefix.only_if_absent), ("system", true, false));
    let remotes = [
        ("default.webhook", json!({"webhookURL": "https://a.test/x", "headers": "{\"a\": \"b\"}", "timeout": 10})),
        ("default.log", json!({"logURL": "https://a.test/x", "headers": {"a": "b"}})),
        ("default.validUrls", json!({"onlyDNS": true})),
        ("default.jwt", json!({"jwksUri": "https://a.test/keys"})),
    ];
    for (id, parameters) in remotes {
        assert!(matches!(check(id, &parameters), Ok(Translated::Remote(..))), "{id}");
    }
    assert!(matches!(check("portkey.pii", &json!({"redact": true})), Ok(Translated::Rules(["personal-data"]))));
}

#[test]
fn what_cannot_be_translated_is_named() {
    let cases = [
        ("default.nothing", json!({}), "no check `default.nothing`"),
        ("default.regexMatch", json!({}), "`rule` is missing"),
        ("default.regexMatch", json!({"rule": "("}), "default.regexMatch"),
        ("default.contains", json!({"words": "a"}), "`words` cannot be read"),
        ("default.contains", json!({"words": ["a"], "operator": "most"}), "`operator` cannot be read"),
        ("default.wordCount", json!({"minWords": 1}), "`maxWords` is missing"),
        ("default.containsCode", json!({"format": "Latin"}), "Latin"),
        ("default.jsonSchema", json!({"schema": {"type": 3}}), "default.jsonSchema"),
        ("default.webhook", json!({"webhookURL": "localhost"}), "localhost"),
        ("default.inlineImageUrls", json!({}), "data URLs"),
    ];
    for (id, parameters, expected) in cases {
        let error = check(id, &parameters).unwrap_err();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn the_table_for_readers_has_every_check_and_no_other() {
    let page = include_str!("../../../../guardrails/PORTKEY.md");
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `"));
    let rows = rows.map(|row| row.split('|').take(2).map(|cell| cell.replace('`', "").trim().to_owned()).collect::<Vec<_>>());
    let known = checks().map(|(id, kind)| vec![id.to_owned(), kind.to_owned()]);
    assert_eq!(rows.collect::<Vec<_>>(), known.collect::<Vec<_>>());
}
