//! Taking snapshots out of the history, and what only they needed.

use std::collections::BTreeSet;

use camino::Utf8Path;
use rusqlite::{Connection, params};

use super::db::Db;
use super::error::SnapshotError;
use super::model::PackageState;
use super::schema;
use crate::workspace::node::Node;

/// Below this a file is not worth writing anew.
const WORTH: u64 = 64 * 1024;

impl Db {
    /// Writes the whole history to a new file as it is at this moment.
    ///
    /// # Errors
    ///
    /// Fails if the file is there or cannot be written.
    pub fn copy_to(&self, path: &Utf8Path) -> Result<(), SnapshotError> {
        let copy = || {
            // One that was opened to read would write nothing anywhere.
            let reads: bool =
                (self.connection).pragma_query_value(None, "query_only", |row| row.get(0))?;
            self.connection.pragma_update(None, "query_only", false)?;
            let copied = self.connection.execute("VACUUM INTO ?1", [path.as_str()]);
            self.connection.pragma_update(None, "query_only", reads)?;
            copied
        };
        copy().map(|_| ()).map_err(|error| self.fail(error))
    }

    /// Takes snapshots out, and every state, distribution, node and piece of a lock that
    /// nothing needs any more: all of it or, if anything fails, nothing.
    ///
    /// The operations behind them go too, but for those that moved nodes or checkouts: an
    /// older snapshot is gone back to along these moves.
    ///
    /// # Errors
    ///
    /// Fails if it cannot be written, or a record cannot be read: then nobody knows what
    /// it needs, and nothing goes.
    pub fn prune(&mut self, gone: &[String]) -> Result<(), SnapshotError> {
        self.forget_rows();
        let path = self.path.clone();
        let fail = |source| SnapshotError::Sqlite {
            path: path.clone(),
            source,
        };
        let transaction = self.connection.transaction().map_err(fail)?;
        drop_snapshots(&transaction, gone).map_err(fail)?;
        let mut live = Live::default();
        live.read(&transaction)
            .map_err(fail)?
            .map_err(|detail| SnapshotError::Damaged {
                path: path.clone(),
                detail,
            })?;
        live.drop_others(&transaction).map_err(fail)?;
        transaction.commit().map_err(fail)
    }

    /// Returns the files of the store that a state names.
    ///
    /// # Errors
    ///
    /// Fails if they cannot be read.
    pub fn store_files(&self) -> Result<BTreeSet<String>, SnapshotError> {
        let mut files = BTreeSet::new();
        for body in self.all_bodies("dist")? {
            let package: PackageState =
                serde_json::from_str(&body).map_err(|error| self.damaged(error.to_string()))?;
            files.extend(package.store_files().map(str::to_owned));
        }
        for body in self.all_bodies("node")? {
            let node: Node =
                serde_json::from_str(&body).map_err(|error| self.damaged(error.to_string()))?;
            files.extend(
                node.kept
                    .into_iter()
                    .flat_map(|kept| [kept.base, kept.patch])
                    .flatten(),
            );
        }
        Ok(files)
    }

    fn all_bodies(&self, table: &str) -> Result<Vec<String>, SnapshotError> {
        let mut statement = self
            .connection
            .prepare(&format!("SELECT body FROM {table}"))
            .map_err(|error| self.fail(error))?;
        let rows = statement
            .query_map([], |row| row.get::<_, String>(0))
            .map_err(|error| self.fail(error))?;
        rows.map(|row| row.map_err(|error| self.fail(error)))
            .collect()
    }

    /// Returns the size of the file in bytes.
    ///
    /// # Errors
    ///
    /// Fails if it cannot be read.
    pub fn bytes(&self) -> Result<u64, SnapshotError> {
        Ok(self.number("page_count")? * self.number("page_size")?)
    }

    /// Writes the file anew without the room that is free in it, if that is a quarter of
    /// it or more. SQLite does so whole or not at all; where the disk has no room for a
    /// second file, the room stays free in the first and is used by what comes.
    ///
    /// # Errors
    ///
    /// Fails if the file cannot be read.
    pub fn tidy(&mut self) -> Result<(), SnapshotError> {
        let free = self.number("freelist_count")? * self.number("page_size")?;
        if free >= WORTH && free * 4 >= self.bytes()? {
            let _ = self.connection.execute_batch("VACUUM");
        }
        Ok(())
    }

