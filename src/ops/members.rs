//! What an installation consists of, as its lock names it, and what is not as named.

use super::context::Site;
use super::error::OpError;
use super::transaction::Transaction;
use crate::lock::{Lock, LockedCore, LockedNode, Members};
use crate::resolve::Warning;
use crate::workspace::content::content_digest;
use crate::workspace::{Node, NodeKind};

/// How many nodes a warning names.
const MOST: usize = 8;

/// Reads what the installation consists of now.
///
/// # Errors
///
/// Fails if a directory of nodes cannot be read.
pub(super) fn members_of(site: &Site) -> Result<Members, OpError> {
    let installation = &site.installation;
    let nodes = installation.nodes()?;
    Ok(Members {
        core: installation.core().map(|core| LockedCore {
            url: core.url,
            commit: core.commit,
            version: core.version,
        }),
        nodes: nodes.iter().map(|node| locked(site, node)).collect(),
    })
}

/// Replaces the lock by a new one that names ComfyUI and the nodes as they are by now: a
/// change writes it when they are in place.
///
/// # Errors
///
/// Fails if nodes cannot be read, or the lock cannot be written.
pub(super) fn write_lock(change: &mut Transaction<'_>, lock: &Lock) -> Result<(), OpError> {
    let whole = lock.clone().with_members(members_of(change.site)?);
    change.write_lock(Some(&whole.to_toml()))
}

fn locked(site: &Site, node: &Node) -> LockedNode {
    // A path beyond the root is one of this machine.
    let path = camino::Utf8Path::new(&node.dir);
    let dir = match path.file_name() {
        Some(name) if path.is_absolute() => name,
        _ => &node.dir,
    };
    LockedNode {
        dir: dir.to_owned(),
        name: node.name.clone(),
        kind: word_of(node.kind).to_owned(),
        url: node.url.clone(),
        commit: node.commit.clone(),
        version: node.version.clone(),
        content: content_of(site, node),
        enabled: node.enabled,
    }
}

/// Returns the digest of a node that has no commit to tell it by.
pub(super) fn content_of(site: &Site, node: &Node) -> Option<String> {
    let is_plain = node.commit.is_none();
    is_plain.then(|| content_digest(&site.installation.root.join(&node.dir)))
}

fn word_of(kind: NodeKind) -> &'static str {
    match kind {
        NodeKind::Git => "git",
        NodeKind::Registry => "registry",
        NodeKind::File => "file",
        NodeKind::Plain => "plain",
    }
}

/// Reads the word of a kind; what a newer portenv may write counts as a plain directory.
pub(super) fn kind_of(word: &str) -> NodeKind {
    match word {
        "git" => NodeKind::Git,
        "registry" => NodeKind::Registry,
        "file" => NodeKind::File,
        _ => NodeKind::Plain,
    }
}

/// Says which nodes, and whether ComfyUI, are at another commit, version or content than
/// the lock names. That alone makes no lock stale: its lines decide that.
///
/// # Errors
///
/// Fails if a directory of nodes cannot be read.
pub(super) fn moved(site: &Site, lock: Option<&Lock>) -> Result<Vec<Warning>, OpError> {
    let Some(locked) = lock.and_then(|lock| lock.members.as_ref()) else {
        return Ok(Vec::new());
    };
    let now = members_of(site)?;
    let mut told: Vec<String> = Vec::new();
    if let (Some(then), Some(here)) = (&locked.core, &now.core)
        && (&then.commit, &then.version) != (&here.commit, &here.version)
    {
        let is = |core: &LockedCore| shown(core.commit.as_ref(), core.version.as_ref());
        told.push(format!("ComfyUI is {} (locked: {})", is(here), is(then)));
    }
    let is = |node: &LockedNode| {
        let state = if node.enabled { "" } else { ", disabled" };
        let told = node.version.as_ref().or(node.content.as_ref());
        let version = shown(node.commit.as_ref(), told);
        format!("{version}{state}")
    };
    let named = |all: &[LockedNode], name: &str| {
        let found = all.iter().find(|node| node.name == name);
        found.cloned()
    };
    for node in &now.nodes {
        match named(&locked.nodes, &node.name) {
            None => told.push(format!("{} is not in the lock", node.name)),
            Some(then) if is_as(&then, node) => {}
            Some(then) => told.push(format!(
                "{} is {} (locked: {})",
                node.name,
                is(node),
                is(&then)
            )),
        }
    }
    for node in &locked.nodes {
        if named(&now.nodes, &node.name).is_none() {
            told.push(format!("{} is not here", node.name));
        }
    }
    if told.is_empty() {
        return Ok(Vec::new());
    }
    let more = match told.len().saturating_sub(MOST) {
        0 => String::new(),
        more => format!(", and {more} more"),
    };
    told.truncate(MOST);
    let message = format!(
        "not as when the lock was written: {}{more}; portenv lock writes down what is here, portenv \
         sync --all goes back to what was",
        told.join(", ")
    );
    Ok(vec![Warning::new("moved", message)])
}

/// Reports whether a node is what a lock names, wherever it lies.
fn is_as(then: &LockedNode, here: &LockedNode) -> bool {
    let same = then.commit == here.commit && then.enabled == here.enabled;
    same && (then.content.is_none() || then.content == here.content)
}

fn shown(commit: Option<&String>, version: Option<&String>) -> String {
    commit.or(version).map_or_else(
        || "unknown".to_owned(),
        |text| text.chars().take(10).collect(),
    )
}
