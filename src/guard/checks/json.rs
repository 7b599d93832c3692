//! Finds the JSON in what a model has written: alone, in a Markdown fence, or in the middle of its prose.

use serde_json::Value;

use super::fences::fences;

/// So many openings that lead to no JSON are tried in one text: a text of nothing but brackets must not cost its square.
const MAX_FALSE_STARTS: usize = 32;

/// Every value that the text may have been meant to be, the likeliest first: the whole text, then fenced blocks, then objects and arrays
/// that stand in prose.
pub(super) fn candidates(text: &str) -> Vec<Value> {
    if let Ok(value) = serde_json::from_str(text.trim()) {
        return vec![value];
    }
    let fenced = fences(text).filter_map(|fence| serde_json::from_str(text[fence.body].trim()).ok());
    fenced.chain(embedded(text)).collect()
}

/// The outermost objects and arrays of a text.
fn embedded(text: &str) -> Vec<Value> {
    let (mut found, mut false_starts, mut at) = (Vec::new(), 0, 0);
    while let Some(start) = text[at..].find(['{', '[']).map(|start| at + start) {
        let mut values = serde_json::Deserializer::from_str(&text[start..]).into_iter::<Value>();
        match values.next() {
            Some(Ok(value)) => {
                at = start + values.byte_offset();
                found.push(value);
            }
            _ if false_starts == MAX_FALSE_STARTS => break,
            _ => {
                at = start + 1;
                false_starts += 1;
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn json_is_found_wherever_models_put_it() {
        let cases = [
            (" {\"a\": 1} ", vec![json!({"a": 1})]),
            ("3", vec![json!(3)]),
            ("```json\n{\"a\": 1}\n```", vec![json!({"a": 1}), json!({"a": 1})]),
            ("Sure! {\"a\": {\"b\": \"}\"}} and [1, 2], {then} [this", vec![json!({"a": {"b": "}"}}), json!([1, 2])]),
            ("no JSON at all", vec![]),
            ("{'a': 1}", vec![]),
        ];
        for (text, values) in cases {
            assert_eq!(candidates(text), values, "{text}");
        }
    }

    #[test]
    fn a_text_of_brackets_is_given_up() {
        assert!(candidates(&"[".repeat(100_000)).is_empty());
    }

    proptest! {
        #[test]
        fn what_stands_in_prose_is_found(before in "[a-z .]{0,20}", after in "[a-z .]{0,20}", key in "\\PC{0,8}", number in any::<i32>()) {
            let value = json!({ key: [number] });
            let found = candidates(&format!("{before} {value} {after}"));
            prop_assert_eq!(found, vec![value]);
        }

        #[test]
        fn any_text_can_be_searched(text in "[\\[\\]{}\":,a1`\n ]{0,64}") {
            candidates(&text);
        }
    }
}
