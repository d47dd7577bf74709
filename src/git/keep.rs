//! What a checkout needs to come back without its remote: its commit as a pack, its changed
//! files as a patch or under a name of its own.
//!
//! A pack of one commit holds that commit and its files and nothing of what came before; who
//! unpacks it tells git so, as after `git clone --depth 1`.

use std::fs::File;

use camino::{Utf8Path, Utf8PathBuf};

use super::change::{checkout, refuse_option, resolve_rev};
use super::read::{GitError, git, plain_git, run};
use crate::host::fs;
use crate::host::process::Call;

/// Where changed files are put aside, below it a name each.
pub const STASH: &str = "refs/portenv/stash";

/// How much of a commit's past goes with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// The commit alone.
    One,
    /// All of it.
    Whole,
}

/// Nothing is fetched to answer a question about what is here.
fn here(dir: &Utf8Path) -> Call {
    git(Some(dir)).env("GIT_NO_LAZY_FETCH", "1")
}

/// Reports whether a branch of a remote or a tag has the commit, as far as the repository
/// knows. What cannot be told is taken for no.
pub fn is_published(dir: &Utf8Path, commit: &str) -> bool {
    if refuse_option(commit, "rev-list").is_err() {
        return false;
    }
    let call = here(dir).args(["rev-list", "--max-count=1", commit]);
    run(call.args(["--not", "--remotes", "--tags"]), "rev-list")
        .is_ok_and(|found| found.text().trim().is_empty())
}

/// Reports whether the past of a repository is cut off.
pub fn is_shallow(dir: &Utf8Path) -> bool {
    let call = here(dir).args(["rev-parse", "--is-shallow-repository"]);
    run(call, "rev-parse").is_ok_and(|found| found.text().trim() == "true")
}

/// Reports whether a commit has submodules. Their own repositories are never read.
pub fn has_submodules(dir: &Utf8Path) -> bool {
    if !fs::exists(&dir.join(".gitmodules")) {
        return false;
    }
    let files = run(here(dir).args(["ls-files", "--stage", "-z"]), "ls-files");
    files.is_ok_and(|found| {
        let text = found.text();
        text.split('\0').any(|entry| entry.starts_with("160000 "))
    })
}

fn objects(dir: &Utf8Path, commit: &str, depth: Depth) -> Call {
    let call = here(dir).args(["rev-list", "--objects"]);
    match depth {
        Depth::One => call.args(["--no-walk", commit]),
        Depth::Whole => call.arg(commit),
    }
}

/// Returns about how many bytes a pack of a commit takes.
///
/// # Errors
///
/// Fails if something of it is not here.
pub fn weigh_commit(dir: &Utf8Path, commit: &str, depth: Depth) -> Result<u64, GitError> {
    refuse_option(commit, "rev-list")?;
    let call = objects(dir, commit, depth).arg("--disk-usage");
    let found = run(call, "rev-list")?.text();
    found.trim().parse().map_err(|_| failed("rev-list", &found))
}

/// Packs a commit into a file below `scratch`, and returns that file.
///
/// # Errors
///
/// Fails if something of it is not here, or the disk is full.
pub fn pack_commit(
    dir: &Utf8Path,
    commit: &str,
    depth: Depth,
    scratch: &Utf8Path,
) -> Result<Utf8PathBuf, GitError> {
    refuse_option(commit, "rev-list")?;
    let list = scratch.join(format!("{commit}.objects"));
    let found = run(objects(dir, commit, depth), "rev-list")?;
    let written = fs::write_atomic(&list, &found.stdout).and_then(|()| fs::open(&list));
    let input = written.map_err(|error| of_file("pack-objects", &error))?;
    let call = here(dir).args(["pack-objects", "-q", "--threads=2"]);
    let call = call.arg(scratch.join("node").as_str()).input(input);
    let name = run(call, "pack-objects")?.text();
    Ok(scratch.join(format!("node-{}.pack", name.trim())))
}

