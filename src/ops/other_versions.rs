//! What other versions of a node ask for, from what its checkout knows already.

use std::collections::BTreeMap;

use camino::Utf8PathBuf;

use crate::git::versions::{Revision, read_files, revisions};
use crate::host::fs;
use crate::requirements::set::gather_node;
use crate::requirements::{Line, RequirementSet, Severity};
use crate::workspace::discover::Installation;
use crate::workspace::node::{Node, NodeKind};

/// The files at the top of a node that say what it needs.
const FILES: [&str; 3] = ["requirements.txt", "pyproject.toml", "setup.cfg"];
/// The kinds of files that these may include.
const ENDINGS: [&str; 4] = [".txt", ".toml", ".cfg", ".in"];
/// How many other versions of a node are looked at.
const MOST: usize = 6;

/// Another version of a node.
#[derive(Debug, Clone)]
pub struct NodeVersion {
    /// Its tag or commit, and when it was made.
    pub label: String,
    /// What brings it, as words of a command line.
    pub command: Vec<String>,
    /// What it asks for.
    pub lines: Vec<Line>,
}

/// A node as it takes part in an answer, with where it lies now.
pub type Placed = (Node, Utf8PathBuf);

/// The nodes whose other versions may be told.
#[derive(Clone, Copy)]
pub struct Nodes<'a> {
    /// What they are nodes of.
    pub installation: &'a Installation,
    /// All that take part in an answer.
    pub placed: &'a [Placed],
    /// The variables that requirement files may use.
    pub variables: &'a BTreeMap<String, String>,
}

/// Finds other versions of a node that ask for something else, nearest first. What cannot
/// be read is passed over: it is no way out.
pub fn other_versions(all: Nodes<'_>, name: &str) -> Vec<NodeVersion> {
    let Nodes {
        installation,
        placed,
        variables,
    } = all;
    let Some((node, path)) = placed.iter().find(|(node, _)| node.name == name) else {
        return Vec::new();
    };
    // Where files were changed by hand, a move to another version is refused anyway.
    if node.kind != NodeKind::Git || node.dirty {
        return Vec::new();
    }
    let found = revisions(path, &FILES).unwrap_or_default();
    let mut others = Vec::new();
    for revision in nearest_first(found) {
        // A tag may be nobody else's: the commit is what can be asked for.
        let rev: String = revision.commit.chars().take(12).collect();
        let shown = revision.tag.as_ref().unwrap_or(&rev);
        let is_installed = *path == installation.root.join(&node.dir);
        let command = match &node.url {
            _ if is_installed => vec!["update".to_owned(), format!("{name}@{rev}")],
            Some(url) => vec!["preview".to_owned(), format!("{url}@{rev}")],
            None => continue,
        };
        let Some(lines) = lines_of(&revision, installation, node, path, variables) else {
            continue;
        };
        let day = revision.time.get(..10).unwrap_or_default();
        others.push(NodeVersion {
            label: format!("{shown} of {day}"),
            command,
            lines,
        });
    }
    others
}

/// Orders revisions by how far they are from the one that is checked out, newer ones first
/// among equals, and leaves that one out.
fn nearest_first(revisions: Vec<Revision>) -> Vec<Revision> {
    let here = revisions.iter().position(|revision| revision.here);
    let here = here.unwrap_or(0);
    let mut others: Vec<(usize, Revision)> = revisions.into_iter().enumerate().collect();
    others.retain(|(_, revision)| !revision.here);
    others.sort_by_key(|(at, _)| at.abs_diff(here));
    others.truncate(MOST);
    others.into_iter().map(|(_, revision)| revision).collect()
}

fn lines_of(
    revision: &Revision,
    installation: &Installation,
    node: &Node,
    path: &Utf8PathBuf,
    variables: &BTreeMap<String, String>,
) -> Option<Vec<Line>> {
    let scratch = tempfile::tempdir().ok()?;
    let dir = Utf8PathBuf::from_path_buf(scratch.path().to_owned()).ok()?;
    for (name, content) in read_files(path, &revision.commit, &ENDINGS).ok()? {
        // A name of git's may hold what the system gives another meaning.
        if !crate::nodes::source::is_safe(&name) {
            continue;
        }
        fs::write_atomic(&dir.join(name), &content).ok()?;
    }
    let mut set = RequirementSet::default();
    gather_node(&mut set, installation, node, &dir, variables);
    let is_broken = (set.problems.iter()).any(|problem| problem.severity == Severity::Error);
    (!is_broken && set.unnamed.is_empty()).then_some(set.lines)
}
