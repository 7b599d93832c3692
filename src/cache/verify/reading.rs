//! A prompt taken apart: words, numbers and literals, in the order of the text.
//!
//! English only, as the model is. Nothing here decides; it says what stands where.

use std::sync::LazyLock;

use compact_str::CompactString;
use rust_stemmers::{Algorithm, Stemmer};

use super::{
    lexicon::{self, Class},
    quantity::{self, Quantity},
};

/// Longer prompts are not verified: aligning two takes the square of their words. [`Reading::is_whole`] says so.
const MAX_WORDS: usize = 512;

static STEMMER: LazyLock<Stemmer> = LazyLock::new(|| Stemmer::create(Algorithm::English));

/// What a word is to the checks.
#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    /// Carries meaning by itself.
    Content,
    /// Holds a sentence together, or turns its meaning.
    Function(Class),
    /// May be left out.
    Filler,
    /// A number, with its unit.
    Quantity(Quantity),
    /// Must be the same to the letter: a URL, an address, an id, code, a version.
    Literal,
}

/// One word.
#[derive(Debug, Clone, PartialEq)]
pub struct Word {
    /// Where it begins and ends in the text, in bytes.
    pub span: (usize, usize),
    /// In small letters, contractions written out.
    pub lower: CompactString,
    /// Without its ending.
    pub stem: CompactString,
    /// What it is.
    pub kind: Kind,
    /// Whether it is written like a name: a capital where a sentence does not begin, or inside.
    pub name: bool,
    /// Whether a comma or another break stands before it.
    pub after_break: bool,
    /// Whether a sentence begins with it.
    pub opens: bool,
}

impl Word {
    /// Whether it carries meaning by itself.
    pub fn is_content(&self) -> bool {
        self.kind == Kind::Content
    }

    /// Whether a sentence would hardly miss it.
    pub fn is_light(&self) -> bool {
        match &self.kind {
            Kind::Function(_) | Kind::Filler => true,
            Kind::Quantity(quantity) => quantity.vague,
            Kind::Content | Kind::Literal => false,
        }
    }

    /// Its class, if it is a function word.
    pub fn class(&self) -> Option<Class> {
        if let Kind::Function(class) = self.kind { Some(class) } else { None }
    }
}

/// A prompt taken apart.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Reading {
    /// Its words.
    pub words: Vec<Word>,
}

impl Reading {
    /// Takes a text apart.
    pub fn of(text: &str) -> Self {
        let mut words = Vec::with_capacity(text.len() / 5 + 1);
        let mut opens = true;
        for piece in (Pieces { text, at: 0 }).take(MAX_WORDS + 1) {
            let opened = opens || piece.opens;
            opens = false;
            push(&mut words, &piece, opened);
        }
        names(text, &mut words);
        quantity::join(&mut words);
        Self { words }
    }

    /// Whether all of the text was read.
    pub fn is_whole(&self) -> bool {
        self.words.len() <= MAX_WORDS
    }
}

/// A stretch of text between blanks, its punctuation taken off.
struct Piece<'t> {
    text: &'t str,
    start: usize,
    /// After the end of a sentence.
    opens: bool,
    /// After a comma, a dash or a bracket.
    after_break: bool,
    /// Inside back quotes or double quotes of one word: to the letter.
    quoted: bool,
}

struct Pieces<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Iterator for Pieces<'t> {
    type Item = Piece<'t>;

    fn next(&mut self) -> Option<Piece<'t>> {
        let (mut opens, mut after_break, mut quoted) = (false, false, false);
        loop {
            let rest = &self.text[self.at..];
            let first = rest.chars().next()?;
            if begins_piece(rest, first) {
                break;
            }
            if is_operator(&self.text[..self.at], rest, first) {
                let start = self.at;
                self.at += first.len_utf8();
                return Some(Piece { text: &rest[..first.len_utf8()], start, opens, after_break, quoted: true });
            }
            opens |= matches!(first, '.' | '!' | '?' | '\n');
            after_break |= matches!(first, ',' | ';' | ':' | '(' | ')' | '-' | '–' | '—' | '/');
            quoted = first == '`';
            self.at += first.len_utf8();
        }
        let rest = &self.text[self.at..];
        let length = piece_length(rest);
        let start = self.at;
        self.at += length;
        Some(Piece { text: &rest[..length], start, opens, after_break, quoted })
    }
}

