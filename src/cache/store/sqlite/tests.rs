//! What holds for a file beyond what holds for every store: whose it is, what it survives, and what it is refused for.

use std::{fs, os::unix::fs::PermissionsExt as _};

use proptest::prelude::*;
use tempfile::TempDir;

use super::{
    super::conformance::{ROOMY, holds, labels, numbers, put, record},
    *,
};

const SECRET: Secret = [5; 32];

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn open_in(folder: &TempDir, settings: &Settings) -> Result<Sqlite, StoreError> {
    Sqlite::open(&folder.path().join("cache.db"), settings, SECRET)
}

fn opened(folder: &TempDir) -> Sqlite {
    open_in(folder, &ROOMY).unwrap()
}

fn refused(folder: &TempDir) -> StoreError {
    open_in(folder, &ROOMY).unwrap_err()
}

/// The file with another hand, as an operator has it.
fn tampered(folder: &TempDir, sql: &str) {
    Connection::open(folder.path().join("cache.db")).unwrap().execute_batch(sql).unwrap();
}

#[test]
fn conforms() {
    let folders = std::cell::RefCell::new(Vec::new());
    holds(|settings| {
        let folder = folder();
        let store = open_in(&folder, settings).unwrap();
        folders.borrow_mut().push(folder);
        Box::new(store)
    });
}

#[test]
fn keeps_entries_pairs_and_secret_for_the_next_start() {
    let folder = folder();
    let mut store = opened(&folder);
    put(&mut store, 1..=5);
    store.write(&[Change::Differ([9; 32])]).unwrap();
    drop(store);
    let mut store = Sqlite::open(&folder.path().join("cache.db"), &ROOMY, [6; 32]).unwrap();
    assert_eq!(numbers(&mut store, None), [5, 4, 3, 2, 1]);
    assert_eq!(store.differences().unwrap(), [[9; 32]]);
    assert_eq!(store.secret(), SECRET, "tenants are hashed as before");
}

#[test]
fn a_file_from_before_labels_were_kept_keeps_them_from_now_on() {
    let folder = folder();
    put(&mut opened(&folder), 1..=2);
    tampered(&folder, "DROP TABLE labels");
    let mut store = opened(&folder);
    assert_eq!((numbers(&mut store, None), store.labels("rten-1", &[1; 32]).unwrap()), (vec![2, 1], None));
    store.write(&[Change::Label { engine: "rten-1".into(), scoring: [1; 32], labels: labels(9).into() }]).unwrap();
    drop(store);
    assert_eq!(opened(&folder).labels("rten-1", &[1; 32]).unwrap(), Some(labels(9)));
}

#[test]
fn labels_that_we_did_not_write_are_none() {
    let folder = folder();
    opened(&folder).write(&[Change::Label { engine: "rten-1".into(), scoring: [1; 32], labels: labels(9).into() }]).unwrap();
    tampered(&folder, "UPDATE labels SET labels = zeroblob(76)");
    assert_eq!(opened(&folder).labels("rten-1", &[1; 32]).unwrap(), None);
}

#[test]
fn nobody_else_can_read_it() {
    let folder = folder();
    let path = folder.path().join("new/folder/cache.db");
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let mut store = Sqlite::open(&path, &ROOMY, SECRET).unwrap();
    put(&mut store, 1..=3);
    for file in fs::read_dir(path.parent().unwrap()).unwrap() {
        assert_eq!(mode(&file.unwrap().path()), 0o600);
    }
    assert_eq!(mode(path.parent().unwrap()), 0o700);
    drop(store);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    Sqlite::open(&path, &ROOMY, SECRET).unwrap();
    assert_eq!(mode(&path), 0o600, "what was open to others is closed");
}

#[test]
fn one_file_is_one_process_alone() {
    let folder = folder();
    let store = opened(&folder);
    assert_eq!(refused(&folder), StoreError::InUse);
    drop(store);
    opened(&folder);
}

#[test]
fn what_is_no_store_of_ours_is_refused_and_left_alone() {
    let bytes = |folder: &TempDir| fs::read(folder.path().join("cache.db")).unwrap();
    for text in [&b"not a database, but a letter to my mother, and a long one"[..], &[0; 5000]] {
        let folder = folder();
        fs::write(folder.path().join("cache.db"), text).unwrap();
        assert!(matches!(refused(&folder), StoreError::Corrupt(_)));
        assert_eq!(bytes(&folder), text);
    }
    let songs = folder();
    tampered(&songs, "CREATE TABLE songs (title TEXT)");
    let newer = folder();
    opened(&newer).close().unwrap();
    tampered(&newer, "PRAGMA user_version = 2");
    for (folder, whose) in [(songs, "another program"), (newer, "another version")] {
        let before = bytes(&folder);
        assert!(matches!(refused(&folder), StoreError::Foreign(reason) if reason.contains(whose)));
        assert_eq!(bytes(&folder), before);
    }
}

#[test]
fn a_folder_in_the_files_place_and_a_file_in_the_folders_place_are_refused() {
    let folder = folder();
    fs::create_dir(folder.path().join("cache.db")).unwrap();
    assert!(matches!(refused(&folder), StoreError::Io(reason) if reason.contains("directory")));
    fs::write(folder.path().join("file"), "").unwrap();
    assert!(matches!(Sqlite::open(&folder.path().join("file/cache.db"), &ROOMY, SECRET), Err(StoreError::Io(_))));
}

