//! Custom nodes and the core as they lie on disk.

use camino::{Utf8Path, Utf8PathBuf};
use serde::{Deserialize, Serialize};

use crate::git;
use crate::host::fs::{self, FsError};

/// How a node came here, as far as its files tell.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum NodeKind {
    /// A git checkout.
    Git,
    /// Unpacked from the node registry (has `.tracking`).
    Registry,
    /// A single `.py` file.
    File,
    /// A directory that someone dropped here.
    Plain,
}

/// One custom node, as `product.md`'s `node` shows it.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema,
)]
pub struct Node {
    /// The name it goes by: the directory's, without any mark of being disabled.
    pub name: String,
    /// Its path, relative to the root where it lies in it.
    pub dir: String,
    /// How it came here.
    pub kind: NodeKind,
    /// The git remote, without credentials.
    pub url: Option<String>,
    /// The commit checked out.
    pub commit: Option<String>,
    /// The registry's version.
    pub version: Option<String>,
    /// ComfyUI loads it.
    pub enabled: bool,
    /// Tracked files were changed.
    pub dirty: bool,
    /// What tells its content from another one where no commit does: a digest (SHA-256, hex)
    /// over the code of a node without history, or over the changed files of a checkout. Only
    /// recorded states have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
    /// What is stored of it. Only recorded states have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept: Option<Kept>,
}

/// What the store holds of a node, and what it does not.
#[derive(
    Debug,
    Clone,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
)]
pub struct Kept {
    /// An archive of its files or a pack of its commit, relative to the store.
    pub base: Option<String>,
    /// The changes of its tracked files as a patch, relative to the store.
    pub patch: Option<String>,
    /// What could be lost for good, each with why.
    pub lacks: Vec<String>,
}

impl Node {
    /// Returns the node as it is found in a directory, without what only a record tells.
    pub fn bare(&self) -> Self {
        Self {
            content: None,
            kept: None,
            ..self.clone()
        }
    }

    /// Reports whether two records are known to be of different contents: commit, version,
    /// changed files or, without history, code.
    pub fn differs_from(&self, other: &Self) -> bool {
        let other_content =
            matches!((&self.content, &other.content), (Some(one), Some(two)) if one != two);
        (&self.commit, &self.version, self.kind, self.dirty)
            != (&other.commit, &other.version, other.kind, other.dirty)
            || other_content
    }
}

/// The core.
pub type Core = Node;

/// Names in a `custom_nodes` directory that are no nodes.
fn is_no_node(name: &str) -> bool {
    name == "__pycache__"
        || name == ".disabled"
        || name.starts_with(".git")
        || name.starts_with(".portenv")
        || name.ends_with(fs::PART)
        || matches!(
            name,
            "example_node.py.example" | "websocket_image_save.py" | ".DS_Store"
        )
}

/// Takes off the marks of being disabled: `foo.disabled`, and in `.disabled/`
/// also `foo@1_4_0` and `foo@nightly`.
fn bare_name(name: &str, in_disabled: bool) -> String {
    let bare = name.strip_suffix(".disabled").unwrap_or(name);
    let bare = if in_disabled {
        bare.split('@').next().unwrap_or(bare)
    } else {
        bare
    };
    bare.to_owned()
}

