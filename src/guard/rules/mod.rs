//! Rule files: as written, compiled, and together as the set that the gates use.

mod compile;
#[cfg(test)]
mod kinds;
mod pack;
mod set;
mod site;
pub mod written;

pub use pack::{Pack, known_ids, load};
pub(in crate::guard) use set::Remote;
pub use set::{Finding, Place, Rule, RuleSet, RuleSetId};
pub(in crate::guard) use site::Site;
