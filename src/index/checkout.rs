//! Git repositories given by address: fixed to a commit and checked out in the cache.

use camino::{Utf8Path, Utf8PathBuf};

use super::remote::RemoteIndex;
use super::source::{IndexError, MetadataError};
use crate::git::change::{REMOTE_HEAD, check_out_from, mirror, resolve_rev, update_mirror};
use crate::git::{GitError, fetch_commit};
use crate::host::{digest, fs};
use crate::package::{Vcs, redact};

/// A checkout in the cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Checkout {
    /// The commit that the revision came to.
    pub(super) commit: String,
    /// Where its files lie.
    pub(super) dir: Utf8PathBuf,
}

impl RemoteIndex {
    /// Returns the directory with the files of a commit, in the cache.
    ///
    /// # Errors
    ///
    /// Fails if the repository could not be asked or has no such commit.
    pub fn checkout(&self, vcs: &Vcs) -> Result<Utf8PathBuf, MetadataError> {
        let cache = self.cache_dir();
        check_out(&cache, &vcs.url, Some(&vcs.commit), self.is_offline()).map(|found| found.dir)
    }
}

/// Checks out a revision below `cache`, asking the remote only for what may have
/// changed: a branch or tag may, a whole commit id that is there may not.
pub(super) fn check_out(
    cache: &Utf8Path,
    url: &str,
    rev: Option<&str>,
    offline: bool,
) -> Result<Checkout, MetadataError> {
    let home = cache.join("git").join(digest::short(url.as_bytes()));
    let bare = home.join("repository");
    let failed = |error: GitError| told(url, &error);
    if !fs::is_dir(&bare) {
        if offline {
            return Err(IndexError::Offline { what: redact(url) }.into());
        }
        fs::create_dir_all(&home).map_err(|error| MetadataError::Unusable(error.to_string()))?;
        make_aside(&bare, |aside| mirror(url, aside).map_err(failed))?;
    } else if !offline && !rev.is_some_and(|rev| is_whole(rev) && resolve_rev(&bare, rev).is_some())
    {
        update_mirror(&bare, url, rev.is_none()).map_err(failed)?;
    }
    let wanted = rev.unwrap_or("HEAD");
    let mut commit = match rev {
        Some(rev) => resolve_rev(&bare, rev),
        None => resolve_rev(&bare, REMOTE_HEAD).or_else(|| resolve_rev(&bare, wanted)),
    };
    if commit.is_none() && !offline {
        // A commit or ref that no branch leads to has to be asked for by name.
        match fetch_commit(&bare, wanted) {
            Ok(()) => commit = resolve_rev(&bare, wanted),
            Err(error) if error.remote => return Err(failed(error)),
            Err(_) => {}
        }
    }
    let commit = commit.ok_or_else(|| {
        MetadataError::Unusable(format!(
            "the repository `{}` has no branch, tag or commit `{wanted}`",
            redact(url)
        ))
    })?;
    let dir = home.join(&commit);
    if !fs::is_dir(&dir) {
        make_aside(&dir, |aside| {
            check_out_from(&bare, &commit, aside).map_err(failed)
        })?;
    }
    Ok(Checkout { commit, dir })
}

/// Makes a directory beside its place and moves it there, so that a broken one is never
/// taken for it. Where another run was quicker, its directory stays.
fn make_aside(
    place: &Utf8Path,
    make: impl FnOnce(&Utf8Path) -> Result<(), MetadataError>,
) -> Result<(), MetadataError> {
    let scratch = fs::scratch(place.parent().unwrap_or(place))
        .map_err(|error| MetadataError::Unusable(error.to_string()))?;
    let aside = Utf8PathBuf::from_path_buf(scratch.path().join("made"))
        .map_err(|_| MetadataError::Unusable("the cache's path is not UTF-8".to_owned()))?;
    make(&aside)?;
    if fs::rename(&aside, place).is_err() && !fs::is_dir(place) {
        return Err(MetadataError::Unusable(format!(
            "`{place}` cannot be written"
        )));
    }
    Ok(())
}

fn is_whole(rev: &str) -> bool {
    rev.len() == 40 && rev.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn told(url: &str, error: &GitError) -> MetadataError {
    if error.remote || error.source.is_some() {
        return IndexError::Git {
            url: redact(url),
            detail: error.to_string(),
        }
        .into();
    }
    MetadataError::Unusable(format!("`{}`: {error}", redact(url)))
}
