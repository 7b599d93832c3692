//! Numbered stand-ins for a caller's own values: the model and the cache see `{{EMAIL_ADDRESS_1}}`, the caller gets the value back.

use std::{borrow::Cow, collections::BTreeMap, fmt, ops::Range, sync::LazyLock};

use indexmap::IndexSet;
use regex::Regex;

/// The label of a placeholder that the client wrote itself: it gets a stand-in like any other value, and so comes back as it was.
pub(super) const LITERAL: &str = "LITERAL";
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
    /// By label; the number of a value is its place in the set, from 1.
    labels: BTreeMap<String, IndexSet<Bound>>,
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct Bound {
    value: String,
    restored: bool,
}

/// Values are the caller's own: not even a debugger's line shows them.
impl fmt::Debug for Bindings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.labels.iter().map(|(label, bound)| (label, bound.len()))).finish()
    }
}

impl Bindings {
    /// Whether nothing is bound.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// The stand-in of a value, new or known. `label` says what the value is: `EMAIL_ADDRESS`.
    pub fn bind(&mut self, label: &str, value: &str) -> String {
        self.number(label, value, true)
    }

    /// The stand-in of a value that never comes back.
    pub fn seal(&mut self, label: &str, value: &str) -> String {
        self.number(label, value, false)
    }

    fn number(&mut self, label: &str, value: &str, restored: bool) -> String {
        let label = &label[..label.floor_char_boundary(MAX_LABEL_BYTES)];
        let bound = Bound { value: value.to_owned(), restored };
        let (at, _) = self.labels.entry(label.to_owned()).or_default().insert_full(bound);
        format!("{{{{{label}_{}}}}}", at + 1)
    }

    /// The stand-in of something that only looks like one, because the client wrote it.
    pub fn bind_literal(&mut self, literal: &str) -> String {
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

    /// Where a text names stand-ins whose values come back, each with its value.
    pub fn values(&self, text: &str) -> impl Iterator<Item = (Range<usize>, &str)> {
        let value = |span: &Range<usize>| self.bound(&text[span.clone()]).filter(|bound| bound.restored);
        placeholders(text).filter_map(move |span| value(&span).map(|bound| (span, bound.value.as_str())))
    }

    /// Whether a text names a stand-in that is not bound here: it was made for somebody else.
    pub fn lacks_one_of(&self, text: &str) -> bool {
        placeholders(text).any(|span| self.bound(&text[span]).is_none())
    }

    /// Whether this placeholder was made here.
    pub(super) fn has(&self, placeholder: &str) -> bool {
        self.bound(placeholder).is_some()
    }

    fn bound(&self, placeholder: &str) -> Option<&Bound> {
        let (label, number) = placeholder.strip_prefix("{{")?.strip_suffix("}}")?.rsplit_once('_')?;
        // `{{NAME_01}}` is not what was bound as `{{NAME_1}}`.
        let number: usize = number.parse().ok().filter(|_| !number.starts_with('0'))?;
        self.labels.get(label)?.get_index(number.checked_sub(1)?)
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
    fn what_is_sealed_has_its_number_and_never_comes_back() {
        let mut bindings = Bindings::default();
        assert_eq!(
            [bindings.seal("KEY", "sk-1"), bindings.seal("KEY", "sk-2"), bindings.seal("KEY", "sk-1")].join(" "),
            "{{KEY_1}} {{KEY_2}} {{KEY_1}}"
        );
        assert_eq!(bindings.restore("{{KEY_1}}"), "{{KEY_1}}");
        assert!(!bindings.lacks_one_of("{{KEY_2}}") && bindings.lacks_one_of("{{KEY_3}}"));
        assert!(bindings.lacks_one_of("{{KEY_01}}") && bindings.lacks_one_of("{{KEY_0}}"), "nobody bound these");
        assert_eq!(bindings.bind("KEY", "sk-1"), "{{KEY_3}}", "what comes back is not what does not");
    }

    #[test]
    fn what_a_client_wrote_itself_comes_back_as_it_was() {
        let mut bindings = Bindings::default();
        let stand_in = bindings.bind_literal("{{EMAIL_ADDRESS_1}}");
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
                let placeholder = bindings.bind(&label, &value);
                prop_assert!(placeholder.len() <= MAX_PLACEHOLDER_BYTES);
                let restored = bindings.restore(&placeholder).into_owned();
                prop_assert_eq!(restored, value);
            }
        }
    }
}
