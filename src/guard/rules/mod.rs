//! Rule files: as written, compiled, and together as the set that the gates use.

mod compile;
mod expression;
mod pack;
mod set;
mod site;
pub mod written;

pub(in crate::guard) use compile::{Opened, open, unproven, variant};
pub use compile::{compile, is_id};
pub use pack::{Pack, assemble, files, known_ids, load};
pub(in crate::guard) use pack::{Sources, effective, gather, gather_at};
pub use set::{Finding, Place, Rule, RuleSet, RuleSetId};
pub(in crate::guard) use site::Site;
