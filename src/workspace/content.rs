//! What a node consists of where no commit says so.

use std::collections::{BTreeMap, BTreeSet};

use camino::Utf8Path;

use super::node::Node;
use crate::git;
use crate::host::digest;
use crate::host::fs;

/// Directories that hold nothing a person or an author wrote.
const ASIDE: [&str; 4] = ["__pycache__", "node_modules", ".git", ".venv"];

/// Endings of code. Data does not count: nodes write settings, caches and pictures into their
/// own directory when they run.
const CODE: [&str; 11] = [
    "py", "pyd", "so", "dylib", "dll", "js", "mjs", "cjs", "ts", "css", "html",
];

/// Files that say what a node asks for.
const DECLARING: [&str; 3] = ["pyproject.toml", "setup.cfg", "extra-requirements.txt"];

/// Up to this size a file is read; of a larger one the size counts.
const MOST: u64 = 4 << 20;

/// Everything in a node's directory that is worth keeping, data too.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Members {
    /// Files, relative to the node with `/`, sorted; a node that is a file has itself, as an
    /// empty path.
    pub files: Vec<String>,
    /// Links that stay in the directory, each with where it leads, sorted.
    pub links: Vec<(String, String)>,
    /// Links that lead out of it, sorted.
    pub leading_out: Vec<String>,
    /// The bytes of all files.
    pub bytes: u64,
}

/// Lists what a node consists of. Nothing that is compiled, and no link is followed.
pub fn members(path: &Utf8Path) -> Members {
    let mut found = Members::default();
    if fs::is_dir(path) {
        walk(path, "", &mut found);
        found.files.retain(|file| !is_compiled(file));
        found.files.sort();
        found.links.sort();
        found.leading_out.sort();
    } else {
        found.files.push(String::new());
    }
    found.bytes = found.files.iter().map(|file| size(path, file)).sum();
    found
}

/// Returns a digest over the code of a node and what it asks for: the paths relative to it in
/// sorted order, each with its content. Equal for equal nodes wherever they lie, whatever was
/// compiled, and whatever they have written when they ran. A single file is its own content. A
/// link that leads out of the node is another machine's tomorrow, and does not count.
///
/// What cannot be read counts as empty: the digest tells nodes apart and proves nothing.
pub fn content_digest(path: &Utf8Path) -> String {
    let mut lines = code_lines(path);
    lines.sort();
    digest::sha256(lines.concat().as_bytes())
}

fn code_lines(path: &Utf8Path) -> Vec<String> {
    if !fs::is_dir(path) {
        return vec![line_of(path, "")];
    }
    let mut found = Members::default();
    walk(path, "", &mut found);
    let code = found.files.iter().filter(|file| counts(file));
    let mut lines: Vec<String> = code.map(|file| line_of(&path.join(file), file)).collect();
    let links = found.links.iter();
    // Where it leads to may be a circle.
    lines.extend(links.map(|(link, target)| format!("{link}\0link {target}\n")));
    lines
}

/// Names the files of a node that count as its code and differ from a record of them, paths
/// with digests; sorted.
pub fn differing_code(path: &Utf8Path, record: &BTreeMap<String, String>) -> Vec<String> {
    let here = members(path).files;
    let read = |file: &str| match file {
        "" => digest::sha256_of_file(path).ok(),
        file => digest::sha256_of_file(&path.join(file)).ok(),
    };
    let all: BTreeSet<&str> = (here.iter().chain(record.keys()))
        .map(String::as_str)
        .collect();
    all.into_iter()
        .filter(|file| file.is_empty() || counts(file))
        .filter(|file| read(file).as_ref() != record.get(*file))
        .map(str::to_owned)
        .collect()
}

/// Returns a digest over the changed files of a checkout, or `None` if none is changed or git
/// cannot tell.
pub fn edits_digest(dir: &Utf8Path) -> Option<String> {
    let changed = git::keep::changed_files(dir).ok()?;
    let lines = changed.iter().map(|path| {
        let content = digest::sha256_of_file(&dir.join(path));
        // One that was deleted has none.
        format!("{path}\t{}\n", content.unwrap_or_default())
    });
    let mut lines: Vec<String> = lines.collect();
    lines.sort();
    (!lines.is_empty()).then(|| digest::sha256(lines.concat().as_bytes()))
}

/// Returns what tells the content of a node at `path` from another one where its commit does
/// not; `None` for a checkout as it was committed.
pub fn content_of(node: &Node, path: &Utf8Path) -> Option<String> {
    match &node.commit {
        None => Some(content_digest(path)),
        Some(_) if node.dirty => edits_digest(path),
        Some(_) => None,
    }
}

fn walk(dir: &Utf8Path, below: &str, found: &mut Members) {
    for (name, is_plain) in fs::find_entries(dir) {
        let path = dir.join(&name);
        let shown = format!("{below}{name}");
        if is_plain {
            found.files.push(shown);
        } else if let Some(target) = fs::link_target(&path) {
            let target = target.replace('\\', "/");
            if stays_inside(&shown, &target) {
                found.links.push((shown, target));
            } else {
                found.leading_out.push(shown);
            }
        } else if fs::is_dir(&path) && !ASIDE.contains(&name.as_str()) {
            walk(&path, &format!("{shown}/"), found);
        }
    }
}

/// Reports whether a link at `link`, relative to a directory, leads to a place in it by its
/// words alone.
pub fn stays_inside(link: &str, target: &str) -> bool {
    if target.starts_with('/') || target.contains([':', '\0']) {
        return false;
    }
    let mut depth = link.matches('/').count();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." if depth == 0 => return false,
            ".." => depth -= 1,
            _ => depth += 1,
        }
    }
    true
}

/// Returns when anything that [`members`] lists was changed last, in nanoseconds since 1970.
pub fn touched(path: &Utf8Path, members: &Members) -> i128 {
    let mut places: BTreeSet<&Utf8Path> = BTreeSet::from([Utf8Path::new("")]);
    let links = members.links.iter().map(|(link, _)| link);
    for file in members.files.iter().chain(links) {
        places.extend(Utf8Path::new(file).ancestors());
    }
    let all = places.into_iter().map(|place| match place.as_str() {
        "" => fs::touched(path),
        place => fs::touched(&path.join(place)),
    });
    all.max().unwrap_or(i128::MAX)
}

fn is_compiled(file: &str) -> bool {
    let name = file.rsplit('/').next().unwrap_or(file);
    name.ends_with(".pyc") || name.ends_with(fs::PART) || name == ".DS_Store"
}

fn counts(file: &str) -> bool {
    let name = file.rsplit('/').next().unwrap_or(file);
    let lower = name.to_lowercase();
    let ending = lower.rsplit_once('.').map(|(_, ending)| ending);
    let requires = lower.starts_with("requirements") && ending == Some("txt");
    requires
        || DECLARING.contains(&lower.as_str())
        || ending.is_some_and(|ending| CODE.contains(&ending))
}

fn size(root: &Utf8Path, file: &str) -> u64 {
    let path = if file.is_empty() {
        root.to_owned()
    } else {
        root.join(file)
    };
    match fs::find_stamp(&path) {
        Ok(Some(stamp)) => stamp.size,
        _ => 0,
    }
}

fn line_of(path: &Utf8Path, shown: &str) -> String {
    let size = size(path, "");
    let content = if size <= MOST {
        digest::sha256_of_file(path).unwrap_or_default()
    } else {
        String::new()
    };
    format!("{shown}\0{size} {content}\n")
}
