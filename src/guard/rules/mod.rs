//! Rule files: as written, compiled, and together as the set that the gates use.

mod compile;
mod pack;
mod set;
pub mod written;

pub use pack::{Pack, known_ids, load};
pub use set::{Finding, Rule, RuleSet, RuleSetId};
