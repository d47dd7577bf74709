//! Changing checkouts: clone to a commit, fetch one, move to one.

use camino::Utf8Path;

use super::read::{GitError, git, run};
use crate::host::process::Call;

/// What to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CloneSpec<'a> {
    /// The repository.
    pub url: &'a str,
    /// Branch, tag or commit; the remote's HEAD if `None`.
    pub rev: Option<&'a str>,
}

pub(super) fn refuse_option(text: &str, action: &str) -> Result<(), GitError> {
    if text.starts_with('-') || text.contains(['\n', '\0']) {
        return Err(GitError {
            action: action.to_owned(),
            detail: format!("`{}` is not an address or revision", text.escape_debug()),
            remote: false,
            source: None,
        });
    }
    Ok(())
}

/// Clones a repository into `dir`, which must not exist, and checks out the
/// wanted revision. No submodule is touched and no hook runs.
///
/// # Errors
///
/// Fails if the remote cannot be reached or has no such revision.
pub fn clone(spec: &CloneSpec<'_>, dir: &Utf8Path) -> Result<(), GitError> {
    refuse_option(spec.url, "clone")?;
    let url = spec.url.strip_prefix("git+").unwrap_or(spec.url);
    if let Some(rev) = spec.rev {
        refuse_option(rev, "clone")?;
    }
    run(
        git(None).args([
            "clone",
            "-q",
            "--template=",
            "--no-recurse-submodules",
            "--",
            url,
            dir.as_str(),
        ]),
        "clone",
    )
    .map_err(|error| about(error, url))?;
    let bare = crate::package::artifact::without_credentials(url);
    if bare != url {
        // Git would keep the password in the node's own configuration.
        set_remote(dir, &bare)?;
    }
    if let Some(rev) = spec.rev {
        fetch_commit(dir, rev)?;
        checkout(dir, rev)?;
    }
    Ok(())
}

/// What the remote's HEAD is at since a mirror was brought up to date: its own HEAD
/// stays with the branch that was the default one when it was cloned.
pub const REMOTE_HEAD: &str = "refs/portenv/HEAD";

/// Clones a repository without a work tree into `dir`, which must not exist: all its
/// branches and tags, for versions may be made of them.
///
/// # Errors
///
/// Fails if the remote cannot be reached.
pub fn mirror(url: &str, dir: &Utf8Path) -> Result<(), GitError> {
    refuse_option(url, "clone")?;
    let call = git(None).args(["clone", "-q", "--bare", "--template=", "--", url]);
    run(call.arg(dir.as_str()), "clone").map_err(|error| about(error, url))?;
    let bare = crate::package::artifact::without_credentials(url);
    if bare != url {
        set_remote(dir, &bare)?;
    }
    Ok(())
}

/// Brings the branches and tags of a clone made by [`mirror`] up to date; with `head`
/// also [`REMOTE_HEAD`].
///
/// # Errors
///
/// Fails if the remote cannot be reached.
pub fn update_mirror(dir: &Utf8Path, url: &str, head: bool) -> Result<(), GitError> {
    refuse_option(url, "fetch")?;
    let call = git(Some(dir)).args(["fetch", "-q", "--force", "--tags", "--prune", "--", url]);
    let mut call = call.arg("+refs/heads/*:refs/heads/*");
    if head {
        call = call.arg(format!("+HEAD:{REMOTE_HEAD}"));
    }
    run(call, "fetch")
        .map(|_| ())
        .map_err(|error| about(error, url))
}

/// Checks a commit of a clone made by [`mirror`] out into `dir`, which must not exist;
/// the commits themselves stay where they are.
///
/// # Errors
///
/// Fails if the commit is not there.
pub fn check_out_from(from: &Utf8Path, commit: &str, dir: &Utf8Path) -> Result<(), GitError> {
    let call = git(None).args(["clone", "-q", "--no-checkout", "--shared", "--template="]);
    run(call.args(["--", from.as_str(), dir.as_str()]), "clone")?;
    checkout(dir, commit)
}

