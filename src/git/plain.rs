//! What a checkout is at, read from its files: for machines without a git program.
//!
//! HEAD, branches, the remote's address and changed files are had so. What was staged and is
//! not committed shows only if the file differs from the index too.

use std::collections::BTreeMap;

use camino::{Utf8Path, Utf8PathBuf};

use super::read::Checkout;
use crate::host::{digest, fs};

/// Links from one reference to the next are followed so far.
const DEPTH: usize = 5;

/// Reads what a checkout is at; `None` if it is no repository that can be read so.
pub(super) fn read(dir: &Utf8Path) -> Option<Checkout> {
    let git_dir = git_dir(dir)?;
    let common = match fs::find_text(&git_dir.join("commondir")).ok()? {
        Some(text) => git_dir.join(text.trim()),
        None => git_dir.clone(),
    };
    let head = fs::find_text(&git_dir.join("HEAD")).ok()??;
    let target = head.trim().strip_prefix("ref:").map(str::trim);
    let mut found = Checkout {
        url: remote_url(&common),
        branch: target
            .and_then(|name| name.strip_prefix("refs/heads/"))
            .map(str::to_owned),
        commit: match target {
            Some(name) => resolve(&git_dir, &common, name, DEPTH),
            None => Some(head.trim().to_owned()).filter(|text| is_id(text)),
        },
        ..Checkout::default()
    };
    if let Some(bytes) = fs::find_bytes(&git_dir.join("index")).ok()? {
        found.changed = changed(dir, &bytes)?;
        found.dirty = !found.changed.is_empty();
    }
    Some(found)
}

/// Finds the directory of a repository: a work tree of another one has a file that names it.
fn git_dir(dir: &Utf8Path) -> Option<Utf8PathBuf> {
    let path = dir.join(".git");
    if fs::is_dir(&path) {
        return Some(path);
    }
    let text = fs::find_text(&path).ok()??;
    Some(dir.join(text.trim().strip_prefix("gitdir:")?.trim()))
}

fn is_id(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.chars().all(|c| c.is_ascii_hexdigit())
}

fn resolve(git_dir: &Utf8Path, common: &Utf8Path, name: &str, depth: usize) -> Option<String> {
    let is_plain = name.starts_with("refs/") && !name.split('/').any(|part| part == "..");
    if depth == 0 || !is_plain {
        return None;
    }
    for dir in [git_dir, common] {
        let Ok(Some(text)) = fs::find_text(&dir.join(name)) else {
            continue;
        };
        return match text.trim().strip_prefix("ref:") {
            Some(next) => resolve(git_dir, common, next.trim(), depth - 1),
            None => Some(text.trim().to_owned()).filter(|text| is_id(text)),
        };
    }
    let packed = fs::find_text(&common.join("packed-refs")).ok()??;
    let mut rows = packed.lines().filter_map(|line| line.split_once(' '));
    let row = rows.find(|(id, known)| is_id(id) && known.trim() == name)?;
    Some(row.0.to_owned())
}

/// Reads the address of `origin`, else of the first remote.
fn remote_url(common: &Utf8Path) -> Option<String> {
    let text = fs::find_text(&common.join("config")).ok()??;
    let mut remote: Option<String> = None;
    let mut urls = BTreeMap::new();
    for line in text.lines().map(str::trim) {
        if let Some(section) = line.strip_prefix('[') {
            let name = section.trim_end_matches(']').strip_prefix("remote ");
            remote = name.map(|name| name.trim().trim_matches('"').to_owned());
        } else if let (Some(remote), Some((key, value))) = (&remote, line.split_once('='))
            && key.trim().eq_ignore_ascii_case("url")
        {
            urls.entry(remote.clone())
                .or_insert_with(|| value.trim().trim_matches('"').to_owned());
        }
    }
    let first = |urls: BTreeMap<String, String>| urls.into_values().next();
    urls.remove("origin").or_else(|| first(urls))
}

