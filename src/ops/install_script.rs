//! A node's `install.py`, run because the user asked for that: after packages are installed,
//! inside the operation, and then looked at for what it did.
//!
//! It is foreign code with the user's rights, and nothing here is a sandbox. What holds: its
//! calls of pip and uv, by name or as `python -m pip`, go to the installation's Python and keep
//! to the versions of the lock (`PIP_CONSTRAINT`, `UV_CONSTRAINT`), for variables reach them
//! however they are called; it gets no input and a limit of time; and whatever way it took,
//! the environment is read back and put in order.

mod surroundings;

use std::collections::BTreeMap;
use std::time::Duration;

use camino::Utf8Path;

use super::changes::compare_nodes;
use super::context::Site;
use super::error::OpError;
use super::packages::PackageGoal;
use super::transaction::Transaction;
use crate::environment::{Distribution, Installed};
use crate::git;
use crate::host::fs;
use crate::lock::compare::{Side, Sides, compare};
use crate::lock::{Change, ChangeKind};
use crate::package::artifact::printable;
use crate::package::{Name, Requirement};
use crate::plan::Removal;
use crate::workspace::node::Node;
use surroundings::Script;

/// How many changed files are named.
const FILES: usize = 8;

/// Things worth knowing: code and message.
type Told = Vec<(&'static str, String)>;

/// Runs the `install.py` of each node that has one, and puts back what it did to packages that
/// are wanted. Packages that nobody wants and nothing contradicts stay.
///
/// # Errors
///
/// Fails if one fails or takes too long, or if packages cannot be put back.
pub fn run_all<'n>(
    change: &mut Transaction<'_>,
    nodes: impl Iterator<Item = &'n Node>,
    goal: &PackageGoal,
    limit: Duration,
) -> Result<Told, OpError> {
    let mut told = Told::new();
    let mut ran = false;
    for node in nodes {
        let dir = change.site.installation.root.join(&node.dir);
        if fs::is_file(&dir.join("install.py")) {
            ran = true;
            told.extend(run_one(change, node, &dir, goal, limit)?);
        }
    }
    if !ran {
        let message = "no install.py was run, for none of the nodes has one".to_owned();
        told.push(("install-script-none", message));
    }
    Ok(told)
}

fn run_one(
    change: &mut Transaction<'_>,
    node: &Node,
    dir: &Utf8Path,
    goal: &PackageGoal,
    limit: Duration,
) -> Result<Told, OpError> {
    let site = change.site;
    let before = site.installed()?;
    let checkouts = checkouts(site)?;
    let script = Script::make(change.context, site, goal)?;
    script
        .run(change, node, dir, limit)
        .map_err(|error| with_left(error, node, changed_files(site, &checkouts)))?;
    let after = site.installed()?;
    let did = compare(&sides(&before), &sides(&after));
    let mut told = Told::new();
    let name = &node.name;
    let mut tell = |code, what: &str, list: &[String]| {
        if !list.is_empty() {
            let text = format!("install.py of `{name}` {what}: {}", list.join(", "));
            told.push((code, printable(&text)));
        }
    };
    tell("install-script-calls", "called", &script.calls());
    let contradicting = contradicting(site, goal, &before, &after);
    put_back(change, goal, &did, &contradicting)?;
    let stayed = compare(&sides(&before), &sides(&site.installed()?));
    let shown = |wanted: &dyn Fn(&Change) -> bool| -> Vec<String> {
        did.iter().filter(|it| wanted(it)).map(show).collect()
    };
    tell(
        "install-script-put-back",
        "changed what the lock names, which was put back",
        &shown(&|it| goal.wanted.contains_key(&it.name) && !stayed.contains(it)),
    );
    let out: Vec<String> = did
        .iter()
        .filter(|it| !goal.wanted.contains_key(&it.name) && !stayed.contains(it))
        .map(|it| match contradicting.get(&it.name) {
            Some(why) => format!("{} ({why})", show(it)),
            // Brought by an earlier lock, and gone with it.
            None => format!("{} (the lock names it no more)", show(it)),
        })
        .collect();
    tell(
        "install-script-taken-out",
        "added what does not go with the lock, which was taken out again",
        &out,
    );
    let rest: Vec<String> = stayed
        .iter()
        .filter(|it| did.contains(it))
        .map(show)
        .collect();
    tell(
        "install-script-packages",
        "changed packages that the lock does not name, and that stays",
        &rest,
    );
    let files = changed_files(site, &checkouts)?;
    tell(
        "install-script-files",
        "changed files that git tracks, and that stays",
        &files,
    );
    if did.is_empty() && files.is_empty() {
        let message = format!("install.py of `{name}` changed no package and no file git tracks");
        told.push(("install-script-nothing", printable(&message)));
    }
    Ok(told)
}

