//! Anthropic's Messages: requests, answers, errors and events, into chat and out of it.
//!
//! What only Messages knows keeps its name in chat: `top_k`, `thinking`, `cache_control` on parts and tools, blocks of kinds that chat has not. The rest of
//! what must not be lost stands beside the chat words: `reasoning_signature` and `redacted_thinking` beside `reasoning_content`, `is_error` in the message of a
//! tool, `document` on the part that holds its text, `block_order` in a message whose blocks are in no usual order.

mod answer;
mod content;
mod error;
mod from_chat;
mod request;
mod strip;
mod to_chat;
mod tools;

pub use answer::{answer_from_chat, answer_to_chat};
pub use error::{error_from_chat, error_to_chat};
pub use from_chat::events_from_chat;
pub use request::{request_from_chat, request_to_chat};
pub use strip::{has_more_than_chat, strip};
pub use to_chat::events_to_chat;

/// Where a chat message has what chat has no word for.
mod beside {
    pub(super) const REASONING: &str = "reasoning_content";
    pub(super) const SIGNATURE: &str = "reasoning_signature";
    pub(super) const REDACTED: &str = "redacted_thinking";
    pub(super) const ORDER: &str = "block_order";
    pub(super) const DOCUMENT: &str = "document";
    pub(super) const TOOL_TYPE: &str = "messages_type";
}

#[cfg(test)]
mod tests;
