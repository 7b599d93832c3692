//! `rules lint`: rules that load and prove themselves, and still are not what their author meant.

use std::{sync::Arc, time::Duration};

use serde_json::Value;

use super::{Entry, Library, coverage, sample::samples, trial::timed};
use crate::{
    diagnostics::{Report, Source},
    guard::{
        Override, Replacement, Settings,
        rules::{
            Rule, RuleSet, open,
            written::{Example, RoleName, Stage},
        },
        verdict::{Action, Gate},
    },
    wire::{Role, Text},
};

/// What people ask and are told every day, a sentence a line.
const ORDINARY: &str = include_str!("ordinary.txt");
/// A rule that finds something in more of a hundred ordinary sentences finds it everywhere.
const MOST_ORDINARY_PERCENT: usize = 3;
/// A rule is slow if it takes this many times what the middle one of all takes for the same text,
const SLOW_TIMES: u32 = 30;
/// and no less than this for a kilobyte: below it nobody would notice.
const SLOW_PER_KB: Duration = Duration::from_micros(50);
/// A machine that is busy makes a rule look slow, and never fast: the best of so many counts.
const TIMED: usize = 5;

/// What may be wrong with a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lint {
    /// It stands where what it looks for never comes by.
    Dead,
    /// A match without any of the keywords is never looked for.
    Keywords,
    /// Another rule finds all that its examples show.
    Overlapping,
    /// It fires on ordinary sentences.
    AlwaysMatching,
    /// An exception that no example needs.
    Exception,
    /// It takes far longer than the others.
    Slow,
    /// What it does, and how it is configured, do not go together.
    Odd,
}

impl Lint {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::Dead, Self::Keywords, Self::Overlapping, Self::AlwaysMatching, Self::Exception, Self::Slow, Self::Odd];

    /// The word that is printed.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Dead => "dead",
            Self::Keywords => "keywords",
            Self::Overlapping => "overlapping",
            Self::AlwaysMatching => "always-matching",
            Self::Exception => "exception",
            Self::Slow => "slow",
            Self::Odd => "odd",
        }
    }
}

/// A remark about a rule.
#[derive(Debug, PartialEq, Eq)]
pub struct Remark {
    /// The rule.
    pub rule: String,
    /// Its file.
    pub file: String,
    /// Which lint.
    pub lint: Lint,
    /// What it is.
    pub message: String,
    /// What to do about it.
    pub remedy: &'static str,
}

/// Looks at every rule of a library, by itself and beside the others.
pub fn lint(library: &Library, settings: &Settings) -> Result<Vec<Remark>, Vec<Report>> {
    let entries = library.entries()?;
    let mut linter = Linter { settings, entries: &entries, remarks: Vec::new() };
    let sources: Vec<_> = library.sources().map(|(_, source)| source).collect();
    for (entry, source) in entries.iter().zip(sources) {
        linter.dead(entry);
        linter.keywords(entry);
        linter.overlapping(entry);
        linter.always_matching(entry);
        linter.exceptions(entry, source);
        linter.odd(entry);
    }
    let took: Vec<_> = entries.iter().map(|entry| ordinary_time(&entry.rule)).collect();
    linter.slow(&took);
    Ok(linter.remarks)
}

struct Linter<'l> {
    settings: &'l Settings,
    entries: &'l [Entry],
    remarks: Vec<Remark>,
}

