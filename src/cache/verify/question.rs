//! What is asked for: a reason, a way, a place, a number.

use super::{
    align::Pair,
    lexicon::{self, Class},
    reading::Word,
};

/// What a question asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asks {
    Thing,
    Person,
    Moment,
    Place,
    Reason,
    Way,
    Amount,
    /// Yes or no.
    Whether,
    /// Nothing that can be told from its words.
    Open,
}

/// Whether the two ask for different things.
pub(super) fn judge(pair: &Pair<'_>) -> f32 {
    let (one, other) = (asks(pair.words(0)), asks(pair.words(1)));
    match (one.is_definite(), other.is_definite()) {
        _ if one == other => 0.0,
        (true, true) => 1.0,
        // "What" may ask for anything, and a plain statement for nothing in particular.
        (true, false) | (false, true) => 0.3,
        (false, false) => 0.0,
    }
}

impl Asks {
    /// Whether an answer to this answers nothing else.
    fn is_definite(self) -> bool {
        matches!(self, Self::Person | Self::Moment | Self::Place | Self::Reason | Self::Way | Self::Amount)
    }
}

fn asks(words: &[Word]) -> Asks {
    let question = words.iter().enumerate().find_map(|(at, word)| Some((at, word.class().filter(|class| is_question(*class))?)));
    let Some((at, class)) = question else {
        let begins = words.first().and_then(Word::class);
        return if matches!(begins, Some(Class::Present | Class::Past | Class::Future | Class::Modal)) {
            Asks::Whether
        } else {
            Asks::Open
        };
    };
    let next = words.get(at + 1).map_or("", |word| &*word.lower);
    match class {
        Class::Who => Asks::Person,
        Class::When => Asks::Moment,
        Class::Where => Asks::Place,
        Class::Why => Asks::Reason,
        Class::How if lexicon::is_measure(next) => Asks::Amount,
        Class::How if next == "come" => Asks::Reason,
        Class::How => Asks::Way,
        _ => of_what(&words[at..], next),
    }
}

fn is_question(class: Class) -> bool {
    matches!(class, Class::What | Class::Who | Class::When | Class::Where | Class::Why | Class::How)
}

/// "What" asks for whatever its noun says.
fn of_what(words: &[Word], next: &str) -> Asks {
    let noun = |nouns: &[&str], after: &[&str]| {
        words.windows(2).any(|two| nouns.contains(&&*two[0].lower) && after.contains(&&*two[1].lower))
    };
    if noun(&["way", "ways", "steps", "method", "methods", "tips", "trick"], &["to", "of", "for", "do", "should", "can"]) {
        Asks::Way
    } else if noun(&["reason", "reasons", "cause", "causes"], &["for", "of", "why", "behind", "that"]) {
        Asks::Reason
    } else if next == "time" || next == "date" {
        Asks::Moment
    } else if next == "place" || next == "places" {
        Asks::Place
    } else {
        Asks::Thing
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Check, examples::hold};

    #[test]
    fn holds_to_its_examples() {
        hold(
            Check::Question,
            &[
                ("Where was the treaty signed?", "When was the treaty signed?"),
                ("Why is sourdough hard?", "How hard is sourdough?"),
                ("How do I learn Basque?", "Where can I learn Basque?"),
                ("Who invented the loom?", "How was the loom invented?"),
            ],
            &[
                ("What is the best way to learn Basque?", "How do I learn Basque?"),
                ("What is the reason for leap years?", "Why are there leap years?"),
                ("What time does it open?", "When does it open?"),
                ("Tell me a story", "What is a good story?"),
            ],
        );
    }
}
