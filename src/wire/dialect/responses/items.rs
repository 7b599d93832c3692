//! The items of a response's output.

use serde_json::{Value, json};

/// One item, as far as it is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Item {
    pub(super) id: String,
    pub(super) said: Said,
}

/// What an item is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Said {
    /// What the model thought.
    Reasoning(String),
    /// What it said, and what it refused to.
    Message(Vec<Part>),
    /// What it calls.
    Call { number: u64, id: String, name: String, arguments: String },
}

/// A part of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    Text(String, Value),
    Refusal(String),
}

impl Item {
    /// The item, with how far it has come.
    pub(super) fn value(&self, status: &str) -> Value {
        let id = &self.id;
        match &self.said {
            Said::Reasoning(text) => {
                let content: Vec<_> = (!text.is_empty()).then(|| thought(text)).into_iter().collect();
                json!({ "id": id, "type": "reasoning", "summary": [], "content": content, "status": status })
            }
            Said::Message(parts) => {
                let content: Vec<_> = parts.iter().map(Part::value).collect();
                json!({ "id": id, "type": "message", "status": status, "role": "assistant", "content": content })
            }
            Said::Call { id: call, name, arguments, .. } => {
                json!({ "id": id, "type": "function_call", "status": status, "call_id": call, "name": name, "arguments": arguments })
            }
        }
    }
}

/// The one part of what was thought.
pub(super) fn thought(text: &str) -> Value {
    json!({ "type": "reasoning_text", "text": text })
}

impl Part {
    pub(super) fn value(&self) -> Value {
        match self {
            Self::Text(text, logprobs) => json!({ "type": "output_text", "annotations": [], "logprobs": logprobs, "text": text }),
            Self::Refusal(refusal) => json!({ "type": "refusal", "refusal": refusal }),
        }
    }
}