/// Makes a checkout of a pack in `dir`, which must not exist: at the commit, detached, with
/// `url` as its remote.
///
/// # Errors
///
/// Fails if the pack is damaged or is of another commit.
pub fn unpack_commit(
    pack: File,
    commit: &str,
    depth: Depth,
    url: Option<&str>,
    dir: &Utf8Path,
) -> Result<(), GitError> {
    refuse_option(commit, "init")?;
    let format = if commit.len() == 64 { "sha256" } else { "sha1" };
    let init = git(None).args(["init", "-q", "--template="]);
    let init = init.arg(format!("--object-format={format}"));
    run(init.args(["--", dir.as_str()]), "init")?;
    let call = git(Some(dir)).args(["index-pack", "--stdin"]).input(pack);
    run(call, "index-pack")?;
    if depth == Depth::One {
        let cut = dir.join(".git/shallow");
        let written = fs::write_atomic(&cut, format!("{commit}\n").as_bytes());
        written.map_err(|error| of_file("init", &error))?;
    }
    if let Some(url) = url {
        refuse_option(url, "remote")?;
        run(
            git(Some(dir)).args(["remote", "add", "--", "origin", url]),
            "remote",
        )?;
    }
    checkout(dir, commit)
}

/// Reports whether a commit is in a repository, without asking a remote.
pub fn has_commit(dir: &Utf8Path, commit: &str) -> bool {
    resolve_rev(dir, commit).is_some()
}

/// Names the tracked files that differ from the commit that is checked out, relative to the
/// checkout, sorted.
///
/// # Errors
///
/// Fails if git is not there or the directory is no repository.
pub fn changed_files(dir: &Utf8Path) -> Result<Vec<String>, GitError> {
    let call = plain_git(dir)().args(["diff", "--name-only", "-z", "--no-renames"]);
    let call = call.args(["--no-ext-diff", "--ignore-submodules=all", "HEAD", "--"]);
    let text = run(call, "diff")?.text();
    let mut files: Vec<String> = text.split('\0').map(str::to_owned).collect();
    files.retain(|file| !file.is_empty());
    files.sort();
    Ok(files)
}

/// Returns what differs from the commit that is checked out as a patch with every byte in it,
/// the same whatever a person configured; `None` if it could not be put back, as in the middle
/// of a merge.
///
/// # Errors
///
/// Fails if git is not there or the directory is no repository.
pub fn patch_of(dir: &Utf8Path) -> Result<Option<Vec<u8>>, GitError> {
    let call = plain_git(dir);
    if !run(call().args(["ls-files", "--unmerged"]), "ls-files")?
        .stdout
        .is_empty()
    {
        return Ok(None);
    }
    let diff = call().args(["diff", "--binary", "--full-index", "-O/dev/null"]);
    let diff = diff.args([
        "--no-color",
        "--no-ext-diff",
        "--no-textconv",
        "--no-renames",
    ]);
    let diff = diff.args([
        "--src-prefix=a/",
        "--dst-prefix=b/",
        "--unified=3",
        "--inter-hunk-context=0",
    ]);
    let diff = diff.args([
        "--diff-algorithm=myers",
        "--no-indent-heuristic",
        "--no-relative",
    ]);
    let diff = diff.args(["--ignore-submodules=all", "HEAD", "--"]);
    Ok(Some(run(diff, "diff")?.stdout))
}

