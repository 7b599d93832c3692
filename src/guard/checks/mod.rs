//! One file per kind of match: how its author writes it, how it is built, and how it finds. A check never decides: what happens then is the rule's action.

use std::{collections::BTreeMap, fmt, ops::Range};

mod affix;
mod case;
mod code;
mod contains;
mod context;
mod digits;
mod endpoint;
mod fences;
mod gibberish;
pub mod injection;
mod json;
mod json_keys;
mod json_schema;
mod language;
mod length;
mod listed;
mod meaning;
mod metadata;
mod model;
pub mod moderation;
mod not;
mod parameters;
mod pattern;
mod phrases;
pub mod portkey;
mod prefix;
mod programming;
mod remote;
mod repetition;
mod required;
mod script;
mod shape;
mod similar;
mod token;
mod tools;
mod topic;
mod urls;
mod validate;
mod whole;
mod words;

pub use affix::{EndsWith, StartsWith};
pub use case::{Case, LetterCase};
pub use code::Code;
pub use contains::Contains;
pub use context::{Context, Side};
pub use endpoint::Endpoint;
pub use gibberish::Gibberish;
pub use injection::Injection;
pub use json_keys::JsonKeys;
pub use json_schema::JsonSchema;
pub use language::Language;
pub use length::Length;
pub use listed::Listed;
pub use meaning::Embedding;
pub use metadata::{Metadata, Quantity, Wanted};
pub use model::Model;
pub use moderation::Moderation;
pub use parameters::{Parameters, Values};
pub use pattern::{Group, Pattern};
pub use prefix::Prefix;
pub use programming::ProgrammingLanguage;
pub use remote::{Answer, Asking, Jwt, Log, Question, RemoteCheck, ValidUrls, Webhook};
pub use repetition::{Repetition, Unit};
pub use shape::Shape;
pub use tools::Tools;
pub use topic::Topic;
pub use urls::Urls;
pub use validate::Validator;
pub use words::Words;

pub(in crate::guard) use digits::Digits;
pub(in crate::guard) use not::{NoFact, NoText};
pub(in crate::guard) use whole::Whole;

use super::rules::Site;
use crate::wire::Request;

/// A kind of match as its author writes it: one key under `match`.
pub(in crate::guard) trait Kind {
    /// Adds the checks that it comes to, or the problems that it has.
    fn build(&self, site: &mut Site<'_, '_>);
}

/// What must be in a text for a check to be worth running.
#[derive(Debug, Clone, Copy)]
pub enum Needs<'c> {
    /// Nothing in particular: it always runs.
    Nothing,
    /// At least one of these words, in any case.
    AnyOf(&'c [String]),
    /// At least so many ASCII digits, and, unless there are none, one of these words.
    Digits {
        /// How many.
        count: usize,
        /// In how many bytes, at most.
        within: usize,
        /// The words.
        any_of: &'c [String],
    },
}

impl<'c> Needs<'c> {
    /// The words, one of which must be there, if there are any.
    pub fn words(self) -> &'c [String] {
        match self {
            Self::Nothing => &[],
            Self::AnyOf(words) | Self::Digits { any_of: words, .. } => words,
        }
    }

    /// How many digits must be there, and in how many bytes.
    pub fn digits(self) -> (usize, usize) {
        match self {
            Self::Nothing | Self::AnyOf(_) => (0, usize::MAX),
            Self::Digits { count, within, .. } => (count, within),
        }
    }
}

/// A kind of match. Sync and pure.
pub trait Check: Send + Sync + fmt::Debug {
    /// Appends the places in `text` that match, in bytes.
    fn find(&self, text: &str, found: &mut Vec<Range<usize>>);

    /// What must be there for a match, so that most checks need not run on most texts.
    fn needs(&self) -> Needs<'_>;

    /// How much of a text it must see at once.
    fn reach(&self) -> Reach;
}

/// How much of a text a check must have before it to judge a part: what a stream holds back for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reach {
    /// Every match has this shape, so that nothing is held back until one may have begun.
    Shape(Shape),
    /// No match is longer than this, in bytes, and nothing tells that one has begun.
    Bytes(usize),
    /// A match can be of any length, and nothing tells that one has begun: the rule's own bound says how much is held back for it.
    Unbounded,
    /// A part says nothing of the whole: such a check waits for the end of a stream.
    Whole,
}

