//! What holds for every store.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;

use super::*;
use crate::{
    cache::{
        entry::{About, Asked, Entry, Place},
        index::conformance::vector,
    },
    embed::{DIMENSIONS, TokenVectors},
    exchange::{Cost, Tenant},
    guard::Stored,
    wire::{Endpoint, response::Usage},
};

pub(super) const TTL: Duration = Duration::from_hours(1);

/// A record whose key is `n` throughout, made at the millisecond `n`. Its vector has a seed; 0 is none.
pub(in crate::cache) fn record(n: u8, seed: u64, engine: &str) -> Record {
    let body = Bytes::from(format!("{{\"answer\": {n}}}"));
    let asked = || {
        Asked::new(
            Place { partition: [seed.to_le_bytes()[0]; 32], id: 0 },
            format!("Question {n}?").into(),
            TokenVectors::from_bytes(&vec![n; 3 * (DIMENSIONS + 4)]).unwrap(),
        )
    };
    let entry = Entry {
        key: [n; 32],
        stored: Stored::from_store(body, [n; 16], &[("violent-threat", "warn")]).unwrap(),
        created: u64::from(n),
        ttl: TTL,
        about: About {
            tenant: Tenant([n; 16]),
            namespace: "n".into(),
            endpoint: Endpoint::ALL[usize::from(n) % 3],
            model: "m".into(),
        },
        cost: Cost { usage: Usage { prompt_tokens: u64::from(n), completion_tokens: 300 }, took: Duration::from_millis(7) },
        asked: (seed > 0).then(asked),
        hits: 0.into(),
    };
    Record { engine: engine.into(), entry: Arc::new(entry), vector: if seed > 0 { vector(seed) } else { Vec::new() } }
}

pub(super) fn put(store: &mut dyn Store, numbers: impl IntoIterator<Item = u8>) {
    let changes: Vec<Change> = numbers.into_iter().map(|n| Change::Put(record(n, 1, "rten-1"))).collect();
    store.write(&changes).unwrap();
}

pub(in crate::cache) const ROOMY: Settings = Settings { path: None, max_bytes: 1 << 30, max_entries: 1000 };

/// Which records there are, the most worth keeping first, read in pages of three.
pub(super) fn numbers(store: &mut dyn Store, engine: Option<&str>) -> Vec<u8> {
    let (mut numbers, mut after) = (Vec::new(), None);
    loop {
        let page = store.page(engine, after, 3).unwrap();
        assert!(page.records.len() <= 3 && page.damaged == 0);
        numbers.extend(page.records.iter().map(|record| record.entry.key[0]));
        after = page.next;
        if after.is_none() {
            return numbers;
        }
    }
}

pub(super) fn holds(open: impl Fn(&Settings) -> Box<dyn Store>) {
    gives_back_what_it_was_given(&mut *open(&ROOMY));
    keeps_the_order_of_changes(&mut *open(&ROOMY));
    parts_engines(&mut *open(&ROOMY));
    drops_what_has_expired(&mut *open(&ROOMY));
    remembers_differences(&mut *open(&ROOMY));
    keeps_the_last_labels_of_each_engine_and_scoring(&mut *open(&ROOMY));
    keeps_to_its_bounds_and_favours_what_is_used(&mut *open(&Settings { max_entries: 20, ..ROOMY }));
}

fn gives_back_what_it_was_given(store: &mut dyn Store) {
    let given = [record(3, 5, "rten-1"), record(2, 0, ""), record(1, 9, "rten-1")];
    store.write(&given.clone().map(Change::Put)).unwrap();
    let page = store.page(None, None, 10).unwrap();
    assert_eq!(format!("{:?}", page.records), format!("{given:?}"));
    assert_eq!((page.damaged, page.next), (0, None));
    assert_eq!(store.tidy(0).unwrap().entries, 3);
    assert!(store.tidy(0).unwrap().bytes > 0);
}

