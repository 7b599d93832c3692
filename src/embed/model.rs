//! The model's files: bundled in the binary, or a folder that the operator names.

use std::{borrow::Cow, collections::HashMap, path::Path};

use serde::Deserialize;

use super::EmbedError;

/// Numbers in a vector.
pub const DIMENSIONS: usize = 384;
/// Tokens that the model reads; what is beyond is not part of the vector.
pub const MAX_TOKENS: usize = 256;

const FOLDER: &str = "models/all-MiniLM-L6-v2";
pub(super) const GRAPH: &str = "model.int8.onnx";
pub(super) const TOKENIZER: &str = "tokenizer.json";
const FILES: [&str; 5] = [GRAPH, TOKENIZER, "config.json", "special_tokens_map.json", "tokenizer_config.json"];

/// The bytes of a model.
#[derive(Clone)]
pub struct ModelFiles {
    place: String,
    files: [Cow<'static, [u8]>; 5],
}

impl std::fmt::Debug for ModelFiles {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ModelFiles").field("place", &self.place).finish_non_exhaustive()
    }
}

impl ModelFiles {
    /// The bundled files, or those in `folder`.
    pub fn open(folder: Option<&Path>) -> Result<Self, EmbedError> {
        let Some(folder) = folder else { return Ok(Self::bundled()) };
        let mut files = std::array::from_fn(|_| Cow::Borrowed(&[][..]));
        for (slot, name) in files.iter_mut().zip(FILES) {
            let path = folder.join(name);
            let bytes = std::fs::read(&path)
                .map_err(|error| EmbedError::Model { place: path.display().to_string(), reason: error.to_string() })?;
            *slot = Cow::Owned(bytes);
        }
        Ok(Self { place: folder.display().to_string(), files })
    }

    fn bundled() -> Self {
        Self {
            place: format!("(bundled) {FOLDER}"),
            files: [
                Cow::Borrowed(include_bytes!("../../models/all-MiniLM-L6-v2/model.int8.onnx")),
                Cow::Borrowed(include_bytes!("../../models/all-MiniLM-L6-v2/tokenizer.json")),
                Cow::Borrowed(include_bytes!("../../models/all-MiniLM-L6-v2/config.json")),
                Cow::Borrowed(include_bytes!("../../models/all-MiniLM-L6-v2/special_tokens_map.json")),
                Cow::Borrowed(include_bytes!("../../models/all-MiniLM-L6-v2/tokenizer_config.json")),
            ],
        }
    }

    /// The graph, in ONNX format.
    pub fn graph(&self) -> Cow<'static, [u8]> {
        self.files[0].clone()
    }

    /// `tokenizer.json`.
    pub fn tokenizer(&self) -> &[u8] {
        &self.files[1]
    }

    /// The pieces of words that the tokenizer knows, whole words among them, in no order.
    pub fn vocabulary(&self) -> Result<Vec<String>, EmbedError> {
        let read: Tokenizer = serde_json::from_slice(self.tokenizer()).map_err(|error| self.error(TOKENIZER, error))?;
        Ok(read.model.vocab.into_keys().collect())
    }

    /// `config.json`, `special_tokens_map.json` and `tokenizer_config.json`, which fastembed wants beside it.
    pub fn tokenizer_settings(&self) -> [&[u8]; 3] {
        [&self.files[2], &self.files[3], &self.files[4]]
    }

    /// An error that names a file of this model.
    pub(super) fn error(&self, file: &str, reason: impl std::fmt::Display) -> EmbedError {
        EmbedError::Model { place: format!("{}/{file}", self.place), reason: reason.to_string() }
    }
}

/// What is read of `tokenizer.json` beside the tokenizer itself.
#[derive(Deserialize)]
struct Tokenizer {
    model: Vocabulary,
}

#[derive(Deserialize)]
struct Vocabulary {
    vocab: HashMap<String, u32>,
}
