//! The conditions of a conditional strategy: compiled once, judged without allocating.

use std::{borrow::Cow, collections::BTreeMap};

use fancy_regex::{Regex, RegexBuilder};
use serde_json::{Map, Value};

use super::Fault;
use crate::wire::json::{self, Kind};

/// How far an expression of a client's may backtrack before it counts as not matching.
const MAX_BACKTRACKS: usize = 100_000;

/// What conditions are about.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// What the client says of the request.
    pub metadata: &'a BTreeMap<String, String>,
    /// The request's body, where it is read.
    pub params: Option<json::Value<'a>>,
    /// The path of the endpoint: `/v1/chat/completions`.
    pub path: &'a str,
}

/// A query of a conditional strategy.
#[derive(Debug)]
pub(super) enum Condition {
    All(Vec<Condition>),
    Any(Vec<Condition>),
    Field(Field, Vec<Test>),
}

/// Where a value is found.
#[derive(Debug, Clone)]
pub(super) enum Field {
    Metadata(String),
    Param(Vec<String>),
    Path,
}

#[derive(Debug)]
pub(super) enum Test {
    Equal(String),
    Unequal(String),
    Above(f64),
    AtLeast(f64),
    Below(f64),
    AtMost(f64),
    In(Vec<String>),
    NotIn(Vec<String>),
    Matches(Box<Regex>),
}

const FIELDS: &str = "write `metadata.<key>`, `params.<field of the request>`, `url.pathname`, or `model`";
const OPERATORS: &str = "the operators are $eq, $ne, $gt, $gte, $lt, $lte, $in, $nin and $regex; $and and $or join queries";

impl Condition {
    /// Compiles a query; all of its keys must hold, those beside `$and` and `$or` too.
    pub(super) fn compile(query: &Value, path: &str) -> Result<Self, Fault> {
        let members =
            query.as_object().ok_or_else(|| Fault::new(path, "a query is an object, such as {\"metadata.plan\": \"paid\"}"))?;
        let all = members.iter().map(|(key, value)| Self::member(key, value, &format!("{path}.{key}")));
        Ok(Self::All(all.collect::<Result<_, _>>()?))
    }

    fn member(key: &str, value: &Value, path: &str) -> Result<Self, Fault> {
        let joined = || {
            let queries = value.as_array().ok_or_else(|| Fault::new(path, "is a list of queries"))?;
            queries
                .iter()
                .enumerate()
                .map(|(n, query)| Self::compile(query, &format!("{path}[{n}]")))
                .collect::<Result<Vec<_>, _>>()
        };
        match key {
            "$and" => Ok(Self::All(joined()?)),
            "$or" => Ok(Self::Any(joined()?)),
            _ => {
                let field = Field::named(key).ok_or_else(|| Fault::new(path, format!("there is no such field; {FIELDS}")))?;
                let tests = match value {
                    Value::Object(operators) => tests(operators, path)?,
                    scalar => vec![Test::Equal(text(scalar, path)?)],
                };
                Ok(Self::Field(field, tests))
            }
        }
    }

    /// Whether it holds.
    pub(super) fn holds(&self, facts: &Facts<'_>) -> bool {
        match self {
            Self::All(conditions) => conditions.iter().all(|condition| condition.holds(facts)),
            Self::Any(conditions) => conditions.iter().any(|condition| condition.holds(facts)),
            Self::Field(field, tests) => {
                let value = field.of(facts);
                tests.iter().all(|test| test.holds(value.as_deref()))
            }
        }
    }
}

impl Field {
    /// The field of this name. A bare `model` is short for `params.model`.
    pub(super) fn named(name: &str) -> Option<Self> {
        match name.split_once('.') {
            Some(("metadata", key)) if !key.is_empty() => Some(Self::Metadata(key.to_owned())),
            Some(("params", path)) if path.split('.').all(|step| !step.is_empty()) => {
                Some(Self::Param(path.split('.').map(str::to_owned).collect()))
            }
            Some(("url", "pathname")) => Some(Self::Path),
            None if name == "model" => Some(Self::Param(vec![name.to_owned()])),
            _ => None,
        }
    }

