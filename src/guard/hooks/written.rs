//! Hooks as a config writes them: in the long form, in the shorthand of guardrails, or by a name; in snake_case or camelCase.

use http::HeaderMap;
use serde_json::{Map, Value};

use crate::{
    diagnostics::Fault,
    guard::verdict::{Action, Gate},
};

/// A config has no more checks than this in one place, nor more hooks.
const MAX_IN_ONE_PLACE: usize = 64;

/// Headers that add guardrails: on the request, and on the answer.
const DEFAULTS: [&str; 2] = ["x-portkey-default-input-guardrails", "x-portkey-default-output-guardrails"];

/// What beside checks stands in a hook that is written in shorthand.
const SETTINGS: [&str; 10] =
    ["type", "id", "async", "sequential", "deny", "on_fail", "on_success", "guardrail_version_id", "event_type", "name"];

/// The parts of a config that are about hooks, as they stand there; `null` where there is none.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct HookLists {
    /// Hooks on the request.
    pub before_request_hooks: Value,
    /// Hooks on the answer.
    pub after_request_hooks: Value,
    /// Guardrails on the request.
    pub input_guardrails: Value,
    /// Guardrails on the answer.
    pub output_guardrails: Value,
    /// What changes the request.
    pub input_mutators: Value,
    /// What changes the answer.
    pub output_mutators: Value,
    /// Guardrails on the request that come on top of all others.
    pub default_input_guardrails: Value,
    /// Guardrails on the answer that come on top of all others.
    pub default_output_guardrails: Value,
    /// Both kinds of guardrails by name, with what follows where they fail.
    pub guardrails: Value,
}

impl HookLists {
    /// Those of one level of a config.
    pub fn of(config: &Map<String, Value>) -> Self {
        let at = |name: &str| member(config, name).cloned().unwrap_or_default();
        Self {
            before_request_hooks: at("before_request_hooks"),
            after_request_hooks: at("after_request_hooks"),
            input_guardrails: at("input_guardrails"),
            output_guardrails: at("output_guardrails"),
            input_mutators: at("input_mutators"),
            output_mutators: at("output_mutators"),
            default_input_guardrails: at("default_input_guardrails"),
            default_output_guardrails: at("default_output_guardrails"),
            guardrails: at("guardrails"),
        }
    }

    /// Those that headers add to whatever a config says.
    pub fn of_headers(headers: &HeaderMap) -> Result<Self, Fault> {
        let [input, output] = DEFAULTS.map(|name| match headers.get(name) {
            None => Ok(Value::Null),
            Some(value) => serde_json::from_slice(value.as_bytes())
                .ok()
                .filter(|list: &Value| list.is_array())
                .ok_or_else(|| Fault::new(name, "expected a list of guardrails in JSON")),
        });
        Ok(Self { default_input_guardrails: input?, default_output_guardrails: output?, ..Self::default() })
    }

    /// Those of a level below another: what it names takes the place of what it would inherit, and defaults come on top of defaults.
    #[must_use]
    pub fn under(self, above: &Self) -> Self {
        let own = |own: Value, inherited: &Value| if own.is_null() { inherited.clone() } else { own };
        let both = |own: Value, inherited: &Value| match (inherited, own) {
            (Value::Array(inherited), Value::Array(own)) => Value::Array([inherited.clone(), own].concat()),
            (inherited, Value::Null) => inherited.clone(),
            (_, own) => own,
        };
        Self {
            before_request_hooks: own(self.before_request_hooks, &above.before_request_hooks),
            after_request_hooks: own(self.after_request_hooks, &above.after_request_hooks),
            input_guardrails: own(self.input_guardrails, &above.input_guardrails),
            output_guardrails: own(self.output_guardrails, &above.output_guardrails),
            input_mutators: own(self.input_mutators, &above.input_mutators),
            output_mutators: own(self.output_mutators, &above.output_mutators),
            default_input_guardrails: both(self.default_input_guardrails, &above.default_input_guardrails),
            default_output_guardrails: both(self.default_output_guardrails, &above.default_output_guardrails),
            guardrails: own(self.guardrails, &above.guardrails),
        }
    }

