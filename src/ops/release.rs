//! ComfyUI's requirement files at a release, without a checkout: fetched by git from its
//! repository and kept in the cache.
//!
//! Below `git/` of the cache a repository has a directory of its own: `releases.json` says
//! which commit each name was seen at, and `<commit>/` holds the files with `commit.json`
//! beside them. A tag stays at its commit and is never asked for again; what moves
//! (`latest`, a branch) is asked for again after ten minutes, as pages of an index are.

use std::collections::BTreeMap;

use camino::{Utf8Path, Utf8PathBuf};
use serde::{Deserialize, Serialize};

use super::context::Context;
use super::error::OpError;
use crate::git::GitError;
use crate::git::remote::{RemoteRef, fetch_files, list_refs};
use crate::host::{digest, fs};
use crate::index::IndexError;
use crate::index::retention::RELEASES;
use crate::package::{Version, redact};

/// ComfyUI's own repository.
pub const REPOSITORY: &str = "https://github.com/comfyanonymous/ComfyUI.git";

/// The word for the newest release.
pub const LATEST: &str = "latest";

/// For how many seconds it is taken for granted where a name was seen.
const FRESH: i64 = 600;
const FACTS: &str = "commit.json";

/// ComfyUI at a commit of its repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    /// The tag, branch or commit.
    pub name: String,
    /// The commit.
    pub commit: String,
    /// When it was committed, in seconds since 1970.
    pub time: i64,
    /// The repository, without credentials.
    pub url: String,
    /// Where its requirement files lie.
    pub dir: Utf8PathBuf,
}

/// Where a name was seen.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Seen {
    /// What it is: for `latest` the tag.
    name: String,
    /// What the remote calls it.
    full: String,
    commit: String,
    asked: i64,
}

impl Seen {
    fn stays(&self, word: &str) -> bool {
        word != LATEST && self.full.starts_with("refs/tags/")
    }
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Facts {
    time: i64,
}

/// Finds ComfyUI at `word`: `latest`, a tag, a branch or a whole commit id. What is fetched
/// is kept in the cache, or below `scratch` where none is used.
///
/// # Errors
///
/// Fails if there is no such release, or it cannot be had.
pub fn find_release(
    context: &Context,
    url: &str,
    word: &str,
    scratch: &Utf8Path,
) -> Result<Release, OpError> {
    let cache = context.cache_dir.as_deref().unwrap_or(scratch);
    let home = cache
        .join("git")
        .join(digest::short(format!("release {url}").as_bytes()));
    fs::create_dir_all(&home)?;
    let desk = Desk { context, url, home };
    let seen = desk.see(word)?;
    let dir = desk.home.join(&seen.commit);
    let facts = match read::<Facts>(&dir.join(FACTS)) {
        Some(facts) => facts,
        None => desk.fetch(&seen, &dir)?,
    };
    Ok(Release {
        name: seen.name,
        commit: seen.commit,
        time: facts.time,
        url: redact(url),
        dir,
    })
}

struct Desk<'a> {
    context: &'a Context,
    url: &'a str,
    home: Utf8PathBuf,
}

