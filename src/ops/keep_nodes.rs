//! What nodes consist of, and what is kept of them so that a rollback needs nothing else.
//!
//! A node without history is kept as an archive. Of a checkout the commit is kept as a pack:
//! with all that came before where no remote has it, alone where one does, for a repository
//! may be moved or taken away. Changed files are kept as a patch beside that; files that git
//! does not track are not, for they are no part of what was recorded.

use camino::Utf8Path;

use super::context::{Context, Site};
use super::error::OpError;
use crate::git::GitError;
use crate::git::keep::{
    Depth, has_submodules, is_published, is_shallow, pack_commit, patch_of, weigh_commit,
};
use crate::host::fs;
use crate::host::fs::FsError;
use crate::package::artifact::show_bytes;
use crate::snapshot::State;
use crate::store::StoreError;
use crate::store::archive::{self, Content, NODES};
use crate::workspace::content::{content_of, members, touched};
use crate::workspace::node::{Kept, Node};
use crate::workspace::settings::StoreMode;

/// Up to this size a commit that a remote has is kept too. The code of a node is a hundredth
/// of that; what is larger has pictures, films or weights in its repository, and keeping each
/// of its commits would cost more than it saves.
const MOST_OF_REMOTE: u64 = 32 << 20;

/// Up to this size is kept what is nowhere else. Beyond it lie models that were put into a
/// node's directory, and these are had from where they came.
const MOST: u64 = 512 << 20;

/// Lists the nodes that are here, with what tells their contents; what is known to be kept
/// of them is carried over from earlier states.
///
/// # Errors
///
/// Fails if they cannot be read.
pub(super) fn find_nodes(site: &Site, states: &[&State]) -> Result<Vec<Node>, OpError> {
    let mut nodes = site.installation.nodes()?;
    for node in &mut nodes {
        node.content = content_of(node, &site.installation.root.join(&node.dir));
        node.kept = known(node, states);
    }
    Ok(nodes)
}

/// Reports whether it was looked at once what each node needs to come back.
pub(super) fn is_known(state: &State) -> bool {
    state.nodes.iter().all(|node| node.kept.is_some())
}

/// Keeps what nodes need to come back and nothing keeps yet.
///
/// # Errors
///
/// Fails if the disk is full, or the work was asked to stop. What cannot be kept for another
/// reason is recorded as such.
pub(super) fn keep_nodes(
    context: &Context,
    site: &Site,
    nodes: &mut [Node],
) -> Result<(), OpError> {
    let own = site.installation.own_dir();
    let store = own.join("store");
    let mode = site.installation.settings.policy.store.unwrap_or_default();
    let is_whole = |node: &Node| {
        let Some(kept) = &node.kept else {
            return false;
        };
        // The policy may be another one today.
        if kept.base.is_none() && mode != StoreMode::None {
            return false;
        }
        let mut files = kept.base.iter().chain(&kept.patch);
        let Some(paths) = files.try_fold(Vec::new(), |mut paths, file| {
            paths.push(archive::find(&store, file)?);
            Some(paths)
        }) else {
            return false;
        };
        let dir = site.installation.root.join(&node.dir);
        // Data counts as soon as something is recorded anyway, though it alone is no change.
        node.commit.is_some()
            || paths
                .iter()
                .all(|file| archive::is_current(file, touched(&dir, &members(&dir))))
    };
    let todo: Vec<&mut Node> = nodes.iter_mut().filter(|node| !is_whole(node)).collect();
    if todo.is_empty() {
        return Ok(());
    }
    let total = todo.len() as u64;
    let what = "keeping what nodes need to come back";
    context.progress.count(what, Some(total), "nodes");
    for (done, node) in (0..).zip(todo) {
        context.check_cancel()?;
        context.progress.at(done, &node.name);
        let keeper = Keeper {
            dir: site.installation.root.join(&node.dir),
            tmp: own.join("tmp"),
            store: store.clone(),
            mode,
        };
        node.kept = Some(match node.commit.clone() {
            Some(commit) => keeper.checkout(node, &commit)?,
            None => keeper.files(node)?,
        });
    }
    context.progress.end();
    Ok(())
}

/// What an earlier state knows of the same content.
fn known(node: &Node, states: &[&State]) -> Option<Kept> {
    let all = states.iter().flat_map(|state| &state.nodes);
    let mut same = all.filter(|old| {
        !old.differs_from(node) && old.content == node.content && old.url == node.url
    });
    same.find_map(|old| old.kept.clone())
}

struct Keeper {
    dir: camino::Utf8PathBuf,
    tmp: camino::Utf8PathBuf,
    store: camino::Utf8PathBuf,
    mode: StoreMode,
}

impl Keeper {
    fn limit(&self, usual: u64) -> u64 {
        match self.mode {
            StoreMode::Needed => usual,
            StoreMode::All => u64::MAX,
            StoreMode::None => 0,
        }
    }

    /// Says why something is not kept for its size, or for want of leave.
    fn too_much(&self, bytes: u64) -> String {
        match self.mode {
            StoreMode::None => "`store = \"none\"` keeps nothing".to_owned(),
            _ => format!(
                "its {} are more than is kept unless `store = \"all\"`",
                show_bytes(bytes)
            ),
        }
    }

