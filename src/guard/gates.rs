//! Both gates of each request: the rules as they are now, as far as the profiles of the request choose them. Who is under way goes on with those it began with.

use std::{
    collections::BTreeSet,
    fmt,
    sync::{Arc, Mutex},
};

use arc_swap::ArcSwap;
use moka::sync::Cache;

use super::{
    HookLists, Hooks, InputGate, Meaning, OutputGate, Settings, hooks,
    profiles::Profiles,
    reload::{Reread, Status},
    replace::HashKey,
    rules::{Pack, RuleSet},
    verdict::Gate,
};
use crate::error::{Error, Kind, Result};

/// Combinations of profiles that are remembered: clients may ask for any.
const REMEMBERED: u64 = 256;

/// Where a request asks for more profiles.
const HEADER: &str = "x-lockgate-guardrails";

/// Where both gates of every new request come from.
pub struct Rules {
    pub(super) now: ArcSwap<State>,
    pub(super) key: HashKey,
    pub(super) meaning: Meaning,
    pub(super) status: ArcSwap<Status>,
    pub(super) reread: Reread,
    /// By which settings the rules were loaded last. Locked while they are loaded, so that one reload follows the other.
    pub(super) settings: Mutex<Settings>,
}

impl fmt::Debug for Rules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rules").field("status", &self.status).finish_non_exhaustive()
    }
}

/// One state of the rules.
#[derive(Debug)]
pub(super) struct State {
    pub(super) pack: Pack,
    profiles: Profiles,
    /// For requests that name no profile.
    standard: Gates,
    /// For others, by what names rules at each gate.
    chosen: Cache<[Vec<String>; 2], Gates>,
    /// Of configs, by what they say.
    hooks: Cache<[u8; 16], Hooks>,
}

/// Both gates, of one state of the rules: a request that begins with one keeps it to its end.
#[derive(Debug, Clone)]
pub struct Gates {
    /// 1
    pub input: InputGate,
    /// 4
    pub output: OutputGate,
}

impl Gates {
    /// The gates of a pack: every rule that stands, for whoever needs neither profiles nor a key.
    pub fn of(pack: &Pack) -> Self {
        let (profiles, asked) = (Profiles::default(), BTreeSet::new());
        let names = profiles.chosen(None, &asked);
        Self::chosen(pack, &profiles, [&names, &names], HashKey::new(&[0; 32]))
    }

    /// The gates with the rules of these names, for each gate its own.
    fn chosen(pack: &Pack, profiles: &Profiles, [input, output]: [&BTreeSet<&str>; 2], key: HashKey) -> Self {
        let select = |set: &RuleSet, names| Arc::new(set.select(|rule| profiles.mode_of(names, rule)));
        let (input, output) = (select(&pack.input, input), select(&pack.output, output));
        Self { input: InputGate::new(input, key, profiles.any_mandatory()), output: OutputGate::new(output, key) }
    }
}

impl Rules {
    /// Who asks the rules that demand to know the meaning of a text.
    pub fn meaning(&self) -> &Meaning {
        &self.meaning
    }

    /// Both gates as they are now, for a request that names no profile.
    pub fn gates(&self) -> Gates {
        self.now.load().standard.clone()
    }

    /// Both gates as they are now, for a request with the profiles of its client key and those that it asks for.
    pub fn gates_for(&self, key: Option<&BTreeSet<String>>, asked: &BTreeSet<String>) -> Result<Gates> {
        self.gates_with(key, asked, &Hooks::default())
    }

