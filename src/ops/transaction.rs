//! One change of an installation: locked, journaled, verified, undone if it fails.
//!
//! Order: directory lock, heal what a killed run left, record drift, open the
//! operation, steps (each noted before it is made), verify by reading back, close
//! with the snapshot after. Any failure in between undoes the steps in reverse.

use std::collections::BTreeMap;

use camino::{Utf8Path, Utf8PathBuf};

use super::capture::{Knowledge, capture};
use super::changes::Difference;
use super::context::{Context, Site};
use super::edits::undo_edit;
use super::error::{OpError, chain};
use super::inputs::ResolveFlags;
use super::keep::mend;
use super::keep_nodes::is_known;
use super::obstacle::tell_running;
use super::packages::{PackageGoal, apply};
use super::turn::{Reserve, take_lock};
use crate::git::{self, upstream};
use crate::host::{DirLock, FsError, fs};
use crate::index::RemoteIndex;
use crate::lock::Lock;
use crate::nodes::trash;
use crate::snapshot::{AS_FOUND, Db, Operation, Outcome, State, Step};
use crate::uv::{Search, Uv, find_uv};

/// What a lock is called that no command has applied.
pub const LOCK_WRITTEN: &str = "a lock that was not applied yet";

/// What a snapshot is called that says how nodes come back of which an older one did not.
const NODES_KEPT: &str = "what nodes need to come back";

/// A change under way.
pub struct Transaction<'a> {
    pub(super) context: &'a Context,
    pub(super) site: &'a Site,
    pub(super) held: DirLock,
    pub(super) db: Db,
    /// What the installation looked like when the change began.
    pub before: State,
    /// The snapshot of that.
    pub before_id: String,
    pub(super) operation: i64,
}

/// A change that ended well.
#[derive(Debug, Clone)]
pub struct Finished {
    /// The operation's number.
    pub operation: i64,
    /// The snapshot before.
    pub before: String,
    /// The snapshot after.
    pub after: String,
    /// What really changed.
    pub difference: Difference,
}

/// Finds uv for an installation.
///
/// # Errors
///
/// Fails if there is none and none can be fetched.
pub fn uv_for(context: &Context, site: &Site) -> Result<Uv, OpError> {
    let index = plain_index(context, site)?;
    Ok(find_uv(&Search {
        named: context.uv.as_deref(),
        path: &context.around.path,
        python: Some(&site.interpreter.path),
        cache_dir: context.cache_dir.as_deref(),
        target: &site.target,
        index: &index,
    })?)
}

/// Opens the installation's indexes without any flags of a command.
///
/// # Errors
///
/// Fails on an address that cannot be read.
pub fn plain_index(context: &Context, site: &Site) -> Result<RemoteIndex, OpError> {
    ResolveFlags::default().open_index(context, &site.installation.settings, &[], None)
}

/// Takes the directory lock and undoes what a killed run left, so that what is
/// planned from here on is planned on a whole state that nobody else changes.
///
/// # Errors
///
/// Fails if another run works here, or an earlier one cannot be healed.
pub fn start(context: &Context, site: &Site, purpose: &str) -> Result<DirLock, OpError> {
    let own_dir = site.installation.own_dir();
    fs::create_dir_all(&own_dir)?;
    fs::check_writable(&own_dir)?;
    let held = take_lock(context, site, purpose)?;
    let db = Db::find(&own_dir)?;
    // Before anything is planned that could not be recorded.
    db.as_ref().map(Db::check_writable).transpose()?;
    if let Some(db) = &db
        && let Some(head) = db.head()?
    {
        site.needs_known_python(&db.state_of(&head)?.python_path)?;
    }
    let open = db.map(|db| db.open_operation()).transpose()?;
    if open.flatten().is_some() {
        heal(context, site, &mut Db::open(&own_dir)?, &held)?;
    }
    // A run that was killed while it staged has nothing to undo, only files to leave.
    fs::remove_all(&own_dir.join("tmp"))?;
    Ok(held)
}

impl<'a> Transaction<'a> {
    /// Makes the installation ready for a change: drift, first snapshot. No
    /// operation is open yet.
    ///
    /// # Errors
    ///
    /// Fails if the state cannot be read or written.
    pub fn prepare(context: &'a Context, site: &'a Site, held: DirLock) -> Result<Self, OpError> {
        let mut db = Db::open(&site.installation.own_dir())?;
        tell_running(context, site);
        let (before, before_id) = record_present(context, site, &mut db)?;
        Ok(Self {
            context,
            site,
            held,
            db,
            before,
            before_id,
            operation: 0,
        })
    }

