//! Shapes without behaviour: what travels on the OpenAI wire, and how to read it without changing it.

pub mod address;
pub mod assemble;
pub mod channel;
pub mod collect;
pub mod dialect;
pub mod encoding;
pub mod halves;
pub mod json;
pub mod replay;
pub mod request;
pub mod response;
pub mod sse;
pub mod text;

pub use dialect::{Dialect, Speaker};
pub use json::Json;
pub use request::{Endpoint, Request};
pub use text::{Part, Role, Text};
