//! What the fits in models/guard are made of: a line of JSON for every text.

use std::{
    io::{self, Write},
    path::Path,
};

use lockgate::guard::checks::{injection, moderation};
use serde_json::json;

use crate::data;

/// Prints the names, then a line a text.
pub(crate) fn print(file: &Path) {
    let texts: Vec<String> = data::rows(file);
    let mut out = io::stdout().lock();
    writeln!(out, "{}", json!({"signs": injection::sign_names()})).unwrap();
    for (text, vector) in texts.iter().zip(data::vectors(&texts)) {
        let signs =
            |window: &injection::Window| window.signs.iter().map(|&shown| if shown { '1' } else { '0' }).collect::<String>();
        let windows: Vec<String> = injection::windows(text).iter().map(signs).collect();
        writeln!(out, "{}", json!({"windows": windows, "words": moderation::numbers(text), "vector": vector})).unwrap();
    }
}