/// Names the files that are not what the index (versions 2 to 4) has; `None` if it cannot be
/// read.
fn changed(dir: &Utf8Path, index: &[u8]) -> Option<Vec<String>> {
    /// Ten numbers before the id: times, device, inode, mode, owner, group, size.
    const NUMBERS: usize = 40;
    const ID: usize = 20;
    let number = |at: usize| Some(u32::from_be_bytes(index.get(at..at + 4)?.try_into().ok()?));
    if index.get(..4)? != b"DIRC" {
        return None;
    }
    let (version, count) = (number(4)?, number(8)?);
    if !(2..=4).contains(&version) {
        return None;
    }
    let mut at = 12;
    let mut path: Vec<u8> = Vec::new();
    let mut changed = Vec::new();
    for _ in 0..count {
        let start = at;
        let (seconds, mode, size) = (number(at + 8)?, number(at + 24)?, number(at + 36)?);
        let flags = u16::from_be_bytes(index.get(at + 60..at + 62)?.try_into().ok()?);
        let id = hex::encode(index.get(at + NUMBERS..at + NUMBERS + ID)?);
        at += NUMBERS + ID + 2;
        let mut skipped = false;
        if flags & 0x4000 != 0 && version >= 3 {
            // Left out of the work tree on purpose.
            skipped = index.get(at)? & 0x40 != 0;
            at += 2;
        }
        if version == 4 {
            let (strip, next) = offset(index, at)?;
            at = next;
            path.truncate(path.len().checked_sub(strip)?);
        } else {
            path.clear();
        }
        let end = at + index.get(at..)?.iter().position(|byte| *byte == 0)?;
        path.extend_from_slice(index.get(at..end)?);
        at = if version == 4 {
            end + 1
        } else {
            start + (end - start) / 8 * 8 + 8
        };
        let shown = String::from_utf8_lossy(&path).into_owned();
        let unmerged = flags & 0x3000 != 0;
        // A repository within has a life of its own.
        let is_module = mode & 0o170_000 == 0o160_000;
        if is_module || skipped {
            continue;
        }
        if unmerged || differs(&dir.join(&shown), seconds, size, &id) {
            changed.push(shown);
        }
    }
    changed.dedup();
    Some(changed)
}

/// Reads a number as version 4 counts what a path shares with the one before.
fn offset(bytes: &[u8], mut at: usize) -> Option<(usize, usize)> {
    let mut byte = *bytes.get(at)?;
    let mut value = usize::from(byte & 0x7f);
    while byte & 0x80 != 0 {
        at += 1;
        byte = *bytes.get(at)?;
        value = value.checked_add(1)?.checked_mul(128)? | usize::from(byte & 0x7f);
    }
    Some((value, at + 1))
}

/// Reports whether a file is another than the index has: of another time or size, and then of
/// other content.
fn differs(path: &Utf8Path, seconds: u32, size: u32, id: &str) -> bool {
    let Some((length, changed)) = fs::entry_stamp(path) else {
        return true;
    };
    // Both are kept cut to 32 bits. Of this very second it may have been written once more.
    let same_time = changed.div_euclid(1_000_000_000) & 0xffff_ffff == i128::from(seconds);
    if same_time && length & 0xffff_ffff == u64::from(size) && size != 0 {
        return false;
    }
    let content = match fs::link_target(path) {
        Some(target) => Ok(target.into_bytes()),
        None => fs::read_bytes(path),
    };
    let Ok(content) = content else {
        return true;
    };
    let blob = |content: &[u8]| {
        let head = format!("blob {}\0", content.len());
        digest::sha1(&[head.as_bytes(), content].concat()) == id
    };
    // As they are, or as git makes them where line ends are changed on the way.
    !blob(&content)
        && !blob(
            String::from_utf8_lossy(&content)
                .replace("\r\n", "\n")
                .as_bytes(),
        )
}
