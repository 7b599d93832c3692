//! Entries in a file of SQLite.
//!
//! The file is this process' alone while it runs, and private to its user: it holds prompts and answers in clear. A write is one transaction in a
//! write-ahead log, so that whatever ends the process leaves whole entries behind.

use std::{path::Path, time::Duration};

use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension as _, Row, Statement, params};

use super::{
    Change, HIT_MS, MAX_HITS, Page, Pair, Position, Record, Secret, Settings, Size, Store, StoreError, rank,
    record::{labels_from_bytes, labels_to_bytes},
};
use crate::cache::verify::{Labels, ScoringId};

mod file;

/// Marks the file as ours: `Lock` in ASCII.
const APPLICATION: i64 = 0x4c6f_636b;
/// The version of [`SCHEMA`] and of the bytes of a record.
const VERSION: i64 = 1;

/// The index holds all that counting, paging and dropping ask for, so that they do not read the entries themselves.
const SCHEMA: &str = "
    CREATE TABLE entries (
        key BLOB NOT NULL PRIMARY KEY,
        engine TEXT NOT NULL,
        expires INTEGER NOT NULL,
        hits INTEGER NOT NULL,
        rank INTEGER NOT NULL,
        entry BLOB NOT NULL
    ) STRICT;
    CREATE INDEX entries_by_rank ON entries (rank, key, engine);
    CREATE INDEX entries_by_expiry ON entries (expires);
    CREATE TABLE differences (pair BLOB NOT NULL PRIMARY KEY) STRICT, WITHOUT ROWID;
    CREATE TABLE secret (value BLOB NOT NULL) STRICT;
";

/// Came after [`SCHEMA`]. A version that does not know it passes it over, so it is no version of its own, and files from before get it when they are opened.
const LABELS: &str = "
    CREATE TABLE IF NOT EXISTS labels (
        engine TEXT NOT NULL,
        scoring BLOB NOT NULL,
        labels BLOB NOT NULL,
        PRIMARY KEY (engine, scoring)
    ) STRICT, WITHOUT ROWID;
";

/// Another Lockgate that stops gives the file free within this time, or not at all.
const PATIENCE: Duration = Duration::from_millis(500);
/// What the write-ahead log is cut down to.
const MAX_LOG_BYTES: u64 = 16 << 20;
/// Pages given back to the file system at once: more would hold up writes.
const PAGES_GIVEN_BACK: u64 = 1024;
/// Over a bound, this share of the entries goes at once, so that the next write has room.
const SHARE_DROPPED: u64 = 16;
/// Entries dropped in one transaction at most: what they leave is overwritten, and all of that waits in the log until then.
const MAX_DROPPED: u64 = 4096;

/// A store in a file.
#[derive(Debug)]
pub struct Sqlite {
    connection: Connection,
    place: String,
    secret: Secret,
    max_bytes: u64,
    max_entries: u64,
    /// How many there are at most: an entry that takes another's place is counted twice until somebody looks.
    entries: u64,
}

impl Sqlite {
    /// Opens a file, or makes one that only this user can read. A new store keeps `secret`.
    pub fn open(path: &Path, settings: &Settings, secret: Secret) -> Result<Self, StoreError> {
        file::prepare(path)?;
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(PATIENCE)?;
        connection.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
        let is_new = is_new(&connection)?;
        configure(&connection)?;
        if is_new {
            create(&connection, &secret)?;
        }
        connection.execute_batch(LABELS)?;
        let secret = connection.query_row("SELECT value FROM secret", [], |row| row.get(0))?;
        let mut store = Self {
            connection,
            place: path.display().to_string(),
            secret,
            max_bytes: settings.max_bytes,
            max_entries: settings.max_entries,
            entries: 0,
        };
        store.entries = store.size()?.entries;
        Ok(store)
    }

    fn size(&self) -> Result<Size, StoreError> {
        let entries = self.connection.prepare_cached("SELECT count(*) FROM entries")?.query_row([], |row| row.get(0))?;
        Ok(Size { entries, bytes: self.bytes()? })
    }

    /// Bytes in use: those of deleted entries are used again.
    fn bytes(&self) -> Result<u64, StoreError> {
        Ok(self.number("page_count")?.saturating_sub(self.free_pages()?).saturating_mul(self.number("page_size")?))
    }

    fn free_pages(&self) -> Result<u64, StoreError> {
        self.number("freelist_count")
    }

    fn number(&self, pragma: &str) -> Result<u64, StoreError> {
        Ok(self.connection.pragma_query_value(None, pragma, |row| row.get(0))?)
    }