/// Puts a patch of [`patch_of`] on a checkout that has no changed files: all of it or
/// nothing. Files that are new are tracked afterwards, others are changed and no more.
///
/// # Errors
///
/// Fails if it does not fit what is there.
pub fn apply_patch(dir: &Utf8Path, patch: &Utf8Path) -> Result<(), GitError> {
    let call = plain_git(dir);
    let apply = call().args(["-c", "apply.whitespace=nowarn", "apply", "--index"]);
    let apply = apply.args(["--binary", "--whitespace=nowarn", "--", patch.as_str()]);
    run(apply, "apply")?;
    let known = call().args(["diff", "--cached", "--name-only", "-z", "--no-renames"]);
    let known = known.args(["--diff-filter=a", "--no-ext-diff", "HEAD", "--"]);
    let known = run(known, "diff")?.text();
    let mut files: Vec<&str> = known.split('\0').filter(|file| !file.is_empty()).collect();
    while !files.is_empty() {
        // A command line has an end.
        let rest = files.split_off(files.len().min(200));
        let reset = call().args(["--literal-pathspecs", "reset", "-q", "HEAD", "--"]);
        run(reset.args(files), "reset")?;
        files = rest;
    }
    Ok(())
}

/// Keeps the changes of tracked files as a commit under a name below [`STASH`], and returns
/// it; `None` if there are none. Nothing in the checkout changes, nor in the user's own
/// stashes.
///
/// # Errors
///
/// Fails if git cannot, as in the middle of a merge.
pub fn put_aside(dir: &Utf8Path, name: &str) -> Result<Option<String>, GitError> {
    refuse_option(name, "stash")?;
    let mut call = plain_git(dir)();
    for role in ["AUTHOR", "COMMITTER"] {
        call = call
            .env(&format!("GIT_{role}_NAME"), "portenv")
            .env(&format!("GIT_{role}_EMAIL"), "portenv@localhost");
    }
    let made = run(call.args(["stash", "create", "portenv"]), "stash")?.text();
    let commit = made.trim();
    if commit.is_empty() {
        return Ok(None);
    }
    let update = git(Some(dir)).args(["update-ref", &format!("{STASH}/{name}"), commit]);
    run(update, "update-ref")?;
    Ok(Some(commit.to_owned()))
}

/// Puts tracked files back to the commit that is checked out; what [`put_aside`] kept is not
/// lost with that.
///
/// # Errors
///
/// Fails if git cannot.
pub fn discard(dir: &Utf8Path) -> Result<(), GitError> {
    run(
        plain_git(dir)().args(["reset", "-q", "--hard", "HEAD"]),
        "reset",
    )
    .map(|_| ())
}

/// Puts back what [`put_aside`] kept, on the commit that it was made at.
///
/// # Errors
///
/// Fails if it does not fit what is there.
pub fn put_back(dir: &Utf8Path, commit: &str) -> Result<(), GitError> {
    refuse_option(commit, "stash")?;
    let call = plain_git(dir);
    let staged = run(
        call().args(["stash", "apply", "-q", "--index", commit]),
        "stash",
    );
    match staged {
        Ok(_) => Ok(()),
        Err(_) => run(call().args(["stash", "apply", "-q", commit]), "stash").map(|_| ()),
    }
}

/// Reports whether two commits have the same files.
pub fn is_same(dir: &Utf8Path, one: &str, other: &str) -> bool {
    let tree = |commit: &str| {
        refuse_option(commit, "rev-parse").ok()?;
        let call = here(dir).args(["rev-parse", "--verify", "-q", &format!("{commit}^{{tree}}")]);
        Some(run(call, "rev-parse").ok()?.text())
    };
    tree(one).is_some_and(|found| Some(found) == tree(other))
}

/// Forgets the name of what was put aside.
pub fn forget(dir: &Utf8Path, name: &str) {
    // Best effort: a name too many loses nothing.
    let _ = run(
        git(Some(dir)).args(["update-ref", "-d", &format!("{STASH}/{name}")]),
        "update-ref",
    );
}

fn failed(action: &str, detail: &str) -> GitError {
    GitError {
        action: action.to_owned(),
        detail: crate::package::artifact::printable(detail.trim()),
        remote: false,
        source: None,
    }
}

fn of_file(action: &str, error: &fs::FsError) -> GitError {
    failed(action, &format!("{error}: {}", error.source))
}
