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
use super::error::{OpError, chain};
use super::heal::{Cut, undo};
use super::inputs::ResolveFlags;
use super::installer::Installer;
use super::keep::mend;
use super::keep_nodes::is_known;
use super::obstacle::tell_running;
use super::packages::{PackageGoal, apply};
use super::remains;
use super::turn::{Reserve, take_lock};
use crate::git::work::LEFT;
use crate::git::{self, Work, upstream};
use crate::host::{DirLock, fs};
use crate::index::RemoteIndex;
use crate::lock::Lock;
use crate::nodes::trash;
use crate::requirements::origin::show_path;
use crate::snapshot::record::Found;
use crate::snapshot::{AS_FOUND, Db, Outcome, State, Step, Touched};
use crate::uv::{Search, Uv, find_uv};

pub use super::heal::{heal, heal_operation};

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

/// Reports whether a killed run left an operation open: what is there now is half of one, and
/// nothing may be concluded from it before [`start`] has undone that.
///
/// # Errors
///
/// Fails if the history cannot be read.
pub fn is_cut_short(site: &Site) -> Result<bool, OpError> {
    let db = Db::find(&site.installation.own_dir())?;
    let open = db.map(|db| db.open_operation()).transpose()?;
    Ok(open.flatten().is_some())
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

    /// Moves a node to the trash, noted first; `stamp` is the time that its name there begins with.
    ///
    /// # Errors
    ///
    /// Fails if it cannot be moved.
    pub fn throw_away(&mut self, dir: &str, stamp: &str) -> Result<(), OpError> {
        let name = dir.rsplit('/').next().unwrap_or(dir);
        let trash = self.site.installation.own_dir().join("trash");
        let place = trash::free_place(&trash, name, stamp);
        self.move_path(dir, &format!(".portenv/trash/{place}"))
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
            Work::new(&path, &self.held).attach(branch);
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
        let work = Work::new(&path, &self.held);
        work.clear_locks(LEFT);
        git::fetch_commit(&path, to)?;
        work.checkout(to)?;
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
        let work = Work::new(&path, &self.held);
        work.clear_locks(LEFT);
        work.checkout(to)?;
        if tip != to {
            work.move_branch(branch, &tip, to)?;
        }
        work.attach(branch);
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
        let installer = Installer::find(self.context, self.site, goal)?;
        self.packages_by(&installer, goal)
    }

    /// The same by an installer that was chosen.
    ///
    /// # Errors
    ///
    /// As [`Transaction::packages`].
    pub fn packages_by(&mut self, by: &Installer, goal: &PackageGoal) -> Result<(), OpError> {
        let installed = self.site.installed()?;
        let steps = goal.plan(&installed).steps.into_iter();
        let names: Vec<_> = steps.map(|step| step.change.name).collect();
        let touched = if names.is_empty() {
            Touched::default()
        } else {
            remains::before(self.site, &installed, &names)
        };
        self.db
            .note_step(self.operation, &Step::Packages(touched))?;
        let aside = aside_dir(self.site, self.operation);
        let (db, site, operation) = (&mut self.db, self.site, self.operation);
        let mut mover = |from: &Utf8Path, to: &Utf8Path| move_noted(site, db, operation, from, to);
        mend(site, &self.before, &installed, &names);
        apply(self.context, site, by, &self.held, goal, &aside, &mut mover)?;
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
        fs::remove_all(&aside_dir(self.site, self.operation))?;
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
                undo(self.context, self.site, db, held, &operation, Cut::Failed)?;
                Ok(fs::remove_all(&aside_dir(self.site, self.operation))?)
            }
            None => Ok(()),
        }
    }
}

/// Where lies what is in uv's way while an operation lasts.
pub(super) fn aside_dir(site: &Site, operation: i64) -> Utf8PathBuf {
    let tmp = site.installation.own_dir().join("tmp");
    tmp.join(format!("aside-{operation}"))
}

/// Moves a path, noted first as a step of an operation.
pub(super) fn move_noted(
    site: &Site,
    db: &mut Db,
    operation: i64,
    from: &Utf8Path,
    to: &Utf8Path,
) -> Result<(), OpError> {
    let root = &site.installation.root;
    let step = Step::Move {
        from: show_path(root, from),
        to: show_path(root, to),
    };
    db.note_step(operation, &step)?;
    Ok(fs::rename(from, to)?)
}

pub(super) fn put_lock(site: &Site, text: Option<&str>) -> Result<(), OpError> {
    let path = site.installation.lock_path();
    match text {
        Some(text) => {
            // Staged where the next run clears away what a killed one leaves.
            let tmp = site.installation.own_dir().join("tmp");
            fs::write_atomic_from(&tmp, &path, text.as_bytes())?;
        }
        None => fs::remove_all(&path)?,
    }
    Ok(())
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
    let id = db.record(&Found {
        kind,
        command,
        state: &present,
        time: &context.clock.now().to_string(),
        label: head.is_none().then_some(AS_FOUND),
    })?;
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
    Ok(db.record(&Found {
        kind: "drift",
        command: LOCK_WRITTEN,
        state: present,
        time: &context.clock.now().to_string(),
        label: None,
    })?)
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
