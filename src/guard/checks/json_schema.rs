//! An answer that must be JSON of a given shape.

use std::sync::Arc;

use jsonschema::{ValidationError, Validator};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    Kind, Reason,
    json::candidates,
    whole::{Judges, Whole},
};
use crate::guard::{rules::Site, verdict::Gate};

/// Matches an answer that has no JSON of this shape: alone, in a Markdown fence, or in its prose. JSON Schema 2020-12, or the draft that `$schema` names.
#[derive(Debug, Clone, Deserialize, Serialize, schemars::JsonSchema)]
#[serde(transparent)]
pub struct JsonSchema(serde_json::Map<String, Value>);

impl Kind for JsonSchema {
    fn build(&self, site: &mut Site<'_, '_>) {
        if site.stands_at(Gate::Input) {
            site.problem_at("/stage", "`json_schema` judges answers", "write `stage: output`");
        }
        if let Some(shape) = site.built(Shape::new(&Value::Object(self.0.clone()))).map(Arc::new) {
            site.keep_reason(shape.clone());
            site.keep(Whole(shape));
        }
    }
}

/// A compiled schema.
#[derive(Debug)]
pub(super) struct Shape {
    validator: Validator,
}

impl Shape {
    /// Compiles a schema; nothing that it refers to is fetched.
    pub(super) fn new(schema: &Value) -> Result<Self, Box<ValidationError<'static>>> {
        Ok(Self { validator: jsonschema::validator_for(schema).map_err(Box::new)? })
    }
}

impl Judges for Shape {
    fn matches(&self, text: &str) -> bool {
        !candidates(text).iter().any(|value| self.validator.is_valid(value))
    }
}

impl Reason for Shape {
    /// Where the likeliest JSON of the text breaks the schema, and how; what stands there is not said.
    fn reason(&self, text: &str) -> Option<String> {
        if !self.matches(text) {
            return None;
        }
        let candidates = candidates(text);
        let Some(value) = candidates.first() else { return Some("the text has no JSON".to_owned()) };
        let error = self.validator.validate(value).err()?;
        let place = Some(error.instance_path().as_str()).filter(|place| !place.is_empty()).unwrap_or("/");
        Some(format!("{place}: {}", error.masked()))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{super::conformance, *};

    fn schema() -> Shape {
        Shape::new(&json!({"type": "object", "required": ["a"], "properties": {"a": {"type": "integer"}}})).unwrap()
    }

    #[test]
    fn conforms() {
        conformance::holds(&Whole(schema()), "not json");
    }

    #[test]
    fn any_json_of_the_shape_will_do() {
        for (text, fits) in [
            ("{\"a\": 1}", true),
            ("```json\n{\"a\": 1}\n```", true),
            ("{\"a\": \"1\"}", false),
            ("Sure! {\"a\": 1}", true),
            ("First {\"b\": 2}, then {\"a\": 1}.", true),
            ("Sure!", false),
        ] {
            assert_eq!(!schema().matches(text), fits, "{text}");
        }
    }

    #[test]
    fn the_draft_is_the_one_that_the_schema_names() {
        // Under 2020-12 a list of `items` is no schema; under draft 7 it is one for each place.
        let seven = json!({"$schema": "http://json-schema.org/draft-07/schema#", "items": [{"type": "integer"}]});
        let shape = Shape::new(&seven).unwrap();
        assert!(!shape.matches("[1, \"b\"]") && shape.matches("[\"a\"]"));
        assert!(Shape::new(&json!({"items": [{"type": "integer"}]})).is_err());
    }

    #[test]
    fn the_reason_names_the_place_and_not_the_value() {
        let shape = Shape::new(&json!({"properties": {"order": {"properties": {"total": {"type": "number"}}}}})).unwrap();
        let reason = shape.reason("{\"order\": {\"total\": \"a secret\"}}").unwrap();
        assert!(reason.starts_with("/order/total: ") && reason.contains("number") && !reason.contains("secret"), "{reason}");
        assert_eq!(shape.reason("{}"), None);
        assert_eq!(shape.reason("oops").unwrap(), "the text has no JSON");
    }
}
