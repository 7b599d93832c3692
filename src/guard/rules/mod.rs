//! Rule files: as written, compiled, and together as the set that the gates use.

mod compile;
mod horizon;
mod pack;
mod set;
mod site;
pub mod written;

pub use horizon::{Horizon, Settled};
pub use pack::{Pack, known_ids, load};
pub use set::{Finding, Place, Rule, RuleSet, RuleSetId};
pub(in crate::guard) use site::Site;
