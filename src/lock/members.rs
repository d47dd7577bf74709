//! What an installation consisted of when its lock was written: ComfyUI's commit and each
//! node. It decides no version, so a lock without it, or with another one, is as fresh.

use serde::Deserialize;

use super::emit::{inline, list, pair};
use super::model::Lock;
use crate::package::artifact::without_credentials;

/// ComfyUI and the nodes beside which a lock was written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Members {
    /// ComfyUI, where it was known.
    pub core: Option<LockedCore>,
    /// The nodes, by directory.
    pub nodes: Vec<LockedNode>,
}

/// ComfyUI as a lock names it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct LockedCore {
    /// Its repository, without credentials.
    pub url: Option<String>,
    /// The commit; `None` where it had no history.
    pub commit: Option<String>,
    /// The version that it says it is.
    pub version: Option<String>,
}

/// A node as a lock names it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub struct LockedNode {
    /// Its path, relative to the root; the last part alone where it lay beyond it.
    pub dir: String,
    /// The name it goes by.
    pub name: String,
    /// `git`, `registry`, `file` or `plain`.
    pub kind: String,
    /// Its repository, without credentials.
    pub url: Option<String>,
    /// The commit.
    pub commit: Option<String>,
    /// The registry's version, or what it says itself.
    pub version: Option<String>,
    /// The digest of its code, where it had no history.
    pub content: Option<String>,
    /// ComfyUI loads it.
    #[serde(default = "is_enabled")]
    pub enabled: bool,
}

fn is_enabled() -> bool {
    true
}

impl Lock {
    /// Names what the installation consists of.
    #[must_use]
    pub fn with_members(mut self, members: Members) -> Self {
        self.members = Some(members);
        self
    }
}

/// Writes them as two keys of `[tool.portenv]`.
pub(super) fn emit(out: &mut String, members: &Members) {
    let text = |key: &str, value: &Option<String>| value.as_ref().and_then(|it| pair(key, it));
    let url = |url: &Option<String>| pair("url", &without_credentials(url.as_deref()?));
    if let Some(core) = &members.core {
        let parts = [
            url(&core.url),
            text("commit", &core.commit),
            text("version", &core.version),
        ];
        out.push_str(&format!("core = {}\n", inline(&parts)));
    }
    if members.nodes.is_empty() {
        // None is another thing than not to know.
        out.push_str("nodes = []\n");
    }
    let mut nodes: Vec<&LockedNode> = members.nodes.iter().collect();
    nodes.sort();
    let row = |node: &&LockedNode| {
        inline(&[
            pair("dir", &node.dir),
            pair("name", &node.name),
            pair("kind", &node.kind),
            url(&node.url),
            text("commit", &node.commit),
            text("version", &node.version),
            text("content", &node.content),
            (!node.enabled).then(|| "enabled = false".to_owned()),
        ])
    };
    let rows: Vec<String> = nodes.iter().map(row).collect();
    list(out, "nodes", &rows);
}
