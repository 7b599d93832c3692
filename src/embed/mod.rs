//! Serves 1 and 2: text to vectors, on threads of its own.
//!
//! Vectors of different models, engines, precisions or CPU kinds differ by enough to move a threshold. Each engine therefore carries a
//! [`Fingerprint`] that includes a vector it computed itself, and vectors meet only under the same fingerprint.

use std::{fmt, path::PathBuf, sync::Arc};

mod bundled;
mod model;
mod onnxruntime;
mod planes;
mod token_vectors;
mod tokens;
mod worker;

pub use bundled::Bundled;
pub use model::{DIMENSIONS, MAX_TOKENS, ModelFiles};
pub use onnxruntime::{OnnxRuntime, find_library};
pub use planes::{Nibbles, Plane, nibble_products, product, products, rounded};
pub use token_vectors::TokenVectors;
pub use worker::{Busy, Worker};

/// Which engine computes the vectors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EngineChoice {
    /// ONNX Runtime where its library is found, else rten.
    Auto,
    /// rten, pure Rust, always there.
    Rten,
    /// fastembed over ONNX Runtime; refuses to start without the library.
    OnnxRuntime,
}

/// How text is embedded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Which engine.
    pub engine: EngineChoice,
    /// A folder with `model.int8.onnx` and `tokenizer.json` in place of the bundled model.
    pub model: Option<PathBuf>,
    /// The ONNX Runtime library, where the operator names one.
    pub library: Option<PathBuf>,
    /// Threads, each embedding one prompt at a time; 0 is one per core.
    pub threads: usize,
    /// Prompts that may wait for a thread; one more goes on as a miss.
    pub queue: usize,
}

impl Settings {
    /// The threads to start.
    pub fn threads(&self) -> usize {
        if self.threads > 0 { self.threads } else { std::thread::available_parallelism().map_or(1, usize::from) }
    }
}

/// What an engine makes of one prompt.
#[derive(Debug, Clone)]
pub struct Embedding {
    /// The mean of the token vectors at length 1, [`DIMENSIONS`] numbers.
    pub vector: Vec<f32>,
    /// The vector of each token, one after the other, [`DIMENSIONS`] numbers each.
    pub token_vectors: Vec<f32>,
    /// Which bytes of the text each token stands for, begin and end; the two marks stand for none.
    pub offsets: Vec<(u32, u32)>,
    /// Tokens that were read, the two that mark begin and end included.
    pub tokens: usize,
    /// Whether the text is longer than the model reads.
    pub truncated: bool,
    /// Of the words that tell a text's language, the share that the model does not know as words, 0 to 1.
    pub unknown: f32,
}

/// Turns text into vectors. One prompt per call: dynamic int8 scales by batch, and a batch would change the vectors.
pub trait Embedder: Send + Sync + fmt::Debug {
    /// Embeds one prompt; blocks for about a millisecond.
    fn embed(&self, text: &str) -> Result<Embedding, EmbedError>;

    /// The engine's name in logs and fingerprints.
    fn name(&self) -> &'static str;
}

/// Why there is no vector.
#[derive(Debug)]
pub enum EmbedError {
    /// A file of the model is missing or not what it should be.
    Model {
        /// The file or folder.
        place: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The engine's library cannot be used.
    Library(String),
    /// The engine failed on this prompt.
    Inference(String),
}

impl fmt::Display for EmbedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Model { place, reason } => write!(
                f,
                "the embedding model at {place} cannot be loaded: {reason}; restore the file, or remove `embedding.model` from the \
                 configuration to use the bundled model"
            ),
            Self::Library(reason) => write!(
                f,
                "ONNX Runtime cannot be used: {reason}; install it, name the library in ORT_DYLIB_PATH, or set `embedding.engine: rten`"
            ),
            Self::Inference(reason) => write!(f, "the embedding engine failed: {reason}"),
        }
    }
}

impl std::error::Error for EmbedError {}

/// Identifies what made a vector: vectors with different fingerprints must not be compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint([u8; 16]);

/// Long enough to involve every weight scale, short enough to cost nothing at start.
const PROBE: &str = "How do I change the delivery address of order 1507?";

impl Fingerprint {
    /// Embeds a probe; int8 arithmetic differs between CPUs, so the engine's name alone would not do.
    pub fn of(embedder: &dyn Embedder) -> Result<Self, EmbedError> {
        let probe = embedder.embed(PROBE)?;
        if probe.vector.len() != DIMENSIONS || !probe.vector.iter().all(|number| number.is_finite()) {
            return Err(EmbedError::Inference("the probe's vector is not finite or has the wrong length".to_owned()));
        }
        let mut hasher = blake3::Hasher::new();
        hasher.update(embedder.name().as_bytes());
        for number in probe.vector {
            hasher.update(&number.to_le_bytes());
        }
        let mut bytes = [0; 16];
        hasher.finalize_xof().fill(&mut bytes);
        Ok(Self(bytes))
    }

    /// Its bytes, for keys.
    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

/// Loads the engine that the settings ask for.
pub fn load(settings: &Settings) -> Result<Arc<dyn Embedder>, EmbedError> {
    let files = ModelFiles::open(settings.model.as_deref())?;
    let library = find_library(settings.library.as_deref());
    let onnx = || OnnxRuntime::load(&files, library.as_deref(), settings.threads());
    match settings.engine {
        EngineChoice::OnnxRuntime => return Ok(Arc::new(onnx()?)),
        EngineChoice::Auto if library.is_some() => match onnx() {
            Ok(engine) => return Ok(Arc::new(engine)),
            Err(error) => tracing::warn!(%error, "The ONNX Runtime library was found but cannot be used; rten embeds instead."),
        },
        EngineChoice::Auto | EngineChoice::Rten => {}
    }
    Ok(Arc::new(Bundled::load(&files)?))
}

/// The mean of token vectors, at length 1.
fn pool(token_vectors: &[f32]) -> Vec<f32> {
    let mut sum = vec![0.0_f32; DIMENSIONS];
    for token in token_vectors.chunks_exact(DIMENSIONS) {
        sum.iter_mut().zip(token).for_each(|(sum, number)| *sum += number);
    }
    let length = sum.iter().map(|number| number * number).sum::<f32>().sqrt().max(f32::MIN_POSITIVE);
    for number in &mut sum {
        *number /= length;
    }
    sum
}

/// Sums that are made side by side: a single one would have to be added up in order, one number at a time.
const LANES: usize = 16;

/// The cosine of two vectors of length 1, of [`DIMENSIONS`] numbers.
pub fn cosine(a: &[f32], b: &[f32]) -> f32 {
    const { assert!(DIMENSIONS.is_multiple_of(LANES)) };
    let mut sums = [0.0_f32; LANES];
    for (a, b) in a.chunks_exact(LANES).zip(b.chunks_exact(LANES)) {
        for (sum, (a, b)) in sums.iter_mut().zip(a.iter().zip(b)) {
            *sum += a * b;
        }
    }
    sums.iter().sum()
}
