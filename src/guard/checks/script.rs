//! Regular expressions of JavaScript, which Portkey's configs are written in. They may look around and refer back, and so take more than linear time: one that has
//! taken too many steps is given up, and matches nothing.

use std::ops::Range;

use fancy_regex::{Regex, RegexBuilder};

use super::{Check, Needs, Reach};

/// Steps back that one search may take.
const MAX_STEPS: usize = 100_000;
/// Compiled size beyond which a pattern is refused: nested counted repetitions explode.
const MAX_PATTERN_BYTES: usize = 4 << 20;

/// A compiled pattern.
#[derive(Debug)]
pub(super) struct Script(Regex);

impl Script {
    /// Compiles a pattern with JavaScript's flags: `i`, `m` and `s` mean the same here, `u` and `v` hold anyway, and `g` is what is always done.
    pub(super) fn new(pattern: &str, flags: &str) -> Result<Self, String> {
        if let Some(unknown) = flags.chars().find(|flag| !"dgimsuvy".contains(*flag)) {
            return Err(format!("there is no flag `{unknown}`"));
        }
        let known: String = flags.chars().filter(|flag| "ims".contains(*flag)).collect();
        let pattern = if known.is_empty() { pattern.to_owned() } else { format!("(?{known}){pattern}") };
        let mut builder = RegexBuilder::new(&pattern);
        builder.backtrack_limit(MAX_STEPS).delegate_size_limit(MAX_PATTERN_BYTES);
        builder.build().map(Self).map_err(|error| error.to_string())
    }

    /// Compiles `/pattern/flags`, or a pattern alone.
    pub(super) fn literal(written: &str) -> Result<Self, String> {
        let inside = written.strip_prefix('/').and_then(|rest| rest.rsplit_once('/'));
        match inside.filter(|(_, flags)| flags.chars().all(|flag| flag.is_ascii_lowercase())) {
            Some((pattern, flags)) => Self::new(pattern, flags),
            None => Self::new(written, ""),
        }
    }

    /// Whether it matches somewhere.
    pub(super) fn is_match(&self, text: &str) -> bool {
        self.0.is_match(text).unwrap_or(false)
    }
}

impl Check for Script {
    fn find(&self, text: &str, found: &mut Vec<Range<usize>>) {
        let matches = self.0.find_iter(text).map_while(Result::ok);
        found.extend(matches.map(|found| found.range()));
    }

    fn needs(&self) -> Needs<'_> {
        Needs::Nothing
    }

    fn reach(&self) -> Reach {
        // What it looks around at can be anywhere.
        Reach::Whole
    }
}

#[cfg(test)]
mod tests {
    use super::{super::conformance, *};

    #[test]
    fn conforms() {
        conformance::holds(&Script::new(r"(?<!not )safe(?= word)", "").unwrap(), "a safe word");
    }

    #[test]
    fn looks_around_refers_back_and_heeds_flags() {
        assert!(Script::new(r"(\w)\1", "").unwrap().is_match("hello") && !Script::new(r"(\w)\1", "").unwrap().is_match("helo"));
        let cases = [
            ("/abc/i", "xABC", true),
            ("/abc/", "xABC", false),
            ("a/b", "a/b", true),
            ("/a.c/gs", "a\nc", true),
            ("/^b/m", "a\nb", true),
            ("/srv/Data", "/srv/Data", true),
        ];
        for (written, text, matches) in cases {
            assert_eq!(Script::literal(written).unwrap().is_match(text), matches, "{written}");
        }
        assert!(Script::new("(", "").is_err() && Script::literal("/a/q").is_err());
    }

    #[test]
    fn a_pattern_that_runs_away_is_given_up() {
        let runaway = Script::new(r"^(a+)+(?=b)c$", "").unwrap();
        assert!(!runaway.is_match(&"a".repeat(10_000)));
    }
}
