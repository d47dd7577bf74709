//! What a repository's remote has that its checkout has not, told without touching the
//! checkout: commits come into a repository of their own that borrows its objects.

use std::collections::BTreeSet;

use camino::{Utf8Path, Utf8PathBuf};

use super::change::{about, checkout, fetch_commit, refuse_option, resolve_rev};
use super::read::{GitError, git, run};
use crate::host::fs;

/// Where a checkout gets newer commits from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Upstream {
    /// The address of the remote, credentials and all; `None` if there is none.
    pub url: Option<String>,
    /// The remote's name here.
    pub remote: Option<String>,
    /// The branch there that the given one follows.
    pub branch: Option<String>,
    /// Objects may be missing here, to be fetched when they are asked for.
    partial: bool,
}

/// Which commit of the remote is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wish {
    /// The tip of a branch.
    Branch(String),
    /// The tip of the default branch.
    Default,
    /// A branch, tag or commit.
    Rev(String),
}

/// Reads where a branch gets newer commits from: what it is set to follow, else the
/// branch of its name at `origin` or the first remote.
///
/// # Errors
///
/// Fails if git is not there or the directory is no repository.
pub fn read_upstream(dir: &Utf8Path, branch: Option<&str>) -> Result<Upstream, GitError> {
    let pattern = r"^(remote\..*\.(url|promisor)|branch\..*\.(remote|merge))$";
    // Nothing configured is an exit code of its own.
    let asked = run(
        git(Some(dir)).args(["config", "-z", "--get-regexp", pattern]),
        "config",
    );
    let config = match asked {
        Err(error) if error.is_missing() => return Err(error),
        asked => asked.map(|out| out.text()).unwrap_or_default(),
    };
    let entries: Vec<(&str, &str)> = config
        .split('\0')
        .filter_map(|entry| entry.split_once('\n'))
        .collect();
    let get = |key: &str| {
        let found = entries.iter().rev().find(|(name, _)| *name == key);
        found.map(|(_, value)| (*value).to_owned())
    };
    let of_branch = |what: &str| get(&format!("branch.{}.{what}", branch?));
    let first = || {
        let name = |(key, _): &(&str, &str)| {
            let name = key.strip_prefix("remote.")?.strip_suffix(".url")?;
            Some(name.to_owned())
        };
        entries.iter().find_map(name)
    };
    let origin = || get("remote.origin.url").map(|_| "origin".to_owned());
    let remote = of_branch("remote").or_else(origin).or_else(first);
    let url = remote
        .as_ref()
        .and_then(|name| get(&format!("remote.{name}.url")))
        .map(|url| absolute(dir, &url));
    let merge = of_branch("merge");
    let followed = merge
        .as_deref()
        .map(|name| name.strip_prefix("refs/heads/").unwrap_or(name));
    Ok(Upstream {
        remote: url.is_some().then_some(remote).flatten(),
        url,
        branch: followed.or(branch).map(str::to_owned),
        partial: entries.iter().any(|(key, _)| key.ends_with(".promisor")),
    })
}

/// A remote may be named by a path from the checkout.
fn absolute(dir: &Utf8Path, url: &str) -> String {
    let is_path = !url.contains("://") && (url.starts_with('.') || !url.contains(':'));
    if is_path {
        dir.join(url).into_string()
    } else {
        url.to_owned()
    }
}

/// Asks a remote for its default branch.
///
/// # Errors
///
/// Fails if the remote cannot be reached or names none.
pub fn default_branch(url: &str) -> Result<String, GitError> {
    refuse_option(url, "ls-remote")?;
    let call = git(None).args(["ls-remote", "--symref", "--", url, "HEAD"]);
    let found = run(call, "ls-remote").map_err(|error| about(error, url))?;
    let text = found.text();
    let head = text.lines().find_map(|line| {
        let name = line.strip_prefix("ref: refs/heads/")?;
        Some(name.split('\t').next().unwrap_or(name).to_owned())
    });
    head.ok_or_else(|| GitError {
        action: "ls-remote".to_owned(),
        detail: format!("{} names no default branch", crate::package::redact(url)),
        remote: false,
        source: None,
    })
}