    /// Whether there is nothing about hooks.
    pub fn is_empty(&self) -> bool {
        self.values().into_iter().all(Value::is_null)
    }

    /// The same for what says the same.
    pub(in crate::guard) fn digest(&self) -> [u8; 16] {
        let mut digest = blake3::Hasher::new();
        for value in self.values() {
            digest.update(value.to_string().as_bytes()).update(&[0]);
        }
        let mut out = [0; 16];
        digest.finalize_xof().fill(&mut out);
        out
    }

    /// In the order of the fields.
    fn values(&self) -> [&Value; 9] {
        let Self { before_request_hooks, after_request_hooks, input_guardrails, output_guardrails, .. } = self;
        let Self { input_mutators, output_mutators, default_input_guardrails, default_output_guardrails, guardrails, .. } = self;
        [
            before_request_hooks,
            after_request_hooks,
            input_guardrails,
            output_guardrails,
            input_mutators,
            output_mutators,
            default_input_guardrails,
            default_output_guardrails,
            guardrails,
        ]
    }

    /// The hooks of a gate, in the order in which they are told.
    pub(super) fn written(&self, gate: Gate) -> Result<Vec<WrittenHook>, Fault> {
        let (long, hooks, side) = match gate {
            Gate::Input => ("before_request_hooks", &self.before_request_hooks, "input"),
            Gate::Output => ("after_request_hooks", &self.after_request_hooks, "output"),
        };
        let (guardrails, mutators, defaults) = match gate {
            Gate::Input => (&self.input_guardrails, &self.input_mutators, &self.default_input_guardrails),
            Gate::Output => (&self.output_guardrails, &self.output_mutators, &self.default_output_guardrails),
        };
        let mut reader = Reader { side, kind: "guardrail", on_fail: None, out: Vec::new() };
        reader.list(long, hooks)?;
        reader.list(&format!("{side}_guardrails"), guardrails)?;
        reader.both(&self.guardrails)?;
        reader.kind = "mutator";
        reader.list(&format!("{side}_mutators"), mutators)?;
        reader.kind = "guardrail";
        reader.list(&format!("default_{side}_guardrails"), defaults)?;
        Ok(reader.out)
    }
}

/// One hook.
#[derive(Debug)]
pub(super) struct WrittenHook {
    pub(super) id: String,
    /// `guardrail` or `mutator`.
    pub(super) kind: &'static str,
    pub(super) checks: Vec<WrittenCheck>,
    pub(super) is_async: bool,
    pub(super) sequential: bool,
    pub(super) deny: bool,
    /// What is done about what named rules find, in place of what they say themselves.
    pub(super) action: Option<Action>,
    /// Feedback of a failure and of a success.
    pub(super) feedback: [Value; 2],
}

/// One check of a hook.
#[derive(Debug)]
pub(super) struct WrittenCheck {
    /// Where it stands.
    pub(super) path: String,
    /// Where its parameters stand.
    pub(super) parameters_path: String,
    pub(super) id: String,
    pub(super) parameters: Map<String, Value>,
    /// Whether it is named as what can only be a rule, a group or a profile.
    pub(super) named: bool,
}

/// Reads the lists of one gate.
struct Reader {
    side: &'static str,
    kind: &'static str,
    on_fail: Option<Action>,
    out: Vec<WrittenHook>,
}

impl Reader {
    /// `{"input_guardrails": ["no-pii"], "output_guardrails": […], "on_fail": "block"}`
    fn both(&mut self, written: &Value) -> Result<(), Fault> {
        let both = match written {
            Value::Null => return Ok(()),
            Value::Object(both) => both,
            _ => return Err(Fault::new("guardrails", "expected an object with `input_guardrails` and `output_guardrails`")),
        };
        let name = format!("{}_guardrails", self.side);
        self.on_fail = action("guardrails", both)?;
        self.list(&format!("guardrails.{name}"), member(both, &name).unwrap_or(&Value::Null))?;
        self.on_fail = None;
        Ok(())
    }

