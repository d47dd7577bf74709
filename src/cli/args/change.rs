//! Flags of the commands that look at or change an installation.

use camino::Utf8PathBuf;
use clap::{Args, Subcommand};

use super::resolve::ResolveOptions;
use crate::ops::check::CheckRequest;
use crate::ops::prune::PruneRequest;
use crate::snapshot::retention::Policy;

/// `portenv preview`.
#[derive(Debug, Args)]
pub struct PreviewArgs {
    /// A directory, an archive, or a git URL with an optional @ and a branch, tag or commit.
    #[arg(required = true, value_name = "NODE")]
    pub nodes: Vec<String>,
    /// Let this protected package (such as torch) change; may be given several times.
    #[arg(long, value_name = "NAME")]
    pub allow_change: Vec<String>,
    /// A file or directory of advisories (OSV), beside those of portenv.toml.
    #[arg(long, value_name = "FILE")]
    pub advisories: Vec<Utf8PathBuf>,
    /// What decides the answer.
    #[command(flatten)]
    pub options: ResolveOptions,
}

/// `portenv check`.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// Nodes to check as if they were added: directories, archives or git URLs
    /// [default: none, check what is here].
    #[arg(value_name = "NODE")]
    pub nodes: Vec<String>,
    /// Ask a lock instead of an installation: can these nodes live with it?
    #[arg(long, value_name = "LOCK", requires = "nodes")]
    pub against: Option<Utf8PathBuf>,
    /// ComfyUI's repository, for --core with a tag [default: ComfyUI's own on GitHub].
    #[arg(
        long,
        env = "PORTENV_CORE_URL",
        value_name = "URL",
        hide_env = true,
        hide_short_help = true
    )]
    pub core_url: Option<String>,
    /// A list of nodes (nodes.toml): for each, can it live with the ones named here?
    #[arg(long, value_name = "FILE", requires = "nodes")]
    pub with: Option<Utf8PathBuf>,
    /// Take what indexes have today, not what they had when the lock or release was made.
    #[arg(long, requires = "nodes", conflicts_with = "exclude_newer")]
    pub now: bool,
    /// A file or directory of advisories (OSV), beside those of portenv.toml.
    #[arg(long, value_name = "FILE")]
    pub advisories: Vec<Utf8PathBuf>,
    /// Fail only on what these nodes bring, not on what is wrong without them.
    #[arg(long, requires = "nodes")]
    pub only_new: bool,
    /// Also name the most nodes that can live together, and what keeps the others out.
    #[arg(long, conflicts_with_all = ["against", "with"])]
    pub subset: bool,
    /// How long --subset looks for the most; then the best found so far counts.
    #[arg(
        long,
        value_name = "SECONDS",
        default_value_t = 60,
        requires = "subset"
    )]
    pub time_limit: u64,
    /// What decides the answer.
    #[command(flatten)]
    pub options: ResolveOptions,
}

impl CheckArgs {
    /// Returns what is to be checked; `core` is the flag of all commands.
    pub fn request(&self, core: Option<&Utf8PathBuf>) -> CheckRequest {
        CheckRequest {
            nodes: self.nodes.clone(),
            against: self.against.clone(),
            core: core.map(ToString::to_string),
            core_url: self.core_url.clone(),
            with: self.with.clone(),
            now: self.now,
            only_new: self.only_new,
            advisories: self.advisories.clone(),
            flags: self.options.flags(),
        }
    }
}

/// `portenv explain`.
#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// A code of check, such as PE001 [default: the last conflict].
    #[arg(value_name = "CODE")]
    pub code: Option<String>,
    /// Write this way out of the last conflict to portenv.toml, by the number it is shown with.
    #[arg(
        long,
        value_name = "N",
        conflicts_with = "code",
        value_parser = clap::value_parser!(u16).range(1..)
    )]
    pub apply: Option<u16>,
}

