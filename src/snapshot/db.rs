//! The database file: begin, journal, finish, read.

use std::cell::RefCell;
use std::collections::HashMap;
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use rusqlite::{Connection, OpenFlags, OptionalExtension, Row, params};

use super::error::SnapshotError;
use super::model::{
    BaseState, Operation, Outcome, PackageState, Snapshot, State, Step, snapshot_id,
};
use super::schema;
use crate::host::volume::{journal_mode, locality};
use crate::host::{FsError, digest, fs};

/// The name of the file in portenv's own directory.
pub(super) const FILE: &str = "portenv.db";

/// The history of one installation.
#[derive(Debug)]
pub struct Db {
    pub(super) connection: Connection,
    pub(super) path: Utf8PathBuf,
    writes: bool,
    /// The schema of the file as it is.
    schema: i64,
    /// Distributions that were read, by the numbers of their rows.
    pub(super) seen: RefCell<HashMap<i64, PackageState>>,
}

impl Drop for Db {
    /// A reader of a database in WAL mode makes files beside it, and reading must write
    /// nothing: so at rest it is in the other mode.
    fn drop(&mut self) {
        if self.writes {
            // Best effort: it fails while another connection reads, and either mode is whole.
            let _ = self.connection.busy_timeout(Duration::ZERO);
            let _ = self
                .connection
                .pragma_update(None, "journal_mode", "DELETE");
        }
    }
}

/// Opens the file for reading, and returns the schema found.
///
/// Only a connection that may write takes the files of the write-ahead log away
/// again when it closes. Where nothing can be written, nobody else writes either,
/// and SQLite may take the file as it is.
fn open_to_read(path: &Utf8Path) -> rusqlite::Result<(Connection, i64)> {
    let open = |name: &str, flags| {
        let flags = flags | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
        let connection = Connection::open_with_flags(name, flags)?;
        connection.busy_timeout(Duration::from_secs(5))?;
        let found = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
        Ok((connection, found))
    };
    let fixed = || {
        let url = url::Url::from_file_path(path).ok()?;
        let name = format!("{url}?immutable=1");
        open(&name, OpenFlags::SQLITE_OPEN_READ_ONLY).ok()
    };
    open(path.as_str(), OpenFlags::SQLITE_OPEN_READ_WRITE)
        .and_then(|(connection, found)| {
            connection.pragma_update(None, "query_only", true)?;
            Ok((connection, found))
        })
        .or_else(|error: rusqlite::Error| match error.sqlite_error_code() {
            Some(rusqlite::ErrorCode::CannotOpen | rusqlite::ErrorCode::ReadOnly) => {
                fixed().ok_or(error)
            }
            _ => Err(error),
        })
}

impl Db {
    /// Opens the history in portenv's own directory, making it if need be.
    ///
    /// # Errors
    ///
    /// Fails if the file cannot be made, is damaged or of a newer portenv.
    pub fn open(own_dir: &Utf8Path) -> Result<Self, SnapshotError> {
        fs::create_dir_all(own_dir)?;
        let ignore = own_dir.join(".gitignore");
        if !fs::exists(&ignore) {
            fs::write_atomic(&ignore, b"*\n")?;
        }
        let path = own_dir.join(FILE);
        refuse_emptied(own_dir, &path)?;
        Self::open_at(own_dir, &path)
    }

    /// Opens a history under another name.
    pub(super) fn open_at(own_dir: &Utf8Path, path: &Utf8Path) -> Result<Self, SnapshotError> {
        let path = path.to_owned();
        let fail = |source| SnapshotError::Sqlite {
            path: path.clone(),
            source,
        };
        let mut connection = Connection::open(&path).map_err(fail)?;
        connection
            .busy_timeout(Duration::from_secs(5))
            .map_err(fail)?;
        // Before the first write: a newer portenv's file is left as it is.
        let found: i64 = connection
            .pragma_query_value(None, "user_version", |row| row.get(0))
            .map_err(fail)?;
        if found > schema::CURRENT {
            return Err(SnapshotError::Newer {
                path,
                found,
                known: schema::CURRENT,
            });
        }
        let mode = journal_mode(locality(own_dir));
        connection
            .pragma_update(None, "journal_mode", mode)
            .map_err(fail)?;
        connection
            .pragma_update(None, "synchronous", "FULL")
            .map_err(fail)?;
        connection
            .pragma_update(None, "foreign_keys", true)
            .map_err(fail)?;
        if let Err(found) = schema::migrate(&mut connection).map_err(fail)? {
            return Err(SnapshotError::Newer {
                path,
                found,
                known: schema::CURRENT,
            });
        }
        Ok(Self {
            connection,
            path,
            writes: true,
            schema: schema::CURRENT,
            seen: RefCell::default(),
        })
    }

