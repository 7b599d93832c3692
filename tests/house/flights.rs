//! Flights: requests that ask for the same at the same time are answered by one upstream call.

use std::thread;

use lockgate::guard::Override;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::{
    Answer, CHAT, House, Talk, Upstream, chat,
    client::{Client, Opened},
    said,
    shapes::{delta, stop, told},
    streamed,
};

/// Sockets of this process are on both ends of each.
const MANY: usize = 200;

/// Asks on a connection of its own, in a task of its own.
fn asks(mut client: Client, headers: &'static [(&str, &str)], body: Value) -> JoinHandle<Answer> {
    tokio::spawn(async move { client.post(CHAT).headers(headers).json(&body).send().await })
}

/// As many at once.
pub(crate) async fn all_ask(house: &House, count: usize, body: &Value) -> Vec<JoinHandle<Answer>> {
    let mut clients = Vec::new();
    for _ in 0..count {
        clients.push(house.client().await);
    }
    clients.into_iter().map(|client| asks(client, &[], body.clone())).collect()
}

pub(crate) async fn answers(asking: Vec<JoinHandle<Answer>>) -> Vec<Answer> {
    let mut answers = Vec::new();
    for asking in asking {
        answers.push(asking.await.unwrap());
    }
    answers
}

/// Lets every thread of the house take up what has been sent before.
pub(crate) async fn taken_up(house: &House) {
    for _ in 0..4 * thread::available_parallelism().map_or(1, usize::from) {
        house.client().await.get("/").send().await;
    }
}

/// Opens a stream and reads its first event, which shows that the house has taken it up.
async fn opened(client: &mut Client, body: &Value) -> Opened {
    let mut stream = client.post(CHAT).json(body).open().await;
    assert_eq!(stream.event().await, Some(delta("Hello ")));
    stream
}

/// Tells the first event at once and the rest on a cue.
async fn held(mut talk: Talk) -> Option<Talk> {
    talk.stream().await;
    talk.event(&delta("Hello ")).await;
    talk.cue().await;
    for event in &told("Hello there.")[1..] {
        talk.event(event).await;
    }
    talk.end().await;
    Some(talk)
}

/// An upstream that answers in the form it is asked for, on a cue.
async fn held_upstream() -> Upstream {
    Upstream::start(|asked, talk| async move {
        if asked.json()["stream"] == true {
            return held(talk).await;
        }
        talk.cue().await;
        talk.json(&said("Hello there.")).await
    })
    .await
}

fn follows(answer: &Answer) -> bool {
    answer.header("x-lockgate-flight") == "follower"
}

#[tokio::test]
async fn many_who_ask_for_the_same_at_once_make_one_upstream_call() {
    let upstream = held_upstream().await;
    let house = House::before(&upstream).await;
    let asking = all_ask(&house, MANY, &chat("Hi")).await;
    upstream.was_asked(1).await;
    taken_up(&house).await;
    upstream.cue();
    let answers = answers(asking).await;
    assert!(answers.iter().all(|answer| answer.said() == "Hello there."));
    assert!(answers.iter().all(|answer| answer.cache() == if follows(answer) { "MISS" } else { answer.cache() }));
    assert_eq!(upstream.calls(), 1);
    assert!(answers.iter().filter(|answer| follows(answer)).count() > MANY / 2);
    assert_eq!(answers.iter().filter(|answer| answer.cache() == "MISS" && !follows(answer)).count(), 1, "one leads");
}

#[tokio::test]
async fn followers_of_a_stream_have_what_has_arrived_at_once_and_the_rest_as_it_arrives() {
    let upstream = held_upstream().await;
    let house = House::before(&upstream).await;
    let mut clients = Vec::new();
    for _ in 0..50 {
        clients.push(house.client().await);
    }
    let mut streams = Vec::new();
    for client in &mut clients {
        streams.push(opened(client, &streamed("Hi")).await);
    }
    upstream.cue();
    for stream in &mut streams {
        for expected in &told("Hello there.")[1..] {
            assert_eq!(stream.event().await.as_ref(), Some(expected));
        }
        assert_eq!(stream.event().await, None);
    }
    assert_eq!(upstream.calls(), 1);
    let again = house.ask(&chat("Hi")).await;
    assert_eq!((again.cache(), again.said().as_str()), ("HIT", "Hello there."));
}