    /// The same with the rules that the hooks of a config name and do not soften: what looks at meanings or judges a stream as it comes does so only at a gate.
    pub fn gates_with(&self, key: Option<&BTreeSet<String>>, asked: &BTreeSet<String>, hooks: &Hooks) -> Result<Gates> {
        let state = self.now.load();
        if key.is_none() && asked.is_empty() && !hooks.names_rules() {
            return Ok(state.standard.clone());
        }
        if let Some(name) = asked.iter().find(|name| !state.knows(name)) {
            let message =
                format!("The header `{HEADER}` names `{name}`, which is no profile here. Leave it out, or ask the operator.");
            return Err(Error::new(Kind::InvalidHeader, message).param(HEADER));
        }
        let names = [Gate::Input, Gate::Output].map(|gate| {
            let names = state.profiles.chosen(key, asked);
            names.into_iter().chain(hooks.names(gate)).collect::<BTreeSet<_>>()
        });
        let together = names.each_ref().map(|names| names.iter().map(|&name| name.to_owned()).collect());
        let [input, output] = &names;
        Ok(state.chosen.get_with(together, || Gates::chosen(&state.pack, &state.profiles, [input, output], self.key)))
    }

    /// The hooks of a config, with the rules as they are now. The problem names its place in the config.
    pub fn hooks(&self, lists: &HookLists) -> std::result::Result<Hooks, hooks::Fault> {
        if lists.is_empty() {
            return Ok(Hooks::default());
        }
        let (state, digest) = (self.now.load(), lists.digest());
        if let Some(known) = state.hooks.get(&digest) {
            return Ok(known);
        }
        let compiled = Hooks::compile(lists, &state.pack, &state.profiles)?;
        state.hooks.insert(digest, compiled.clone());
        Ok(compiled)
    }
}

impl State {
    pub(super) fn new(pack: Pack, profiles: Profiles, key: HashKey) -> Self {
        let asked = BTreeSet::new();
        let names = profiles.chosen(None, &asked);
        let standard = Gates::chosen(&pack, &profiles, [&names, &names], key);
        Self { pack, profiles, standard, chosen: Cache::new(REMEMBERED), hooks: Cache::new(REMEMBERED) }
    }

    /// Whether these would be the same rules for everybody.
    pub(super) fn is(&self, pack: &Pack, profiles: &Profiles) -> bool {
        self.pack.input.id() == pack.input.id() && self.profiles == *profiles
    }

