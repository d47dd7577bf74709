//! A lock in the words of other installers: requirements with hashes, and constraints.
//!
//! Packages of one index, the one most come from, are named by version; those of others
//! by the address of their file. An index option counts for a whole file, and an
//! installer that asks two indexes takes the wrong one sooner or later: PyTorch's index
//! has a `numpy` too.

use std::collections::{BTreeMap, BTreeSet};

use camino::Utf8Path;
use url::Url;

use super::model::{Lock, LockedPackage};
use super::selection::parse_target;
use crate::package::artifact::{printable, without_credentials};
use crate::package::target::markers;
use crate::package::{DistFile, Name, Source, Target};
use crate::resolve::RequiredBy;

const PYPI: &str = "https://pypi.org/simple";
/// What pip checks; a shorter digest proves nothing.
const ALGORITHMS: [&str; 3] = ["sha256", "sha384", "sha512"];

/// Whether lines carry hashes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Hashing {
    /// Each does; what has no hash is only a comment.
    #[default]
    Required,
    /// None does, so that commits and directories can stand beside files.
    None,
}

/// A lock in other words.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Exported {
    /// The text.
    pub text: String,
    /// What is only a comment in it, and why.
    pub left: Vec<(Name, String)>,
}

impl Exported {
    fn leave(&mut self, package: &Name, shown: &str, reason: &str) {
        self.text
            .push_str(&format!("# {}\n    # {reason}\n", one_line(shown)));
        self.left.push((package.clone(), reason.to_owned()));
    }
}

/// Writes a lock as requirements. Local files are named by address below `root`.
pub fn to_requirements(lock: &Lock, root: &Utf8Path, hashing: Hashing) -> Exported {
    let mut out = Exported::default();
    let options = match hashing {
        Hashing::Required => "--no-deps --require-hashes",
        Hashing::None => "--no-deps",
    };
    out.text.push_str(&format!(
        "{}# Install with: uv pip install {options} -r FILE, or pip install with the same options.\n",
        head(lock)
    ));
    let targets: Option<Vec<Target>> = lock.targets.iter().map(|text| parse_target(text)).collect();
    let targets = targets.unwrap_or_default();
    let main = main_index(lock);
    let mut lines = Exported::default();
    let mut more = BTreeSet::new();
    for package in &lock.packages {
        let by_version = match (&package.source, &package.version) {
            (Source::Index(index), Some(version)) => {
                let index = without_credentials(index);
                let is_main = main.as_ref() == Some(&index);
                let by_file = if is_main {
                    None
                } else {
                    by_file(package, &targets)
                };
                match by_file {
                    Some(files) => {
                        for (file, marker) in files {
                            let line =
                                format!("{} @ {}", package.name, without_credentials(&file.url));
                            write(
                                &mut lines,
                                package,
                                &line,
                                &[file],
                                marker.as_deref(),
                                hashing,
                            );
                        }
                        continue;
                    }
                    None if !is_main && index.contains("://") => {
                        more.insert(index);
                    }
                    None => {}
                }
                Some(format!("{}=={version}", package.name))
            }
            _ => None,
        };
        let line = by_version.unwrap_or_else(|| by_address(package, root));
        let files: Vec<&DistFile> = package.files.iter().collect();
        write(
            &mut lines,
            package,
            &line,
            &files,
            package.marker.as_deref(),
            hashing,
        );
    }
    if let Some(main) = main.filter(|main| main.trim_end_matches('/') != PYPI) {
        out.text.push_str(&format!("--index-url {main}\n"));
    }
    for index in more {
        out.text.push_str(&format!("--extra-index-url {index}\n"));
    }
    for (name, version) in &lock.kept {
        lines.leave(
            name,
            &format!("{name}=={version}"),
            "it is installed and no index has it",
        );
    }
    out.text.push_str(&lines.text);
    out.left = lines.left;
    out
}

/// Writes a lock as constraints: versions, whatever they are installed from.
pub fn to_constraints(lock: &Lock) -> Exported {
    let mut out = Exported {
        text: head(lock),
        ..Exported::default()
    };
    for package in &lock.packages {
        match &package.version {
            Some(version) => {
                let line = format!("{}=={version}", package.name);
                out.text
                    .push_str(&with_marker(&line, package.marker.as_deref()));
                out.text.push('\n');
            }
            None => out.leave(
                &package.name,
                package.name.as_str(),
                "its version is known only when it is built",
            ),
        }
    }
    for (name, version) in &lock.kept {
        out.text.push_str(&format!("{name}=={version}\n"));
    }
    out
}

fn head(lock: &Lock) -> String {
    let made_for = if lock.targets.is_empty() {
        String::new()
    } else {
        format!(" for {}", lock.targets.join(", "))
    };
    let python = lock
        .requires_python
        .as_ref()
        .map_or(String::new(), |python| format!(", Python {python}"));
    let line = format!("Made by portenv from its lock{made_for}{python}.");
    format!("# {}\n", one_line(&line))
}