    /// Drops what ranks lowest until nothing is over a bound.
    fn shrink(&mut self) -> Result<(), StoreError> {
        while self.entries > self.max_entries || self.bytes()? > self.max_bytes {
            self.entries = self.size()?.entries;
            let surplus = self.entries.saturating_sub(self.max_entries);
            if surplus == 0 && self.bytes()? <= self.max_bytes {
                break;
            }
            let share = self.entries.div_ceil(SHARE_DROPPED);
            let lowest = "DELETE FROM entries WHERE rowid IN (SELECT rowid FROM entries ORDER BY rank, key LIMIT ?1)";
            let dropped = self.connection.prepare_cached(lowest)?.execute([surplus.max(share).min(MAX_DROPPED)])?;
            if dropped == 0 {
                break;
            }
            self.entries -= dropped as u64;
        }
        Ok(())
    }

    /// Gives free pages back once they are an eighth of the file.
    fn give_back(&self) -> Result<(), StoreError> {
        if self.free_pages()? > self.number("page_count")? / 8 {
            self.connection.pragma(None, "incremental_vacuum", PAGES_GIVEN_BACK, |_| Ok(()))?;
        }
        Ok(())
    }
}

impl Store for Sqlite {
    fn place(&self) -> String {
        self.place.clone()
    }

    fn secret(&self) -> Secret {
        self.secret
    }

    fn write(&mut self, changes: &[Change]) -> Result<(), StoreError> {
        let transaction = self.connection.transaction()?;
        let mut put = 0;
        for change in changes {
            match change {
                Change::Put(record) => put += insert(&transaction, record)?,
                Change::Used { key, hits, at } => {
                    let used = "UPDATE entries SET hits = min(hits + ?2, ?3), rank = ?4 + ?5 * min(hits + ?2, ?3) WHERE key = ?1";
                    transaction.prepare_cached(used)?.execute(params![key, hits, MAX_HITS, rank(*at, 0), HIT_MS])?;
                }
                Change::Remove(key) => {
                    transaction.prepare_cached("DELETE FROM entries WHERE key = ?1")?.execute([key])?;
                }
                Change::Clear => {
                    transaction.prepare_cached("DELETE FROM entries")?.execute([])?;
                }
                Change::Differ(pair) => {
                    transaction.prepare_cached("INSERT OR IGNORE INTO differences VALUES (?1)")?.execute([pair])?;
                }
                Change::Label { engine, scoring, labels } => {
                    if let Some(bytes) = labels_to_bytes(engine, scoring, labels) {
                        let keep = "INSERT OR REPLACE INTO labels VALUES (?1, ?2, ?3)";
                        transaction.prepare_cached(keep)?.execute(params![engine, scoring, bytes])?;
                    }
                }
            }
        }
        transaction.commit()?;
        self.entries += put;
        self.shrink()
    }

    fn page(&mut self, engine: Option<&str>, after: Option<Position>, most: usize) -> Result<Page, StoreError> {
        let after = after.unwrap_or(Position { rank: i64::MAX, key: [u8::MAX; 32] });
        let mut read = Reading { records: Vec::new(), damaged: Vec::new(), last: after };
        let mut statement = self.connection.prepare_cached(
            "SELECT rowid, rank, key, engine, entry FROM entries
             WHERE (rank, key) < (?1, ?2) AND (?3 IS NULL OR engine = ?3) ORDER BY rank DESC, key DESC LIMIT ?4",
        )?;
        let mut rows = statement.query(params![after.rank, after.key, engine, most])?;
        let mut count = 0;
        while let Some(row) = rows.next()? {
            read.row(row)?;
            count += 1;
        }
        drop(rows);
        drop(statement);
        for row in &read.damaged {
            self.connection.prepare_cached("DELETE FROM entries WHERE rowid = ?1")?.execute([row])?;
        }
        let next = (count == most).then_some(read.last);
        // An index that is out of order would be read in circles.
        if next.is_some_and(|next| next >= after) {
            return Err(StoreError::Corrupt("its index is out of order".to_owned()));
        }
        Ok(Page { records: read.records, damaged: read.damaged.len(), next })
    }

    fn engines(&mut self) -> Result<Vec<(String, u64)>, StoreError> {
        let mut statement = self.connection.prepare("SELECT engine, count(*) FROM entries GROUP BY engine")?;
        collected(&mut statement, |row| Ok((row.get(0)?, row.get(1)?)))
    }

    fn differences(&mut self) -> Result<Vec<Pair>, StoreError> {
        let mut statement = self.connection.prepare("SELECT pair FROM differences")?;
        collected(&mut statement, |row| row.get(0))
    }

    fn labels(&mut self, engine: &str, scoring: &ScoringId) -> Result<Option<Labels>, StoreError> {
        let kept = "SELECT labels FROM labels WHERE engine = ?1 AND scoring = ?2";
        let bytes = self.connection.query_row(kept, params![engine, scoring], |row| row.get::<_, Vec<u8>>(0)).optional()?;
        Ok(bytes.and_then(|bytes| labels_from_bytes(engine, scoring, &bytes)))
    }