/// Adds to a failure what no undoing reaches: the node's own files go with it, others do not.
fn with_left(error: OpError, node: &Node, files: Result<Vec<String>, OpError>) -> OpError {
    let OpError::Script {
        node: name,
        how,
        last,
        ..
    } = error
    else {
        return error;
    };
    let own = format!("{}/", node.dir);
    let mut left = files.unwrap_or_default();
    left.retain(|file| !file.starts_with(&own));
    OpError::Script {
        node: name,
        how,
        left,
        last,
    }
}

/// What the environment is to be again: what is wanted as it was, by its digest too, and
/// without what contradicts it.
fn put_back(
    change: &mut Transaction<'_>,
    goal: &PackageGoal,
    did: &[Change],
    contradicting: &BTreeMap<Name, String>,
) -> Result<(), OpError> {
    let mut goal = goal.clone();
    if let Removal::Brought(names) = &mut goal.removal {
        names.extend(contradicting.keys().cloned());
    }
    // The same version with other files: only a new installation makes them what they were.
    let replaced = did.iter().filter(|it| it.kind == ChangeKind::Replace);
    goal.anew.names = replaced
        .map(|it| it.name.clone())
        .filter(|name| goal.wanted.contains_key(name))
        .collect();
    change.packages(&goal)
}

/// Finds packages that came and ask for what the lock has in another version, or for another
/// that goes for that, with the reason.
fn contradicting(
    site: &Site,
    goal: &PackageGoal,
    before: &Installed,
    after: &Installed,
) -> BTreeMap<Name, String> {
    let environment = site.target.environment();
    let came: Vec<(&Name, Vec<Requirement>)> = after
        .iter()
        .filter(|it| before.get(&it.name).is_none() && !goal.wanted.contains_key(&it.name))
        .map(|it| {
            let texts = it.metadata().requires_dist;
            let asked = texts
                .iter()
                .filter_map(|text| Requirement::parse(text).ok());
            let asked = asked.filter(|asked| asked.marker.holds(environment));
            (&it.name, asked.collect())
        })
        .collect();
    let mut found: BTreeMap<Name, String> = BTreeMap::new();
    loop {
        let against = |asked: &&Requirement| match goal.wanted.get(&asked.name) {
            Some(wanted) => !asked.specifiers.range().contains(&wanted.goal.version),
            None => found.contains_key(&asked.name),
        };
        let more: Vec<(Name, String)> = came
            .iter()
            .filter(|(name, _)| !found.contains_key(*name))
            .filter_map(|(name, asked)| {
                let first = asked.iter().find(against)?;
                Some(((*name).clone(), format!("it needs {first}")))
            })
            .collect();
        if more.is_empty() {
            return found;
        }
        found.extend(more);
    }
}

/// The core and all nodes, to be compared.
fn checkouts(site: &Site) -> Result<Vec<Node>, OpError> {
    let mut all = site.installation.nodes()?;
    all.extend(site.installation.core());
    Ok(all)
}

/// Names tracked files that were changed, and checkouts that came to another commit.
fn changed_files(site: &Site, before: &[Node]) -> Result<Vec<String>, OpError> {
    let mut files = Vec::new();
    for node in compare_nodes(before, &checkouts(site)?) {
        let moved = match (&node.from, &node.to) {
            (Some(from), Some(to)) => from.commit != to.commit,
            _ => true,
        };
        if moved {
            files.push(format!("{} as a whole", node.dir));
        } else if let Ok(now) = git::read_checkout(&site.installation.root.join(&node.dir)) {
            let shown = now.changed.iter().map(|file| match node.dir.as_str() {
                "." => file.clone(),
                dir => format!("{dir}/{file}"),
            });
            files.extend(shown);
        }
    }
    let more = files.len().saturating_sub(FILES);
    if more > 0 {
        files.truncate(FILES);
        files.push(format!("and {more} more"));
    }
    Ok(files)
}

fn sides(installed: &Installed) -> Sides {
    let side = |found: &Distribution| Side {
        version: found.version.clone(),
        source: None,
        digest: Some(found.digest.clone().unwrap_or_default()),
    };
    installed
        .iter()
        .map(|found| (found.name.clone(), side(found)))
        .collect()
}

fn show(change: &Change) -> String {
    match (&change.from, &change.to) {
        (Some(from), Some(to)) if from == to => format!("{} {from} (other files)", change.name),
        (Some(from), Some(to)) => format!("{} {from} → {to}", change.name),
        (Some(from), None) => format!("{} {from} removed", change.name),
        (None, Some(to)) => format!("{} {to}", change.name),
        (None, None) => change.name.to_string(),
    }
}
