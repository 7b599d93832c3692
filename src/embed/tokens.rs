//! Text to token ids, cut to the model's window.

use tokenizers::Tokenizer;

use super::{EmbedError, MAX_TOKENS, ModelFiles, model::TOKENIZER};

/// No text of this many bytes fits the window, unless its words are over 60 letters each; what lies beyond is not worth tokenizing.
const MAX_TEXT_BYTES: usize = 16 << 10;

/// What the tokenizer makes of a prompt.
#[derive(Debug)]
pub(super) struct Tokens {
    pub(super) ids: Vec<u32>,
    pub(super) offsets: Vec<(u32, u32)>,
    pub(super) truncated: bool,
    pub(super) unknown: f32,
}

/// The model's own tokenizer.
#[derive(Debug)]
pub(super) struct Tokens256 {
    tokenizer: Tokenizer,
    unknown: Option<u32>,
}

impl Tokens256 {
    /// Loads the tokenizer and takes its truncation away, for what is cut off must be noticed.
    pub(super) fn load(files: &ModelFiles) -> Result<Self, EmbedError> {
        let mut tokenizer = Tokenizer::from_bytes(files.tokenizer()).map_err(|error| files.error(TOKENIZER, error))?;
        tokenizer.with_truncation(None).map_err(|error| files.error(TOKENIZER, error))?;
        tokenizer.with_padding(None);
        let unknown = tokenizer.token_to_id("[UNK]");
        Ok(Self { tokenizer, unknown })
    }

    /// Tokens with their begin and end marks, at most [`MAX_TOKENS`].
    pub(super) fn of(&self, text: &str) -> Result<Tokens, EmbedError> {
        let read = &text[..text.floor_char_boundary(MAX_TEXT_BYTES)];
        let encoding = self.tokenizer.encode(read, true).map_err(|error| EmbedError::Inference(error.to_string()))?;
        let mut ids = encoding.get_ids().to_vec();
        let small = |place: usize| u32::try_from(place).unwrap_or(u32::MAX);
        let mut offsets: Vec<_> = encoding.get_offsets().iter().map(|&(begin, end)| (small(begin), small(end))).collect();
        let truncated = ids.len() > MAX_TOKENS || read.len() < text.len();
        if ids.len() > MAX_TOKENS {
            let end = ids[ids.len() - 1];
            ids.truncate(MAX_TOKENS - 1);
            ids.push(end);
            offsets.truncate(MAX_TOKENS - 1);
            offsets.push((0, 0));
        }
        let unknown = ids.iter().filter(|&&id| Some(id) == self.unknown).count();
        let words = ids.len().saturating_sub(2).max(1);
        Ok(Tokens { truncated, unknown: unknown as f32 / words as f32, ids, offsets })
    }
}
