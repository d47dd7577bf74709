//! `snapshot create | list | show | label`: the history as a log.

use super::changes::Difference;
use super::context::Context;
use super::error::OpError;
use super::rollback::find;
use super::transaction::{heal, record_present};
use super::turn::take_lock;
use crate::snapshot::{Db, Snapshot, State};

/// A snapshot with its state.
#[derive(Debug, Clone)]
pub struct Shown {
    /// The snapshot.
    pub snapshot: Snapshot,
    /// Its state.
    pub state: State,
    /// What changed since the snapshot before it; `None` for the first.
    pub since: Option<Since>,
}

/// What changed from one snapshot to the next.
#[derive(Debug, Clone)]
pub struct Since {
    /// Packages, nodes and core.
    pub difference: Difference,
    /// The lock is another.
    pub lock: bool,
}

impl Since {
    fn between(before: &State, after: &State) -> Self {
        Self {
            difference: Difference::between(before, after),
            lock: before.lock != after.lock,
        }
    }
}

/// Records the present, under a label if one is given. Nothing new means that the
/// newest snapshot is the one, and gets the label.
///
/// # Errors
///
/// Fails if it cannot be written.
pub fn create(context: &Context, label: Option<&str>) -> Result<Shown, OpError> {
    let site = context.site()?;
    let held = take_lock(context, &site, "snapshot create")?;
    let mut db = Db::open(&site.installation.own_dir())?;
    heal(context, &site, &mut db, &held)?;
    let (_, id) = record_present(context, &site, &mut db)?;
    if let Some(label) = label {
        check_label(label)?;
        db.label(&id, label)?;
    }
    show_in(&db, &id)
}

/// Gives a snapshot a label.
///
/// # Errors
///
/// Fails if there is no such snapshot.
pub fn label(context: &Context, name: &str, label: &str) -> Result<Shown, OpError> {
    check_label(label)?;
    let installation = context.installation()?;
    let own = installation.own_dir();
    if Db::find(&own)?.is_none() {
        return Err(OpError::NotFound(
            "there is no snapshot yet; portenv init records the first".to_owned(),
        ));
    }
    let mut db = Db::open(&own)?;
    let id = find(&db.snapshots()?, name)?.id.clone();
    db.label(&id, label)?;
    show_in(&db, &id)
}

fn check_label(label: &str) -> Result<(), OpError> {
    if label.is_empty() || label.starts_with(['@', '-']) || label.chars().any(char::is_control) {
        return Err(OpError::Usage(format!(
            "`{}` cannot be a label",
            label.escape_debug()
        )));
    }
    Ok(())
}

/// Says so if the history is of a newer portenv: this one only reads it, and what it does
/// not know is not shown.
///
/// # Errors
///
/// Fails if the history cannot be read.
pub fn newer(context: &Context) -> Result<Option<String>, OpError> {
    let db = Db::find(&context.installation()?.own_dir())?;
    let writable = db.map(|db| db.check_writable()).transpose();
    Ok(writable
        .err()
        .map(|error| format!("{error}; it is only read")))
}

/// Lists all snapshots, newest first, with their states.
///
/// # Errors
///
/// Fails if the history cannot be read.
pub fn list(context: &Context) -> Result<Vec<Shown>, OpError> {
    let installation = context.installation()?;
    let Some(db) = Db::find(&installation.own_dir())? else {
        return Ok(Vec::new());
    };
    all(&db)
}

/// Returns how many bytes are stored for going back to snapshots.
///
/// # Errors
///
/// Fails if the store cannot be read.
pub fn stored_bytes(context: &Context) -> Result<u64, OpError> {
    let store = context.installation()?.own_dir().join("store");
    Ok(crate::store::collect::sizes(&store)?.total())
}

/// Reads all snapshots, newest first, with what each changed.
///
/// # Errors
///
/// Fails if the history cannot be read.
pub fn all(db: &Db) -> Result<Vec<Shown>, OpError> {
    let mut all: Vec<Shown> = Vec::new();
    for snapshot in db.snapshots()? {
        let state = db.state_of(&snapshot)?;
        if let Some(later) = all.last_mut() {
            later.since = Some(Since::between(&state, &later.state));
        }
        all.push(Shown {
            snapshot,
            state,
            since: None,
        });
    }
    Ok(all)
}

/// Reads one snapshot.
///
/// # Errors
///
/// Fails if there is no such snapshot.
pub fn show(context: &Context, name: &str) -> Result<Shown, OpError> {
    let installation = context.installation()?;
    let db = Db::find(&installation.own_dir())?.ok_or_else(|| {
        OpError::NotFound("there is no snapshot yet; portenv init records the first".to_owned())
    })?;
    show_in(&db, name)
}

fn show_in(db: &Db, name: &str) -> Result<Shown, OpError> {
    let snapshots = db.snapshots()?;
    let snapshot = find(&snapshots, name)?.clone();
    let state = db.state_of(&snapshot)?;
    let mut older = snapshots.iter().skip_while(|one| one.id != snapshot.id);
    let since = match older.nth(1) {
        Some(before) => Some(Since::between(&db.state_of(before)?, &state)),
        None => None,
    };
    Ok(Shown {
        snapshot,
        state,
        since,
    })
}
