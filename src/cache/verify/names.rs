//! Other names: a person, a place, a product.

use super::{align::Pair, reading::Word};

/// Two spellings of a name are this alike, by edits.
const SPELLING: f64 = 0.8;

/// Shorter names differ by a letter ("Maria", "Mario"), and nobody writes longer ones.
const SPELLED: std::ops::RangeInclusive<usize> = 6..=64;

/// Whether each side names what the other does not, or one of them does.
pub(super) fn judge(pair: &Pair<'_>) -> f32 {
    let lone = |side: usize| pair.alone(side).filter(|&(_, word)| word.name && !spelled(pair, side, word)).count();
    match (lone(0), lone(1)) {
        (0, 0) => 0.0,
        (0, _) | (_, 0) => 0.4,
        _ => 1.0,
    }
}

/// Whether the other side has it in another spelling, or shortened to its first letters.
pub(super) fn spelled(pair: &Pair<'_>, side: usize, name: &Word) -> bool {
    let alone: Vec<&Word> = pair.alone(1 - side).map(|(_, word)| word).collect();
    let begins = |word: &Word| word.lower.chars().next();
    let comparable = |other: &Word| {
        begins(other) == begins(name) && SPELLED.contains(&name.lower.len()) && SPELLED.contains(&other.lower.len())
    };
    let like = |other: &&Word| comparable(other) && strsim::normalized_damerau_levenshtein(&name.lower, &other.lower) >= SPELLING;
    let initials: String = alone.iter().filter_map(|word| word.lower.chars().next()).collect();
    alone.iter().any(like) || (name.lower.len() >= 2 && initials.contains(&*name.lower))
}

#[cfg(test)]
mod tests {
    use super::super::{Check, examples::hold};

    #[test]
    fn holds_to_its_examples() {
        hold(
            Check::Names,
            &[
                ("Is Olivia Phillips famous?", "Is David Phillips famous?"),
                ("What is the weather like in Oslo?", "What is the weather like in Lagos?"),
                ("How do I cook on a Bosch stove?", "How do I cook on a Miele stove?"),
                ("Is it hot in Gambia?", "Is it hot in Zambia?"),
                ("Is Maria in?", "Is Mario in?"),
                ("How do I sort a list in C#?", "How do I sort a list in C?"),
                ("Who won the match, Chelsea or Leeds?", "Who won the match, Chelsea or Everton?"),
            ],
            &[
                ("Is Olivia Phillips famous?", "is olivia phillips famous"),
                ("Where is Reykjavik?", "Where is Reykjavík?"),
                ("Tell me about the European Union", "Tell me about the EU"),
                ("HOW DO I COOK RICE WELL", "How do I cook rice well"),
            ],
        );
    }
}
