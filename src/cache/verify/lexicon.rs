//! What is known of single words: classes, contractions, numbers, units, opposites.

use std::{
    collections::{HashMap, HashSet},
    sync::LazyLock,
};

use super::reading::Kind;

/// What a function word does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// a, the, this
    Article,
    /// of, in, to
    Preposition,
    /// and, or
    Conjunction,
    /// is, do, have, in the present
    Present,
    /// was, did, had
    Past,
    /// will, shall
    Future,
    /// can, should, must
    Modal,
    /// I, you, one: whoever asks
    Anyone,
    /// my, your: of whoever asks
    Own,
    /// he, him, his
    He,
    /// she, her, hers
    She,
    /// they, it, we
    They,
    /// what, which
    What,
    /// who, whose
    Who,
    /// when
    When,
    /// where
    Where,
    /// why
    Why,
    /// how
    How,
    /// not, no, never, without
    Negation,
    /// all, only, first, other: how far a statement reaches
    Scope,
    /// some, many, often
    Quantifier,
    /// more, less, fewer
    Degree,
}

/// Words of each class. Sorted by class, not by letter: they are read, not searched.
const CLASSES: &[(Class, &str)] = &[
    (Class::Article, "a an the this that these those such there here"),
    (
        Class::Preposition,
        "of in on at to for from with by about as into onto through via per within upon toward towards among between against during \
         than like regarding concerning across along around",
    ),
    (Class::Conjunction, "and or but nor so if because while whether though although versus vs & then"),
    (Class::Present, "is are am be being been do does doing have has having get gets getting"),
    (Class::Past, "was were did had got"),
    (Class::Future, "will shall 'll gonna"),
    (Class::Modal, "can could should would must may might ought need needs able possible"),
    (Class::Anyone, "i me you we us one oneself someone somebody anyone anybody people person u myself yourself ourselves"),
    (Class::Own, "my mine your yours our ours one's ur"),
    (Class::He, "he him his himself"),
    (Class::She, "she her hers herself"),
    (Class::They, "they them their theirs themselves it its itself"),
    (Class::What, "what which whats"),
    (Class::Who, "who whom whose"),
    (Class::When, "when"),
    (Class::Where, "where"),
    (Class::Why, "why"),
    (Class::How, "how"),
    (Class::Negation, "not no never without none neither nobody nothing cannot nowhere hardly barely n't non except unless"),
    (
        Class::Scope,
        "all every each only both either last next previous other another same whole entire always sometimes alone else",
    ),
    (Class::Quantifier, "any some most few several many much first half usually often ever again still already yet once"),
    (Class::Degree, "more less least fewer"),
];

/// Words that may be left out without a change of meaning.
const FILLERS: &str = "please just really actually indeed truly basically simply very quite also even kindly hi hello hey thanks thank \
    so well ok okay oh anyway certainly definitely surely honestly literally exactly rather somewhat pretty fact currently like";

/// What stands for two words.
const CONTRACTIONS: &[(&str, &str, &str)] = &[
    ("can't", "can", "not"),
    ("cannot", "can", "not"),
    ("cant", "can", "not"),
    ("won't", "will", "not"),
    ("wont", "will", "not"),
    ("shan't", "shall", "not"),
    ("dont", "do", "not"),
    ("doesnt", "does", "not"),
    ("didnt", "did", "not"),
    ("isnt", "is", "not"),
    ("whats", "what", "is"),
    ("let's", "let", "us"),
    ("i'm", "i", "am"),
    ("im", "i", "am"),
    ("gonna", "going", "to"),
    ("wanna", "want", "to"),
];

