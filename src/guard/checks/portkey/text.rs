//! Checks on texts.

use serde_json::Value;

use super::{
    super::{
        Code, Gibberish, JsonKeys, Prefix, ProgrammingLanguage, Quantity, Whole,
        affix::Suffix,
        case::{Case, LetterCase},
        contains::{AllOf, AnyOf, NoneOf},
        json_schema::Shape,
        language::{Detected, enough_letters, language as language_of},
        length::{Bound, Bounds, Measure},
        script::Script,
    },
    Parameters, Translated, demands, fails_on,
};

type Result = std::result::Result<Translated, String>;

/// What Portkey puts in the place of what it takes out.
const REDACTED: &str = "[REDACTED]";

pub(super) fn regex_match(parameters: &Parameters<'_>) -> Result {
    let rule: String = parameters.required("rule")?;
    Ok(demands(Script::new(&rule, "").map_err(broken_rule)?, parameters))
}

fn broken_rule(reason: impl std::fmt::Display) -> String {
    format!("the parameter `rule` cannot be compiled: {reason}")
}

pub(super) fn contains(parameters: &Parameters<'_>) -> Result {
    let words = parameters.texts("words")?;
    Ok(match parameters.operator(Quantity::Any)? {
        Quantity::Any => fails_on(Whole(NoneOf(words)), parameters),
        Quantity::All => demands(Whole(AllOf(words)), parameters),
        Quantity::None => fails_on(AnyOf::new(words).map_err(|error| error.to_string())?, parameters),
    })
}

pub(super) fn sentence_count(parameters: &Parameters<'_>) -> Result {
    bounded(Measure::Stops, ["minSentences", "maxSentences"], parameters)
}

/// Portkey calls it an error if one of the two is left out.
pub(super) fn word_count(parameters: &Parameters<'_>) -> Result {
    let names = ["minWords", "maxWords"];
    names.into_iter().try_for_each(|name| parameters.required::<usize>(name).map(drop))?;
    bounded(Measure::Words, names, parameters)
}

pub(super) fn character_count(parameters: &Parameters<'_>) -> Result {
    bounded(Measure::Utf16, ["minCharacters", "maxCharacters"], parameters)
}

pub(super) fn not_null(parameters: &Parameters<'_>) -> Translated {
    let bound = Bound { of: Measure::Characters, min: Some(1), max: None };
    fails_on(Whole(Bounds(vec![bound])), parameters)
}

fn bounded(of: Measure, [min, max]: [&str; 2], parameters: &Parameters<'_>) -> Result {
    let bound = Bound { of, min: parameters.read(min)?, max: parameters.read(max)? };
    Ok(fails_on(Whole(Bounds(vec![bound])), parameters))
}

/// The schema is an object, or the text of one.
pub(super) fn json_schema(parameters: &Parameters<'_>) -> Result {
    let written: Value = parameters.required("schema")?;
    let schema = match &written {
        Value::String(text) => {
            serde_json::from_str(text).map_err(|error| format!("the parameter `schema` is no JSON: {error}"))?
        }
        _ => written,
    };
    Ok(fails_on(Whole(Shape::new(&schema).map_err(|error| error.to_string())?), parameters))
}

pub(super) fn json_keys(parameters: &Parameters<'_>) -> Result {
    let (keys, none) = (parameters.texts("keys")?, JsonKeys::default());
    let keys = match parameters.operator(Quantity::Any)? {
        Quantity::Any => JsonKeys { any: keys, ..none },
        Quantity::All => JsonKeys { all: keys, ..none },
        Quantity::None => JsonKeys { none: keys, ..none },
    };
    Ok(fails_on(Whole(keys), parameters))
}

pub(super) fn contains_code(parameters: &Parameters<'_>) -> Result {
    let format: String = parameters.required("format")?;
    let language =
        ProgrammingLanguage::of_fence(&format.to_ascii_lowercase()).ok_or_else(|| format!("nobody knows code as `{format}`"))?;
    Ok(demands(Code { allow: Vec::new(), deny: vec![language] }, parameters))
}

pub(super) fn all_upper_case(parameters: &Parameters<'_>) -> Translated {
    demands(Whole(Case { all: LetterCase::Upper, min_letters: 0 }), parameters)
}

pub(super) fn all_lower_case(parameters: &Parameters<'_>) -> Translated {
    demands(Whole(Case { all: LetterCase::Lower, min_letters: 0 }), parameters)
}

pub(super) fn ends_with(parameters: &Parameters<'_>) -> Result {
    let suffix: String = parameters.required("suffix")?;
    let stopped = format!("{suffix}.");
    Ok(demands(Whole(Suffix(vec![suffix, stopped])), parameters))
}

/// A text whose language cannot be told passes, with `not` and without it.
pub(super) fn language(parameters: &Parameters<'_>) -> Result {
    let codes = parameters.texts("language")?;
    if let Some(unknown) = codes.iter().find(|code| language_of(code).is_none()) {
        return Err(format!("`{unknown}` is no language that can be told from others"));
    }
    let (allow, deny) = if parameters.flag("not", false) { (Vec::new(), codes) } else { (codes, Vec::new()) };
    Ok(Translated::Text(Box::new(Whole(Detected::new(&allow, &deny, enough_letters())))))
}

pub(super) fn gibberish(parameters: &Parameters<'_>) -> Translated {
    fails_on(Whole(Gibberish::default()), parameters)
}

pub(super) fn regex_replace(parameters: &Parameters<'_>) -> Result {
    let rule: String = parameters.required("rule")?;
    let with = parameters.read("redactText")?.unwrap_or_else(|| REDACTED.to_owned());
    let fails = parameters.flag("failOnDetection", false) != parameters.flag("not", false);
    Ok(Translated::Replace { check: Box::new(Script::literal(&rule).map_err(broken_rule)?), with, fails })
}

pub(super) fn add_prefix(parameters: &Parameters<'_>) -> Result {
    Ok(Translated::Prefix(Prefix {
        text: parameters.required("prefix")?,
        role: parameters.read("applyToRole")?.unwrap_or_else(|| "user".to_owned()),
        to_existing: parameters.flag("addToExisting", true),
        only_if_absent: parameters.flag("onlyIfEmpty", false),
    }))
}
