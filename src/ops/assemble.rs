//! What nodes and ComfyUI must become to be what a lock names: the part of `sync --all`
//! beside packages, worked out without writing anything.

use camino::Utf8Path;

use super::bring::{Contents, Origin, check_own_core, find_origins, prove, put_all};
use super::changes::{Difference, NodeChange, NodeChangeKind, compare_nodes};
use super::context::Site;
use super::error::OpError;
use super::members::{content_of, kind_of};
use super::transaction::Transaction;
use crate::lock::{Lock, LockedCore, LockedNode};
use crate::nodes::source::is_safe;
use crate::package::artifact::without_credentials;
use crate::requirements::origin::show_path;
use crate::workspace::node::{Core, Node};
use crate::workspace::{Installation, NodeKind};

/// What nodes and ComfyUI must become.
pub(super) struct Assembly {
    /// The changes; no packages.
    pub(super) difference: Difference,
    /// Where each changed node comes from.
    pub(super) origins: Vec<Origin>,
    /// What tells nodes without a commit apart.
    pub(super) known: Contents,
    /// The nodes that the lock names, where they will be.
    pub(super) nodes: Vec<Node>,
    /// What stays as it is though the lock says otherwise.
    pub(super) warnings: Vec<(&'static str, String)>,
}

/// Compares what is here with what a lock names. With `prune` nodes go that it does not name.
///
/// # Errors
///
/// Fails if the lock names no nodes, if something can be had nowhere, or if ComfyUI would
/// have to move and is not ours to.
pub(super) fn assemble(site: &Site, lock: &Lock, prune: bool) -> Result<Assembly, OpError> {
    let Some(members) = &lock.members else {
        return Err(OpError::Refused(
            "the lock names packages only; portenv lock, run where the nodes are, writes them down too"
                .to_owned(),
        ));
    };
    let installation = &site.installation;
    let here = installation.nodes()?;
    let mut known = Contents::new();
    let mut nodes: Vec<Node> = Vec::new();
    for locked in &members.nodes {
        let node = node_of(installation, locked)?;
        if nodes.iter().any(|other| other.dir == node.dir) {
            let dir = &node.dir;
            return Err(OpError::Refused(format!("the lock names `{dir}` twice")));
        }
        if let Some(content) = &locked.content {
            known.insert(node.dir.clone(), content.clone());
        }
        nodes.push(node);
    }
    let mut warnings = Vec::new();
    let mut difference = Difference {
        nodes: compare_nodes(&here, &nodes),
        ..Difference::default()
    };
    add_changed_contents(site, &here, &nodes, &known, &mut difference.nodes);
    let mut extra = Vec::new();
    let mut edited = Vec::new();
    difference
        .nodes
        .retain(|change| match (&change.from, &change.to) {
            (Some(old), None) if !prune => {
                extra.push(old.name.clone());
                false
            }
            (Some(old), Some(new)) if is_same(site, old, new, &known) => {
                if old.dirty {
                    edited.push(old.dir.clone());
                }
                false
            }
            _ => true,
        });
    if !extra.is_empty() {
        let message = format!(
            "nodes that the lock does not name stay, and --prune moves them to the trash: {}",
            extra.join(", ")
        );
        warnings.push(("extra", message));
    }
    for (node, now) in nodes.iter().filter_map(|node| {
        let now = here.iter().find(|other| other.name == node.name)?;
        Some((node, now))
    }) {
        if let (Some(wanted), Some(url)) = (&node.url, &now.url)
            && bare(wanted) != bare(url)
        {
            let message = format!(
                "`{}` stays with its remote {url}; the lock names {wanted}",
                now.dir
            );
            warnings.push(("remote", message));
        }
    }
    if let Some(locked) = &members.core {
        difference.core = core_change(site, locked, &mut edited, &mut warnings)?;
    }
    if !edited.is_empty() {
        let message = format!(
            "changed files stay, so this is not all that the lock names: {}",
            edited.join(", ")
        );
        warnings.push(("edited", message));
    }
    let origins = find_origins(site, &difference.nodes, &known)?;
    Ok(Assembly {
        difference,
        origins,
        known,
        nodes,
        warnings,
    })
}

impl Assembly {
    /// Reports whether nothing is to be done.
    pub(super) fn is_empty(&self) -> bool {
        self.difference.nodes.is_empty() && self.difference.core.is_none()
    }

    /// Fetches what is not here, then puts nodes and ComfyUI in place.
    ///
    /// # Errors
    ///
    /// Fails if something cannot be fetched, moved or checked out.
    pub(super) fn put(
        &self,
        change: &mut Transaction<'_>,
        scratch: &Utf8Path,
    ) -> Result<(), OpError> {
        put_all(change, &self.difference, &self.origins, scratch)
    }

    /// Reads nodes and ComfyUI back.
    ///
    /// # Errors
    ///
    /// Fails with the first that is not what the lock names.
    pub(super) fn prove(&self, site: &Site) -> Result<(), OpError> {
        let core = self.difference.core.as_ref();
        let core = core.and_then(|change| change.to.as_ref());
        prove(site, &self.nodes, core, &self.known)
    }

