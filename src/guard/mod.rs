//! 1 and 4: one engine, two gates.

use std::{collections::BTreeMap, path::PathBuf};

/// Which rules guard.
#[derive(Debug, Clone)]
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
