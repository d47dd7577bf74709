//! Flags of the commands that look at or change an installation.

use clap::{Args, Subcommand};

use super::resolve::ResolveOptions;

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
    /// Also name the most nodes that can live together, and what keeps the others out.
    #[arg(long)]
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
    pub dir: Option<camino::Utf8PathBuf>,
}
