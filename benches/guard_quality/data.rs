//! Labelled rows, and shares of them with how far they can be trusted.

use std::{fs, path::Path, thread};

use lockgate::{
    cache::verify::interval,
    embed::{self, EngineChoice},
};
use serde::de::DeserializeOwned;

/// All rows of a file of JSON lines.
pub(crate) fn rows<T: DeserializeOwned>(file: &Path) -> Vec<T> {
    let text = fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let row = |(n, line): (usize, &str)| {
        serde_json::from_str(line).unwrap_or_else(|error| panic!("{}:{}: {error}", file.display(), n + 1))
    };
    text.lines().enumerate().map(row).collect()
}

/// The vector of every text, in order, from the bundled engine.
pub(crate) fn vectors<S: AsRef<str> + Sync>(texts: &[S]) -> Vec<Vec<f32>> {
    let settings = embed::Settings { engine: EngineChoice::Rten, model: None, library: None, threads: 0, queue: 1 };
    let engine = embed::load(&settings).unwrap();
    let share = texts.len().div_ceil(settings.threads()).max(1);
    thread::scope(|scope| {
        let parts: Vec<_> = texts
            .chunks(share)
            .map(|part| scope.spawn(|| part.iter().map(|text| engine.embed(text.as_ref()).unwrap().vector).collect::<Vec<_>>()))
            .collect();
        parts.into_iter().flat_map(|part| part.join().unwrap()).collect()
    })
}

/// So many of so many, in per cent, with the interval that holds the truth 95 times of 100 (Wilson).
pub(crate) fn share(hits: usize, of: usize) -> String {
    if of == 0 {
        return "none".to_owned();
    }
    let share = hits as f64 / of as f64;
    let [least, most] = interval(share, of as f64);
    format!("{:5.1} % [{:.1}, {:.1}] of {of}", 100.0 * share, 100.0 * least, 100.0 * most)
}
