//! What is near and means something else is not answered; what is in other words and means the same is.

use lockgate::cache::{
    Mode,
    verify::{Check, Stance},
};

use crate::{House, Upstream, chat, patient};

/// Asks one thing, then another, in a namespace of their own; what became of the second, and why.
async fn after(house: &House, namespace: &str, first: &str, second: &str) -> (String, String) {
    let namespace = [("x-portkey-cache-namespace", namespace)];
    house.ask_with(&namespace, &chat(first)).await;
    let answer = house.ask_with(&namespace, &chat(second)).await;
    (answer.cache().to_owned(), answer.header("x-lockgate-check").to_owned())
}

#[tokio::test]
async fn a_near_question_of_another_meaning_is_not_answered_and_says_which_check_refused_it() {
    let upstream = Upstream::plain().await;
    let house = House::semantic(&upstream).await;
    let pairs = [
        ("How do I cancel my subscription?", "How do I not cancel my subscription?", "negation"),
        ("Can I order the chair with 4 legs?", "Can I order the chair with 6 legs?", "numbers"),
        ("Should I stretch before a run?", "Should I stretch after a run?", "opposites"),
        ("How do I move money from savings to checking?", "How do I move money from checking to savings?", "arguments"),
        ("What is the population of Norway?", "What is the population of Sweden?", "names"),
        ("Where was the treaty of Utrecht signed?", "When was the treaty of Utrecht signed?", "question"),
        ("Explain https://example.org/one", "Explain https://example.org/two", "literals"),
        ("If Ann and Bob met, would he greet her?", "If Ann and Bob met, would she greet him?", "people"),
    ];
    for (n, (first, second, check)) in pairs.into_iter().enumerate() {
        for (turn, (first, second)) in [(first, second), (second, first)].into_iter().enumerate() {
            let became = after(&house, &format!("{n}-{turn}"), first, second).await;
            assert_eq!(became, ("MISS".to_owned(), check.to_owned()), "{first} / {second}");
        }
    }
}

#[tokio::test]
async fn other_words_of_the_same_meaning_are_answered() {
    let upstream = Upstream::plain().await;
    let house = House::semantic(&upstream).await;
    let pairs = [
        ("How do I cancel my subscription?", "How can I cancel my subscription?"),
        ("Is Maria married to Petra?", "Is Petra married to Maria?"),
        ("What is 20% of 80?", "What's 20 percent of 80?"),
        ("What is the difference between tea and coffee?", "What is the difference between coffee and tea?"),
        ("Is that cat sleeping on the chair?", "Is that cat really sleeping on the chair?"),
    ];
    for (n, (first, second)) in pairs.into_iter().enumerate() {
        assert_eq!(after(&house, &n.to_string(), first, second).await.0, "SEMANTIC HIT", "{first} / {second}");
    }
}

#[tokio::test]
async fn a_farther_neighbour_may_answer_where_the_nearest_is_refused() {
    let upstream = Upstream::plain().await;
    let house = House::semantic(&upstream).await;
    house.ask(&chat("How do I open a bank account in Spain?")).await;
    let wanted = house.ask(&chat("How do I close a bank account in Spain?")).await;
    assert_eq!(wanted.cache(), "MISS");
    let again = house.ask(&chat("How can I close a bank account in Spain?")).await;
    assert_eq!((again.cache(), again.said()), ("SEMANTIC HIT", wanted.said()));
}

#[tokio::test]
async fn a_check_that_is_off_is_not_asked() {
    let upstream = Upstream::plain().await;
    let off = |config: &mut lockgate::config::Config| {
        config.cache.mode = Mode::Semantic;
        config.cache.stances = config.cache.stances.with(Check::Opposites, Stance::Off);
    };
    let house = House::with(&upstream, off).await;
    let became = after(&house, "n", "Should I stretch before a run?", "Should I stretch after a run?").await;
    assert_eq!(became.0, "SEMANTIC HIT", "who switches it off has been told");
}

#[tokio::test]
async fn in_the_shadow_nothing_is_served_for_its_meaning_and_all_is_compared() {
    let upstream = Upstream::saying("Paris.").await;
    let house = House::with(&upstream, |config| config.cache.mode = Mode::Shadow).await;
    for (question, cache) in [
        ("What is the capital of France?", "MISS"),
        ("What's the capital of France?", "MISS"),
        ("What is the capital of France?", "HIT"),
    ] {
        assert_eq!(house.ask(&chat(question)).await.cache(), cache);
    }
    assert_eq!(upstream.calls(), 2);
    // The metrics of a process are those of all its tests; the labels are this house's own.
    let is_compared = async || {
        let counted = house.look("/metrics").await.text().contains("lockgate_shadow_hits_total{outcome=\"same\"}");
        counted && house.look("/cache/stats").await.json()["calibration"]["same"] == 1
    };
    patient(async {
        while !is_compared().await {
            tokio::task::yield_now().await;
        }
    })
    .await;
}
