//! `snapshot prune`: old snapshots out of the history, and files that none of the rest
//! needs.
//!
//! The database first, as one transaction, and files after it: what is cut short in
//! between leaves files that nothing names, and the next prune finds them, for it looks at
//! what lies there and not at what it took out. The other way round a snapshot would still
//! be listed whose wheels are gone.

use std::collections::BTreeSet;

use camino::Utf8Path;

use super::context::Context;
use super::error::OpError;
use super::outcome::AppliedStatus;
use super::snapshot::Shown;
use super::transaction::start;
use crate::git::holds_more;
use crate::host::fs;
use crate::snapshot::retention::{Policy, needed, to_prune};
use crate::snapshot::salvage::find_damaged;
use crate::snapshot::{Db, Snapshot, bisect_origin};
use crate::store::collect::{Stored, find_unneeded, remove};
use crate::workspace::node::read_node;

/// What to prune.
#[derive(Debug, Clone, Copy, Default)]
pub struct PruneRequest {
    /// Which snapshots are kept.
    pub policy: Policy,
    /// Empty the trash too.
    pub trash: bool,
    /// Only show what would go.
    pub dry_run: bool,
}

/// What went, or would go.
#[derive(Debug, Clone)]
pub struct PruneOutcome {
    /// How it ended.
    pub status: AppliedStatus,
    /// The snapshots, newest first.
    pub snapshots: Vec<Shown>,
    /// How many stay.
    pub kept: usize,
    /// Files of the store, by path.
    pub store: Vec<Stored>,
    /// Entries of the trash, by name.
    pub trash: Vec<Stored>,
    /// Those of them that nothing else can bring back: no commit of a repository.
    pub only_copies: Vec<String>,
    /// Damaged histories that were put aside, whose snapshots may need what the store has: while
    /// one lies there nothing of the store goes.
    pub held_by: Vec<String>,
    /// How many bytes the history shrank by.
    pub db_bytes: u64,
}

/// Prunes the history.
///
/// # Errors
///
/// Fails if another run works here, or something cannot be read or removed; what was not
/// reached then is left for the next prune.
pub fn run(context: &Context, request: PruneRequest) -> Result<PruneOutcome, OpError> {
    let site = context.site()?;
    let own = site.installation.own_dir();
    if request.dry_run || Db::find(&own)?.is_none() {
        let Some(db) = Db::find(&own)? else {
            return plan(&mut None, &own, request);
        };
        return plan(&mut Some(db.copied()?), &own, request);
    }
    let _held = start(context, &site, "snapshot prune")?;
    let mut outcome = plan(&mut Some(Db::open(&own)?), &own, request)?;
    remove(&own.join("store"), &outcome.store)?;
    remove(&own.join("trash"), &outcome.trash)?;
    if outcome.status == AppliedStatus::DryRun {
        outcome.status = AppliedStatus::Done;
    }
    Ok(outcome)
}

/// Prunes a database, and says which files go with that.
fn plan(
    db: &mut Option<Db>,
    own: &Utf8Path,
    request: PruneRequest,
) -> Result<PruneOutcome, OpError> {
    let mut outcome = PruneOutcome {
        status: AppliedStatus::Nothing,
        snapshots: Vec::new(),
        kept: 0,
        store: Vec::new(),
        trash: Vec::new(),
        only_copies: Vec::new(),
        held_by: Vec::new(),
        db_bytes: 0,
    };
    if let Some(db) = db {
        let shown = super::snapshot::all(db)?;
        let all: Vec<Snapshot> = shown.iter().map(|it| it.snapshot.clone()).collect();
        let unfinished = db.unfinished_operation()?;
        if request.trash && (unfinished.is_some() || bisect_origin(&all).is_some()) {
            return Err(OpError::Refused(
                "the trash may hold what portenv recover has to put back; run that first"
                    .to_owned(),
            ));
        }
        let needed = needed(&all, unfinished.as_ref());
        let gone: BTreeSet<&str> = to_prune(&all, request.policy, &needed)
            .iter()
            .map(|it| it.id.as_str())
            .collect();
        outcome.snapshots = shown;
        outcome
            .snapshots
            .retain(|it| gone.contains(it.snapshot.id.as_str()));
        outcome.kept = all.len() - outcome.snapshots.len();
        let bytes = db.bytes()?;
        let gone: Vec<String> = outcome
            .snapshots
            .iter()
            .map(|it| it.snapshot.id.clone())
            .collect();
        if !gone.is_empty() {
            db.prune(&gone)?;
            db.tidy()?;
        }
        outcome.db_bytes = bytes.saturating_sub(db.bytes()?);
        outcome.store = find_unneeded(&own.join("store"), &db.store_files()?)?;
        if !outcome.store.is_empty() {
            outcome.held_by = find_damaged(own)?;
        }
        if !outcome.held_by.is_empty() {
            outcome.store.clear();
        }
    }
    if request.trash {
        let trash = own.join("trash");
        for name in fs::find_dir(&trash)? {
            let path = trash.join(&name);
            let node = read_node(&trash, &path, true, false);
            if node.is_some_and(|node| {
                node.commit.is_none() || node.url.is_none() || node.dirty || holds_more(&path)
            }) {
                outcome.only_copies.push(name.clone());
            }
            let bytes = fs::weigh(&path)?.bytes;
            outcome.trash.push(Stored { file: name, bytes });
        }
        outcome.trash.sort_by(|a, b| a.file.cmp(&b.file));
        outcome.only_copies.sort();
    }
    let nothing =
        outcome.snapshots.is_empty() && outcome.store.is_empty() && outcome.trash.is_empty();
    if !nothing {
        outcome.status = AppliedStatus::DryRun;
    }
    Ok(outcome)
}
