//! Tools and how they may be chosen, in either shape.

use serde_json::{Map, Value, json};

use super::{
    super::{is, list, members, object, taken},
    beside,
};

/// The request's tools as chat's. Tools of Anthropic's own, which chat has not, are themselves.
pub(super) fn to_chat(body: &mut Map<String, Value>) {
    if let Some(Value::Array(tools)) = body.get_mut("tools") {
        for tool in tools {
            *tool = function(tool.take());
        }
    }
    let Some(Value::Object(mut choice)) = body.shift_remove("tool_choice") else { return };
    if let Some(alone) = choice.shift_remove("disable_parallel_tool_use").and_then(|alone| alone.as_bool()) {
        body.insert("parallel_tool_calls".to_owned(), (!alone).into());
    }
    let chosen = match choice.get("type").and_then(Value::as_str) {
        Some("any") => json!("required"),
        Some("tool") => json!({ "type": "function", "function": { "name": choice.shift_remove("name") } }),
        Some(word) => json!(word),
        None => return,
    };
    body.insert("tool_choice".to_owned(), chosen);
}

fn function(tool: Value) -> Value {
    let ours = tool.get("type").is_none_or(|kind| kind.is_null() || kind == "custom") && tool.is_object();
    if !ours {
        return tool;
    }
    let mut tool = object(tool);
    let mut function = Map::new();
    for (key, name) in [("name", "name"), ("description", "description"), ("input_schema", "parameters"), ("strict", "strict")] {
        function.extend(tool.shift_remove(key).map(|value| (name.to_owned(), value)));
    }
    let mut out = object(json!({ "type": "function", "function": function }));
    out.extend(taken(&mut tool, "type").map(|kind| (beside::TOOL_TYPE.to_owned(), kind)));
    out.extend(tool);
    out.into()
}

/// The other way.
pub(super) fn from_chat(body: &mut Map<String, Value>) {
    let parallel = body.shift_remove("parallel_tool_calls").and_then(|parallel| parallel.as_bool());
    let choice = body.shift_remove("tool_choice");
    let Some(Value::Array(tools)) = body.shift_remove("tools") else { return };
    let mut choice = choice.and_then(chosen);
    if let Some(parallel) = parallel.filter(|_| !tools.is_empty()) {
        let choice = choice.get_or_insert_with(|| object(json!({ "type": "auto" })));
        choice.insert("disable_parallel_tool_use".to_owned(), (!parallel).into());
    }
    body.insert("tools".to_owned(), tools.into_iter().map(tool).collect());
    body.extend(choice.map(|choice| ("tool_choice".to_owned(), choice.into())));
}

fn tool(tool: Value) -> Value {
    if !is(&tool, "function") {
        return tool;
    }
    let mut tool = object(tool);
    tool.shift_remove("type");
    let mut function = members(&mut tool, "function");
    let mut out = Map::new();
    out.extend(tool.shift_remove(beside::TOOL_TYPE).map(|kind| ("type".to_owned(), kind)));
    for (key, name) in [("name", "name"), ("description", "description"), ("strict", "strict")] {
        out.extend(taken(&mut function, key).map(|value| (name.to_owned(), value)));
    }
    let schema = taken(&mut function, "parameters").unwrap_or_else(|| json!({ "type": "object", "properties": {} }));
    out.insert("input_schema".to_owned(), schema);
    out.extend(tool);
    out.into()
}

fn chosen(choice: Value) -> Option<Map<String, Value>> {
    let chosen = match choice {
        Value::String(word) if word == "required" => json!({ "type": "any" }),
        Value::String(word) => json!({ "type": word }),
        Value::Object(mut choice) => match choice.get("type").and_then(Value::as_str) {
            Some("function") => json!({ "type": "tool", "name": members(&mut choice, "function").shift_remove("name") }),
            Some("allowed_tools") => allowed(members(&mut choice, "allowed_tools")),
            _ => return None,
        },
        _ => return None,
    };
    Some(object(chosen))
}

/// Of a list of allowed tools, Anthropic knows one or all.
fn allowed(mut allowed: Map<String, Value>) -> Value {
    let required = taken(&mut allowed, "mode").is_some_and(|mode| mode == "required");
    let tools = list(&mut allowed, "tools");
    match &tools[..] {
        [only] if required => json!({ "type": "tool", "name": only["function"]["name"] }),
        _ => json!({ "type": if required { "any" } else { "auto" } }),
    }
}
