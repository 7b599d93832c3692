//! An answer that must be JSON of a given shape.

use std::ops::Range;

use jsonschema::{ValidationError, Validator};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Check, Kind, Needs, Reach};
use crate::guard::{rules::Site, verdict::Gate};

/// Matches an answer that is not JSON of this shape (JSON Schema 2020-12).
#[derive(Debug, Clone, Deserialize, Serialize, schemars::JsonSchema)]
#[serde(transparent)]
pub struct JsonSchema(serde_json::Map<String, Value>);

impl Kind for JsonSchema {
    fn build(&self, site: &mut Site<'_, '_>) {
        if site.stands_at(Gate::Input) {
            site.problem_at("/stage", "`json_schema` judges answers", "write `stage: output`");
        }
        site.keep_built(Shape::new(&Value::Object(self.0.clone())));
    }
}

/// A compiled schema.
#[derive(Debug)]
struct Shape {
    validator: Validator,
}

impl Shape {
    /// Compiles a schema; nothing that it refers to is fetched.
    fn new(schema: &Value) -> Result<Self, Box<ValidationError<'static>>> {
        Ok(Self { validator: jsonschema::validator_for(schema).map_err(Box::new)? })
    }
}

/// The text inside a Markdown fence, as models like to wrap JSON.
fn unfenced(text: &str) -> &str {
    let text = text.trim();
    let Some(inside) = text.strip_prefix("```").and_then(|text| text.strip_suffix("```")) else { return text };
    inside.split_once('\n').map_or(inside, |(_language, body)| body).trim()
}

impl Check for Shape {
    /// Matches the whole text when it is not JSON of this shape.
    fn find(&self, text: &str, found: &mut Vec<Range<usize>>) {
        let fits = serde_json::from_str(unfenced(text)).is_ok_and(|value: Value| self.validator.is_valid(&value));
        if !fits {
            found.push(0..text.len());
        }
    }

    fn needs(&self) -> Needs<'_> {
        Needs::Nothing
    }

    fn reach(&self) -> Reach {
        Reach::Whole
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
        conformance::holds(&schema(), "not json");
    }

    #[test]
    fn accepts_json_of_the_shape_fenced_or_not() {
        for (text, fits) in
            [("{\"a\": 1}", true), ("```json\n{\"a\": 1}\n```", true), ("{\"a\": \"1\"}", false), ("Sure! {\"a\": 1}", false)]
        {
            let mut found = Vec::new();
            schema().find(text, &mut found);
            assert_eq!(found.is_empty(), fits, "{text}");
        }
    }
}
