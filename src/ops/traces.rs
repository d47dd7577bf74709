//! Who changed packages behind portenv's back, as far as what they left tells.
//!
//! An installer signs what it installs: INSTALLER names it, REQUESTED stands with what was
//! asked for by name (PEP 376, PEP 610), and RECORD is written last, so its time is that of
//! the installation. A removal leaves nothing. What is said of nodes is no proof: a line or an
//! `install.py` of theirs asks for what was installed.

use std::collections::BTreeSet;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use super::changes::{ChangeInfo, Difference};
use super::context::Site;
use crate::environment::Installed;
use crate::host::fs;
use crate::lock::ChangeKind;
use crate::package::{Name, Version};
use crate::requirements::{OriginKind, RequirementSet, Role};

/// Packages that came within this time of each other, by one installer, came together.
const TOGETHER: i64 = 120;

/// How many nodes are named that may have asked for something.
const MOST_NODES: usize = 3;

/// Packages that one program changed in one go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Trace {
    /// The program that installed them, by its own word; null where nothing tells.
    pub by: Option<String>,
    /// When the first of them was installed (RFC 3339, UTC); null where nothing tells.
    pub began: Option<String>,
    /// When the last of them was.
    pub ended: Option<String>,
    /// The packages, by name.
    pub packages: Vec<Name>,
    /// Those of them that were asked for by name; the others were brought by these.
    pub requested: Vec<Name>,
    /// Nodes that ask for what came.
    pub nodes: Vec<Suspect>,
}

/// A node that may have asked for what was installed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Suspect {
    /// The node.
    pub node: String,
    /// What of it asks, in words.
    pub why: String,
    /// It came or changed since the newest snapshot too.
    pub is_new: bool,
}

/// What the metadata of one changed package tells.
struct Sign<'a> {
    change: &'a ChangeInfo,
    by: Option<String>,
    at: Option<Timestamp>,
    requested: bool,
}

/// Reads what changed packages tell, the earliest first; removals, of which nothing tells, last.
///
/// Asks the disk twice for each package that changed, and for none that did not.
pub fn find_traces(
    site: &Site,
    installed: &Installed,
    drift: &Difference,
    set: &RequirementSet,
) -> Vec<Trace> {
    let mut signs: Vec<Sign<'_>> = Vec::new();
    for change in &drift.changes {
        let found = installed.get(&change.name);
        let found = found.filter(|_| change.kind != ChangeKind::Remove);
        signs.push(Sign {
            change,
            by: found.and_then(|found| found.installer.clone()),
            at: found.and_then(|found| {
                let stamp = fs::find_stamp(&found.dir.join("RECORD")).ok()??;
                Timestamp::from_nanosecond(stamp.changed).ok()
            }),
            requested: found.is_some_and(|found| fs::exists(&found.dir.join("REQUESTED"))),
        });
    }
    let key = |sign: &Sign<'_>| {
        let removed = sign.change.kind == ChangeKind::Remove;
        (removed, sign.at, sign.change.name.clone())
    };
    signs.sort_by_key(key);
    let mut traces = Vec::new();
    for group in signs.chunk_by(|a, b| are_together(a, b)) {
        traces.push(trace(site, group, drift, set));
    }
    traces
}

fn are_together(a: &Sign<'_>, b: &Sign<'_>) -> bool {
    let removed = |sign: &Sign<'_>| sign.change.kind == ChangeKind::Remove;
    let close = match (a.at, b.at) {
        (Some(a), Some(b)) => b.as_second() - a.as_second() <= TOGETHER,
        (None, None) => true,
        _ => false,
    };
    a.by == b.by && removed(a) == removed(b) && close
}

