//! Code, and which language it is in: by the fence around it, else by what only that language looks like.

use std::ops::Range;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Check, Kind, Needs, Reach,
    fences::{Fence, fences},
    programming::{ProgrammingLanguage, told},
};
use crate::guard::rules::Site;

/// Matches code. With neither list, code of any language.
#[derive(Debug, Clone, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Code {
    /// Matches code of any language but these.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub allow: Vec<ProgrammingLanguage>,
    /// Matches code of these languages.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub deny: Vec<ProgrammingLanguage>,
}

impl Kind for Code {
    fn build(&self, site: &mut Site<'_, '_>) {
        site.keep(self.clone());
    }
}

/// What fences say of text that is not code.
const NO_CODE: [&str; 6] = ["text", "txt", "plain", "plaintext", "output", "log"];

impl Code {
    /// Whether code of a language matches; of `None`, nobody knows the language.
    fn covers(&self, language: Option<ProgrammingLanguage>) -> bool {
        let denied = language.is_some_and(|language| self.deny.contains(&language));
        let allowed = language.is_some_and(|language| self.allow.contains(&language));
        denied || (!self.allow.is_empty() && !allowed) || (self.allow.is_empty() && self.deny.is_empty())
    }

    /// Whether a block is code that matches. One that names a language that has no name here is code of no known language.
    fn covers_block(&self, text: &str, fence: &Fence<'_>) -> bool {
        let tag = fence.language.to_ascii_lowercase();
        if let Some(language) = ProgrammingLanguage::of_fence(&tag) {
            return self.covers(Some(language));
        }
        let told = told(&text[fence.body.clone()], 1).map(|(language, _)| language);
        let is_code = told.is_some() || !(tag.is_empty() || NO_CODE.contains(&tag.as_str()));
        is_code && self.covers(told)
    }

    /// Code that stands in prose, without a fence.
    fn in_prose(&self, text: &str, part: Range<usize>) -> Option<Range<usize>> {
        let (language, span) = told(&text[part.clone()], 2)?;
        self.covers(Some(language)).then(|| part.start + span.start..part.start + span.end)
    }
}

impl Check for Code {
    fn find(&self, text: &str, found: &mut Vec<Range<usize>>) {
        let mut at = 0;
        for fence in fences(text) {
            found.extend(self.in_prose(text, at..fence.span.start));
            found.extend(self.covers_block(text, &fence).then(|| fence.span.clone()));
            at = fence.span.end;
        }
        found.extend(self.in_prose(text, at..text.len()));
    }

    fn needs(&self) -> Needs<'_> {
        Needs::Nothing
    }

    fn reach(&self) -> Reach {
        // Which language it is shows in the whole of a block.
        Reach::Whole
    }
}

#[cfg(test)]
mod tests {
    use super::{super::conformance, ProgrammingLanguage::*, *};

    fn find<'t>(code: &Code, text: &'t str) -> Vec<&'t str> {
        let mut found = Vec::new();
        code.find(text, &mut found);
        found.into_iter().map(|span| &text[span]).collect()
    }

    #[test]
    fn conforms() {
        conformance::holds(&Code::default(), "```python\nprint(1)\n```");
    }

    #[test]
    fn lists_choose_the_languages() {
        let text = "```py\nx = 1\n```\n```haskell\nmain = pure ()\n```\n```text\nhello\n```";
        assert_eq!(find(&Code::default(), text), ["```py\nx = 1\n```", "```haskell\nmain = pure ()\n```"]);
        assert_eq!(find(&Code { allow: vec![Python], deny: vec![] }, text), ["```haskell\nmain = pure ()\n```"]);
        assert_eq!(find(&Code { allow: vec![], deny: vec![Python] }, text), ["```py\nx = 1\n```"]);
        assert!(find(&Code { allow: vec![], deny: vec![Rust] }, text).is_empty());
    }

    #[test]
    fn code_without_a_fence_is_found_and_prose_is_not() {
        let sql = Code { allow: vec![], deny: vec![Sql] };
        assert_eq!(find(&sql, "Run SELECT name FROM users WHERE id = 1; and INSERT INTO log VALUES (1);").len(), 1);
        let python = "Try this:\nfrom os import path\n\ndef main():\n    print(path)\n";
        assert_eq!(find(&Code::default(), python), ["from os import path\n\ndef main():"]);
        let prose = [
            "Select one from the list, or update the table and set it aside.",
            "Let me be clear: a class of students will import goods from abroad.",
            "The function of the heart is to pump blood; for example, in mammals.",
            "Ingredients:\n  - flour\n  - eggs\n\n# Method\nMix it.",
            "He said: public class matters. I use std libraries and $5 = cheap.",
        ];
        for text in prose {
            assert!(find(&Code::default(), text).is_empty(), "{text}");
        }
    }
}