impl Linter<'_> {
    fn remark(&mut self, entry: &Entry, lint: Lint, message: String, remedy: &'static str) {
        let (rule, file) = (entry.rule.id().to_owned(), entry.file.clone());
        self.remarks.push(Remark { rule, file, lint, message, remedy });
    }

    fn dead(&mut self, entry: &Entry) {
        let written = entry.rule.written();
        if written.stage == Stage::Output
            && !written.look_at.roles.is_empty()
            && !written.look_at.roles.contains(&RoleName::Assistant)
        {
            let message =
                "an output rule looks at answers, which are the assistant's, and `look_at.roles` leaves those out".to_owned();
            self.remark(entry, Lint::Dead, message, "remove `look_at.roles`, or write `stage: input`");
        }
    }

    /// Examples, and texts made from the patterns, which the rule finds by itself and not behind its keywords.
    fn keywords(&mut self, entry: &Entry) {
        let rule = &entry.rule;
        let Ok(set) = RuleSet::new(gate_of(rule), [0; 16], std::slice::from_ref(rule)) else { return };
        let asleep = |text: &str| {
            let seen = Text::alone(role_of(rule), text);
            !rule.find(text).is_empty() && set.scan(std::slice::from_ref(&seen)).is_empty()
        };
        let examples = rule.written().examples.matching.iter().filter_map(Example::text).map(str::to_owned);
        let missed = examples.chain(patterns(rule).iter().flat_map(|pattern| samples(pattern))).find(|text| asleep(text));
        if let Some(text) = missed {
            let message = format!("{text:?} is a match and has none of the `keywords`, so that it is never looked for");
            self.remark(entry, Lint::Keywords, message, "name a keyword for every branch of the pattern, or remove `keywords`");
        }
    }

    fn overlapping(&mut self, entry: &Entry) {
        let examples = &entry.rule.written().examples.matching;
        let same_place = |other: &&Entry| {
            other.rule.id() != entry.rule.id()
                && gates(&other.rule).iter().any(|gate| gates(&entry.rule).contains(gate))
                && !other.rule.needs_whole_answer()
        };
        let finds_all = |other: &&Entry| examples.iter().all(|example| other.rule.matches(example).is_ok_and(|matches| matches));
        let other = self.entries.iter().filter(same_place).find(finds_all).map(|other| other.rule.id().to_owned());
        if let Some(other) = other {
            let message = format!("`{other}` finds something in every match example of this rule");
            self.remark(entry, Lint::Overlapping, message, "add an example that only this rule finds, or drop one of the two");
        }
    }

    fn always_matching(&mut self, entry: &Entry) {
        if entry.rule.needs_whole_answer() {
            return;
        }
        let sentences = ORDINARY.lines().count();
        let fired: Vec<_> = ORDINARY.lines().filter(|line| !entry.rule.find(line).is_empty()).collect();
        if let [first, ..] = fired[..]
            && fired.len() * 100 > sentences * MOST_ORDINARY_PERCENT
        {
            let message = format!("it fires on {} of {sentences} ordinary sentences, such as {first:?}", fired.len());
            self.remark(entry, Lint::AlwaysMatching, message, "narrow `match`, and keep such a sentence as a `pass` example");
        }
    }

    fn exceptions(&mut self, entry: &Entry, source: &Source) {
        let Ok(opened) = open(entry.rule.id(), source.clone()) else { return };
        let Some(rule) = opened.rule else { return };
        for part in coverage::of(&opened.document, &rule).uncovered.into_iter().filter(|part| is_exception(&part.name)) {
            let message = format!("line {}: no example needs this exception: {}", part.place.0, part.name);
            self.remark(entry, Lint::Exception, message, "add a `pass` example that matches without it, or remove it");
        }
    }

    fn odd(&mut self, entry: &Entry) {
        let (written, action) = (entry.rule.written(), entry.effective);
        let rewrites = action.is_some_and(|action| action != Action::Warn);
        if rewrites && written.look_at.roles.contains(&RoleName::System) {
            let message = "it rewrites or refuses the app's own instructions, which nobody else can have written".to_owned();
            self.remark(entry, Lint::Odd, message, "leave `system` out of `look_at.roles`, where it is only warned about");
        }
        let with = match entry.rule.replacement() {
            Replacement::Text(text) => text,
            _ => "",
        };
        if action == Some(Action::Replace) && !entry.rule.find(with).is_empty() {
            let message = "it matches what it puts in place of a match".to_owned();
            self.remark(entry, Lint::Odd, message, "choose a `replace.text` that the rule itself lets pass");
        }
        let says = self.settings.overrides.get(entry.rule.id());
        if says.is_some_and(|says| *says != Override::Off) && entry.effective == Some(written.action) && !is_preview(entry) {
            let message = "the configuration gives it the action that its file has anyway".to_owned();
            self.remark(entry, Lint::Odd, message, "remove its line under `guardrails.rules`");
        }
    }

    /// `took` is how long each rule looked through the ordinary sentences.
    fn slow(&mut self, took: &[Duration]) {
        let mut sorted = took.to_vec();
        sorted.sort();
        let Some(&middle) = sorted.get(sorted.len() / 2) else { return };
        let kilobytes = u32::try_from(ORDINARY.len() / 1024).unwrap_or(u32::MAX).max(1);
        for (entry, took) in self.entries.iter().zip(took) {
            let per_kb = *took / kilobytes;
            if per_kb >= SLOW_PER_KB && *took >= middle * SLOW_TIMES {
                let times = took.as_nanos() / middle.as_nanos().max(1);
                let message = format!("{} µs for a kilobyte, {times} times what the middle rule takes", per_kb.as_micros());
                self.remark(entry, Lint::Slow, message, "give the pattern `keywords`, and begin it with something rare");
            }
        }
    }
}