/// Signs that turn a question into another one: "12 * 7" and "12 / 7". Dashes and slashes are that only next to digits.
fn is_operator(before: &str, rest: &str, char: char) -> bool {
    match char {
        '*' | '<' | '>' | '=' | '^' | '|' | '%' | '+' | '−' | '×' | '÷' => true,
        '-' | '/' => {
            let next = rest[char.len_utf8()..].trim_start();
            before.trim_end().ends_with(char::is_numeric) && next.starts_with(char::is_numeric)
        }
        _ => false,
    }
}

fn begins_piece(rest: &str, first: char) -> bool {
    first.is_alphanumeric()
        || quantity::is_currency(first)
        // A sign belongs to the number after it, a dot to the digits after it, where a word has not just ended.
        || (matches!(first, '-' | '+' | '.') && rest[1..].starts_with(|next: char| next.is_ascii_digit()))
}

/// How far the piece goes that begins here: to a blank, or to punctuation that ends a word.
fn piece_length(rest: &str) -> usize {
    let blank = rest.find(char::is_whitespace).unwrap_or(rest.len());
    let word = &rest[..blank];
    if lexicon::is_address(word) {
        return word.trim_end_matches(['.', ',', '?', '!', ';', ':', ')', '"', '\'', '>']).len();
    }
    let mut end = 0;
    let mut chars = word.char_indices().peekable();
    while let Some((at, char)) = chars.next() {
        let next = chars.peek().map(|&(_, next)| next);
        let inside = at > 0 && next.is_some_and(char::is_alphanumeric);
        let digits =
            inside && word[..at].ends_with(|last: char| last.is_ascii_digit()) && next.is_some_and(|next| next.is_ascii_digit());
        let joins = match char {
            '\'' | '’' | '_' | '@' => inside,
            '.' => inside || at == 0,
            ',' | ':' | '/' => digits,
            // Dates and versions keep their dashes, other compounds fall apart.
            '-' => digits || at == 0,
            '+' => true,
            '#' if at > 0 => true,
            '%' => at > 0,
            _ => char.is_alphanumeric() || quantity::is_currency(char),
        };
        if !joins {
            break;
        }
        end = at + char.len_utf8();
    }
    end.max(rest.chars().next().map_or(1, char::len_utf8))
}

fn push(words: &mut Vec<Word>, piece: &Piece<'_>, opens: bool) {
    let lower: CompactString =
        piece.text.chars().flat_map(char::to_lowercase).map(|char| if char == '’' { '\'' } else { char }).collect();
    let span = (piece.start, piece.start + piece.text.len());
    let mut add = |lower: &str, kind: Kind| {
        let stem = if kind == Kind::Content { CompactString::from(&*STEMMER.stem(lower)) } else { lower.into() };
        let first = words.last().is_none_or(|last: &Word| last.span != span);
        words.push(Word {
            span,
            lower: lower.into(),
            stem,
            kind,
            name: false,
            after_break: piece.after_break && first,
            opens: opens && first,
        });
    };
    if piece.quoted || lexicon::is_literal(piece.text) {
        return add(piece.text, Kind::Literal);
    }
    if let Some(quantity) = quantity::parse(&lower) {
        return add(&lower, Kind::Quantity(quantity));
    }
    // Digits that are no number are compared as they are written: ranges, dates, telephone numbers.
    if piece.text.contains(char::is_numeric) {
        return add(piece.text, Kind::Literal);
    }
    let (head, tail) = lexicon::contraction(&lower);
    add(head, lexicon::kind_of(head));
    if let Some(tail) = tail {
        add(tail, lexicon::kind_of(tail));
    }
}

/// Marks what is written like a name, unless everything is.
fn names(text: &str, words: &mut [Word]) {
    let capital = |word: &Word| text[word.span.0..word.span.1].starts_with(char::is_uppercase);
    let inside = words.iter().filter(|word| word.is_content() && !word.opens);
    let (capitals, all) = inside.fold((0, 0), |(capitals, all), word| (capitals + usize::from(capital(word)), all + 1));
    // Where nearly every word has a capital, it says nothing.
    let telling = all < 4 || capitals * 4 < all * 3;
    for word in words {
        let written = &text[word.span.0..word.span.1];
        let mixed = written.chars().skip(1).any(char::is_uppercase);
        word.name = word.is_content() && telling && ((capital(word) && !word.opens) || mixed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prompt_of_very_many_words_is_not_read_to_its_end() {
        assert!(Reading::of(&"a ".repeat(MAX_WORDS)).is_whole());
        let reading = Reading::of(&"b\u{1}".repeat(8000));
        assert!(!reading.is_whole() && reading.words.len() <= MAX_WORDS + 1);
    }
}