    /// Opens the operation: from here on everything is journaled.
    ///
    /// # Errors
    ///
    /// Fails if it cannot be written.
    pub fn open(&mut self, kind: &str, command: &str) -> Result<(), OpError> {
        // A lock and the sync that applies it are one step.
        if kind != "sync" {
            self.before_id = record_lock(self.context, &mut self.db, &self.before)?;
        }
        let before = self.db.put_state(&self.before)?;
        let now = self.context.clock.now().to_string();
        self.operation = self.db.begin(kind, command, &before, &now)?;
        Ok(())
    }

    /// Moves a path, noted first. Paths are relative to the root where they can be.
    ///
    /// # Errors
    ///
    /// Fails if it cannot be moved.
    pub fn move_path(&mut self, from: &str, to: &str) -> Result<(), OpError> {
        let root = &self.site.installation.root;
        if fs::exists(&root.join(to)) {
            return Err(OpError::InTheWay(to.to_owned()));
        }
        self.db.note_step(
            self.operation,
            &Step::Move {
                from: from.to_owned(),
                to: to.to_owned(),
            },
        )?;
        Ok(fs::rename(&root.join(from), &root.join(to))?)
    }

    /// Takes a checkout to another commit, noted first. A branch is never moved, but
    /// attached again where its tip is the commit.
    ///
    /// # Errors
    ///
    /// Fails if the commit is not there or changed files are in the way.
    pub fn checkout(&mut self, dir: &str, to: &str) -> Result<(), OpError> {
        let path = self.site.installation.root.join(dir);
        let before = self.detach(dir, to)?;
        let recorded = self.branch_at(dir, to)?;
        for branch in before.iter().chain(&recorded) {
            git::change::attach(&path, branch);
        }
        Ok(())
    }

    /// Takes a checkout to another commit and leaves it there without a branch, noted
    /// first. Returns the branch that was attached.
    ///
    /// # Errors
    ///
    /// Fails if the commit is not there or changed files are in the way.
    pub fn detach(&mut self, dir: &str, to: &str) -> Result<Option<String>, OpError> {
        let path = self.site.installation.root.join(dir);
        let now = git::read_checkout(&path)?;
        self.db.note_step(
            self.operation,
            &Step::Checkout {
                dir: dir.to_owned(),
                from: now.commit.unwrap_or_default(),
                branch: now.branch.clone(),
                to: to.to_owned(),
            },
        )?;
        git::fetch_commit(&path, to)?;
        git::checkout(&path, to)?;
        Ok(now.branch)
    }

    /// Takes a checkout to another commit and a branch with it, noted first: HEAD moves,
    /// then the branch, then it is attached, and each can be told from the other.
    ///
    /// # Errors
    ///
    /// Fails if the commit is not there or changed files are in the way.
    pub fn advance(&mut self, dir: &str, branch: &str, to: &str) -> Result<(), OpError> {
        let path = self.site.installation.root.join(dir);
        let now = git::read_checkout(&path)?;
        let tip = upstream::tip(&path, branch).unwrap_or_default();
        self.db.note_step(
            self.operation,
            &Step::Advance {
                dir: dir.to_owned(),
                from: now.commit.unwrap_or_default(),
                was: now.branch,
                branch: branch.to_owned(),
                tip: tip.clone(),
                to: to.to_owned(),
            },
        )?;
        git::checkout(&path, to)?;
        if tip != to {
            upstream::move_branch(&path, branch, &tip, to)?;
        }
        git::change::attach(&path, branch);
        Ok(())
    }

    /// Returns the branch that was attached when a checkout was last taken away from
    /// this commit.
    fn branch_at(&self, dir: &str, commit: &str) -> Result<Option<String>, OpError> {
        for operation in self.db.operations()? {
            for step in self.db.steps(operation.number)? {
                match step {
                    Step::Checkout {
                        dir: at,
                        from,
                        branch: Some(branch),
                        ..
                    }
                    | Step::Advance {
                        dir: at,
                        from,
                        was: Some(branch),
                        ..
                    } if at == dir && from == commit => return Ok(Some(branch)),
                    _ => {}
                }
            }
        }
        Ok(None)
    }

