//! Rule files: as written, compiled, and together as the set that the gates use.

mod compile;
mod expression;
mod horizon;
#[cfg(test)]
mod kinds;
mod pack;
mod scanner;
mod set;
mod site;
pub mod written;

pub(in crate::guard) use compile::{Opened, open, unproven, variant};
pub use compile::{compile, is_id};
pub use horizon::{Horizon, Settled};
pub use pack::{Known, Pack, assemble, files, load};
pub(in crate::guard) use pack::{RuleFile, Sources, effective, gather, gather_at};
pub use set::{Finding, Place, Rule, RuleSet, RuleSetId};
pub(in crate::guard) use site::Site;
