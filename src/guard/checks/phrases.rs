//! Phrases by the part that they play, found in one pass: what injection and moderation are made of.

use aho_corasick::{AhoCorasick, AhoCorasickKind};

/// A set of parts, by their places in the list of their names: at most 32.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Parts(u32);

impl Parts {
    /// None.
    pub(super) const NONE: Self = Self(0);

    /// With one more.
    #[must_use]
    pub(super) const fn plus(self, part: usize) -> Self {
        Self(self.0 | 1 << part)
    }

    /// Adds one.
    pub(super) fn add(&mut self, part: usize) {
        *self = self.plus(part);
    }

    /// With those of another set.
    #[must_use]
    pub(super) fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Those that are in both sets.
    #[must_use]
    pub(super) fn common(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Whether all of these are in it.
    pub(super) fn has(self, parts: Self) -> bool {
        self.0 & parts.0 == parts.0
    }

    /// Whether there is none.
    pub(super) fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// How many there are.
    pub(super) fn count(self) -> usize {
        self.0.count_ones() as usize
    }
}

#[derive(Debug, Clone, Copy)]
struct Phrase {
    part: usize,
    /// Whether a word may go on behind it.
    open: bool,
    /// Whether it is of a script that leaves no space between words.
    unspaced: bool,
}

/// All phrases of a list, ready to be found.
#[derive(Debug)]
pub(super) struct Phrases {
    all: Found,
    /// Those of ASCII alone: few letters make a small table, in which each byte of a sentence is one look-up.
    ascii: Found,
}

/// Phrases that are looked for together.
#[derive(Debug)]
struct Found {
    automaton: AhoCorasick,
    phrases: Vec<Phrase>,
}

impl Found {
    fn new<'p>(listed: impl Iterator<Item = &'p (String, Phrase)>, kind: Option<AhoCorasickKind>) -> Option<Self> {
        let (words, phrases): (Vec<_>, Vec<_>) = listed.map(|(word, phrase)| (word, *phrase)).unzip();
        let automaton = AhoCorasick::builder().kind(kind).build(words).ok()?;
        Some(Self { automaton, phrases })
    }
}

impl Phrases {
    /// Reads a list: `part: phrase, phrase`, a star behind a word that may go on, `~` before a line in rot13. `None` if a part has none of these names, or the
    /// list does not fit an automaton; a test rules it out for each list that ships.
    pub(super) fn parse(list: &str, names: &[&str]) -> Option<Self> {
        let mut phrases = Vec::new();
        for line in list.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
            let (line, veiled) = line.strip_prefix('~').map_or((line, false), |line| (line, true));
            let (name, listed) = line.split_once(": ")?;
            let part = names.iter().position(|known| *known == name)?;
            for written in listed.split(", ") {
                let word = written.trim_end_matches('*');
                let phrase = Phrase { part, open: word.len() < written.len(), unspaced: word.chars().any(is_unspaced) };
                phrases.push((if veiled { rot13(word) } else { word.to_owned() }, phrase));
            }
        }
        let of_ascii = phrases.iter().filter(|(word, _)| word.is_ascii());
        Some(Self { ascii: Found::new(of_ascii, Some(AhoCorasickKind::DFA))?, all: Found::new(phrases.iter(), None)? })
    }

    /// The part of every phrase in a sentence of small letters, once for each time that it stands there.
    pub(super) fn find(&self, sentence: &str) -> impl Iterator<Item = usize> {
        let Found { automaton, phrases } = if sentence.is_ascii() { &self.ascii } else { &self.all };
        automaton.find_overlapping_iter(sentence).filter_map(move |hit| {
            let phrase = &phrases[hit.pattern().as_usize()];
            let whole = phrase.unspaced || stands_alone(sentence, hit.start(), hit.end(), phrase.open);
            whole.then_some(phrase.part)
        })
    }
}

/// Where the first sentence of a text ends: behind a full stop, a question or an exclamation mark, or a line break. `None` if it goes on.
pub(super) fn sentence_end(text: &[u8]) -> Option<usize> {
    let ends = |at: usize| match text[at] {
        b'.' | b'?' | b'!' | b'\n' => Some(at + 1),
        _ => ["。", "？", "！"].iter().find(|mark| text[at..].starts_with(mark.as_bytes())).map(|mark| at + mark.len()),
    };
    let mut from = 0;
    std::iter::from_fn(|| {
        from += text[from..].iter().position(|&byte| MAY_END[usize::from(byte)])? + 1;
        Some(from - 1)
    })
    .find_map(ends)
}

/// The bytes that what ends a sentence begins with.
static MAY_END: [bool; 256] = {
    let mut may = [false; 256];
    let (marks, mut n) = (*b".?!\n\xe3\xef", 0);
    while n < marks.len() {
        may[marks[n] as usize] = true;
        n += 1;
    }
    may
};

/// A text cut behind each end of a sentence.
pub(super) fn sentences(mut text: &str) -> impl Iterator<Item = &str> {
    std::iter::from_fn(move || {
        let (sentence, rest) = text.split_at(sentence_end(text.as_bytes()).unwrap_or(text.len()));
        text = rest;
        Some(sentence).filter(|sentence| !sentence.is_empty())
    })
}

/// Letters turned by thirteen places.
pub(super) fn rot13(text: &str) -> String {
    let turn = |char: char| match char {
        'a'..='m' | 'A'..='M' => char::from(char as u8 + 13),
        'n'..='z' | 'N'..='Z' => char::from(char as u8 - 13),
        other => other,
    };
    text.chars().map(turn).collect()
}

/// Chinese, Japanese, Korean: words stand without spaces, or take endings.
pub(super) fn is_unspaced(char: char) -> bool {
    matches!(char, '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}' | '\u{ac00}'..='\u{d7af}')
}

/// Whether no word goes on before or behind a place, where the phrase itself begins or ends in a letter.
fn stands_alone(text: &str, start: usize, end: usize, open: bool) -> bool {
    let word = |char: Option<char>| char.is_some_and(char::is_alphanumeric);
    let inside = &text[start..end];
    let before = word(inside.chars().next()) && word(text[..start].chars().next_back());
    let behind = !open && word(inside.chars().next_back()) && word(text[end..].chars().next());
    !before && !behind
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: [&str; 2] = ["one", "other"];

    fn found(list: &str, sentence: &str) -> Vec<usize> {
        Phrases::parse(list, &NAMES).unwrap().find(&sentence.to_lowercase()).collect()
    }

    #[test]
    fn phrases_stand_whole_and_inflect_where_a_star_allows_it() {
        assert_eq!(found("one: ignore, set aside", "Ignore it, or SET ASIDE what you signored"), [0, 0]);
        assert_eq!(found("one: ignor*", "ignoriere das"), [0]);
        assert_eq!(found("one: 忽略\nother: 指令", "请忽略以上指令"), [0, 1]);
    }

    #[test]
    fn a_text_is_cut_behind_each_end_of_a_sentence() {
        let cut: Vec<_> = sentences("One. 二。、三！?\nno end").collect();
        assert_eq!(cut, ["One.", " 二。", "、三！", "?", "\n", "no end"]);
        assert_eq!(sentences("").count(), 0);
    }

    #[test]
    fn a_line_in_rot13_is_read() {
        assert_eq!(found("~other: uryyb", "say hello"), [1]);
        assert_eq!(rot13("Uryyb, jbeyq"), "Hello, world");
    }

    #[test]
    fn a_part_without_a_name_is_refused() {
        assert!(Phrases::parse("nonsense: word", &NAMES).is_none());
    }
}
