//! Nodes as they were recorded: where each can be had, and how it gets to its place.
//!
//! In this order: where it lies already, moved or in the trash; what the checkout at its place
//! has; the store; its remote. Whatever is not moved within the installation is made ready and
//! proven beside it before the first change.

use std::collections::BTreeMap;

use camino::Utf8Path;

use super::changes::{Difference, NodeChange, NodeChangeKind};
use super::context::{Context, Site};
use super::edits::put_patch;
use super::error::OpError;
use super::outcome::NodeOrigin;
use super::transaction::Transaction;
use crate::git::keep::{Depth, has_commit, unpack_commit};
use crate::git::{CloneSpec, clone, fetch_commit, read_checkout};
use crate::host::fs;
use crate::index::IndexError;
use crate::nodes::trash;
use crate::snapshot::{Db, Outcome, Snapshot, State, Step};
use crate::store::archive;
use crate::workspace::content::content_of;
use crate::workspace::node::{Node, NodeKind};

/// Where nodes without history lie now that lay elsewhere, by directory.
pub(super) type Places = BTreeMap<String, String>;

/// Follows nodes without history through the moves since a snapshot: of those that were
/// recorded without their content nothing else tells what they were.
pub(super) fn places_of(
    site: &Site,
    db: &Db,
    target: &Snapshot,
    wanted: &State,
) -> Result<Places, OpError> {
    let mut places: Places = (wanted.nodes.iter())
        .filter(|node| node.commit.is_none())
        .map(|node| (node.dir.clone(), node.dir.clone()))
        .collect();
    let mut since = db.operations()?;
    since.retain(|operation| {
        operation.number > target.operation.number && operation.outcome == Outcome::Done
    });
    for operation in since.iter().rev() {
        for step in db.steps(operation.number)? {
            let Step::Move { from, to } = step else {
                continue;
            };
            if let Some(place) = places.values_mut().find(|place| **place == from) {
                *place = to;
            }
        }
    }
    let root = &site.installation.root;
    places.retain(|dir, place| {
        let path = root.join(&*place);
        let wanted = wanted.nodes.iter().find(|node| node.dir == *dir);
        dir != place && fs::exists(&path) && wanted.is_some_and(|node| is_content(node, &path))
    });
    Ok(places)
}

/// Reports whether what lies at a path has the content that was recorded, as far as any was.
fn is_content(wanted: &Node, path: &Utf8Path) -> bool {
    wanted.content.is_none() || content_of(wanted, path) == wanted.content
}

/// Compares two states; a node without history that lies elsewhere now was replaced, if only
/// its data tells it from the other.
pub(super) fn difference(now: &State, wanted: &State, places: &Places) -> Difference {
    let mut difference = Difference::between(now, wanted);
    for node in wanted
        .nodes
        .iter()
        .filter(|node| places.contains_key(&node.dir))
    {
        let mut here = now.nodes.iter();
        let same = |here: &&Node| here.dir == node.dir && !here.differs_from(node);
        if let Some(here) = here.find(same) {
            difference.nodes.push(NodeChange {
                dir: node.dir.clone(),
                kind: NodeChangeKind::Update,
                from: Some(here.clone()),
                to: Some(node.clone()),
            });
        }
    }
    difference.nodes.sort_by(|a, b| a.dir.cmp(&b.dir));
    difference
}

/// Refuses to overwrite changed files of checkouts, unless they are to be put aside; names all.
pub(super) fn refuse_dirty(difference: &Difference) -> Result<(), OpError> {
    let all = difference.nodes.iter().chain(&difference.core);
    let dirty: Vec<&str> = all
        .filter(|change| overwrites(change))
        .map(|change| change.dir.as_str())
        .collect();
    if dirty.is_empty() {
        return Ok(());
    }
    Err(OpError::Dirty(dirty.join("`, `")))
}

/// Names all nodes at once that can be had nowhere, before anything is fetched.
pub(super) fn refuse_lost(
    site: &Site,
    difference: &Difference,
    places: &Places,
) -> Result<(), OpError> {
    let nodes = difference.nodes.iter();
    let lost: Vec<String> = nodes
        .filter(|change| whence(site, change, places) == Whence::Nowhere)
        .filter_map(|change| Some(format!("the node {}", change.to.as_ref()?.name)))
        .collect();
    if lost.is_empty() {
        return Ok(());
    }
    Err(OpError::Unrestorable(lost))
}

