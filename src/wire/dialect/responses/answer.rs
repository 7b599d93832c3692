//! A whole chat answer as a response.

use serde_json::{Map, Value, json};

use super::{
    super::{list, members, object, text},
    Echo, Head, cut,
    items::{Item, Part, Said},
};

/// A chat answer as a response; `None` if it is none.
pub fn answer_from_chat(answer: Value, echo: &Echo) -> Option<Value> {
    let mut answer = object(answer);
    let mut choice = object(list(&mut answer, "choices").into_iter().next()?);
    let ended = text(&mut choice, "finish_reason").unwrap_or_else(|| "stop".to_owned());
    let head = Head::of(&answer);
    let logprobs = members(&mut choice, "logprobs").shift_remove("content").filter(Value::is_array).unwrap_or_else(|| json!([]));
    let items = items(&head.id, members(&mut choice, "message"), logprobs);
    let status = if cut(&ended).is_some() { "incomplete" } else { "completed" };
    let output: Vec<_> = items.iter().map(|item| item.value(status)).collect();
    Some(head.response(Some(&ended), &output, Some(members(&mut answer, "usage")), echo))
}

fn items(id: &str, mut message: Map<String, Value>, logprobs: Value) -> Vec<Item> {
    let mut out = Vec::new();
    let thought = text(&mut message, "reasoning_content").or_else(|| text(&mut message, "reasoning"));
    out.extend(thought.filter(|thought| !thought.is_empty()).map(Said::Reasoning));
    let refusal = text(&mut message, "refusal").filter(|refusal| !refusal.is_empty()).map(Part::Refusal);
    let said = match message.shift_remove("content") {
        Some(Value::String(said)) => said,
        Some(Value::Array(parts)) => parts.iter().filter_map(|part| part["text"].as_str()).collect(),
        _ => String::new(),
    };
    let calls = list(&mut message, "tool_calls");
    let said = (!said.is_empty() || (calls.is_empty() && refusal.is_none())).then(|| Part::Text(said, logprobs));
    let parts: Vec<_> = said.into_iter().chain(refusal).collect();
    out.extend((!parts.is_empty()).then_some(Said::Message(parts)));
    out.extend(calls.into_iter().zip(0..).map(|(call, number)| called(object(call), number)));
    out.into_iter().enumerate().map(|(n, said)| Item { id: item_id(id, &said, n), said }).collect()
}

/// The id of an item, which is the same whenever the same answer is told.
pub(super) fn item_id(id: &str, said: &Said, n: usize) -> String {
    match said {
        Said::Reasoning(_) => format!("rs_{id}_{n}"),
        Said::Message(_) => format!("msg_{id}_{n}"),
        Said::Call { .. } => format!("fc_{id}_{n}"),
    }
}

fn called(mut call: Map<String, Value>, number: u64) -> Said {
    let mut function = members(&mut call, "function");
    let id = text(&mut call, "id").unwrap_or_default();
    let (name, arguments) = (text(&mut function, "name"), text(&mut function, "arguments"));
    Said::Call { number, id, name: name.unwrap_or_default(), arguments: arguments.unwrap_or_default() }
}
