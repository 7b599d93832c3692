//! What a target changes about a request's body, after the rules have read it.

use bytes::Bytes;
use serde_json::{Map, Value};

use super::Fault;
use crate::wire::Json;

/// What the rules have read, or what decides how the answer comes: a config does not change it behind their backs.
const SETTLED: [&str; 9] =
    ["messages", "prompt", "suffix", "input", "tools", "functions", "prediction", "stream", "stream_options"];

/// Fields to set, to fill in and to leave out.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Overrides {
    set: Map<String, Value>,
    fill: Map<String, Value>,
    drop: Vec<String>,
}

impl Overrides {
    pub(super) fn read(
        set: Option<Map<String, Value>>,
        fill: Option<Map<String, Value>>,
        drop: Option<Vec<String>>,
    ) -> Result<Self, Fault> {
        let overrides = Self { set: set.unwrap_or_default(), fill: fill.unwrap_or_default(), drop: drop.unwrap_or_default() };
        let keys = [("override_params", &overrides.set), ("default_params", &overrides.fill)];
        let mut keys: Vec<_> =
            keys.into_iter().flat_map(|(list, map)| map.iter().map(move |(key, value)| (list, key, Some(value)))).collect();
        keys.extend(overrides.drop.iter().map(|key| ("drop_params", key, None)));
        for (list, key, value) in keys {
            let speaks = key == "response_format" && value.is_some_and(|format| format.get("json_schema").is_some());
            if speaks || SETTLED.contains(&key.as_str()) {
                let message =
                    "guardrails have read this field of the request; a config does not change it. Change the request itself";
                return Err(Fault::new(format!("{list}.{key}"), message));
            }
        }
        Ok(overrides)
    }

    /// Asks for another model.
    pub(super) fn for_model(model: &str) -> Self {
        Self { set: Map::from_iter([("model".to_owned(), Value::from(model))]), ..Self::default() }
    }

    /// These, and those of a level below, which win.
    pub(super) fn with(mut self, below: Self) -> Self {
        self.set.extend(below.set);
        self.fill.extend(below.fill);
        self.drop.extend(below.drop);
        self
    }

    /// What tells them from others.
    pub(super) fn identify(&self, hasher: &mut blake3::Hasher) {
        let Self { set, fill, drop } = self;
        hasher.update(serde_json::json!([set, fill, drop]).to_string().as_bytes());
    }

    /// Whether they change nothing.
    pub fn is_empty(&self) -> bool {
        let Self { set, fill, drop } = self;
        set.is_empty() && fill.is_empty() && drop.is_empty()
    }

    /// The model that a request for `model` becomes one for.
    pub fn model<'m>(&'m self, model: &'m str) -> &'m str {
        self.set.get("model").and_then(Value::as_str).unwrap_or(model)
    }

    /// The body with the changes. It was read before, so that it is an object.
    pub fn apply(&self, body: &Json) -> Bytes {
        let Ok(Value::Object(mut fields)) = serde_json::from_slice(body.bytes()) else { return body.bytes().clone() };
        for (key, value) in &self.fill {
            fields.entry(key.clone()).or_insert_with(|| value.clone());
        }
        fields.extend(self.set.clone());
        fields.retain(|key, _| !self.drop.contains(key));
        Value::Object(fields).to_string().into()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[expect(clippy::needless_pass_by_value, reason = "tests write it as a literal")]
    fn map(value: Value) -> Option<Map<String, Value>> {
        value.as_object().cloned()
    }

    #[test]
    fn what_is_set_wins_over_the_request_and_what_is_filled_in_does_not() {
        let above = Overrides::read(map(json!({"model": "a", "seed": 1})), map(json!({"top_p": 0.5})), None).unwrap();
        let overrides = above.with(Overrides::read(map(json!({"model": "b"})), None, Some(vec!["user".to_owned()])).unwrap());
        let body = Json::parse(json!({"model": "x", "user": "me", "top_p": 0.9, "messages": []}).to_string().into()).unwrap();
        let changed: Value = serde_json::from_slice(&overrides.apply(&body)).unwrap();
        assert_eq!(changed, json!({"model": "b", "top_p": 0.9, "messages": [], "seed": 1}));
        assert_eq!((overrides.model("x"), Overrides::default().model("x")), ("b", "x"));
    }

    #[test]
    fn what_the_rules_have_read_is_not_changed_behind_them() {
        for (set, path) in [
            (json!({"messages": []}), "override_params.messages"),
            (json!({"stream": true}), "override_params.stream"),
            (json!({"response_format": {"type": "json_schema", "json_schema": {}}}), "override_params.response_format"),
        ] {
            assert_eq!(Overrides::read(map(set), None, None).unwrap_err().path, path);
        }
        assert_eq!(Overrides::read(None, None, Some(vec!["tools".to_owned()])).unwrap_err().path, "drop_params.tools");
        assert!(Overrides::read(map(json!({"response_format": {"type": "json_object"}})), None, None).is_ok());
    }
}