/// Reports whether changed files are in the way of a change: where a node only goes to
/// another place they go with it.
fn overwrites(change: &NodeChange) -> bool {
    let moves = matches!(
        change.kind,
        NodeChangeKind::Enable | NodeChangeKind::Disable
    );
    change.from.as_ref().is_some_and(|from| {
        let to = change.to.as_ref();
        from.dirty && !(moves && to.is_some_and(|to| !to.differs_from(from)))
    })
}

/// Where a node comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Whence {
    /// It only goes, or only moves.
    Here,
    /// A place that it was moved to, relative to the root.
    Moved(String),
    /// The trash, by a path relative to the root.
    Trash(String),
    /// The checkout at its place has the commit.
    Checkout,
    /// The store.
    Store,
    /// The remote of the checkout at its place.
    Fetch,
    /// Its remote, as a new clone.
    Clone,
    /// Nowhere.
    Nowhere,
}

impl Whence {
    fn word(&self) -> Option<&'static str> {
        match self {
            Self::Here => None,
            Self::Moved(_) => Some("moved"),
            Self::Trash(_) => Some("trash"),
            Self::Checkout => Some("checkout"),
            Self::Store => Some("store"),
            Self::Fetch | Self::Clone => Some("remote"),
            Self::Nowhere => Some("nowhere"),
        }
    }
}

/// Finds where a node can be had. Nothing is asked of a network.
fn whence(site: &Site, change: &NodeChange, places: &Places) -> Whence {
    let root = &site.installation.root;
    let own = site.installation.own_dir();
    let Some(wanted) = &change.to else {
        return Whence::Here;
    };
    let stored = (wanted.kept.as_ref().and_then(|kept| kept.base.as_ref()))
        .is_some_and(|file| archive::find(&own.join("store"), file).is_some());
    let is_checkout = |from: &Node| from.kind == NodeKind::Git && from.commit.is_some();
    if let (Some(from), Some(commit)) = (change.from.as_ref(), &wanted.commit)
        && is_checkout(from)
    {
        return match change.kind {
            NodeChangeKind::Enable | NodeChangeKind::Disable if from.commit == wanted.commit => {
                Whence::Here
            }
            _ if has_commit(&root.join(&from.dir), commit) => Whence::Checkout,
            NodeChangeKind::Update if stored => Whence::Store,
            _ => Whence::Fetch,
        };
    }
    let moves = matches!(
        change.kind,
        NodeChangeKind::Enable | NodeChangeKind::Disable
    );
    // What was moved and changed too is put in the place of what it became.
    let known = wanted.content.is_some();
    let is_as_it_was = |from: &Node| !known || from.content == wanted.content;
    if moves && wanted.commit.is_none() && change.from.as_ref().is_some_and(is_as_it_was) {
        return Whence::Here;
    }
    if let Some(place) = places.get(&wanted.dir) {
        return if place.starts_with(".portenv/trash/") {
            Whence::Trash(place.clone())
        } else {
            Whence::Moved(place.clone())
        };
    }
    match trash::find(&own.join("trash"), wanted) {
        Some(place) => Whence::Trash(format!(".portenv/trash/{place}")),
        None if stored => Whence::Store,
        None if wanted.url.is_some() && wanted.commit.is_some() => Whence::Clone,
        None => Whence::Nowhere,
    }
}

/// Says of each node that has to be had from somewhere where that is.
pub(super) fn origins(site: &Site, difference: &Difference, places: &Places) -> Vec<NodeOrigin> {
    let all = difference.nodes.iter();
    all.filter_map(|change| {
        Some(NodeOrigin {
            dir: change.dir.clone(),
            from: whence(site, change, places).word()?.to_owned(),
        })
    })
    .collect()
}

