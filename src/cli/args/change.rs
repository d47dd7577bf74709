//! Flags of the commands that look at or change an installation.

use camino::Utf8PathBuf;
use clap::{Args, Subcommand};

use super::resolve::ResolveOptions;
use crate::ops::check::CheckRequest;

/// `portenv preview`.
#[derive(Debug, Args)]
pub struct PreviewArgs {
    /// A directory, an archive, or a git URL with an optional @rev.
    #[arg(required = true, value_name = "NODE")]
    pub nodes: Vec<String>,
    /// Let a protected package change.
    #[arg(long, value_name = "NAME")]
    pub allow_change: Vec<String>,
    /// What decides the answer.
    #[command(flatten)]
    pub options: ResolveOptions,
}

/// `portenv check`.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// Nodes to check as if they were added.
    #[arg(value_name = "NODE")]
    pub nodes: Vec<String>,
    /// Ask a lock instead of an installation: can these nodes live with it?
    #[arg(long, value_name = "LOCK", requires = "nodes")]
    pub against: Option<Utf8PathBuf>,
    /// A file or directory of advisories (OSV), beside those of portenv.toml.
    #[arg(long, value_name = "FILE")]
    pub advisories: Vec<Utf8PathBuf>,
    /// Fail only on what these nodes bring, not on what is wrong without them.
    #[arg(long, requires = "nodes")]
    pub only_new: bool,
    /// What decides the answer.
    #[command(flatten)]
    pub options: ResolveOptions,
}

impl CheckArgs {
    /// Returns what is to be checked.
    pub fn request(&self) -> CheckRequest {
        CheckRequest {
            nodes: self.nodes.clone(),
            against: self.against.clone(),
            only_new: self.only_new,
            advisories: self.advisories.clone(),
            flags: self.options.flags(),
        }
    }
}

/// `portenv explain`.
#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// A code of check, such as PE001.
    #[arg(value_name = "CODE")]
    pub code: Option<String>,
}

/// `portenv add`.
#[derive(Debug, Args)]
pub struct AddArgs {
    /// A directory, an archive, or a git URL with an optional @rev.
    #[arg(required = true, value_name = "NODE")]
    pub nodes: Vec<String>,
    /// Let a protected package change.
    #[arg(long, value_name = "NAME")]
    pub allow_change: Vec<String>,
    /// Apply exactly the plan that a preview named.
    #[arg(long, value_name = "ID")]
    pub plan: Option<String>,
    /// What decides the answer.
    #[command(flatten)]
    pub options: ResolveOptions,
}

/// `portenv remove`.
#[derive(Debug, Args)]
pub struct RemoveArgs {
    /// The name or directory of an installed node.
    #[arg(required = true, value_name = "NODE")]
    pub nodes: Vec<String>,
    /// Apply exactly the plan that was shown.
    #[arg(long, value_name = "ID")]
    pub plan: Option<String>,
    /// What decides the answer.
    #[command(flatten)]
    pub options: ResolveOptions,
}

/// `portenv sync`.
#[derive(Debug, Args)]
pub struct SyncArgs {
    /// Also remove what the lock does not name.
    #[arg(long)]
    pub prune: bool,
    /// Only show the plan.
    #[arg(long)]
    pub dry_run: bool,
    /// Apply exactly the plan that was shown.
    #[arg(long, value_name = "ID")]
    pub plan: Option<String>,
}

/// `portenv rollback`.
#[derive(Debug, Args)]
pub struct RollbackArgs {
    /// An id, a label, @ or @~N; over the newest change by default.
    #[arg(value_name = "SNAPSHOT")]
    pub snapshot: Option<String>,
    /// Take back only this part.
    #[arg(long, value_enum, value_name = "PART")]
    pub only: Option<PartArg>,
    /// Only show the plan.
    #[arg(long)]
    pub dry_run: bool,
    /// Apply exactly the plan that was shown.
    #[arg(long, value_name = "ID")]
    pub plan: Option<String>,
}

/// A part of an installation.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub enum PartArg {
    /// Distributions.
    Packages,
    /// Custom nodes.
    Nodes,
    /// ComfyUI itself.
    Core,
}

/// `portenv status`.
#[derive(Debug, Args)]
pub struct StatusArgs {
    /// Exit with 1 if anything differs.
    #[arg(long)]
    pub exit_code: bool,
    /// List what the installation violates already.
    #[arg(long)]
    pub waivers: bool,
}

/// `portenv diff`.
#[derive(Debug, Args)]
pub struct DiffArgs {
    /// A snapshot id, label, @, @~N, lock file, `lock` or `env`; @ by default.
    #[arg(value_name = "A")]
    pub from: Option<String>,
    /// The same; `env` by default.
    #[arg(value_name = "B")]
    pub to: Option<String>,
    /// Exit with 1 if anything differs.
    #[arg(long)]
    pub exit_code: bool,
}

/// `portenv snapshot`.
#[derive(Debug, Subcommand)]
pub enum SnapshotCommand {
    /// Record the present state.
    Create {
        /// A name for it.
        #[arg(long, value_name = "NAME")]
        label: Option<String>,
    },
    /// List the snapshots, newest first.
    List,
    /// Show one in full.
    Show {
        /// An id, a label, @ or @~N.
        #[arg(default_value = "@", value_name = "SNAPSHOT")]
        snapshot: String,
    },
    /// Give one a name.
    Label {
        /// An id, a label, @ or @~N.
        #[arg(value_name = "SNAPSHOT")]
        snapshot: String,
        /// The name.
        #[arg(value_name = "NAME")]
        label: String,
    },
}

/// `portenv demo`.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Where the throw-away installation is made; a temporary directory by default.
    #[arg(long, value_name = "DIR")]
    pub dir: Option<Utf8PathBuf>,
}
