//! A value that fits a JSON Schema, for structured outputs and for the arguments of a tool.
//!
//! It covers what the OpenAI SDKs generate from types (objects, arrays, enums, references into `$defs`), not the whole
//! of JSON Schema: bounds and patterns are ignored.

use serde_json::{Value, json};

/// Deeper than this a schema refers to itself.
const DEEPEST: usize = 16;

/// A value for `schema`; `null` where nothing better is known.
pub(super) fn of(schema: &Value) -> Value {
    at(schema, schema, 0)
}

fn at(schema: &Value, root: &Value, depth: usize) -> Value {
    if depth > DEEPEST {
        return Value::Null;
    }
    let deeper = |schema: &Value| at(schema, root, depth + 1);
    if let Some(target) = schema["$ref"].as_str() {
        return root.pointer(target.trim_start_matches('#')).map_or(Value::Null, deeper);
    }
    if let Some(value) = schema.get("const").or_else(|| schema["enum"].get(0)) {
        return value.clone();
    }
    if let Some(first) = ["anyOf", "oneOf", "allOf"].iter().find_map(|key| schema[*key].get(0)) {
        return deeper(first);
    }
    match kind(schema) {
        "object" => schema["properties"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(name, property)| (name.clone(), deeper(property)))
            .collect(),
        "array" => json!([deeper(&schema["items"])]),
        "string" => json!("Paris"),
        "integer" => json!(1),
        "number" => json!(1.5),
        "boolean" => json!(true),
        _ => Value::Null,
    }
}

/// The type, or the first of several: `["string", "null"]` is how strict schemas write an optional field.
fn kind(schema: &Value) -> &str {
    let named = schema["type"].as_str().or_else(|| schema["type"][0].as_str());
    named.unwrap_or(if schema["properties"].is_object() { "object" } else { "" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_fits_each_kind_of_schema() {
        let cases = [
            (json!({"type": "string"}), json!("Paris")),
            (json!({"type": ["integer", "null"]}), json!(1)),
            (json!({"enum": ["red", "green"]}), json!("red")),
            (json!({"anyOf": [{"type": "boolean"}, {"type": "null"}]}), json!(true)),
            (json!({"type": "array", "items": {"type": "number"}}), json!([1.5])),
            (json!({"properties": {"a": {"const": 7}}}), json!({"a": 7})),
            (json!({}), Value::Null),
        ];
        for (schema, expected) in cases {
            assert_eq!(of(&schema), expected, "{schema}");
        }
    }

    #[test]
    fn references_are_followed_and_end() {
        let schema = json!({
            "$defs": {"Step": {"type": "object", "properties": {"say": {"type": "string"}}}},
            "type": "object",
            "properties": {"steps": {"type": "array", "items": {"$ref": "#/$defs/Step"}}},
        });
        assert_eq!(of(&schema), json!({"steps": [{"say": "Paris"}]}));
        let endless = json!({"$defs": {"A": {"$ref": "#/$defs/A"}}, "$ref": "#/$defs/A"});
        assert_eq!(of(&endless), Value::Null);
    }
}
