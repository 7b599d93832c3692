//! The language that a text is in, told by its script and its groups of three letters.

use isolang::Language as Iso;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use whatlang::{Detector, Lang};

use super::{
    Kind,
    whole::{Judges, Whole},
};
use crate::guard::rules::Site;

/// Matches a text in a language that is not allowed. A text that is too short to tell, or could be in several, does not match.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Language {
    /// The languages that are allowed, by their ISO 639 codes: `en` or `eng`. Nothing else is.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allow: Vec<String>,
    /// The languages that are not allowed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deny: Vec<String>,
    /// A text with fewer letters is not judged.
    #[serde(default = "enough_letters")]
    pub min_letters: usize,
}

pub(super) fn enough_letters() -> usize {
    24
}

/// How sure it must be which language it is, of 1. A text in two languages, or in none, stays below.
const CONFIDENT: f64 = 0.5;

impl Kind for Language {
    fn build(&self, site: &mut Site<'_, '_>) {
        if self.allow.is_empty() && self.deny.is_empty() {
            site.problem(
                "",
                "both lists are empty, so that every language is allowed",
                "list codes such as `en` under `allow` or `deny`",
            );
        }
        for (name, list) in [("allow", &self.allow), ("deny", &self.deny)] {
            for (n, code) in list.iter().enumerate().filter(|(_, code)| language(code).is_none()) {
                let message = format!("`{code}` is no language that can be told from others");
                site.problem(&format!("/{name}/{n}"), message, "write an ISO 639 code, such as `en` or `deu`");
            }
        }
        site.keep(Whole(Detected::new(&self.allow, &self.deny, self.min_letters)));
    }
}

/// The language of an ISO 639-1 or 639-3 code; what follows `_` or `-`, such as the script of `eng_Latn`, does not count.
pub(super) fn language(code: &str) -> Option<Lang> {
    let code = code.split(['_', '-']).next()?.to_ascii_lowercase();
    let three = Iso::from_639_1(&code).map_or(code.as_str(), |iso| iso.to_639_3());
    // The collective codes of ISO are what people write, and the single ones what is told.
    let single = match three {
        "zho" => "cmn",
        "fas" => "pes",
        "aze" => "azj",
        "nor" => "nob",
        "est" => "ekk",
        other => other,
    };
    Lang::from_code(single).or_else(|| Lang::from_code(three))
}

/// Matches a text that is surely in a language that is not allowed.
pub(super) struct Detected {
    allow: Vec<Lang>,
    deny: Vec<Lang>,
    min_letters: usize,
    detector: Detector,
}

impl std::fmt::Debug for Detected {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Detected").field("allow", &self.allow).field("deny", &self.deny).finish_non_exhaustive()
    }
}

impl Detected {
    /// Codes that name no language are left out.
    pub(super) fn new(allow: &[String], deny: &[String], min_letters: usize) -> Self {
        let languages = |codes: &[String]| codes.iter().filter_map(|code| language(code)).collect();
        Self { allow: languages(allow), deny: languages(deny), min_letters, detector: Detector::new() }
    }
}

impl Judges for Detected {
    fn matches(&self, text: &str) -> bool {
        let letters = text.chars().filter(|char| char.is_alphabetic());
        if letters.take(self.min_letters).count() < self.min_letters {
            return false;
        }
        let told = self.detector.detect(text).filter(|info| info.confidence() >= CONFIDENT).map(|info| info.lang());
        told.is_some_and(|lang| (!self.allow.is_empty() && !self.allow.contains(&lang)) || self.deny.contains(&lang))
    }
}

#[cfg(test)]
mod tests {
    use super::{super::conformance, *};

    const GERMAN: &str =
        "Bitte vergleiche die beiden Vorschläge für die neue Bibliothek und sag mir, welcher leichter zu pflegen ist.";
    const ENGLISH: &str = "Please compare the two proposals for the new library and say which one is easier to maintain.";

    fn detected(allow: &[&str], deny: &[&str]) -> Detected {
        let list = |codes: &[&str]| codes.iter().map(|&code| code.to_owned()).collect::<Vec<_>>();
        Detected::new(&list(allow), &list(deny), enough_letters())
    }

    #[test]
    fn conforms() {
        conformance::holds(&Whole(detected(&["en"], &[])), GERMAN);
    }

    #[test]
    fn languages_are_told_apart() {
        let cases = [
            (ENGLISH, "eng"),
            (GERMAN, "de"),
            ("Напишите мне, пожалуйста, как быстро восстановить доступ к учётной записи, если я забыл пароль.", "ru"),
            ("请比较新图书馆的两个方案,并告诉我哪一个更容易维护,另外请说明各自最大的缺点。", "zh"),
            ("新しい図書館の二つの提案を比較して、どちらが維持しやすいか教えてください。", "ja"),
            ("قارن من فضلك بين الاقتراحين للمكتبة الجديدة وقل لي أيهما أسهل في الصيانة", "ar"),
        ];
        for (text, code) in cases {
            assert!(detected(&[], &[code]).matches(text), "{code}: {:?}", whatlang::detect(text));
            assert!(!detected(&[code], &[]).matches(text), "{code}");
            let other = if code == "de" { "eng_Latn" } else { "deu" };
            assert!(detected(&[other], &[]).matches(text), "{code}");
        }
    }

    #[test]
    fn what_cannot_be_told_does_not_match() {
        // The second has no letter that only Russian has, and could be Bulgarian.
        for text in [
            "How do I sort a list in Python?",
            "Сравните, пожалуйста, два предложения по новой библиотеке и скажите, какое проще поддерживать.",
            "ok",
            "Hallo",
            "12345 67890 12345 67890 12345",
            "fn main() {}",
            "",
        ] {
            assert!(!detected(&["ja"], &["en"]).matches(text), "{text}");
        }
    }

    #[test]
    fn codes_of_both_lengths_name_languages() {
        for code in ["en", "eng", "eng_Latn", "pt-BR", "zh", "cmn", "fa", "no", "et", "ja"] {
            assert!(language(code).is_some(), "{code}");
        }
        assert!(language("xx").is_none() && language("").is_none());
    }
}
