//! From hooks as they are written to hooks that run.

use std::{collections::BTreeSet, sync::Arc};

use serde_json::{Map, Value};

use super::{
    Fault,
    written::{WrittenCheck, WrittenHook},
};
use crate::guard::{
    checks::{
        Check as TextCheck, FactCheck, Prefix, RemoteCheck,
        portkey::{self, Translated},
    },
    profiles::Profiles,
    replace::Replacement,
    rules::{Pack, Rule, RuleSet},
    verdict::{Action, Gate, Mode, OnError},
};

/// A hook that runs.
#[derive(Debug)]
pub(super) struct Hook {
    pub(super) id: String,
    /// `guardrail` or `mutator`.
    pub(super) kind: &'static str,
    pub(super) checks: Vec<Check>,
    pub(super) is_async: bool,
    pub(super) sequential: bool,
    pub(super) deny: bool,
    /// Feedback of a failure and of a success.
    pub(super) feedback: [Value; 2],
}

/// One check of a hook.
#[derive(Debug)]
pub(super) struct Check {
    pub(super) id: String,
    pub(super) does: Does,
    /// Whether it fails where it cannot judge.
    pub(super) fail_on_error: bool,
}

/// What a check does.
#[derive(Debug)]
pub(super) enum Does {
    /// Fails where this finds something in what is said.
    Text(Box<dyn TextCheck>),
    /// Fails where this matches the request.
    Facts(Box<dyn FactCheck>),
    /// Asks somebody.
    Remote(Asked),
    /// Writes over what is found in what is said.
    Replace { check: Box<dyn TextCheck>, with: Replacement, fails: bool },
    /// Puts a text before what somebody says.
    Prefix(Prefix),
    /// Has rules of ours judge.
    Rules(Rules),
}

/// Somebody who is asked.
#[derive(Debug)]
pub(super) enum Asked {
    /// By the config.
    Own(Box<dyn RemoteCheck>),
    /// By a rule that the config names and softens: its check of this index.
    OfRule(Arc<Rule>, usize),
}

impl Asked {
    /// The check, if its rule has it still.
    pub(super) fn check(&self) -> Option<&dyn RemoteCheck> {
        match self {
            Self::Own(check) => Some(&**check),
            Self::OfRule(rule, n) => rule.remote_checks().get(*n).map(|check| &**check),
        }
    }
}

/// Rules of ours that judge for a hook.
#[derive(Debug)]
pub(super) struct Rules {
    pub(super) set: RuleSet,
    /// What is done about what they find, in place of what they say themselves.
    pub(super) action: Option<Action>,
    /// Whether they judge only what is said, whoever they look at otherwise; else everything.
    pub(super) said_only: bool,
    /// Whether it is well if they find something.
    pub(super) not: bool,
}

impl Rules {
    /// Whether they are named, and what they say is done: such rules stand at the gate as well.
    pub(super) fn stand_at_the_gate(&self) -> bool {
        !self.said_only && matches!(self.action, None | Some(Action::Block))
    }
}

/// Compiles the hooks of a gate.
pub(super) struct Compiler<'s> {
    pub(super) pack: &'s Pack,
    pub(super) profiles: &'s Profiles,
    pub(super) gate: Gate,
}

