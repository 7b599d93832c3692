//! Serves 1 and 2: text to vectors, on threads of its own.

use std::path::PathBuf;

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
#[derive(Debug, Clone)]
pub struct Settings {
    /// Which engine.
    pub engine: EngineChoice,
    /// A folder with `model.int8.onnx` and `tokenizer.json` in place of the bundled model.
    pub model: Option<PathBuf>,
    /// Threads, each embedding one prompt at a time; 0 is one per core.
    pub threads: usize,
    /// Prompts that may wait for a thread; one more goes on as a miss.
    pub queue: usize,
}
