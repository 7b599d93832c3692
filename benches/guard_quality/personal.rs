//! Personal data: what is found of the labelled spans, and how often a rule fires on texts that hold none.
//!
//! A span is found if a finding of its rule begins and ends where it does, to the character. A finding that lies inside of another of its rule
//! counts with it, because the gate writes over both at once. *Recall* is the share of the spans of a type that are found; of cards only those
//! count that pass the check digit. *Precision* is the share of the rule's findings, on all rows, that are a span of its type: a finding in a span
//! of another type, or in one that is not labelled, counts against it.
//!
//! A phone number is *told* if it is written with `+` or `00`, or if its row has one of the words in [`TELLING`] outside of it. The precision of those
//! is over the findings that are told in the same way.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    ops::Range,
    path::Path,
    sync::Arc,
    time::Instant,
};

use lockgate::{
    guard::{
        Gate, Settings,
        checks::Validator,
        rules::{Rule, RuleSet, load},
    },
    wire::{Role, Text},
};
use serde::Deserialize;

use crate::data::{rows, share};

/// Words that say that a number can be called.
const TELLING: [&str; 10] = ["phone", "mobile", "tel:", "fax", "call", "office", "desk", "answering", "message", "sms"];

/// A labelled text.
#[derive(Deserialize)]
struct Row {
    text: String,
    spans: Vec<Span>,
}

/// Offsets in characters.
#[derive(Deserialize)]
struct Span {
    #[serde(rename = "type")]
    kind: String,
    start: usize,
    end: usize,
}

/// A type of the labels, the rule that is to find it, and what recall and precision are to reach.
struct Target {
    kind: &'static str,
    rule: &'static str,
    wanted: &'static str,
    /// Which spans and findings count, by their row and their text.
    counts: fn(&str, &str) -> bool,
}

const TARGETS: [Target; 7] = [
    Target { kind: "EMAIL_ADDRESS", rule: "email-address", wanted: "99 and 99", counts: |_, _| true },
    Target { kind: "IBAN_CODE", rule: "bank-account", wanted: "99 and 99", counts: |_, _| true },
    Target { kind: "IP_ADDRESS", rule: "ip-address", wanted: "99 and 99", counts: |_, _| true },
    Target { kind: "US_SSN", rule: "us-ssn", wanted: "99 and 99", counts: |_, _| true },
    Target { kind: "CREDIT_CARD", rule: "payment-card", wanted: "99 and 99", counts: |_, span| Validator::Luhn.holds(span) },
    Target { kind: "PHONE_NUMBER", rule: "phone-number", wanted: "95 and 95, told", counts: is_told },
    Target { kind: "PHONE_NUMBER", rule: "phone-number", wanted: "75 and 85", counts: |_, _| true },
];

fn is_told(row: &str, span: &str) -> bool {
    let rest = row.replace(span, " ").to_lowercase();
    span.starts_with('+') || span.starts_with("00") || TELLING.iter().any(|word| rest.contains(word))
}

/// Prints all tables whose data is there, and with `examples` the texts behind them.
pub(crate) fn report(folder: &Path, examples: bool) {
    let pii = folder.join("pii/presidio_synth.jsonl");
    if pii.exists() {
        spans(&rows(&pii), examples);
    } else {
        println!("\n# personal data: {} is not there", pii.display());
    }
    let texts = everyday_texts(folder);
    if texts.is_empty() {
        println!("\n# alarms: neither traffic/*.jsonl nor pairs/qqp.jsonl is there");
    } else {
        alarms(&texts, examples);
    }
}

/// The rules of the pack that find personal data and secrets, all of them stable.
fn rules() -> RuleSet {
    let settings = Settings { builtin: true, directory: None, overrides: BTreeMap::new() };
    let pack = load(&settings).unwrap();
    let of_group = |group: &str| {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("guardrails").join(group);
        fs::read_dir(folder).unwrap().map(|file| file.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned())
    };
    let ids: BTreeSet<String> = of_group("personal-data").chain(of_group("secrets")).collect();
    let rules: Vec<Arc<Rule>> = pack.input.rules().iter().filter(|rule| ids.contains(rule.id())).cloned().collect();
    RuleSet::new(Gate::Input, [0; 16], &rules).unwrap()
}

/// What each rule finds in a text, without what lies inside of another finding.
fn found<'r>(rules: &'r RuleSet, text: &str) -> BTreeMap<&'r str, Vec<Range<usize>>> {
    let findings = rules.scan(&[Text::alone(Role::User, text)]);
    let mut found = BTreeMap::<&str, Vec<Range<usize>>>::new();
    for (rule, place) in findings.into_iter().filter_map(|finding| Some((finding.rule, finding.place?))) {
        found.entry(rules.rules()[rule].id()).or_default().push(place.span);
    }
    for spans in found.values_mut() {
        spans.sort_by_key(|span| (span.start, std::cmp::Reverse(span.end)));
        let mut reached = 0;
        spans.retain(|span| {
            let inside = span.end <= reached;
            reached = reached.max(span.end);
            !inside
        });
    }
    found
}

