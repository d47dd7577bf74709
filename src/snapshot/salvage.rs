//! A damaged history: what of it can still be read, in a new file.

use std::collections::BTreeMap;

use camino::{Utf8Path, Utf8PathBuf};
use rusqlite::{Connection, params};

use super::db::{Db, FILE};
use super::error::SnapshotError;
use super::model::{Operation, Outcome};
use crate::host::fs;

/// What SQLite keeps beside a database file, and what belongs to it as its rows do.
const SIDES: [&str; 3] = ["-wal", "-journal", "-shm"];

/// What became of a damaged history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Salvaged {
    /// Where the damaged file lies now.
    pub aside: Utf8PathBuf,
    /// How many snapshots could be read.
    pub kept: usize,
    /// The snapshots that could not, as far as even their ids could be read.
    pub lost: Vec<String>,
}

impl Db {
    /// Reads everything, and asks SQLite whether the file is whole.
    ///
    /// # Errors
    ///
    /// Fails with the first thing that cannot be read.
    pub fn check(&self) -> Result<(), SnapshotError> {
        if let Some(detail) = self.faults() {
            return Err(self.damaged(detail));
        }
        for operation in self.operations()? {
            self.steps(operation.number)?;
            for state in operation.before.iter().chain(&operation.after) {
                self.state(state)?;
            }
        }
        self.snapshots().map(drop)
    }

    /// Returns what SQLite finds wrong with the file.
    pub(super) fn faults(&self) -> Option<String> {
        let first = self
            .connection
            .query_row("PRAGMA integrity_check(1)", [], |row| {
                row.get::<_, String>(0)
            });
        match first {
            Ok(text) if text == "ok" => None,
            Ok(text) => Some(text.split_whitespace().collect::<Vec<_>>().join(" ")),
            Err(error) => Some(error.to_string()),
        }
    }
}

/// Puts what can be read of a damaged history into a new file in its place, and keeps the
/// damaged one beside it under a name with this stamp.
///
/// The damaged file is copied first and replaced last, by one rename: whatever cuts this
/// short, the next try finds the damaged file, or the new one, and the copy of the former.
///
/// # Errors
///
/// Fails if a file cannot be written; the damaged one is then where it was.
pub fn salvage(own_dir: &Utf8Path, stamp: &str) -> Result<Salvaged, SnapshotError> {
    let path = own_dir.join(FILE);
    let aside = free_place(own_dir, stamp);
    for side in SIDES.into_iter().chain([""]) {
        if let Some(bytes) = fs::find_bytes(&Utf8PathBuf::from(format!("{path}{side}")))? {
            fs::write_atomic(&Utf8PathBuf::from(format!("{aside}{side}")), &bytes)?;
        }
    }
    let part = own_dir.join(format!("{FILE}.rebuilt"));
    remove(&part)?;
    let mut salvaged = Salvaged {
        aside,
        kept: 0,
        lost: Vec::new(),
    };
    {
        let mut new = Db::open_at(own_dir, &part)?;
        if let Ok(Some(old)) = Db::find(own_dir) {
            copy(&old, &mut new, &mut salvaged)?;
        }
        // All of it in the one file that is renamed, or no rename.
        let settled = new.connection.pragma_update(None, "journal_mode", "DELETE");
        settled.map_err(|error| new.fail(error))?;
    }
    // The old ones' log would be taken for the new one's.
    for side in SIDES {
        fs::remove_all(&Utf8PathBuf::from(format!("{path}{side}")))?;
    }
    fs::rename(&part, &path)?;
    Ok(salvaged)
}

/// Finds the damaged histories that were put aside, by name.
///
/// # Errors
///
/// Fails if the directory cannot be read.
pub fn find_damaged(own_dir: &Utf8Path) -> Result<Vec<String>, SnapshotError> {
    let begins = format!("{FILE}.damaged-");
    let mut names = fs::find_dir(own_dir)?;
    names.retain(|name| {
        let is_side = SIDES.iter().any(|side| name.ends_with(side));
        name.starts_with(&begins) && !is_side
    });
    names.sort();
    Ok(names)
}

