//! Changed files of checkouts: put aside before a change and put back when it is undone.

use camino::Utf8Path;

use super::context::Site;
use super::error::OpError;
use super::transaction::Transaction;
use crate::git::keep;
use crate::git::read_checkout;
use crate::host::fs;
use crate::snapshot::Step;
use crate::store::archive;

impl Transaction<'_> {
    /// Puts the changed files of a checkout aside, noted first, and says how they are had
    /// again; `None` if there are none.
    ///
    /// # Errors
    ///
    /// Fails if git cannot, as in the middle of a merge: nothing has changed then.
    pub fn stash(&mut self, dir: &str) -> Result<Option<String>, OpError> {
        let path = self.site.installation.root.join(dir);
        let time = self.context.clock.now().to_string();
        let time: String = time.chars().filter(char::is_ascii_alphanumeric).collect();
        let name = format!("{}-{time}", self.operation);
        let Some(commit) = keep::put_aside(&path, &name)? else {
            return Ok(None);
        };
        let step = Step::Stash {
            dir: dir.to_owned(),
            name: name.clone(),
            commit: commit.clone(),
        };
        self.db.note_step(self.operation, &step)?;
        keep::discard(&path)?;
        let short = &commit[..commit.len().min(12)];
        Ok(Some(format!(
            "the changed files of `{dir}` are kept as {}/{name}: git -C {dir} stash apply {short} brings them back",
            keep::STASH
        )))
    }

    /// Puts recorded changes on a checkout without changed files, noted first.
    ///
    /// # Errors
    ///
    /// Fails if they do not fit what is there.
    pub fn patch(&mut self, dir: &str, patch: &str) -> Result<(), OpError> {
        let path = self.site.installation.root.join(dir);
        let store = self.site.installation.own_dir().join("store");
        let step = Step::Patch {
            dir: dir.to_owned(),
            patch: patch.to_owned(),
        };
        self.db.note_step(self.operation, &step)?;
        put_patch(&path, &store, patch)
    }
}

/// Puts a patch of the store on a checkout.
///
/// # Errors
///
/// Fails if it is damaged or does not fit.
pub(super) fn put_patch(dir: &Utf8Path, store: &Utf8Path, patch: &str) -> Result<(), OpError> {
    let file = archive::find(store, patch).ok_or_else(|| {
        OpError::Unrestorable(vec![format!(
            "the changes in `{dir}`: the store lacks `{patch}`"
        )])
    })?;
    archive::prove(&file).map_err(|error| OpError::Unrestorable(vec![error.to_string()]))?;
    Ok(keep::apply_patch(dir, &file)?)
}

/// Undoes [`Transaction::stash`] or [`Transaction::patch`], however far either came. What
/// somebody changed since is put aside, never overwritten.
///
/// # Errors
///
/// Fails if git cannot.
pub(super) fn undo_edit(site: &Site, step: &Step) -> Result<(), OpError> {
    let root = &site.installation.root;
    match step {
        Step::Stash { dir, name, commit } => {
            let path = root.join(dir);
            let again = format!("{name}-again");
            clear(&path, &again, |found| keep::is_same(&path, found, commit))?;
            keep::put_back(&path, commit)?;
            keep::forget(&path, name);
        }
        Step::Patch { dir, patch } => {
            let path = root.join(dir);
            let store = site.installation.own_dir().join("store");
            let wanted = archive::find(&store, patch).and_then(|file| fs::read_bytes(&file).ok());
            let here = keep::patch_of(&path).ok().flatten();
            let name = patch.rsplit('/').next().unwrap_or(patch);
            clear(&path, name, |_| wanted.is_some() && wanted == here)?;
        }
        _ => {}
    }
    Ok(())
}

/// Takes changed files back to the commit that is checked out; they stay under a name
/// unless it is known that they are kept already.
fn clear(dir: &Utf8Path, name: &str, is_kept: impl FnOnce(&str) -> bool) -> Result<(), OpError> {
    if !read_checkout(dir)?.dirty {
        return Ok(());
    }
    if let Some(found) = keep::put_aside(dir, name)?
        && is_kept(&found)
    {
        keep::forget(dir, name);
    }
    Ok(keep::discard(dir)?)
}
