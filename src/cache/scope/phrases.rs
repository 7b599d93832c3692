//! Phrases of a question, as one automaton that is built once.

use regex::Regex;

/// One expression for all phrases, whatever their case. In a phrase a space is any whitespace, and `'` is an apostrophe of either kind or none.
pub(super) fn any_of<P: AsRef<str>>(phrases: &[P]) -> Regex {
    let spelled = |phrase: &P| phrase.as_ref().replace('\'', "(?:'|(?u:’))?").replace(' ', r"\s+");
    expression(&phrases.iter().map(spelled).collect::<Vec<_>>())
}

/// One expression for all patterns, each taken from the beginning of a word to the end of one.
#[expect(clippy::expect_used, reason = "the patterns are constants of this crate, and the tests of each list compile them")]
pub(super) fn expression<P: AsRef<str>>(patterns: &[P]) -> Regex {
    let patterns: Vec<&str> = patterns.iter().map(AsRef::as_ref).collect();
    // Without Unicode classes the engine stays in its fast automaton, whatever the language of the text.
    Regex::new(&format!(r"(?i-u)\b(?:{})\b", patterns.join("|"))).expect("the patterns are an expression")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spaces_case_and_apostrophes_do_not_matter() {
        let phrases = any_of(&["what's my", "so far"]);
        for text in ["What's my name?", "whats\n my", "WHAT’S MY", "so far"] {
            assert!(phrases.is_match(text), "{text}");
        }
        for text in ["somewhat's my", "so farther", "what my"] {
            assert!(!phrases.is_match(text), "{text}");
        }
    }
}
