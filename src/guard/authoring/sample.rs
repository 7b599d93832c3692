//! Texts that a pattern matches, made from the pattern: what its author did not think of.

use regex::Regex;
use regex_syntax::hir::{Class, ClassUnicodeRange, Hir, HirKind};

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

/// A character of a class, in UTF-8: a plain one where there is one, as people would write it.
fn one_of(class: &Class, turns: &mut Turns) -> Vec<u8> {
    let starts: Vec<char> = match class {
        Class::Unicode(class) => class.ranges().iter().map(ClassUnicodeRange::start).collect(),
        Class::Bytes(class) => class.ranges().iter().map(|range| char::from(range.start())).collect(),
    };
    let within = |char: &char| match class {
        Class::Unicode(class) => class.ranges().iter().any(|range| (range.start()..=range.end()).contains(char)),
        Class::Bytes(class) => {
            u8::try_from(*char).is_ok_and(|byte| class.ranges().iter().any(|range| (range.start()..=range.end()).contains(&byte)))
        }
    };
    let common: Vec<char> = [' ', 'a', 'e', '1', '-'].into_iter().filter(within).collect();
    let ascii: Vec<char> = starts.iter().copied().filter(char::is_ascii).collect();
    let from = [common, ascii, starts].into_iter().find(|chars| !chars.is_empty()).unwrap_or_default();
    from.get(turns.take(from.len())).map(|char| char.to_string().into_bytes()).unwrap_or_default()
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
        assert!(samples.iter().all(|sample| sample.is_ascii()), "no letters that only fold to plain ones: {samples:?}");
    }

    #[test]
    fn what_cannot_match_has_no_samples() {
        assert!(samples(r"[^\s\S]").is_empty() && samples("(").is_empty());
    }
}
