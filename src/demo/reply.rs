//! What the demo upstream says: a sentence, a tool call, or JSON where JSON was asked for.

use serde_json::{Map, Value, json};

use super::{directives::Directives, sample};

/// What was said, and why it ended.
#[derive(Debug, PartialEq)]
pub(super) struct Reply {
    pub(super) said: Said,
    pub(super) finish: &'static str,
}

/// A sentence or a tool call.
#[derive(Debug, PartialEq)]
pub(super) enum Said {
    /// Text, or JSON as text.
    Text(String),
    /// The name of a tool and its arguments as JSON text.
    Tool { name: String, arguments: String },
}

impl Said {
    pub(super) fn words(&self) -> usize {
        match self {
            Self::Text(text) => words(text),
            Self::Tool { name, arguments } => words(name) + words(arguments),
        }
    }
}

/// How many words a text has: the estimate of its tokens.
pub(super) fn words(text: &str) -> usize {
    text.split_whitespace().count()
}

/// The sentence that answers a prompt.
pub(super) fn sentence(prompt: &str) -> String {
    format!("This is the demo upstream. You asked: {prompt}")
}

/// Text, brought to the length that the directives or the request's own limit name.
pub(super) fn text(text: &str, directives: &Directives, limit: Option<u64>) -> Reply {
    let mut words = match directives.tokens {
        Some(wanted) => text.split_whitespace().cycle().take(wanted).collect::<Vec<_>>(),
        None => text.split(' ').collect(),
    };
    let limit = limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX);
    let finish = if words.len() > limit { "length" } else { "stop" };
    words.truncate(limit);
    Reply { said: Said::Text(words.join(" ")), finish }
}

/// The answer to a chat request.
pub(super) fn chat(request: &Value, messages: &[Value], directives: &Directives) -> Reply {
    let prompt = last_of(messages, "user");
    if let Some(tool) = tool_to_call(request, messages, &prompt) {
        return call(tool);
    }
    if let Some(content) = structured(&request["response_format"], &prompt) {
        // Neither length applies: half a JSON value would be a failure that nobody asked for.
        return Reply { said: Said::Text(content.to_string()), finish: "stop" };
    }
    let said = match messages.last() {
        Some(last) if last["role"] == "tool" => {
            format!("This is the demo upstream. The tool returned: {}", content_text(&last["content"]))
        }
        _ => sentence(&prompt),
    };
    let limit = request["max_completion_tokens"].as_u64().or_else(|| request["max_tokens"].as_u64());
    text(&said, directives, limit)
}

/// The text of the last message of a role.
fn last_of(messages: &[Value], role: &str) -> String {
    let message = messages.iter().rev().find(|message| message["role"] == role);
    message.map(|message| content_text(&message["content"])).unwrap_or_default()
}

/// The text of a message's content, which is a string or a list of parts.
pub(super) fn content_text(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts.iter().filter_map(|part| part["text"].as_str()).collect::<Vec<_>>().join("\n"),
        _ => String::new(),
    }
}

/// The tool to call, if one is offered and wanted. Only a user's message calls for one: an application that hands the
/// result back would otherwise be told to call it for ever.
fn tool_to_call<'r>(request: &'r Value, messages: &[Value], prompt: &str) -> Option<&'r Value> {
    let tools = request["tools"].as_array()?;
    let choice = &request["tool_choice"];
    if let Some(named) = choice["function"]["name"].as_str() {
        return tools.iter().map(|tool| &tool["function"]).find(|function| function["name"] == named);
    }
    let prompt = prompt.to_lowercase();
    let asked = prompt.contains("call a tool") || prompt.contains("weather");
    let from_user = messages.last().is_some_and(|message| message["role"] == "user");
    let wanted = choice == "required" || (asked && choice != "none");
    tools.first().filter(|_| wanted && from_user).map(|tool| &tool["function"])
}

fn call(function: &Value) -> Reply {
    let arguments = match sample::of(&function["parameters"]) {
        Value::Object(arguments) => arguments,
        _ => Map::new(),
    };
    Reply {
        said: Said::Tool {
            name: function["name"].as_str().unwrap_or("tool").to_owned(),
            arguments: Value::Object(arguments).to_string(),
        },
        finish: "tool_calls",
    }
}

/// The JSON that a response format asks for.
fn structured(format: &Value, prompt: &str) -> Option<Value> {
    match format["type"].as_str()? {
        "json_object" => Some(json!({ "answer": sentence(prompt) })),
        "json_schema" => Some(sample::of(&format["json_schema"]["schema"])),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(request: &Value) -> Reply {
        chat(request, request["messages"].as_array().unwrap(), &Directives::default())
    }

    fn is_tool(request: &Value) -> bool {
        matches!(said(request).said, Said::Tool { .. })
    }

    #[test]
    fn the_last_user_message_comes_back_with_its_spaces() {
        let request = json!({"messages": [
            {"role": "user", "content": "First"},
            {"role": "assistant", "content": "Yes?"},
            {"role": "user", "content": [{"type": "text", "text": "two  spaces\nand a line"}]},
        ]});
        let text = "This is the demo upstream. You asked: two  spaces\nand a line";
        assert_eq!(said(&request), Reply { said: Said::Text(text.to_owned()), finish: "stop" });
    }

    #[test]
    fn a_tool_is_called_when_offered_and_asked_for_and_not_after_its_result() {
        let tools = json!([{"type": "function", "function": {"name": "get_weather", "parameters": {
            "type": "object", "properties": {"city": {"type": "string"}}}}}]);
        let user = json!({"role": "user", "content": "The weather in Paris?"});
        let result = json!({"role": "tool", "tool_call_id": "call_1", "content": "18 degrees"});
        assert!(is_tool(&json!({"messages": [user], "tools": tools})));
        assert!(!is_tool(&json!({"messages": [user]})));
        assert!(!is_tool(&json!({"messages": [user], "tools": tools, "tool_choice": "none"})));
        let after = said(&json!({"messages": [user, result], "tools": tools}));
        let text = "This is the demo upstream. The tool returned: 18 degrees".to_owned();
        assert_eq!(after.said, Said::Text(text));
        let hello = json!({"role": "user", "content": "Hello"});
        assert!(!is_tool(&json!({"messages": [hello], "tools": tools})));
        assert!(is_tool(&json!({"messages": [hello], "tools": tools, "tool_choice": "required"})));
    }

    #[test]
    fn the_answer_has_the_length_that_was_asked_for() {
        let long = text("a b c", &Directives { tokens: Some(5), ..Directives::default() }, None);
        assert_eq!(long, Reply { said: Said::Text("a b c a b".to_owned()), finish: "stop" });
        let cut = text("a b c", &Directives::default(), Some(2));
        assert_eq!(cut, Reply { said: Said::Text("a b".to_owned()), finish: "length" });
    }
}
