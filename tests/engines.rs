//! The engine that needs a library: held to the same as the one that is always there, and both to each other.
//!
//! `ORT_DYLIB_PATH=<libonnxruntime.so> cargo test --features onnxruntime --test engines`. The wheel `onnxruntime` on PyPI contains the library, under
//! `onnxruntime/capi/`.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "support/embedding.rs"]
mod embedding;

use std::{fs, path::PathBuf, sync::LazyLock};

use lockgate::{
    config::environment,
    embed::{Bundled, EmbedError, Embedder, Fingerprint, ModelFiles, OnnxRuntime, find_library},
};

/// Both engines; the process has one ONNX Runtime, so the tests share it.
static ENGINES: LazyLock<(OnnxRuntime, Bundled)> = LazyLock::new(|| {
    let files = embedding::bundled();
    refuses_what_is_no_library();
    let library = find_library(Some(&library())).unwrap();
    (OnnxRuntime::load(&files, Some(&library), 2).unwrap(), Bundled::load(&files).unwrap())
});

fn library() -> PathBuf {
    let needs = "This test needs an ONNX Runtime library, named by ORT_DYLIB_PATH. `.ci/run tools engines` fetches one and runs it; or \
                 unpack the PyPI wheel `onnxruntime` and name its onnxruntime/capi/libonnxruntime.so.";
    let Some(named) = environment("ORT_DYLIB_PATH") else { panic!("{needs}") };
    let path = PathBuf::from(named);
    assert!(path.is_file(), "{} is no file. {needs}", path.display());
    path
}

/// Comes first: a library that was refused must not keep the right one from being loaded afterwards.
fn refuses_what_is_no_library() {
    let folder = tempfile::tempdir().unwrap();
    let text = folder.path().join("libonnxruntime.so");
    fs::write(&text, "not a library").unwrap();
    let refused = OnnxRuntime::load(&embedding::bundled(), Some(&text), 1);
    assert!(matches!(refused, Err(EmbedError::Library(_))), "{refused:?}");
}

#[test]
fn both_engines_give_the_reference_vectors() {
    embedding::matches_the_reference(&ENGINES.0);
    embedding::matches_the_reference(&ENGINES.1);
}

#[test]
fn both_engines_keep_the_promises_of_an_embedder() {
    embedding::conforms(&ENGINES.0);
    embedding::conforms(&ENGINES.1);
}

#[test]
fn the_engines_agree_and_are_told_apart_all_the_same() {
    let (onnxruntime, rten) = &*ENGINES;
    let vectors = |text: &str| (onnxruntime.embed(text).unwrap().vector, rten.embed(text).unwrap().vector);
    let similarities = embedding::Similarities::over_the_references(vectors);
    assert!(similarities.mean() >= 0.99, "{similarities}");
    // Near is not equal: a threshold that one engine just reaches the other may just miss.
    assert_ne!(Fingerprint::of(onnxruntime).unwrap(), Fingerprint::of(rten).unwrap());
}

#[test]
fn a_spoilt_model_is_an_error_here_too() {
    let _first = &*ENGINES;
    let copy = embedding::spoilt("model.int8.onnx", b"spoilt");
    let files = ModelFiles::open(Some(copy.path())).unwrap();
    let error = OnnxRuntime::load(&files, Some(&library()), 1).unwrap_err();
    assert!(matches!(error, EmbedError::Model { .. }), "{error:?}");
    assert!(error.to_string().contains(&copy.path().display().to_string()), "{error}");
}
