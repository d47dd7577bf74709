//! Answers kept between runs, in one SQLite file.
//!
//! Locking: WAL lets several processes read and write at once; on a network's file system,
//! where it cannot be, they wait for each other. Compatibility: a
//! file of another schema or a damaged one is set aside and made anew; a cache is
//! never an error. Speed: writes are collected and made in one transaction when
//! the answer is out. Metadata is keyed by digest or immutable address and never
//! grows stale; pages carry the times that HTTP told.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};
use rustc_hash::FxHashMap;
use serde::de::DeserializeOwned;

use super::page::{ColdPart, Page};
use crate::host::fs;
use crate::host::volume::{Locality, journal_mode, locality};
use crate::package::Metadata;

pub(super) const SCHEMA: i64 = 5;
/// A cold part lies in pieces of so many bytes, in rows one after the other: reading
/// one is several times faster than opening a large value in its middle.
const PIECE: usize = 8192;

/// A page as kept, with what HTTP said of its age.
#[derive(Debug)]
pub struct KeptPage {
    /// The record; `None` if the index did not know the name.
    pub page: Option<Page>,
    /// Seconds since 1970 up to which it need not be asked again.
    pub fresh_until: i64,
    /// The entity tag.
    pub etag: Option<String>,
    /// The time of change, as the server wrote it.
    pub last_modified: Option<String>,
}

#[derive(Debug)]
enum Write {
    Page {
        index: String,
        name: String,
        fresh_until: i64,
        etag: Option<String>,
        last_modified: Option<String>,
        record: Option<(Vec<u8>, Arc<Vec<u8>>)>,
    },
    Touch {
        index: String,
        name: String,
        fresh_until: i64,
    },
    Metadata {
        key: String,
        record: Vec<u8>,
    },
}

/// The cache; without a directory it keeps nothing.
#[derive(Debug)]
pub struct Cache {
    connection: Option<Arc<Mutex<Connection>>>,
    pending: Mutex<Vec<Write>>,
    /// Which sdists seen in this run compile something.
    compiling: Mutex<FxHashMap<String, bool>>,
    /// What wheels seen in this run come to unpacked.
    unpacked: Mutex<FxHashMap<String, u64>>,
    dir: Option<Utf8PathBuf>,
}

/// The columns of a kept page.
type Columns = (
    i64,
    Option<String>,
    Option<String>,
    Option<Vec<u8>>,
    Option<i64>,
    Option<bool>,
);

/// The cold part of a page, read record by record.
#[derive(Debug)]
struct KeptCold {
    connection: Arc<Mutex<Connection>>,
    /// The row of the first piece.
    id: i64,
}

impl ColdPart for KeptCold {
    fn read(&self, offset: usize, length: usize) -> Option<Vec<u8>> {
        let connection = self.connection.lock().ok()?;
        let mut statement = connection
            .prepare_cached("SELECT bytes FROM cold WHERE id = ?1")
            .ok()?;
        let mut found = Vec::new();
        let (mut piece, mut start) = (offset / PIECE, offset % PIECE);
        while found.len() < length {
            let id = self.id + i64::try_from(piece).ok()?;
            let read = statement.query_row([id], |row| {
                let bytes = row.get_ref(0)?.as_blob()?;
                let wanted = length - found.len();
                found.extend(bytes.iter().skip(start).take(wanted));
                Ok(bytes.len())
            });
            // The last piece may be short, and there is none behind it.
            if read.optional().ok()? != Some(PIECE) {
                break;
            }
            (piece, start) = (piece + 1, 0);
        }
        Some(found)
    }
}

impl Cache {
    /// Opens the cache in a directory; whatever is wrong with it, the result works.
    pub fn open(dir: Option<&Utf8Path>) -> Self {
        let connection = dir.and_then(|dir| {
            fs::create_dir_all(dir).ok()?;
            super::retention::mark(dir);
            let path = dir.join("index.db");
            open(&path).or_else(|| {
                for ending in ["", "-wal", "-shm"] {
                    let _ = fs::remove_all(Utf8Path::new(&format!("{path}{ending}")));
                }
                open(&path)
            })
        });
        Self {
            connection: connection.map(|connection| Arc::new(Mutex::new(connection))),
            pending: Mutex::default(),
            compiling: Mutex::default(),
            unpacked: Mutex::default(),
            dir: dir.map(Utf8Path::to_owned),
        }
    }

