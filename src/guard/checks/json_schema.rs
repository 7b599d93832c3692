//! An answer that must be JSON of a given shape.

use std::ops::Range;

use jsonschema::{ValidationError, Validator};

use super::{Check, Needs};

/// A compiled schema.
#[derive(Debug)]
pub struct JsonSchema {
    validator: Validator,
}

impl JsonSchema {
    /// Compiles a schema; nothing that it refers to is fetched.
    pub fn new(schema: &serde_json::Value) -> Result<Self, Box<ValidationError<'static>>> {
        Ok(Self { validator: jsonschema::validator_for(schema).map_err(Box::new)? })
    }
}

/// The text inside a Markdown fence, as models like to wrap JSON.
fn unfenced(text: &str) -> &str {
    let text = text.trim();
    let Some(inside) = text.strip_prefix("```").and_then(|text| text.strip_suffix("```")) else { return text };
    inside.split_once('\n').map_or(inside, |(_language, body)| body).trim()
}

impl Check for JsonSchema {
    /// Matches the whole text when it is not JSON of this shape.
    fn find(&self, text: &str, found: &mut Vec<Range<usize>>) {
        let fits = serde_json::from_str(unfenced(text)).is_ok_and(|value| self.validator.is_valid(&value));
        if !fits {
            found.push(0..text.len());
        }
    }

    fn needs(&self) -> Needs<'_> {
        Needs::Nothing
    }

    fn needs_whole_answer(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{super::conformance, *};

    fn schema() -> JsonSchema {
        JsonSchema::new(&json!({"type": "object", "required": ["a"], "properties": {"a": {"type": "integer"}}})).unwrap()
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