const UNITS: &[(&str, &str)] = &[
    ("%", "% percent percentage pct"),
    ("usd", "dollar dollars usd bucks"),
    ("eur", "euro euros eur"),
    ("gbp", "gbp quid"),
    ("inr", "rs rupee rupees inr"),
    ("jpy", "yen jpy"),
    ("cent", "cent cents"),
    ("km", "km kms kilometer kilometers kilometre kilometres"),
    ("m", "m meter meters metre metres"),
    ("cm", "cm centimeter centimeters centimetre centimetres"),
    ("mm", "mm millimeter millimeters"),
    ("mile", "mile miles mi"),
    ("ft", "ft foot feet"),
    ("inch", "inch inches in\""),
    ("yard", "yard yards"),
    ("kg", "kg kgs kilo kilos kilogram kilograms"),
    ("g", "g gram grams"),
    ("mg", "mg milligram milligrams"),
    ("lb", "lb lbs pound pounds"),
    ("oz", "oz ounce ounces"),
    ("ton", "ton tons tonne tonnes"),
    ("l", "l liter liters litre litres"),
    ("ml", "ml milliliter milliliters"),
    ("gallon", "gallon gallons"),
    ("second", "sec secs seconds s"),
    ("ms", "ms millisecond milliseconds"),
    ("minute", "min mins minute minutes"),
    ("hour", "h hr hrs hour hours"),
    ("day", "day days"),
    ("week", "week weeks"),
    ("month", "month months"),
    ("year", "year years yr yrs"),
    ("am", "am a.m a.m."),
    ("pm", "pm p.m p.m."),
    ("kb", "kb kilobyte kilobytes"),
    ("mb", "mb megabyte megabytes"),
    ("gb", "gb gigabyte gigabytes gig"),
    ("tb", "tb terabyte terabytes"),
    ("mph", "mph"),
    ("kmh", "kmh kph km/h"),
    ("c", "celsius °c"),
    ("f", "fahrenheit °f"),
    ("x", "x times"),
];

const NUMBERS: &[(&str, f64, bool)] = &[
    ("zero", 0.0, false),
    ("one", 1.0, false),
    ("two", 2.0, false),
    ("three", 3.0, false),
    ("four", 4.0, false),
    ("five", 5.0, false),
    ("six", 6.0, false),
    ("seven", 7.0, false),
    ("eight", 8.0, false),
    ("nine", 9.0, false),
    ("ten", 10.0, false),
    ("eleven", 11.0, false),
    ("twelve", 12.0, false),
    ("dozen", 12.0, false),
    ("thirteen", 13.0, false),
    ("fourteen", 14.0, false),
    ("fifteen", 15.0, false),
    ("sixteen", 16.0, false),
    ("seventeen", 17.0, false),
    ("eighteen", 18.0, false),
    ("nineteen", 19.0, false),
    ("twenty", 20.0, false),
    ("thirty", 30.0, false),
    ("forty", 40.0, false),
    ("fifty", 50.0, false),
    ("sixty", 60.0, false),
    ("seventy", 70.0, false),
    ("eighty", 80.0, false),
    ("ninety", 90.0, false),
    ("hundred", 100.0, false),
    ("thousand", 1e3, false),
    ("million", 1e6, false),
    ("billion", 1e9, false),
    ("twice", 2.0, false),
    ("double", 2.0, false),
    ("thrice", 3.0, false),
    ("triple", 3.0, false),
    ("½", 0.5, false),
    ("¼", 0.25, false),
    ("¾", 0.75, false),
    ("half", 0.5, false),
    ("first", 1.0, true),
    ("second", 2.0, true),
    ("third", 3.0, true),
    ("fourth", 4.0, true),
    ("fifth", 5.0, true),
    ("sixth", 6.0, true),
    ("seventh", 7.0, true),
    ("eighth", 8.0, true),
    ("ninth", 9.0, true),
    ("tenth", 10.0, true),
];

static KINDS: LazyLock<HashMap<&'static str, Kind>> = LazyLock::new(|| {
    let fillers = FILLERS.split_whitespace().map(|word| (word, Kind::Filler));
    let classes = CLASSES.iter().flat_map(|(class, words)| words.split_whitespace().map(|word| (word, Kind::Function(*class))));
    fillers.chain(classes).collect()
});