    /// Makes the environment what is wanted, noted first.
    ///
    /// # Errors
    ///
    /// Fails if uv fails or the environment read back is not what was wanted.
    pub fn packages(&mut self, goal: &PackageGoal) -> Result<(), OpError> {
        self.db.note_step(self.operation, &Step::Packages)?;
        let uv = uv_for(self.context, self.site)?;
        let installed = self.site.installed()?;
        let steps = goal.plan(&installed).steps;
        let names: Vec<_> = steps.into_iter().map(|step| step.change.name).collect();
        mend(self.site, &self.before, &installed, &names);
        apply(self.context, self.site, &uv, &self.held, goal)?;
        self.context.check_cancel()
    }

    /// Replaces the lock, noted first; `None` removes it.
    ///
    /// # Errors
    ///
    /// Fails if it cannot be written.
    pub fn write_lock(&mut self, text: Option<&str>) -> Result<(), OpError> {
        self.db.note_step(self.operation, &Step::Lock)?;
        put_lock(self.site, text)
    }

    /// Closes the operation with the snapshot of what is there now.
    ///
    /// # Errors
    ///
    /// Fails if the state cannot be read or written.
    pub fn finish(
        &mut self,
        lock: Option<&Lock>,
        restored: Option<&State>,
        restores: Option<&str>,
    ) -> Result<Finished, OpError> {
        let installed = self.site.installed()?;
        let index = plain_index(self.context, self.site)?;
        let mut states = vec![&self.before];
        states.extend(restored);
        let after = capture(
            self.context,
            self.site,
            &installed,
            &Knowledge {
                states,
                lock,
                index: Some(&index),
            },
        )?;
        let now = self.context.clock.now().to_string();
        let id = self.db.finish(self.operation, &after, &now, restores)?;
        let difference = Difference::between(&self.before, &after);
        Ok(Finished {
            operation: self.operation,
            before: self.before_id.clone(),
            after: id,
            difference,
        })
    }

    /// Runs the steps; if one fails, all are undone.
    ///
    /// # Errors
    ///
    /// Fails with what failed, or with what could not be undone.
    pub fn run(
        mut self,
        steps: impl FnOnce(&mut Self) -> Result<Finished, OpError>,
    ) -> Result<Finished, OpError> {
        let reserve = Reserve::make(&self.site.installation.own_dir());
        let failure = match steps(&mut self) {
            Ok(finished) => return Ok(finished),
            Err(failure) => failure,
        };
        drop(reserve);
        match self.undo_open() {
            Ok(()) => Err(failure),
            Err(error @ OpError::Broken(_)) => Err(error),
            // Whatever cut the undoing short, nothing proves that the state before is back.
            Err(error) => Err(OpError::Broken(vec![
                chain(&failure),
                format!("and while that was undone: {}", chain(&error)),
            ])),
        }
    }

    fn undo_open(&mut self) -> Result<(), OpError> {
        let operations = self.db.operations()?.into_iter();
        let mut open = operations.filter(|operation| operation.outcome == Outcome::Open);
        match open.find(|operation| operation.number == self.operation) {
            Some(operation) => {
                let (db, held) = (&mut self.db, &self.held);
                undo(self.context, self.site, db, held, &operation)
            }
            None => Ok(()),
        }
    }
}

fn put_lock(site: &Site, text: Option<&str>) -> Result<(), OpError> {
    let path = site.installation.lock_path();
    match text {
        Some(text) => fs::write_atomic(&path, text.as_bytes())?,
        None => fs::remove_all(&path)?,
    }
    Ok(())
}

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
    let undone = undo(context, site, db, held, operation);
    context.progress.end();
    undone?;
    // What the killed run had staged is of no use to anyone.
    Ok(fs::remove_all(&site.installation.own_dir().join("tmp"))?)
}

