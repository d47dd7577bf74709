//! Nodes and ComfyUI to what was recorded or locked. What can be had nowhere is named first,
//! then everything is fetched, then put in place step by step, then read back.

use std::collections::BTreeMap;

use camino::{Utf8Path, Utf8PathBuf};

use super::changes::{Difference, NodeChange, NodeChangeKind};
use super::context::Site;
use super::error::OpError;
use super::restore_nodes::{finish, from_store, restore_node};
use super::transaction::Transaction;
use crate::git::upstream::take_over;
use crate::git::{self, CloneSpec, clone, fetch_commit, read_checkout};
use crate::host::fs;
use crate::nodes::trash;
use crate::snapshot::State;
use crate::store::archive::{self, NODES};
use crate::workspace::content::content_digest;
use crate::workspace::node::{Kept, Node};
use crate::workspace::{Layout, NodeKind};

/// What tells nodes apart that no commit does: the digests of their content, by the directory
/// they go to.
pub(super) type Contents = BTreeMap<String, String>;

/// Where a node comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Origin {
    /// It is here as it is wanted, or goes.
    Here,
    /// It is here at another commit, and its checkout moves.
    Checkout,
    /// It lies at a path, relative to the root.
    Place(String),
    /// The store has its commit, in this file.
    Store(String),
    /// It is cloned.
    Clone {
        /// The repository.
        url: String,
        /// The commit.
        commit: String,
    },
}

/// Finds where each node of a list of changes comes from. Asks no remote: a clone may
/// still fail.
///
/// # Errors
///
/// Fails with all that can be had nowhere.
pub(super) fn find_origins(
    site: &Site,
    changes: &[NodeChange],
    known: &Contents,
) -> Result<Vec<Origin>, OpError> {
    let found: Vec<Option<Origin>> = changes
        .iter()
        .map(|change| find_origin(site, change, known))
        .collect();
    let nowhere: Vec<String> = changes
        .iter()
        .zip(&found)
        .filter(|(_, origin)| origin.is_none())
        .filter_map(|(change, _)| Some(format!("the node {}", change.to.as_ref()?.name)))
        .collect();
    if !nowhere.is_empty() {
        return Err(OpError::Unrestorable(nowhere));
    }
    Ok(found.into_iter().flatten().collect())
}

/// The one place that knows where a node may be had: in the installation itself, in the
/// trash, from its repository.
fn find_origin(site: &Site, change: &NodeChange, known: &Contents) -> Option<Origin> {
    let Some(wanted) = &change.to else {
        return Some(Origin::Here);
    };
    let root = &site.installation.root;
    let content = known.get(&wanted.dir);
    if let Some(here) = &change.from {
        let goes_on = matches!(
            change.kind,
            NodeChangeKind::Enable | NodeChangeKind::Disable
        );
        match (&wanted.commit, content) {
            (Some(commit), _) if here.kind == NodeKind::Git => {
                return Some(if here.commit.as_ref() == Some(commit) {
                    Origin::Here
                } else {
                    Origin::Checkout
                });
            }
            (None, Some(content)) if content_digest(&root.join(&here.dir)) == *content => {
                return Some(Origin::Here);
            }
            // Nothing tells more of it than that it was turned on or off.
            (None, None) if goes_on => return Some(Origin::Here),
            _ => {}
        }
    }
    if let Some(place) = in_trash(site, wanted, content) {
        return Some(Origin::Place(format!(".portenv/trash/{place}")));
    }
    if let Some(file) = in_store(site, wanted) {
        return Some(Origin::Store(file));
    }
    Some(Origin::Clone {
        url: wanted.url.clone()?,
        commit: wanted.commit.clone()?,
    })
}