    /// Its value as text, if it has one.
    pub(super) fn of<'a>(&self, facts: &Facts<'a>) -> Option<Cow<'a, str>> {
        match self {
            Self::Metadata(key) => facts.metadata.get(key).map(|value| Cow::Borrowed(value.as_str())),
            Self::Path => Some(Cow::Borrowed(facts.path)),
            Self::Param(path) => {
                let value = path.iter().try_fold(facts.params?, |value, step| value.get(step))?;
                match value.kind() {
                    Kind::Object | Kind::Array | Kind::Null => None,
                    Kind::String => value.as_str(),
                    _ => Some(Cow::Borrowed(value.raw())),
                }
            }
        }
    }
}

impl Test {
    fn compile(operator: &str, value: &Value, path: &str) -> Result<Self, Fault> {
        let number = || number(value).ok_or_else(|| Fault::new(path, "is compared with a number"));
        let texts = || {
            let items = value.as_array().ok_or_else(|| Fault::new(path, "is a list of values"))?;
            items.iter().enumerate().map(|(n, item)| text(item, &format!("{path}[{n}]"))).collect::<Result<Vec<_>, _>>()
        };
        Ok(match operator {
            "$eq" => Self::Equal(text(value, path)?),
            "$ne" => Self::Unequal(text(value, path)?),
            "$gt" => Self::Above(number()?),
            "$gte" => Self::AtLeast(number()?),
            "$lt" => Self::Below(number()?),
            "$lte" => Self::AtMost(number()?),
            "$in" => Self::In(texts()?),
            "$nin" => Self::NotIn(texts()?),
            "$regex" => {
                let pattern = text(value, path)?;
                let built = RegexBuilder::new(&pattern).backtrack_limit(MAX_BACKTRACKS).build();
                Self::Matches(Box::new(built.map_err(|error| Fault::new(path, format!("is no regular expression: {error}")))?))
            }
            _ => return Err(Fault::new(path, format!("there is no such operator; {OPERATORS}"))),
        })
    }

    /// A field that is not there is unequal to everything, and in no list.
    fn holds(&self, value: Option<&str>) -> bool {
        let number = || value.and_then(|value| value.trim().parse::<f64>().ok());
        match self {
            Self::Equal(wanted) => value == Some(wanted),
            Self::Unequal(unwanted) => value != Some(unwanted),
            Self::Above(bound) => number().is_some_and(|number| number > *bound),
            Self::AtLeast(bound) => number().is_some_and(|number| number >= *bound),
            Self::Below(bound) => number().is_some_and(|number| number < *bound),
            Self::AtMost(bound) => number().is_some_and(|number| number <= *bound),
            Self::In(list) => value.is_some_and(|value| list.iter().any(|listed| listed == value)),
            Self::NotIn(list) => value.is_none_or(|value| list.iter().all(|listed| listed != value)),
            Self::Matches(regex) => value.is_some_and(|value| regex.is_match(value).unwrap_or(false)),
        }
    }
}

fn tests(operators: &Map<String, Value>, path: &str) -> Result<Vec<Test>, Fault> {
    if operators.is_empty() {
        return Err(Fault::new(path, format!("says nothing; {OPERATORS}")));
    }
    operators.iter().map(|(operator, value)| Test::compile(operator, value, &format!("{path}.{operator}"))).collect()
}

fn number(value: &Value) -> Option<f64> {
    value.as_f64().or_else(|| value.as_str()?.trim().parse().ok())
}

