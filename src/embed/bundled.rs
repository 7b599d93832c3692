//! The engine that is always there: rten, pure Rust.

use std::{borrow::Cow, sync::Arc};

use rten::{Model, ModelOptions, NodeId, RunOptions, ThreadPool, ValueOrView};
use rten_tensor::{AsView, Layout, NdTensor, NdTensorView};

use super::{DIMENSIONS, EmbedError, Embedder, Embedding, ModelFiles, model::GRAPH, pool, tokens::Tokens256};

thread_local! {
    /// Prompts run side by side, each on a thread of its own: a short prompt gains nothing from being split, and a pool that several
    /// callers share would make them wait for each other.
    static POOL: Arc<ThreadPool> = Arc::new(ThreadPool::with_num_threads(1));
}

fn one_thread() -> RunOptions {
    RunOptions::default().with_thread_pool(Some(POOL.with(Arc::clone)))
}

/// The model in rten, its weights packed once for the matrix kernels.
pub struct Bundled {
    tokens: Tokens256,
    model: Model,
    inputs: [NodeId; 3],
    output: NodeId,
}

impl std::fmt::Debug for Bundled {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bundled").finish_non_exhaustive()
    }
}

impl Bundled {
    /// Its name in logs and fingerprints.
    pub const NAME: &str = "rten";

    /// Loads tokenizer and graph.
    pub fn load(files: &ModelFiles) -> Result<Self, EmbedError> {
        let mut options = ModelOptions::with_all_ops();
        options.prepack_weights(true);
        let model = match files.graph() {
            Cow::Borrowed(bytes) => options.load_static_slice(bytes),
            Cow::Owned(bytes) if whole(&bytes) => options.load(bytes),
            Cow::Owned(_) => return Err(files.error(GRAPH, "it is cut off, or no ONNX graph")),
        }
        .map_err(|error| files.error(GRAPH, error))?;
        let node = |name: &str| model.node_id(name).map_err(|_| files.error(GRAPH, format!("the graph has no `{name}`")));
        let inputs = [node("input_ids")?, node("attention_mask")?, node("token_type_ids")?];
        let output = node("last_hidden_state")?;
        Ok(Self { tokens: Tokens256::load(files)?, model, inputs, output })
    }
}

impl Embedder for Bundled {
    fn embed(&self, text: &str) -> Result<Embedding, EmbedError> {
        let tokens = self.tokens.of(text)?;
        let count = tokens.ids.len();
        let failed = |reason: String| EmbedError::Inference(reason);
        let ids: Vec<i32> = tokens.ids.iter().map(|&id| i32::try_from(id).unwrap_or(0)).collect();
        let (ones, zeros) = (vec![1_i32; count], vec![0_i32; count]);
        let [id, mask, kind] = self.inputs;
        let inputs = vec![(id, input(&ids)), (mask, input(&ones)), (kind, input(&zeros))];
        let [output] = self.model.run_n(inputs, [self.output], Some(one_thread())).map_err(|error| failed(error.to_string()))?;
        let hidden: NdTensor<f32, 3> = output.try_into().map_err(|error| failed(format!("{error:?}")))?;
        if hidden.shape() != [1, count, DIMENSIONS] {
            return Err(failed(format!("the output has shape {:?}", hidden.shape())));
        }
        let token_vectors = hidden.to_vec();
        Ok(Embedding {
            vector: pool(&token_vectors),
            token_vectors,
            offsets: tokens.offsets,
            tokens: count,
            truncated: tokens.truncated,
            unknown: tokens.unknown,
        })
    }

    fn name(&self) -> &'static str {
        Self::NAME
    }
}

/// One prompt's row of numbers, borrowed.
fn input(numbers: &[i32]) -> ValueOrView<'_> {
    NdTensorView::from_data([1, numbers.len()], numbers).into()
}

/// Whether the fields of a protobuf message end where its bytes end. rten believes their lengths: a wrong one sends it in circles or asks for
/// more memory than there is.
fn whole(mut bytes: &[u8]) -> bool {
    while !bytes.is_empty() {
        let Some(key) = varint(&mut bytes) else { return false };
        let skip = match key & 7 {
            0 => varint(&mut bytes).map(|_| 0),
            1 => Some(8),
            2 => varint(&mut bytes),
            5 => Some(4),
            _ => None,
        };
        let rest = skip.and_then(|skip| bytes.get(usize::try_from(skip).ok()?..));
        let Some(rest) = rest else { return false };
        bytes = rest;
    }
    true
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let end = bytes.iter().take(10).position(|byte| byte & 0x80 == 0)?;
    let (number, rest) = bytes.split_at(end + 1);
    *bytes = rest;
    Some(number.iter().rev().fold(0, |sum, byte| sum << 7 | u64::from(byte & 0x7f)))
}
