//! Harm that is told from what is not: AUROC by category, each text scored by a fit that has not seen it, and the alarms of the weights that ship on texts that only
//! look hateful.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use lockgate::guard::checks::moderation::{Category, by_meaning, by_words, numbers};
use serde::Deserialize;

use crate::data::{rows, share, vectors};

/// In the order of [`Category::ALL`], by their names in the set.
const NAMES: [&str; 8] = ["S", "H", "V", "HR", "SH", "S3", "H2", "V2"];
/// As in models/guard/moderation.py.
const FOLDS: usize = 5;
const STRENGTH: f64 = 0.3;
/// Steps of the descent; the loss is so convex that it has long arrived.
const STEPS: usize = 400;
/// Categories with fewer positives say little, and are left out of the mean.
const ENOUGH: usize = 30;
/// The bar that a rule has which names none.
const SHIPPED: f32 = 0.5;
/// Place of hate among the categories.
const HATE: usize = 1;

#[derive(Debug, Deserialize)]
struct Row {
    prompt: String,
    #[serde(flatten)]
    labels: BTreeMap<String, f32>,
}

#[derive(Debug, Deserialize)]
struct Contrast {
    text: String,
    hateful: bool,
    functionality: String,
}

/// Prints the tables.
pub(crate) fn report(folder: &Path) {
    let rows: Vec<Row> = rows(&folder.join("moderation/openai1680.jsonl"));
    let texts: Vec<&str> = rows.iter().map(|row| row.prompt.as_str()).collect();
    let words: Vec<Vec<f64>> = texts.iter().map(|text| numbers(text).into_iter().map(f64::from).collect()).collect();
    let vectors: Vec<Vec<f64>> = vectors(&texts).into_iter().map(|vector| vector.into_iter().map(f64::from).collect()).collect();
    let both: Vec<Vec<f64>> = vectors.iter().zip(&words).map(|(vector, words)| [&vector[..], words].concat()).collect();
    println!("\n# moderation: AUROC on {} texts, each scored by a fit without it ({FOLDS} folds)", rows.len());
    for (way, features) in [("words", &words), ("vector", &vectors), ("words and vector", &both)] {
        println!("\nby {way}");
        let mut enough = Vec::new();
        for (category, name) in Category::ALL.iter().zip(NAMES) {
            let known: Vec<(&[f64], bool)> =
                rows.iter().zip(features).filter_map(|(row, f)| Some((&f[..], *row.labels.get(name)? > 0.5))).collect();
            let (area, error, positives) = auroc(&folded(&known), &known);
            let bounds = format!("[{:.3}, {:.3}]", area - 1.96 * error, (area + 1.96 * error).min(1.0));
            println!("  {:<18} {area:.3} {bounds} {positives} of {}", format!("{category:?}"), known.len());
            enough.extend(Some(area).filter(|_| positives >= ENOUGH));
        }
        println!("  mean of those with {ENOUGH} positives or more: {:.3}", enough.iter().sum::<f64>() / enough.len() as f64);
    }
    contrasts(&folder.join("moderation/hatecheck.jsonl"));
}

/// Scores by fits that have not seen the text.
fn folded(known: &[(&[f64], bool)]) -> Vec<f64> {
    let mut scores = vec![0.0; known.len()];
    for out in 0..FOLDS {
        let rest: Vec<_> = known.iter().enumerate().filter(|(n, _)| n % FOLDS != out).map(|(_, row)| *row).collect();
        let (weights, bias) = fit(&rest);
        for (n, (features, _)) in known.iter().enumerate().filter(|(n, _)| n % FOLDS == out) {
            scores[n] = bias + dot(&weights, features);
        }
    }
    scores
}

