//! Replacing in what a tool is called with: JSON in a string, which must be JSON afterwards.
//!
//! A match is found in the text as it is written. What is written over are the strings and numbers that it touches, never the structure between them; a number
//! becomes a string.

use std::{borrow::Cow, ops::Range};

use bytes::Bytes;

use super::replace::{Cover, StandIns};
use crate::wire::json::{Json, Kind, Value};

/// The arguments, if they are JSON. What is not is plain text: a custom tool's input, or what a model broke off.
pub(super) fn read(text: &str) -> Option<Json> {
    Json::parse(Bytes::copy_from_slice(text.as_bytes())).ok()
}

/// Writes over what is covered. The covers are in order and do not overlap.
pub(super) fn rewrite(json: &Json, covers: &[(Range<usize>, Cover<'_>)], stand_ins: &mut StandIns) -> String {
    let (mut edits, mut from, mut done) = (Vec::new(), 0, 0);
    for leaf in json.leaves() {
        let place = leaf.span();
        while covers.get(from).is_some_and(|(span, _)| span.end <= place.start) {
            from += 1;
        }
        let touching = covers[from..].iter().take_while(|(span, _)| span.start < place.end);
        let mut escapes = None;
        for (span, cover) in touching {
            let Some(piece) = piece(leaf, span, escapes.get_or_insert_with(|| escapes_of(leaf)), done) else { continue };
            done = piece.end;
            edits.push((piece.clone(), Cow::Owned(written(leaf, piece, cover, stand_ins))));
        }
    }
    String::from_utf8_lossy(&json.splice(edits)).into_owned()
}

/// The part of a leaf that a match covers: of a string whole characters, of anything else all.
fn piece(leaf: Value<'_>, span: &Range<usize>, escapes: &[Range<usize>], done: usize) -> Option<Range<usize>> {
    let place = leaf.span();
    let piece = if leaf.kind() == Kind::String {
        let begin = span.start.max(place.start + 1);
        let end = span.end.min(place.end - 1);
        let around =
            |at: usize| escapes.get(escapes.partition_point(|escape| escape.end <= at)).filter(|escape| escape.start < at);
        let begin = around(begin).map_or(begin, |escape| escape.start);
        begin.max(done)..around(end).map_or(end, |escape| escape.end)
    } else {
        place
    };
    (piece.start < piece.end && piece.start >= done).then_some(piece)
}

fn written(leaf: Value<'_>, piece: Range<usize>, cover: &Cover<'_>, stand_ins: &mut StandIns) -> String {
    let offset = leaf.span().start;
    let raw = &leaf.raw()[piece.start - offset..piece.end - offset];
    if leaf.kind() != Kind::String {
        return quoted(&stand_ins.of(cover, raw));
    }
    let value = serde_json::from_str(&format!("\"{raw}\"")).unwrap_or_else(|_| raw.to_owned());
    let quoted = quoted(&stand_ins.of(cover, &value));
    quoted[1..quoted.len() - 1].to_owned()
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Where a string spells characters with backslashes. Two escapes that spell one character are one.
fn escapes_of(leaf: Value<'_>) -> Vec<Range<usize>> {
    let (raw, offset) = (leaf.raw().as_bytes(), leaf.span().start);
    let is_half = |at: usize, half: &[u8]| {
        raw[at..].starts_with(b"\\u")
            && raw
                .get(at + 2..at + 4)
                .is_some_and(|digits| half.contains(&digits[1].to_ascii_lowercase()) && digits[0].eq_ignore_ascii_case(&b'd'))
    };
    let (mut escapes, mut at) = (Vec::new(), 0);
    while let Some(found) = raw.get(at..).and_then(|rest| rest.iter().position(|&byte| byte == b'\\')) {
        let start = at + found;
        at = start + if raw.get(start + 1) == Some(&b'u') { 6 } else { 2 };
        if is_half(start, b"89ab") && at < raw.len() && is_half(at, b"cdef") {
            at += 6;
        }
        escapes.push(offset + start..offset + at);
    }
    escapes
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        exchange::Tenant,
        guard::{
            replace::{HashKey, Replacement},
            verdict::Gate,
        },
    };

    /// The text with every one of these words written over, and what would come back.
    fn rewritten(text: &str, words: &[&str]) -> (String, Vec<String>) {
        let placeholder = Replacement::Placeholder { label: "X".to_owned(), restore: true };
        let mut spans: Vec<_> =
            words.iter().flat_map(|word| text.match_indices(word)).map(|(at, word)| at..at + word.len()).collect();
        spans.sort_by_key(|span| span.start);
        over(text, spans, &placeholder)
    }

    fn over(text: &str, spans: Vec<Range<usize>>, replacement: &Replacement) -> (String, Vec<String>) {
        let covers: Vec<_> = spans.into_iter().map(|span| (span, Cover { replacement, alone: true, restore: true })).collect();
        let mut stand_ins = StandIns::new(Gate::Input, HashKey::new(&[0; 32]), Tenant([0; 16]));
        let out = rewrite(&read(text).unwrap(), &covers, &mut stand_ins);
        let bindings = stand_ins.into_bindings();
        let values = (1..9).map(|n| format!("{{{{X_{n}}}}}")).filter(|name| !bindings.lacks_one_of(name));
        (out, values.map(|name| bindings.restore(&name).into_owned()).collect())
    }

    #[test]
    fn a_match_in_a_string_is_replaced_inside_it() {
        let (out, values) = rewritten(r#"{"to": "ann@a.org and bob@b.org", "n": 1}"#, &["ann@a.org", "bob@b.org"]);
        assert_eq!(out, r#"{"to": "{{X_1}} and {{X_2}}", "n": 1}"#);
        assert_eq!(values, ["ann@a.org", "bob@b.org"]);
    }

    #[test]
    fn a_number_becomes_a_string_and_structure_stays() {
        let (out, values) = rewritten(r#"{"card": 4111111111111111, "on": "a"}"#, &["4111111111111111"]);
        assert_eq!((out.as_str(), values), (r#"{"card": "{{X_1}}", "on": "a"}"#, vec!["4111111111111111".to_owned()]));
        let (out, values) = rewritten(r#"{"key": "sk-1", "b": true}"#, &[r#"ey": "sk-"#]);
        assert_eq!((out.as_str(), values), (r#"{"k{{X_1}}": "{{X_2}}1", "b": true}"#, vec!["ey".to_owned(), "sk-".to_owned()]));
    }

    #[test]
    fn a_character_is_replaced_with_all_of_its_escape() {
        let (out, values) = rewritten(r#"["\nnan@a.org\u00e9"]"#, &["nnan@a.org\\u00"]);
        assert_eq!((out.as_str(), values), (r#"["{{X_1}}"]"#, vec!["\nnan@a.orgé".to_owned()]));
        let (out, values) = rewritten(r#"["x\ud83d\ude00y"]"#, &["de00y"]);
        assert_eq!((out.as_str(), values), (r#"["x{{X_1}}"]"#, vec!["😀y".to_owned()]));
    }

    #[test]
    fn what_is_put_in_is_escaped() {
        let text = Replacement::Text("\"quoted\"\n".to_owned());
        let (out, _) = over(r#"{"a":"bad","b":7}"#, vec![6..9, 15..16], &text);
        assert_eq!(out, r#"{"a":"\"quoted\"\n","b":"\"quoted\"\n"}"#);
    }

    proptest! {
            #[test]
            fn json_stays_json_whatever_is_covered(value in any_value(), cuts in prop::collection::btree_set(0_usize..80, 0..8)) {
                let text = value.to_string();
                let cuts: Vec<usize> = cuts.into_iter().filter(|&at| text.is_char_boundary(at)).collect();
                let spans: Vec<_> = cuts.chunks_exact(2).map(|cut| cut[0]..cut[1]).collect();
                let (out, _) = over(&text, spans.clone(), &Replacement::Text("\\\"".to_owned()));
    prop_assert!(serde_json::from_str::<serde_json::Value>(&out).is_ok(), "{} {:?} {}", text, spans, out);
            }
        }

    fn any_value() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![any::<i32>().prop_map(Into::into), "[a\"\\\\\n\u{e9}😀]{0,8}".prop_map(serde_json::Value::from)];
        leaf.prop_recursive(3, 16, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Into::into),
                prop::collection::hash_map("[a-c\"\n]{0,3}", inner, 0..4)
                    .prop_map(|map| map.into_iter().collect::<serde_json::Map<_, _>>().into()),
            ]
        })
    }
}
