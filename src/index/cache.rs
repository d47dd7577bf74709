//! Answers kept between runs, in one SQLite file.
//!
//! Locking: WAL lets several processes read and write at once. Compatibility: a
//! file of another schema or a damaged one is set aside and made anew; a cache is
//! never an error. Speed: writes are collected and made in one transaction when
//! the answer is out. Metadata is keyed by digest or immutable address and never
//! grows stale; pages carry the times that HTTP told.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use rusqlite::{Connection, OptionalExtension, params};

use super::page::{ColdPart, Page};
use crate::host::fs;
use crate::package::Metadata;

const SCHEMA: i64 = 4;

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
    id: i64,
}

impl ColdPart for KeptCold {
    fn read(&self, offset: usize, length: usize) -> Option<Vec<u8>> {
        let connection = self.connection.lock().ok()?;
        let blob = connection
            .blob_open("main", "cold", "bytes", self.id, true)
            .ok()?;
        let mut bytes = vec![0; length.min(blob.len().saturating_sub(offset))];
        let read = blob.read_at(&mut bytes, offset).ok()?;
        bytes.truncate(read);
        Some(bytes)
    }
}

impl Cache {
    /// Opens the cache in a directory; whatever is wrong with it, the result works.
    pub fn open(dir: Option<&Utf8Path>) -> Self {
        let connection = dir.and_then(|dir| {
            fs::create_dir_all(dir).ok()?;
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
        let mut statement = connection.prepare_cached("SELECT p.fresh_until, p.etag, p.last_modified, p.hot, c.id, p.cold_size = length(c.bytes) FROM page p LEFT JOIN cold c ON c.id = p.cold WHERE p.index_url = ?1 AND p.name = ?2").ok()?;
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
        let connection = self.connection.as_ref()?.lock().ok()?;
        let mut statement = connection
            .prepare_cached("SELECT record FROM meta WHERE key = ?1")
            .ok()?;
        let record: Vec<u8> = statement
            .query_row([key], |row| row.get(0))
            .optional()
            .ok()??;
        postcard::from_bytes(&record).ok()
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
            let _ = write_all(&mut connection, &pending);
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
    let transaction = connection.transaction()?;
    {
        let mut page = transaction.prepare("INSERT OR REPLACE INTO page (index_url, name, fresh_until, etag, last_modified, hot, cold, cold_size) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")?;
        let mut old_cold =
            transaction.prepare("SELECT cold FROM page WHERE index_url = ?1 AND name = ?2")?;
        let mut same_cold =
            transaction.prepare("SELECT 1 FROM cold WHERE id = ?1 AND bytes = ?2")?;
        let mut cold = transaction.prepare("INSERT INTO cold (bytes) VALUES (?1)")?;
        let mut drop_cold = transaction.prepare("DELETE FROM cold WHERE id = ?1")?;
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
                    let hot = record.as_ref().map(|(hot, _)| hot);
                    let bytes = record.as_ref().map(|(_, cold)| cold.as_slice());
                    let old: Option<i64> = old_cold
                        .query_row(params![index, name], |row| row.get(0))
                        .optional()?
                        .flatten();
                    let id = match (bytes, old) {
                        (None, _) => None,
                        // Most pages come back as they were: their cold part stays.
                        (Some(bytes), Some(id)) if same_cold.exists(params![id, bytes])? => {
                            Some(id)
                        }
                        (Some(bytes), _) => Some(cold.insert([bytes])?),
                    };
                    let size = bytes.and_then(|bytes| i64::try_from(bytes.len()).ok());
                    page.execute(params![
                        index,
                        name,
                        fresh_until,
                        etag,
                        last_modified,
                        hot,
                        id,
                        size
                    ])?;
                    if old != id {
                        drop_cold.execute([old])?;
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

fn open(path: &Utf8Path) -> Option<Connection> {
    let connection = Connection::open(path).ok()?;
    connection.busy_timeout(Duration::from_secs(2)).ok()?;
    connection.pragma_update(None, "journal_mode", "WAL").ok()?;
    connection.pragma_update(None, "synchronous", "OFF").ok()?;
    connection
        .pragma_update(None, "mmap_size", 256 << 20)
        .ok()?;
    let found: i64 = connection
        .pragma_query_value(None, "user_version", |row| row.get(0))
        .ok()?;
    if found == SCHEMA {
        // Damage elsewhere shows as a miss; damage here as a failure to prepare.
        connection.prepare("SELECT record FROM meta LIMIT 1").ok()?;
        return Some(connection);
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
    made.ok().map(|()| connection)
}