/// The index that most packages come from.
fn main_index(lock: &Lock) -> Option<String> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for package in &lock.packages {
        match &package.source {
            Source::Index(index) if index.starts_with("http") => {
                *counts.entry(without_credentials(index)).or_default() += 1;
            }
            _ => {}
        }
    }
    let is_pypi = |index: &String| index.trim_end_matches('/') == PYPI;
    let most = counts
        .iter()
        .max_by_key(|(index, count)| (**count, is_pypi(index)));
    most.map(|(index, _)| index.clone())
}

/// The files of a package that the targets install, each with the marker of those that
/// do; `None` if that cannot be told.
fn by_file<'p>(
    package: &'p LockedPackage,
    targets: &[Target],
) -> Option<Vec<(&'p DistFile, Option<String>)>> {
    if let [only] = package.files.as_slice() {
        return Some(vec![(only, package.marker.clone())]);
    }
    let mut files: Vec<(&DistFile, Vec<String>)> = Vec::new();
    for (target, marker) in targets.iter().zip(markers(targets)) {
        if !package.counts_on(target) {
            continue;
        }
        let file = package.file_for(target)?;
        match files.iter_mut().find(|(known, _)| *known == file) {
            Some((_, markers)) => markers.push(marker),
            None => files.push((file, vec![marker])),
        }
    }
    if let [(file, _)] = files.as_slice() {
        return Some(vec![(*file, package.marker.clone())]);
    }
    let joined = |markers: Vec<String>| match markers.as_slice() {
        [one] => one.clone(),
        several => {
            let parts: Vec<String> = several.iter().map(|one| format!("({one})")).collect();
            parts.join(" or ")
        }
    };
    let files = files.into_iter();
    let files: Vec<_> = files
        .map(|(file, markers)| (file, Some(joined(markers))))
        .collect();
    (!files.is_empty()).then_some(files)
}

/// A package that no index has, by its address.
fn by_address(package: &LockedPackage, root: &Utf8Path) -> String {
    let name = &package.name;
    let inner = |directory: &Option<String>| {
        (directory.as_ref()).map_or(String::new(), |dir| format!("#subdirectory={dir}"))
    };
    match &package.source {
        Source::Index(_) => name.to_string(),
        Source::Url { url, subdirectory } => {
            format!(
                "{name} @ {}{}",
                without_credentials(url),
                inner(subdirectory)
            )
        }
        Source::Git(vcs) => format!(
            "{name} @ git+{}@{}{}",
            without_credentials(&vcs.url),
            vcs.commit,
            inner(&vcs.subdirectory)
        ),
        Source::Path { path, .. } => {
            let full = root.join(path);
            let url = Url::from_file_path(full.as_std_path())
                .map_or_else(|()| full.to_string(), |url| url.to_string());
            format!("{name} @ {url}")
        }
    }
}

fn write(
    out: &mut Exported,
    package: &LockedPackage,
    line: &str,
    files: &[&DistFile],
    marker: Option<&str>,
    hashing: Hashing,
) {
    let mut text = with_marker(&one_line(line), marker);
    if hashing == Hashing::Required {
        let hashes: BTreeSet<String> = files
            .iter()
            .flat_map(|file| &file.hashes)
            .filter(|(algorithm, _)| ALGORITHMS.contains(&algorithm.as_str()))
            .map(|(algorithm, hex)| format!("--hash={algorithm}:{hex}"))
            .collect();
        if hashes.is_empty() {
            let reason = match &package.source {
                Source::Git(_) => {
                    "a commit has no hash that installers check: install it by itself"
                }
                Source::Path { .. } => {
                    "a directory has no hash that installers check: install it by itself"
                }
                _ => "its index states no hash that installers check",
            };
            out.leave(&package.name, &text, reason);
            return;
        }
        for hash in hashes {
            text.push_str(&format!(" \\\n    {hash}"));
        }
    }
    out.text.push_str(&text);
    out.text.push('\n');
    let asking: BTreeSet<String> = package.required_by.iter().map(asks).collect();
    if !asking.is_empty() {
        let list: Vec<String> = asking.into_iter().collect();
        let via = format!("    # via {}", list.join(", "));
        out.text.push_str(&one_line(&via));
        out.text.push('\n');
    }
}

fn asks(by: &RequiredBy) -> String {
    match by {
        RequiredBy::Line { origin, .. } => origin.owner(),
        RequiredBy::Package { package, .. } => package.to_string(),
    }
}

fn with_marker(line: &str, marker: Option<&str>) -> String {
    match marker.filter(|marker| !marker.is_empty()) {
        // Behind an address a blank tells the marker from a part of it.
        Some(marker) => format!("{line} ; {}", one_line(marker)),
        None => line.to_owned(),
    }
}

/// Text from strangers must not make lines of its own.
fn one_line(text: &str) -> String {
    printable(text).replace(['\n', '\r'], " ")
}
