//! Texts that a pattern matches, made from the pattern: what its author did not think of.

use regex::Regex;
use regex_syntax::hir::{Class, Hir, HirKind};

/// Walks through a pattern; another number takes other turns.
const WALKS: u64 = 64;
/// A walk through nested repetitions could grow without end.
const MAX_BYTES: usize = 4096;

/// Some texts that the pattern matches whole, every branch of an alternation taken by one of them where that can be had.
pub(super) fn samples(pattern: &str) -> Vec<String> {
    let (Ok(hir), Ok(regex)) = (regex_syntax::parse(pattern), Regex::new(pattern)) else { return Vec::new() };
    let made = (0..WALKS).filter_map(|walk| {
        let (mut turns, mut out) = (Turns(walk), Vec::new());
        step(&hir, &mut turns, &mut out);
        String::from_utf8(out).ok()
    });
    // A boundary at either end wants something that is no letter beside it; one inside may want what no walk gives.
    made.filter(|text| regex.is_match(text)).collect()
}

/// Which turn to take next: the same numbers for the same walk, so that a lint says the same every time.
struct Turns(u64);

impl Turns {
    fn take(&mut self, of: usize) -> usize {
        // Weyl's sequence, mixed: enough to take every turn, and nothing to depend on.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        usize::try_from((mixed ^ (mixed >> 31)) % u64::try_from(of.max(1)).unwrap_or(1)).unwrap_or(0)
    }
}

fn step(hir: &Hir, turns: &mut Turns, out: &mut Vec<u8>) {
    if out.len() > MAX_BYTES {
        return;
    }
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => {}
        HirKind::Literal(literal) => out.extend_from_slice(&literal.0),
        HirKind::Class(class) => out.extend(one_of(class, turns)),
        HirKind::Repetition(repetition) => {
            let most = repetition.max.unwrap_or(repetition.min + 2).min(repetition.min + 2);
            let extra = turns.take(usize::try_from(most - repetition.min).unwrap_or(0) + 1);
            for _ in 0..usize::try_from(repetition.min).unwrap_or(0) + extra {
                step(&repetition.sub, turns, out);
            }
        }
        HirKind::Capture(capture) => step(&capture.sub, turns, out),
        HirKind::Concat(parts) => parts.iter().for_each(|part| step(part, turns, out)),
        HirKind::Alternation(branches) => step(&branches[turns.take(branches.len())], turns, out),
    }
}

/// A character of a class, in UTF-8. Of a large class a plain one, as people would write it.
fn one_of(class: &Class, turns: &mut Turns) -> Vec<u8> {
    let char = match class {
        Class::Unicode(class) => {
            let plain = [' ', 'a', 'e', '1', '-'].into_iter().filter(|char| within(class, *char)).collect::<Vec<_>>();
            let ranges = class.ranges();
            if ranges.is_empty() {
                return Vec::new();
            }
            if plain.is_empty() { ranges[turns.take(ranges.len())].start() } else { plain[turns.take(plain.len())] }
        }
        Class::Bytes(class) => match class.ranges() {
            [] => return Vec::new(),
            ranges => char::from(ranges[turns.take(ranges.len())].start()),
        },
    };
    char.to_string().into_bytes()
}

fn within(class: &regex_syntax::hir::ClassUnicode, char: char) -> bool {
    class.ranges().iter().any(|range| (range.start()..=range.end()).contains(&char))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_branch_is_walked_and_every_sample_matches() {
        let pattern = r"(?i)\b(?:ignore|forget|drop)\b[^.]{0,9}\brules?\b";
        let (samples, regex) = (samples(pattern), Regex::new(pattern).unwrap());
        for verb in ["ignore", "forget", "drop"] {
            assert!(samples.iter().any(|sample| sample.to_lowercase().contains(verb)), "no {verb} in {samples:?}");
        }
        assert!(samples.iter().all(|sample| regex.is_match(sample)));
        assert_eq!(samples, super::samples(pattern), "the same every time");
    }

    #[test]
    fn what_cannot_match_has_no_samples() {
        assert!(samples(r"[^\s\S]").is_empty() && samples("(").is_empty());
    }
}
