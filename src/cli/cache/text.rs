//! What the admin port says, for people: aligned, and in colour where the output has any.

use std::time::Duration;

use bytesize::ByteSize;
use serde_json::Value;

use crate::cli::page::{BAD, DIM, GOOD, HEAD, Page, safe};

/// Characters of a prompt in a list.
const PROMPT: usize = 60;
/// Digits of an id in a list; more are only needed where two begin alike.
const ID: usize = 16;
/// Digits of a tenant in a list.
const TENANT: usize = 8;

pub(super) fn stats(value: &Value, color: bool) -> String {
    let (mut page, cache, saved, calibration) = (Page::new(color), &value["cache"], &value["saved"], &value["calibration"]);
    let facts = [
        ("entries", format!("{} in {}", number(&cache["entries"]), bytes(&cache["bytes"]))),
        ("vectors", format!("{} in {}", number(&cache["vectors"]), counted(&cache["partitions"], "scope"))),
        ("on disk", store(&cache["store"])),
        ("threshold", threshold(calibration)),
        ("labels", labels(calibration)),
        ("max_error", recommended(calibration)),
        ("reported", format!("{} as different", counted(&cache["differences"], "pair"))),
        ("answered", format!("{} from the cache, {} by another's call", number(&saved["hits"]), number(&saved["followers"]))),
        ("saved", worth(saved)),
    ];
    for (name, fact) in facts {
        let name = page.styled(HEAD, &format!("{name:9}"));
        page.line(&format!("{name}  {fact}"));
    }
    let rows: Vec<_> = list(&cache["groups"])
        .map(|group| {
            let tenant = cut(&group["tenant"], TENANT);
            [tenant, word(&group["namespace"]), word(&group["model"]), number(&group["entries"]), bytes(&group["bytes"])]
        })
        .collect();
    if !rows.is_empty() {
        page.line("");
        page.table(["TENANT", "NAMESPACE", "MODEL", "ENTRIES", "SIZE"], &rows);
    }
    if cache["more_groups"].as_u64().unwrap_or_default() > 0 {
        page.line(&format!("and {} more", number(&cache["more_groups"])));
    }
    page.text
}

fn store(store: &Value) -> String {
    if store.is_null() {
        "nothing is kept".to_owned()
    } else {
        format!("{} in {}", number(&store["entries"]), bytes(&store["bytes"]))
    }
}

/// The threshold in use, and where it comes from.
fn threshold(calibration: &Value) -> String {
    let (threshold, max_error) = (ratio(calibration, "threshold"), ratio(calibration, "max_error"));
    match calibration["source"].as_str().unwrap_or_default() {
        "estimate" => format!("{threshold:.4} for a max_error of {max_error}: an estimate until labels are enough"),
        "labels" => {
            let labels = ["same", "different"].into_iter().filter_map(|name| calibration[name].as_u64()).sum::<u64>();
            format!("{threshold:.4} for a max_error of {max_error}: calibrated on {labels} labels")
        }
        _ => format!("{threshold:.4} as configured"),
    }
}

/// What labels say of the threshold in use.
fn labels(calibration: &Value) -> String {
    let all = format!("{} same, {} different", number(&calibration["same"]), number(&calibration["different"]));
    let percent = |share: &Value| 100.0 * share.as_f64().unwrap_or_default();
    let (error, interval) = (percent(&calibration["error"]), &calibration["interval"]);
    if interval.is_null() {
        return format!("{all}, none at the threshold");
    }
    let served = number(&calibration["served"]);
    let [least, most] = [percent(&interval[0]), percent(&interval[1])];
    format!("{all}; at the threshold {error:.1} % of {served} are different ({least:.1} to {most:.1})")
}

/// The thresholds that shares of wrong answers would lead to.
fn recommended(calibration: &Value) -> String {
    let advice = list(&calibration["recommended"]).map(|advice| {
        let from = if advice["source"] == "labels" { "" } else { " (estimate)" };
        format!("{} at {:.2}{from}", ratio(advice, "max_error"), ratio(advice, "threshold"))
    });
    advice.collect::<Vec<_>>().join(", ")
}

fn worth(saved: &Value) -> String {
    let tokens = format!("{} + {} tokens", number(&saved["prompt_tokens"]), number(&saved["completion_tokens"]));
    let usd = saved["usd"].as_f64().unwrap_or_default();
    let money = if usd > 0.0 { format!(", ${usd:.2}") } else { String::new() };
    format!("{tokens}, {}{money}", duration(saved["seconds"].as_f64().unwrap_or_default()))
}

