//! Tokens and passwords.

use data_encoding::BASE64URL_NOPAD;
use serde_json::Value;

/// Words and shapes that stand for a secret where none is shown.
const STAND_INS: [&str; 14] = [
    "example",
    "placeholder",
    "changeme",
    "change_me",
    "change-me",
    "your-",
    "your_",
    "xxxx",
    "****",
    "....",
    "redacted",
    "dummy",
    "process.env",
    "secrets.",
];

/// Whether the header of a token is a JSON object that names an algorithm.
pub(super) fn jwt(matched: &str) -> bool {
    let header = matched.split('.').next().unwrap_or_default();
    let Ok(json) = BASE64URL_NOPAD.decode(header.as_bytes()) else { return false };
    serde_json::from_slice::<Value>(&json).is_ok_and(|header| header.get("alg").is_some_and(Value::is_string))
}

/// Whether it mixes letters and digits, as what was made up to be hard to guess does, and is no stand-in.
pub(super) fn written_down(matched: &str) -> bool {
    let mixed = matched.contains(|char: char| char.is_ascii_alphabetic()) && matched.contains(|char: char| char.is_ascii_digit());
    let lower = matched.to_ascii_lowercase();
    mixed && !STAND_INS.iter().any(|stand_in| lower.contains(stand_in))
}