/// Makes a repository in `aside`, which must not exist, that has what `dir` has and the
/// wanted commit, checked out. Returns the commit. The checkout at `dir` is only read.
///
/// # Errors
///
/// Fails if the remote cannot be reached or has no such commit.
pub fn fetch_aside(
    dir: &Utf8Path,
    upstream: &Upstream,
    wish: &Wish,
    aside: &Utf8Path,
    offline: bool,
) -> Result<String, GitError> {
    let url = upstream.url.as_deref().unwrap_or_default();
    refuse_option(url, "fetch")?;
    run(
        git(None).args(["init", "-q", "--template=", "--", aside.as_str()]),
        "init",
    )?;
    let own = git_path(aside, "objects")?;
    if !upstream.partial {
        lend_objects(dir, aside, &own)?;
    }
    if !url.is_empty() {
        run(
            git(Some(aside)).args(["remote", "add", "--", "origin", url]),
            "remote",
        )?;
    }
    let rev = match wish {
        Wish::Rev(rev) => {
            refuse_option(rev, "fetch")?;
            if !offline && !url.is_empty() {
                fetch_commit(aside, rev).map_err(|error| about(error, url))?;
            }
            rev.clone()
        }
        Wish::Branch(_) | Wish::Default => {
            let from = match wish {
                Wish::Branch(name) => format!("refs/heads/{name}"),
                _ => "HEAD".to_owned(),
            };
            let call = git(Some(aside)).args(["-c", "gc.auto=0", "-c", "maintenance.auto=false"]);
            let call = call.args(["fetch", "-q", "--no-tags", "--no-recurse-submodules"]);
            let call = call.args(["origin", &format!("+{from}:refs/portenv/wanted")]);
            run(call, "fetch").map_err(|error| about(error, url))?;
            "refs/portenv/wanted".to_owned()
        }
    };
    let commit = resolve_rev(aside, &rev).ok_or_else(|| GitError {
        action: "fetch".to_owned(),
        detail: format!("there is no branch, tag or commit `{}`", rev.escape_debug()),
        remote: false,
        source: None,
    })?;
    checkout(aside, &commit)?;
    Ok(commit)
}

/// Lets a repository borrow the objects of another: nothing is fetched twice.
fn lend_objects(dir: &Utf8Path, aside: &Utf8Path, own: &Utf8Path) -> Result<(), GitError> {
    let failed = |error: fs::FsError| GitError {
        action: "init".to_owned(),
        detail: format!("{error}: {}", error.source),
        remote: false,
        source: None,
    };
    let objects = git_path(dir, "objects")?;
    let list = own.join("info/alternates");
    fs::write_atomic(&list, format!("{objects}\n").as_bytes()).map_err(failed)?;
    // A shallow one has no more than it says, and neither has who borrows from it.
    if let Some(shallow) = fs::find_bytes(&git_path(dir, "shallow")?).map_err(failed)? {
        fs::write_atomic(&git_path(aside, "shallow")?, &shallow).map_err(failed)?;
    }
    if let Some(here) = resolve_rev(dir, "HEAD") {
        let call = git(Some(aside)).args(["update-ref", "refs/portenv/here", &here]);
        run(call, "update-ref")?;
    }
    Ok(())
}

/// Returns where git keeps something of a repository: a worktree's lies elsewhere.
fn git_path(dir: &Utf8Path, name: &str) -> Result<Utf8PathBuf, GitError> {
    let found = run(
        git(Some(dir)).args(["rev-parse", "--git-path", name]),
        "rev-parse",
    )?;
    Ok(dir.join(found.text().trim_end_matches(['\n', '\r'])))
}

/// Takes a commit over from a repository that [`fetch_aside`] made: the objects only,
/// no branch and no file of the checkout.
///
/// # Errors
///
/// Fails if it cannot be written.
pub fn take_over(dir: &Utf8Path, aside: &Utf8Path, commit: &str) -> Result<(), GitError> {
    if resolve_rev(dir, commit).is_some() {
        return Ok(());
    }
    let call = git(Some(dir)).args(["-c", "gc.auto=0", "-c", "maintenance.auto=false"]);
    let call = call.args(["fetch", "-q", "--no-tags", "--no-recurse-submodules"]);
    let call = call.args(["--no-write-fetch-head", "--update-shallow", "--"]);
    run(call.args([aside.as_str(), commit]), "fetch").map(|_| ())
}

/// What lies between two commits.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Between {
    /// Commits that come, newest first: time and first line.
    pub commits: Vec<(String, String)>,
    /// How many commits go.
    pub gone: u64,
    /// Files that change: path, lines that come, lines that go.
    pub files: Vec<(String, u64, u64)>,
    /// Files that come.
    pub new_files: Vec<String>,
    /// How much larger all files are together afterwards, in bytes.
    pub growth: i64,
    /// Repositories within it change, or come, or go.
    pub submodules: bool,
}

