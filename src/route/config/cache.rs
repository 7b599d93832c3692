//! What a config says of the cache.

use std::time::Duration;

use serde_json::Value;

use super::Fault;

/// How alike requests must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Named {
    /// The same, field for field.
    Simple,
    /// The same in meaning.
    Semantic,
}

/// The cache that a config names; without one, none.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CacheChoice {
    /// How alike requests must be; `None` is no cache.
    pub mode: Option<Named>,
    /// How long answers are served.
    pub max_age: Option<Duration>,
    /// The least similarity.
    pub threshold: Option<f32>,
}

impl CacheChoice {
    /// The cache of this mode.
    pub fn of(mode: Named) -> Self {
        Self { mode: Some(mode), ..Self::default() }
    }

    /// Reads `"simple"`, or `{"mode": "semantic", "max_age": 3600, "similarity_threshold": 0.95}`.
    pub(super) fn read(written: &Value) -> Result<Self, Fault> {
        if let Some(mode) = written.as_str() {
            return Ok(Self { mode: named(mode, "")?, ..Self::default() });
        }
        let Some(members) = written.as_object() else {
            return Err(Fault::new("", "is `simple`, `semantic`, or an object with a `mode`"));
        };
        let mode = members.get("mode").filter(|mode| !mode.is_null());
        let mode = mode.map(|mode| named(mode.as_str().unwrap_or_default(), "mode")).transpose()?.flatten();
        let max_age = members.get("max_age").filter(|age| !age.is_null());
        let max_age = max_age.map(|age| {
            let seconds = age.as_f64().or_else(|| age.as_str()?.parse().ok());
            let age = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
            age.ok_or_else(|| Fault::new("max_age", "is a number of seconds, such as 3600"))
        });
        let threshold =
            ["similarity_threshold", "threshold"].iter().find_map(|key| members.get(*key)).filter(|value| !value.is_null());
        let threshold = threshold.map(|threshold| {
            #[expect(clippy::cast_possible_truncation, reason = "seven digits of a similarity are more than it has")]
            let threshold =
                threshold.as_f64().filter(|threshold| (0.0..=1.0).contains(threshold)).map(|threshold| threshold as f32);
            threshold.ok_or_else(|| Fault::new("similarity_threshold", "is a similarity from 0 to 1; higher is stricter"))
        });
        Ok(Self { mode, max_age: max_age.transpose()?, threshold: threshold.transpose()? })
    }
}

fn named(mode: &str, path: &str) -> Result<Option<Named>, Fault> {
    match mode {
        "simple" => Ok(Some(Named::Simple)),
        "semantic" => Ok(Some(Named::Semantic)),
        "" | "off" | "none" | "disabled" => Ok(None),
        other => Err(Fault::new(path, format!("`{other}` is neither `simple` nor `semantic`"))),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn both_shapes_are_read() {
        assert_eq!(CacheChoice::read(&json!("simple")).unwrap(), CacheChoice::of(Named::Simple));
        let read = CacheChoice::read(&json!({"mode": "semantic", "max_age": 60, "similarity_threshold": 0.97})).unwrap();
        let expected = CacheChoice { mode: Some(Named::Semantic), max_age: Some(Duration::from_mins(1)), threshold: Some(0.97) };
        assert_eq!(read, expected);
    }

    #[test]
    fn what_makes_no_sense_is_named() {
        for (cache, path) in [
            (json!(3), ""),
            (json!("exact"), ""),
            (json!({"mode": "fuzzy"}), "mode"),
            (json!({"mode": "simple", "max_age": -1}), "max_age"),
            (json!({"mode": "semantic", "similarity_threshold": 95}), "similarity_threshold"),
        ] {
            assert_eq!(CacheChoice::read(&cache).unwrap_err().path, path, "{cache}");
        }
    }
}