#[tokio::test]
async fn whoever_cannot_read_the_leaders_form_gets_the_answer_when_it_is_whole() {
    let mut with_usage = streamed("Hi");
    with_usage["stream_options"] = json!({ "include_usage": true });
    for leader in [chat("Hi"), streamed("Hi"), with_usage.clone()] {
        let upstream = held_upstream().await;
        let house = House::before(&upstream).await;
        let mut asking = all_ask(&house, 1, &leader).await;
        upstream.was_asked(1).await;
        for body in [chat("Hi"), streamed("Hi"), with_usage.clone()] {
            asking.extend(all_ask(&house, 1, &body).await);
        }
        taken_up(&house).await;
        upstream.cue();
        let answers = answers(asking).await;
        let usage = |answer: &Answer| answer.events().iter().any(|event| event.contains(r#""choices":[],"#));
        assert_eq!(answers[1].said(), "Hello there.");
        assert_eq!((answers[2].told().as_str(), usage(&answers[2])), ("Hello there.", false), "{leader}");
        assert_eq!(answers[3].told(), "Hello there.");
        assert_eq!(usage(&answers[3]), leader != with_usage, "what is told again has a usage; this upstream told none");
        assert_eq!(upstream.calls(), 1);
    }
}

#[tokio::test]
async fn a_follower_has_its_own_trace_and_not_the_leaders_cookies() {
    let upstream = Upstream::start(|_, talk| async move {
        talk.cue().await;
        let headers = [("content-type", "application/json"), ("set-cookie", "a=b"), ("x-request-id", "r-1")];
        talk.whole(200, &headers, said("Hi.").to_string()).await
    })
    .await;
    let house = House::before(&upstream).await;
    let leader = asks(house.client().await, &[("x-portkey-trace-id", "one")], chat("Hi"));
    upstream.was_asked(1).await;
    let follower = asks(house.client().await, &[("x-portkey-trace-id", "two")], chat("Hi"));
    taken_up(&house).await;
    upstream.cue();
    let (leader, follower) = (leader.await.unwrap(), follower.await.unwrap());
    for (answer, follows, trace, cookie) in [(leader, "", "one", "a=b"), (follower, "follower", "two", "")] {
        assert_eq!((answer.header("x-lockgate-flight"), answer.header("x-portkey-trace-id")), (follows, trace));
        assert_eq!((answer.header("set-cookie"), answer.header("x-request-id")), (cookie, "r-1"));
    }
}

#[tokio::test]
async fn a_leader_that_leaves_does_not_take_its_followers_with_it() {
    for body in [chat("Hi"), streamed("Hi")] {
        let upstream = held_upstream().await;
        let house = House::before(&upstream).await;
        let leader = all_ask(&house, 1, &body).await;
        upstream.was_asked(1).await;
        let follower = all_ask(&house, 1, &body).await;
        taken_up(&house).await;
        for leader in leader {
            leader.abort();
            leader.await.unwrap_err();
        }
        taken_up(&house).await;
        upstream.cue();
        let answers = answers(follower).await;
        assert!(answers[0].text().contains("there.") && follows(&answers[0]), "{}", answers[0].text());
        assert_eq!(house.ask(&chat("Hi")).await.cache(), "HIT");
        assert_eq!(upstream.calls(), 1);
    }
}

#[tokio::test]
async fn when_the_last_one_leaves_the_upstreams_work_is_cancelled() {
    let upstream = Upstream::start(|_, mut talk| async move {
        talk.stream().await;
        talk.event(&delta("Hello ")).await;
        talk.gone().await;
        talk.tell("gone");
        None
    })
    .await;
    let house = House::before(&upstream).await;
    let (mut one, mut two) = (house.client().await, house.client().await);
    let (first, second) = (opened(&mut one, &streamed("Hi")).await, opened(&mut two, &streamed("Hi")).await);
    drop((first, second, one, two));
    upstream.told("gone").await;
    assert_eq!(upstream.calls(), 1);
}

/// Fails the first `times` calls in this way, on a cue.
async fn failing(times: usize, how: &'static str) -> Upstream {
    Upstream::start(move |asked, talk| async move {
        if asked.number > times {
            return talk.answer(&asked, "At last.").await;
        }
        talk.cue().await;
        match how.parse() {
            Ok(status) => talk.whole(status, &[("content-type", "application/json"), ("retry-after", "7")], "{}").await,
            Err(_) => talk.reset(),
        }
    })
    .await
}

#[tokio::test]
async fn a_leader_that_fails_frees_its_followers_and_one_of_them_leads() {
    for how in ["500", "429", "reset"] {
        let upstream = failing(1, how).await;
        let house = House::before(&upstream).await;
        let asking = all_ask(&house, 20, &chat("Hi")).await;
        upstream.was_asked(1).await;
        taken_up(&house).await;
        upstream.cue();
        let answers = answers(asking).await;
        let failed: Vec<_> = answers.iter().filter(|answer| answer.status != 200).collect();
        assert_eq!((failed.len(), upstream.calls()), (1, 2), "{how}");
        assert!(!follows(failed[0]));
    }
}

#[tokio::test]
async fn an_upstream_that_goes_on_failing_is_asked_twice_and_not_by_all() {
    for (how, status) in [("429", 429), ("reset", 502)] {
        let upstream = failing(usize::MAX, how).await;
        let house = House::before(&upstream).await;
        let asking = all_ask(&house, 20, &chat("Hi")).await;
        upstream.was_asked(1).await;
        taken_up(&house).await;
        upstream.cue();
        upstream.was_asked(2).await;
        taken_up(&house).await;
        upstream.cue();
        for answer in answers(asking).await {
            assert_eq!(answer.status, status, "{}", answer.text());
            assert!(status != 429 || answer.header("retry-after") == "7");
        }
        assert_eq!(upstream.calls(), 2);
    }
}

#[tokio::test]
async fn what_differs_does_not_fly_together() {
    let upstream = held_upstream().await;
    let house = House::before(&upstream).await;
    let mut other_model = chat("Hi");
    other_model["model"] = json!("gpt-other");
    let cases: [(&'static [(&str, &str)], Value); 9] = [
        (&[], chat("Hi")),
        (&[], chat("Hi!")),
        (&[], other_model),
        (&[("authorization", "Bearer sk-somebody-else")], chat("Hi")),
        (&[("x-portkey-cache-namespace", "n")], chat("Hi")),
        (&[("x-lockgate-threshold", "0.99")], chat("Hi")),
        (&[("cache-control", "max-age=5")], chat("Hi")),
        (&[("cache-control", "no-cache")], chat("Hi")),
        (&[("cache-control", "no-store")], chat("Hi")),
    ];
    let mut asking = Vec::new();
    for (n, (headers, body)) in cases.into_iter().enumerate() {
        asking.push(asks(house.client().await, headers, body));
        upstream.was_asked(n + 1).await;
    }
    for _ in &asking {
        upstream.cue();
    }
    for answer in answers(asking).await {
        assert_eq!((answer.said().as_str(), follows(&answer)), ("Hello there.", false));
    }
}

#[tokio::test]
async fn who_wants_a_fresh_answer_or_none_kept_flies_alone() {
    for header in [("cache-control", "no-cache"), ("cache-control", "no-store")] {
        let upstream = held_upstream().await;
        let house = House::before(&upstream).await;
        for n in 1..=2 {
            let mut client = house.client().await;
            tokio::spawn(async move { client.post(CHAT).headers(&[header]).json(&chat("Hi")).send().await });
            upstream.was_asked(n).await;
        }
    }
}

/// Less than a reader may fall behind.
const BURST: usize = 2 << 20;

/// More of these than all buffers between the two ends hold.
const BURSTS: usize = 16;

/// What ends a burst.
const PAUSE: &str = "Wait for it.";

/// Bursts of large events, each followed by a wait for the test.
async fn bursts(mut talk: Talk, count: usize) -> Option<Talk> {
    talk.stream().await;
    talk.event(&delta("Hello ")).await;
    let event = delta(&"x".repeat(60_000));
    for _ in 0..count {
        for _ in 0..BURST / event.len() {
            talk.event(&event).await;
        }
        talk.event(&delta(PAUSE)).await;
        talk.cue().await;
    }
    for event in [stop("stop"), "[DONE]".to_owned()] {
        talk.event(&event).await;
    }
    talk.end().await;
    Some(talk)
}

/// Reads to the end of a burst.
async fn burst(stream: &mut Opened) -> usize {
    let mut bytes = 0;
    while let Some(event) = stream.event().await.filter(|event| *event != delta(PAUSE)) {
        bytes += event.len();
    }
    bytes
}

async fn last(mut stream: Opened) -> (usize, Option<String>) {
    let (mut bytes, mut last) = (0, None);
    while let Some(event) = stream.event().await {
        bytes += event.len();
        last = Some(event);
    }
    (bytes, last)
}

#[tokio::test]
async fn one_who_does_not_read_stalls_nobody_and_is_cut_off_with_an_error() {
    let upstream = Upstream::start(|_, talk| bursts(talk, BURSTS)).await;
    let house = House::before(&upstream).await;
    for slow_first in [true, false] {
        let question = streamed(&format!("Slow first: {slow_first}"));
        let (mut one, mut two) = (house.client().await, house.client().await);
        let (first, second) = (opened(&mut one, &question).await, opened(&mut two, &question).await);
        let (slow, mut fast) = if slow_first { (first, second) } else { (second, first) };
        for _ in 0..BURSTS {
            assert!(burst(&mut fast).await > BURST - 100_000);
            upstream.cue();
        }
        assert_eq!(last(fast).await.1.as_deref(), Some("[DONE]"));
        let (bytes, end) = last(slow).await;
        assert!(bytes < BURST * BURSTS && end.as_ref().is_some_and(|event| event.contains("slow_reader")), "{bytes}, {end:?}");
    }
}

#[tokio::test]
async fn a_stream_that_has_grown_too_long_is_joined_by_nobody_and_told_to_all_who_had_joined() {
    let upstream = Upstream::start(|_, talk| bursts(talk, 1)).await;
    let house = House::before(&upstream).await;
    let (mut one, mut two, mut three) = (house.client().await, house.client().await, house.client().await);
    let (mut first, mut second) = (opened(&mut one, &streamed("Hi")).await, opened(&mut two, &streamed("Hi")).await);
    let bytes = burst(&mut first).await;
    let mut third = opened(&mut three, &streamed("Hi")).await;
    assert_eq!(upstream.calls(), 2);
    assert_eq!((burst(&mut second).await, burst(&mut third).await), (bytes, bytes));
    upstream.cue();
    upstream.cue();
    for stream in [first, second, third] {
        assert_eq!(last(stream).await.1.as_deref(), Some("[DONE]"));
    }
}

#[tokio::test]
async fn a_block_is_everybodys() {
    for body in [chat("Hi"), streamed("Hi")] {
        let upstream = Upstream::start(|asked, talk| async move {
            talk.cue().await;
            talk.answer(&asked, "KYS, friend").await
        })
        .await;
        let house = House::with(&upstream, |config| {
            config.guard.overrides.insert("violent-threat".to_owned(), Override::Block);
        })
        .await;
        let asking = all_ask(&house, 20, &body).await;
        upstream.was_asked(1).await;
        taken_up(&house).await;
        upstream.cue();
        for answer in answers(asking).await {
            assert_eq!((answer.status, answer.header("x-lockgate-rules")), (400, "violent-threat=block"));
        }
        assert_eq!(upstream.calls(), 1);
    }
}

#[tokio::test]
async fn nothing_is_kept_of_a_shared_stream_that_broke_off_and_who_was_told_nothing_is_freed() {
    let upstream = Upstream::start(|asked, mut talk| async move {
        if asked.number > 1 {
            return talk.answer(&asked, "Anew.").await;
        }
        talk.stream().await;
        talk.event(&delta("Hello ")).await;
        talk.cue().await;
        None
    })
    .await;
    let house = House::before(&upstream).await;
    let (mut one, mut two) = (house.client().await, house.client().await);
    let streams = [opened(&mut one, &streamed("Hi")).await, opened(&mut two, &streamed("Hi")).await];
    let whole = all_ask(&house, 1, &chat("Hi")).await;
    taken_up(&house).await;
    upstream.cue();
    for stream in streams {
        let (_, end) = last(stream).await;
        assert!(end.as_ref().is_some_and(|event| event.contains("upstream_reset")), "{end:?}");
    }
    let answers = answers(whole).await;
    assert_eq!((answers[0].said().as_str(), answers[0].cache()), ("Anew.", "MISS"));
    assert_eq!(upstream.calls(), 2);
}

#[tokio::test]
async fn who_was_answered_by_anothers_call_saved_its_tokens_and_no_time() {
    for (question, tokens) in [(chat("Hi"), [2, 4]), (streamed("Hi"), [0, 0])] {
        let upstream = held_upstream().await;
        let house = House::before(&upstream).await;
        let asking = all_ask(&house, 3, &question).await;
        upstream.was_asked(1).await;
        taken_up(&house).await;
        upstream.cue();
        answers(asking).await;
        let saved = house.look("/cache/stats").await.json()["saved"].clone();
        assert_eq!(
            (&saved["followers"], &saved["hits"], &saved["seconds"]),
            (&Value::from(2), &Value::from(0), &Value::from(0.0))
        );
        assert_eq!(
            [&saved["prompt_tokens"], &saved["completion_tokens"]].map(|tokens| tokens.as_u64().unwrap()),
            tokens,
            "{question}"
        );
    }
}