    /// Opens the history for reading; `None` if there is none. Writes nothing. One of a
    /// newer portenv is read as far as it has what this one knows.
    ///
    /// # Errors
    ///
    /// Fails if the file is damaged.
    pub fn find(own_dir: &Utf8Path) -> Result<Option<Self>, SnapshotError> {
        let path = own_dir.join(FILE);
        refuse_emptied(own_dir, &path)?;
        if !fs::is_file(&path) {
            return Ok(None);
        }
        let fail = |source| SnapshotError::Sqlite {
            path: path.clone(),
            source,
        };
        let (connection, found) = open_to_read(&path).map_err(fail)?;
        Ok((found > 0).then_some(Self {
            connection,
            path,
            writes: false,
            schema: found,
            seen: RefCell::default(),
        }))
    }

    pub(super) fn of_memory(connection: Connection, path: Utf8PathBuf) -> Self {
        Self {
            connection,
            path,
            writes: false,
            schema: schema::CURRENT,
            seen: RefCell::default(),
        }
    }

    /// Demands that this version of portenv may write the history.
    ///
    /// # Errors
    ///
    /// Fails if it is of a newer one.
    pub fn check_writable(&self) -> Result<(), SnapshotError> {
        if self.schema <= schema::CURRENT {
            return Ok(());
        }
        Err(SnapshotError::Newer {
            path: self.path.clone(),
            found: self.schema,
            known: schema::CURRENT,
        })
    }

    /// Tells a failure: by the schema where that explains it, or by what is wrong with the
    /// file where a row of it cannot be read.
    pub(super) fn fail(&self, source: rusqlite::Error) -> SnapshotError {
        if let Err(newer) = self.check_writable() {
            return newer;
        }
        if source.sqlite_error_code() == Some(rusqlite::ErrorCode::DatabaseCorrupt)
            && let Some(detail) = self.faults()
        {
            return self.damaged(detail);
        }
        SnapshotError::Sqlite {
            path: self.path.clone(),
            source,
        }
    }

    pub(super) fn damaged(&self, detail: impl Into<String>) -> SnapshotError {
        SnapshotError::Damaged {
            path: self.path.clone(),
            detail: detail.into(),
        }
    }

    /// Keeps a state by its content; returns its digest.
    ///
    /// # Errors
    ///
    /// Fails if it cannot be written.
    pub fn put_state(&mut self, state: &State) -> Result<String, SnapshotError> {
        let digest = state.digest();
        self.forget_rows();
        let path = self.path.clone();
        let write = || -> rusqlite::Result<()> {
            let transaction = self.connection.transaction()?;
            let known: bool = transaction
                .prepare("SELECT 1 FROM state WHERE digest = ?1")?
                .exists([&digest])?;
            if !known {
                let dists = intern_all(
                    &transaction,
                    "dist",
                    state.packages.iter().map(serde_json::to_string),
                )?;
                let nodes = intern_all(
                    &transaction,
                    "node",
                    state.nodes.iter().map(serde_json::to_string),
                )?;
                let core = intern_all(
                    &transaction,
                    "node",
                    state.core.iter().map(serde_json::to_string),
                )?;
                let lock = state
                    .lock
                    .as_deref()
                    .map(|text| put_chunks(&transaction, text))
                    .transpose()?;
                let base = match &state.base {
                    Some(base) => {
                        let bodies = base.packages.iter().map(serde_json::to_string);
                        Some(pack(&intern_all(&transaction, "dist", bodies)?))
                    }
                    None => None,
                };
                let prefix = state.base.as_ref().map(|base| &base.prefix);
                transaction.execute(
                    "INSERT INTO state (digest, dists, nodes, core, python, python_path, platform, lock, base_prefix, base) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
                    params![digest, pack(&dists), pack(&nodes), core.first(), state.python, state.python_path, state.platform, lock.map(|ids| pack(&ids)), prefix, base],
                )?;
            }
            transaction.commit()
        };
        let mut write = write;
        write().map_err(|source| SnapshotError::Sqlite { path, source })?;
        Ok(digest)
    }