/// What of a request is not text: its model, its parameters, its tools, and what was said beside it.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'r> {
    /// The request, before any rule has changed it.
    pub request: &'r Request,
    /// What the client says of the request.
    pub metadata: &'r BTreeMap<String, String>,
}

/// Says why a text matches, where the place of a match does not tell.
pub trait Reason: Send + Sync + fmt::Debug {
    /// Why this text matches, without a word of it; `None` if it does not.
    fn reason(&self, text: &str) -> Option<String>;
}

/// A check on a request's facts. Sync and pure, like [`Check`], but it has no place in a text: its rule cannot replace.
pub trait FactCheck: Send + Sync + fmt::Debug {
    /// Whether the rule matches.
    fn matches(&self, facts: &Facts<'_>) -> bool;
}

/// What a check says that only compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Opinion {
    /// It does not match.
    Pass,
    /// It cannot tell.
    Unsure,
    /// It matches.
    Match,
}

impl Opinion {
    /// Of a score: unsure from the one bound on, a match from the other.
    fn of(score: f32, unsure: f32, matches: f32) -> Self {
        if score >= matches {
            Self::Match
        } else if score >= unsure {
            Self::Unsure
        } else {
            Self::Pass
        }
    }
}

/// A check on the meaning of a screened text, where there is a vector of it. Sync and pure; its rule cannot replace.
pub trait VectorCheck: Send + Sync + fmt::Debug {
    /// What it says of the text with this vector, of length 1.
    fn judge(&self, text: &str, vector: &[f32]) -> Opinion;

    /// Whether the text is embedded for it, where the cache does not do so anyway.
    fn embedding(&self) -> Embedding;

    /// Sentences with whose vectors it compares. Until it has learnt those, it matches nothing.
    fn sentences(&self) -> &[String] {
        &[]
    }

    /// Takes the vectors of its sentences, in their order.
    fn learn(&self, _vectors: Vec<Vec<f32>>) {}
}

#[cfg(test)]
pub(crate) mod conformance {
    //! What holds for every check.

    use super::*;
    use crate::wire::Endpoint;

    /// A chat request.
    pub(crate) fn asking(body: &str) -> Request {
        Request::decode(Endpoint::Chat, body.to_owned().into()).unwrap()
    }

    /// What is said of a request.
    pub(crate) fn facts<'r>(request: &'r Request, metadata: &'r BTreeMap<String, String>) -> Facts<'r> {
        Facts { request, metadata }
    }

    /// A text of every kind that has tripped somebody.
    const TEXTS: [&str; 7] =
        ["", " ", "é🎉 plain", "{\"a\": 1}", "4111 1111 1111 1111", "a\u{0}b\r\n\t", "ünïcödé wörds everywhere"];

    pub(crate) fn holds(check: &dyn Check, matching: &str) {
        let find = |text: &str| {
            let mut found = Vec::new();
            check.find(text, &mut found);
            found
        };
        let found = find(matching);
        assert!(!found.is_empty(), "{check:?} does not find its own example");
        for text in TEXTS.into_iter().chain([matching]) {
            for span in find(text) {
                assert!(text.get(span.clone()).is_some(), "{check:?}: {span:?} is not a place in {text:?}");
            }
            assert_eq!(find(text), find(text), "{check:?} is not pure");
        }
        let (words, lower) = (check.needs().words(), matching.to_ascii_lowercase());
        let wakes = words.is_empty() || words.iter().any(|word| lower.contains(&word.to_ascii_lowercase()));
        let (count, within) = check.needs().digits();
        assert!(wakes && Digits::of(matching).are_there(count, within), "{check:?} would be skipped on its example");
        if let Reach::Shape(shape) = check.reach() {
            let whole = regex::Regex::new(&format!(r"\A(?:{})", shape.expression())).unwrap();
            let fits = |span: &Range<usize>| whole.is_match(&matching[span.clone()]);
            assert!(found.iter().all(fits), "{check:?} finds what has not its shape");
            let longest = shape.longest().unwrap_or(usize::MAX);
            assert!(found.iter().all(|span| span.len() <= longest), "{check:?} finds more than it holds back");
        }
        let mut kept = vec![0..1];
        check.find(matching, &mut kept);
        assert_eq!(kept[0], 0..1, "{check:?} removes what others found");
    }
}
