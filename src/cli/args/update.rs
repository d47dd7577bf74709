//! Flags of `update`.

use clap::Args;

use super::resolve::ResolveOptions;

/// What `portenv update --help` says.
pub const ABOUT: &str = "\
Fetch newer versions of nodes; asks first.

Fetches it and shows it first: commits, files and lines, requirements, install.py (which is \
never run), and what all that does to packages. After a yes the checkouts move, the lock is \
written and packages are synced as one operation; if anything fails, all of it is undone. \
portenv rollback goes back.

A checkout on a branch follows the branch that it tracks, and only straight ahead. One at a \
tag or commit is pinned and stays, unless it is named: then it goes to the default branch, or \
to REV. Files that git does not know stay. Nodes that are no git checkouts are named and left \
alone; with a checkout whose tracked files were changed nothing is updated: name the others, \
or put the changes aside with --stash. \
--dry-run shows everything and changes nothing.";

/// `portenv update`.
#[derive(Debug, Args)]
pub struct UpdateArgs {
    /// A node's name or directory, with an optional @ and a branch, tag or commit [default:
    /// all enabled nodes].
    #[arg(value_name = "NODE[@REV]")]
    pub nodes: Vec<String>,
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