impl Compiler<'_> {
    pub(super) fn hook(&self, written: WrittenHook) -> Result<Hook, Fault> {
        let WrittenHook { id, kind, checks: listed, is_async, sequential, deny, action, feedback } = written;
        let mut checks = Vec::new();
        for check in listed {
            self.check(check, action, &mut checks)?;
        }
        Ok(Hook { id, kind, checks, is_async, sequential, deny, feedback })
    }

    fn check(&self, written: WrittenCheck, action: Option<Action>, out: &mut Vec<Check>) -> Result<(), Fault> {
        if written.named || (self.knows(&written.id) && !is_portkeys(&written.id)) {
            return self.named(written, action, out);
        }
        let WrittenCheck { path, parameters_path, id, parameters, .. } = written;
        let check = Map::from_iter([("id".to_owned(), id.as_str().into()), ("parameters".to_owned(), parameters.clone().into())]);
        let translated = portkey::translate(&check).map_err(|message| {
            if is_portkeys(&id) { Fault::new(blamed(&parameters_path, &message), message) } else { Fault::new(&path, message) }
        })?;
        let fails = |on_error: OnError| on_error == OnError::Closed;
        let (does, fail_on_error) = match translated {
            Translated::Text(check) => (Does::Text(check), false),
            Translated::Facts(check) => (Does::Facts(check), false),
            Translated::Remote(check, on_error) => (Does::Remote(Asked::Own(check)), fails(on_error)),
            Translated::Replace { check, with, fails } => (Does::Replace { check, with: Replacement::Text(with), fails }, false),
            Translated::Prefix(_) if self.gate == Gate::Output => {
                return Err(Fault::new(path, format!("`{id}` changes requests, and this hook judges answers")));
            }
            Translated::Prefix(prefix) => (Does::Prefix(prefix), false),
            Translated::Rules(groups) => (Does::Rules(self.of_portkey(&path, groups, &parameters)?), false),
        };
        let id = if id.contains('.') { id } else { format!("default.{id}") };
        out.push(Check { id, does, fail_on_error });
        Ok(())
    }

    /// Rules that do what a check of Portkey's does: on what is said, wherever their authors had them look.
    fn of_portkey(&self, path: &str, groups: &[&str], parameters: &Map<String, Value>) -> Result<Rules, Fault> {
        let on = |name: &str| parameters.get(name).is_some_and(|flag| flag == true || flag == "true");
        let categories = parameters.get("categories").and_then(Value::as_array).filter(|listed| !listed.is_empty());
        let listed = |rule: &Rule| {
            let category = CATEGORIES.iter().find(|(_, id)| *id == rule.id()).map(|(category, _)| *category);
            !groups.contains(&"personal-data")
                || categories.is_none_or(|listed| listed.iter().any(|name| name.as_str() == category && category.is_some()))
        };
        let in_it = |rule: &Rule| rule.group().is_some_and(|group| groups.contains(&group));
        let wanted = |rule: &Rule| in_it(rule) && listed(rule) && (rule.stands() || categories.is_some());
        let set = self.pack.input.select(|rule| wanted(rule).then_some(Mode::Enforce));
        if set.rules().is_empty() {
            let message = format!("the rules in {} are off, or none of them is for these categories", groups.join(", "));
            return Err(Fault::new(path, message));
        }
        let action = Some(if on("redact") { Action::Replace } else { Action::Warn });
        Ok(Rules { set, action, said_only: true, not: on("not") })
    }

    /// A rule, a group of rules, or a profile.
    fn named(&self, written: WrittenCheck, action: Option<Action>, out: &mut Vec<Check>) -> Result<(), Fault> {
        let WrittenCheck { path, id, .. } = written;
        if !self.knows(&id) {
            let message = format!("`{id}` names no rule, group of rules or profile here; ask the operator");
            return Err(Fault::new(path, message));
        }
        let [own, other] = match self.gate {
            Gate::Input => [&self.pack.input, &self.pack.output],
            Gate::Output => [&self.pack.output, &self.pack.input],
        };
        let names = BTreeSet::from([id.as_str()]);
        let mode = |rule: &Rule| self.profiles.mode_of(&names, rule);
        let (mut set, mut said_only) = (own.select(mode), false);
        if set.rules().is_empty() {
            // Somebody wants it here, so it judges here what is said.
            (set, said_only) = (other.select(mode), true);
        }
        if set.rules().is_empty() {
            return Err(Fault::new(path, format!("no rule of `{id}` runs here; name one by its id, or ask the operator")));
        }
        let rules = Rules { set, action, said_only, not: false };
        // At the gate they ask and put before what they have to.
        for rule in rules.set.rules().iter().filter(|_| !said_only && !rules.stand_at_the_gate()) {
            let fail_on_error = rule.written().on_error == OnError::Closed;
            let check = |does| Check { id: rule.id().to_owned(), does, fail_on_error };
            let asked = (0..rule.remote_checks().len()).map(|n| Does::Remote(Asked::OfRule(Arc::clone(rule), n)));
            out.extend(asked.chain(rule.prefixes().iter().cloned().map(Does::Prefix)).map(check));
        }
        let fail_on_error = rules.set.rules().iter().any(|rule| rule.written().on_error == OnError::Closed);
        out.push(Check { id, does: Does::Rules(rules), fail_on_error });
        Ok(())
    }

    fn knows(&self, name: &str) -> bool {
        let compiled = || self.pack.input.compiled().chain(self.pack.output.compiled());
        self.profiles.has(name) || compiled().any(|rule| rule.id() == name || rule.group() == Some(name))
    }
}

/// What Portkey calls the data that our rules find. Of its categories, `NAME` alone is found by none.
const CATEGORIES: [(&str, &str); 6] = [
    ("EMAIL_ADDRESS", "email-address"),
    ("PHONE_NUMBER", "phone-number"),
    ("LOCATION_ADDRESS", "location-address"),
    ("IP_ADDRESS", "ip-address"),
    ("CREDIT_CARD", "payment-card"),
    ("SSN", "us-ssn"),
];

fn is_portkeys(id: &str) -> bool {
    let full = if id.contains('.') { id.to_owned() } else { format!("default.{id}") };
    portkey::checks().any(|(known, _)| known.eq_ignore_ascii_case(&full))
}

/// The parameter that a message is about, if it names one.
fn blamed(path: &str, message: &str) -> String {
    let named = message.split_once("the parameter `").and_then(|(_, rest)| rest.split_once('`'));
    named.map_or_else(|| path.to_owned(), |(name, _)| format!("{path}.{name}"))
}
