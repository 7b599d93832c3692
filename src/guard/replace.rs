//! What stands in place of a match: a text, a mask, a hash or a placeholder.

use std::fmt;

use super::{
    placeholder::{Bindings, LITERAL},
    verdict::Gate,
};
use crate::exchange::Tenant;

/// How a rule replaces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Replacement {
    /// With this text.
    Text(String),
    /// With as many characters as there are, all alike but for the last ones.
    Mask {
        /// How many of the last stay.
        keep_last: usize,
        /// What the others become.
        character: char,
    },
    /// With a label and a keyed hash.
    Hash {
        /// What the value is.
        label: String,
    },
    /// With a numbered placeholder.
    Placeholder {
        /// What the value is.
        label: String,
        /// Whether the value comes back.
        restore: bool,
    },
}

impl Replacement {
    /// How what only looks like a placeholder is replaced: it comes back as it was.
    pub(super) fn literal() -> Self {
        Self::Placeholder { label: LITERAL.to_owned(), restore: true }
    }

    /// Whether the value comes back.
    pub fn restores(&self) -> bool {
        matches!(self, Self::Placeholder { restore: true, .. })
    }
}

/// For people: what they will see in its place.
impl fmt::Display for Replacement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Mask { keep_last: 0, character } => write!(f, "{character} for each character"),
            Self::Mask { keep_last, character } => write!(f, "{character} for each character but the last {keep_last}"),
            Self::Hash { label } => write!(f, "[{label}:hash]"),
            Self::Placeholder { label, restore: true } => write!(f, "{{{{{label}_1}}}}, which comes back as the value"),
            Self::Placeholder { label, restore: false } => write!(f, "{{{{{label}_1}}}}"),
        }
    }
}

/// Hashes values, so that nobody who lacks the key can try which value it was.
#[derive(Clone, Copy)]
pub struct HashKey([u8; 32]);

impl fmt::Debug for HashKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HashKey").finish_non_exhaustive()
    }
}

impl HashKey {
    /// The key of an installation, made from its secret.
    pub fn new(secret: &[u8; 32]) -> Self {
        Self(blake3::derive_key("lockgate guardrails hash of a replaced value", secret))
    }

    /// 16 hexadecimal digits: the same for the same value of one tenant.
    fn hash(&self, tenant: Tenant, value: &str) -> String {
        let mut hasher = blake3::Hasher::new_keyed(&self.0);
        hasher.update(&tenant.0).update(value.as_bytes());
        hasher.finalize().to_hex()[..16].to_owned()
    }
}

/// A place of a text that is written over, whole.
#[derive(Debug)]
pub(super) struct Cover<'r> {
    /// How.
    pub(super) replacement: &'r Replacement,
    /// Whether only the rule that says how has matched there.
    pub(super) alone: bool,
    /// Whether every rule that has matched there lets the value come back.
    pub(super) restore: bool,
}

/// Makes what stands in place of the matches of one request or answer.
#[derive(Debug)]
pub(super) struct StandIns {
    gate: Gate,
    key: HashKey,
    tenant: Tenant,
    bindings: Bindings,
    /// What was bound before, and so stands in the text as ours.
    known: Bindings,
}

impl StandIns {
    pub(super) fn new(gate: Gate, key: HashKey, tenant: Tenant) -> Self {
        Self::resumed(gate, key, tenant, Bindings::default())
    }

    /// Goes on where another round has ended, in whose text placeholders stand already.
    pub(super) fn resumed(gate: Gate, key: HashKey, tenant: Tenant, bindings: Bindings) -> Self {
        Self { gate, key, tenant, known: bindings.clone(), bindings }
    }

    /// Whether this placeholder stood for a value before this round.
    pub(super) fn knows(&self, placeholder: &str) -> bool {
        self.known.has(placeholder)
    }

    /// What was bound.
    pub(super) fn into_bindings(self) -> Bindings {
        self.bindings
    }

    /// What stands in place of this value.
    pub(super) fn of(&mut self, cover: &Cover<'_>, value: &str) -> String {
        match cover.replacement {
            Replacement::Text(text) => text.clone(),
            // The last characters may be what another rule must hide.
            Replacement::Mask { keep_last, character } => mask(value, if cover.alone { *keep_last } else { 0 }, *character),
            Replacement::Hash { label } => format!("[{label}:{}]", self.key.hash(self.tenant, value)),
            // An answer goes to others too, whose numbers mean something else.
            Replacement::Placeholder { label, .. } if self.gate == Gate::Output => format!("[{label}]"),
            Replacement::Placeholder { label, .. } if cover.restore => self.bindings.bind(label, value),
            Replacement::Placeholder { label, .. } => self.bindings.seal(label, value),
        }
    }
}

fn mask(value: &str, keep_last: usize, character: char) -> String {
    let characters = value.chars().count();
    let hidden = characters - keep_last.min(characters / 2);
    value.chars().enumerate().map(|(n, own)| if n < hidden { character } else { own }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stand_ins(gate: Gate, tenant: u8) -> StandIns {
        StandIns::new(gate, HashKey::new(&[7; 32]), Tenant([tenant; 16]))
    }

    fn cover(replacement: &Replacement) -> Cover<'_> {
        Cover { replacement, alone: true, restore: replacement.restores() }
    }

    #[test]
    fn a_mask_keeps_the_last_characters_and_never_more_than_half() {
        assert_eq!(mask("4111 1111 1111 1234", 4, '*'), "***************1234");
        assert_eq!(mask("äöüß", 9, '#'), "##üß");
        assert_eq!(mask("x", 4, '*'), "*");
        let mask = Replacement::Mask { keep_last: 4, character: '*' };
        let shared = Cover { alone: false, ..cover(&mask) };
        assert_eq!(stand_ins(Gate::Input, 0).of(&shared, "12345678"), "********", "others match there too");
    }

    #[test]
    fn a_hash_is_the_same_for_a_value_of_one_tenant_and_for_no_other() {
        let hash = Replacement::Hash { label: "EMAIL".to_owned() };
        let of = |tenant, value| stand_ins(Gate::Input, tenant).of(&cover(&hash), value);
        assert_eq!(of(0, "ann@a.org"), of(0, "ann@a.org"));
        assert!(of(0, "ann@a.org") != of(1, "ann@a.org") && of(0, "ann@a.org") != of(0, "bob@a.org"));
        let other = StandIns::new(Gate::Input, HashKey::new(&[8; 32]), Tenant([0; 16])).of(&cover(&hash), "ann@a.org");
        assert_ne!(of(0, "ann@a.org"), other, "another installation");
        assert!(of(0, "x").starts_with("[EMAIL:") && of(0, "x").len() == "[EMAIL:]".len() + 16);
    }

    #[test]
    fn a_placeholder_is_numbered_in_a_request_and_only_a_label_in_an_answer() {
        let placeholder = Replacement::Placeholder { label: "NAME".to_owned(), restore: true };
        let mut numbered = stand_ins(Gate::Input, 0);
        assert_eq!(
            ["Ann", "Bob", "Ann"].map(|name| numbered.of(&cover(&placeholder), name)).join(" "),
            "{{NAME_1}} {{NAME_2}} {{NAME_1}}"
        );
        let sealed = numbered.of(&Cover { restore: false, ..cover(&placeholder) }, "Eve");
        let bindings = numbered.into_bindings();
        assert_eq!(bindings.restore(&format!("{{{{NAME_2}}}} {sealed}")), format!("Bob {sealed}"));
        assert_eq!(stand_ins(Gate::Output, 0).of(&cover(&placeholder), "Ann"), "[NAME]");
    }
}