static UNIT_OF: LazyLock<HashMap<&'static str, &'static str>> =
    LazyLock::new(|| UNITS.iter().flat_map(|(unit, words)| words.split_whitespace().map(|word| (word, *unit))).collect());

static OPPOSITES: LazyLock<HashMap<&'static str, Vec<&'static str>>> = LazyLock::new(|| {
    let mut opposites: HashMap<_, Vec<_>> = HashMap::new();
    let lines = include_str!("opposites.txt").lines().filter(|line| !line.starts_with('#'));
    for (one, other) in lines.filter_map(|line| line.split_once(' ')) {
        opposites.entry(one).or_default().push(other);
        opposites.entry(other).or_default().push(one);
    }
    opposites
});

/// What a word is, by its small letters.
pub(super) fn kind_of(lower: &str) -> Kind {
    KINDS.get(lower).cloned().unwrap_or(Kind::Content)
}

/// The two words that a contraction stands for, or the word itself.
pub(super) fn contraction(lower: &str) -> (&str, Option<&str>) {
    if let Some((_, head, tail)) = CONTRACTIONS.iter().find(|(short, ..)| *short == lower) {
        return (head, Some(tail));
    }
    if let Some(head) = lower.strip_suffix("n't") {
        return (head, Some("not"));
    }
    let Some((head, tail)) = lower.split_once('\'') else { return (lower, None) };
    match tail {
        "re" => (head, Some("are")),
        "ve" => (head, Some("have")),
        "ll" => (head, Some("will")),
        "d" => (head, Some("would")),
        "m" => (head, Some("am")),
        "s" if matches!(kind_of(head), Kind::Function(_)) => (head, Some("is")),
        // A possessive is its noun.
        "s" | "" => (head, None),
        _ => (lower, None),
    }
}

/// A number written as a word, and whether it is an ordinal.
pub(super) fn number_word(lower: &str) -> Option<(f64, bool)> {
    NUMBERS.iter().find(|(word, ..)| *word == lower).map(|&(_, value, ordinal)| (value, ordinal))
}

/// What a number before this word is multiplied by.
pub(super) fn magnitude(lower: &str) -> Option<f64> {
    match lower {
        "hundred" | "hundreds" => Some(1e2),
        "thousand" | "thousands" => Some(1e3),
        "lakh" | "lakhs" => Some(1e5),
        "million" | "millions" => Some(1e6),
        "crore" | "crores" => Some(1e7),
        "billion" | "billions" => Some(1e9),
        "dozen" | "dozens" => Some(12.0),
        _ => None,
    }
}

/// The one spelling of a unit.
pub(super) fn unit(lower: &str) -> Option<&'static str> {
    UNIT_OF.get(lower).copied()
}

/// The unit that a currency's sign stands for.
pub(super) fn currency(sign: char) -> &'static str {
    match sign {
        '€' => "eur",
        '£' => "gbp",
        '¥' => "jpy",
        '₹' => "inr",
        _ => "usd",
    }
}

/// Whether this is a URL or an e-mail address.
pub(super) fn is_address(word: &str) -> bool {
    word.contains("://")
        || word.starts_with("www.")
        || word.split_once('@').is_some_and(|(name, host)| !name.is_empty() && host.contains('.'))
}

/// Whether a word must be the same to the letter: addresses, ids, versions, names in code.
pub(super) fn is_literal(word: &str) -> bool {
    if is_address(word) {
        return true;
    }
    let digits = word.chars().filter(char::is_ascii_digit).count();
    let letters = word.chars().filter(|char| char.is_alphabetic()).count();
    let dots = word.chars().filter(|&char| char == '.').count();
    let inner = |mark: char| word.trim_matches(mark).contains(mark);
    let dashes = word.chars().filter(|&char| matches!(char, '-' | '/')).count();
    let date = digits >= 4 && letters == 0 && dashes == 2;
    let version = digits > 0 && dots >= 2 && letters <= 1;
    let id = digits > 0 && letters > 0 && super::quantity::parse(&word.to_lowercase()).is_none();
    date || version || id || inner('_') || word.starts_with('#') && digits > 0
}