pub(super) fn lookup(value: &Value, color: bool) -> String {
    let mut page = Page::new(color);
    if let Some(bypass) = value["bypass"].as_str() {
        page.line(&format!("A request that says this alone is not compared by meaning: {bypass}."));
    }
    let mut count = 0;
    for neighbour in list(&value["neighbours"]) {
        count += 1;
        let fate = fate(neighbour);
        let style = if neighbour["fate"] == "served" { GOOD } else { BAD };
        let (fate, prompt) = (page.styled(style, &fate), cut(&neighbour["prompt"], PROMPT));
        page.line(&format!(
            "{}  {:.4} → {:.4}  {fate}",
            cut(&neighbour["id"], ID),
            ratio(neighbour, "similarity"),
            ratio(neighbour, "score")
        ));
        page.line(&format!("  {prompt}"));
        let found: Vec<String> = list(&neighbour["found"])
            .map(|found| format!("{} {:.2}", word(&found[0]), found[1].as_f64().unwrap_or_default()))
            .collect();
        let about = format!("  {} · {} · {}", word(&neighbour["model"]), cut(&neighbour["tenant"], TENANT), found.join(", "));
        let about = page.styled(DIM, about.trim_end_matches([' ', '·']));
        page.line(&about);
    }
    if count == 0 {
        page.line("No entry is compared by meaning in the scopes that were asked for.");
    }
    page.line(&format!(
        "A score of {:.4} or more is served, to a request that agrees in everything else.",
        ratio(value, "threshold")
    ));
    page.text
}

fn fate(neighbour: &Value) -> String {
    match neighbour["fate"].as_str().unwrap_or_default() {
        "served" => "served".to_owned(),
        "below-threshold" => "below the threshold".to_owned(),
        "vetoed" => format!("vetoed by {}", word(&neighbour["veto"])),
        "reported-different" => "reported as different".to_owned(),
        _ => "not compared".to_owned(),
    }
}

pub(super) fn show(value: &Value, color: bool) -> String {
    let (mut page, entry) = (Page::new(color), &value["entry"]);
    let seconds = |name: &str| duration(entry[name].as_f64().unwrap_or_default());
    let cost = format!(
        "{} + {} tokens, {}",
        number(&entry["prompt_tokens"]),
        number(&entry["completion_tokens"]),
        duration(entry["took_ms"].as_f64().unwrap_or_default() / 1e3)
    );
    let facts = [
        ("id", word(&entry["id"])),
        ("tenant", word(&entry["tenant"])),
        ("namespace", word(&entry["namespace"])),
        ("model", format!("{}, {}", word(&entry["model"]), word(&entry["endpoint"]))),
        ("age", format!("{}, served for {} more", seconds("age_s"), seconds("expires_in_s"))),
        ("size", bytes(&entry["bytes"])),
        ("cost", cost),
        ("prompt", entry["prompt"].as_str().map_or_else(|| "not kept: it is compared field by field".to_owned(), safe)),
    ];
    for (name, fact) in facts.into_iter().filter(|(_, fact)| !fact.is_empty()) {
        let name = page.styled(HEAD, &format!("{name:9}"));
        page.line(&format!("{name}  {fact}"));
    }
    let said = said(&value["answer"]).unwrap_or_else(|| format!("{:#}", value["answer"]));
    let name = page.styled(HEAD, "answer");
    page.line(&format!("{name}\n{}", safe(&said)));
    page.text
}

/// What the model said, choice by choice.
fn said(answer: &Value) -> Option<String> {
    let choice = |choice: &Value| choice["message"]["content"].as_str().or_else(|| choice["text"].as_str()).map(str::to_owned);
    let said = list(&answer["choices"]).map(choice).collect::<Option<Vec<_>>>()?;
    Some(said.join("\n\n")).filter(|said| !said.is_empty())
}

pub(super) fn purge(value: &Value, color: bool) -> String {
    let mut page = Page::new(color);
    let (acted, entries) = (value["acted"] == true, value["entries"].as_u64().unwrap_or_default());
    let what = if acted { "Purged" } else { "Would purge" };
    page.line(&format!("{what} {}, {}.", entries_of(entries), bytes(&value["bytes"])));
    let rows: Vec<_> = list(&value["examples"])
        .map(|entry| {
            let age = duration(entry["age_s"].as_f64().unwrap_or_default());
            [cut(&entry["id"], ID), age, word(&entry["model"]), cut(&entry["prompt"], PROMPT)]
        })
        .collect();
    if !rows.is_empty() {
        page.table(["ID", "AGE", "MODEL", "PROMPT"], &rows);
    }
    if entries > rows.len() as u64 {
        page.line(&format!("and {} more", entries - rows.len() as u64));
    }
    if !acted && entries > 0 {
        page.line("Nothing is gone yet: add --yes to do it.");
    }
    page.text
}

pub(super) fn false_hit(value: &Value, color: bool) -> String {
    let mut page = Page::new(color);
    let entry = &value["removed"];
    page.line(&format!("Removed {}: {}", cut(&entry["id"], ID), cut(&entry["prompt"], PROMPT)));
    page.line(if value["remembered"] == true {
        "The two prompts are remembered as different: neither is answered with the other's answer again."
    } else {
        "There is no pair to remember: the two prompts are the same, or the entry keeps none."
    });
    page.text
}

