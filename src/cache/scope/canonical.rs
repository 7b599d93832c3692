//! Hashes of JSON values: equal values, however they are written, come out equal, and different ones do not.

use blake3::Hasher;

use crate::wire::json::{Kind, Value};

/// Hashes some members of an object, whatever their order. The value that begins at `skip` is left out.
pub(super) fn members<'j>(hasher: &mut Hasher, members: impl Iterator<Item = (Value<'j>, Value<'j>)>, skip: Option<usize>) {
    let mut members: Vec<_> = members.collect();
    members.sort_by(|(a, _), (b, _)| a.as_str().cmp(&b.as_str()));
    hasher.update(b"{");
    for (key, member) in members {
        sized(hasher, key.as_str().unwrap_or_default().as_bytes());
        value(hasher, member, skip);
    }
    hasher.update(b"}");
}

fn value(hasher: &mut Hasher, value_: Value<'_>, skip: Option<usize>) {
    if Some(value_.span().start) == skip {
        hasher.update(b"*");
        return;
    }
    match value_.kind() {
        Kind::Null => drop(hasher.update(b"0")),
        Kind::Bool => drop(hasher.update(if value_.raw() == "true" { b"T" } else { b"F" })),
        Kind::Number => number(hasher, value_.raw()),
        Kind::String => {
            hasher.update(b"s");
            sized(hasher, value_.as_str().unwrap_or_default().as_bytes());
        }
        Kind::Array => {
            hasher.update(b"[");
            value_.items().for_each(|item| value(hasher, item, skip));
            hasher.update(b"]");
        }
        Kind::Object => members(hasher, value_.members(), skip),
    }
}

/// `1`, `1.0` and `1e0` are one number. What a double cannot hold exactly is compared as it is written.
fn number(hasher: &mut Hasher, raw: &str) {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    match raw.parse::<f64>() {
        Ok(number) if number.abs() < EXACT => {
            hasher.update(b"n").update(&(number + 0.0).to_le_bytes());
        }
        _ => {
            hasher.update(b"N");
            sized(hasher, raw.as_bytes());
        }
    }
}

/// Length first, so that no two sequences of parts hash alike.
pub(super) fn sized(hasher: &mut Hasher, bytes: &[u8]) {
    hasher.update(&(bytes.len() as u64).to_le_bytes()).update(bytes);
}
