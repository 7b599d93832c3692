//! From a schema validator's error to a problem in words of the file, with a place and a remedy.

use jsonschema::{
    JsonType, ValidationError,
    error::{TypeKind, ValidationErrorKind},
};
use serde_json::Value;

use super::{
    Document, Problem,
    document::{Node, Scalar, escape, unescape},
    schema,
};

/// Names less alike than this (Jaro-Winkler, 0 to 1) are not what was meant.
const ALIKE: f64 = 0.8;

/// Why an unknown key is an error.
const UNKNOWN_KEY: &str = "keys that are not known are refused, so that a typing error never silently changes a setting";

/// A problem, and what is to be left out to read the rest.
pub(super) struct Finding {
    pub(super) pointer: String,
    pub(super) problem: Problem,
}

/// What an error is explained with.
pub(super) struct Explainer<'a> {
    pub(super) document: &'a Document,
    pub(super) schema: &'a Value,
}

impl Explainer<'_> {
    /// One error of the validator can be several problems: one per unknown key.
    pub(super) fn explain(&self, error: &ValidationError<'_>) -> Vec<Finding> {
        let at = error.instance_path().as_str();
        match error.kind() {
            ValidationErrorKind::AdditionalProperties { unexpected }
            | ValidationErrorKind::UnevaluatedProperties { unexpected } => {
                unexpected.iter().map(|key| self.unknown_key(error, key)).collect()
            }
            ValidationErrorKind::AnyOf { context } | ValidationErrorKind::OneOfNotValid { context } => {
                self.alternatives(error, context)
            }
            ValidationErrorKind::Required { property } => vec![self.missing_key(at, property)],
            ValidationErrorKind::Type { kind } => vec![self.wrong_type(error, &types(kind))],
            ValidationErrorKind::Enum { .. } | ValidationErrorKind::Constant { .. } => {
                vec![self.not_a_choice(at, error.instance(), &choices(error))]
            }
            _ => vec![self.other(error)],
        }
    }

    fn unknown_key(&self, error: &ValidationError<'_>, key: &str) -> Finding {
        let pointer = format!("{}/{}", error.instance_path(), escape(key));
        let rule = schema::rule(self.schema, error.schema_path().as_str());
        let known: Vec<_> = rule["properties"].as_object().into_iter().flat_map(|keys| keys.keys()).cloned().collect();
        let here = format!("the keys here are {}", list(&known, "and"));
        let elsewhere = || home_of(self.schema, key);
        let remedy = match closest(key, &known) {
            Some(meant) => format!("did you mean `{meant}`? {}", here.replacen('t', "T", 1)),
            None if known.is_empty() => "remove it".to_owned(),
            None => elsewhere().map_or_else(|| format!("remove it; {here}"), |home| format!("write it under `{home}`; {here}")),
        };
        let problem = Problem::new(self.document.key_span_of(&pointer), format!("unknown key `{key}`"), remedy);
        Finding { pointer, problem: problem.consequence(UNKNOWN_KEY) }
    }

    fn missing_key(&self, at: &str, property: &Value) -> Finding {
        let key = property.as_str().unwrap_or_default();
        let written = format!("{at}/{}", escape(key));
        let problem = if self.document.node(&written).is_some() {
            Problem::new(self.document.key_span_of(&written), format!("`{key}` has no value"), "write its value")
        } else {
            let message = format!("{} lacks `{key}`", subject(at));
            Problem::new(self.document.key_span_of(at), message, format!("add `{key}: …`"))
        };
        Finding { pointer: at.to_owned(), problem }
    }

    fn wrong_type(&self, error: &ValidationError<'_>, expected: &[JsonType]) -> Finding {
        let at = error.instance_path().as_str();
        let words: Vec<_> = expected.iter().map(|name| type_name(*name)).collect();
        let found = found_name(error.instance());
        let rule = schema::rule(self.schema, error.schema_path().as_str());
        let scalar = self.document.node(at).and_then(Node::scalar);
        let remedy = type_remedy(expected, scalar, example(rule));
        let message = format!("{} takes {}, not {found}", subject(at), words.join(" or "));
        Finding { pointer: at.to_owned(), problem: self.document.problem(at, message, remedy) }
    }

    fn not_a_choice(&self, at: &str, found: &Value, choices: &[String]) -> Finding {
        let meant = found.as_str().and_then(|found| closest(found, choices));
        let question = meant.map_or_else(String::new, |meant| format!("did you mean `{meant}`? "));
        let message = format!("{} does not take this value", subject(at));
        let remedy = format!("{question}Write {}", list(choices, "or"));
        let remedy = if question.is_empty() { remedy.replacen("Write", "write", 1) } else { remedy };
        Finding { pointer: at.to_owned(), problem: self.document.problem(at, message, remedy) }
    }

    /// None of several forms fits: explains the one that was most likely meant, or lists what all of them take.
    fn alternatives(&self, error: &ValidationError<'_>, branches: &[Vec<ValidationError<'static>>]) -> Vec<Finding> {
        let at = error.instance_path().as_str();
        let fits = |branch: &&Vec<ValidationError<'static>>| !branch.iter().any(|error| rejects(error, at));
        let constants = |branch: &[ValidationError<'static>]| branch.iter().filter(|error| is_choice(error)).count();
        let meant = branches.iter().filter(fits).min_by_key(|branch| (constants(branch), branch.len()));
        if let Some(branch) = meant {
            return match branch.iter().find(|error| is_choice(error)) {
                Some(tag) => vec![self.tag(tag, branches)],
                None => branch.iter().flat_map(|error| self.explain(error)).collect(),
            };
        }
        let here = || branches.iter().flatten().filter(|error| error.instance_path().as_str() == at);
        let choices: Vec<_> = here().flat_map(choices).collect();
        if error.instance().is_string() && !choices.is_empty() {
            return vec![self.not_a_choice(at, error.instance(), &choices)];
        }
        let mut expected = Vec::new();
        for kind in here().flat_map(expected_types) {
            if !expected.contains(&kind) {
                expected.push(kind);
            }
        }
        if expected.is_empty() { vec![self.other(error)] } else { vec![self.wrong_type(error, &expected)] }
    }

    /// The forms are told apart by a key whose value names none of them.
    fn tag(&self, tag: &ValidationError<'static>, branches: &[Vec<ValidationError<'static>>]) -> Finding {
        let at = tag.instance_path();
        let same = branches.iter().flatten().filter(|error| error.instance_path() == at);
        let choices: Vec<_> = same.flat_map(choices).collect();
        self.not_a_choice(at.as_str(), tag.instance(), &choices)
    }

    /// Limits, lengths and patterns: the validator says it well enough, without the value; the rule's own description
    /// says what would fit.
    fn other(&self, error: &ValidationError<'_>) -> Finding {
        let at = error.instance_path().as_str();
        let message = format!("{}: {}", subject(at), error.masked_with("the value"));
        let rule = schema::rule(self.schema, error.schema_path().as_str());
        let remedy = rule["description"].as_str().unwrap_or("write a value within these bounds");
        Finding { pointer: at.to_owned(), problem: self.document.problem(at, message, remedy.replace('\n', " ")) }
    }
}