fn trace(site: &Site, group: &[Sign<'_>], drift: &Difference, set: &RequirementSet) -> Trace {
    // To the second: more is noise, and files keep no more elsewhere.
    let shown = |sign: &Sign<'_>| {
        let time = Timestamp::from_second(sign.at?.as_second()).ok()?;
        Some(time.to_string())
    };
    let names = |only: bool| {
        let signs = group.iter().filter(|sign| sign.requested || !only);
        let mut names: Vec<Name> = signs.map(|sign| sign.change.name.clone()).collect();
        names.sort();
        names
    };
    Trace {
        by: group[0].by.clone(),
        began: shown(&group[0]),
        ended: group.last().and_then(shown),
        packages: names(false),
        requested: names(true),
        nodes: suspects(site, group, drift, set),
    }
}

/// Finds nodes that ask for what came: those that are new themselves first.
fn suspects(
    site: &Site,
    group: &[Sign<'_>],
    drift: &Difference,
    set: &RequirementSet,
) -> Vec<Suspect> {
    // What others brought along says nothing of who began.
    let any_requested = group.iter().any(|sign| sign.requested);
    let asked: Vec<&ChangeInfo> = group
        .iter()
        .filter(|sign| sign.change.to.is_some() && (sign.requested || !any_requested))
        .map(|sign| sign.change)
        .collect();
    let changed: BTreeSet<&str> = drift.nodes.iter().map(|node| node.dir.as_str()).collect();
    let is_new = |file: Option<&str>| {
        let dir = file.and_then(|file| file.rsplit_once('/'));
        dir.is_some_and(|(dir, _)| changed.contains(dir))
    };
    let mut found: Vec<Suspect> = Vec::new();
    let mut add = |node: Option<&String>, why: String, is_new: bool| {
        if let Some(node) = node
            && !found.iter().any(|known| known.node == *node)
        {
            let node = node.clone();
            found.push(Suspect { node, why, is_new });
        }
    };
    for change in &asked {
        let lines = set.lines.iter().filter(|line| {
            line.requirement.name == change.name
                && line.origin.kind == OriginKind::Node
                && line.role == Role::Require
        });
        for line in lines {
            let range = line.requirement.specifiers.range();
            let admits = |version: &Option<String>| {
                let version = version.as_deref()?.parse::<Version>().ok()?;
                Some(range.contains(&version))
            };
            // A line that what was there met as well had no reason to change it.
            if admits(&change.to) == Some(true) && admits(&change.from) != Some(true) {
                let why = format!("{} asks for {}", line.origin.place_of_line(), line.text);
                let new = is_new(line.origin.file.as_deref());
                add(line.origin.name.as_ref(), why, new);
            }
        }
    }
    for script in set.install_scripts.iter().filter(|it| it.changes_packages) {
        let Some(file) = &script.origin.file else {
            continue;
        };
        let path = site.installation.root.join(file);
        let Ok(Some(bytes)) = fs::find_bytes(&path) else {
            continue;
        };
        let text = String::from_utf8_lossy(&bytes).to_lowercase();
        let named = asked.iter().find(|change| names(&text, &change.name));
        if let Some(change) = named {
            let why = format!("{file} names {}", change.name);
            add(
                script.origin.name.as_ref(),
                why,
                is_new(Some(file.as_str())),
            );
        }
    }
    found.sort_by_key(|suspect| !suspect.is_new);
    found.truncate(MOST_NODES);
    found
}

/// Reports whether lower-case code names a package, in any spelling of its name.
fn names(text: &str, name: &Name) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
    let words = text.split(|c: char| !is_part(c));
    words.into_iter().any(|word| {
        let word = word.trim_matches('.');
        Name::parse(word).is_some_and(|word| word == *name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_names_a_package_by_whole_words_in_any_spelling() {
        let name = Name::parse("opencv-python").expect("a name");
        for text in [
            "pip install opencv_python",
            "['opencv.python==4.1']",
            "\"opencv-python\"",
        ] {
            assert!(names(text, &name), "{text}");
        }
        for text in ["opencv-python-headless", "my-opencv-python", "opencv"] {
            assert!(!names(text, &name), "{text}");
        }
    }
}
