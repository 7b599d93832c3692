//! Attacks that are found, by sources that the fit has not seen.
//!
//! A source's attacks and its harmless rows are both left out of the fit that judges it (`models/guard/left_out.json`). The bar is where 1 % of traffic is over it that took
//! no part in any fit. Harmless rows with words that tempt never take part.

use std::{fs, path::Path};

use lockgate::guard::checks::injection::{Detector, Weights, Window, windows};
use serde::Deserialize;

use crate::data::{rows, share, vectors};

/// Files of traffic; of every five rows the first fits and the second sets the bar.
const TRAFFIC: [&str; 2] = ["banking77", "clinc150"];
const EVERY: usize = 5;
const BAR: usize = 1;
/// Harmless rows that tempt.
const TEMPTING: [&str; 2] = ["notinject", "mitre_benign"];
/// Of so many rows of traffic, at most one is over the bar.
const ALARM: usize = 100;
/// The bar that a rule has which names none.
const SHIPPED: f32 = 0.5;

#[derive(Debug, Deserialize)]
struct Row {
    text: String,
    #[serde(default)]
    attack: bool,
}

/// A row as the detector sees it.
struct Seen {
    attack: bool,
    windows: Vec<Window>,
    vector: Vec<f32>,
}

impl Seen {
    fn structure(&self, detector: &Detector) -> f32 {
        self.windows.iter().map(|window| detector.score(window)).fold(0.0, f32::max)
    }

    fn meaning(&self, detector: &Detector) -> f32 {
        detector.score_with(&self.windows, &self.vector)
    }
}

/// Prints the tables.
pub(crate) fn report(folder: &Path) {
    let traffic: Vec<Seen> = TRAFFIC.iter().flat_map(|set| bar_rows(&folder.join(format!("traffic/{set}.jsonl")))).collect();
    let tempting: Vec<(&str, Vec<Seen>)> = TEMPTING.iter().map(|&set| (set, source(folder, set))).collect();
    println!("\n# injection: each source judged by a fit without it; {} rows of traffic set the bar", traffic.len());
    let fits = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("models/guard/left_out.json")).unwrap();
    for weights in serde_json::from_str::<Vec<Weights>>(&fits).unwrap() {
        let set = weights.left_out.clone().unwrap_or_default();
        let rows = source(folder, &set);
        for (way, score) in WAYS {
            let detector = Detector::new(weights.clone());
            println!("\n{set}, by {way}");
            let bar = bar(&traffic, &detector, score);
            table("1 % of traffic", bar, &detector, score, &rows, &tempting);
            table("as shipped", SHIPPED, &detector, score, &rows, &tempting);
        }
    }
}

/// How a row may be scored.
type Score = fn(&Seen, &Detector) -> f32;
const WAYS: [(&str, Score); 2] = [("structure", Seen::structure), ("structure and vector", Seen::meaning)];

fn bar(traffic: &[Seen], detector: &Detector, score: Score) -> f32 {
    let mut scores: Vec<f32> = traffic.iter().map(|seen| score(seen, detector)).collect();
    scores.sort_by(f32::total_cmp);
    scores[scores.len() - 1 - scores.len() / ALARM].next_up()
}

fn table(name: &str, bar: f32, detector: &Detector, score: Score, rows: &[Seen], tempting: &[(&str, Vec<Seen>)]) {
    let count = |rows: &[Seen], attack: bool| {
        let of: Vec<_> = rows.iter().filter(|row| row.attack == attack).collect();
        share(of.iter().filter(|row| score(row, detector) >= bar).count(), of.len())
    };
    println!("  bar {bar:.3} ({name})");
    println!("    attacks found      {}", count(rows, true));
    println!("    its harmless rows  {}", count(rows, false));
    let all: (usize, usize) = tempting.iter().fold((0, 0), |(hits, of), (_, rows)| {
        (hits + rows.iter().filter(|row| score(row, detector) >= bar).count(), of + rows.len())
    });
    println!("    tempting rows      {}", share(all.0, all.1));
    for (set, rows) in tempting {
        println!("      {set:<16} {}", count(rows, false));
    }
}

fn source(folder: &Path, set: &str) -> Vec<Seen> {
    seen(&rows::<Row>(&folder.join(format!("injection/{set}.jsonl"))))
}

fn bar_rows(file: &Path) -> Vec<Seen> {
    seen(&rows::<Row>(file).into_iter().skip(BAR).step_by(EVERY).collect::<Vec<_>>())
}

fn seen(rows: &[Row]) -> Vec<Seen> {
    let texts: Vec<&str> = rows.iter().map(|row| row.text.as_str()).collect();
    let vectors = vectors(&texts);
    let seen = |(row, vector): (&Row, Vec<f32>)| Seen { attack: row.attack, windows: windows(&row.text), vector };
    rows.iter().zip(vectors).map(seen).collect()
}