/// Whether the error says that the value itself, not something inside it, is of the wrong kind.
fn rejects(error: &ValidationError<'_>, at: &str) -> bool {
    let is_kind = is_choice(error) || matches!(error.kind(), ValidationErrorKind::Type { .. });
    is_kind && error.instance_path().as_str() == at
}

fn is_choice(error: &ValidationError<'_>) -> bool {
    matches!(error.kind(), ValidationErrorKind::Enum { .. } | ValidationErrorKind::Constant { .. })
}

fn choices(error: &ValidationError<'_>) -> Vec<String> {
    let word = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    match error.kind() {
        ValidationErrorKind::Enum { options } => options.as_array().into_iter().flatten().map(word).collect(),
        ValidationErrorKind::Constant { expected_value } => vec![word(expected_value)],
        _ => Vec::new(),
    }
}

fn expected_types(error: &ValidationError<'_>) -> Vec<JsonType> {
    match error.kind() {
        ValidationErrorKind::Type { kind } => types(kind),
        _ => Vec::new(),
    }
}

fn types(kind: &TypeKind) -> Vec<JsonType> {
    match kind {
        TypeKind::Single(only) => vec![*only],
        TypeKind::Multiple(several) => several.into_iter().collect(),
    }
}

/// What a sentence about the pointer begins with.
fn subject(pointer: &str) -> String {
    let Some((parent, name)) = pointer.rsplit_once('/') else {
        return "the file".to_owned();
    };
    if name.parse::<usize>().is_err() {
        return format!("`{}`", unescape(name));
    }
    match parent.rsplit_once('/') {
        Some((_, of)) => format!("an item of `{}`", unescape(of)),
        None => "an item".to_owned(),
    }
}

fn type_name(name: JsonType) -> &'static str {
    match name {
        JsonType::Null => "nothing",
        JsonType::Boolean => "true or false",
        JsonType::Integer => "a whole number",
        JsonType::Number => "a number",
        JsonType::String => "a string",
        JsonType::Array => "a list",
        JsonType::Object => "a mapping",
    }
}

fn found_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "a mapping",
    }
}

/// A value that the schema itself gives: its default, else its first example.
fn example(rule: &Value) -> Option<String> {
    let value = rule.get("default").or_else(|| rule["examples"].get(0))?;
    match value {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn type_remedy(expected: &[JsonType], found: Option<&Scalar>, example: Option<String>) -> String {
    let quoted_number = found.is_some_and(|scalar| {
        let bare = Scalar { text: scalar.text.clone(), plain: true, ..Scalar::default() };
        !scalar.plain && bare.to_value().is_number()
    });
    let such_as = example.map_or_else(String::new, |example| format!(", such as {example}"));
    match expected.first() {
        Some(JsonType::String) if found.is_some() && such_as.is_empty() => "put it in quotes".to_owned(),
        Some(JsonType::Number | JsonType::Integer) if quoted_number => "remove the quotes".to_owned(),
        Some(JsonType::Object) => "write its keys on the lines below it, indented".to_owned(),
        Some(JsonType::Array) => "write a list: [a, b], or one `- item` on each line".to_owned(),
        Some(other) => format!("write {}{such_as}", type_name(*other)),
        None => "remove it".to_owned(),
    }
}

/// The section that a key belongs to, when it was written at the wrong place.
fn home_of(rule: &Value, key: &str) -> Option<String> {
    let sections = rule["properties"].as_object()?;
    sections.iter().find_map(|(name, section)| {
        if section["properties"].get(key).is_some() {
            return Some(name.clone());
        }
        home_of(section, key).map(|inner| format!("{name}.{inner}"))
    })
}

/// The name that was most likely meant.
fn closest<'a>(written: &str, names: &'a [String]) -> Option<&'a String> {
    let likeness = |name: &String| strsim::jaro_winkler(&written.to_lowercase(), name);
    let best = names.iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b)))?;
    (likeness(best) >= ALIKE).then_some(best)
}

/// `a`, `b` and `c`.
fn list(names: &[String], conjunction: &str) -> String {
    let quoted: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
    match quoted.split_last() {
        Some((last, rest)) if !rest.is_empty() => {
            format!("{} {conjunction} {last}", rest.join(", "))
        }
        _ => quoted.concat(),
    }
}