pub(super) fn import(value: &Value, color: bool) -> String {
    let mut page = Page::new(color);
    page.line(&format!("Imported {}.", entries_of(value["imported"].as_u64().unwrap_or_default())));
    let others = [
        ("known", "are there already"),
        ("expired", "have expired"),
        ("other_engine", "belong to another engine, kind of CPU or `cache.mode`"),
        ("too_large", "are larger than `cache.max_entry`"),
    ];
    for (name, why) in others {
        if value[name].as_u64().unwrap_or_default() > 0 {
            page.line(&format!("{} {why}.", number(&value[name])));
        }
    }
    page.text
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn number(value: &Value) -> String {
    value.as_u64().unwrap_or_default().to_string()
}

/// So many of something.
fn counted(count: &Value, what: &str) -> String {
    if *count == 1 { format!("1 {what}") } else { format!("{} {what}s", number(count)) }
}

/// So many entries.
pub(super) fn entries_of(count: u64) -> String {
    if count == 1 { "1 entry".to_owned() } else { format!("{count} entries") }
}

fn ratio(value: &Value, name: &str) -> f64 {
    value[name].as_f64().unwrap_or_default()
}

fn bytes(value: &Value) -> String {
    ByteSize(value.as_u64().unwrap_or_default()).to_string()
}

fn duration(seconds: f64) -> String {
    let duration = Duration::try_from_secs_f64(seconds).unwrap_or_default();
    // Of a long time the small parts say nothing.
    let round = match seconds {
        ..1.0 => Duration::from_millis(1),
        ..10.0 => Duration::from_millis(100),
        _ => Duration::from_secs(1),
    };
    let rounds = duration.as_millis() / round.as_millis().max(1);
    let rounded = round.saturating_mul(u32::try_from(rounds).unwrap_or(u32::MAX));
    humantime::format_duration(rounded).to_string()
}

fn word(value: &Value) -> String {
    safe(value.as_str().unwrap_or_default())
}

/// The beginning of a text, on one line.
fn cut(value: &Value, most: usize) -> String {
    let text = value.as_str().unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ");
    let short: String = text.chars().take(most).collect();
    let dots = if short.len() < text.len() && most == PROMPT { "…" } else { "" };
    safe(&short) + dots
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_prompt_cannot_steer_the_terminal() {
        let told = lookup(&json!({ "neighbours": [{ "prompt": "a\u{1b}[2J b\u{7}", "fate": "served" }] }), false);
        assert!(told.contains("a\\u{1b}[2J b\\u{7}") && !told.contains('\u{1b}'), "{told}");
        assert!(lookup(&json!({ "neighbours": [{ "fate": "served" }] }), true).contains('\u{1b}'), "colours are our own");
    }

    #[test]
    fn a_preview_says_that_nothing_has_happened_and_how_it_would() {
        let entry = json!({ "id": "ab".repeat(32), "age_s": 7200, "model": "m", "prompt": "What  is\nit?" });
        let preview = json!({ "acted": false, "entries": 12, "bytes": 4096, "examples": [entry] });
        let told = purge(&preview, false);
        assert!(
            told.contains("Would purge 12 entries, 4.0 KiB.") && told.contains("and 11 more") && told.contains("--yes"),
            "{told}"
        );
        assert!(told.contains("abababababababab  2h   m      What is it?"), "{told}");
        let done = json!({ "acted": true, "entries": 0, "bytes": 0, "examples": [] });
        assert_eq!(purge(&done, false), "Purged 0 entries, 0 B.\n");
    }

    #[test]
    fn a_threshold_is_told_with_what_it_rests_on() {
        let told = |calibration: Value| stats(&json!({ "calibration": calibration }), false);
        let configured = json!({ "source": "configured", "threshold": 0.94, "same": 2, "different": 0, "served": 0 });
        let text = told(configured);
        assert!(text.contains("0.9400 as configured") && text.contains("2 same, 0 different, none at the threshold"), "{text}");
        let estimate = json!({ "source": "estimate", "threshold": 0.95, "max_error": 0.02 });
        assert!(told(estimate).contains("0.9500 for a max_error of 0.02: an estimate until labels are enough"));
        let calibrated = json!({
            "source": "labels", "threshold": 0.96, "max_error": 0.02, "same": 390, "different": 10, "served": 300,
            "error": 0.01, "interval": [0.003, 0.029],
            "recommended": [
                { "max_error": 0.01, "threshold": 0.97, "source": "estimate" }, { "max_error": 0.02, "threshold": 0.96, "source": "labels" },
            ],
        });
        let text = told(calibrated);
        assert!(text.contains("0.9600 for a max_error of 0.02: calibrated on 400 labels"), "{text}");
        assert!(text.contains("390 same, 10 different; at the threshold 1.0 % of 300 are different (0.3 to 2.9)"), "{text}");
        assert!(text.contains("0.01 at 0.97 (estimate), 0.02 at 0.96\n"), "{text}");
    }

    #[test]
    fn times_are_told_in_words() {
        assert_eq!((duration(0.0).as_str(), duration(1.26).as_str()), ("0s", "1s 200ms"));
        assert_eq!(duration(0.0162), "16ms");
        assert_eq!(duration(93_784.0), "1day 2h 3m 4s");
    }
}
