//! What was typed, and nothing more.
//!
//! Never: decides what a flag leads to, or asks the machine.

use camino::Utf8PathBuf;
use clap::builder::BoolishValueParser as Boolish;
use clap::{Args, Parser, Subcommand};

pub mod ask;
pub mod cache;
pub mod change;
pub mod export;
pub mod resolve;
pub mod switch;
pub mod update;

use super::screen::{ColorChoice, Format};
pub use ask::{TreeArgs, WhyArgs};
pub use cache::CacheCommand;
pub use change::{
    AddArgs, CheckArgs, DemoArgs, DiffArgs, ExplainArgs, PartArg, PreviewArgs, RemoveArgs,
    RollbackArgs, SnapshotCommand, StatusArgs, SyncArgs,
};
pub use export::{ExportArgs, KindArg};
pub use resolve::{LockArgs, ResolveArgs, ResolveOptions};
pub use switch::SwitchArgs;
pub use update::UpdateArgs;

const EXIT_CODES: &str = "Exit codes:
  0    done; for check, lock --check, diff --exit-code: nothing to complain about
  1    the answer is no: no resolution exists, the check failed, a policy or the user refuses
  2    bad usage or bad input: flag, file, lock, policy, Python, database of a newer version
  3    an index, git remote or the network could not be reached or answered wrongly
  4    could not be applied; the previous state stands, or was put back and verified
  5    applying failed and the previous state could not be put back whole
  130  interrupted; state as for 4";

/// Dependency resolver and lockfile snapshot manager for ComfyUI installations.
#[derive(Debug, Parser)]
#[command(name = "portenv", version, after_help = EXIT_CODES, disable_help_subcommand = true)]
pub struct Cli {
    /// Flags of every command.
    #[command(flatten)]
    pub global: GlobalArgs,
    /// The command; without one the state is shown.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// Flags of every command, before or after its name.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Global options")]
pub struct GlobalArgs {
    /// The installation; found upwards from the working directory by default.
    #[arg(long, global = true, env = "PORTENV_ROOT", value_name = "DIR")]
    pub root: Option<Utf8PathBuf>,
    /// The ComfyUI checkout, where the root is a base directory without one.
    #[arg(long, global = true, env = "PORTENV_CORE", value_name = "DIR")]
    pub core: Option<Utf8PathBuf>,
    /// The installation's Python.
    #[arg(long, global = true, env = "PORTENV_PYTHON", value_name = "PATH")]
    pub python: Option<Utf8PathBuf>,
    /// The uv to use; found on PATH or fetched by default.
    #[arg(long, global = true, env = "PORTENV_UV", value_name = "PATH")]
    pub uv: Option<Utf8PathBuf>,
    /// Make no request; use what is in the cache, whatever its age.
    #[arg(long, global = true, env = "PORTENV_OFFLINE", value_parser = Boolish::new())]
    pub offline: bool,
    /// Where answers of indexes are kept.
    #[arg(long, global = true, env = "PORTENV_CACHE_DIR", value_name = "DIR")]
    pub cache_dir: Option<Utf8PathBuf>,
    /// Neither read nor keep answers of indexes.
    #[arg(long, global = true, env = "PORTENV_NO_CACHE", value_parser = Boolish::new())]
    pub no_cache: bool,
    /// The form of the result.
    #[arg(
        long,
        global = true,
        env = "PORTENV_FORMAT",
        value_enum,
        default_value_t,
        value_name = "FORMAT"
    )]
    pub format: Format,
    /// When to colour.
    #[arg(
        long,
        global = true,
        env = "PORTENV_COLOR",
        value_enum,
        default_value_t,
        value_name = "WHEN"
    )]
    pub color: ColorChoice,
    /// Show only the result and errors.
    #[arg(long, short, global = true, env = "PORTENV_QUIET", value_parser = Boolish::new())]
    pub quiet: bool,
    /// Show more: counters, requests, reasons.
    #[arg(long, short, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// Answer yes to every question.
    #[arg(long, short, global = true, env = "PORTENV_YES", value_parser = Boolish::new())]
    pub yes: bool,
    /// Take the lock away from a process on another machine that is gone for good.
    #[arg(long, global = true, env = "PORTENV_BREAK_LOCK", value_parser = Boolish::new())]
    pub break_lock: bool,
    /// The form of progress on stderr.
    #[arg(
        long,
        global = true,
        env = "PORTENV_PROGRESS",
        value_enum,
        default_value_t,
        value_name = "FORM"
    )]
    pub progress: ProgressForm,
}