    fn files(&self, node: &Node) -> Result<Kept, OpError> {
        let mut kept = Kept::default();
        let found = members(&self.dir);
        if found.bytes > self.limit(MOST) || self.mode == StoreMode::None {
            let why = self.too_much(found.bytes);
            kept.lacks.push(format!(
                "it has no history, and {why}; only its directory, or the trash, holds it"
            ));
            return Ok(kept);
        }
        let scratch = fs::scratch(&self.tmp)?;
        let dir = Utf8Path::from_path(scratch.path()).unwrap_or(&self.tmp);
        let content = Content {
            files: &found.files,
            links: &found.links,
        };
        match archive::pack(&self.dir, content, dir, &self.store) {
            Ok(file) => kept.base = Some(file),
            Err(StoreError::File(error)) if !is_of_node(&error, &self.dir) => {
                return Err(error.into());
            }
            Err(error) => kept
                .lacks
                .push(format!("it has no history and is not kept: {error}")),
        }
        if let [first, ..] = found.leading_out.as_slice() {
            kept.lacks.push(format!(
                "links that lead out of it are not kept, such as `{first}`"
            ));
        }
        if node.kind == crate::workspace::NodeKind::Git {
            kept.lacks.push(
                "its repository has no commit that can be read; only its files are kept".to_owned(),
            );
        }
        Ok(kept)
    }

    fn checkout(&self, node: &Node, commit: &str) -> Result<Kept, OpError> {
        let published = node.url.is_some() && is_published(&self.dir, commit);
        let mut kept = Kept::default();
        match self.commit(commit, published) {
            Ok(Ok(file)) => kept.base = Some(file),
            // It is had again from its remote.
            Ok(Err(_)) if published => {}
            Ok(Err(why)) => {
                let lost = if node.url.is_some() {
                    "no branch of its remote has its commit"
                } else {
                    "its repository has no remote"
                };
                kept.lacks.push(format!("{lost}, and {why}"));
            }
            Err(error) => return Err(error),
        }
        if node.dirty {
            match self.patch()? {
                Ok(file) => kept.patch = Some(file),
                Err(why) => kept
                    .lacks
                    .push(format!("it has uncommitted changes, and {why}")),
            }
        }
        if has_submodules(&self.dir) {
            kept.lacks
                .push("its submodules are not kept: git submodule update fetches them".to_owned());
        }
        Ok(kept)
    }

    /// Keeps a commit; the inner error says why not.
    fn commit(&self, commit: &str, published: bool) -> Result<Result<String, String>, OpError> {
        if self.mode == StoreMode::None {
            return Ok(Err(self.too_much(0)));
        }
        for name in [format!("{commit}.whole.pack"), format!("{commit}.pack")] {
            let file = format!("{NODES}/{name}");
            if archive::find(&self.store, &file).is_some() {
                return Ok(Ok(file));
            }
        }
        let limit = self.limit(if published { MOST_OF_REMOTE } else { MOST });
        let mut depth = Depth::One;
        if !published && !is_shallow(&self.dir) {
            let whole = weigh_commit(&self.dir, commit, Depth::Whole);
            if whole.is_ok_and(|bytes| bytes <= limit) {
                depth = Depth::Whole;
            }
        }
        let packed = || {
            let bytes = weigh_commit(&self.dir, commit, depth)?;
            if bytes > limit {
                return Ok(Err(self.too_much(bytes)));
            }
            let scratch = fs::scratch(&self.tmp)?;
            let dir = Utf8Path::from_path(scratch.path()).unwrap_or(&self.tmp);
            let pack = pack_commit(&self.dir, commit, depth, dir)?;
            let ending = if depth == Depth::Whole { ".whole" } else { "" };
            let name = format!("{commit}{ending}.pack");
            Ok(Ok(archive::adopt(&pack, &name, &self.store)?))
        };
        told(packed())
    }

    /// Keeps the changes of tracked files; the inner error says why not.
    fn patch(&self) -> Result<Result<String, String>, OpError> {
        if self.mode == StoreMode::None {
            return Ok(Err(self.too_much(0)));
        }
        let patch = || {
            Ok(match patch_of(&self.dir)? {
                Some(patch) if patch.len() as u64 > self.limit(MOST) => {
                    Err(self.too_much(patch.len() as u64))
                }
                Some(patch) => Ok(archive::put_patch(&patch, &self.store)?),
                None => Err("it is in the middle of a merge".to_owned()),
            })
        };
        told(patch())
    }
}

/// Why something could not be kept.
enum Failure {
    Git(GitError),
    File(FsError),
}

impl From<GitError> for Failure {
    fn from(error: GitError) -> Self {
        Self::Git(error)
    }
}

impl From<FsError> for Failure {
    fn from(error: FsError) -> Self {
        Self::File(error)
    }
}

/// A repository that git cannot read is a reason; our own disk is not.
fn told(
    result: Result<Result<String, String>, Failure>,
) -> Result<Result<String, String>, OpError> {
    match result {
        Ok(kept) => Ok(kept),
        Err(Failure::File(error)) => Err(error.into()),
        Err(Failure::Git(error)) if is_full(&error) => Err(error.into()),
        Err(Failure::Git(error)) => Ok(Err(error.to_string())),
    }
}

fn is_full(error: &GitError) -> bool {
    let signs = ["No space left", "Disk quota exceeded", "File too large"];
    signs.iter().any(|sign| error.detail.contains(sign))
}

/// Reports whether a file of the node was the trouble, and not what was written of it.
fn is_of_node(error: &FsError, dir: &Utf8Path) -> bool {
    error.path.starts_with(dir)
}
