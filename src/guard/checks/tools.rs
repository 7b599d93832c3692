//! Which tools a model may be offered.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{FactCheck, Facts, Kind, listed::Listed};
use crate::{
    guard::rules::Site,
    wire::json::{Kind as JsonKind, Value},
};

/// Matches a request that offers or demands a tool that is not allowed.
#[derive(Debug, Clone, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Tools {
    /// Types of tools, such as `function`, `custom` or `web_search`.
    #[serde(skip_serializing_if = "Listed::is_empty")]
    pub types: Listed,
    /// Names of functions and of other tools that have one.
    #[serde(skip_serializing_if = "Listed::is_empty")]
    pub names: Listed,
}

impl Kind for Tools {
    fn build(&self, site: &mut Site<'_, '_>) {
        if self.types.is_empty() && self.names.is_empty() {
            site.problem("", "every tool is allowed", "write `types` or `names`");
        }
        site.keep_fact(self.clone());
    }
}

/// A tool that a request names.
struct Tool<'r> {
    kind: Cow<'r, str>,
    name: Option<Cow<'r, str>>,
}

/// The tools that are offered, those of the older `functions` too, and the one that is demanded.
fn tools(root: Value<'_>) -> Vec<Tool<'_>> {
    let offered = root.get("tools").into_iter().flat_map(Value::items).map(tool);
    let choice = root.get("tool_choice").filter(|choice| choice.kind() == JsonKind::Object).map(tool);
    let functions = root.get("functions").into_iter().flat_map(Value::items).chain(root.get("function_call"));
    let functions =
        functions.filter_map(|function| Some(Tool { kind: "function".into(), name: Some(function.get("name")?.as_str()?) }));
    offered.chain(choice).chain(functions).collect()
}

fn tool(value: Value<'_>) -> Tool<'_> {
    let kind = value.get("type").and_then(Value::as_str).unwrap_or(Cow::Borrowed("function"));
    let inside = value.get(&kind);
    let name = inside.and_then(|inside| inside.get("name")).or_else(|| value.get("name"));
    Tool { kind, name: name.and_then(Value::as_str) }
}

impl FactCheck for Tools {
    fn matches(&self, facts: &Facts<'_>) -> bool {
        tools(facts.request.json().root())
            .iter()
            .any(|tool| !self.types.permits(&tool.kind) || tool.name.as_ref().is_some_and(|name| !self.names.permits(name)))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{
        super::conformance::{asking, facts},
        *,
    };

    fn matches(tools: &serde_json::Value, body: &serde_json::Value) -> bool {
        let tools: Tools = serde_json::from_value(tools.clone()).unwrap();
        tools.matches(&facts(&asking(&body.to_string()), &[].into()))
    }

    #[test]
    fn tools_are_judged_wherever_a_request_names_them() {
        let bodies = [
            json!({"model": "m", "messages": [], "tools": [{"type": "function", "function": {"name": "pay"}}]}),
            json!({"model": "m", "messages": [], "tools": [{"type": "function", "name": "pay"}]}),
            json!({"model": "m", "messages": [], "functions": [{"name": "pay"}]}),
            json!({"model": "m", "messages": [], "function_call": {"name": "pay"}}),
            json!({"model": "m", "messages": [], "tool_choice": {"type": "function", "function": {"name": "pay"}}}),
        ];
        for body in &bodies {
            assert!(matches(&json!({"names": {"deny": ["pay"]}}), body), "{body}");
            assert!(matches(&json!({"types": {"deny": ["function"]}}), body), "{body}");
            assert!(matches(&json!({"names": {"allow": ["read_*"]}}), body), "{body}");
            assert!(!matches(&json!({"names": {"allow": ["p*"]}, "types": {"allow": ["function"]}}), body), "{body}");
        }
    }

    #[test]
    fn a_tool_without_a_name_has_a_type_still() {
        let body = json!({"model": "m", "messages": [], "tools": [{"type": "web_search"}], "tool_choice": "auto"});
        assert!(matches(&json!({"types": {"allow": ["function"]}}), &body));
        assert!(!matches(&json!({"names": {"allow": ["pay"]}}), &body));
    }
}