/// What could not come back of nodes that do: changes that nobody kept.
pub(super) fn lost_edits(difference: &Difference) -> Vec<(&'static str, String)> {
    let wanted = difference
        .nodes
        .iter()
        .filter_map(|change| change.to.as_ref());
    wanted
        .filter(|node| node.dirty && patch_of(node).is_none())
        .map(|node| {
            let text = format!(
                "`{}` had uncommitted changes that were not kept: it comes back as it was committed",
                node.dir
            );
            ("lost-edits", text)
        })
        .collect()
}

fn patch_of(node: &Node) -> Option<&str> {
    let kept = node.kept.as_ref().filter(|_| node.dirty)?;
    kept.patch.as_deref()
}

/// Has everything at hand that nodes need, before the first change; returns where each lies
/// that is to be moved to its place, relative to the root.
///
/// # Errors
///
/// Fails if one can be had nowhere, or only from a network that is switched off.
pub(super) fn fetch_nodes(
    context: &Context,
    site: &Site,
    difference: &Difference,
    places: &Places,
    scratch: &Utf8Path,
) -> Result<Vec<Option<String>>, OpError> {
    let fetch = |change: &NodeChange| {
        let Some(wanted) = &change.to else {
            return Ok(None);
        };
        context.check_cancel()?;
        match whence(site, change, places) {
            Whence::Here | Whence::Checkout => Ok(None),
            Whence::Moved(place) | Whence::Trash(place) => Ok(Some(place)),
            Whence::Store => {
                let path = scratch.join(wanted.dir.replace(['/', '\\'], "_"));
                from_store(site, wanted, &path).or_else(|error| {
                    // What is damaged here may be whole where it came from.
                    fs::remove_all(&path)?;
                    match from_remote(context, wanted, &path) {
                        Ok(()) => Ok(()),
                        Err(_) => Err(error),
                    }
                })?;
                finish(site, wanted, &path).map(Some)
            }
            Whence::Fetch => {
                let from = change.from.as_ref().unwrap_or(wanted);
                let path = site.installation.root.join(&from.dir);
                needs_network(context, from)?;
                fetch_commit(&path, wanted.commit.as_deref().unwrap_or("HEAD"))?;
                Ok(None)
            }
            Whence::Clone => {
                let path = scratch.join(wanted.dir.replace(['/', '\\'], "_"));
                from_remote(context, wanted, &path)?;
                finish(site, wanted, &path).map(Some)
            }
            Whence::Nowhere => Err(unrestorable(wanted)),
        }
    };
    difference.nodes.iter().map(fetch).collect()
}

fn unrestorable(node: &Node) -> OpError {
    OpError::Unrestorable(vec![format!("the node {}", node.name)])
}

/// Demands that a commit of a checkout is here, if nothing may be fetched.
///
/// # Errors
///
/// Fails if it is not.
pub(super) fn needs_no_network(
    context: &Context,
    site: &Site,
    wanted: &Node,
) -> Result<(), OpError> {
    let commit = wanted.commit.as_deref().unwrap_or("HEAD");
    if has_commit(&site.installation.root.join(&wanted.dir), commit) {
        return Ok(());
    }
    needs_network(context, wanted)
}

fn needs_network(context: &Context, node: &Node) -> Result<(), OpError> {
    let url = node.url.as_deref().unwrap_or_default();
    let is_here = url.starts_with("file:") || Utf8Path::new(url).is_absolute();
    if context.offline && !is_here {
        let what = format!("the repository of {}", node.name);
        return Err(OpError::Index(IndexError::Offline { what }));
    }
    Ok(())
}

fn from_remote(context: &Context, wanted: &Node, path: &Utf8Path) -> Result<(), OpError> {
    let (Some(url), Some(commit)) = (&wanted.url, &wanted.commit) else {
        return Err(unrestorable(wanted));
    };
    needs_network(context, wanted)?;
    let spec = CloneSpec {
        url,
        rev: Some(commit),
    };
    Ok(clone(&spec, path)?)
}

