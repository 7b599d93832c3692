//! The bundled model in the engine that is always there, and what is said when a model or a library cannot be used.
//!
//! `cargo test --test model`. The other engine, which needs a library, is held to the same in `engines.rs`.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/embedding.rs"]
mod embedding;

use std::fs;

use lockgate::embed::{Bundled, EmbedError, Embedder, ModelFiles, OnnxRuntime};

#[test]
fn the_bundled_engine_gives_the_reference_vectors() {
    embedding::matches_the_reference(&Bundled::load(&embedding::bundled()).unwrap());
}

#[test]
fn the_bundled_engine_keeps_the_promises_of_an_embedder() {
    embedding::conforms(&Bundled::load(&embedding::bundled()).unwrap());
}

#[test]
fn a_folder_with_the_same_files_gives_the_same_vectors() {
    let files = ModelFiles::open(Some(embedding::folder())).unwrap();
    let text = "How do I reset my password?";
    let of = |files| Bundled::load(files).unwrap().embed(text).unwrap().vector;
    assert_eq!(of(&files), of(&embedding::bundled()));
}

#[test]
fn a_missing_file_is_named_with_the_remedy() {
    for name in ["model.int8.onnx", "tokenizer.json", "config.json"] {
        let copy = embedding::spoilt(name, b"");
        let file = copy.path().join(name);
        fs::remove_file(&file).unwrap();
        let error = ModelFiles::open(Some(copy.path())).unwrap_err();
        assert!(matches!(error, EmbedError::Model { .. }), "{error:?}");
        let said = error.to_string();
        assert!(said.contains(&file.display().to_string()), "{said}");
        assert!(said.contains("restore the file") && said.contains("`embedding.model`"), "{said}");
    }
}

#[test]
fn a_spoilt_file_is_an_error_with_its_place_and_the_remedy() {
    let graph = fs::read(embedding::folder().join("model.int8.onnx")).unwrap();
    let spoilt: [(&str, &[u8]); 6] = [
        ("model.int8.onnx", b""),
        ("model.int8.onnx", &[0xff; 4096]),
        ("model.int8.onnx", b"version https://git-lfs.github.com/spec/v1\n"),
        ("model.int8.onnx", &graph[..graph.len() / 2]),
        ("tokenizer.json", b""),
        ("tokenizer.json", b"{\"version\": \"1.0\"}"),
    ];
    for (name, bytes) in spoilt {
        let copy = embedding::spoilt(name, bytes);
        let files = ModelFiles::open(Some(copy.path())).unwrap();
        let error = Bundled::load(&files).unwrap_err();
        assert!(matches!(error, EmbedError::Model { .. }), "{error:?}");
        let said = error.to_string();
        assert!(said.contains(&copy.path().join(name).display().to_string()) && said.contains("`embedding.model`"), "{said}");
    }
}

#[test]
fn what_is_no_onnx_runtime_is_refused_without_a_panic() {
    let folder = tempfile::tempdir().unwrap();
    let text = folder.path().join("libonnxruntime.so");
    fs::write(&text, "not a library").unwrap();
    let missing = folder.path().join("missing.so");
    let libraries = [None, Some(&*text), Some(&*missing), Some(folder.path())];
    let another = another_library();
    for library in libraries.into_iter().chain([another.as_deref()]) {
        let error = OnnxRuntime::load(&embedding::bundled(), library, 1).unwrap_err();
        assert!(matches!(error, EmbedError::Library(_)), "{library:?}: {error:?}");
        let said = error.to_string();
        assert!(said.contains("ORT_DYLIB_PATH") && said.contains("`embedding.engine: rten`"), "{said}");
    }
}

/// A real library that is not ONNX Runtime: one that this process runs with, where the system tells.
fn another_library() -> Option<std::path::PathBuf> {
    let maps = fs::read_to_string("/proc/self/maps").ok()?;
    maps.split_whitespace().find(|word| word.contains("libc.so") || word.contains("libm.so")).map(Into::into)
}