    /// Returns the directory for files, if anything is kept at all.
    pub fn dir(&self) -> Option<&Utf8Path> {
        self.dir.as_deref()
    }

    /// Finds a page.
    pub fn page(&self, index: &str, name: &str) -> Option<KeptPage> {
        let shared = self.connection.as_ref()?;
        let connection = shared.lock().ok()?;
        let mut statement = connection.prepare_cached("SELECT p.fresh_until, p.etag, p.last_modified, p.hot, p.cold, length(c.bytes) = p.cold_size - (c.id - p.cold) * 8192 FROM page p LEFT JOIN cold c ON c.id = p.cold + max(p.cold_size - 1, 0) / 8192 WHERE p.index_url = ?1 AND p.name = ?2").ok()?;
        let row: Columns = statement
            .query_row(params![index, name], |row| {
                Ok((
                    row.get(0)?,
                    row.get(1)?,
                    row.get(2)?,
                    row.get(3)?,
                    row.get(4)?,
                    row.get(5)?,
                ))
            })
            .optional()
            .ok()??;
        let (fresh_until, etag, last_modified, hot, cold, whole) = row;
        let page = match hot {
            // A cold part that is gone or cut off makes the whole a miss: it is
            // read late, when it is too late to ask again.
            Some(hot) => {
                let id = cold.filter(|_| whole == Some(true))?;
                let connection = Arc::clone(shared);
                Some(Page::decode(
                    index,
                    &hot,
                    Arc::new(KeptCold { connection, id }),
                )?)
            }
            None => None,
        };
        Some(KeptPage {
            page,
            fresh_until,
            etag,
            last_modified,
        })
    }

    /// Finds metadata.
    pub fn metadata(&self, key: &str) -> Option<Metadata> {
        self.record(key)
    }

    /// Finds why a project could not be built, and when that was tried, in seconds
    /// since 1970.
    pub fn refusal(&self, key: &str) -> Option<(i64, String)> {
        self.record(&format!("refused {key}"))
    }