fn keeps_the_order_of_changes(store: &mut dyn Store) {
    let [old, new] = [record(1, 1, "rten-1"), Record { vector: vector(2), ..record(1, 1, "rten-1") }];
    store.write(&[Change::Put(old), Change::Put(new), Change::Put(record(2, 1, "")), Change::Remove([2; 32])]).unwrap();
    let page = store.page(None, None, 10).unwrap();
    assert_eq!((page.records.len(), &page.records[0].vector), (1, &vector(2)), "the last one put under a key stays");
    store.write(&[Change::Clear, Change::Put(record(4, 1, "")), Change::Remove([9; 32])]).unwrap();
    assert_eq!(numbers(store, None), [4]);
}

fn parts_engines(store: &mut dyn Store) {
    let records = [record(1, 1, "rten-1"), record(2, 1, "onnxruntime-2"), record(3, 1, "rten-1"), record(4, 0, "")];
    store.write(&records.map(Change::Put)).unwrap();
    assert_eq!(numbers(store, Some("rten-1")), [3, 1]);
    assert_eq!(numbers(store, Some("onnxruntime-2")), [2]);
    assert_eq!(numbers(store, None), [4, 3, 2, 1]);
    let mut engines = store.engines().unwrap();
    engines.sort();
    assert_eq!(engines, [(String::new(), 1), ("onnxruntime-2".to_owned(), 1), ("rten-1".to_owned(), 2)]);
}

fn drops_what_has_expired(store: &mut dyn Store) {
    put(store, 1..=10);
    let hour = u64::try_from(TTL.as_millis()).unwrap();
    assert_eq!(store.tidy(hour + 4).unwrap().entries, 6, "at the end of its time an entry is over");
    assert_eq!(numbers(store, None), [10, 9, 8, 7, 6, 5]);
}

fn remembers_differences(store: &mut dyn Store) {
    store.write(&[Change::Differ([2; 32]), Change::Differ([1; 32]), Change::Differ([2; 32]), Change::Clear]).unwrap();
    let mut pairs = store.differences().unwrap();
    pairs.sort_unstable();
    assert_eq!(pairs, [[1; 32], [2; 32]], "clearing the entries does not make different requests the same");
}

fn keeps_the_last_labels_of_each_engine_and_scoring(store: &mut dyn Store) {
    let label = |engine: &str, scoring, count| Change::Label {
        engine: engine.into(),
        scoring: [scoring; 32],
        labels: labels(count).into(),
    };
    store
        .write(&[label("rten-1", 1, 1), label("rten-1", 2, 2), label("rten-2", 1, 3), label("rten-1", 1, 4), Change::Clear])
        .unwrap();
    let mut kept = |engine, scoring| store.labels(engine, &[scoring; 32]).unwrap();
    assert_eq!(kept("rten-1", 1), Some(labels(4)), "clearing the entries does not make what was seen unseen");
    assert_eq!((kept("rten-1", 2), kept("rten-2", 1), kept("rten-2", 2)), (Some(labels(2)), Some(labels(3)), None));
}

/// So many, half of them wrong.
pub(super) fn labels(count: u16) -> Labels {
    let mut labels = Labels::default();
    for n in 0..count {
        labels.add(0.9, n % 2 == 0);
    }
    labels
}

fn keeps_to_its_bounds_and_favours_what_is_used(store: &mut dyn Store) {
    put(store, 1..=20);
    let used = |n: u8, hits, at| Change::Used { key: [n; 32], hits, at };
    store.write(&[used(1, 1, 200), used(2, 5, 100), used(250, 1, 1)]).unwrap();
    assert_eq!(numbers(store, None)[..3], [2, 1, 20], "hits count more than a moment");
    put(store, 21..=60);
    let kept = numbers(store, None);
    assert!(kept.len() <= 20 && kept.len() > 10, "{kept:?}");
    assert!(kept.starts_with(&[2, 1, 60, 59]), "what was used stays, then what is newest: {kept:?}");
    store.write(&[used(60, 1000, 300)]).unwrap();
    assert_eq!(numbers(store, None)[..2], [60, 2]);
}