/// How long a rule looks through the ordinary sentences, behind its keywords as it is in traffic.
fn ordinary_time(rule: &Arc<Rule>) -> Duration {
    let Ok(set) = RuleSet::new(gate_of(rule), [0; 16], std::slice::from_ref(rule)) else { return Duration::ZERO };
    let texts: Vec<_> = ORDINARY.lines().map(|line| Text::alone(role_of(rule), line)).collect();
    let looks = (0..TIMED).map(|_| timed(|| drop(set.scan(&texts))));
    looks.min().unwrap_or_default()
}

fn is_preview(entry: &Entry) -> bool {
    entry.rule.written().maturity == crate::guard::rules::written::Maturity::Preview
}

/// A part under a key that lists exceptions.
fn is_exception(part: &str) -> bool {
    part.split(':').next().is_some_and(|keys| keys.split('.').any(|key| key == "exceptions"))
}

fn gates(rule: &Rule) -> &'static [Gate] {
    match rule.written().stage {
        Stage::Input => &[Gate::Input],
        Stage::Output => &[Gate::Output],
        Stage::Both => &[Gate::Input, Gate::Output],
    }
}

fn gate_of(rule: &Arc<Rule>) -> Gate {
    gates(rule).first().copied().unwrap_or(Gate::Input)
}

/// A role that the rule looks at.
fn role_of(rule: &Rule) -> Role {
    match rule.written().look_at.roles.first() {
        Some(RoleName::System) => Role::System,
        Some(RoleName::Assistant) => Role::Assistant,
        Some(RoleName::Tool) => Role::Tool,
        Some(RoleName::User) | None => Role::User,
    }
}

