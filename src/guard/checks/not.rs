//! A kind the other way round: what it does not find.

use super::{Check, FactCheck, Facts, whole::Judges};

/// Matches a text in which none of these checks finds anything.
#[derive(Debug)]
pub(in crate::guard) struct NoText(pub(in crate::guard) Vec<Box<dyn Check>>);

impl Judges for NoText {
    fn matches(&self, text: &str) -> bool {
        let mut found = Vec::new();
        self.0.iter().all(|check| {
            check.find(text, &mut found);
            found.is_empty()
        })
    }
}

/// Matches a request that none of these checks matches.
#[derive(Debug)]
pub(in crate::guard) struct NoFact(pub(in crate::guard) Vec<Box<dyn FactCheck>>);

impl FactCheck for NoFact {
    fn matches(&self, facts: &Facts<'_>) -> bool {
        !self.0.iter().any(|check| check.matches(facts))
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{conformance, contains::AnyOf, whole::Whole},
        *,
    };

    fn without(parts: &[&str]) -> NoText {
        let check = |&part: &&str| Box::new(AnyOf::new(vec![part.to_owned()]).unwrap()) as Box<dyn Check>;
        NoText(parts.iter().map(check).collect())
    }

    #[test]
    fn conforms() {
        conformance::holds(&Whole(without(&["sorry"])), "all is well");
    }

    #[test]
    fn matches_only_where_nothing_is_found() {
        let check = without(&["a", "b"]);
        assert!(check.matches("xyz") && !check.matches("xbz") && !check.matches("ab"));
    }
}
