//! Flags of `update`.

use camino::{Utf8Path, Utf8PathBuf};
use clap::Args;

use super::resolve::ResolveOptions;
use crate::ops::update_core::CoreWish;

/// What `portenv update --help` says.
pub const ABOUT: &str = "\
Fetch newer versions of nodes, or of ComfyUI; asks first.

Fetches it and shows it first: commits, files and lines, requirements, install.py (which is \
never run), and what all that does to packages. After a yes the checkouts move, the lock is \
written and packages are synced as one operation; if anything fails, all of it is undone. \
portenv rollback goes back.

A checkout on a branch follows the branch that it tracks, and only straight ahead. One at a \
tag or commit is pinned and stays, unless it is named: then it goes to the default branch, or \
to REV. Files that git does not know stay. Nodes that are no git checkouts are named and left \
alone. A checkout with changed files is never moved: of all nodes it is left out, named it is \
refused, unless --stash puts its changes aside. --dry-run shows everything and changes nothing.

--core moves ComfyUI itself, with its requirements, in the same step: to the newest commit of \
the branch that its checkout follows, else to the newest version tag; --core=TAG to that tag, \
branch or commit, also back. Nodes stay as they are unless they are named too. Requirements of \
the new ComfyUI that exclude those of a node are shown as a conflict, and nothing is changed.";

/// `portenv update`.
#[derive(Debug, Args)]
pub struct UpdateArgs {
    /// A node's name or directory, with an optional @ and a branch, tag or commit [default:
    /// all enabled nodes].
    #[arg(value_name = "NODE[@REV]")]
    pub nodes: Vec<String>,
    /// Update ComfyUI too, or only it if no node is named: to the newest, or to this tag, branch
    /// or commit. With a directory it says where ComfyUI lies, as for every command.
    // Of the same name as the flag of all commands, which it stands in for.
    #[arg(
        long,
        value_name = "TAG|COMMIT",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = ""
    )]
    pub core: Option<Utf8PathBuf>,
    /// Let this protected package (such as torch) change; may be given several times.
    #[arg(long, value_name = "NAME")]
    pub allow_change: Vec<String>,
    /// Only show what is new and what it would change.
    #[arg(long)]
    pub dry_run: bool,
    /// Put changed files of checkouts that are in the way aside; shows how to get them back.
    #[arg(long)]
    pub stash: bool,
    /// Do not ask, but apply exactly the plan that was shown under this ID, or stop if
    /// anything has changed since.
    #[arg(long, value_name = "ID")]
    pub plan: Option<String>,
    /// What decides the answer.
    #[command(flatten)]
    pub options: ResolveOptions,
}

impl UpdateArgs {
    /// Returns what is wanted of ComfyUI, if something is.
    pub fn core(&self) -> Option<CoreWish> {
        let value = self.core.as_ref().filter(|path| !is_place(path))?;
        Some(match value.as_str() {
            "" => CoreWish::Newest,
            word => CoreWish::Rev(word.to_owned()),
        })
    }
}

/// Reports whether a value of `--core` says where ComfyUI lies, and not which one is wanted.
pub fn is_place(value: &Utf8Path) -> bool {
    let is_named = value.is_absolute() || value.as_str().starts_with('.');
    let is_core = !value.as_str().is_empty() && value.join("requirements.txt").is_file();
    is_named || is_core
}