/// Undoes the steps of an operation in reverse and proves that the state before is
/// back.
///
/// # Errors
///
/// Fails with what is not as it was; the operation then counts as broken, and later
/// changes build on what is there.
fn undo(
    context: &Context,
    site: &Site,
    db: &mut Db,
    held: &DirLock,
    operation: &Operation,
) -> Result<(), OpError> {
    let before = match &operation.before {
        Some(digest) => db.state(digest)?,
        None => State::default(),
    };
    let root = &site.installation.root;
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
                    Ok(())
                };
                back()
            }
            Step::Checkout {
                dir, from, branch, ..
            } => {
                let path = root.join(dir);
                git::checkout(&path, from)
                    .map(|()| {
                        if let Some(branch) = branch {
                            git::change::attach(&path, branch);
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
                let back = || {
                    git::checkout(&path, from)?;
                    if tip != to && upstream::tip(&path, branch).as_deref() == Some(to) {
                        upstream::move_branch(&path, branch, to, tip)?;
                    }
                    if let Some(was) = was {
                        git::change::attach(&path, was);
                    }
                    Ok(())
                };
                back().map_err(|error: git::GitError| error.into())
            }
            Step::Stash { .. } | Step::Patch { .. } => undo_edit(site, step),
            Step::Packages => restore_packages(context, site, held, &before),
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
    let trash = site.installation.own_dir().join("trash");
    let name = format!("in-the-way-{}", path.file_name().unwrap_or_default());
    let place = trash::free_place(&trash, &name, &context.clock.now().to_string());
    fs::rename(path, &trash.join(place))
}

fn restore_packages(
    context: &Context,
    site: &Site,
    held: &DirLock,
    before: &State,
) -> Result<(), OpError> {
    let goal = PackageGoal::of_state(before, &site.installation.own_dir());
    if goal.is_met(&site.installed()?) {
        return Ok(());
    }
    let uv = uv_for(context, site)?;
    apply(context, site, &uv, held, &goal)
}

/// Records the present as a snapshot if the history does not have it yet: the
/// first one as found, later ones as drift. Returns it with its id.
///
/// # Errors
///
/// Fails if the state cannot be read or written.
pub fn record_present(
    context: &Context,
    site: &Site,
    db: &mut Db,
) -> Result<(State, String), OpError> {
    let installed = site.installed()?;
    let head = db.head()?;
    let known = head.as_ref().map(|head| db.state_of(head)).transpose()?;
    if let (Some(head), Some(known)) = (&head, &known) {
        let quick = capture(
            context,
            site,
            &installed,
            &Knowledge {
                states: vec![known],
                lock: None,
                index: None,
            },
        )?;
        // A snapshot made while the index was away lacks sources: they are looked for again.
        let whole = context.offline || known.packages.iter().all(|found| found.source.is_some());
        if whole && is_known(known) && Difference::between(known, &quick).is_empty() {
            // Same content: sources known before count, and the lock of today.
            return Ok((
                State {
                    lock: quick.lock,
                    ..known.clone()
                },
                head.id.clone(),
            ));
        }
    }
    let index = plain_index(context, site)?;
    let states = known.iter().collect();
    let present = capture(
        context,
        site,
        &installed,
        &Knowledge {
            states,
            lock: None,
            index: Some(&index),
        },
    )?;
    if let (Some(head), Some(known)) = (&head, &known)
        && Difference::between(known, &present).is_empty()
        && is_known(known)
    {
        return Ok((present, head.id.clone()));
    }
    let (kind, command) = match &known {
        None => ("init", "as found"),
        Some(known) if Difference::between(known, &present).is_empty() => ("drift", NODES_KEPT),
        Some(_) => ("drift", "changes made by others"),
    };
    let digest = db.put_state(&present)?;
    let started = context.clock.now().to_string();
    let operation = db.begin(kind, command, &digest, &started)?;
    let id = db.finish(operation, &present, &context.clock.now().to_string(), None)?;
    if head.is_none() {
        db.label(&id, AS_FOUND)?;
    }
    Ok((present, id))
}

/// Records a lock that nobody has applied yet, for what changes the lock next and is undone
/// has to bring it back. Returns the newest snapshot, whose lock is that of `present` then.
///
/// # Errors
///
/// Fails if it cannot be written.
pub fn record_lock(context: &Context, db: &mut Db, present: &State) -> Result<String, OpError> {
    if let Some(head) = db.head()?
        && db.state_of(&head)?.lock == present.lock
    {
        return Ok(head.id);
    }
    let digest = db.put_state(present)?;
    let started = context.clock.now().to_string();
    let operation = db.begin("drift", LOCK_WRITTEN, &digest, &started)?;
    Ok(db.finish(operation, present, &context.clock.now().to_string(), None)?)
}

/// Returns a directory under portenv's own for the files of one run.
///
/// # Errors
///
/// Fails if it cannot be made.
pub fn scratch_dir(site: &Site) -> Result<(tempfile::TempDir, Utf8PathBuf), OpError> {
    let made = fs::scratch(&site.installation.own_dir().join("tmp"))?;
    let path = Utf8PathBuf::from_path_buf(made.path().to_owned())
        .map_err(|path| OpError::Usage(format!("`{}` is not UTF-8", path.display())))?;
    Ok((made, path))
}

/// Names by which packages are grouped in goals.
pub type Goals = BTreeMap<crate::package::Name, crate::plan::Goal>;