    fn knows(&self, name: &str) -> bool {
        self.profiles.has(name) || self.pack.groups().any(|group| group == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guard::{
        Mode, Settings,
        profiles::{ALL, Profile},
        rules::load,
    };

    fn begun(pack: Pack, profiles: Profiles) -> Rules {
        let settings = Settings { builtin: true, directory: None, overrides: Default::default() };
        Rules::new(pack, (settings.clone(), profiles.clone()), &[0; 32], Meaning::new(None), move || {
            Ok((settings.clone(), profiles.clone()))
        })
    }

    fn names(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    fn profile(rules: &[&str], mode: Mode, mandatory: bool) -> Profile {
        Profile { rules: names(rules), mode, mandatory }
    }

    fn rules(profiles: &[(&str, Profile)], default: &[&str]) -> Rules {
        let named = profiles.iter().map(|(name, profile)| ((*name).to_owned(), profile.clone())).collect();
        let pack = load(&Settings { builtin: true, directory: None, overrides: Default::default() }).unwrap();
        begun(pack, Profiles { named, default: names(default) })
    }

    /// The input rules of a request, each with a mark where it is only watched.
    fn standing(rules: &Rules, key: Option<&[&str]>, asked: &[&str]) -> Vec<String> {
        let gates = rules.gates_for(key.map(names).as_ref(), &names(asked)).unwrap();
        let set = gates.input.rules();
        let told = |(n, rule): (usize, &Arc<super::super::rules::Rule>)| match set.mode(n) {
            Mode::Enforce => rule.id().to_owned(),
            Mode::Monitor => format!("({})", rule.id()),
        };
        set.rules().iter().enumerate().map(told).collect()
    }

    /// The input rules of a group that ship with Lockgate and stand.
    fn of_group(rules: &Rules, group: &str) -> Vec<String> {
        let gates = rules.gates_for(Some(&names(&[ALL])), &names(&[])).unwrap();
        let of_it = |rule: &&Arc<super::super::rules::Rule>| rule.group() == Some(group);
        gates.input.rules().rules().iter().filter(of_it).map(|rule| rule.id().to_owned()).collect()
    }

    #[test]
    fn without_a_word_every_rule_that_stands_is_active() {
        let rules = rules(&[], &[ALL]);
        let all = standing(&rules, None, &[]);
        assert!(all.contains(&"payment-card".to_owned()) && !all.contains(&"medical-dosage".to_owned()), "{all:?}");
        let secrets = of_group(&rules, "secrets");
        assert!(secrets.contains(&"jwt".to_owned()), "{secrets:?}");
        assert_eq!(standing(&rules, Some(&["secrets"]), &[]), secrets, "a group is a profile");
        assert_eq!(standing(&rules, Some(&["topics"]), &[]), [""; 0], "what is in preview is named by its id alone");
    }

    #[test]
    fn a_request_adds_to_what_it_has_and_takes_nothing_away() {
        let profiles = [
            ("cards", profile(&["payment-card"], Mode::Enforce, true)),
            ("watch", profile(&["secrets", "payment-card", "medical-dosage"], Mode::Monitor, false)),
        ];
        let rules = rules(&profiles, &["us"]);
        assert_eq!(standing(&rules, None, &[]), ["payment-card"]);
        let mut watched = of_group(&rules, "secrets");
        watched.extend(["medical-dosage".to_owned(), "payment-card".to_owned()]);
        watched.sort();
        let mark = |id: String| if id == "payment-card" { id } else { format!("({id})") };
        let watched: Vec<_> = watched.into_iter().map(mark).collect();
        assert_eq!(standing(&rules, Some(&["watch"]), &[]), watched, "the strictest profile says how a rule stands");
        assert_eq!(standing(&rules, None, &["watch"]), watched);
        assert!(standing(&rules, Some(&["watch"]), &["secrets"]).contains(&"jwt".to_owned()));
    }

    #[test]
    fn a_request_cannot_ask_for_what_there_is_not() {
        let rules = rules(&[("mine", Profile::default())], &[]);
        assert!(["mine", "all", "secrets"].iter().all(|name| rules.gates_for(None, &names(&[name])).is_ok()));
        let error = rules.gates_for(None, &names(&["jwt"])).unwrap_err();
        assert_eq!((error.kind(), error.field()), (Kind::InvalidHeader, Some(HEADER)));
    }

    #[test]
    fn what_a_config_names_stands_at_the_gate_that_it_names() {
        let rules = rules(&[], &["us"]);
        let config = serde_json::json!({"input_guardrails": ["topic-restriction"], "output_guardrails": ["harmful-answer"]});
        let hooks = rules.hooks(&HookLists::of(config.as_object().unwrap())).unwrap();
        let gates = rules.gates_with(None, &names(&[]), &hooks).unwrap();
        let ids = |set: &RuleSet| set.rules().iter().map(|rule| rule.id().to_owned()).collect::<Vec<_>>();
        assert_eq!(ids(gates.input.rules()), ["illicit-drugs", "medical-dosage", "weapon-making"]);
        assert_eq!(ids(gates.output.rules()), ["harmful-answer"]);
        assert_eq!(ids(rules.gates().output.rules()), [""; 0]);
    }

    #[test]
    fn other_rules_are_another_set_and_the_same_rules_are_the_same() {
        let rules = rules(
            &[("watch", profile(&[ALL], Mode::Monitor, false)), ("keys", profile(&["secrets"], Mode::Enforce, false))],
            &[ALL],
        );
        let id = |key: &[&str]| rules.gates_for(Some(&names(key)), &names(&[])).unwrap().input.rules().id();
        assert_eq!(rules.gates().input.rules().id(), id(&["all"]));
        assert_eq!(id(&["keys"]), id(&["secrets"]));
        assert!(id(&["all"]) != id(&["watch"]) && id(&["all"]) != id(&["keys"]));
    }
}