/// Words of the opposite meaning.
pub(super) fn opposites(lower: &str) -> &'static [&'static str] {
    OPPOSITES.get(lower).map_or(&[], Vec::as_slice)
}

/// Whether two words have opposite meanings.
pub(super) fn opposed(one: &str, other: &str) -> bool {
    opposites(one).contains(&other) || prefixed(one, other) || prefixed(other, one)
}

/// "unsafe" and "safe", "useful" and "useless".
fn prefixed(one: &str, other: &str) -> bool {
    const PREFIXES: [&str; 9] = ["un", "in", "im", "il", "ir", "dis", "non", "mis", "de"];
    if other.len() < 4 {
        return false;
    }
    let negated = PREFIXES.iter().any(|prefix| one.strip_prefix(prefix) == Some(other)) && !NOT_NEGATED.contains(one);
    let lessened = one.strip_suffix("less").is_some_and(|root| other.strip_suffix("ful") == Some(root) || other == root);
    negated || lessened
}

/// Words that begin like a negation and are none.
static NOT_NEGATED: LazyLock<HashSet<&'static str>> = LazyLock::new(|| {
    "inflammable invaluable inhabit indeed inside intent invent import impress improve inform indent instant insure impart unto until design deliver demand depart decline devalue".split_whitespace().collect()
});

impl Class {
    /// Whether words of this class stand for each other.
    pub fn interchangeable(self) -> bool {
        matches!(
            self,
            Self::Article
                | Self::Present
                | Self::Past
                | Self::Future
                | Self::Anyone
                | Self::Own
                | Self::What
                | Self::Who
                | Self::Negation
        )
    }
}

const CALENDAR: &str = "monday tuesday wednesday thursday friday saturday sunday mondays tuesdays wednesdays thursdays fridays saturdays sundays \
    january february march april june july august september october november december spring summer autumn fall winter morning afternoon evening night \
    midnight noon weekend weekday today tomorrow yesterday tonight";

/// Words after "how" that ask for an amount.
const MEASURES: &str =
    "many much long often old far big fast tall high deep large hard good bad heavy wide effective accurate safe expensive";

/// Relations without a direction, and ways of setting side by side.
const SYMMETRIC: &str = "friend friends married marry connected related similar same different difference differences differ compare compared comparison \
    equal equals engaged dating date versus vs between near neighbor neighbors neighbour neighbours match meet met together both common relationship relation \
    identical allied acquainted twins siblings cousins divorced coworkers colleagues colleague roommates classmates partner partners close adjacent parallel \
    perpendicular synonym synonyms plus times sum distance";

/// Participles that do not end like one.
const PARTICIPLES: &str = "made found built sent sold told held kept left lost paid read said hit cut put set hurt caught bought brought taught thought \
    understood met won led fed spent run begun become drawn flown grown known shown thrown seen done gone born";

macro_rules! listed {
    ($(#[doc = $doc:literal] $name:ident in $list:ident;)*) => {$(
        #[doc = $doc]
        pub(super) fn $name(lower: &str) -> bool {
            static WORDS: LazyLock<HashSet<&'static str>> = LazyLock::new(|| $list.split_whitespace().collect());
            WORDS.contains(lower)
        }
    )*};
}

listed! {
    #[doc = "A day, a month, a part of the day."]
    is_calendar in CALENDAR;
    #[doc = "What asks for an amount after \"how\"."]
    is_measure in MEASURES;
    #[doc = "A relation that holds both ways."]
    is_symmetric in SYMMETRIC;
    #[doc = "An irregular participle."]
    is_irregular in PARTICIPLES;
}

/// Whether a word may be a past participle.
pub(super) fn is_participle(lower: &str) -> bool {
    lower.ends_with("ed") || lower.ends_with("en") || is_irregular(lower)
}