    /// Reads a state.
    ///
    /// # Errors
    ///
    /// Fails if it is not there or damaged.
    pub fn state(&self, digest: &str) -> Result<State, SnapshotError> {
        type Columns = (
            Vec<u8>,
            Vec<u8>,
            Option<i64>,
            String,
            String,
            String,
            Option<Vec<u8>>,
            Option<(String, Vec<u8>)>,
        );
        // Who only reads brings no older file up to date.
        let base = if self.schema < 2 {
            "NULL, NULL"
        } else {
            "base_prefix, base"
        };
        let row: Option<Columns> = self
            .connection
            .query_row(&format!("SELECT dists, nodes, core, python, python_path, platform, lock, {base} FROM state WHERE digest = ?1"), [digest], |row| {
                let base = match (row.get(7)?, row.get(8)?) {
                    (Some(prefix), Some(ids)) => Some((prefix, ids)),
                    _ => None,
                };
                Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?, row.get(6)?, base))
            })
            .optional()
            .map_err(|error| self.fail(error))?;
        let (dists, nodes, core, python, python_path, platform, lock, base) =
            row.ok_or_else(|| self.damaged(format!("it lacks the state {digest}")))?;
        let lock = lock.map(|ids| self.lock_text(&ids)).transpose()?;
        Ok(State {
            packages: self.packages(&self.unpack(&dists)?)?,
            nodes: self.bodies("node", &self.unpack(&nodes)?)?,
            core: core
                .map(|id| self.bodies("node", &[id]))
                .transpose()?
                .and_then(|list| list.into_iter().next()),
            python,
            python_path,
            platform,
            lock,
            base: match base {
                Some((prefix, ids)) => Some(BaseState {
                    prefix,
                    packages: self.packages(&self.unpack(&ids)?)?,
                }),
                None => None,
            },
        })
    }

    fn unpack(&self, bytes: &[u8]) -> Result<Vec<i64>, SnapshotError> {
        postcard::from_bytes(bytes).map_err(|_| self.damaged("a list of a state is cut"))
    }

    fn lock_text(&self, ids: &[u8]) -> Result<String, SnapshotError> {
        let mut statement = self
            .connection
            .prepare_cached("SELECT bytes FROM chunk WHERE id = ?1")
            .map_err(|error| self.fail(error))?;
        let mut text = String::new();
        for id in self.unpack(ids)? {
            let bytes: Vec<u8> = statement
                .query_row([id], |row| row.get(0))
                .map_err(|error| self.fail(error))?;
            text.push_str(&String::from_utf8_lossy(&bytes));
        }
        Ok(text)
    }

    /// Reads every lock that a state has held, each once.
    ///
    /// # Errors
    ///
    /// Fails if they cannot be read.
    pub fn locks(&self) -> Result<Vec<String>, SnapshotError> {
        let mut statement = self
            .connection
            .prepare("SELECT DISTINCT lock FROM state WHERE lock IS NOT NULL")
            .map_err(|error| self.fail(error))?;
        let rows = statement
            .query_map([], |row| row.get::<_, Vec<u8>>(0))
            .map_err(|error| self.fail(error))?;
        rows.map(|ids| self.lock_text(&ids.map_err(|error| self.fail(error))?))
            .collect()
    }

    fn bodies<T: serde::de::DeserializeOwned>(
        &self,
        table: &str,
        ids: &[i64],
    ) -> Result<Vec<T>, SnapshotError> {
        let mut statement = self
            .connection
            .prepare_cached(&format!("SELECT body FROM {table} WHERE id = ?1"))
            .map_err(|error| self.fail(error))?;
        ids.iter()
            .map(|id| {
                let body: String = statement
                    .query_row([id], |row| row.get(0))
                    .map_err(|error| self.fail(error))?;
                serde_json::from_str(&body).map_err(|error| self.damaged(error.to_string()))
            })
            .collect()
    }

    /// Opens an operation, durably, before its first change.
    ///
    /// # Errors
    ///
    /// Fails if it cannot be written.
    pub fn begin(
        &mut self,
        kind: &str,
        command: &str,
        before: &str,
        started: &str,
    ) -> Result<i64, SnapshotError> {
        let parent = self.head()?.map(|head| head.id);
        self.connection
            .execute(
                "INSERT INTO operation (parent, before, kind, command, started, outcome) VALUES (?1, ?2, ?3, ?4, ?5, 'open')",
                params![parent, before, kind, command, started],
            )
            .map_err(|error| self.fail(error))?;
        Ok(self.connection.last_insert_rowid())
    }

    /// Notes a step before it is made.
    ///
    /// # Errors
    ///
    /// Fails if it cannot be written.
    pub fn note_step(&mut self, operation: i64, step: &Step) -> Result<(), SnapshotError> {
        let what = serde_json::to_string(step).map_err(|error| self.damaged(error.to_string()))?;
        self.connection
            .execute(
                "INSERT INTO step (operation, n, what, done) SELECT ?1, count(*), ?2, 0 FROM step WHERE operation = ?1",
                params![operation, what],
            )
            .map_err(|error| self.fail(error))?;
        Ok(())
    }

    /// Reads the steps of an operation, in order.
    ///
    /// # Errors
    ///
    /// Fails if they cannot be read.
    pub fn steps(&self, operation: i64) -> Result<Vec<Step>, SnapshotError> {
        let mut statement = self
            .connection
            .prepare("SELECT what FROM step WHERE operation = ?1 ORDER BY n")
            .map_err(|error| self.fail(error))?;
        let rows = statement
            .query_map([operation], |row| row.get::<_, String>(0))
            .map_err(|error| self.fail(error))?;
        rows.map(|row| {
            let text = row.map_err(|error| self.fail(error))?;
            serde_json::from_str(&text).map_err(|error| self.damaged(error.to_string()))
        })
        .collect()
    }

    /// Closes an operation that ended well: its snapshot becomes the newest.
    ///
    /// # Errors
    ///
    /// Fails if it cannot be written.
    pub fn finish(
        &mut self,
        operation: i64,
        after: &State,
        ended: &str,
        restores: Option<&str>,
    ) -> Result<String, SnapshotError> {
        let state = self.put_state(after)?;
        let parent = self.head()?.map(|head| head.id);
        let id = snapshot_id(&state, parent.as_deref(), ended);
        self.connection
            .execute(
                "UPDATE operation SET id = ?2, parent = ?3, after = ?4, ended = ?5, outcome = 'done', restores = ?6 WHERE number = ?1",
                params![operation, id, parent, state, ended, restores],
            )
            .map_err(|error| self.fail(error))?;
        Ok(id)
    }

    /// Closes an operation that did not end well; it leaves no snapshot.
    ///
    /// # Errors
    ///
    /// Fails if it cannot be written.
    pub fn close(
        &mut self,
        operation: i64,
        outcome: Outcome,
        ended: &str,
    ) -> Result<(), SnapshotError> {
        self.connection
            .execute(
                "UPDATE operation SET outcome = ?2, ended = ?3 WHERE number = ?1",
                params![operation, outcome.as_str(), ended],
            )
            .map_err(|error| self.fail(error))?;
        Ok(())
    }

    /// Gives a snapshot a label, taking it from any other.
    ///
    /// # Errors
    ///
    /// Fails if it cannot be written.
    pub fn label(&mut self, snapshot: &str, label: &str) -> Result<(), SnapshotError> {
        self.connection
            .execute(
                "INSERT OR REPLACE INTO label (name, snapshot) VALUES (?1, ?2)",
                params![label, snapshot],
            )
            .map_err(|error| self.fail(error))?;
        Ok(())
    }

    /// Reads all operations, newest first.
    ///
    /// # Errors
    ///
    /// Fails if they cannot be read.
    pub fn operations(&self) -> Result<Vec<Operation>, SnapshotError> {
        let mut statement = self
            .connection
            .prepare("SELECT number, id, parent, before, after, kind, command, started, ended, outcome, restores FROM operation ORDER BY number DESC")
            .map_err(|error| self.fail(error))?;
        let rows = statement
            .query_map([], operation)
            .map_err(|error| self.fail(error))?;
        rows.map(|row| row.map_err(|error| self.fail(error)))
            .collect()
    }

    /// Returns the operation that is open, if one is: a run was cut short.
    ///
    /// # Errors
    ///
    /// Fails if it cannot be read.
    pub fn open_operation(&self) -> Result<Option<Operation>, SnapshotError> {
        Ok(self
            .operations()?
            .into_iter()
            .find(|operation| operation.outcome == Outcome::Open))
    }

    /// Returns the operation that is open, else the newest one if it could not be undone
    /// whole: what came after such a one was built on what is there, and stands.
    ///
    /// # Errors
    ///
    /// Fails if it cannot be read.
    pub fn unfinished_operation(&self) -> Result<Option<Operation>, SnapshotError> {
        let operations = self.operations()?;
        let open = operations
            .iter()
            .position(|operation| operation.outcome == Outcome::Open);
        let found = operations.into_iter().nth(open.unwrap_or(0));
        Ok(found.filter(|operation| matches!(operation.outcome, Outcome::Open | Outcome::Broken)))
    }

    /// Reads all snapshots, newest first.
    ///
    /// # Errors
    ///
    /// Fails if they cannot be read.
    pub fn snapshots(&self) -> Result<Vec<Snapshot>, SnapshotError> {
        let mut labels: Vec<(String, String)> = Vec::new();
        {
            let mut statement = self
                .connection
                .prepare("SELECT snapshot, name FROM label ORDER BY name")
                .map_err(|error| self.fail(error))?;
            let rows = statement
                .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
                .map_err(|error| self.fail(error))?;
            for row in rows {
                labels.push(row.map_err(|error| self.fail(error))?);
            }
        }
        Ok(self
            .operations()?
            .into_iter()
            .filter_map(|operation| {
                let id = operation.id.clone()?;
                let labels = labels
                    .iter()
                    .filter(|(snapshot, _)| *snapshot == id)
                    .map(|(_, name)| name.clone())
                    .collect();
                Some(Snapshot {
                    id,
                    operation,
                    labels,
                })
            })
            .collect())
    }

    /// Returns the newest snapshot.
    ///
    /// # Errors
    ///
    /// Fails if it cannot be read.
    pub fn head(&self) -> Result<Option<Snapshot>, SnapshotError> {
        Ok(self.snapshots()?.into_iter().next())
    }

    /// Reads a snapshot's state.
    ///
    /// # Errors
    ///
    /// Fails if it is damaged.
    pub fn state_of(&self, snapshot: &Snapshot) -> Result<State, SnapshotError> {
        let after =
            snapshot.operation.after.as_deref().ok_or_else(|| {
                self.damaged(format!("the snapshot {} has no state", snapshot.id))
            })?;
        self.state(after)
    }
}