    fn tidy(&mut self, now: u64) -> Result<Size, StoreError> {
        let expired = "DELETE FROM entries WHERE rowid IN (SELECT rowid FROM entries WHERE expires <= ?1 LIMIT ?2)";
        self.connection.prepare_cached(expired)?.execute(params![i64::try_from(now).unwrap_or(i64::MAX), MAX_DROPPED])?;
        self.shrink()?;
        self.give_back()?;
        let size = self.size()?;
        self.entries = size.entries;
        Ok(size)
    }

    fn close(&mut self) -> Result<(), StoreError> {
        self.connection.pragma(None, "wal_checkpoint", "TRUNCATE", |_| Ok(()))?;
        Ok(())
    }
}

/// A page that is being read.
struct Reading {
    records: Vec<Record>,
    damaged: Vec<i64>,
    last: Position,
}

impl Reading {
    /// Takes a row in; what cannot have been written by us is damaged, and no reason to stop.
    fn row(&mut self, row: &Row<'_>) -> Result<(), StoreError> {
        let (number, rank) = (row.get(0)?, row.get(1)?);
        let key = row.get_ref(2)?.as_bytes_or_null().ok().flatten().unwrap_or_default();
        self.last = Position { rank, key: std::array::from_fn(|at| key.get(at).copied().unwrap_or_default()) };
        let record = || Record::from_bytes(key, row.get_ref(3).ok()?.as_str().ok()?, row.get_ref(4).ok()?.as_blob().ok()?);
        match record() {
            Some(record) => self.records.push(record),
            None => self.damaged.push(number),
        }
        Ok(())
    }
}

fn collected<T>(statement: &mut Statement<'_>, read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>) -> Result<Vec<T>, StoreError> {
    Ok(statement.query_map([], read)?.collect::<Result<_, _>>()?)
}

/// How many entries that makes more, at most.
fn insert(connection: &Connection, record: &Record) -> Result<u64, StoreError> {
    let Some(bytes) = record.to_bytes() else { return Ok(0) };
    let expires = i64::try_from(record.expires()).unwrap_or(i64::MAX);
    let put = "INSERT OR REPLACE INTO entries VALUES (?1, ?2, ?3, 0, ?4, ?5)";
    connection.prepare_cached(put)?.execute(params![
        record.entry.key,
        record.engine,
        expires,
        rank(record.entry.created, 0),
        bytes
    ])?;
    Ok(1)
}

/// Whether the file is still empty; an error if it is another's. Nothing of it is changed.
fn is_new(connection: &Connection) -> Result<bool, StoreError> {
    let number = |pragma| connection.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0));
    let objects: u64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    match (number("application_id")?, number("user_version")?) {
        (APPLICATION, VERSION) => Ok(false),
        (APPLICATION, other) => {
            let reason = "another version of Lockgate wrote the file";
            Err(StoreError::Foreign(format!("{reason} (its format is {other}, here it is {VERSION})")))
        }
        (0, 0) if objects == 0 => Ok(true),
        _ => Err(StoreError::Foreign("the file is a database of another program".to_owned())),
    }
}

/// Settles how the file is written.
fn configure(connection: &Connection) -> Result<(), StoreError> {
    // Takes effect in a file that is still empty.
    connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    let mode: String = connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))?;
    if mode != "wal" {
        return Err(StoreError::Io("the file cannot be written to".to_owned()));
    }
    // Killing the process loses nothing; a power cut loses the last seconds, which is what a cache can afford.
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    connection.pragma_update(None, "journal_size_limit", MAX_LOG_BYTES)?;
    // What was dropped is gone from the file, too: it was somebody's words.
    connection.pragma_update(None, "secure_delete", true)?;
    // Whoever could write to the file cannot make SQLite do more than read it.
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.pragma_update(None, "cell_size_check", true)?;
    Ok(())
}

fn create(connection: &Connection, secret: &Secret) -> Result<(), StoreError> {
    let transaction = connection.unchecked_transaction()?;
    transaction.execute_batch(SCHEMA)?;
    transaction.execute("INSERT INTO secret VALUES (?1)", [secret])?;
    transaction.pragma_update(None, "application_id", APPLICATION)?;
    transaction.pragma_update(None, "user_version", VERSION)?;
    Ok(transaction.commit()?)
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        let reason = error.to_string();
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::InUse,
            Some(ErrorCode::DiskFull) => Self::Full,
            Some(
                ErrorCode::CannotOpen
                | ErrorCode::PermissionDenied
                | ErrorCode::ReadOnly
                | ErrorCode::SystemIoFailure
                | ErrorCode::OutOfMemory,
            ) => Self::Io(reason),
            // Whatever else the file makes SQLite say, ours does not.
            _ => Self::Corrupt(reason),
        }
    }
}

#[cfg(test)]
mod tests;
