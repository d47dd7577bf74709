//! Undoing an operation: one that failed just now, or one whose run was killed.

use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};

use super::capture::{Knowledge, capture};
use super::changes::Difference;
use super::context::{Context, Site};
use super::edits::undo_edit;
use super::error::{OpError, chain};
use super::installer::Installer;
use super::packages::{Mover, PackageGoal, apply};
use super::remains;
use super::transaction::{aside_dir, move_noted, put_lock};
use crate::git::work::LEFT;
use crate::git::{Work, upstream};
use crate::host::{DirLock, FsError, fs};
use crate::nodes::trash;
use crate::snapshot::{Db, Operation, Outcome, State, Step, Touched};

/// Where disabled nodes lie: made by the first that is disabled.
const DISABLED: &str = ".disabled";

/// Undoes an operation that a killed run left open; `true` if there was one.
///
/// # Errors
///
/// Fails if it cannot be undone whole.
pub fn heal(context: &Context, site: &Site, db: &mut Db, held: &DirLock) -> Result<bool, OpError> {
    match db.open_operation()? {
        Some(operation) => heal_operation(context, site, db, held, &operation).map(|()| true),
        None => Ok(false),
    }
}

/// Undoes one operation that was cut short, or could not be undone before.
///
/// # Errors
///
/// Fails if it cannot be undone whole.
pub fn heal_operation(
    context: &Context,
    site: &Site,
    db: &mut Db,
    held: &DirLock,
    operation: &Operation,
) -> Result<(), OpError> {
    context
        .progress
        .begin(&format!("undoing an interrupted {}", operation.kind), None);
    let undone = undo(context, site, db, held, operation, Cut::Killed);
    context.progress.end();
    undone?;
    // What the killed run had staged is of no use to anyone.
    Ok(fs::remove_all(&site.installation.own_dir().join("tmp"))?)
}

/// How an operation came to be undone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cut {
    /// One of its steps failed, just now.
    Failed,
    /// Its run was killed, and anybody may have worked here since.
    Killed,
}

/// Undoes the steps of an operation in reverse and proves that the state before is
/// back.
///
/// # Errors
///
/// Fails with what is not as it was; the operation then counts as broken, and later
/// changes build on what is there.
pub(super) fn undo(
    context: &Context,
    site: &Site,
    db: &mut Db,
    held: &DirLock,
    operation: &Operation,
    cut: Cut,
) -> Result<(), OpError> {
    let before = match &operation.before {
        Some(digest) => db.state(digest)?,
        None => State::default(),
    };
    let root = &site.installation.root;
    // No git of ours was killed where a step merely failed: a new lock is somebody's.
    let age = match cut {
        Cut::Failed => LEFT,
        Cut::Killed => Duration::ZERO,
    };
    let mut left = Vec::new();
    for step in db.steps(operation.number)?.iter().rev() {
        let undone = match step {
            Step::Move { from, to } => {
                let (from, to) = (root.join(from), root.join(to));
                let part = Utf8PathBuf::from(format!("{to}{}", fs::PART));
                let back = || {
                    fs::remove_all(&part)?;
                    // What is at `to` is whole. What is at `from` beside it was left there by
                    // a copy that was cut short, or put there by somebody since.
                    if fs::exists(&to) {
                        if fs::exists(&from) {
                            put_aside(context, site, &from)?;
                        }
                        fs::rename(&to, &from)?;
                    }
                    // It was made for what was moved there.
                    if let Some(dir) = to.parent().filter(|dir| dir.file_name() == Some(DISABLED)) {
                        fs::remove_empty_dir(dir);
                    }
                    Ok(())
                };
                back()
            }
            Step::Checkout {
                dir,
                from,
                branch,
                to,
            } => {
                let path = root.join(dir);
                let work = Work::new(&path, held);
                let aside = place_aside(context, site, &path);
                work.put_back(from, to, &aside, age)
                    .map(|()| {
                        if let Some(branch) = branch {
                            work.attach(branch);
                        }
                    })
                    .map_err(OpError::from)
            }
            Step::Advance {
                dir,
                from,
                was,
                branch,
                tip,
                to,
            } => {
                let path = root.join(dir);
                let work = Work::new(&path, held);
                let aside = place_aside(context, site, &path);
                let back = || {
                    work.put_back(from, to, &aside, age)?;
                    if tip != to && upstream::tip(&path, branch).as_deref() == Some(to) {
                        work.move_branch(branch, to, tip)?;
                    }
                    if let Some(was) = was {
                        work.attach(was);
                    }
                    Ok(())
                };
                back().map_err(|error: crate::git::GitError| error.into())
            }
            Step::Packages(touched) => {
                let aside = aside_dir(site, operation.number);
                let mut mover = |from: &Utf8Path, to: &Utf8Path| {
                    move_noted(site, db, operation.number, from, to)
                };
                restore_packages(context, site, held, &before, touched, &aside, &mut mover)
                    .and_then(|()| remains::sweep(context, site, touched, cut == Cut::Killed))
            }
            Step::Stash { .. } | Step::Patch { .. } => undo_edit(site, step),
            Step::Lock => put_lock(site, before.lock.as_deref()),
        };
        if let Err(error) = undone {
            left.push(chain(&error));
        }
    }
    let installed = site.installed()?;
    let now = capture(
        context,
        site,
        &installed,
        &Knowledge {
            states: vec![&before],
            lock: None,
            index: None,
        },
    )?;
    let difference = Difference::between(&before, &now);
    let ended = context.clock.now().to_string();
    if now.lock != before.lock {
        left.push("pylock.toml is not what it was".to_owned());
    } else if difference.is_of_base() {
        db.close(operation.number, Outcome::Undone, &ended)?;
        return Ok(());
    }
    db.close(operation.number, Outcome::Broken, &ended)?;
    left.extend(difference.changes.iter().map(|change| {
        format!(
            "{}: {} was there, {} is",
            change.name,
            change.from.as_deref().unwrap_or("nothing"),
            change.to.as_deref().unwrap_or("nothing")
        )
    }));
    left.extend(
        difference
            .nodes
            .iter()
            .map(|node| format!("{} differs", node.dir)),
    );
    Err(OpError::Broken(left))
}

/// Moves to the trash what is in the way of an undoing, under a name by which no rollback
/// takes it for the node of that name.
fn put_aside(context: &Context, site: &Site, path: &Utf8Path) -> Result<(), FsError> {
    fs::rename(path, &place_aside(context, site, path))
}

fn place_aside(context: &Context, site: &Site, path: &Utf8Path) -> Utf8PathBuf {
    let trash = site.installation.own_dir().join("trash");
    let name = format!("in-the-way-{}", path.file_name().unwrap_or_default());
    let place = trash::free_place(&trash, &name, &context.clock.now().to_string());
    trash.join(place)
}

fn restore_packages(
    context: &Context,
    site: &Site,
    held: &DirLock,
    before: &State,
    touched: &Touched,
    aside: &Utf8Path,
    mover: &mut Mover<'_>,
) -> Result<(), OpError> {
    let mut goal = PackageGoal::of_state(before, &site.installation.own_dir());
    let installed = site.installed()?;
    remains::aim(&mut goal, &installed, before, touched);
    if goal.is_met(&installed) {
        return Ok(());
    }
    let installer = Installer::find(context, site, &goal)?;
    apply(context, site, &installer, held, &goal, aside, mover)
}
