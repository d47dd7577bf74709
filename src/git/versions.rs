//! Which commits of a checkout have other versions of some files, told from what is here.

use camino::Utf8Path;

use super::change::resolve_rev;
use super::read::{GitError, git, run};

/// How far back is looked.
const MOST_COMMITS: &str = "--max-count=4000";
/// How many files of one commit are read.
const MOST_FILES: usize = 64;
/// How large a file that is read may be, in bytes.
const LARGEST: u64 = 1 << 20;

/// A commit from which on, back to the next one listed, some files are the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revision {
    /// The commit: the newest one with a tag, else the newest.
    pub commit: String,
    /// When it was made, RFC 3339.
    pub time: String,
    /// A tag that is at it.
    pub tag: Option<String>,
    /// The checkout is at this one or at one whose files are the same.
    pub here: bool,
}

/// Lists revisions in which `files` differ, newest first: along the branch that is
/// followed, else the default branch of the remote, else what is checked out.
///
/// # Errors
///
/// Fails if git is not there or the directory is no repository.
pub fn revisions(dir: &Utf8Path, files: &[&str]) -> Result<Vec<Revision>, GitError> {
    let known = ["@{upstream}", "refs/remotes/origin/HEAD", "HEAD"];
    let Some(tip) = known.iter().find_map(|rev| resolve_rev(dir, rev)) else {
        return Ok(Vec::new());
    };
    let here = resolve_rev(dir, "HEAD");
    let log =
        || git(Some(dir)).args(["log", "--first-parent", MOST_COMMITS, "--no-show-signature"]);
    let format = "--format=%H%x09%cI%x09%D";
    let all = run(log().args(["--decorate=full", format, &tip, "--"]), "log")?.text();
    let touching = run(
        log()
            .args(["--format=%H", &tip, "--"])
            .args(files.iter().copied()),
        "log",
    )?
    .text();
    let ends: Vec<&str> = touching.lines().collect();
    let mut found: Vec<Revision> = Vec::new();
    let mut open = false;
    for line in all.lines() {
        let mut parts = line.splitn(3, '\t');
        let (Some(commit), Some(time)) = (parts.next(), parts.next()) else {
            continue;
        };
        let tags = parts.next().unwrap_or_default().split(", ");
        let mut tags = tags.filter_map(|name| name.strip_prefix("tag: refs/tags/"));
        let this = Revision {
            commit: commit.to_owned(),
            time: time.to_owned(),
            tag: tags.next().map(str::to_owned),
            here: here.as_deref() == Some(commit),
        };
        match found.last_mut().filter(|_| open) {
            Some(last) => {
                last.here |= this.here;
                if last.tag.is_none() && this.tag.is_some() {
                    let here = last.here;
                    *last = Revision { here, ..this };
                }
            }
            None => found.push(this),
        }
        open = !ends.contains(&commit);
    }
    Ok(found)
}

/// Reads the files at the top of a commit whose names end in one of `endings`, as they
/// are stored: no filter is run, and nothing is fetched.
///
/// # Errors
///
/// Fails if the commit or one of the files is not here.
pub fn read_files(
    dir: &Utf8Path,
    commit: &str,
    endings: &[&str],
) -> Result<Vec<(String, Vec<u8>)>, GitError> {
    let local = || git(Some(dir)).env("GIT_NO_LAZY_FETCH", "1");
    let list = run(
        local().args(["ls-tree", "-l", "-z", commit, "--"]),
        "ls-tree",
    )?
    .text();
    let mut files = Vec::new();
    for entry in list.split('\0') {
        if files.len() == MOST_FILES {
            break;
        }
        let Some((facts, name)) = entry.split_once('\t') else {
            continue;
        };
        let mut facts = facts.split_whitespace();
        let (Some(mode), Some("blob"), Some(id), Some(size)) =
            (facts.next(), facts.next(), facts.next(), facts.next())
        else {
            continue;
        };
        let is_small = size.parse().is_ok_and(|size: u64| size <= LARGEST);
        // A link would be read as the path that it leads to.
        if !mode.starts_with("100") || !is_small {
            continue;
        }
        if endings.iter().any(|ending| name.ends_with(ending)) {
            let content = run(local().args(["cat-file", "blob", id]), "cat-file")?;
            files.push((name.to_owned(), content.stdout));
        }
    }
    Ok(files)
}
