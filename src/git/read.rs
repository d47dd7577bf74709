//! What a checkout is at.

use camino::Utf8Path;

use crate::host::process::{Call, Finished, ProcessError};

/// A git command that failed.
#[derive(Debug, thiserror::Error)]
#[error("git {action} failed: {detail}")]
pub struct GitError {
    /// What was tried: "clone", "checkout" and so on.
    pub action: String,
    /// What git said, addresses redacted.
    pub detail: String,
    /// A remote could not be reached, as opposed to a local failure.
    pub remote: bool,
    /// Git itself could not be started.
    #[source]
    pub source: Option<ProcessError>,
}

impl GitError {
    /// Reports whether there is no git program.
    pub fn is_missing(&self) -> bool {
        (self.source.as_ref()).is_some_and(ProcessError::is_not_found)
    }
}

/// What a checkout is at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Checkout {
    /// The remote `origin`, else the first one.
    pub url: Option<String>,
    /// The commit.
    pub commit: Option<String>,
    /// The branch, unless HEAD is detached.
    pub branch: Option<String>,
    /// Tracked files were changed.
    pub dirty: bool,
    /// Which ones, relative to the checkout; odd names as git quotes them.
    pub changed: Vec<String>,
}

/// Options that keep git from prompting, paging and running what a repository
/// names: hooks, file-system monitors, external diffs, credential helpers of its own.
pub(super) fn git(dir: Option<&Utf8Path>) -> Call {
    let mut call = Call::new("git")
        // No helper program that an address may name is a way to a repository.
        .env("GIT_ALLOW_PROTOCOL", "file:git:http:https:ssh")
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("GIT_OPTIONAL_LOCKS", "0")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_ASKPASS", "")
        .args([
            "-c",
            "core.hooksPath=/dev/null",
            "-c",
            "core.fsmonitor=false",
            "-c",
            "core.pager=cat",
        ])
        .args([
            "-c",
            "protocol.ext.allow=never",
            "-c",
            "advice.detachedHead=false",
            "-c",
            "submodule.recurse=false",
        ]);
    if let Some(dir) = dir {
        // A node directory may belong to another user (Docker, portable sticks);
        // reading it runs nothing of its making, so git's ownership check is met
        // by naming the directory.
        // A broken `.git` must not lead git up to the repository around it.
        if let Some(parent) = dir.parent() {
            call = call.env("GIT_CEILING_DIRECTORIES", parent.as_str());
        }
        call = call.args(["-c", &format!("safe.directory={dir}"), "-C", dir.as_str()]);
    }
    call
}

pub(super) fn run(call: Call, action: &str) -> Result<Finished, GitError> {
    let finished = call.run().map_err(|source| GitError {
        action: action.to_owned(),
        detail: if source.is_not_found() {
            "git is not installed".to_owned()
        } else {
            source.source.to_string()
        },
        remote: false,
        source: Some(source),
    })?;
    if finished.ok() {
        return Ok(finished);
    }
    let last = finished
        .stderr
        .lines()
        .rev()
        .find(|line| line.starts_with("fatal:") || line.starts_with("error:"))
        .or_else(|| finished.stderr.lines().last())
        .unwrap_or("no message");
    let detail: Vec<String> = last
        .split_whitespace()
        .map(|word| {
            if word.contains("://") {
                crate::package::redact(word.trim_matches('\''))
            } else {
                word.to_owned()
            }
        })
        .collect();
    let detail = crate::package::artifact::printable(&detail.join(" "));
    let remote = [
        "unable to access",
        "Could not resolve",
        "Could not read from remote",
        "timed out",
        "Connection refused",
        "does not exist",
        "not found",
    ]
    .iter()
    .any(|sign| finished.stderr.contains(sign));
    Err(GitError {
        action: action.to_owned(),
        detail,
        remote,
        source: None,
    })
}

/// Reads the entries of a repository's configuration whose names match `wanted`, and those
/// of its content filters, as `git config -z` prints them. Nothing configured is nothing; a
/// broken repository shows in the call that follows.
fn config_of(dir: &Utf8Path, wanted: &str) -> String {
    let pattern = format!(r"^({wanted}|filter\..*\.(clean|smudge|process|required))$");
    let call = git(Some(dir)).args(["config", "-z", "--get-regexp", &pattern]);
    run(call, "config")
        .map(|out| out.text())
        .unwrap_or_default()
}