/// `portenv add`.
#[derive(Debug, Args)]
pub struct AddArgs {
    /// A directory, an archive, or a git URL with an optional @ and a branch, tag or commit.
    #[arg(required = true, value_name = "NODE")]
    pub nodes: Vec<String>,
    /// Let this protected package (such as torch) change; may be given several times.
    #[arg(long, value_name = "NAME")]
    pub allow_change: Vec<String>,
    /// A file or directory of advisories (OSV), beside those of portenv.toml.
    #[arg(long, value_name = "FILE")]
    pub advisories: Vec<Utf8PathBuf>,
    /// Do not ask, but apply exactly the plan that was shown under this ID, or stop if
    /// anything has changed since.
    #[arg(long, value_name = "ID")]
    pub plan: Option<String>,
    /// Run the install.py of these nodes when their packages are installed, as code of a
    /// stranger with your rights; what it does to locked packages is put back.
    #[arg(long)]
    pub run_install_script: bool,
    /// How many seconds an install.py may take before all is undone.
    #[arg(
        long,
        value_name = "SECONDS",
        default_value_t = 600,
        requires = "run_install_script",
        value_parser = clap::value_parser!(u64).range(1..=86_400)
    )]
    pub install_timeout: u64,
    /// What decides the answer.
    #[command(flatten)]
    pub options: ResolveOptions,
}

impl AddArgs {
    /// Returns how long an install.py may run, if it is to be run.
    pub fn scripts(&self) -> Option<std::time::Duration> {
        self.run_install_script
            .then(|| std::time::Duration::from_secs(self.install_timeout))
    }
}

/// `portenv remove`.
#[derive(Debug, Args)]
pub struct RemoveArgs {
    /// A node's name or directory; portenv tree lists them.
    #[arg(required = true, value_name = "NODE")]
    pub nodes: Vec<String>,
    /// Do not ask, but apply exactly the plan that was shown under this ID, or stop if
    /// anything has changed since.
    #[arg(long, value_name = "ID")]
    pub plan: Option<String>,
    /// What decides the answer.
    #[command(flatten)]
    pub options: ResolveOptions,
}

/// `portenv sync`.
#[derive(Debug, Args)]
pub struct SyncArgs {
    /// Make nodes and ComfyUI what the lock names too, at their commits.
    #[arg(long)]
    pub all: bool,
    /// Also remove packages that portenv did not bring and the lock does not name; with --all
    /// also nodes, which go to the trash.
    #[arg(long)]
    pub prune: bool,
    /// Only show what would be done.
    #[arg(long)]
    pub dry_run: bool,
    /// Do not ask, but apply exactly the plan that was shown under this ID, or stop if
    /// anything has changed since.
    #[arg(long, value_name = "ID")]
    pub plan: Option<String>,
}

/// `portenv rollback`.
#[derive(Debug, Args)]
pub struct RollbackArgs {
    /// An id or its first 4 digits or more, a label, @ for the newest, @~1 for the one
    /// before [default: over the newest change, whoever made it].
    #[arg(value_name = "SNAPSHOT")]
    pub snapshot: Option<String>,
    /// Take back only this part [default: everything].
    #[arg(long, value_enum, value_name = "PART")]
    pub only: Option<PartArg>,
    /// Only show what would be done.
    #[arg(long)]
    pub dry_run: bool,
    /// Put changed files of checkouts that are in the way aside; shows how to get them back.
    #[arg(long)]
    pub stash: bool,
    /// Do not ask, but apply exactly the plan that was shown under this ID, or stop if
    /// anything has changed since.
    #[arg(long, value_name = "ID")]
    pub plan: Option<String>,
}

/// `portenv undo` and `portenv redo`.
#[derive(Debug, Args)]
pub struct StepArgs {
    /// Only show what would be done.
    #[arg(long)]
    pub dry_run: bool,
    /// Put changed files of checkouts that are in the way aside; shows how to get them back.
    #[arg(long)]
    pub stash: bool,
    /// Do not ask, but apply exactly the plan that was shown under this ID, or stop if
    /// anything has changed since.
    #[arg(long, value_name = "ID")]
    pub plan: Option<String>,
}