    fn list(&mut self, path: &str, list: &Value) -> Result<(), Fault> {
        match list {
            Value::Null => Ok(()),
            Value::Array(hooks) if hooks.len() > MAX_IN_ONE_PLACE => {
                Err(Fault::new(path, format!("more than {MAX_IN_ONE_PLACE} hooks")))
            }
            Value::Array(hooks) => hooks.iter().enumerate().try_for_each(|(n, hook)| self.hook(&format!("{path}[{n}]"), hook)),
            Value::String(_) => self.hook(path, list),
            _ => Err(Fault::new(path, "expected a list of hooks")),
        }
    }

    fn hook(&mut self, path: &str, written: &Value) -> Result<(), Fault> {
        let hook = match written {
            Value::String(name) => {
                let check = WrittenCheck::named(path, name);
                WrittenHook {
                    checks: vec![check],
                    ..self.settings(path, &Map::from_iter([("id".to_owned(), name.as_str().into())]))?
                }
            }
            Value::Object(hook) => {
                let settings = self.settings(path, hook)?;
                let checks = checks(path, hook)?;
                if checks.len() > MAX_IN_ONE_PLACE {
                    return Err(Fault::new(path, format!("more than {MAX_IN_ONE_PLACE} checks")));
                }
                WrittenHook { checks, ..settings }
            }
            _ => return Err(Fault::new(path, "expected a hook, or the name of a rule, a group or a profile")),
        };
        self.out.push(hook);
        Ok(())
    }

    fn settings(&self, path: &str, hook: &Map<String, Value>) -> Result<WrittenHook, Fault> {
        let id = match member(hook, "id") {
            None | Some(Value::Null) => format!("{}_guardrail_{:03}", self.side, self.out.len()),
            Some(Value::String(id)) => id.clone(),
            Some(_) => return Err(Fault::new(format!("{path}.id"), "expected a text")),
        };
        let kind = match member(hook, "type").and_then(Value::as_str) {
            None => self.kind,
            Some("guardrail") => "guardrail",
            Some("mutator") => "mutator",
            Some(_) => return Err(Fault::new(format!("{path}.type"), "expected `guardrail` or `mutator`")),
        };
        let flag = |name: &str| flag(path, hook, name);
        let action = action(path, hook)?.or(self.on_fail).or(flag("deny")?.then_some(Action::Block));
        Ok(WrittenHook {
            id,
            kind,
            checks: Vec::new(),
            is_async: flag("async")?,
            sequential: flag("sequential")?,
            deny: flag("deny")?,
            action,
            feedback: ["on_fail", "on_success"].map(|name| {
                let said = member(hook, name).and_then(|said| said.get("feedback"));
                said.filter(|feedback| feedback.is_object()).cloned().unwrap_or_default()
            }),
        })
    }
}

impl WrittenCheck {
    fn named(path: &str, name: &str) -> Self {
        let path = path.to_owned();
        Self { parameters_path: path.clone(), path, id: name.to_owned(), parameters: Map::new(), named: true }
    }
}

