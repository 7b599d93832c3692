//! What one prompt costs to embed, by its length in tokens: the larger part of a semantic lookup.
//!
//! `cargo bench --bench embedding`. With ORT_DYLIB_PATH set to an ONNX Runtime library, that engine too. The prompts are
//! embedded one after the other on one thread, as an embedding thread of Lockgate does.

#![expect(clippy::unwrap_used, reason = "a bench fails by panicking")]

use std::{path::PathBuf, time::Duration};

use criterion::{BenchmarkId, Criterion, SamplingMode};
use lockgate::{
    config::environment,
    embed::{Bundled, Embedder, ModelFiles, OnnxRuntime},
};

const TOKENS: [usize; 4] = [8, 16, 32, 64];

const WORDS: &str = "how do i change the delivery address of an order that was sent to my old flat last week and is still on its way \
                     because the person who lives there now does not open the door to anyone and the driver will bring it back to the \
                     depot where nobody picks up the phone so please tell me what i can do about it today";

/// A prompt of exactly so many tokens, the two marks included: the words above are one token each.
fn prompt(engine: &dyn Embedder, tokens: usize) -> String {
    let prompt = WORDS.split_whitespace().take(tokens - 2).collect::<Vec<_>>().join(" ");
    assert_eq!(engine.embed(&prompt).unwrap().tokens, tokens, "{prompt}");
    prompt
}

fn engines() -> Vec<Box<dyn Embedder>> {
    let files = ModelFiles::open(None).unwrap();
    let mut engines: Vec<Box<dyn Embedder>> = vec![Box::new(Bundled::load(&files).unwrap())];
    if let Some(library) = environment("ORT_DYLIB_PATH").map(PathBuf::from) {
        engines.push(Box::new(OnnxRuntime::load(&files, Some(&library), 1).unwrap()));
    }
    engines
}

fn main() {
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(3))
        .sample_size(50)
        .configure_from_args();
    for engine in engines() {
        let mut group = criterion.benchmark_group(format!("embed/{}", engine.name()));
        group.sampling_mode(SamplingMode::Flat);
        for tokens in TOKENS {
            let prompt = prompt(&*engine, tokens);
            group.bench_function(BenchmarkId::new("tokens", tokens), |bencher| bencher.iter(|| engine.embed(&prompt).unwrap()));
        }
        group.finish();
    }
    criterion.final_summary();
}