    fn record<T: DeserializeOwned>(&self, key: &str) -> Option<T> {
        let connection = self.connection.as_ref()?.lock().ok()?;
        let mut statement = connection
            .prepare_cached("SELECT record FROM meta WHERE key = ?1")
            .ok()?;
        let read = |row: &rusqlite::Row<'_>| {
            let record = row.get_ref(0)?.as_blob()?;
            Ok(postcard::from_bytes(record).ok())
        };
        statement.query_row([key], read).optional().ok()??
    }

    /// Keeps why a project could not be built.
    pub fn keep_refusal(&self, key: &str, now: i64, reason: &str) {
        if let Ok(record) = postcard::to_stdvec(&(now, reason)) {
            self.push(|| Write::Metadata {
                key: format!("refused {key}"),
                record,
            });
        }
    }

    /// Keeps whether building an sdist compiles something; beyond this run if it `lasts`.
    pub fn keep_compiles(&self, key: String, compiles: bool, lasts: bool) {
        if let Ok(record) = postcard::to_stdvec(&compiles)
            && lasts
        {
            self.push(|| Write::Metadata {
                key: format!("compiles {key}"),
                record,
            });
        }
        if let Ok(mut seen) = self.compiling.lock() {
            seen.insert(key, compiles);
        }
    }

    /// Finds whether building an sdist compiles something.
    pub fn compiles(&self, key: &str) -> Option<bool> {
        let seen = self.compiling.lock().ok()?.get(key).copied();
        seen.or_else(|| self.record(&format!("compiles {key}")))
    }

    /// Keeps what a wheel comes to unpacked; beyond this run if it `lasts`.
    pub fn keep_unpacked(&self, key: String, bytes: u64, lasts: bool) {
        if let Ok(record) = postcard::to_stdvec(&bytes)
            && lasts
        {
            self.push(|| Write::Metadata {
                key: format!("unpacked {key}"),
                record,
            });
        }
        if let Ok(mut seen) = self.unpacked.lock() {
            seen.insert(key, bytes);
        }
    }

    /// Finds what a wheel comes to unpacked.
    pub fn unpacked(&self, key: &str) -> Option<u64> {
        let seen = self.unpacked.lock().ok()?.get(key).copied();
        seen.or_else(|| self.record(&format!("unpacked {key}")))
    }

    /// Keeps a page.
    pub fn keep_page(
        &self,
        index: &str,
        name: &str,
        page: Option<&Page>,
        fresh_until: i64,
        etag: Option<String>,
        last_modified: Option<String>,
    ) {
        self.push(|| Write::Page {
            index: index.to_owned(),
            name: name.to_owned(),
            fresh_until,
            etag,
            last_modified,
            record: page.map(Page::encode),
        });
    }

    /// Notes that a page was asked again and is unchanged.
    pub fn touch_page(&self, index: &str, name: &str, fresh_until: i64) {
        self.push(|| Write::Touch {
            index: index.to_owned(),
            name: name.to_owned(),
            fresh_until,
        });
    }

    /// Keeps metadata.
    pub fn keep_metadata(&self, key: &str, metadata: &Metadata) {
        if let Ok(record) = postcard::to_stdvec(metadata) {
            self.push(|| Write::Metadata {
                key: key.to_owned(),
                record,
            });
        }
    }

    fn push(&self, write: impl FnOnce() -> Write) {
        if self.connection.is_some()
            && let Ok(mut pending) = self.pending.lock()
        {
            pending.push(write());
        }
    }

    /// Writes what was collected; called when the answer is out.
    pub fn flush(&self) {
        let Some(Ok(mut connection)) = self.connection.as_deref().map(Mutex::lock) else {
            return;
        };
        let Ok(mut pending) = self.pending.lock() else {
            return;
        };
        if !pending.is_empty() {
            // A full disk or a rival writer costs only speed next time.
            let _ = connection.execute_batch("COMMIT");
            let _ = write_all(&mut connection, &pending);
            let _ = connection.execute_batch("BEGIN");
            pending.clear();
        }
    }
}

impl Drop for Cache {
    fn drop(&mut self) {
        self.flush();
    }
}

