//! A request in whose texts variables stand.

use std::{collections::BTreeSet, sync::LazyLock};

use handlebars::{Handlebars, RenderError};
use regex::Regex;
use serde_json::{Map, Value};

/// Words of the language of templates.
const WORDS: [&str; 10] = ["if", "else", "each", "unless", "with", "this", "lookup", "log", "true", "false"];

/// A request in whose texts variables stand.
#[derive(Debug)]
pub(super) struct Template {
    root: Node,
    variables: BTreeSet<String>,
}

#[derive(Debug)]
enum Node {
    Plain(Value),
    /// A text, under the name that the engine knows it by.
    Text(String),
    Array(Vec<Node>),
    Object(Vec<(String, Node)>),
}

impl Template {
    /// Compiles every text in a value. What is wrong is told with its JSON pointer. `partials` are the variables of what templates may take in.
    pub(super) fn compile(
        value: &Value,
        engine: &mut Handlebars<'static>,
        partials: &BTreeSet<String>,
        wrong: &mut dyn FnMut(&str, String),
    ) -> Self {
        let mut compiler = Compiler { engine, wrong, variables: BTreeSet::new(), takes_in: false };
        let root = compiler.node(value, "");
        let mut variables = compiler.variables;
        if compiler.takes_in {
            variables.extend(partials.iter().cloned());
        }
        Self { root, variables }
    }

    /// The names of its variables.
    pub(super) fn variables(&self) -> BTreeSet<&str> {
        self.variables.iter().map(String::as_str).collect()
    }

    /// The request with these values.
    pub(super) fn render(&self, engine: &Handlebars<'static>, values: &Value) -> Result<Value, RenderError> {
        self.root.render(engine, values)
    }
}

impl Node {
    fn render(&self, engine: &Handlebars<'static>, values: &Value) -> Result<Value, RenderError> {
        Ok(match self {
            Self::Plain(value) => value.clone(),
            Self::Text(name) => Value::String(engine.render(name, values)?),
            Self::Array(items) => Value::Array(items.iter().map(|item| item.render(engine, values)).collect::<Result<_, _>>()?),
            Self::Object(members) => {
                let members = members.iter().map(|(key, node)| Ok((key.clone(), node.render(engine, values)?)));
                Value::Object(members.collect::<Result<Map<_, _>, RenderError>>()?)
            }
        })
    }
}

struct Compiler<'c> {
    engine: &'c mut Handlebars<'static>,
    wrong: &'c mut dyn FnMut(&str, String),
    variables: BTreeSet<String>,
    takes_in: bool,
}

impl Compiler<'_> {
    fn node(&mut self, value: &Value, path: &str) -> Node {
        match value {
            Value::String(text) if text.contains("{{") => {
                if let Err(error) = self.engine.register_template_string(path, text) {
                    (self.wrong)(path, error.reason().to_string());
                }
                self.variables.extend(names(text));
                self.takes_in |= text.contains("{{>");
                Node::Text(path.to_owned())
            }
            Value::Array(items) => {
                Node::Array(items.iter().enumerate().map(|(n, item)| self.node(item, &format!("{path}/{n}"))).collect())
            }
            Value::Object(members) => Node::Object(
                members.iter().map(|(key, value)| (key.clone(), self.node(value, &format!("{path}/{key}")))).collect(),
            ),
            plain => Node::Plain(plain.clone()),
        }
    }
}

/// The variables of a text: the first step of each name in braces that is no word of the language.
pub(super) fn names(text: &str) -> impl Iterator<Item = String> {
    static NAMES: LazyLock<Option<(Regex, Regex)>> =
        LazyLock::new(|| Some((Regex::new(r"\{\{\{?[#^&~]?([^{}!>/][^{}]*)\}\}").ok()?, Regex::new(r"@?[A-Za-z_][\w-]*").ok()?)));
    let found = NAMES.iter().flat_map(move |(braces, name)| {
        braces.captures_iter(text).flat_map(move |inside| {
            let inside = inside.get(1).map_or("", |inside| inside.as_str());
            // `a.b` is a part of `a`, and a text in quotes is no name.
            let steps = inside.split_whitespace().filter(|step| !step.starts_with(['"', '\'', '@', '.']));
            steps.filter_map(move |step| name.find(step)).map(|name| name.as_str().to_owned()).collect::<Vec<_>>()
        })
    });
    found.filter(|name| !WORDS.contains(&name.as_str()) && !name.starts_with('@')).collect::<Vec<_>>().into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_found_in_every_form() {
        let text = "{{ name }} {{{raw}}} {{#if vip}}yes{{else}}no{{/if}} {{#each items}}{{this}} {{@index}}{{/each}} {{user.city}} {{! a note }} {{> part}}";
        assert_eq!(names(text).collect::<Vec<_>>(), ["name", "raw", "vip", "items", "user"]);
    }
}