/// Metadata are text: `5` and `"5"` are the same here.
fn text(value: &Value, path: &str) -> Result<String, Fault> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(number) => Ok(number.to_string()),
        Value::Bool(bool) => Ok(bool.to_string()),
        _ => Err(Fault::new(path, "is compared with a text, a number or a boolean")),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::wire::Json;

    fn holds(query: &Value) -> bool {
        let metadata = BTreeMap::from([("plan".to_owned(), "paid".to_owned()), ("age".to_owned(), "30".to_owned())]);
        let body = json!({"model": "gpt-4o", "temperature": 0.7, "stream": true, "user": {"tier": "gold"}}).to_string();
        let json = Json::parse(body.into()).unwrap();
        let facts = Facts { metadata: &metadata, params: Some(json.root()), path: "/v1/chat/completions" };
        Condition::compile(query, "query").unwrap().holds(&facts)
    }

    #[test]
    fn each_operator_says_what_it_means() {
        for query in [
            json!({"metadata.plan": "paid"}),
            json!({"metadata.plan": {"$eq": "paid"}, "model": "gpt-4o"}),
            json!({"metadata.plan": {"$ne": "free"}}),
            json!({"metadata.age": {"$gt": 29, "$lte": 30}}),
            json!({"metadata.age": {"$gte": "30", "$lt": 31}}),
            json!({"params.temperature": {"$lt": 1}}),
            json!({"params.stream": true}),
            json!({"params.user.tier": "gold"}),
            json!({"params.model": {"$in": ["gpt-4o", "gpt-5"]}}),
            json!({"params.model": {"$nin": ["gpt-5"]}}),
            json!({"params.model": {"$regex": "^gpt-(?!5)"}}),
            json!({"url.pathname": "/v1/chat/completions"}),
            json!({"metadata.none": {"$ne": "x"}}),
            json!({}),
        ] {
            assert!(holds(&query), "{query}");
        }
        for query in [
            json!({"metadata.plan": "free"}),
            json!({"metadata.plan": {"$gt": 1}}),
            json!({"metadata.none": {"$in": ["x"]}}),
            json!({"params.user": "gold"}),
            json!({"params.model": {"$regex": "^gpt-5", "$ne": "x"}}),
        ] {
            assert!(!holds(&query), "{query}");
        }
    }

    #[test]
    fn what_stands_beside_and_or_counts_too() {
        assert!(holds(&json!({"$or": [{"metadata.plan": "free"}, {"metadata.age": {"$gt": 20}}]})));
        assert!(!holds(&json!({"$or": [{"metadata.plan": "paid"}], "model": "gpt-5"})));
        assert!(!holds(&json!({"$and": [{"metadata.plan": "paid"}], "metadata.age": {"$lt": 20}})));
        assert!(!holds(&json!({"params.model": {"$regex": "gpt", "$in": ["other"]}})));
    }

    #[test]
    fn a_query_that_means_nothing_is_named() {
        for (query, path) in [
            (json!("x"), "q"),
            (json!({"plan": "x"}), "q.plan"),
            (json!({"metadata.plan": {"$like": "x"}}), "q.metadata.plan.$like"),
            (json!({"metadata.plan": {"$gt": "many"}}), "q.metadata.plan.$gt"),
            (json!({"$or": [{"a": 1}]}), "q.$or[0].a"),
            (json!({"metadata.plan": {"$regex": "("}}), "q.metadata.plan.$regex"),
        ] {
            assert_eq!(Condition::compile(&query, "q").unwrap_err().path, path);
        }
    }

    proptest! {
        #[test]
        fn an_expression_that_backtracks_ends(tail in "[a-z]{0,4}") {
            let body = Json::parse(format!(r#"{{"model":"{}{tail}!"}}"#, "a".repeat(40)).into()).unwrap();
            let facts = Facts { metadata: &BTreeMap::new(), params: Some(body.root()), path: "" };
            let query = json!({"model": {"$regex": "^(a+)+(?=b)$"}});
            prop_assert!(!Condition::compile(&query, "q").unwrap().holds(&facts));
        }
    }
}