/// Switches off each content filter that the configuration names.
fn without_filters(mut call: Call, config: &str) -> Call {
    let mut filters = 0;
    let entries = config
        .split('\0')
        .filter_map(|entry| entry.split_once('\n'));
    for (key, _) in entries.filter(|(key, _)| key.starts_with("filter.")) {
        let off = if key.ends_with(".required") {
            "false"
        } else {
            ""
        };
        call = call
            .env(&format!("GIT_CONFIG_KEY_{filters}"), key)
            .env(&format!("GIT_CONFIG_VALUE_{filters}"), off);
        filters += 1;
    }
    call.env("GIT_CONFIG_COUNT", filters.to_string())
}

/// Returns a way to call git in a checkout whose content filters are switched off.
pub(super) fn plain_git(dir: &Utf8Path) -> impl Fn() -> Call {
    let (config, dir) = (config_of(dir, "filter"), dir.to_owned());
    move || without_filters(git(Some(&dir)), &config)
}

/// Reads what a checkout is at, with two calls of git and none of its filters.
///
/// `git status` may pass changed files through content filters, which are programs
/// that the repository's own configuration names: each is switched off by name. Names
/// and values are the repository's, so they are read as whole entries and handed back
/// where nothing in them is parsed.
///
/// Without a git program what the repository's files say is read.
///
/// # Errors
///
/// Fails if the directory is no repository.
pub fn read_checkout(dir: &Utf8Path) -> Result<Checkout, GitError> {
    match ask_git(dir) {
        Err(error) if error.is_missing() => super::plain::read(dir).ok_or(error),
        found => found,
    }
}

fn ask_git(dir: &Utf8Path) -> Result<Checkout, GitError> {
    let config = config_of(dir, r"remote\..*\.url");
    let mut urls = Vec::new();
    let entries = config.split('\0');
    for (key, value) in entries.filter_map(|entry| entry.split_once('\n')) {
        if key.starts_with("remote.") {
            urls.push((key, value));
        }
    }
    urls.sort_by_key(|(key, _)| *key != "remote.origin.url");
    let status = without_filters(git(Some(dir)), &config).args([
        "status",
        "--porcelain=v2",
        "--branch",
        "--untracked-files=no",
        "--ignore-submodules=all",
    ]);
    let mut found = Checkout {
        url: urls.first().map(|(_, url)| url.trim().to_owned()),
        ..Checkout::default()
    };
    for line in run(status, "status")?.text().lines() {
        let Some(header) = line.strip_prefix("# ") else {
            found.dirty = true;
            found.changed.extend(changed_path(line));
            continue;
        };
        match header.split_once(' ') {
            Some(("branch.oid", oid)) if oid != "(initial)" => found.commit = Some(oid.to_owned()),
            Some(("branch.head", name)) if name != "(detached)" => {
                found.branch = Some(name.to_owned());
            }
            _ => {}
        }
    }
    Ok(found)
}

/// Reports whether a repository holds what no remote does, as far as it knows: a commit, a
/// stash, or a file beside those that it tracks. What cannot be told is taken for it.
pub fn holds_more(dir: &Utf8Path) -> bool {
    let commits = git(Some(dir)).args(["rev-list", "--max-count=1", "--all", "HEAD"]);
    let commits = commits.args(["--not", "--remotes", "--tags"]);
    let files = git(Some(dir)).args(["ls-files", "--others", "--directory"]);
    let files = files.args(["--exclude=__pycache__/", "--exclude=*.pyc"]);
    let is_some = |found: Result<Finished, GitError>| {
        found.map_or(true, |found| !found.text().trim().is_empty())
    };
    is_some(run(commits, "rev-list")) || is_some(run(files, "ls-files"))
}

/// Returns the path of an entry of `git status --porcelain=v2`: of a file that was changed,
/// moved, or left unmerged. How many words stand before it depends on which.
fn changed_path(line: &str) -> Option<String> {
    let words = match line.get(..2)? {
        "1 " => 9,
        "2 " => 10,
        "u " => 11,
        _ => return None,
    };
    let path = line.splitn(words, ' ').nth(words - 1)?;
    // Of a file that was moved, what it was before stands behind a tab.
    Some(path.split('\t').next().unwrap_or(path).to_owned())
}
