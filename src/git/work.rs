//! A checkout that an operation changes, and what a git that was killed leaves of it.
//!
//! Git gets the directory lock along: where it outlives the run that started it, the next
//! run waits for it. One that is killed leaves lock files, which stop every later git, and a
//! work tree between two commits: some files of either, one of them perhaps cut short, and
//! files that only one of the two has.

use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};

use super::change::{attach_by, checkout_by, resolve_rev};
use super::read::{GitError, git, read_checkout, run};
use super::upstream::move_branch_by;
use crate::host::process::Call;
use crate::host::{DirLock, fs, others};

/// A checkout that is changed under a directory lock.
#[derive(Debug)]
pub struct Work<'a> {
    dir: &'a Utf8Path,
    held: &'a DirLock,
}

/// After this time without a git at work a lock file is one that was left behind.
pub const LEFT: Duration = Duration::from_mins(1);

impl<'a> Work<'a> {
    /// Takes a checkout in hand.
    pub fn new(dir: &'a Utf8Path, held: &'a DirLock) -> Self {
        Self { dir, held }
    }

    fn call(&self) -> Call {
        match self.held.share() {
            Ok(held) => git(Some(self.dir)).input(held),
            // Without the lock an orphan is not waited for; that is no reason to fail.
            Err(_) => git(Some(self.dir)),
        }
    }

    /// Moves HEAD to a revision, detached.
    ///
    /// # Errors
    ///
    /// Fails if the revision is not there or changed files would be overwritten.
    pub fn checkout(&self, rev: &str) -> Result<(), GitError> {
        checkout_by(self.call(), self.dir, rev, &[])
    }

    /// Attaches a branch again if its tip is the commit that is checked out.
    pub fn attach(&self, branch: &str) {
        attach_by(self.call(), self.dir, branch);
    }

    /// Moves a branch that is not checked out from one commit to another.
    ///
    /// # Errors
    ///
    /// Fails if it is at a third commit or cannot be written.
    pub fn move_branch(&self, branch: &str, from: &str, to: &str) -> Result<(), GitError> {
        move_branch_by(self.call(), branch, from, to)
    }

    /// Removes the lock files of gits that are dead, if they are as old as this. Whether one
    /// is dead only some systems tell; elsewhere nothing is removed.
    pub fn clear_locks(&self, age: Duration) {
        let Some(own) = self.own_dir() else {
            return;
        };
        let mut locks = Vec::new();
        find_locks(&own, 0, &mut locks);
        locks.retain(|lock| fs::age(lock).is_some_and(|found| found >= age));
        if !locks.is_empty() && others::is_at_work("git", self.dir, &locks) == Some(false) {
            for lock in locks {
                // What cannot be removed is what git itself will say.
                let _ = fs::remove_all(&lock);
            }
        }
    }

    /// Where git keeps this repository.
    fn own_dir(&self) -> Option<Utf8PathBuf> {
        let asked = git(Some(self.dir)).args(["rev-parse", "--absolute-git-dir"]);
        let found = run(asked, "rev-parse").ok()?;
        Some(found.text().trim_end_matches(['\n', '\r']).into())
    }

    /// Goes back from a commit to the one before, also where a git was killed on its way
    /// between the two. A changed file that is of neither goes to `aside` first; dead locks
    /// that are as old as `age` are taken away.
    ///
    /// # Errors
    ///
    /// Fails if it is not back then.
    pub fn put_back(
        &self,
        from: &str,
        to: &str,
        aside: &Utf8Path,
        age: Duration,
    ) -> Result<(), GitError> {
        self.clear_locks(age);
        let here = read_checkout(self.dir)?;
        let was_there = here.commit.as_deref() == Some(to) && !here.dirty;
        // Git quotes odd names: whose such a file is cannot be told.
        let can_tell = !here.changed.iter().any(|path| path.starts_with('"'));
        if here.dirty && can_tell && resolve_rev(self.dir, from).is_some() {
            for path in &here.changed {
                self.keep(path, [from, to], aside)?;
            }
            checkout_by(self.call(), self.dir, from, &["--force"])?;
        } else {
            self.checkout(from)?;
        }
        if !was_there {
            self.remove_new(from, to)?;
        }
        Ok(())
    }

    /// Keeps a copy of a changed file, unless it is the one of a commit as far as it goes.
    fn keep(&self, path: &str, commits: [&str; 2], aside: &Utf8Path) -> Result<(), GitError> {
        let place = self.dir.join(path);
        if fs::is_file(&place)
            && !commits
                .iter()
                .any(|commit| self.is_of(&place, path, commit))
        {
            fs::copy_tree(&place, &aside.join(path)).map_err(|error| failed(&error))?;
        }
        Ok(())
    }

    /// Removes files that only the later commit has, where they are its own.
    fn remove_new(&self, from: &str, to: &str) -> Result<(), GitError> {
        let call = git(Some(self.dir)).args(["diff", "--no-ext-diff", "--no-textconv"]);
        let call = call.args(["--no-renames", "--name-only", "-z", "--diff-filter=A"]);
        let found = run(call.args([from, to]), "diff")?;
        for path in found.text().split('\0').filter(|path| !path.is_empty()) {
            let place = self.dir.join(path);
            if !fs::is_file(&place) || !self.is_of(&place, path, to) {
                continue;
            }
            fs::remove_all(&place).map_err(|error| failed(&error))?;
            let parents = place.ancestors().skip(1);
            for parent in parents.take_while(|parent| *parent != self.dir) {
                if !fs::remove_empty_dir(parent) {
                    break;
                }
            }
        }
        Ok(())
    }

    /// Reports whether a file is what a commit has there, or the beginning of it.
    fn is_of(&self, place: &Utf8Path, path: &str, commit: &str) -> bool {
        let call = git(Some(self.dir)).args(["cat-file", "blob", &format!("{commit}:{path}")]);
        let (Ok(here), Ok(there)) = (fs::read_bytes(place), run(call, "cat-file")) else {
            return false;
        };
        there.stdout.starts_with(&here)
    }
}

fn failed(error: &fs::FsError) -> GitError {
    GitError {
        action: "checkout".to_owned(),
        detail: format!("{error}: {}", error.source),
        remote: false,
        source: None,
    }
}

/// Finds lock files, but for those among the objects, which stop nobody.
fn find_locks(dir: &Utf8Path, depth: usize, found: &mut Vec<Utf8PathBuf>) {
    for (name, is_plain) in fs::find_entries(dir) {
        let path = dir.join(&name);
        if is_plain && path.extension() == Some("lock") {
            found.push(path);
        } else if !is_plain && depth < 12 && name != "objects" && name != "modules" {
            find_locks(&path, depth + 1, found);
        }
    }
}