/// Every `regex` under `match` that has keywords beside it.
fn patterns(rule: &Rule) -> Vec<String> {
    fn collect(value: &Value, out: &mut Vec<String>) {
        match value {
            Value::Array(items) => items.iter().for_each(|item| collect(item, out)),
            Value::Object(map) => {
                let has_keywords = map.get("keywords").and_then(Value::as_array).is_some_and(|words| !words.is_empty());
                out.extend(map.get("regex").and_then(Value::as_str).filter(|_| has_keywords).map(str::to_owned));
                map.values().for_each(|value| collect(value, out));
            }
            _ => {}
        }
    }
    let mut out = Vec::new();
    if let Ok(value) = serde_json::to_value(&rule.written().matching) {
        collect(&value, &mut out);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guard::authoring::tests::{builtin, rule};

    /// What is said of these files, in a folder of their own.
    fn remarks(files: &[(&str, String)], overrides: &[(&str, Override)]) -> Vec<(String, Lint)> {
        let folder = tempfile::tempdir().unwrap();
        for (id, text) in files {
            std::fs::write(folder.path().join(format!("{id}.yaml")), text).unwrap();
        }
        let overrides = overrides.iter().map(|&(id, says)| (id.to_owned(), says)).collect();
        let settings = Settings { builtin: false, directory: Some(folder.path().to_owned()), overrides };
        let remarks = lint(&Library::of(&settings), &settings).unwrap();
        remarks.into_iter().filter(|remark| remark.lint != Lint::Slow).map(|remark| (remark.rule, remark.lint)).collect()
    }

    fn one(text: String) -> Vec<Lint> {
        remarks(&[("one", text)], &[]).into_iter().map(|(_, lint)| lint).collect()
    }

    #[test]
    fn a_rule_that_is_as_it_should_be_has_no_remark() {
        assert_eq!(one(rule("{words: [zebra]}", "{match: [A zebra.], pass: [A horse.]}")), []);
    }

    #[test]
    fn an_output_rule_that_looks_at_users_is_dead() {
        let text = rule("{words: [zebra]}", "{match: [A zebra.], pass: [A horse.]}");
        assert_eq!(one(text.replace("stage: input", "stage: output\nlook_at: {roles: [user]}")), [Lint::Dead]);
    }

    #[test]
    fn a_branch_without_a_keyword_is_found_though_no_example_has_it() {
        let pattern = "{patterns: [{regex: '(?:zebra|okapi) crossing', keywords: [zebra]}]}";
        assert_eq!(one(rule(pattern, "{match: [A zebra crossing.], pass: [A horse.]}")), [Lint::Keywords]);
        let fixed = pattern.replace("[zebra]", "[zebra, okapi]");
        assert_eq!(one(rule(&fixed, "{match: [A zebra crossing.], pass: [A horse.]}")), []);
    }

    #[test]
    fn a_rule_whose_examples_another_finds_overlaps() {
        let small = rule("{words: [zebra]}", "{match: [A zebra.], pass: [A horse.]}");
        let large = rule("{words: [zebra, lion]}", "{match: [A zebra., A lion.], pass: [A horse.]}");
        assert_eq!(remarks(&[("large", large), ("small", small)], &[]), [("small".to_owned(), Lint::Overlapping)]);
    }

    #[test]
    fn a_rule_that_fires_on_ordinary_sentences_is_found() {
        assert_eq!(one(rule("{words: [the]}", "{match: [the zebra], pass: [a horse]}")), [Lint::AlwaysMatching]);
    }

    #[test]
    fn an_exception_that_no_example_needs_is_found() {
        let text = rule("{words: [zebra]}\nexceptions: {patterns: ['ZEBRA']}", "{match: [A zebra.], pass: [A horse.]}");
        assert_eq!(one(text.clone()), [Lint::Exception]);
        assert_eq!(one(text.replace("[A horse.]", "[A ZEBRA.]")), []);
    }

    #[test]
    fn actions_that_do_not_go_together_are_found() {
        let text = rule("{words: [zebra]}", "{match: [A zebra.], pass: [A horse.]}");
        let odd = |change: &str| one(text.replace("action: warn", change));
        assert_eq!(odd("action: block\nlook_at: {roles: [system]}"), [Lint::Odd]);
        assert_eq!(odd("action: replace\nreplace: {text: a zebra}"), [Lint::Odd]);
        assert_eq!(remarks(&[("one", text)], &[("one", Override::Warn)]), [("one".to_owned(), Lint::Odd)]);
    }

    #[test]
    fn slow_is_far_over_the_middle_and_long_enough_to_notice() {
        let settings = builtin();
        let library = Library::of(&settings);
        let entries = library.entries().unwrap();
        let slow = |first: Duration| {
            let mut linter = Linter { settings: &settings, entries: &entries[..3], remarks: Vec::new() };
            linter.slow(&[first, Duration::from_micros(20), Duration::from_micros(30)]);
            linter.remarks.len()
        };
        assert_eq!((slow(Duration::from_millis(90)), slow(Duration::from_micros(60))), (1, 0));
    }

    #[test]
    fn the_ordinary_sentences_are_enough_to_measure_by() {
        assert!(ORDINARY.lines().count() >= 100 && ORDINARY.len() > 4096 && !ORDINARY.lines().any(str::is_empty));
    }
}