/// The form of progress.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum ProgressForm {
    /// Bars on a terminal, else nothing.
    #[default]
    Auto,
    /// JSON lines.
    Json,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Take a tour in a throw-away installation.
    Demo(DemoArgs),
    /// Find core, nodes and Python; write portenv.toml; record the first snapshot.
    Init,
    /// Resolve requirement files; needs no installation.
    Resolve(ResolveArgs),
    /// Resolve the core and all nodes together and write the lock.
    Lock(LockArgs),
    /// Show what adding nodes would change.
    Preview(PreviewArgs),
    /// The gate for CI: does everything resolve, is the lock fresh, does the environment match?
    Check(CheckArgs),
    /// Tell what a code of check means, why it matters and how to mend it.
    Explain(ExplainArgs),
    /// Add nodes: preview, confirm, then one operation.
    Add(AddArgs),
    /// Remove nodes and what only they asked for.
    Remove(RemoveArgs),
    /// Bring nodes to what is new upstream: show it, confirm, then one operation.
    #[command(long_about = update::ABOUT)]
    Update(UpdateArgs),
    /// Load disabled nodes again, with what they ask for.
    #[command(long_about = switch::ENABLE)]
    Enable(SwitchArgs),
    /// Stop loading nodes, and take out what only they asked for.
    #[command(long_about = switch::DISABLE)]
    Disable(SwitchArgs),
    /// Make the environment equal the lock.
    Sync(SyncArgs),
    /// Show drift, a stale lock, an interrupted operation.
    Status(StatusArgs),
    /// Put back what an interrupted operation left.
    Recover,
    /// The history.
    #[command(subcommand)]
    Snapshot(SnapshotCommand),
    /// Compare snapshots, locks and the environment.
    Diff(DiffArgs),
    /// Go back to a snapshot: packages, nodes and core.
    Rollback(RollbackArgs),
    /// Tell who asked for a package, through whom, and what holds its version down.
    ///
    /// Names every line of ComfyUI and of nodes that leads to the package, which version is
    /// locked and installed, and tries newer versions in the solver: for each that does not
    /// fit it names the lines in the way. Changes nothing. Without a lock it goes by what is
    /// installed. With --offline other versions are tried as far as the cache knows them.
    Why(WhyArgs),
    /// Show ComfyUI, the nodes and the packages that they lead to as a tree.
    ///
    /// Goes by the lock, without the network; without a lock by what is installed. A package
    /// that is marked (*) was unfolded further up. Changes nothing.
    Tree(TreeArgs),
    /// Write the lock in the words of other installers.
    #[command(long_about = export::ABOUT)]
    Export(ExportArgs),
    /// Show and tidy the cache that all installations share.
    #[command(subcommand, long_about = cache::ABOUT)]
    Cache(CacheCommand),
    /// Tell what this program is, which uv it would run, and which installation it sees.
    #[command(name = "self")]
    SelfInfo,
    /// Print a script that completes commands in a shell.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Print the manual page.
    Man,
}

impl Command {
    /// Returns the command's name, as its JSON schema has it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Demo(_) => "demo",
            Self::Init => "init",
            Self::Resolve(_) => "resolve",
            Self::Lock(_) => "lock",
            Self::Preview(_) => "preview",
            Self::Check(_) => "check",
            Self::Explain(_) => "explain",
            Self::Add(_) => "add",
            Self::Remove(_) => "remove",
            Self::Update(_) => "update",
            Self::Enable(_) => "enable",
            Self::Disable(_) => "disable",
            Self::Sync(_) => "sync",
            Self::Status(_) => "status",
            Self::Recover => "recover",
            Self::Snapshot(_) => "snapshot",
            Self::Diff(_) => "diff",
            Self::Rollback(_) => "rollback",
            Self::Why(_) => "why",
            Self::Tree(_) => "tree",
            Self::Export(_) => "export",
            Self::Cache(_) => "cache",
            Self::SelfInfo => "self",
            Self::Completions { .. } => "completions",
            Self::Man => "man",
        }
    }
}
