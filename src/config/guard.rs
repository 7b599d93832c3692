//! Guardrails: which rules there are, what is said of single ones, and which stand for whom.

use std::collections::BTreeSet;

use crate::guard::{
    self,
    profiles::{self, ALL},
    rules::Known,
};

use super::{
    resolver::Resolver,
    written::{self, Action, Guardrails, ProfileMode, Written},
};

/// Longest name of a profile.
const MAX_NAME_BYTES: usize = 64;

impl Resolver<'_> {
    pub(super) fn guard(&mut self, written: &Guardrails) -> guard::Settings {
        let overridden = |action: &Action| match action {
            Action::Off => guard::Override::Off,
            Action::Block => guard::Override::Block,
            Action::Warn => guard::Override::Warn,
            Action::Replace => guard::Override::Replace,
        };
        let directory = written.directory.as_deref().map(|folder| self.folder("/guardrails/directory", folder));
        let known = Known::of(written.builtin, directory.as_deref());
        for id in written.rules.keys().filter(|id| !known.ids.contains(*id)) {
            self.refuse_key(&format!("/guardrails/rules/{id}"), "names no rule", &meant(id, &known.ids));
        }
        guard::Settings {
            builtin: written.builtin,
            directory,
            overrides: written.rules.iter().map(|(id, action)| (id.clone(), overridden(action))).collect(),
        }
    }

    pub(super) fn profiles(&mut self, written: &Written) -> guard::Profiles {
        let guardrails = &written.guardrails;
        let directory = guardrails.directory.as_deref().map(|folder| self.path(folder));
        let Known { ids, groups } = Known::of(guardrails.builtin, directory.as_deref());
        let groups: BTreeSet<String> = groups.into_iter().chain([ALL.to_owned()]).collect();
        let rules = ids.iter().chain(&groups).cloned().collect();
        for (name, profile) in &guardrails.profiles {
            let at = format!("/guardrails/profiles/{name}");
            if !is_plain(name) {
                self.refuse_key(&at, "cannot be asked for in a header", "name it with up to 64 small letters, digits and dashes");
            }
            self.known_names(&format!("{at}/rules"), &profile.rules, &rules, "names neither a rule nor a group of rules");
        }
        let shipped = profiles::shipped().map(str::to_owned);
        let profiles = guardrails.profiles.keys().chain(&groups).cloned().chain(shipped).collect();
        self.known_names("/guardrails/default", &guardrails.default, &profiles, "names no profile");
        for (n, key) in written.access.client_keys.iter().enumerate() {
            let at = format!("/access/client_keys/{n}/guardrails");
            self.known_names(&at, key.guardrails.as_deref().unwrap_or_default(), &profiles, "names no profile");
        }
        let named = guardrails.profiles.iter().map(|(name, profile)| (name.clone(), resolved(profile)));
        let profiles = guard::Profiles { named: named.collect(), default: guardrails.default.iter().cloned().collect() };
        if profiles.any_mandatory() && !written.server.relay.is_empty() {
            self.refuse_because(
                "/server/relay",
                "lists paths while a profile of guardrails is mandatory",
                "what is passed on unread passes every guardrail",
                "remove the paths, or `mandatory` from the profile",
            );
        }
        profiles
    }

    fn known_names(&mut self, at: &str, names: &[String], known: &BTreeSet<String>, message: &str) {
        for (n, name) in names.iter().enumerate().filter(|(_, name)| !known.contains(*name)) {
            self.refuse(&format!("{at}/{n}"), message, &meant(name, known));
        }
    }
}

fn resolved(written: &written::Profile) -> guard::Profile {
    let mode = match written.mode {
        ProfileMode::Enforce => guard::Mode::Enforce,
        ProfileMode::Monitor => guard::Mode::Monitor,
    };
    guard::Profile { rules: written.rules.iter().cloned().collect(), mode, mandatory: written.mandatory }
}

fn is_plain(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=MAX_NAME_BYTES).contains(&name.len()) && name.bytes().all(plain)
}

/// What may have been meant by a name that is not known.
fn meant(name: &str, known: &BTreeSet<String>) -> String {
    let likeness = |known: &str| strsim::jaro_winkler(known, name);
    let near = known.iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b))).filter(|near| likeness(near) > 0.8);
    let all = || format!("name one of: {}", known.iter().cloned().collect::<Vec<_>>().join(", "));
    near.map_or_else(all, |near| format!("did you mean `{near}`?"))
}
