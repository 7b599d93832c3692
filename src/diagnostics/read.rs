//! From a [`Document`] to a Rust type, with everything that does not fit its JSON Schema.

use jsonschema::{
    JsonType, ValidationError, Validator,
    error::{TypeKind, ValidationErrorKind},
};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::{
    Document, Problem,
    document::{Kind, Node, escape, unescape},
    explain::Explainer,
    schema,
};

/// What could be read of a document, and what could not.
#[derive(Debug)]
pub struct Reading<T> {
    /// The value without the parts that have problems: enough to go on looking for more of them, not to act on.
    /// None where too little is left.
    pub value: Option<T>,
    /// What does not fit the schema.
    pub problems: Vec<Problem>,
}

impl Document {
    /// Reads the document as a type, against that type's JSON Schema.
    ///
    /// The type decides what may be left out: `#[serde(default)]` on a struct lets every key be absent,
    /// `#[serde(deny_unknown_fields)]` has unknown keys reported.
    pub fn read<T: DeserializeOwned + JsonSchema>(&self) -> Reading<T> {
        let schema = schema::of::<T>();
        let validator = match jsonschema::validator_for(&schema) {
            Ok(validator) => validator,
            Err(error) => return broken_schema(&error),
        };
        let mut value = self.to_value();
        self.keep_strings(&mut value, &validator);

        let explainer = Explainer { document: self, schema: &schema };
        let unresolved = self.unresolved();
        let mut findings: Vec<_> = validator.iter_errors(&value).flat_map(|error| explainer.explain(&error)).collect();
        findings.retain(|finding| !unresolved.contains(&finding.pointer));

        let mut doubtful = unresolved;
        doubtful.extend(findings.iter().map(|finding| finding.pointer.clone()));
        let mut problems: Vec<_> = findings.into_iter().map(|finding| finding.problem).collect();
        for pointer in &doubtful {
            prune(&mut value, pointer);
        }
        let value = T::deserialize(value);
        if doubtful.is_empty() && value.is_err() {
            problems.push(unreadable());
        }
        Reading { value: value.ok(), problems }
    }

    fn to_value(&self) -> Value {
        match self.root.to_value() {
            Value::Null => Value::Object(Map::new()),
            value => value,
        }
    }

    /// A variable that happens to hold digits is still a string where a string is wanted.
    fn keep_strings(&self, value: &mut Value, validator: &Validator) {
        let wants_string = |error: &ValidationError<'_>| match error.kind() {
            ValidationErrorKind::Type { kind: TypeKind::Single(wanted) } => *wanted == JsonType::String,
            _ => false,
        };
        let places: Vec<_> =
            validator.iter_errors(value).filter(wants_string).map(|error| error.instance_path().as_str().to_owned()).collect();
        for place in places {
            let scalar = self.node(&place).and_then(Node::scalar).filter(|scalar| scalar.interpolated);
            if let (Some(scalar), Some(slot)) = (scalar, value.pointer_mut(&place)) {
                *slot = Value::String(scalar.text.clone());
            }
        }
    }

    /// The places whose variable is missing; one problem has been made of each already.
    fn unresolved(&self) -> Vec<String> {
        let mut places = Vec::new();
        collect_unresolved(&self.root, &mut String::new(), &mut places);
        places
    }
}

fn collect_unresolved(node: &Node, pointer: &mut String, places: &mut Vec<String>) {
    let length = pointer.len();
    let mut descend = |name: &str, child: &Node| {
        pointer.push('/');
        pointer.push_str(name);
        collect_unresolved(child, pointer, places);
        pointer.truncate(length);
    };
    match &node.kind {
        Kind::Scalar(scalar) if scalar.unresolved => places.push(pointer.clone()),
        Kind::Scalar(_) => {}
        Kind::Sequence(items) => {
            for (index, item) in items.iter().enumerate() {
                descend(&index.to_string(), item);
            }
        }
        Kind::Mapping(entries) => {
            for entry in entries {
                descend(&escape(&entry.key), &entry.value);
            }
        }
    }
}

/// Takes out what stands at the pointer. A list is taken out whole, because its other items would change their places.
fn prune(value: &mut Value, pointer: &str) {
    let Some((parent, name)) = pointer.rsplit_once('/') else {
        *value = Value::Null;
        return;
    };
    let mut above = String::new();
    for segment in parent.split('/').skip(1) {
        if value.pointer(&above).is_some_and(Value::is_array) {
            return prune(value, &above);
        }
        above.push('/');
        above.push_str(segment);
    }
    match value.pointer_mut(parent) {
        Some(Value::Object(entries)) => {
            entries.shift_remove(&unescape(name));
        }
        Some(Value::Array(_)) => prune(value, parent),
        _ => {}
    }
}

fn broken_schema<T>(error: &ValidationError<'_>) -> Reading<T> {
    let message = format!("the schema of this file is broken: {error}");
    Reading { value: None, problems: vec![Problem::new(None, message, "report this: it is a fault in Lockgate")] }
}

/// The schema let it pass and the type did not: a gap between the two, without a place.
fn unreadable() -> Problem {
    let remedy = "look for a number that is out of all bounds";
    Problem::new(None, "some value has the right type and still cannot be used", remedy)
}
