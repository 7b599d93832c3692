//! A word more on one side, which nothing on the other accounts for: "an accredited clinic".

use super::align::Pair;

/// How far the lone words of the longer side are from all that the other says.
pub(super) fn judge(pair: &Pair<'_>) -> f32 {
    let lone = |side: usize| pair.alone(side).filter(|(_, word)| word.is_content()).map(|(at, _)| at).collect::<Vec<_>>();
    let far = match (lone(0), lone(1)) {
        (more, none) if none.is_empty() => pair.farthest(0, &more),
        (none, more) if none.is_empty() => pair.farthest(1, &more),
        _ => 0.0,
    };
    far.clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::super::{Check, examples::hold};

    #[test]
    fn holds_to_its_examples() {
        hold(
            Check::Added,
            &[("Is it a clinic?", "Is it an accredited clinic?"), ("How do I swim?", "How do I swim silently?")],
            &[("Is it a clinic?", "Is it really a clinic?"), ("How do I swim?", "How does one swim?")],
        );
    }
}