    /// Returns a copy in memory, to try out what a change would do.
    ///
    /// # Errors
    ///
    /// Fails if the file cannot be read.
    pub fn copied(&self) -> Result<Self, SnapshotError> {
        let copy = || -> rusqlite::Result<Connection> {
            let mut memory = Connection::open_in_memory()?;
            rusqlite::backup::Backup::new(&self.connection, &mut memory)?.run_to_completion(
                1024,
                std::time::Duration::ZERO,
                None,
            )?;
            memory.pragma_update(None, "foreign_keys", true)?;
            // What reads an older file brings that up to date only in the copy.
            let _ = schema::migrate(&mut memory)?;
            Ok(memory)
        };
        let connection = copy().map_err(|error| self.fail(error))?;
        Ok(Self::of_memory(connection, self.path.clone()))
    }

    fn number(&self, pragma: &str) -> Result<u64, SnapshotError> {
        let found: i64 = self
            .connection
            .pragma_query_value(None, pragma, |row| row.get(0))
            .map_err(|error| self.fail(error))?;
        Ok(u64::try_from(found).unwrap_or(0))
    }
}

/// A step that an older snapshot is gone back to along.
const LEADS: &str = "json_extract(what, '$.do') IN ('move', 'checkout', 'advance')";

fn drop_snapshots(connection: &Connection, gone: &[String]) -> rusqlite::Result<()> {
    let mut drop = connection
        .prepare("UPDATE operation SET id = NULL, before = NULL, after = NULL WHERE id = ?1")?;
    for id in gone {
        drop.execute([id])?;
        connection.execute("DELETE FROM label WHERE snapshot = ?1", [id])?;
    }
    connection.execute_batch(&format!(
        "
-- The state before a closed operation serves nobody, unless a snapshot holds it.
UPDATE operation SET before = NULL WHERE outcome IN ('done', 'undone')
    AND before NOT IN (SELECT after FROM operation WHERE after IS NOT NULL);
CREATE TEMP TABLE gone AS SELECT number FROM operation WHERE id IS NULL AND (
    outcome = 'done' OR outcome = 'undone'
        AND (parent IS NULL OR parent NOT IN (SELECT id FROM operation WHERE id IS NOT NULL)));
DELETE FROM step WHERE operation IN (SELECT number FROM gone) AND NOT ({LEADS}
    AND operation IN (SELECT number FROM operation WHERE outcome = 'done'));
DELETE FROM operation WHERE number IN (SELECT number FROM gone)
    AND number NOT IN (SELECT operation FROM step);
DROP TABLE gone;
DELETE FROM state WHERE digest NOT IN (
    SELECT before FROM operation WHERE before IS NOT NULL
    UNION SELECT after FROM operation WHERE after IS NOT NULL);
"
    ))
}

/// The numbers of the rows that states are made of.
#[derive(Default)]
struct Live {
    dists: BTreeSet<i64>,
    nodes: BTreeSet<i64>,
    chunks: BTreeSet<i64>,
}

impl Live {
    /// Reads every state; the inner error says what cannot be understood.
    fn read(&mut self, connection: &Connection) -> rusqlite::Result<Result<(), String>> {
        let mut statement =
            connection.prepare("SELECT digest, dists, base, nodes, lock, core FROM state")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let digest: String = row.get(0)?;
            for column in 1..=4 {
                let ids = match column {
                    3 => &mut self.nodes,
                    4 => &mut self.chunks,
                    _ => &mut self.dists,
                };
                let packed: Option<Vec<u8>> = row.get(column)?;
                match packed.as_deref().map(postcard::from_bytes::<Vec<i64>>) {
                    None => {}
                    Some(Ok(found)) => ids.extend(found),
                    Some(Err(_)) => return Ok(Err(format!("the state {digest} is cut"))),
                }
            }
            self.nodes.extend(row.get::<_, Option<i64>>(5)?);
        }
        Ok(Ok(()))
    }

    fn drop_others(&self, connection: &Connection) -> rusqlite::Result<()> {
        for (table, live) in [
            ("dist", &self.dists),
            ("node", &self.nodes),
            ("chunk", &self.chunks),
        ] {
            let mut all = connection.prepare(&format!("SELECT id FROM {table}"))?;
            let ids = all.query_map([], |row| row.get::<_, i64>(0))?;
            let ids: Vec<i64> = ids.collect::<rusqlite::Result<_>>()?;
            let mut drop = connection.prepare(&format!("DELETE FROM {table} WHERE id = ?1"))?;
            for id in ids.iter().filter(|id| !live.contains(id)) {
                drop.execute(params![id])?;
            }
        }
        Ok(())
    }
}