fn write_all(connection: &mut Connection, writes: &[Write]) -> rusqlite::Result<()> {
    // At once a writer: a reader that becomes one cannot wait for a rival.
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    {
        let mut page = transaction.prepare("INSERT OR REPLACE INTO page (index_url, name, fresh_until, etag, last_modified, hot, cold, cold_size) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")?;
        let mut old_cold = transaction
            .prepare("SELECT cold, cold_size FROM page WHERE index_url = ?1 AND name = ?2")?;
        let mut same_cold =
            transaction.prepare("SELECT 1 FROM cold WHERE id = ?1 AND bytes = ?2")?;
        let mut last_cold = transaction.prepare("SELECT coalesce(max(id), 0) FROM cold")?;
        let mut cold = transaction.prepare("INSERT INTO cold (id, bytes) VALUES (?1, ?2)")?;
        let mut drop_cold = transaction.prepare("DELETE FROM cold WHERE id BETWEEN ?1 AND ?2")?;
        let mut touch = transaction
            .prepare("UPDATE page SET fresh_until = ?3 WHERE index_url = ?1 AND name = ?2")?;
        let mut meta =
            transaction.prepare("INSERT OR REPLACE INTO meta (key, record) VALUES (?1, ?2)")?;
        for write in writes {
            match write {
                Write::Page {
                    index,
                    name,
                    fresh_until,
                    etag,
                    last_modified,
                    record,
                } => {
                    let old: Option<(i64, i64)> = old_cold
                        .query_row(params![index, name], |row| {
                            Ok(row.get::<_, Option<i64>>(0)?.zip(row.get(1)?))
                        })
                        .optional()?
                        .flatten();
                    let mut kept = None;
                    if let Some((_, bytes)) = record {
                        let size = i64::try_from(bytes.len()).unwrap_or(i64::MAX);
                        // Most pages come back as they were: their cold part stays.
                        let mut same = old.is_some_and(|(_, old)| old == size);
                        let first = old.map_or(0, |(first, _)| first);
                        for (id, piece) in (first..).zip(pieces(bytes)) {
                            same = same && same_cold.exists(params![id, piece])?;
                        }
                        kept = old.filter(|_| same);
                        if kept.is_none() {
                            let last: i64 = last_cold.query_row([], |row| row.get(0))?;
                            for (id, piece) in (last + 1..).zip(pieces(bytes)) {
                                cold.execute(params![id, piece])?;
                            }
                            kept = Some((last + 1, size));
                        }
                    }
                    page.execute(params![
                        index,
                        name,
                        fresh_until,
                        etag,
                        last_modified,
                        record.as_ref().map(|(hot, _)| hot),
                        kept.map(|(id, _)| id),
                        kept.map(|(_, size)| size)
                    ])?;
                    if let Some((first, size)) = old.filter(|_| old != kept) {
                        drop_cold.execute([first, first + last_piece(size)])?;
                    }
                }
                Write::Touch {
                    index,
                    name,
                    fresh_until,
                } => {
                    touch.execute(params![index, name, fresh_until])?;
                }
                Write::Metadata { key, record } => {
                    meta.execute(params![key, record])?;
                }
            }
        }
    }
    transaction.commit()
}

/// Cuts a cold part into pieces: at least one, so that there is a row to miss.
fn pieces(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let empty = bytes.is_empty().then_some(bytes);
    empty.into_iter().chain(bytes.chunks(PIECE))
}

pub(super) fn last_piece(size: i64) -> i64 {
    i64::try_from(PIECE).map_or(0, |piece| (size - 1).max(0) / piece)
}

fn open(path: &Utf8Path) -> Option<Connection> {
    let connection = Connection::open(path).ok()?;
    connection.busy_timeout(Duration::from_secs(2)).ok()?;
    let place = locality(path.parent().unwrap_or(path));
    connection
        .pragma_update(None, "journal_mode", journal_mode(place))
        .ok()?;
    connection.pragma_update(None, "synchronous", "OFF").ok()?;
    if place == Locality::Local {
        connection
            .pragma_update(None, "mmap_size", 256 << 20)
            .ok()?;
    }
    // Else every new value of a parameter prepares its statement anew.
    connection
        .set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)
        .ok()?;
    let found: i64 = connection
        .pragma_query_value(None, "user_version", |row| row.get(0))
        .ok()?;
    if found == SCHEMA {
        // Damage elsewhere shows as a miss; damage here as a failure to prepare.
        connection.prepare("SELECT record FROM meta LIMIT 1").ok()?;
        return at_rest(connection);
    }
    if found != 0 {
        return None;
    }
    let made = connection.execute_batch(&format!(
        "BEGIN IMMEDIATE;
         CREATE TABLE IF NOT EXISTS page (index_url TEXT, name TEXT, fresh_until INTEGER, etag TEXT, last_modified TEXT, hot BLOB, cold INTEGER, cold_size INTEGER, PRIMARY KEY (index_url, name)) WITHOUT ROWID;
         CREATE TABLE IF NOT EXISTS cold (id INTEGER PRIMARY KEY, bytes BLOB);
         CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, record BLOB) WITHOUT ROWID;
         PRAGMA user_version = {SCHEMA};
         COMMIT;"
    ));
    made.ok().and_then(|()| at_rest(connection))
}

/// Begins to read: until something is written, all reads see one state, so that a page
/// never loses its cold part to a rival that writes a newer one meanwhile.
fn at_rest(connection: Connection) -> Option<Connection> {
    connection.execute_batch("BEGIN").ok()?;
    Some(connection)
}
