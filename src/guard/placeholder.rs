//! Numbered stand-ins for a caller's own values: the model and the cache see `{{EMAIL_ADDRESS_1}}`, the caller gets the value back.

use std::{borrow::Cow, fmt, ops::Range, sync::LazyLock};

use regex::Regex;

/// The label of a placeholder that the client wrote itself: it gets a stand-in like any other value, and so comes back as it was.
const LITERAL: &str = "LITERAL";
/// A label longer than this is cut, so that every placeholder has a length that a stream can hold back.
pub const MAX_LABEL_BYTES: usize = 40;
/// No placeholder is longer than this: braces, label, underscore, and a number of ten digits.
pub const MAX_PLACEHOLDER_BYTES: usize = MAX_LABEL_BYTES + 15;

/// What has the shape of a placeholder.
pub(super) const SHAPE: &str = r"\{\{[A-Z][A-Z0-9_]{0,39}_[0-9]{1,10}\}\}";

static SEARCH: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(SHAPE).ok());

/// The values of one request, each with what stands for it. Numbered over the whole request; the same value has the same stand-in.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Bindings {
    bound: Vec<Bound>,
}

#[derive(Clone, PartialEq, Eq)]
struct Bound {
    label: String,
    placeholder: String,
    value: String,
}

/// Values are the caller's own: not even a debugger's line shows them.
impl fmt::Debug for Bindings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.bound.iter().map(|bound| &bound.placeholder)).finish()
    }
}

impl Bindings {
    /// Whether nothing is bound.
    pub fn is_empty(&self) -> bool {
        self.bound.is_empty()
    }

    /// The stand-in of a value, new or known. `label` says what the value is: `EMAIL_ADDRESS`.
    pub fn bind(&mut self, label: &str, value: &str) -> &str {
        let label = &label[..label.floor_char_boundary(MAX_LABEL_BYTES)];
        let known = self.bound.iter().position(|bound| bound.label == label && bound.value == value);
        let at = known.unwrap_or_else(|| {
            let number = 1 + self.bound.iter().filter(|bound| bound.label == label).count();
            let placeholder = format!("{{{{{label}_{number}}}}}");
            self.bound.push(Bound { label: label.to_owned(), placeholder, value: value.to_owned() });
            self.bound.len() - 1
        });
        &self.bound[at].placeholder
    }

    /// The stand-in of something that only looks like one, because the client wrote it.
    pub fn bind_literal(&mut self, literal: &str) -> &str {
        self.bind(LITERAL, literal)
    }

    /// The text with every stand-in turned back into its value; what was not bound stays as it is.
    pub fn restore<'t>(&self, text: &'t str) -> Cow<'t, str> {
        self.restore_with(text, |value| Cow::Borrowed(value))
    }

    /// The same where values are written in another spelling, such as inside JSON.
    pub fn restore_with<'t>(&self, text: &'t str, spell: impl Fn(&str) -> Cow<'_, str>) -> Cow<'t, str> {
        let mut out = String::new();
        let mut at = 0;
        for (span, value) in self.values(text) {
            out.push_str(&text[at..span.start]);
            out.push_str(&spell(value));
            at = span.end;
        }
        if at == 0 {
            return Cow::Borrowed(text);
        }
        out.push_str(&text[at..]);
        Cow::Owned(out)
    }

    /// Where a text names stand-ins that are bound here, each with its value.
    pub fn values(&self, text: &str) -> impl Iterator<Item = (Range<usize>, &str)> {
        placeholders(text).filter_map(|span| Some((span.clone(), self.value(&text[span])?)))
    }

    /// Whether a text names a stand-in that is not bound here: it was made for somebody else.
    pub fn lacks_one_of(&self, text: &str) -> bool {
        placeholders(text).any(|span| self.value(&text[span]).is_none())
    }

    fn value(&self, placeholder: &str) -> Option<&str> {
        self.bound.iter().find(|bound| bound.placeholder == placeholder).map(|bound| bound.value.as_str())
    }
}

/// Where a text has something of a placeholder's shape.
pub fn placeholders(text: &str) -> impl Iterator<Item = Range<usize>> + '_ {
    SEARCH.iter().flat_map(move |shape| shape.find_iter(text)).map(|found| found.range())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_same_value_has_the_same_stand_in_and_comes_back() {
        let mut bindings = Bindings::default();
        assert_eq!(bindings.bind("EMAIL_ADDRESS", "ann@example.org"), "{{EMAIL_ADDRESS_1}}");
        assert_eq!(bindings.bind("EMAIL_ADDRESS", "bob@example.org"), "{{EMAIL_ADDRESS_2}}");
        assert_eq!(bindings.bind("EMAIL_ADDRESS", "ann@example.org"), "{{EMAIL_ADDRESS_1}}");
        assert_eq!(bindings.bind("PHONE", "ann@example.org"), "{{PHONE_1}}");
        let text = "to {{EMAIL_ADDRESS_2}}, not {{EMAIL_ADDRESS_3}} or {{name}}";
        assert_eq!(bindings.restore(text), "to bob@example.org, not {{EMAIL_ADDRESS_3}} or {{name}}");
        assert!(bindings.lacks_one_of(text) && !bindings.lacks_one_of("{{PHONE_1}} {{name}}"));
    }

    #[test]
    fn what_a_client_wrote_itself_comes_back_as_it_was() {
        let mut bindings = Bindings::default();
        let stand_in = bindings.bind_literal("{{EMAIL_ADDRESS_1}}").to_owned();
        bindings.bind("EMAIL_ADDRESS", "ann@example.org");
        assert_eq!(
            bindings.restore(&format!("{stand_in} and {{{{EMAIL_ADDRESS_1}}}}")),
            "{{EMAIL_ADDRESS_1}} and ann@example.org"
        );
    }

    #[test]
    fn values_are_spelled_as_their_place_wants_them() {
        let mut bindings = Bindings::default();
        bindings.bind("NAME", "Ann \"A\"");
        let spelled = bindings.restore_with(r#"{"to": "{{NAME_1}}"}"#, |value| value.replace('"', "\\\"").into());
        assert_eq!(spelled, r#"{"to": "Ann \"A\""}"#);
        assert!(!format!("{bindings:?}").contains("Ann"));
    }

    proptest! {
        #[test]
        fn no_placeholder_is_longer_than_said(label in "[A-Z]{1,80}", values in prop::collection::vec("[a-z]{1,9}", 1..9)) {
            let mut bindings = Bindings::default();
            for value in values {
                let placeholder = bindings.bind(&label, &value).to_owned();
                prop_assert!(placeholder.len() <= MAX_PLACEHOLDER_BYTES);
                let restored = bindings.restore(&placeholder).into_owned();
                prop_assert_eq!(restored, value);
            }
        }
    }
}
