//! What a repository elsewhere has, without cloning it: the names of its branches and
//! tags, and single files of one commit.

use camino::Utf8Path;

use super::change::{about, refuse_option, resolve_rev};
use super::read::{GitError, git, run};

/// A branch or tag of a remote: its full name, such as `refs/tags/v1`, and its commit.
pub type RemoteRef = (String, String);

/// Lists the branches and tags of a remote that match one of `patterns`, in git's own
/// words (`refs/tags/*`). A tag that is an object of its own comes with the commit it is of.
///
/// # Errors
///
/// Fails if the remote cannot be reached.
pub fn list_refs(url: &str, patterns: &[String]) -> Result<Vec<RemoteRef>, GitError> {
    refuse_option(url, "ls-remote")?;
    for pattern in patterns {
        refuse_option(pattern, "ls-remote")?;
    }
    let call = git(None).args(["ls-remote", "--quiet", "--", url]);
    // What a tag is of has a name of its own.
    let call = call.args(patterns.iter().cloned());
    let call = call.args(patterns.iter().map(|pattern| format!("{pattern}^{{}}")));
    let found = run(call, "ls-remote");
    let found = found.map_err(|error| about(error, url))?;
    let mut refs: Vec<RemoteRef> = Vec::new();
    for line in found.text().lines() {
        let Some((commit, name)) = line.split_once('\t') else {
            continue;
        };
        // What a tag is of follows the tag.
        match (name.strip_suffix("^{}"), refs.last_mut()) {
            (Some(tag), Some(last)) if last.0 == tag => commit.clone_into(&mut last.1),
            (Some(_), _) => {}
            (None, _) => refs.push((name.to_owned(), commit.to_owned())),
        }
    }
    Ok(refs)
}

/// Some files of one commit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CommitFiles {
    /// When it was committed, in seconds since 1970.
    pub time: i64,
    /// Names and contents, in git's order.
    pub files: Vec<(String, Vec<u8>)>,
}

/// Fetches the files of a commit's top directory that `wanted` names. `name` is what the
/// remote is asked for: a full name or the commit itself; `aside` is a directory that must
/// not exist and may be thrown away afterwards.
///
/// Neither the history nor any other file is fetched from a remote that can leave these out.
///
/// # Errors
///
/// Fails if the remote cannot be reached or has no such commit.
pub fn fetch_files(
    url: &str,
    name: &str,
    commit: &str,
    aside: &Utf8Path,
    wanted: impl Fn(&str) -> bool,
) -> Result<CommitFiles, GitError> {
    refuse_option(url, "fetch")?;
    refuse_option(name, "fetch")?;
    refuse_option(commit, "fetch")?;
    let init = git(None).args(["init", "-q", "--bare", "--template=", "--", aside.as_str()]);
    run(init, "init")?;
    let here = || git(Some(aside)).args(["-c", "gc.auto=0", "-c", "maintenance.auto=false"]);
    let remote = here().args(["remote", "add", "--", "origin", url]);
    run(remote, "remote")?;
    let fetch = here().args([
        "fetch",
        "-q",
        "--depth=1",
        "--filter=blob:none",
        "--no-tags",
    ]);
    let fetch = fetch.args(["--no-recurse-submodules", "origin"]);
    run(fetch.arg(format!("+{name}:refs/portenv/wanted")), "fetch")
        .map_err(|error| about(error, url))?;
    // A tag may have moved since its commit was told.
    let commit = resolve_rev(aside, commit).ok_or_else(|| GitError {
        action: "fetch".to_owned(),
        detail: format!("{} is not at {commit} any more", name.escape_debug()),
        remote: true,
        source: None,
    })?;
    let time = run(here().args(["log", "-1", "--format=%ct", &commit]), "log")?;
    let tree = run(here().args(["ls-tree", "-z", &commit]), "ls-tree")?;
    let mut found = CommitFiles {
        time: time.text().trim().parse().unwrap_or_default(),
        files: Vec::new(),
    };
    for entry in tree.text().split('\0') {
        let Some((facts, path)) = entry.split_once('\t') else {
            continue;
        };
        // Neither links nor directories.
        let mut facts = facts.split(' ');
        let is_file = facts.next().is_some_and(|mode| mode.starts_with("100"));
        let object = facts.nth(1);
        if let (true, true, Some(object)) = (is_file, wanted(path), object) {
            let blob = run(here().args(["cat-file", "blob", object]), "cat-file");
            let blob = blob.map_err(|error| about(error, url))?;
            found.files.push((path.to_owned(), blob.stdout));
        }
    }
    Ok(found)
}
