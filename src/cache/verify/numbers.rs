//! Numbers, amounts and units: an answer about 3 GB is no answer about 8 GB.

use super::{
    align::Pair,
    reading::{Kind, Word},
};

/// Whether one side has a number that the other lacks.
pub(super) fn judge(pair: &Pair<'_>) -> f32 {
    let lone = |side: usize| pair.alone(side).any(|(_, word)| counts(word));
    if lone(0) || lone(1) { 1.0 } else { 0.0 }
}

/// "One" may stand for anything.
fn counts(word: &Word) -> bool {
    matches!(&word.kind, Kind::Quantity(quantity) if !quantity.vague)
}

#[cfg(test)]
mod tests {
    use super::super::{Check, examples::hold};

    #[test]
    fn holds_to_its_examples() {
        hold(
            Check::Numbers,
            &[
                ("Is 3 GB of memory enough?", "Is 8 GB of memory enough?"),
                ("What can I get for $20?", "What can I get for €20?"),
                ("Run 5 km a day", "Run 5 miles a day"),
                ("How do I cook rice for two people?", "How do I cook rice for ten people?"),
                ("Wake me at 6:30", "Wake me at 7:30"),
                ("The second chapter", "The third chapter"),
                ("Plan a trip for 3 days", "Plan a trip"),
                ("What is 15% of 80?", "What is 20% of 80?"),
                ("A loan of 1,500 dollars", "A loan of 1,500,000 dollars"),
                ("Windows 10 is slow", "Windows 11 is slow"),
                ("Can I take half a tablet?", "Can I take one tablet?"),
            ],
            &[
                ("Is 3 GB of memory enough?", "Would 3GB memory be enough?"),
                ("Cook rice for two people", "Cook rice for 2 people"),
                ("A loan of 1,500 dollars", "A $1500 loan"),
                ("What is 20% of 80?", "what's 20 percent of 80"),
                ("Which one is better?", "Which is better?"),
                ("twenty five chairs", "25 chairs"),
                ("two million users", "2,000,000 users"),
                ("the 1st of the list", "the first of the list"),
                ("half an hour", "½ an hour"),
            ],
        );
    }
}
