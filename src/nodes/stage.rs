//! Makes a node's directory beside the installation, ready to be renamed in.

use std::io::Cursor;

use camino::{Utf8Path, Utf8PathBuf};
use flate2::read::GzDecoder;

use super::source::{NodeSource, is_safe};
use crate::git::{CloneSpec, GitError, clone, read_checkout};
use crate::host::fs::{self, FsError};
use crate::index::{Index, IndexError};
use crate::package::{DistFile, FileKind, Hashes};
use crate::workspace::node::{Node, read_node};

/// Why a node cannot be staged.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// Git.
    #[error(transparent)]
    Git(#[from] GitError),
    /// A file.
    #[error(transparent)]
    File(#[from] FsError),
    /// The network.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// The argument is no node.
    #[error("{0}")]
    NotANode(String),
}

/// A staged node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Staged {
    /// What it is; its directory is where it will lie.
    pub node: Node,
    /// Where it lies now.
    pub path: Utf8PathBuf,
    /// Its name in the directory of nodes.
    pub name: String,
}

/// Stages a node under `scratch`; `nodes_dir` is where it is meant to go, shown
/// relative to `root`.
///
/// # Errors
///
/// Fails if the source cannot be had or is no node.
pub fn stage(
    source: &NodeSource,
    scratch: &Utf8Path,
    root: &Utf8Path,
    nodes_dir: &Utf8Path,
    index: &dyn Index,
) -> Result<Staged, NodeError> {
    if let NodeSource::Registry { id, .. } = source {
        return Err(NodeError::NotANode(format!(
            "`{id}` is neither a path that exists nor an address; name a directory, an archive or a git URL"
        )));
    }
    let name = source.directory_name().ok_or_else(|| {
        NodeError::NotANode(format!(
            "`{}` gives no usable name for the node's directory",
            source.shown()
        ))
    })?;
    let path = scratch.join(&name);
    if fs::exists(&path) {
        return Err(NodeError::NotANode(format!(
            "two of the nodes would both be `{name}`"
        )));
    }
    match source {
        NodeSource::Directory(dir) if fs::exists(&dir.join(".git")) => {
            let from = read_checkout(dir)?;
            clone(
                &CloneSpec {
                    url: dir.as_str(),
                    rev: from.commit.as_deref(),
                },
                &path,
            )?;
            if let Some(url) = from.url {
                crate::git::change::set_remote(&path, &url)?;
            }
            if let Some(branch) = from.branch {
                crate::git::change::attach(&path, &branch);
            }
        }
        NodeSource::Directory(dir) => fs::copy_tree(dir, &path)?,
        NodeSource::File(file) if file.as_str().ends_with(".py") => fs::copy_tree(file, &path)?,
        NodeSource::File(file) => {
            return Err(NodeError::NotANode(format!(
                "`{file}` is neither a directory, an archive nor a .py file"
            )));
        }
        NodeSource::Archive(file) => unpack(file, &path)?,
        NodeSource::ArchiveUrl(url) => {
            let file = DistFile {
                filename: name.clone(),
                url: url.clone(),
                hashes: Hashes::new(),
                size: None,
                upload_time: None,
                kind: FileKind::Sdist,
            };
            let found = index.download(&file)?;
            unpack(&found.path, &path)?;
        }
        NodeSource::Git { url, rev } => clone(
            &CloneSpec {
                url,
                rev: rev.as_deref(),
            },
            &path,
        )?,
        NodeSource::Registry { .. } => {}
    }
    let mut node = read_node(scratch, &path, true, false)
        .ok_or_else(|| NodeError::NotANode(format!("`{name}` is not a node")))?;
    let target = nodes_dir.join(&name);
    node.dir = target
        .strip_prefix(root)
        .unwrap_or(&target)
        .as_str()
        .replace('\\', "/");
    Ok(Staged { node, path, name })
}

/// Reports whether a member stays in the directory it is unpacked into, on every
/// system: `..`, an absolute path or a drive does not.
fn stays_inside(member: &str) -> bool {
    let mut parts = member.split(['/', '\\']);
    let is_rooted = member.starts_with(['/', '\\']);
    !is_rooted && parts.all(|part| part != ".." && !part.contains([':', '\0']))
}

/// Unpacks an archive; a single top directory is taken off. Members cannot leave
/// the directory: an archive with one that would is refused whole, since it was
/// made to do harm.
fn unpack(file: &Utf8Path, into: &Utf8Path) -> Result<(), NodeError> {
    let bytes = fs::read_bytes(file)?;
    let damaged = |error: &dyn std::fmt::Display| {
        NodeError::NotANode(format!("`{file}` cannot be unpacked: {error}"))
    };
    let whole = Utf8PathBuf::from(format!("{into}.unpacked"));
    let check = |member: &str| {
        if stays_inside(member) {
            return Ok(());
        }
        Err(damaged(&format!(
            "its member `{member}` would leave the node's directory"
        )))
    };
    fs::create_dir_all(&whole)?;
    if bytes.starts_with(b"PK") {
        let mut archive =
            zip::ZipArchive::new(Cursor::new(bytes)).map_err(|error| damaged(&error))?;
        for member in archive.file_names() {
            check(&member.map_err(|error| damaged(&error))?)?;
        }
        archive.extract(&whole).map_err(|error| damaged(&error))?;
    } else {
        // Unpacking would pass over such members without a word.
        let mut listed = tar::Archive::new(GzDecoder::new(bytes.as_slice()));
        for entry in listed.entries().map_err(|error| damaged(&error))? {
            let entry = entry.map_err(|error| damaged(&error))?;
            check(&String::from_utf8_lossy(&entry.path_bytes()))?;
        }
        tar::Archive::new(GzDecoder::new(bytes.as_slice()))
            .unpack(&whole)
            .map_err(|error| damaged(&error))?;
    }
    let names = fs::list_dir(&whole)?;
    let inner = match names.as_slice() {
        [one] if fs::is_dir(&whole.join(one)) && is_safe(one) => whole.join(one),
        _ => whole.clone(),
    };
    fs::rename(&inner, into)?;
    fs::remove_all(&whole)?;
    Ok(())
}
