//! How much of a text that is still being written is settled: whatever comes, no match reaches back into it.
//!
//! An automaton over the shapes of all matches reads the text. Where it is back in its first state, every match that began before has ended, so
//! that a text without the beginning of a match is settled as soon as it is there. Where a match may have begun, no more is held back than the longest can be.

use std::fmt;

use regex_automata::{
    Anchored, MatchKind,
    hybrid::{
        LazyStateID,
        dfa::{Cache, DFA},
    },
    nfa::thompson::{self, WhichCaptures},
    util::{pool::Pool, start},
};
use regex_syntax::hir::Hir;

use super::set::RuleSet;
use crate::guard::checks::{Reach, Shape};

/// No UTF-8 has this byte. Behind a shape it makes a match wait for one more byte, which word boundaries look at, and never end otherwise.
const NEVER: u8 = 0xff;

/// What the active rules of a gate want held back of a stream.
#[derive(Debug)]
pub struct Horizon {
    fronts: Vec<Front>,
    /// Held back always, for checks that do not say what their matches look like.
    blind: usize,
    /// How much of what is settled the checks still have to see.
    context: usize,
}

/// The shapes of some checks, read together.
struct Front {
    dfa: DFA,
    caches: Pool<Cache, Box<dyn Fn() -> Cache + Send + Sync>>,
    longest: usize,
    beside: usize,
    /// The one rule that they are of, if a match can be longer.
    unbounded: Option<usize>,
}

impl fmt::Debug for Front {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { longest, beside, unbounded, .. } = self;
        f.debug_struct("Front")
            .field("longest", longest)
            .field("beside", beside)
            .field("unbounded", unbounded)
            .finish_non_exhaustive()
    }
}

/// How far a text is settled.
#[derive(Debug, PartialEq, Eq)]
pub struct Settled {
    /// Up to here, in bytes.
    pub at: usize,
    /// The rules that may have matched something longer than they can wait for.
    pub overflowed: Vec<usize>,
}

impl Horizon {
    /// What these rules want held back. Who only warns says so at the end of a stream, and holds nothing back.
    pub fn of(set: &RuleSet) -> Self {
        let mut horizon = Self { fronts: Vec::new(), blind: 0, context: 0 };
        // Checks that look equally far around their matches share an automaton; a rule whose matches have no bound has its own.
        let mut shared = Vec::<(usize, Vec<Shape>)>::new();
        for (n, rule) in set.rules().iter().enumerate().filter(|(n, _)| set.acts(*n)) {
            let mut endless = Vec::new();
            for reach in rule.checks.texts.iter().map(|check| check.reach()) {
                match reach {
                    Reach::Shape(shape) if shape.longest().is_none() => endless.push(shape),
                    Reach::Shape(shape) => match shared.iter_mut().find(|(beside, _)| *beside == shape.looks_beside()) {
                        Some((_, shapes)) => shapes.push(shape),
                        None => shared.push((shape.looks_beside(), vec![shape])),
                    },
                    Reach::Bytes(longest) => horizon.blind = horizon.blind.max(longest),
                    Reach::Unbounded => horizon.blind = horizon.blind.max(rule.max_span()),
                    Reach::Whole => {}
                }
            }
            horizon.add(&endless, Some((n, rule.max_span())));
        }
        for (_, shapes) in &shared {
            horizon.add(shapes, None);
        }
        let beside = horizon.fronts.iter().map(|front| front.beside).max().unwrap_or(0);
        horizon.context = beside.max(horizon.blind).max(char::MAX.len_utf8());
        horizon
    }

    /// What has one of these shapes is held back.
    pub(in crate::guard) fn of_shapes(shapes: &[Shape]) -> Self {
        let mut horizon = Self { fronts: Vec::new(), blind: 0, context: 0 };
        horizon.add(shapes, None);
        horizon
    }

    /// Shapes for which there is no automaton are held back for blindly.
    fn add(&mut self, shapes: &[Shape], unbounded: Option<(usize, usize)>) {
        let bound = unbounded.map_or(0, |(_, max_span)| max_span);
        let Some(longest) = shapes.iter().map(|shape| shape.longest().unwrap_or(bound)).max() else { return };
        match Front::of(shapes, longest, unbounded.map(|(rule, _)| rule)) {
            Some(front) => self.fronts.push(front),
            None => self.blind = self.blind.max(longest),
        }
    }

    /// Whether nothing is ever held back.
    pub fn is_clear(&self) -> bool {
        self.fronts.is_empty() && self.blind == 0
    }

    /// How many bytes before what is settled the checks still have to see.
    pub fn context(&self) -> usize {
        self.context
    }

    /// The most that is held back, in bytes, besides what overlapping matches add.
    pub fn longest(&self) -> usize {
        self.fronts.iter().map(Front::reach).max().unwrap_or(0).max(self.blind) + 1
    }

    /// How much of `text` is settled, given that what is before `from` was.
    pub fn settled(&self, text: &str, from: usize) -> Settled {
        let mut settled = Settled { at: text.len(), overflowed: Vec::new() };
        if self.blind > 0 {
            settled.at = behind(text, self.blind);
        }
        for front in &self.fronts {
            let (begun, waits) = (front.begun(text, from), behind(text, front.reach()));
            if let Some(rule) = front.unbounded.filter(|_| begun < waits) {
                settled.overflowed.push(rule);
            }
            settled.at = settled.at.min(begun.max(waits));
        }
        settled.at = text.floor_char_boundary(settled.at).max(from);
        settled
    }
}

