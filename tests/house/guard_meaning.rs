//! Rules that look at the meaning of the last message: what they refuse and what they note, with the real model.

use lockgate::cache::Mode;
use tempfile::TempDir;

use crate::{House, Upstream, chat};

/// A rule against advice on investments, by example.
fn rule(action: &str, examples: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let text = format!(
        "summary: Advice on investments\nwhy: w\nstage: input\naction: {action}\nmatch:\n  topic:\n    examples: [Which stock should I buy?, How do I \
         invest my savings?]\nexamples:\n  match: [{examples}]\n  pass: [How long do I boil an egg?]\n"
    );
    std::fs::write(folder.path().join("investments.yaml"), text).unwrap();
    folder
}

const ASKED: &str = "What shares are a good investment?";

async fn house(upstream: &Upstream, folder: &TempDir, mode: Mode) -> House {
    let folder = folder.path().to_owned();
    House::with(upstream, |config| {
        config.guard.directory = Some(folder);
        config.cache.mode = mode;
    })
    .await
}

#[tokio::test]
async fn a_rule_by_example_refuses_what_means_the_same_whatever_the_cache_does() {
    let upstream = Upstream::plain().await;
    let folder = rule("block", ASKED);
    for mode in [Mode::Off, Mode::Exact, Mode::Semantic] {
        let house = house(&upstream, &folder, mode).await;
        let calls = upstream.calls();
        for _ in 0..2 {
            let answer = house.ask(&chat(ASKED)).await;
            assert_eq!((answer.status, answer.header("x-lockgate-rules")), (400, "investments=block"), "{mode:?}");
        }
        assert_eq!(upstream.calls(), calls, "{mode:?}: a refused request is not sent");
        assert_eq!(house.ask(&chat("How do I boil an egg?")).await.status, 200, "{mode:?}");
    }
}

#[tokio::test]
async fn a_rule_that_warns_looks_at_the_vector_that_the_cache_computes() {
    let upstream = Upstream::plain().await;
    let folder = rule("warn", ASKED);
    let semantic = house(&upstream, &folder, Mode::Semantic).await;
    assert_eq!(semantic.ask(&chat(ASKED)).await.header("x-lockgate-rules"), "investments=warn");
    // The words of this one are others, so its answer comes from the cache for its meaning, and it is judged all the same.
    let again = semantic.ask(&chat("Which shares are a good investment?")).await;
    assert_eq!(again.header("x-lockgate-rules"), "investments=warn");
    let exact = house(&upstream, &folder, Mode::Exact).await;
    assert_eq!(exact.ask(&chat(ASKED)).await.header("x-lockgate-rules"), "", "without a vector it says nothing");
}