/// A part of an installation.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub enum PartArg {
    /// Python packages.
    Packages,
    /// Custom nodes.
    Nodes,
    /// ComfyUI itself.
    Core,
}

/// `portenv status`.
#[derive(Debug, Args)]
pub struct StatusArgs {
    /// Exit with 1 if something changed, the lock is stale or an operation was cut short.
    #[arg(long)]
    pub exit_code: bool,
    /// List the requirements that were not met before portenv came and are let be.
    #[arg(long)]
    pub waivers: bool,
}

/// `portenv diff`.
#[derive(Debug, Args)]
pub struct DiffArgs {
    /// From: a snapshot (id, label, @ for the newest, @~1 for the one before), a lock file,
    /// `lock` for the lock, or `env` for what is installed (by default @).
    #[arg(value_name = "A")]
    pub from: Option<String>,
    /// To: the same [default: env].
    #[arg(value_name = "B")]
    pub to: Option<String>,
    /// Exit with 1 if there is a difference.
    #[arg(long)]
    pub exit_code: bool,
}

/// `portenv snapshot`.
#[derive(Debug, Subcommand)]
pub enum SnapshotCommand {
    /// Record the present state: packages, nodes and ComfyUI's commit.
    Create {
        /// A name for it, to go back to.
        #[arg(long, value_name = "NAME")]
        label: Option<String>,
    },
    /// List the snapshots, newest first.
    List,
    /// Show a snapshot in full: packages, nodes, and what could not be brought back.
    Show {
        /// An id or its first 4 digits or more, a label, @ for the newest, @~1 for the one
        /// before.
        #[arg(default_value = "@", value_name = "SNAPSHOT")]
        snapshot: String,
    },
    /// Give a snapshot a name, to go back to.
    Label {
        /// An id or its first 4 digits or more, a label, @ for the newest, @~1 for the one
        /// before.
        #[arg(value_name = "SNAPSHOT")]
        snapshot: String,
        /// The name.
        #[arg(value_name = "NAME")]
        label: String,
    },
    /// Remove old snapshots, and the stored files that only they need.
    ///
    /// Always kept: the newest, the first, those with a label, and what undo and redo stand at.
    Prune(PruneArgs),
}

/// `portenv snapshot prune`.
#[derive(Debug, Args)]
pub struct PruneArgs {
    /// Keep the newest so many.
    #[arg(long, value_name = "N", default_value_t = Policy::default().newest)]
    pub keep: usize,
    /// Keep the newest of each of the last so many days that have one.
    #[arg(long, value_name = "N", default_value_t = Policy::default().daily)]
    pub daily: usize,
    /// Keep the newest of each of the last so many weeks that have one.
    #[arg(long, value_name = "N", default_value_t = Policy::default().weekly)]
    pub weekly: usize,
    /// Keep the newest of each of the last so many months that have one.
    #[arg(long, value_name = "N", default_value_t = Policy::default().monthly)]
    pub monthly: usize,
    /// Also delete the nodes that changes took out, in .portenv/trash/.
    #[arg(long)]
    pub trash: bool,
    /// Only show what would go.
    #[arg(long)]
    pub dry_run: bool,
}

impl PruneArgs {
    /// Returns what is to be pruned.
    pub fn request(&self) -> PruneRequest {
        PruneRequest {
            policy: Policy {
                newest: self.keep,
                daily: self.daily,
                weekly: self.weekly,
                monthly: self.monthly,
            },
            trash: self.trash,
            dry_run: self.dry_run,
        }
    }
}

/// `portenv demo`.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Make the installation here and keep it [default: a temporary directory].
    #[arg(long, value_name = "DIR")]
    pub dir: Option<Utf8PathBuf>,
}