#[test]
fn a_full_disk_is_told_as_such_and_leaves_whole_entries() {
    let folder = folder();
    let mut store = opened(&folder);
    store.connection.pragma_update(None, "max_page_count", 40).unwrap();
    let mut written = 0;
    let error = loop {
        match store.write(&[Change::Put(record(written + 1, 1, "rten-1"))]) {
            Ok(()) => written += 1,
            Err(error) => break error,
        }
    };
    assert_eq!(error, StoreError::Full);
    drop(store);
    let mut store = opened(&folder);
    assert_eq!(numbers(&mut store, None), (1..=written).rev().collect::<Vec<u8>>());
}

#[test]
fn the_file_stays_within_its_bytes_however_much_is_written() {
    let folder = folder();
    let settings = Settings { max_bytes: 1 << 20, ..ROOMY };
    let mut store = open_in(&folder, &settings).unwrap();
    for _ in 0..6 {
        put(&mut store, 1..=u8::MAX);
    }
    assert!(store.bytes().unwrap() <= 1 << 20);
    let kept = numbers(&mut store, None);
    assert!(kept.len() > 100 && kept.contains(&u8::MAX) && !kept.contains(&1), "{}", kept.len());
    store.write(&[Change::Clear]).unwrap();
    while store.free_pages().unwrap() > store.number("page_count").unwrap() / 8 {
        store.tidy(0).unwrap();
    }
    store.close().unwrap();
    drop(store);
    let length = |name: &str| fs::metadata(folder.path().join(name)).map_or(0, |data| data.len());
    assert!(length("cache.db") < 100_000 && length("cache.db-wal") == 0, "{} {}", length("cache.db"), length("cache.db-wal"));
}

#[test]
fn what_was_dropped_is_gone_from_the_file() {
    let folder = folder();
    let mut store = opened(&folder);
    put(&mut store, [77]);
    store.close().unwrap();
    let holds = || {
        let bytes = fs::read(folder.path().join("cache.db")).unwrap();
        bytes.windows(12).any(|window| window == b"Question 77?")
    };
    assert!(holds());
    store.write(&[Change::Remove([77; 32])]).unwrap();
    store.close().unwrap();
    assert!(!holds());
}

#[test]
fn rows_that_we_did_not_write_are_dropped_one_by_one() {
    let folder = folder();
    put(&mut opened(&folder), 1..=9);
    tampered(
        &folder,
        "UPDATE entries SET entry = x'00' WHERE rank = 1;
         UPDATE entries SET entry = zeroblob(100) WHERE rank = 2;
         UPDATE entries SET engine = 'rten-2' WHERE rank = 3;
         UPDATE entries SET key = x'0102' WHERE rank = 4;
         UPDATE entries SET entry = (SELECT entry FROM entries WHERE rank = 9) WHERE rank = 5;",
    );
    let mut store = opened(&folder);
    let page = store.page(None, None, 100).unwrap();
    let kept: Vec<u8> = page.records.iter().map(|record| record.entry.key[0]).collect();
    assert_eq!((kept, page.damaged), (vec![9, 8, 7, 6], 5), "an answer under another's key is no answer");
    assert_eq!(store.page(None, None, 100).unwrap().damaged, 0);
    assert_eq!(store.size().unwrap().entries, 4);
}

/// Uses a store as a process does, until it ends or fails.
fn lived(store: &mut Sqlite) -> Result<Vec<Record>, StoreError> {
    let mut records = Vec::new();
    store.engines()?;
    store.differences()?;
    store.tidy(10)?;
    let mut after = None;
    loop {
        let page = store.page(None, after, 4)?;
        records.extend(page.records);
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    store.write(&[
        Change::Put(record(200, 1, "rten-1")),
        Change::Used { key: [3; 32], hits: 1, at: 9 },
        Change::Remove([2; 32]),
    ])?;
    store.close()?;
    Ok(records)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn whatever_bytes_of_the_file_change_nothing_but_what_was_written_comes_back(
        flips in prop::collection::vec((any::<prop::sample::Index>(), 1..=255_u8), 1..40),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        static WHOLE: std::sync::OnceLock<Vec<u8>> = std::sync::OnceLock::new();
        let whole = WHOLE.get_or_init(|| {
            let folder = folder();
            let mut store = opened(&folder);
            put(&mut store, 1..=12);
            store.close().unwrap();
            fs::read(folder.path().join("cache.db")).unwrap()
        });
        let mut bytes = whole.clone();
        for (at, flip) in flips {
            let at = at.index(bytes.len());
            bytes[at] ^= flip;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(whole.len()));
        }
        let folder = folder();
        fs::write(folder.path().join("cache.db"), bytes).unwrap();
        if let Ok(records) = open_in(&folder, &ROOMY).and_then(|mut store| lived(&mut store)) {
            for read in records {
                let n = read.entry.key[0];
                prop_assert_eq!(format!("{read:?}"), format!("{:?}", record(n, 1, "rten-1")));
            }
        }
    }
}
