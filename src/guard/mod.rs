//! 1 and 4: one engine, two gates.
//!
//! Rules find and say what they want done; a gate decides, and what has passed a gate is of a type that only that gate can make.

use std::{collections::BTreeMap, path::PathBuf};

mod arguments;
pub mod authoring;
mod callouts;
pub mod checks;
mod gates;
pub mod hooks;
mod input;
mod meaning;
mod output;
pub mod placeholder;
pub mod profiles;
pub mod proof;
mod redact;
mod reload;
mod replace;
mod restore;
pub mod rules;
mod stream;
pub mod verdict;

pub use callouts::Callouts;
pub use gates::{Gates, Rules};
pub use hooks::{Errand, HookLists, Hooks};
pub use input::{InputGate, Screening};
pub use meaning::Meaning;
pub use output::{Clearing, OutputGate};
pub use placeholder::Bindings;
pub use profiles::{Profile, Profiles};
pub use proof::{Cleared, Complete, Screened, Stored};
pub use reload::{Reloaded, Status};
pub use replace::{HashKey, Replacement};
pub use restore::{Restoration, Restored};
pub use stream::{ClearedStream, Restoring, hold};
pub use verdict::{Action, Block, Failure, Gate, Mode, OnError, Refusal, Severity};

/// Which rules guard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Whether the rules that ship with Lockgate are active.
    pub builtin: bool,
    /// A folder of rule files beside them.
    pub directory: Option<PathBuf>,
    /// What the operator says of single rules, by id.
    pub overrides: BTreeMap<String, Override>,
}

/// What an operator may say of a rule without editing its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Override {
    /// The rule does not run.
    Off,
    /// The rule blocks.
    Block,
    /// The rule warns.
    Warn,
    /// The rule replaces.
    Replace,
}