    /// Returns the changes as text, for the digest of a plan.
    pub(super) fn shown(&self) -> String {
        let is = |node: &Option<Node>| match node {
            Some(node) => format!("{} {:?} {:?}", node.dir, node.commit, node.version),
            None => "-".to_owned(),
        };
        let all = self.difference.nodes.iter().chain(&self.difference.core);
        let mut text: Vec<String> = all
            .map(|change| format!("{} > {}", is(&change.from), is(&change.to)))
            .collect();
        for (dir, content) in &self.known {
            text.push(format!("{dir} {content}"));
        }
        text.join("\n")
    }
}

/// Reports whether a node is what it should be but for files that were changed in it.
fn is_same(site: &Site, old: &Node, new: &Node, known: &Contents) -> bool {
    if old.dir != new.dir || old.commit != new.commit {
        return false;
    }
    match known.get(&new.dir) {
        // What unpacked or described it says nothing of what it is.
        Some(content) => content_of(site, old).as_ref() == Some(content),
        None => true,
    }
}

/// Finds the nodes that only their content tells apart from those of the lock.
fn add_changed_contents(
    site: &Site,
    here: &[Node],
    nodes: &[Node],
    known: &Contents,
    changes: &mut Vec<NodeChange>,
) {
    for node in nodes {
        let Some(old) = here.iter().find(|old| old.dir == node.dir) else {
            continue;
        };
        let is_told = changes.iter().any(|change| change.dir == node.dir);
        if !is_told && !is_same(site, old, node, known) {
            changes.push(NodeChange {
                dir: node.dir.clone(),
                kind: NodeChangeKind::Update,
                from: Some(old.clone()),
                to: Some(node.clone()),
            });
        }
    }
    changes.sort_by(|a, b| a.dir.cmp(&b.dir));
}

/// Makes the node that a lock names, where it lies in this installation. The lock's path
/// counts only where this installation has nodes there: it may be of another layout, and
/// it may come from anybody.
fn node_of(installation: &Installation, locked: &LockedNode) -> Result<Node, OpError> {
    let path = Utf8Path::new(&locked.dir);
    let name = path.file_name().unwrap_or_default();
    let bare = name.strip_suffix(".disabled").unwrap_or(name);
    if !is_safe(bare) {
        return Err(OpError::Refused(format!(
            "the lock names a node at `{}`, which is no place for one",
            locked.dir.escape_debug()
        )));
    }
    let parent = path.parent().unwrap_or(Utf8Path::new(""));
    let is_aside = parent.file_name() == Some(".disabled");
    let around = if is_aside {
        parent.parent().unwrap_or(Utf8Path::new(""))
    } else {
        parent
    };
    let own = installation.root.join(around);
    let mut dirs = installation.custom_nodes.iter();
    let mut home = match dirs.find(|dir| **dir == own) {
        Some(dir) => dir.clone(),
        None => installation.nodes_dir().to_owned(),
    };
    if is_aside {
        home.push(".disabled");
    }
    Ok(Node {
        name: locked.name.clone(),
        dir: show_path(&installation.root, &home.join(name)),
        kind: kind_of(&locked.kind),
        url: locked.url.clone(),
        commit: locked.commit.clone(),
        version: locked.version.clone(),
        enabled: !is_aside && name == bare,
        dirty: false,
        content: None,
        kept: None,
    })
}

/// Two ways to write one address.
fn bare(url: &str) -> String {
    let url = without_credentials(url);
    let url = url.trim_end_matches('/');
    url.strip_suffix(".git").unwrap_or(url).to_lowercase()
}

/// Works out whether ComfyUI moves.
fn core_change(
    site: &Site,
    locked: &LockedCore,
    edited: &mut Vec<String>,
    warnings: &mut Vec<(&'static str, String)>,
) -> Result<Option<NodeChange>, OpError> {
    let Some(here) = site.installation.core() else {
        let message = "the lock names ComfyUI, and this base directory does not say which it uses";
        warnings.push(("core", message.to_owned()));
        return Ok(None);
    };
    let Some(commit) = &locked.commit else {
        // A copy without history is known by its version alone, and can be had nowhere.
        return match &locked.version {
            version if version.is_none() || *version == here.version => Ok(None),
            version => Err(OpError::Unrestorable(vec![format!(
                "ComfyUI {}, whose commit the lock does not know",
                version.as_deref().unwrap_or_default()
            )])),
        };
    };
    if here.commit.as_ref() == Some(commit) {
        if here.dirty {
            edited.push(here.dir.clone());
        }
        return Ok(None);
    }
    check_own_core(site, &here)?;
    let to = Core {
        kind: NodeKind::Git,
        url: locked.url.clone(),
        commit: Some(commit.clone()),
        version: locked.version.clone(),
        dirty: false,
        ..here.clone()
    };
    Ok(Some(NodeChange {
        dir: here.dir.clone(),
        kind: NodeChangeKind::Update,
        from: Some(here),
        to: Some(to),
    }))
}
