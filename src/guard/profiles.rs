//! Which rules stand for whom: profiles, by name.
//!
//! A request has the mandatory profiles, those of its client key or else the default ones, and those that it asks for itself: it may add and never take away.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::LazyLock,
};

use super::{rules::Rule, verdict::Mode};

/// The name for every rule that stands, in a profile and as one.
pub const ALL: &str = "all";

/// Profiles that ship, under the names that guides to Portkey's configs use. The operator's of the same name takes the place of one.
static SHIPPED: LazyLock<BTreeMap<&'static str, Profile>> = LazyLock::new(|| {
    [
        ("no-pii", &["personal-data"][..]),
        ("topic-restriction", &["illicit-drugs", "medical-dosage", "weapon-making"]),
        ("no-harmful-content", &["moderation", "harmful-answer", "violent-threat"]),
        ("length-check", &["answer-length"]),
    ]
    .into_iter()
    .map(|(name, rules)| (name, Profile { rules: rules.iter().map(|&rule| rule.to_owned()).collect(), ..Profile::default() }))
    .collect()
});

/// The names of the profiles that ship.
pub fn shipped() -> impl Iterator<Item = &'static str> {
    SHIPPED.keys().copied()
}

/// What the operator says of profiles.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profiles {
    /// Each by its name. Beside them there are those that ship ([`shipped`]), and every group of rules is a profile of its own, and so is [`ALL`].
    pub named: BTreeMap<String, Profile>,
    /// For requests whose client key names none.
    pub default: BTreeSet<String>,
}

impl Default for Profiles {
    fn default() -> Self {
        Self { named: BTreeMap::new(), default: BTreeSet::from([ALL.to_owned()]) }
    }
}

/// Rules that are chosen together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Profile {
    /// Ids, groups, or [`ALL`]. A rule in preview is chosen by its id alone.
    pub rules: BTreeSet<String>,
    /// Whether what they say is done.
    pub mode: Mode,
    /// Whether every request has it.
    pub mandatory: bool,
}

impl Profile {
    /// Whether a rule is one of its own.
    fn has(&self, rule: &Rule) -> bool {
        self.rules.contains(rule.id()) || self.rules.iter().any(|name| is_in(rule, name))
    }
}

/// Whether a group has a rule.
fn is_in(rule: &Rule, group: &str) -> bool {
    rule.stands() && (group == ALL || rule.group() == Some(group))
}

impl Profiles {
    /// Whether every request has some of them.
    pub fn any_mandatory(&self) -> bool {
        self.named.values().any(|profile| profile.mandatory)
    }

    /// The names of a request's profiles: of its key, and those that it asks for.
    pub fn chosen<'n>(&'n self, key: Option<&'n BTreeSet<String>>, asked: &'n BTreeSet<String>) -> BTreeSet<&'n str> {
        let mandatory = self.named.iter().filter(|(_, profile)| profile.mandatory).map(|(name, _)| name);
        mandatory.chain(key.unwrap_or(&self.default)).chain(asked).map(String::as_str).collect()
    }

    /// The profile of a name that is no group's.
    fn profile(&self, name: &str) -> Option<&Profile> {
        self.named.get(name).or_else(|| SHIPPED.get(name))
    }

    /// Whether there is such a profile, other than the groups of rules.
    pub fn has(&self, name: &str) -> bool {
        name == ALL || self.profile(name).is_some()
    }

    /// How a rule stands under these profiles: as the strictest of them says, if one has it.
    pub fn mode_of(&self, chosen: &BTreeSet<&str>, rule: &Rule) -> Option<Mode> {
        let of = |name: &&str| match self.profile(name) {
            Some(profile) => profile.has(rule).then_some(profile.mode),
            // A group, all, or the rule itself.
            None => (rule.id() == *name || is_in(rule, name)).then_some(Mode::Enforce),
        };
        chosen.iter().filter_map(of).max()
    }
}