/// Compares two commits of a repository.
///
/// # Errors
///
/// Fails if one is not there.
pub fn compare(dir: &Utf8Path, from: &str, to: &str) -> Result<Between, GitError> {
    refuse_option(from, "log")?;
    refuse_option(to, "log")?;
    let log = run(
        git(Some(dir)).args(["log", "-z", "--format=%cI%x09%s", &format!("{from}..{to}")]),
        "log",
    )?;
    let mut between = Between::default();
    for entry in log.text().split('\0').filter(|entry| !entry.is_empty()) {
        let (time, subject) = entry.split_once('\t').unwrap_or((entry, ""));
        let pair = (time.trim().to_owned(), subject.to_owned());
        between.commits.push(pair);
    }
    let gone = run(
        git(Some(dir)).args(["rev-list", "--count", &format!("{to}..{from}")]),
        "rev-list",
    )?;
    between.gone = gone.text().trim().parse().unwrap_or(0);
    let diff = git(Some(dir)).args(["diff", "--no-ext-diff", "--no-textconv", "--no-renames"]);
    let numbers = run(diff.args(["-z", "--numstat", from, to]), "diff")?;
    for entry in numbers.text().split('\0') {
        let mut parts = entry.splitn(3, '\t');
        let mut number = || parts.next().and_then(|text| text.parse().ok());
        let (added, removed) = (number().unwrap_or(0), number().unwrap_or(0));
        if let Some(path) = parts.next() {
            between.files.push((path.to_owned(), added, removed));
        }
    }
    let (before, after) = (Tree::read(dir, from)?, Tree::read(dir, to)?);
    between.growth = after.bytes.saturating_sub(before.bytes);
    between.submodules = before.submodules != after.submodules;
    // Some file systems take `README` and `Readme` for one.
    let known: BTreeSet<String> = before
        .paths
        .iter()
        .map(|path| path.to_lowercase())
        .collect();
    for (path, _, _) in &between.files {
        if after.paths.contains(path) && !known.contains(&path.to_lowercase()) {
            between.new_files.push(path.clone());
        }
    }
    Ok(between)
}

#[derive(Default)]
struct Tree {
    paths: BTreeSet<String>,
    submodules: Vec<String>,
    bytes: i64,
}

impl Tree {
    fn read(dir: &Utf8Path, commit: &str) -> Result<Self, GitError> {
        let list = run(
            git(Some(dir)).args(["ls-tree", "-r", "-l", "-z", commit]),
            "ls-tree",
        )?;
        let mut tree = Self::default();
        for entry in list.text().split('\0') {
            let Some((facts, path)) = entry.split_once('\t') else {
                continue;
            };
            if facts.starts_with("160000") {
                tree.submodules.push(entry.to_owned());
            }
            let size = facts.split_whitespace().last();
            tree.bytes += size.and_then(|text| text.parse().ok()).unwrap_or(0);
            tree.paths.insert(path.to_owned());
        }
        Ok(tree)
    }
}

/// Reports whether one commit is among the ancestors of another, or is it.
pub fn is_ancestor(dir: &Utf8Path, old: &str, new: &str) -> bool {
    let call = git(Some(dir)).args(["merge-base", "--is-ancestor", old, new]);
    run(call, "merge-base").is_ok()
}

/// Returns the commit that a branch of this repository is at.
pub fn tip(dir: &Utf8Path, branch: &str) -> Option<String> {
    resolve_rev(dir, &format!("refs/heads/{branch}"))
}

/// Moves a branch that is not checked out from one commit to another, if it is there.
///
/// # Errors
///
/// Fails if it is at a third commit or cannot be written.
pub fn move_branch(dir: &Utf8Path, branch: &str, from: &str, to: &str) -> Result<(), GitError> {
    refuse_option(branch, "update-ref")?;
    let name = format!("refs/heads/{branch}");
    let call = git(Some(dir)).args(["update-ref", "-m", "portenv", &name, to, from]);
    run(call, "update-ref").map(|_| ())
}

/// Notes what a remote's branch was seen at, as a fetch does; best effort, for nothing
/// depends on it.
pub fn note_seen(dir: &Utf8Path, remote: &str, branch: &str, commit: &str) {
    let name = format!("refs/remotes/{remote}/{branch}");
    if refuse_option(remote, "update-ref").is_ok() {
        let _ = run(
            git(Some(dir)).args(["update-ref", &name, commit]),
            "update-ref",
        );
    }
}
