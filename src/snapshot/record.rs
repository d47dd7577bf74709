//! What was found and not done: an operation without steps, in one piece with its snapshot.

use rusqlite::params;

use super::db::Db;
use super::error::SnapshotError;
use super::model::{State, snapshot_id};

/// What is recorded, and as what.
#[derive(Debug, Clone, Copy)]
pub struct Found<'a> {
    /// The kind of the operation.
    pub kind: &'a str,
    /// The command, as far as there was one.
    pub command: &'a str,
    /// What was found.
    pub state: &'a State,
    /// When.
    pub time: &'a str,
    /// A label for the snapshot.
    pub label: Option<&'a str>,
}

impl Db {
    /// Records a state that was found as a snapshot of its own: whole, or not at all. Returns
    /// the snapshot's id.
    ///
    /// # Errors
    ///
    /// Fails if it cannot be written.
    pub fn record(&mut self, found: &Found<'_>) -> Result<String, SnapshotError> {
        let state = self.put_state(found.state)?;
        let parent = self.head()?.map(|head| head.id);
        let id = snapshot_id(&state, parent.as_deref(), found.time);
        let path = self.path.clone();
        let mut write = || -> rusqlite::Result<()> {
            let transaction = self.connection.transaction()?;
            transaction.execute(
                "INSERT INTO operation (id, parent, before, after, kind, command, started, ended, outcome) VALUES (?1, ?2, ?3, ?3, ?4, ?5, ?6, ?6, 'done')",
                params![id, parent, state, found.kind, found.command, found.time],
            )?;
            if let Some(label) = found.label {
                transaction.execute(
                    "INSERT OR REPLACE INTO label (name, snapshot) VALUES (?1, ?2)",
                    params![label, id],
                )?;
            }
            transaction.commit()
        };
        write().map_err(|source| SnapshotError::Sqlite { path, source })?;
        Ok(id)
    }
}