fn spans(rows: &[Row], examples: bool) {
    let rules = rules();
    println!("\n# personal data: {} sentences, spans exact\n", rows.len());
    println!("  {:<16}{:<34}{:<34}wanted", "", "recall", "precision");
    for target in &TARGETS {
        let (mut labelled, mut hits, mut seen) = (0, 0, 0);
        for row in rows {
            let wanted = row.spans(target);
            let mut found = found(&rules, &row.text).remove(target.rule).unwrap_or_default();
            found.retain(|span| wanted.contains(span) || (target.counts)(&row.text, &row.text[span.clone()]));
            let right = found.iter().filter(|span| wanted.contains(span)).count();
            if examples && (right < wanted.len() || right < found.len()) {
                let texts =
                    |spans: &[Range<usize>]| spans.iter().map(|span| row.text[span.clone()].to_owned()).collect::<Vec<_>>();
                println!("{}: {:?} instead of {:?} in {:?}", target.rule, texts(&found), texts(&wanted), row.text);
            }
            (labelled, hits, seen) = (labelled + wanted.len(), hits + right, seen + found.len());
        }
        println!("  {:<16}{:<34}{:<34}{}", target.rule, share(hits, labelled), share(hits, seen), target.wanted);
    }
    speed(&rules, rows);
}

impl Row {
    /// The labelled spans of a target, in bytes.
    fn spans(&self, target: &Target) -> Vec<Range<usize>> {
        let byte = |character: usize| self.text.char_indices().nth(character).map_or(self.text.len(), |(at, _)| at);
        let of_kind = self.spans.iter().filter(|span| span.kind == target.kind);
        let spans = of_kind.map(|span| byte(span.start)..byte(span.end));
        spans.filter(|span| (target.counts)(&self.text, &self.text[span.clone()])).collect()
    }
}

/// Presidio's pattern recognisers take 0.3 ms for a sentence of these.
fn speed(rules: &RuleSet, rows: &[Row]) {
    const ROUNDS: u32 = 5;
    #[expect(clippy::disallowed_methods, reason = "a bench measures by the clock of the machine")]
    let began = Instant::now();
    let findings: usize = (0..ROUNDS).flat_map(|_| rows).map(|row| found(rules, &row.text).len()).sum();
    let sentences = ROUNDS * u32::try_from(rows.len()).unwrap();
    let each = began.elapsed() / sentences;
    println!("\n  {each:.1?} a sentence for all rules of personal data and secrets ({findings} findings); 20 µs are wanted");
}

/// What people ask when they mean no harm, with the name of its set.
fn everyday_texts(folder: &Path) -> Vec<(&'static str, String)> {
    #[derive(Deserialize)]
    struct Asked {
        text: String,
    }
    #[derive(Deserialize)]
    struct Pair {
        a: String,
        b: String,
    }
    let mut texts = Vec::new();
    for (set, file) in [("banking77", "traffic/banking77.jsonl"), ("clinc150", "traffic/clinc150.jsonl")] {
        let file = folder.join(file);
        if file.exists() {
            texts.extend(rows::<Asked>(&file).into_iter().map(|row| (set, row.text)));
        }
    }
    let pairs = folder.join("pairs/qqp.jsonl");
    if pairs.exists() {
        let both = rows::<Pair>(&pairs).into_iter().flat_map(|row| [row.a, row.b]);
        texts.extend(both.collect::<BTreeSet<_>>().into_iter().map(|text| ("qqp", text)));
    }
    texts
}

/// On how many everyday texts each rule fires: near none of them holds personal data.
fn alarms(texts: &[(&str, String)], examples: bool) {
    let rules = rules();
    let (mut sizes, mut fired) = (BTreeMap::<&str, usize>::new(), BTreeMap::<(String, &str), usize>::new());
    for (set, text) in texts {
        *sizes.entry(set).or_default() += 1;
        for (rule, spans) in found(&rules, text) {
            *fired.entry((rule.to_owned(), set)).or_default() += 1;
            if examples {
                println!("{rule} fires on {:?} in {text:?}", spans.iter().map(|span| &text[span.clone()]).collect::<Vec<_>>());
            }
        }
    }
    println!("\n# alarms: texts on which a rule fires; rules that are not named fire on none\n");
    for ((rule, set), count) in fired {
        println!("  {rule:<28}{set:<12}{count:>4}   {}", share(count, sizes[set]));
    }
    println!("  of {sizes:?} texts");
}