/// Lists the nodes of one `custom_nodes` directory, enabled and disabled, by name.
///
/// What counts is what ComfyUI's own loader loads: every directory and `.py` file
/// whose name does not end with `.disabled`.
///
/// # Errors
///
/// Fails if the directory cannot be listed.
pub fn list_nodes(root: &Utf8Path, custom_nodes: &Utf8Path) -> Result<Vec<Node>, FsError> {
    let mut asks = Vec::new();
    for name in fs::find_dir(custom_nodes)? {
        if !is_no_node(&name) {
            let enabled = !name.ends_with(".disabled");
            asks.push((custom_nodes.join(&name), enabled, false));
        }
    }
    let disabled = custom_nodes.join(".disabled");
    for name in fs::find_dir(&disabled)? {
        if !is_no_node(&name) {
            asks.push((disabled.join(&name), false, true));
        }
    }
    // A checkout costs two runs of git: side by side they take half the time.
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let share = asks.len().div_ceil(threads).max(1);
    let read = |asks: &[(Utf8PathBuf, bool, bool)]| -> Vec<Node> {
        let found = asks.iter();
        found
            .filter_map(|(path, enabled, hidden)| read_node(root, path, *enabled, *hidden))
            .collect()
    };
    let mut nodes: Vec<Node> = std::thread::scope(|scope| {
        let parts = asks.chunks(share);
        let running: Vec<_> = parts.map(|part| scope.spawn(|| read(part))).collect();
        running
            .into_iter()
            .flat_map(|part| match part.join() {
                Ok(nodes) => nodes,
                Err(panic) => std::panic::resume_unwind(panic),
            })
            .collect()
    });
    nodes.sort();
    Ok(nodes)
}

/// Reads what a directory or file is as a node; `None` if it is none.
pub fn read_node(
    root: &Utf8Path,
    path: &Utf8Path,
    enabled: bool,
    in_disabled: bool,
) -> Option<Node> {
    let file_name = path.file_name()?;
    let is_dir = fs::is_dir(path);
    if !is_dir && !file_name.trim_end_matches(".disabled").ends_with(".py") {
        return None;
    }
    let mut name = bare_name(file_name, in_disabled);
    if !is_dir && let Some(stem) = name.strip_suffix(".py") {
        name.truncate(stem.len());
    }
    let mut node = Node {
        name,
        dir: show(root, path),
        kind: if is_dir {
            NodeKind::Plain
        } else {
            NodeKind::File
        },
        url: None,
        commit: None,
        version: None,
        enabled,
        dirty: false,
        content: None,
        kept: None,
    };
    if is_dir {
        if fs::exists(&path.join(".git")) {
            fill_git(&mut node, path);
        } else if fs::is_file(&path.join(".tracking")) {
            node.kind = NodeKind::Registry;
        }
        if node.kind != NodeKind::Git {
            node.version = declared_version(path);
        }
    }
    Some(node)
}

/// Reads the core at `path`.
pub fn read_core(root: &Utf8Path, path: &Utf8Path) -> Core {
    let mut core = Node {
        name: "ComfyUI".to_owned(),
        dir: show(root, path),
        kind: NodeKind::Plain,
        url: None,
        commit: None,
        version: core_version(path),
        enabled: true,
        dirty: false,
        content: None,
        kept: None,
    };
    if fs::exists(&path.join(".git")) {
        fill_git(&mut core, path);
    }
    core
}

fn fill_git(node: &mut Node, path: &Utf8Path) {
    node.kind = NodeKind::Git;
    if let Ok(found) = git::read_checkout(path) {
        node.url = found
            .url
            .map(|url| crate::package::artifact::without_credentials(&url));
        node.commit = found.commit;
        node.dirty = found.dirty;
    }
}

/// Reads `[project] version` without judging anything else in the file.
fn declared_version(path: &Utf8Path) -> Option<String> {
    let text = fs::find_text(&path.join("pyproject.toml")).ok()??;
    let table: toml::Table = text.parse().ok()?;
    Some(table.get("project")?.get("version")?.as_str()?.to_owned())
}

/// Reads `__version__ = "…"` of `comfyui_version.py` as text; nothing is run.
pub fn core_version(path: &Utf8Path) -> Option<String> {
    let text = fs::find_text(&path.join("comfyui_version.py")).ok()??;
    let line = text
        .lines()
        .find(|line| line.trim_start().starts_with("__version__"))?;
    let value = line.split_once('=')?.1.trim().trim_matches(['"', '\'']);
    Some(value.to_owned())
}

fn show(root: &Utf8Path, path: &Utf8Path) -> String {
    let shown: Utf8PathBuf = path.strip_prefix(root).unwrap_or(path).to_owned();
    let text = shown.as_str().replace('\\', "/");
    if text.is_empty() {
        ".".to_owned()
    } else {
        text
    }
}
