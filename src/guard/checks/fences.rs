//! Fenced blocks of Markdown: how models mark code.

use std::{ops::Range, sync::LazyLock};

use regex::Regex;

/// The line that opens or closes a block, with what is said behind it of the language.
static MARK: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"(?m)^[ \t>]*(`{3,}|~{3,})[ \t]*([^\s`]*)[^\n`]*$").ok());

/// A fenced block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fence<'t> {
    /// What the fence says of the language; may be empty.
    pub(super) language: &'t str,
    /// What stands between the marks, in bytes.
    pub(super) body: Range<usize>,
    /// The block with its marks.
    pub(super) span: Range<usize>,
}

/// The blocks of a text, in order. One that is never closed goes on to the end, as readers of Markdown show it.
pub(super) fn fences(text: &str) -> impl Iterator<Item = Fence<'_>> {
    let mut marks = MARK.iter().flat_map(move |mark| mark.captures_iter(text)).filter_map(|mark| {
        let (fence, language) = (mark.get(1)?, mark.get(2)?);
        Some((fence.range(), language.as_str(), mark.get(0)?.range()))
    });
    std::iter::from_fn(move || {
        let (opening, language, line) = marks.next()?;
        let begin = text.len().min(line.end + 1);
        let opened_by = &text[opening.clone()];
        let closing = marks.find(|(fence, language, _)| language.is_empty() && text[fence.clone()].starts_with(opened_by));
        let (end, whole) = closing.map_or((text.len(), text.len()), |(_, _, line)| (line.start, line.end));
        Some(Fence { language, body: begin..end.max(begin), span: line.start..whole.max(begin) })
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn blocks(text: &str) -> Vec<(&str, &str)> {
        fences(text).map(|fence| (fence.language, &text[fence.body])).collect()
    }

    #[test]
    fn blocks_are_found_with_their_language() {
        let text = "See:\n```python title=x\nprint(1)\n```\nor\n  ~~~\nplain ```\n~~~\nand `inline`, ```not```\n````md\n```\nin\n```\n````";
        let expected = [("python", "print(1)\n"), ("", "plain ```\n"), ("md", "```\nin\n```\n")];
        assert_eq!(blocks(text), expected);
        assert_eq!(&text[fences(text).next().unwrap().span], "```python title=x\nprint(1)\n```");
    }

    #[test]
    fn a_block_that_is_never_closed_goes_on_to_the_end() {
        assert_eq!(blocks("```rust\nfn main() {}"), [("rust", "fn main() {}")]);
        assert_eq!(blocks("```rust"), [("rust", "")]);
    }

    proptest! {
        #[test]
        fn every_block_is_a_place_in_the_text(text in "[`~\nré> ]{0,40}") {
            for fence in fences(&text) {
                prop_assert!(text.get(fence.body.clone()).is_some() && text.get(fence.span.clone()).is_some());
                prop_assert!(fence.span.start <= fence.body.start && fence.body.end <= fence.span.end);
            }
        }
    }
}