/// Logistic regression with both classes counting the same, by accelerated gradient descent.
fn fit(rows: &[(&[f64], bool)]) -> (Vec<f64>, f64) {
    let positives = rows.iter().filter(|(_, label)| *label).count().max(1) as f64;
    let all = rows.len() as f64;
    let share = |label: bool| STRENGTH * all * 0.5 / if label { positives } else { (all - positives).max(1.0) };
    let size = rows.first().map_or(0, |(features, _)| features.len());
    // A quarter is the steepest that a logistic curve is; a constant is one more feature of size 1.
    let steepest = rows.iter().map(|(features, label)| share(*label) * (1.0 + dot(features, features))).sum::<f64>() / 4.0;
    let step = 1.0 / (1.0 + steepest);
    let (mut now, mut before) = (vec![0.0; size + 1], vec![0.0; size + 1]);
    for round in 0..STEPS {
        let momentum = round as f64 / (round as f64 + 3.0);
        let ahead: Vec<f64> = now.iter().zip(&before).map(|(now, before)| now + momentum * (now - before)).collect();
        let mut slope: Vec<f64> = ahead[..size].to_vec();
        slope.push(0.0);
        for (features, label) in rows {
            let logit = ahead[size] + dot(&ahead[..size], features);
            let off = share(*label) * (1.0 / (1.0 + (-logit).exp()) - f64::from(u8::from(*label)));
            slope.iter_mut().zip(*features).for_each(|(slope, feature)| *slope += off * feature);
            slope[size] += off;
        }
        before = now;
        now = ahead.iter().zip(&slope).map(|(ahead, slope)| ahead - step * slope).collect();
    }
    let bias = now.pop().unwrap_or(0.0);
    (now, bias)
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// The area, its standard error (Hanley and McNeil), and how many positives there are.
fn auroc(scores: &[f64], known: &[(&[f64], bool)]) -> (f64, f64, usize) {
    let of = |wanted: bool| scores.iter().zip(known).filter(move |(_, (_, label))| *label == wanted).map(|(score, _)| *score);
    let count = of(true).count();
    let (positives, negatives) = (count as f64, of(false).count() as f64);
    let beats = |score: f64| {
        of(false)
            .map(|other| {
                if score > other {
                    1.0
                } else if score < other {
                    0.0
                } else {
                    0.5
                }
            })
            .sum::<f64>()
    };
    let area = of(true).map(beats).sum::<f64>() / (positives * negatives);
    let (one, two) = (area / (2.0 - area), 2.0 * area * area / (1.0 + area));
    let spread = area * (1.0 - area) + (positives - 1.0) * (one - area * area) + (negatives - 1.0) * (two - area * area);
    (area, (spread / (positives * negatives)).max(0.0).sqrt(), count)
}

/// What the weights that ship say of texts that were written to look alike.
fn contrasts(file: &Path) {
    let rows: Vec<Contrast> = rows(file);
    let texts: Vec<&str> = rows.iter().map(|row| row.text.as_str()).collect();
    let vectors = vectors(&texts);
    let hits: Vec<[bool; 2]> = texts
        .iter()
        .zip(&vectors)
        .map(|(text, vector)| [by_words(text)[HATE] >= SHIPPED, by_meaning(text, vector)[HATE] >= SHIPPED])
        .collect();
    println!("\n# hatecheck, as shipped: called hate by words, and by words and vector");
    let line = |name: &str, wanted: &dyn Fn(&Contrast) -> bool| {
        let of: Vec<&[bool; 2]> = rows.iter().zip(&hits).filter(|(row, _)| wanted(row)).map(|(_, hits)| hits).collect();
        let count = |way: usize| share(of.iter().filter(|hits| hits[way]).count(), of.len());
        println!("  {name:<24} {}   {}", count(0), count(1));
    };
    line("hateful", &|row| row.hateful);
    line("benign contrasts", &|row| !row.hateful);
    let kinds: BTreeSet<&str> = rows.iter().filter(|row| !row.hateful).map(|row| row.functionality.as_str()).collect();
    for kind in kinds {
        line(kind, &|row| row.functionality == kind);
    }
}