pub(super) fn from_store(site: &Site, wanted: &Node, path: &Utf8Path) -> Result<(), OpError> {
    let store = site.installation.own_dir().join("store");
    let base = wanted.kept.as_ref().and_then(|kept| kept.base.as_ref());
    let file = base.and_then(|file| archive::find(&store, file));
    let file = file.ok_or_else(|| unrestorable(wanted))?;
    let Some(commit) = &wanted.commit else {
        let single = wanted.kind == NodeKind::File;
        return archive::unpack(&file, single, path)
            .map_err(|error| OpError::Unrestorable(vec![error.to_string()]));
    };
    let depth = if file.as_str().ends_with(".whole.pack") {
        Depth::Whole
    } else {
        Depth::One
    };
    let url = wanted.url.as_deref();
    Ok(unpack_commit(fs::open(&file)?, commit, depth, url, path)?)
}

/// Puts the recorded changes on what was made beside the installation, and proves it.
pub(super) fn finish(site: &Site, wanted: &Node, path: &Utf8Path) -> Result<String, OpError> {
    if let Some(patch) = patch_of(wanted) {
        put_patch(path, &site.installation.own_dir().join("store"), patch)?;
    }
    let is_at = match &wanted.commit {
        Some(_) => read_checkout(path)?.commit == wanted.commit,
        None => true,
    };
    let known = patch_of(wanted).is_some() || wanted.commit.is_none();
    if !is_at || known && !is_content(wanted, path) {
        return Err(OpError::Refused(format!(
            "the node `{}` could not be made as it was recorded",
            wanted.name
        )));
    }
    let root = &site.installation.root;
    Ok(path.strip_prefix(root).unwrap_or(path).as_str().to_owned())
}

/// Brings one node to what was recorded; says how changed files that were in the way are had
/// again. `from` is where it lies if it is to be moved to its place.
///
/// # Errors
///
/// Fails if a step of it does.
pub(super) fn restore_node(
    change: &mut Transaction<'_>,
    node: &NodeChange,
    from: Option<&str>,
) -> Result<Option<String>, OpError> {
    let throw_away = |change: &mut Transaction<'_>, old: &Node| {
        let stamp = change.context.clock.now().to_string();
        change.throw_away(&old.dir, &stamp)
    };
    match (&node.from, &node.to, from) {
        (Some(old), None, _) => throw_away(change, old).map(|()| None),
        (Some(old), Some(new), None) => {
            let told = if overwrites(node) {
                change.stash(&old.dir)?
            } else {
                None
            };
            if old.dir != new.dir {
                change.move_path(&old.dir, &new.dir)?;
            }
            bring_along(change, old, new)?;
            Ok(told)
        }
        (old, Some(new), Some(from)) => {
            if let Some(old) = old {
                throw_away(change, old)?;
            }
            change.move_path(from, &new.dir).map(|()| None)
        }
        (None, Some(new), None) => Err(unrestorable(new)),
        (None, None, _) => Ok(None),
    }
}

/// Takes a checkout, whose changed files are out of the way, from one record to another.
fn bring_along(change: &mut Transaction<'_>, old: &Node, new: &Node) -> Result<(), OpError> {
    if let Some(commit) = new.commit.as_ref().filter(|_| new.commit != old.commit) {
        change.checkout(&new.dir, commit)?;
    }
    match patch_of(new).filter(|_| new.differs_from(old)) {
        Some(patch) => change.patch(&new.dir, patch),
        None => Ok(()),
    }
}

/// Reads the nodes back: each at its commit and with its content, or the whole is undone.
///
/// # Errors
///
/// Fails if one is not as it was recorded.
pub(super) fn prove_nodes(
    site: &Site,
    wanted: &State,
    difference: &Difference,
) -> Result<(), OpError> {
    let now = site.installation.nodes()?;
    let fail = |node: &Node, what: &str| {
        Err(OpError::Refused(format!(
            "the node `{}` is not {what} that was recorded",
            node.name
        )))
    };
    for node in &wanted.nodes {
        let found = now.iter().find(|other| other.dir == node.dir);
        let Some(found) = found.filter(|found| found.commit == node.commit) else {
            return fail(node, "at the commit");
        };
        let changes = difference.nodes.iter().any(|change| change.dir == node.dir);
        let is_known = node.commit.is_none() || patch_of(node).is_some();
        if changes && is_known {
            let path = site.installation.root.join(&found.dir);
            if found.dirty != node.dirty || !is_content(node, &path) {
                return fail(node, "of the content");
            }
        }
    }
    Ok(())
}
