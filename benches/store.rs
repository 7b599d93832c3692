//! What keeping entries on disk costs: writing a full batch, and bringing 10,000 entries back after a start.
//!
//! `cargo bench --bench store`. The entries are those of the semantic tier, with a vector for the text and one for each of twelve tokens, and an answer of
//! a kilobyte. Both run on threads that no request waits for.

#![expect(clippy::unwrap_used, reason = "a bench fails by panicking")]

use std::{hint::black_box, path::Path, sync::Arc, time::Duration};

use bytes::Bytes;
use criterion::{BatchSize, Criterion, Throughput};
use lockgate::{
    cache::{
        About, Asked, Cache, Cost, Entry, Mode, Place, Settings,
        store::{self, Change, Record, Sqlite, Store as _, Writer},
    },
    clock,
    embed::{DIMENSIONS, TokenVectors},
    exchange::Tenant,
    guard::Stored,
    wire::Endpoint,
};
use tokio::runtime::Builder;

const ENTRIES: usize = 10_000;
const BATCH: usize = 1024;
const TOKENS: usize = 12;
const ENGINE: &str = "bench-0";

fn main() {
    let mut criterion = Criterion::default().configure_from_args().sample_size(20);
    write(&mut criterion);
    restore(&mut criterion);
    criterion.final_summary();
}

fn write(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().unwrap();
    let mut store = open(folder.path());
    let mut next = 0;
    let mut batch = || {
        next += BATCH;
        (next - BATCH..next).map(|n| Change::Put(record(n))).collect::<Vec<_>>()
    };
    let mut group = criterion.benchmark_group("store");
    group.throughput(Throughput::Elements(BATCH as u64));
    group.bench_function("write a batch", |bencher| {
        bencher.iter_batched(&mut batch, |batch| store.write(&batch).unwrap(), BatchSize::LargeInput);
    });
    group.finish();
}

fn restore(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().unwrap();
    let changes: Vec<Change> = (0..ENTRIES).map(|n| Change::Put(record(n))).collect();
    open(folder.path()).write(&changes).unwrap();
    let runtime = Builder::new_current_thread().build().unwrap();
    let settings = Settings {
        mode: Mode::Semantic,
        threshold: 0.97,
        max_error: None,
        stances: lockgate::cache::verify::Stances::default(),
        ttl: Duration::from_hours(24),
        max_bytes: 1 << 30,
        max_entries: 1 << 20,
        max_entry_bytes: 1 << 20,
    };
    let mut group = criterion.benchmark_group("store");
    group.throughput(Throughput::Elements(ENTRIES as u64));
    group.bench_function("bring entries back", |bencher| {
        bencher.iter_with_large_drop(|| {
            let writer = Writer::start(Box::new(open(folder.path())), ENGINE.into()).unwrap();
            let cache = Cache::new(&settings, None).kept_in(Some(writer));
            runtime.block_on(async {
                cache.restore().await;
                // The next round opens the file again.
                cache.close().await;
            });
            assert_eq!(cache.size().entries, ENTRIES as u64);
            black_box(cache)
        });
    });
    group.finish();
}

fn open(folder: &Path) -> Sqlite {
    let settings = store::Settings { path: None, max_bytes: 8 << 30, max_entries: 1 << 30 };
    Sqlite::open(&folder.join("cache.db"), &settings, [0; 32]).unwrap()
}

fn record(n: usize) -> Record {
    let seed = blake3::hash(&n.to_le_bytes());
    let bytes = |count| {
        let mut bytes = vec![0; count];
        blake3::Hasher::new_keyed(seed.as_bytes()).finalize_xof().fill(&mut bytes);
        bytes
    };
    let entry = Entry {
        key: *seed.as_bytes(),
        stored: Stored::from_store(Bytes::from(bytes(1000)), [0; 16], &[]).unwrap(),
        created: clock::unix_millis(),
        ttl: Duration::from_hours(24),
        about: About { tenant: Tenant([0; 16]), namespace: "".into(), endpoint: Endpoint::Chat, model: "m".into() },
        cost: Cost::default(),
        asked: Some(Asked::new(
            Place { partition: [0; 32], id: 0 },
            format!("How do I renew the passport of customer {n}?").into(),
            TokenVectors::from_bytes(&bytes(TOKENS * (DIMENSIONS + 4))).unwrap(),
        )),
        hits: 0.into(),
    };
    let vector = bytes(DIMENSIONS).into_iter().map(|byte| f32::from(byte) / 256.0).collect();
    Record { engine: ENGINE.into(), entry: Arc::new(entry), vector }
}
