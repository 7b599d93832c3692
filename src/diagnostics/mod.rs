//! How every file that people write is criticised: file:line:column, caret, consequence, remedy.
//!
//! A [`Source`] is read, parsed to a [`Document`] that remembers where everything stands, optionally
//! [interpolated](Document::interpolate), and [read](Document::read) as a Rust type against that type's own JSON
//! Schema. Whoever reads it goes on to judge what a schema cannot and points at the same places. All that is wrong
//! comes out together, as one [`Report`].
//!
//! A message never repeats a value, because a value may be a secret; it names keys, places and what would fit.

mod document;
mod explain;
mod fault;
mod interpolate;
mod parse;
mod read;
mod report;
mod schema;
mod source;

pub use document::Document;
pub use fault::Fault;
pub use read::Reading;
pub use report::{Problem, Report};
pub use source::Source;

#[cfg(test)]
mod tests;