/// Where a match that begins here or later can end with the text or go on.
fn behind(text: &str, reach: usize) -> usize {
    text.len().saturating_sub(reach + 1)
}

impl Front {
    /// `None` if the shapes are too many for one automaton.
    fn of(shapes: &[Shape], longest: usize, unbounded: Option<usize>) -> Option<Self> {
        let wait = |shape: &Shape| Hir::concat(vec![shape.expression().clone(), Hir::literal([NEVER])]);
        let expressions: Vec<Hir> = shapes.iter().map(wait).collect();
        let config = thompson::Config::new().utf8(false).which_captures(WhichCaptures::None);
        let nfa = thompson::Compiler::new().configure(config).build_many_from_hir(&expressions).ok()?;
        let config = DFA::config().match_kind(MatchKind::All).skip_cache_capacity_check(true);
        let dfa = DFA::builder().configure(config).build_from_nfa(nfa).ok()?;
        let automaton = dfa.clone();
        let caches: Box<dyn Fn() -> Cache + Send + Sync> = Box::new(move || automaton.create_cache());
        let beside = shapes.iter().map(Shape::looks_beside).max().unwrap_or(0);
        Some(Self { dfa, caches: Pool::new(caches), longest, beside, unbounded })
    }

    /// How far a match and what decides on it reach.
    fn reach(&self) -> usize {
        self.longest + self.beside
    }

    /// Where the first match may have begun that something behind the text can still decide on; the end if there is none.
    fn begun(&self, text: &str, from: usize) -> usize {
        let mut cache = self.caches.get();
        let mut begun = None;
        let mut at = from;
        let Some(mut state) = self.first(&mut cache) else { return from };
        for (n, &byte) in text.as_bytes().iter().enumerate().skip(from) {
            let next = self.dfa.next_state(&mut cache, state, byte).ok();
            // Asked for each time, because a cache that is full begins anew.
            let (Some(next), Some(first)) = (next, self.first(&mut cache)) else { return at };
            state = next;
            if state == first {
                // What has ended here is decided by what is beside it.
                if n > at && n + 1 + self.beside > text.len() {
                    begun.get_or_insert(at);
                }
                at = n + 1;
            }
        }
        begun.unwrap_or(at)
    }

    fn first(&self, cache: &mut Cache) -> Option<LazyStateID> {
        self.dfa.start_state(cache, &start::Config::new().anchored(Anchored::No)).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX_SPAN: usize = 100;

    fn horizon(patterns: &[(&str, usize)]) -> Horizon {
        let mut horizon = Horizon { fronts: Vec::new(), blind: 0, context: 4 };
        for (pattern, beside) in patterns {
            let shape = Shape::of(&regex_syntax::parse(pattern).unwrap()).beside(*beside);
            let unbounded = shape.longest().is_none().then_some((7, MAX_SPAN));
            horizon.add(&[shape], unbounded);
        }
        horizon
    }

    /// What of each text is held back.
    fn held<'t>(horizon: &Horizon, text: &'t str) -> &'t str {
        &text[horizon.settled(text, 0).at..]
    }

    #[test]
    fn nothing_is_held_back_until_a_match_may_have_begun() {
        let horizon = horizon(&[(r"\b[0-9]{4} [0-9]{4}\b", 0), ("secret: [a-z]{1,9}", 0)]);
        let cases = [
            ("Hello, wörld", ""),
            ("It was 19", "19"),
            ("It was 1984", "1984"),
            ("It was 1984, ", ""),
            ("1984 1985", "1984 1985"),
            ("1984 1985.", ""),
            ("No se", "se"),
            ("No sec", "sec"),
            ("No sect", ""),
            ("1 secret: abc", "secret: abc"),
            ("1 secret: abc!", ""),
        ];
        for (text, expected) in cases {
            assert_eq!(held(&horizon, text), expected, "{text}");
        }
    }

    #[test]
    fn no_more_is_held_back_than_the_longest_match() {
        let horizon = horizon(&[("[0-9]{4}", 0)]);
        assert_eq!(held(&horizon, &"1".repeat(100)).len(), 5, "and one for what a word boundary looks at");
        assert_eq!(horizon.longest(), 5);
        assert!(horizon.settled(&"1".repeat(100), 0).overflowed.is_empty(), "it can match no more");
    }

    #[test]
    fn a_match_that_can_be_of_any_length_overflows() {
        let horizon = horizon(&[("key=[a-z]+", 0)]);
        let long = "key=".to_owned() + &"a".repeat(MAX_SPAN - 4);
        assert_eq!(horizon.settled(&long, 0), Settled { at: 0, overflowed: vec![] });
        let longer = long + "aaa";
        assert_eq!(horizon.settled(&longer, 0), Settled { at: 2, overflowed: vec![7] });
        assert_eq!(horizon.settled(&longer, 2), Settled { at: longer.len(), overflowed: vec![] }, "it is told on");
    }

    #[test]
    fn what_stands_beside_a_match_decides_on_it() {
        let horizon = horizon(&[("[0-9]{4}", 5)]);
        for (text, expected) in
            [("pin", ""), ("1234", "1234"), ("1234 is", "1234 is"), ("1234 is my", ""), ("12x my ", "12x my ")]
        {
            assert_eq!(held(&horizon, text), expected, "{text}");
        }
    }

    #[test]
    fn sentences_end_with_what_ends_them() {
        let horizon = horizon(&[(r"[^.?!\n]+", 0)]);
        for (text, expected) in [("One. Two", " Two"), ("One. Two.", ""), ("é", "é")] {
            assert_eq!(held(&horizon, text), expected, "{text}");
        }
    }
}
