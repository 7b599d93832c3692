//! `POST /v1/embeddings`: small vectors that depend on the text alone, so that equal texts have equal vectors.

use serde_json::{Value, json};

use super::{
    error::ApiError,
    reply::words,
    shape::{self, Answer},
};

/// The length of a vector that no `dimensions` ask for.
const DEFAULT_DIMENSIONS: usize = 16;
const MOST_DIMENSIONS: usize = 4096;

pub(super) fn answer(request: &Value) -> Result<Answer, ApiError> {
    let model = shape::model(request)?;
    let inputs = inputs(&request["input"])?;
    let dimensions = dimensions(&request["dimensions"])?;
    let base64 = match request["encoding_format"].as_str() {
        None | Some("float") => false,
        Some("base64") => true,
        Some(_) => {
            return Err(ApiError::bad_request("Invalid encoding_format.").about("encoding_format"));
        }
    };
    let data = inputs.iter().enumerate().map(|(index, input)| {
        let vector = vector(input, dimensions);
        let embedding = if base64 { json!(encode(&vector)) } else { json!(vector) };
        json!({ "object": "embedding", "index": index, "embedding": embedding })
    });
    let tokens: usize = inputs.iter().map(|input| words(input)).sum();
    Ok(Answer::Json(json!({
        "object": "list",
        "data": data.collect::<Vec<_>>(),
        "model": model,
        "usage": { "prompt_tokens": tokens, "total_tokens": tokens },
    })))
}

/// The texts to embed: one, several, or lists of tokens, which stand for themselves.
fn inputs(input: &Value) -> Result<Vec<String>, ApiError> {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    match input {
        Value::String(one) => Ok(vec![one.clone()]),
        Value::Array(several) if several.is_empty() => Err(ApiError::missing("input")),
        Value::Array(tokens) if tokens.iter().all(Value::is_number) => Ok(vec![input.to_string()]),
        Value::Array(several) => Ok(several.iter().map(text).collect()),
        _ => Err(ApiError::missing("input")),
    }
}

fn dimensions(asked: &Value) -> Result<usize, ApiError> {
    if asked.is_null() {
        return Ok(DEFAULT_DIMENSIONS);
    }
    let length = asked.as_u64().and_then(|length| usize::try_from(length).ok());
    length
        .filter(|length| (1..=MOST_DIMENSIONS).contains(length))
        .ok_or_else(|| ApiError::bad_request(format!("dimensions must be 1 to {MOST_DIMENSIONS}.")).about("dimensions"))
}

/// A unit vector drawn from the hash of the text.
fn vector(text: &str, dimensions: usize) -> Vec<f32> {
    let mut bytes = vec![0; dimensions];
    blake3::Hasher::new().update(text.as_bytes()).finalize_xof().fill(&mut bytes);
    // Half a step off the middle, so that no component, and so no vector, is zero.
    let raw: Vec<f32> = bytes.iter().map(|byte| f32::from(*byte) - 127.5).collect();
    let length = raw.iter().map(|x| x * x).sum::<f32>().sqrt();
    raw.iter().map(|x| x / length).collect()
}

/// Base64 of the little-endian floats, which is what the OpenAI SDKs ask for unless told otherwise.
fn encode(vector: &[f32]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let bytes: Vec<u8> = vector.iter().flat_map(|x| x.to_le_bytes()).collect();
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let at = |index: usize| u32::from(group.get(index).copied().unwrap_or(0));
        let bits = at(0) << 16 | at(1) << 8 | at(2);
        for digit in 0..4 {
            let symbol = ALPHABET[(bits >> (18 - 6 * digit) & 63) as usize];
            text.push(if digit <= group.len() { char::from(symbol) } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_matches_what_python_writes() {
        // base64.b64encode(struct.pack("<2f", 1.0, -2.5)) and the same of one and of three floats.
        assert_eq!(encode(&[1.0]), "AACAPw==");
        assert_eq!(encode(&[1.0, -2.5]), "AACAPwAAIMA=");
        assert_eq!(encode(&[1.0, -2.5, 0.1]), "AACAPwAAIMDNzMw9");
    }

    #[test]
    fn a_vector_is_a_unit_and_depends_on_the_text_alone() {
        let a = vector("a", 16);
        assert_eq!(a, vector("a", 16));
        assert_ne!(a, vector("b", 16));
        assert!((a.iter().map(|x| x * x).sum::<f32>() - 1.0).abs() < 1e-5);
    }
}