/// Finds a node in the trash: by its content where that is known, for what lies there may
/// be another one of the name.
fn in_trash(site: &Site, wanted: &Node, content: Option<&String>) -> Option<String> {
    let dir = site.installation.own_dir().join("trash");
    let Some(content) = content else {
        return trash::find(&dir, wanted);
    };
    let mut names = fs::find_dir(&dir).unwrap_or_default();
    names.sort_unstable_by(|a, b| b.cmp(a));
    let is_it = |name: &String| {
        let bare = name.strip_suffix(".disabled").unwrap_or(name);
        let bare = bare.strip_suffix(".py").unwrap_or(bare);
        bare.ends_with(&format!("-{}", wanted.name)) && content_digest(&dir.join(name)) == *content
    };
    names.into_iter().find(is_it)
}

/// Finds the commit of a node in the store.
fn in_store(site: &Site, wanted: &Node) -> Option<String> {
    let commit = wanted.commit.as_ref()?;
    let store = site.installation.own_dir().join("store");
    let files = ["whole.pack", "pack"].map(|ending| format!("{NODES}/{commit}.{ending}"));
    let mut files = files.into_iter();
    files.find(|file| archive::find(&store, file).is_some())
}

/// Fetches what is not here, before the first change. Returns for each change the path,
/// relative to the root, of what is moved in; `None` where nothing is.
///
/// # Errors
///
/// Fails if a repository cannot be reached or has no such commit.
fn fetch_nodes(
    site: &Site,
    changes: &[NodeChange],
    origins: &[Origin],
    scratch: &Utf8Path,
) -> Result<Vec<Option<String>>, OpError> {
    let root = &site.installation.root;
    let fetch = |(change, origin): (&NodeChange, &Origin)| match origin {
        Origin::Here => Ok(None),
        Origin::Checkout => {
            if let (Some(here), Some(wanted)) = (&change.from, &change.to) {
                fetch_here(root, here, wanted, scratch)?;
            }
            Ok(None)
        }
        Origin::Place(place) => Ok(Some(place.clone())),
        Origin::Store(file) => {
            let Some(wanted) = &change.to else {
                return Ok(None);
            };
            let path = aside_of(&change.dir, scratch);
            let kept = Kept {
                base: Some(file.clone()),
                ..Kept::default()
            };
            let wanted = Node {
                kept: Some(kept),
                ..wanted.clone()
            };
            from_store(site, &wanted, &path)?;
            finish(site, &wanted, &path).map(Some)
        }
        Origin::Clone { url, commit } => {
            let path = aside_of(&change.dir, scratch);
            clone_at(url, commit, &path)?;
            let path = path.strip_prefix(root).unwrap_or(&path);
            Ok(Some(path.as_str().to_owned()))
        }
    };
    changes.iter().zip(origins).map(fetch).collect()
}

fn aside_of(dir: &str, scratch: &Utf8Path) -> Utf8PathBuf {
    scratch.join(dir.replace(['/', '\\', ':'], "_"))
}

/// Clones a repository and checks a commit out, on the default branch where that is at it:
/// a node without a branch counts as pinned.
fn clone_at(url: &str, commit: &str, path: &Utf8Path) -> Result<(), OpError> {
    clone(&CloneSpec { url, rev: None }, path)?;
    let branch = read_checkout(path)?.branch;
    fetch_commit(path, commit)?;
    git::checkout(path, commit)?;
    if let Some(branch) = branch {
        git::change::attach(path, &branch);
    }
    Ok(())
}

/// Makes sure that a checkout has the objects of a commit: its own remote is asked first,
/// then the repository that is recorded.
///
/// # Errors
///
/// Fails if neither has it.
fn fetch_here(
    root: &Utf8Path,
    here: &Node,
    wanted: &Node,
    scratch: &Utf8Path,
) -> Result<(), OpError> {
    let Some(commit) = &wanted.commit else {
        return Ok(());
    };
    let path = root.join(&here.dir);
    let Err(error) = fetch_commit(&path, commit) else {
        return Ok(());
    };
    match &wanted.url {
        Some(url) if wanted.url != here.url => {
            let aside = aside_of(&format!("{}.from", here.dir), scratch);
            clone_at(url, commit, &aside)?;
            Ok(take_over(&path, &aside, commit)?)
        }
        _ => Err(error.into()),
    }
}