/// Git seldom says which address it was; what it does say may hold the password.
pub(super) fn about(error: GitError, url: &str) -> GitError {
    let password = url::Url::parse(url)
        .ok()
        .and_then(|url| url.password().map(str::to_owned));
    let detail = match password {
        Some(password) if !password.is_empty() => error.detail.replace(&password, "****"),
        _ => error.detail,
    };
    GitError {
        detail: format!("{}: {detail}", crate::package::redact(url)),
        ..error
    }
}

/// Makes sure a revision is there, asking the remote only if it is not.
///
/// # Errors
///
/// Fails if neither the repository nor its remote has it.
pub fn fetch_commit(dir: &Utf8Path, rev: &str) -> Result<(), GitError> {
    refuse_option(rev, "fetch")?;
    if resolve_rev(dir, rev).is_some() {
        return Ok(());
    }
    let fetched = run(
        git(Some(dir)).args(["fetch", "-q", "--no-recurse-submodules", "origin", rev]),
        "fetch",
    );
    match fetched {
        Ok(_) if resolve_rev(dir, rev).is_some() => Ok(()),
        Ok(_) => run(
            git(Some(dir)).args(["update-ref", &format!("refs/portenv/{rev}"), "FETCH_HEAD"]),
            "update-ref",
        )
        .map(|_| ()),
        Err(error) => {
            // Some servers refuse single commits; then everything is asked for.
            run(
                git(Some(dir)).args(["fetch", "-q", "--no-recurse-submodules", "--tags", "origin"]),
                "fetch",
            )?;
            if resolve_rev(dir, rev).is_some() {
                Ok(())
            } else {
                Err(error)
            }
        }
    }
}

/// Returns the commit that a branch, tag or commit names, without asking a remote.
pub fn resolve_rev(dir: &Utf8Path, rev: &str) -> Option<String> {
    for name in [
        rev.to_owned(),
        format!("origin/{rev}"),
        format!("refs/portenv/{rev}"),
    ] {
        let found = run(
            git(Some(dir)).args(["rev-parse", "--verify", "-q", &format!("{name}^{{commit}}")]),
            "rev-parse",
        );
        if let Ok(found) = found {
            return Some(found.text().trim().to_owned());
        }
    }
    None
}

/// Moves HEAD to a revision, detached: a branch is never moved. If a branch of
/// the given name has its tip there, it is attached.
///
/// # Errors
///
/// Fails if the revision is not there or changed files would be overwritten.
pub fn checkout(dir: &Utf8Path, rev: &str) -> Result<(), GitError> {
    checkout_by(git(Some(dir)), dir, rev, &[])
}

/// The same by a call that was begun already, with more options.
pub(super) fn checkout_by(
    call: Call,
    dir: &Utf8Path,
    rev: &str,
    options: &[&str],
) -> Result<(), GitError> {
    refuse_option(rev, "checkout")?;
    let commit = resolve_rev(dir, rev).ok_or_else(|| GitError {
        action: "checkout".to_owned(),
        detail: format!("there is no commit `{rev}`"),
        remote: false,
        source: None,
    })?;
    let call = call.args(["checkout", "-q", "--detach"]);
    let call = call.args(options.iter().copied()).arg(&commit);
    run(call, "checkout").map(|_| ())
}

/// Attaches a branch again if its tip is the commit that is checked out.
pub fn attach(dir: &Utf8Path, branch: &str) {
    attach_by(git(Some(dir)), dir, branch);
}

/// The same by a call that was begun already.
pub(super) fn attach_by(call: Call, dir: &Utf8Path, branch: &str) {
    if refuse_option(branch, "checkout").is_ok()
        && resolve_rev(dir, &format!("refs/heads/{branch}"))
            .is_some_and(|tip| Some(tip) == resolve_rev(dir, "HEAD"))
    {
        // Best effort: the commit is right either way.
        let _ = run(call.args(["checkout", "-q", branch]), "checkout");
    }
}

/// Points the remote `origin` at an address.
///
/// # Errors
///
/// Fails if there is no such remote.
pub fn set_remote(dir: &Utf8Path, url: &str) -> Result<(), GitError> {
    refuse_option(url, "remote")?;
    run(
        git(Some(dir)).args(["remote", "set-url", "origin", url]),
        "remote",
    )
    .map(|_| ())
}
