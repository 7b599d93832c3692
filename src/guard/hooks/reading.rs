//! What a hook reads: Portkey's checks judge what was said last, rules of ours everything.

use crate::{
    guard::callouts::Subject,
    wire::{
        Part, Text,
        json::{Kind, Value},
    },
};

/// The texts of a request or an answer, by index.
#[derive(Debug)]
pub(super) struct Reading<'s> {
    pub(super) texts: Vec<Text<'s>>,
    /// What is judged as one text: the prompt, the last message or the input; of an answer its last choice.
    pub(super) said: Vec<usize>,
    /// Where what is found is written over: what is judged, and in answers all choices.
    pub(super) open: Vec<usize>,
}

impl<'s> Reading<'s> {
    pub(super) fn of(subject: &'s Subject) -> Self {
        let is_said = |text: &Text<'_>| matches!(text.part, Part::Text | Part::ToolResults | Part::Input);
        let Some(response) = &subject.response else {
            let texts = subject.request.texts();
            let said = indices(&texts, |text| text.last && is_said(text));
            return Self { open: said.clone(), said, texts };
        };
        let texts = response.texts();
        let choices = response.json().root().get("choices").filter(|choices| choices.kind() == Kind::Array);
        let last = choices.and_then(|choices| choices.items().last()).map(Value::span).unwrap_or_default();
        let said = indices(&texts, |text| last.contains(&text.span.start) && is_said(text));
        Self { open: indices(&texts, is_said), said, texts }
    }

    /// What is judged, as one text.
    pub(super) fn joined(&self) -> String {
        self.said.iter().map(|&n| &*self.texts[n].text).collect::<Vec<_>>().join("\n")
    }
}

fn indices(texts: &[Text<'_>], wanted: impl Fn(&Text<'_>) -> bool) -> Vec<usize> {
    texts.iter().enumerate().filter(|(_, text)| wanted(text)).map(|(n, _)| n).collect()
}
