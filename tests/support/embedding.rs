//! What every embedding engine is held to: the reference vectors of the model, and the promises of `Embedder`.

use std::{fmt, fs, path::Path, thread, time::Duration};

use lockgate::{
    clock,
    embed::{DIMENSIONS, Embedder, Embedding, MAX_TOKENS, ModelFiles, cosine},
};
use tempfile::TempDir;

/// Cosine to the exact vectors. Int8 arithmetic differs between engines and between CPUs; a threshold of the cache moves by what is lost here.
const LEAST_MEAN: f32 = 0.99;
const LEAST: f32 = 0.97;

/// Longer than any prompt takes in a test build, shorter than reading 100 kB would.
const QUICK: Duration = Duration::from_secs(2);

/// The model's own folder, as the repository holds it.
pub(crate) fn folder() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/models/all-MiniLM-L6-v2"))
}

/// The model inside the binary.
pub(crate) fn bundled() -> ModelFiles {
    ModelFiles::open(None).unwrap()
}

/// A copy of that folder with one file spoilt.
pub(crate) fn spoilt(name: &str, bytes: &[u8]) -> TempDir {
    let copy = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(folder()).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), copy.path().join(entry.file_name())).unwrap();
    }
    fs::write(copy.path().join(name), bytes).unwrap();
    copy
}

/// A text with its exact vector.
struct Reference {
    text: String,
    tokens: u64,
    truncated: bool,
    vector: Vec<f32>,
}

/// The lines of `reference.jsonl`, which float32 arithmetic made.
fn references() -> Vec<Reference> {
    let lines = fs::read_to_string(folder().join("reference.jsonl")).unwrap();
    let read = |line: &str| {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        Reference {
            text: line["text"].as_str().unwrap().to_owned(),
            tokens: line["tokens"].as_u64().unwrap(),
            truncated: line["truncated"].as_bool().unwrap(),
            vector: serde_json::from_value(line["vector"].clone()).unwrap(),
        }
    };
    lines.lines().map(read).collect()
}

/// Similarities over a set of texts.
pub(crate) struct Similarities(Vec<(f32, String)>);

impl Similarities {
    /// Those of two vectors for each of the model's reference texts.
    pub(crate) fn over_the_references(of: impl Fn(&str) -> (Vec<f32>, Vec<f32>)) -> Self {
        let one = |Reference { text, .. }| {
            let (a, b) = of(&text);
            (cosine(&a, &b), text)
        };
        Self(references().into_iter().map(one).collect())
    }

    pub(crate) fn mean(&self) -> f32 {
        self.0.iter().map(|(similarity, _)| similarity).sum::<f32>() / self.0.len() as f32
    }

    fn least(&self) -> &(f32, String) {
        self.0.iter().min_by(|(a, _), (b, _)| a.total_cmp(b)).unwrap()
    }
}

impl fmt::Display for Similarities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (least, text) = self.least();
        write!(f, "{} texts: mean {:.4}, least {least:.4} for {text:?}", self.0.len(), self.mean())
    }
}

/// Holds an engine to the reference.
pub(crate) fn matches_the_reference(engine: &dyn Embedder) {
    let references = references();
    assert!(references.len() >= 40, "reference.jsonl has {} lines", references.len());
    for reference in &references {
        let made = engine.embed(&reference.text).unwrap();
        let read = (made.tokens as u64, made.truncated);
        assert_eq!(read, (reference.tokens, reference.truncated), "tokens and truncation of {:?}", reference.text);
    }
    let exact = |text: &str| references.iter().find(|reference| reference.text == text).unwrap().vector.clone();
    let similarities = Similarities::over_the_references(|text| (engine.embed(text).unwrap().vector, exact(text)));
    assert!(similarities.mean() >= LEAST_MEAN && similarities.least().0 >= LEAST, "{}: {similarities}", engine.name());
}

/// Holds an engine to what the callers of `Embedder` count on.
pub(crate) fn conforms(engine: &dyn Embedder) {
    assert!(!engine.name().is_empty());
    for text in ["", " ", "a", "How do I reset my password?", "🦀🔒👩‍👩‍👧‍👦", "你好，世界", "x\0y\u{202e}z\r\n", &"word ".repeat(400)]
    {
        let made = embed(engine, text);
        assert_eq!(made.vector, embed(engine, text).vector, "{text:?} has one vector");
    }
    reads_nothing_as_two_marks(engine);
    cuts_what_is_long(engine);
    is_the_same_on_every_thread(engine);
}

/// Embeds, and checks what holds for every text.
fn embed(engine: &dyn Embedder, text: &str) -> Embedding {
    let made = engine.embed(text).unwrap();
    let shown = &text[..text.floor_char_boundary(40)];
    let norm = made.vector.iter().map(|number| number * number).sum::<f32>().sqrt();
    assert_eq!(made.vector.len(), DIMENSIONS, "{shown:?}");
    assert!((norm - 1.0).abs() < 1e-4, "{shown:?} has a vector of length {norm}");
    assert!((2..=MAX_TOKENS).contains(&made.tokens), "{shown:?} has {} tokens", made.tokens);
    assert_eq!(made.token_vectors.len(), made.tokens * DIMENSIONS, "{shown:?}");
    assert!(made.token_vectors.iter().all(|number| number.is_finite()), "{shown:?}");
    assert!((0.0..=1.0).contains(&made.unknown), "{shown:?}: {} of its tokens are unknown", made.unknown);
    made
}

fn reads_nothing_as_two_marks(engine: &dyn Embedder) {
    let made = embed(engine, "");
    assert_eq!((made.tokens, made.truncated), (2, false));
}

fn cuts_what_is_long(engine: &dyn Embedder) {
    let long = "The quick brown fox jumps over the lazy dog. ".repeat(100_000 / 45 + 1);
    let begun = clock::now();
    let made = embed(engine, &long);
    let took = clock::now().duration_since(begun);
    assert_eq!((made.tokens, made.truncated), (MAX_TOKENS, true));
    assert!(took < QUICK, "100 kB took {took:?}");
    // What is beyond the window is no part of the vector, and is said to be missing from it.
    assert_eq!(made.vector, embed(engine, &long[..50_000]).vector);
    // One word, and characters of three bytes: where the text is cut must not be inside one of them.
    for long in ["a".repeat(100_000), "界".repeat(33_333)] {
        assert!(embed(engine, &long).truncated);
    }
}

fn is_the_same_on_every_thread(engine: &dyn Embedder) {
    let texts = ["How do I reset my password?", "What is the capital of France?", "a"];
    let alone = texts.map(|text| embed(engine, text).vector);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..5 {
                    assert_eq!(texts.map(|text| embed(engine, text).vector), alone);
                }
            });
        }
    });
}
