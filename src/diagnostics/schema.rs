//! The JSON Schema that a type is read against.

use schemars::{JsonSchema, generate::SchemaSettings};
use serde_json::{Map, Value};

/// The schema of a type, written out in place (so that every rule stands beside its description) and without `null`:
/// a key without a value counts as not written, so nobody need hear that null would do.
pub(super) fn of<T: JsonSchema>() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    let mut schema = settings.into_generator().into_root_schema_for::<T>().to_value();
    drop_null(&mut schema);
    schema
}

/// The rule at a place of the schema, where a keyword like `/properties/a/type` is the place of the rule it belongs to.
pub(super) fn rule<'a>(schema: &'a Value, keyword: &str) -> &'a Value {
    let place = keyword.rsplit_once('/').map_or("", |(place, _)| place);
    schema.pointer(place).unwrap_or(&Value::Null)
}

fn drop_null(schema: &mut Value) {
    match schema {
        Value::Array(items) => items.iter_mut().for_each(drop_null),
        Value::Object(rule) => {
            drop_null_type(rule);
            drop_null_choice(rule);
            rule.iter_mut().filter(|(name, _)| *name != "default").for_each(|(_, value)| drop_null(value));
        }
        _ => {}
    }
}

fn drop_null_type(rule: &mut Map<String, Value>) {
    if let Some(Value::Array(options)) = rule.get_mut("enum") {
        options.retain(|option| !option.is_null());
    }
    if let Some(Value::Array(types)) = rule.get_mut("type") {
        types.retain(|name| name != "null");
        if types.len() == 1 {
            let only = types.remove(0);
            rule.insert("type".to_owned(), only);
        }
    }
}

/// `anyOf: [rule, null]` is `rule`; what is said beside the choice stays.
fn drop_null_choice(rule: &mut Map<String, Value>) {
    let Some(Value::Array(choices)) = rule.get_mut("anyOf") else {
        return;
    };
    choices.retain(|choice| choice["type"] != "null");
    if choices.len() != 1 {
        return;
    }
    let only = choices.remove(0);
    rule.remove("anyOf");
    if let Value::Object(only) = only {
        for (name, value) in only {
            rule.entry(name).or_insert(value);
        }
    }
}
