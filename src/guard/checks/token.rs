//! Where a token begins and ends: what is written without a gap, dots, dashes and colons between letters or digits included.

/// Joins what stands on both sides of it.
fn is_joiner(char: char) -> bool {
    matches!(char, '.' | '-' | ':')
}

/// Whether nothing written before `at` belongs to what begins there.
pub(super) fn begins_token(text: &str, at: usize) -> bool {
    !goes_on(text[..at].chars().rev())
}

/// Whether nothing written after `at` belongs to what ends there.
pub(super) fn ends_token(text: &str, at: usize) -> bool {
    text[..at].ends_with(char::is_alphanumeric) && !goes_on(text[at..].chars())
}

fn goes_on(mut away: impl Iterator<Item = char>) -> bool {
    match away.next() {
        Some(char) if is_joiner(char) => away.next().is_some_and(char::is_alphanumeric),
        next => next.is_some_and(char::is_alphanumeric),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_joiner_between_letters_or_digits_ends_nothing() {
        let text = "a 1.2-3, b.";
        let starts: Vec<_> =
            (0..text.len()).filter(|&at| begins_token(text, at) && !text[at..].starts_with([' ', ',', '.'])).collect();
        assert_eq!(starts, [0, 2, 9]);
        let ends: Vec<_> = (0..=text.len()).filter(|&at| ends_token(text, at)).collect();
        assert_eq!(ends, [1, 7, 10]);
    }
}
