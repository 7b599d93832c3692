//! The faster engine: fastembed over an ONNX Runtime library that is found when Lockgate starts.

use std::{
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, OnceLock, PoisonError, TryLockError},
};

use fastembed::{
    InitOptionsUserDefined, OutputKey, Pooling, QuantizationMode, TextEmbedding, TokenizerFiles, UserDefinedEmbeddingModel,
};
use ort::environment::Environment;

use super::{DIMENSIONS, EmbedError, Embedder, Embedding, MAX_TOKENS, ModelFiles, model::GRAPH, pool, tokens::Tokens256};

/// The process has one ONNX Runtime; a second engine shares it.
static ENVIRONMENT: OnceLock<Environment> = OnceLock::new();

/// Where Linux distributions and the container image keep the library, beside the binary's own folder.
const SYSTEM_FOLDERS: [&str; 5] =
    ["/usr/lib", "/usr/local/lib", "/usr/lib64", "/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu"];

/// The library that is named, lies beside the binary, or is the system's.
pub fn find_library(named: Option<&Path>) -> Option<PathBuf> {
    if let Some(named) = named {
        return Some(named.to_owned());
    }
    let name = format!("{}onnxruntime{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
    let beside = std::env::current_exe().ok().and_then(|binary| Some(binary.parent()?.to_owned()));
    let folders = beside.into_iter().chain(SYSTEM_FOLDERS.iter().map(PathBuf::from));
    folders.map(|folder| folder.join(&name)).find(|library| library.is_file())
}

/// The model in ONNX Runtime: one session per thread, because a session runs one prompt at a time.
pub struct OnnxRuntime {
    tokens: Tokens256,
    sessions: Vec<Mutex<TextEmbedding>>,
}

impl std::fmt::Debug for OnnxRuntime {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OnnxRuntime").field("sessions", &self.sessions.len()).finish_non_exhaustive()
    }
}

impl OnnxRuntime {
    /// Loads the library, checks its version, and opens `sessions` sessions.
    pub fn load(files: &ModelFiles, library: Option<&Path>, sessions: usize) -> Result<Self, EmbedError> {
        let library = library.ok_or_else(|| EmbedError::Library("no library was found".to_owned()))?;
        let environment = environment(library)?;
        let session = || {
            let [config, special, settings] = files.tokenizer_settings();
            let tokenizer = TokenizerFiles {
                tokenizer_file: files.tokenizer().to_vec(),
                config_file: config.to_vec(),
                special_tokens_map_file: special.to_vec(),
                tokenizer_config_file: settings.to_vec(),
            };
            let model = UserDefinedEmbeddingModel::new(files.graph().into_owned(), tokenizer)
                .with_pooling(Pooling::Mean)
                .with_quantization(QuantizationMode::Dynamic);
            let options = InitOptionsUserDefined::new()
                .with_environment(environment.clone())
                .with_max_length(MAX_TOKENS)
                .with_intra_threads(1);
            TextEmbedding::try_new_from_user_defined(model, options).map(Mutex::new).map_err(|error| files.error(GRAPH, error))
        };
        let sessions = (0..sessions.max(1)).map(|_| session()).collect::<Result<_, _>>()?;
        Ok(Self { tokens: Tokens256::load(files)?, sessions })
    }

    /// A session that is free, or the first one once it is: there are as many as there are threads.
    fn session(&self) -> MutexGuard<'_, TextEmbedding> {
        for session in &self.sessions {
            match session.try_lock() {
                Ok(session) => return session,
                Err(TryLockError::Poisoned(poisoned)) => return poisoned.into_inner(),
                Err(TryLockError::WouldBlock) => {}
            }
        }
        self.sessions[0].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// ort refuses a missing or too old library with an error here; used without this step it would panic.
fn environment(library: &Path) -> Result<Environment, EmbedError> {
    if let Some(environment) = ENVIRONMENT.get() {
        return Ok(environment.clone());
    }
    let builder = ort::init_from(library).map_err(|error| EmbedError::Library(error.to_string()))?;
    let environment = builder.with_name("lockgate").build().map_err(|error| EmbedError::Library(error.to_string()))?;
    Ok(ENVIRONMENT.get_or_init(|| environment).clone())
}

impl Embedder for OnnxRuntime {
    fn embed(&self, text: &str) -> Result<Embedding, EmbedError> {
        let tokens = self.tokens.of(text)?;
        let failed = |error: &dyn std::fmt::Display| EmbedError::Inference(error.to_string());
        let output = self.session().transform([text], None).map_err(|error| failed(&error))?;
        let batch = output.into_raw().pop().ok_or_else(|| failed(&"there is no output"))?;
        let hidden = batch.select_output(&&OutputKey::ByName("last_hidden_state"));
        let token_vectors: Vec<f32> = hidden.map_err(|error| failed(&error))?.iter().copied().collect();
        if token_vectors.len() != tokens.ids.len() * DIMENSIONS {
            return Err(failed(&format!("{} tokens gave {} numbers", tokens.ids.len(), token_vectors.len())));
        }
        Ok(Embedding {
            vector: pool(&token_vectors),
            token_vectors,
            offsets: tokens.offsets,
            tokens: tokens.ids.len(),
            truncated: tokens.truncated,
            unknown: tokens.unknown,
        })
    }

    fn name(&self) -> &'static str {
        "onnxruntime"
    }
}
