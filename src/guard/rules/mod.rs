//! Rule files: as written, compiled, and together as the set that the gates use.

mod compile;
mod pack;
mod scanner;
mod set;
mod site;
pub mod written;

pub use pack::{Known, Pack, load};
pub use set::{Finding, Place, Rule, RuleSet, RuleSetId};
pub(in crate::guard) use site::Site;