fn remove(path: &Utf8Path) -> Result<(), SnapshotError> {
    for side in SIDES.into_iter().chain([""]) {
        fs::remove_all(&Utf8PathBuf::from(format!("{path}{side}")))?;
    }
    Ok(())
}

fn free_place(own_dir: &Utf8Path, stamp: &str) -> Utf8PathBuf {
    let stamp: String = stamp.chars().filter(char::is_ascii_alphanumeric).collect();
    let mut place = own_dir.join(format!("{FILE}.damaged-{stamp}"));
    let mut n = 2;
    while fs::exists(&place) {
        place = own_dir.join(format!("{FILE}.damaged-{stamp}-{n}"));
        n += 1;
    }
    place
}

/// Copies every operation whose states can be read.
fn copy(old: &Db, new: &mut Db, salvaged: &mut Salvaged) -> Result<(), SnapshotError> {
    for operation in readable(&old.connection).into_values() {
        let mut state = |digest: &Option<String>| -> Result<Option<String>, SnapshotError> {
            match digest.as_deref().map(|digest| old.state(digest)) {
                Some(Ok(state)) => new.put_state(&state).map(Some),
                _ => Ok(None),
            }
        };
        let (before, after) = (state(&operation.before)?, state(&operation.after)?);
        // Without the state an operation was to leave, or would be undone to, it is nothing.
        let needs = match operation.outcome {
            Outcome::Open | Outcome::Broken => before.is_some(),
            Outcome::Done | Outcome::Undone => after.is_some() || operation.id.is_none(),
        };
        if !needs {
            let unnamed = || format!("operation {}", operation.number);
            salvaged
                .lost
                .push(operation.id.clone().unwrap_or_else(unnamed));
            continue;
        }
        salvaged.kept += usize::from(operation.id.is_some());
        let mut write = || -> rusqlite::Result<()> {
            let transaction = new.connection.transaction()?;
            transaction.execute(
                "INSERT INTO operation (number, id, parent, before, after, kind, command, started, ended, outcome, restores) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
                params![operation.number, operation.id, operation.parent, before, after, operation.kind, operation.command, operation.started, operation.ended, operation.outcome.as_str(), operation.restores],
            )?;
            let steps = old.steps(operation.number).unwrap_or_default();
            for (n, step) in (0i64..).zip(&steps) {
                transaction.execute(
                    "INSERT INTO step (operation, n, what, done) VALUES (?1, ?2, ?3, 0)",
                    params![
                        operation.number,
                        n,
                        serde_json::to_string(step).unwrap_or_default()
                    ],
                )?;
            }
            transaction.commit()
        };
        let written = write();
        written.map_err(|error| new.fail(error))?;
    }
    let known: Vec<String> = new.snapshots()?.into_iter().map(|it| it.id).collect();
    for (name, snapshot) in labels(&old.connection) {
        if known.contains(&snapshot) {
            new.label(&snapshot, &name)?;
        }
    }
    Ok(())
}

/// Reads operations from both ends: a torn page in the middle hides only what is on it.
fn readable(connection: &Connection) -> BTreeMap<i64, Operation> {
    let mut found = BTreeMap::new();
    for order in ["ASC", "DESC"] {
        let all = format!(
            "SELECT number, id, parent, before, after, kind, command, started, ended, outcome, restores FROM operation ORDER BY number {order}"
        );
        let Ok(mut statement) = connection.prepare(&all) else {
            continue;
        };
        if let Ok(rows) = statement.query_map([], super::db::operation) {
            found.extend(rows.map_while(Result::ok).map(|it| (it.number, it)));
        }
    }
    found
}

fn labels(connection: &Connection) -> Vec<(String, String)> {
    let Ok(mut statement) = connection.prepare("SELECT name, snapshot FROM label") else {
        return Vec::new();
    };
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)));
    rows.map_or(Vec::new(), |rows| rows.map_while(Result::ok).collect())
}
