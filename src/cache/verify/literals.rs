//! What must be the same to the letter: URLs, addresses, ids, versions, dates, names in code.

use super::{align::Pair, reading::Kind};

/// Whether one side has a literal that the other lacks.
pub(super) fn judge(pair: &Pair<'_>) -> f32 {
    let lone = |side: usize| pair.alone(side).any(|(_, word)| word.kind == Kind::Literal);
    match (lone(0), lone(1)) {
        (true, true) => 1.0,
        (false, false) => 0.0,
        // It may stand for a description, or the other way round.
        _ => 0.6,
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Check, examples::hold};

    #[test]
    fn holds_to_its_examples() {
        hold(
            Check::Literals,
            &[
                ("Summarise https://example.org/a", "Summarise https://example.org/b"),
                ("Write to anna@example.org", "Write to ben@example.org"),
                ("What is new in 3.11.4?", "What is new in 3.12.1?"),
                ("Who signed on 2025-03-01?", "Who signed on 2025-04-01?"),
                ("Explain `map`", "Explain `filter`"),
                ("What does user_id mean?", "What does group_id mean?"),
                ("Fix error E0382", "Fix error E0502"),
                ("Summarise https://example.org/aBc", "Summarise https://example.org/AbC"),
                ("Is 10-20 minutes enough?", "Is 10-30 minutes enough?"),
                ("Call 555-1234", "Call 555-1235"),
                ("Who is user 1234567890123456789?", "Who is user 1234567890123456790?"),
                ("Are you open on 3/4?", "Are you open on 6/8?"),
                ("The mean of 1,2,34", "The mean of 1,23,4"),
                ("What is 12 * 7?", "What is 12 / 7?"),
                ("What is 5 + 3?", "What is 5 - 3?"),
                ("Is a < b?", "Is a > b?"),
            ],
            &[
                ("Summarise https://example.org/a", "Please summarise https://example.org/a."),
                ("Explain `map`", "explain the `map` function"),
                ("What does user_id mean?", "What's the meaning of user_id?"),
                ("Cats and/or dogs - which?", "cats and/or dogs: which?"),
            ],
        );
    }
}