pub(super) fn operation(row: &Row<'_>) -> rusqlite::Result<Operation> {
    Ok(Operation {
        number: row.get(0)?,
        id: row.get(1)?,
        parent: row.get(2)?,
        before: row.get(3)?,
        after: row.get(4)?,
        kind: row.get(5)?,
        command: row.get(6)?,
        started: row.get(7)?,
        ended: row.get(8)?,
        outcome: Outcome::parse(&row.get::<_, String>(9)?),
        restores: row.get(10)?,
    })
}

/// Keeps texts once each and returns their numbers, in order.
fn intern_all(
    connection: &Connection,
    table: &str,
    bodies: impl Iterator<Item = serde_json::Result<String>>,
) -> rusqlite::Result<Vec<i64>> {
    let mut insert =
        connection.prepare_cached(&format!("INSERT OR IGNORE INTO {table} (body) VALUES (?1)"))?;
    let mut find = connection.prepare_cached(&format!("SELECT id FROM {table} WHERE body = ?1"))?;
    bodies
        .map(|body| {
            let body =
                body.map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))?;
            insert.execute([&body])?;
            find.query_row([&body], |row| row.get(0))
        })
        .collect()
}

/// Keeps a lock's text cut at its entries: two locks share most of them.
fn put_chunks(connection: &Connection, text: &str) -> rusqlite::Result<Vec<i64>> {
    let mut insert =
        connection.prepare_cached("INSERT OR IGNORE INTO chunk (digest, bytes) VALUES (?1, ?2)")?;
    let mut find = connection.prepare_cached("SELECT id FROM chunk WHERE digest = ?1")?;
    let mut ids = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let first = rest.chars().next().map_or(0, char::len_utf8);
        let next = rest[first..].find("\n[");
        let end = next.map_or(rest.len(), |at| first + at);
        let (chunk, after) = rest.split_at(end);
        let key = digest::sha256(chunk.as_bytes());
        insert.execute(params![key, chunk.as_bytes()])?;
        ids.push(find.query_row([&key], |row| row.get(0))?);
        rest = after;
    }
    Ok(ids)
}

/// Numbers as variable-length bytes: a state of 300 packages is about 600 bytes.
fn pack(ids: &[i64]) -> Vec<u8> {
    postcard::to_stdvec(ids).unwrap_or_default()
}

/// An empty file is a history that was just begun, unless something is stored for one: the
/// next snapshot would not know of that, and `prune` would take it away.
fn refuse_emptied(own_dir: &Utf8Path, path: &Utf8Path) -> Result<(), SnapshotError> {
    if fs::is_dir(path) {
        return Err(SnapshotError::File(FsError {
            verb: "open",
            path: path.to_owned(),
            source: std::io::ErrorKind::IsADirectory.into(),
        }));
    }
    let store = own_dir.join("store");
    let is_emptied = fs::is_file(path) && fs::stamp(path)?.0 == 0;
    if is_emptied && fs::is_dir(&store) && !fs::list_dir(&store)?.is_empty() {
        return Err(SnapshotError::Damaged {
            path: path.to_owned(),
            detail: "it is empty, and what it kept lies beside it".to_owned(),
        });
    }
    Ok(())
}