/// The checks of a hook that are on: listed, or each under its id, or the one thing that the hook's own id names.
fn checks(path: &str, hook: &Map<String, Value>) -> Result<Vec<WrittenCheck>, Fault> {
    let mut out = Vec::new();
    if let Some(listed) = hook.get("checks") {
        let path = format!("{path}.checks");
        let listed = listed.as_array().ok_or_else(|| Fault::new(&path, "expected a list of checks"))?;
        for (n, check) in listed.iter().enumerate() {
            out.extend(listed_check(format!("{path}[{n}]"), check)?);
        }
        return Ok(out);
    }
    let known = |key: &str| SETTINGS.contains(&key) || SETTINGS.iter().any(|name| camel_case(name) == key);
    let mut keyed = hook.iter().filter(|(key, _)| !known(key)).peekable();
    if keyed.peek().is_none() {
        let name = member(hook, "id").and_then(Value::as_str).ok_or_else(|| Fault::new(path, "there is no check in it"))?;
        return Ok(vec![WrittenCheck::named(path, name)]);
    }
    for (id, parameters) in keyed {
        let path = format!("{path}.{id}");
        let parameters = parameters_of(&path, Some(parameters))?;
        if flag_or(&path, &parameters, "is_enabled", true)? {
            out.push(WrittenCheck { parameters_path: path.clone(), path, id: id.clone(), parameters, named: false });
        }
    }
    Ok(out)
}

/// One check of a list; `None` if it is off.
fn listed_check(path: String, written: &Value) -> Result<Option<WrittenCheck>, Fault> {
    let check = written.as_object().ok_or_else(|| Fault::new(&path, "expected a check with an `id`"))?;
    let id = check.get("id").and_then(Value::as_str).ok_or_else(|| Fault::new(&path, "the check has no `id`"))?.to_owned();
    if !flag_or(&path, check, "is_enabled", true)? {
        return Ok(None);
    }
    let parameters_path = format!("{path}.parameters");
    let parameters = parameters_of(&parameters_path, check.get("parameters"))?;
    Ok(Some(WrittenCheck { path, parameters_path, id, parameters, named: false }))
}

/// Parameters are an object; `null` and `true` stand for none.
fn parameters_of(path: &str, written: Option<&Value>) -> Result<Map<String, Value>, Fault> {
    match written {
        None | Some(Value::Null | Value::Bool(true)) => Ok(Map::new()),
        Some(Value::Object(parameters)) => Ok(parameters.clone()),
        Some(_) => Err(Fault::new(path, "expected an object of parameters")),
    }
}

fn flag(path: &str, object: &Map<String, Value>, name: &str) -> Result<bool, Fault> {
    flag_or(path, object, name, false)
}

/// A switch. Configs that people have typed into forms write it as a text, too.
fn flag_or(path: &str, object: &Map<String, Value>, name: &str, default: bool) -> Result<bool, Fault> {
    match member(object, name) {
        None | Some(Value::Null) => Ok(default),
        Some(Value::Bool(flag)) => Ok(*flag),
        Some(Value::String(text)) if text == "true" || text == "false" => Ok(text == "true"),
        Some(_) => Err(Fault::new(format!("{path}.{name}"), "expected `true` or `false`")),
    }
}

/// `on_fail` as a word, where it is one.
fn action(path: &str, object: &Map<String, Value>) -> Result<Option<Action>, Fault> {
    match member(object, "on_fail") {
        None | Some(Value::Null | Value::Object(_)) => Ok(None),
        Some(word) => match word.as_str() {
            Some("block" | "deny") => Ok(Some(Action::Block)),
            Some("warn" | "log") => Ok(Some(Action::Warn)),
            Some("replace" | "redact") => Ok(Some(Action::Replace)),
            _ => Err(Fault::new(format!("{path}.on_fail"), "expected `block`, `warn`, `replace`, or an object with `feedback`")),
        },
    }
}

/// A member under its name, in either spelling.
fn member<'v>(object: &'v Map<String, Value>, name: &str) -> Option<&'v Value> {
    object.get(name).or_else(|| object.get(&camel_case(name)))
}

fn camel_case(name: &str) -> String {
    let mut words = name.split('_');
    let mut out = words.next().unwrap_or_default().to_owned();
    for word in words {
        let mut letters = word.chars();
        out.extend(letters.next().map(|first| first.to_ascii_uppercase()));
        out.push_str(letters.as_str());
    }
    out
}
