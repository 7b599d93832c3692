//! A word against its opposite: before and after, buy and sell, safe and unsafe. Two turns that belong together cancel: "less safe" and "more dangerous".

use super::{
    align::Pair,
    lexicon::{self, Class},
    negation,
    reading::Word,
};

/// How near two turns must stand to belong together, in words.
const TOGETHER: usize = 3;

/// Whether words stand against their opposites, and nothing turns it back.
pub(super) fn judge(pair: &Pair<'_>) -> f32 {
    let found = opposed(pair);
    if found.is_empty() {
        return 0.0;
    }
    let negated = negation::turns(pair.words(0)) != negation::turns(pair.words(1));
    let together = found.windows(2).all(|two| two[0].0.abs_diff(two[1].0) <= TOGETHER && two[0].1.abs_diff(two[1].1) <= TOGETHER);
    let even = (found.len() + usize::from(negated)).is_multiple_of(2);
    if even && together { 0.0 } else { 1.0 }
}

/// How often an opposite turns the question round.
pub(super) fn turns(pair: &Pair<'_>) -> usize {
    opposed(pair).len()
}

/// Places of words that stand alone on both sides and are opposed, each used once.
fn opposed(pair: &Pair<'_>) -> Vec<(usize, usize)> {
    let mut found: Vec<(usize, usize)> = Vec::new();
    for (at, word) in pair.alone(0) {
        let other = pair.alone(1).find(|&(to, other)| is_opposed(word, other) && found.iter().all(|&(_, used)| used != to));
        if let Some((to, _)) = other {
            found.push((at, to));
        }
    }
    found
}

/// Negations are counted as such.
fn is_opposed(one: &Word, other: &Word) -> bool {
    if [one, other].into_iter().any(|word| word.class() == Some(Class::Negation)) {
        return false;
    }
    lexicon::opposed(&one.lower, &other.lower)
        || (one.is_content() && other.is_content() && lexicon::opposed(&one.stem, &other.stem))
}

#[cfg(test)]
mod tests {
    use super::super::{Check, examples::hold};

    #[test]
    fn holds_to_its_examples() {
        hold(
            Check::Opposites,
            &[
                ("Should I eat before a run?", "Should I eat after a run?"),
                ("Where can I buy used books?", "Where can I sell used books?"),
                ("How do I become more patient?", "How do I become less patient?"),
                ("Show orders over 50", "Show orders under 50"),
                ("Is it safe to mix these?", "Is it unsafe to mix these?"),
                ("How do I enable two-factor login?", "How do I disable two-factor login?"),
                ("What is the biggest lake?", "What is the smallest lake?"),
                ("Convert from metric", "Convert to metric"),
                ("How to upload a file", "How to download a file"),
            ],
            &[
                ("How can I become less dependent?", "How can I become more independent?"),
                ("Is it not safe to swim?", "Is it unsafe to swim?"),
                ("Where can I buy used books?", "Where can I purchase used books?"),
                ("What is good about it and what is bad?", "What is bad about it and what is good?"),
            ],
        );
    }
}