impl Desk<'_> {
    /// Finds the commit of a word: in the cache if that will do, else at the remote.
    fn see(&self, word: &str) -> Result<Seen, OpError> {
        let now = self.context.clock.now().as_second();
        let path = self.home.join(RELEASES);
        let mut known: BTreeMap<String, Seen> = read(&path).unwrap_or_default();
        if is_commit(word) {
            let commit = word.to_ascii_lowercase();
            // By this file the cache knows the directory for its own.
            write(&path, &known);
            return Ok(Seen {
                name: commit.clone(),
                full: commit.clone(),
                commit,
                asked: now,
            });
        }
        let is_fresh = |seen: &Seen| (0..FRESH).contains(&(now - seen.asked));
        if let Some(seen) = known.get(word)
            && (seen.stays(word) || self.context.offline || is_fresh(seen))
        {
            return Ok(seen.clone());
        }
        self.needs_network(word)?;
        let found = self.ask(word)?;
        let seen = found.ok_or_else(|| {
            let url = redact(self.url);
            OpError::NotFound(match word {
                LATEST => format!("`{url}` has no tag of a release"),
                _ => format!(
                    "`{url}` has no tag or branch `{word}`, nor is there a file of that name"
                ),
            })
        })?;
        let seen = Seen {
            name: short(&seen.0).to_owned(),
            full: seen.0,
            commit: seen.1,
            asked: now,
        };
        known.insert(word.to_owned(), seen.clone());
        known.insert(seen.name.clone(), seen.clone());
        write(&path, &known);
        Ok(seen)
    }

    fn ask(&self, word: &str) -> Result<Option<RemoteRef>, OpError> {
        if word == LATEST {
            let tags = self.list(&["refs/tags/*".to_owned()])?;
            let released = tags
                .into_iter()
                .filter_map(|tag| Some((released(&tag.0)?, tag)));
            return Ok(released.max_by(|a, b| a.0.cmp(&b.0)).map(|(_, tag)| tag));
        }
        // In this order, should more than one be there.
        let names = [
            format!("refs/tags/{word}"),
            format!("refs/tags/v{word}"),
            format!("refs/heads/{word}"),
        ];
        let found = self.list(&names)?;
        let mut in_order = names.iter();
        Ok(in_order.find_map(|name| found.iter().find(|(full, _)| full == name).cloned()))
    }

    fn list(&self, patterns: &[String]) -> Result<Vec<RemoteRef>, OpError> {
        let progress = &self.context.progress;
        progress.begin("asking for releases of ComfyUI", None);
        let found = list_refs(self.url, patterns);
        progress.end();
        found.map_err(|error| self.told(error))
    }

    fn needs_network(&self, word: &str) -> Result<(), OpError> {
        if !self.context.offline {
            return Ok(());
        }
        let what = format!("ComfyUI {word} of {}", redact(self.url));
        Err(IndexError::Offline { what }.into())
    }

    fn fetch(&self, seen: &Seen, dir: &Utf8Path) -> Result<Facts, OpError> {
        self.needs_network(&seen.name)?;
        let held = fs::scratch(&self.home)?;
        let scratch = Utf8PathBuf::from_path_buf(held.path().to_owned())
            .map_err(|path| OpError::Usage(format!("`{}` is not UTF-8", path.display())))?;
        let progress = &self.context.progress;
        progress.begin("fetching the requirements of ComfyUI", None);
        let aside = scratch.join("repository");
        let found = fetch_files(self.url, &seen.full, &seen.commit, &aside, is_wanted);
        progress.end();
        let found = found.map_err(|error| self.told(error))?;
        if !found
            .files
            .iter()
            .any(|(name, _)| name == "requirements.txt")
        {
            return Err(OpError::NotFound(format!(
                "there is no `requirements.txt` in `{}` at {}",
                redact(self.url),
                seen.name
            )));
        }
        let made = scratch.join("made");
        fs::create_dir_all(&made)?;
        for (name, content) in &found.files {
            fs::write_atomic(&made.join(name), content)?;
        }
        let facts = Facts { time: found.time };
        write(&made.join(FACTS), &facts);
        // Where another run was quicker, its directory stays.
        match fs::rename(&made, dir) {
            Err(error) if !fs::is_dir(dir) => Err(error.into()),
            _ => Ok(facts),
        }
    }

    /// A name that is not there is no failure of the network.
    fn told(&self, error: GitError) -> OpError {
        if error.source.is_some() {
            return error.into();
        }
        IndexError::Git {
            url: redact(self.url),
            detail: error.to_string(),
        }
        .into()
    }
}

/// What requirement files may name, and what tells ComfyUI's version. Only plain names are
/// written anywhere.
fn is_wanted(name: &str) -> bool {
    let words = ["requirements", "constraints"];
    let is_list = name.ends_with(".txt") && words.iter().any(|word| name.contains(word));
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    (is_list || matches!(name, "pyproject.toml" | "comfyui_version.py"))
        && name.chars().all(is_plain)
}

/// `refs/tags/v1` → `v1`.
fn short(full: &str) -> &str {
    let tag = full.strip_prefix("refs/tags/");
    tag.or_else(|| full.strip_prefix("refs/heads/"))
        .unwrap_or(full)
}

fn is_commit(word: &str) -> bool {
    matches!(word.len(), 40 | 64) && word.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Returns the version of a tag such as `refs/tags/v0.33.0`, unless it is a pre-release.
pub(super) fn released(full: &str) -> Option<Version> {
    let tag = full.strip_prefix("refs/tags/")?;
    let version: Version = tag.strip_prefix('v').unwrap_or(tag).parse().ok()?;
    (!version.any_prerelease()).then_some(version)
}

fn read<T: for<'de> Deserialize<'de>>(path: &Utf8Path) -> Option<T> {
    let text = fs::find_text(path).ok()??;
    serde_json::from_str(&text).ok()
}

/// Best effort: what could not be kept is asked for again.
fn write(path: &Utf8Path, value: &impl Serialize) {
    if let Ok(text) = serde_json::to_string(value) {
        let _ = fs::write_atomic(path, text.as_bytes());
    }
}