/// Fetches everything that is not here, then makes all changes of nodes and ComfyUI.
///
/// # Errors
///
/// Fails if something cannot be fetched, moved or checked out.
pub(super) fn put_all(
    change: &mut Transaction<'_>,
    difference: &Difference,
    origins: &[Origin],
    scratch: &Utf8Path,
) -> Result<(), OpError> {
    let site = change.site;
    let fetched = fetch_nodes(site, &difference.nodes, origins, scratch)?;
    let core = difference.core.as_ref();
    let core = core.and_then(|core| Some((core.from.as_ref()?, core.to.as_ref()?)));
    if let Some((here, wanted)) = core {
        fetch_here(&site.installation.root, here, wanted, scratch)?;
    }
    for (node, from) in difference.nodes.iter().zip(&fetched) {
        // Nothing is put aside: what has changed files was refused before.
        restore_node(change, node, from.as_deref())?;
    }
    if let Some((_, wanted)) = core
        && let Some(commit) = &wanted.commit
    {
        change.checkout(&wanted.dir, commit)?;
    }
    Ok(())
}

/// Reads nodes and ComfyUI back: each at its commit, or the whole is undone.
///
/// # Errors
///
/// Fails with the first that is not.
pub(super) fn prove(
    site: &Site,
    nodes: &[Node],
    core: Option<&Node>,
    known: &Contents,
) -> Result<(), OpError> {
    let root = &site.installation.root;
    let now = site.installation.nodes()?;
    for node in nodes {
        let found = now.iter().find(|other| other.dir == node.dir);
        let is_same = found.is_some_and(|found| found.commit == node.commit);
        let content = known.get(&node.dir);
        if !is_same || content.is_some_and(|it| content_digest(&root.join(&node.dir)) != *it) {
            return Err(OpError::Refused(format!(
                "the node `{}` is not what was recorded",
                node.name
            )));
        }
    }
    match (core, site.installation.core()) {
        (Some(core), Some(found)) if found.commit != core.commit => Err(OpError::Refused(
            "ComfyUI is not at the commit that was recorded".to_owned(),
        )),
        _ => Ok(()),
    }
}

/// Demands that what is to change is as it was when the plan was made.
///
/// # Errors
///
/// Fails if somebody changed it since.
pub(super) fn check_still<'a>(
    before: &State,
    changes: impl Iterator<Item = &'a NodeChange>,
) -> Result<(), OpError> {
    let known: Vec<&Node> = before.nodes.iter().chain(&before.core).collect();
    // A record may be older than a remote that was added.
    let is = |a: &Node, b: &Node| {
        (&a.dir, &a.commit, &a.version, a.dirty) == (&b.dir, &b.commit, &b.version, b.dirty)
    };
    for old in changes.filter_map(|change| change.from.as_ref()) {
        if !known.iter().any(|node| is(node, old)) {
            return Err(OpError::PlanStale);
        }
    }
    Ok(())
}

/// Demands that ComfyUI's checkout is ours to move: not another program's, and with history.
///
/// # Errors
///
/// Fails with a sentence that says why it is not.
pub(super) fn check_own_core(site: &Site, core: &Node) -> Result<(), OpError> {
    let path = site.installation.root.join(&core.dir);
    let reason = if Utf8Path::new(&core.dir).is_absolute() {
        "it lies beyond this installation, so another program owns it"
    } else if site.installation.layout == Layout::Desktop {
        "ComfyUI Desktop owns and updates it"
    } else if core.kind != NodeKind::Git || core.commit.is_none() {
        "it is no git checkout, so there is no commit to go to"
    } else {
        return Ok(());
    };
    Err(OpError::Refused(format!(
        "ComfyUI at `{path}` is not ours to move: {reason}"
    )))
}
