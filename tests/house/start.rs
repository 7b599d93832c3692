//! What keeps Lockgate from starting: the error names the place and the remedy.

use std::{fs, path::Path};

use lockgate::cache::Mode;
use tokio::net::TcpListener;

use crate::{
    Upstream,
    house::{config, start},
};

const MODEL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/models/all-MiniLM-L6-v2");

/// A folder with the model's files, without their licence and checksums.
fn model() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for file in fs::read_dir(MODEL).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), folder.path().join(file.file_name())).unwrap();
    }
    folder
}

async fn refused_with(change: impl FnOnce(&mut lockgate::config::Config)) -> String {
    let upstream = Upstream::plain().await;
    let mut config = config(upstream.address);
    change(&mut config);
    start(config).await.expect_err("it does not start").render(false)
}

async fn refused_model(folder: &Path) -> String {
    refused_with(|config| {
        config.cache.mode = Mode::Semantic;
        config.embed.model = Some(folder.to_owned());
    })
    .await
}

#[tokio::test]
async fn a_missing_file_of_the_model_is_named() {
    for file in ["model.int8.onnx", "tokenizer.json"] {
        let folder = model();
        fs::remove_file(folder.path().join(file)).unwrap();
        let error = refused_model(folder.path()).await;
        let path = folder.path().join(file).display().to_string();
        for word in [path.as_str(), "No such file", "restore the file", "`embedding.model`"] {
            assert!(error.contains(word), "no {word:?} in {error}");
        }
    }
}

#[tokio::test]
async fn a_corrupt_file_of_the_model_is_told_with_its_folder() {
    for (file, keep) in [("model.int8.onnx", 0), ("model.int8.onnx", 1_000_000), ("tokenizer.json", 0), ("tokenizer.json", 1000)]
    {
        let folder = model();
        let path = folder.path().join(file);
        let whole = fs::read(&path).unwrap();
        fs::write(&path, &whole[..keep]).unwrap();
        let error = refused_model(folder.path()).await;
        for word in [folder.path().to_str().unwrap(), "cannot be loaded", "`embedding.model`"] {
            assert!(error.contains(word), "{file} cut to {keep}: no {word:?} in {error}");
        }
    }
}

#[tokio::test]
async fn a_file_that_is_no_model_is_refused() {
    let folder = model();
    fs::write(folder.path().join("model.int8.onnx"), vec![0x42; 100_000]).unwrap();
    assert!(refused_model(folder.path()).await.contains("cannot be loaded"));
}

#[tokio::test]
async fn a_port_in_use_is_named() {
    let other = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = other.local_addr().unwrap();
    let places: [fn(&mut lockgate::config::Config, std::net::SocketAddr); 3] = [
        |config, address| config.ingress.listen = address,
        |config, address| config.console.admin = address,
        |config, address| config.console.health = Some(address),
    ];
    for place in places {
        let error = refused_with(|config| place(config, address)).await;
        for word in [&*address.to_string(), "another program listens there", "`server`"] {
            assert!(error.contains(word), "no {word:?} in {error}");
        }
    }
}

#[tokio::test]
async fn every_mistake_of_every_rule_file_is_told_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let rule = "summary: s\nwhy: w\nstage: sideways\naction: blok\nsumary: s\nmatch: {patterns: [{regex: '('}], words: 5}\n\
                examples: {match: [], pass: []}\n";
    fs::write(folder.path().join("one.yaml"), rule).unwrap();
    let empty = "summary: s\nwhy: w\nstage: input\naction: block\nmatch: {}\nexamples: {match: [horse], pass: [zebra]}\n";
    fs::write(folder.path().join("two.yaml"), empty).unwrap();
    let error = refused_with(|config| config.guard.directory = Some(folder.path().to_owned())).await;
    let words = [
        "one.yaml:3:8",
        "one.yaml:4:9",
        "one.yaml:5:1",
        "did you mean `block`",
        "one.yaml:6:29",
        "one.yaml:6:42",
        "7 problems in ",
        "two.yaml:5:8",
    ];
    for word in words {
        assert!(error.contains(word), "no {word:?} in {error}");
    }
}
