//! What was typed, and nothing more.
//!
//! Never: decides what a flag leads to, or asks the machine.

use camino::Utf8PathBuf;
use clap::builder::BoolishValueParser as Boolish;
use clap::{Args, Parser, Subcommand};

pub mod ask;
pub mod bisect;
pub mod cache;
pub mod change;
pub mod export;
pub mod guide;
pub mod pack;
pub mod resolve;
pub mod switch;
pub mod update;
pub mod venv;
pub mod verify;
pub mod wheelhouse;

use super::screen::{ColorChoice, Format};
pub use ask::{TreeArgs, WhyArgs};
pub use bisect::BisectCommand;
pub use cache::CacheCommand;
pub use change::{
    AddArgs, CheckArgs, DemoArgs, DiffArgs, ExplainArgs, PartArg, PreviewArgs, RemoveArgs,
    RollbackArgs, SnapshotCommand, StatusArgs, StepArgs, SyncArgs,
};
pub use export::{ExportArgs, KindArg};
pub use pack::{PackArgs, UnpackArgs};
pub use resolve::{LockArgs, ResolveArgs, ResolveOptions};
pub use switch::SwitchArgs;
pub use update::UpdateArgs;
pub use venv::{RunArgs, VenvCommand};
pub use verify::VerifyArgs;
pub use wheelhouse::WheelhouseCommand;

/// Dependency resolver and lockfile snapshot manager for ComfyUI installations.
///
/// Finds one set of packages that suits ComfyUI and all custom nodes together, shows every
/// change before it happens, records it, and goes back.
#[derive(Debug, Parser)]
#[command(
    name = "portenv",
    version,
    max_term_width = 100,
    help_template = guide::page(),
    after_help = guide::MORE,
    after_long_help = guide::WORDS,
    disable_help_subcommand = true
)]
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
#[command(next_help_heading = "Options of every command")]
pub struct GlobalArgs {
    /// The installation [default: found at or above the working directory].
    #[arg(
        long,
        global = true,
        env = "PORTENV_ROOT",
        hide_env = true,
        value_name = "DIR"
    )]
    pub root: Option<Utf8PathBuf>,
    /// The ComfyUI checkout, where it does not lie in the installation's folder. For check also
    /// a lock, a requirements file, or latest, a tag or a commit of ComfyUI's repository.
    #[arg(
        long,
        global = true,
        env = "PORTENV_CORE",
        hide_env = true,
        hide_short_help = true,
        value_name = "DIR"
    )]
    pub core: Option<Utf8PathBuf>,
    /// ComfyUI's Python [default: python_embeded, .venv or venv in the installation].
    #[arg(
        long,
        global = true,
        env = "PORTENV_PYTHON",
        hide_env = true,
        value_name = "PATH"
    )]
    pub python: Option<Utf8PathBuf>,
    /// The uv that installs packages [default: the one on PATH, else it is fetched].
    #[arg(
        long,
        global = true,
        env = "PORTENV_UV",
        hide_env = true,
        hide_short_help = true,
        value_name = "PATH"
    )]
    pub uv: Option<Utf8PathBuf>,
    /// Use no network, only what is in the cache, whatever its age.
    #[arg(long, global = true, env = "PORTENV_OFFLINE", hide_env = true, value_parser = Boolish::new())]
    pub offline: bool,
    /// Where fetched things are kept for all installations; portenv cache dir prints it.
    #[arg(
        long,
        global = true,
        env = "PORTENV_CACHE_DIR",
        hide_env = true,
        hide_short_help = true,
        value_name = "DIR"
    )]
    pub cache_dir: Option<Utf8PathBuf>,
    /// Neither read nor fill the cache.
    #[arg(
        long,
        global = true,
        env = "PORTENV_NO_CACHE",
        hide_env = true,
        hide_short_help = true,
        value_parser = Boolish::new()
    )]
    pub no_cache: bool,
    /// The form of the result.
    #[arg(
        long,
        global = true,
        env = "PORTENV_FORMAT",
        hide_env = true,
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
        hide_env = true,
        hide_short_help = true,
        value_enum,
        default_value_t,
        value_name = "WHEN"
    )]
    pub color: ColorChoice,
    /// Show only the result and errors.
    #[arg(long, short, global = true, env = "PORTENV_QUIET", hide_env = true, value_parser = Boolish::new())]
    pub quiet: bool,
    /// Show more: all warnings, counters, requests.
    #[arg(long, short, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// Do not ask: take every question as answered with yes.
    #[arg(long, short, global = true, env = "PORTENV_YES", hide_env = true, value_parser = Boolish::new())]
    pub yes: bool,
    /// Take the lock of a shared directory away from another machine that is gone for good.
    #[arg(
        long,
        global = true,
        env = "PORTENV_BREAK_LOCK",
        hide_env = true,
        hide_short_help = true,
        value_parser = Boolish::new()
    )]
    pub break_lock: bool,
    /// Fail at once if another portenv works on the installation, instead of waiting for it.
    #[arg(
        long,
        global = true,
        env = "PORTENV_NO_WAIT",
        hide_env = true,
        hide_short_help = true,
        value_parser = Boolish::new()
    )]
    pub no_wait: bool,
    /// The form of progress on stderr.
    #[arg(
        long,
        global = true,
        env = "PORTENV_PROGRESS",
        hide_env = true,
        hide_short_help = true,
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
    /// Take a tour in a throw-away installation; leaves nothing behind.
    #[command(after_long_help = guide::DEMO)]
    Demo(DemoArgs),
    /// Look at the installation and record it as the first snapshot.
    ///
    /// Finds ComfyUI, its custom nodes, its Python and the torch in it, and says why these.
    #[command(after_long_help = guide::INIT)]
    Init,
    /// Find the versions that requirement files lead to.
    ///
    /// Needs no ComfyUI: takes files or directories as they are.
    #[command(after_long_help = guide::RESOLVE)]
    Resolve(ResolveArgs),
    /// Find versions that suit ComfyUI and all nodes; write pylock.toml.
    ///
    /// All requirements are looked at together, and as little as possible is changed: what is
    /// locked stays, then what is installed, then the newest version is taken. If no versions
    /// suit all, it names the lines that exclude each other, and ways out.
    #[command(after_long_help = guide::LOCK)]
    Lock(LockArgs),
    /// Show what adding nodes would change; changes nothing.
    ///
    /// Shows each package that would come, go or change version, and names the lines that
    /// exclude each other if the node does not fit. A node that is here already is looked at
    /// as if it were replaced by the one named.
    #[command(after_long_help = guide::PREVIEW)]
    Preview(PreviewArgs),
    /// Test everything, for CI: exits with 1 if anything is wrong.
    ///
    /// Do all requirements fit together, is the lock up to date, is installed what is locked,
    /// and does nothing break the policy of portenv.toml? With nodes: would they fit?
    #[command(after_long_help = guide::CHECK)]
    Check(CheckArgs),
    /// Show the last conflict in full, or what a code of check means.
    ///
    /// Every command that ends with a conflict keeps it for this. With a code: what it means,
    /// why it matters, how to mend it, how it counts by default, and what switches it off.
    #[command(after_long_help = guide::EXPLAIN)]
    Explain(ExplainArgs),
    /// Add nodes with the packages they need; asks first.
    ///
    /// Does what preview shows, as one step: the nodes, the lock and the packages.
    #[command(after_long_help = guide::ADD)]
    Add(AddArgs),
    /// Take nodes out, and what only they needed; asks first.
    ///
    /// A package stays as long as ComfyUI or another node needs it.
    #[command(after_long_help = guide::REMOVE)]
    Remove(RemoveArgs),
    /// Fetch newer versions of nodes, or of ComfyUI; asks first.
    #[command(long_about = update::ABOUT, after_long_help = guide::UPDATE)]
    Update(UpdateArgs),
    /// Turn disabled nodes on again; asks first.
    #[command(long_about = switch::ENABLE, after_long_help = guide::ENABLE)]
    Enable(SwitchArgs),
    /// Turn nodes off without deleting them; asks first.
    #[command(long_about = switch::DISABLE, after_long_help = guide::DISABLE)]
    Disable(SwitchArgs),
    /// Install and remove packages as the lock says; asks first.
    ///
    /// Afterwards ComfyUI's Python has what pylock.toml says. uv does the work: it is found,
    /// or fetched once.
    #[command(after_long_help = guide::SYNC)]
    Sync(SyncArgs),
    /// Show what is here, what changed, and what to do next.
    ///
    /// Looks for packages and nodes that changed since the newest snapshot, a lock that does
    /// not suit the requirements any more, packages that differ from the lock, a command that
    /// was cut short, and start-up scripts that ComfyUI-Manager has left.
    #[command(after_long_help = guide::STATUS)]
    Status(StatusArgs),
    /// Look whether installed packages are whole.
    #[command(long_about = verify::ABOUT, after_long_help = verify::GUIDE)]
    Verify(VerifyArgs),
    /// Undo a command that was cut short; rebuild a damaged history.
    ///
    /// Every command that changes something undoes first what was cut short, so it is seldom
    /// needed. A damaged history is kept beside a new one with all that can still be read.
    #[command(after_long_help = guide::RECOVER)]
    Recover,
    /// List, show, record and name snapshots.
    ///
    /// A snapshot is a record of everything a rollback needs: the packages with their
    /// sources, the nodes and ComfyUI with their commits, the lock.
    #[command(subcommand, after_long_help = guide::SNAPSHOT)]
    Snapshot(SnapshotCommand),
    /// Compare any two of: snapshots, locks, what is installed.
    ///
    /// Shows what would have to happen to come from the first to the second.
    #[command(after_long_help = guide::DIFF)]
    Diff(DiffArgs),
    /// Go back to a snapshot: packages, nodes and ComfyUI; asks first.
    ///
    /// Without a snapshot it goes back over the newest change: what was changed without
    /// portenv, if anything was, else the last thing that portenv did.
    #[command(after_long_help = guide::ROLLBACK)]
    Rollback(RollbackArgs),
    /// Take back the newest operation; asks first.
    ///
    /// Packages, nodes, ComfyUI and the lock are again what they were before. What was changed
    /// without portenv since counts as the newest operation. Each further undo takes back one
    /// more. All of them are recorded like any change, so nothing is lost: portenv redo goes
    /// forward again.
    #[command(after_long_help = guide::UNDO)]
    Undo(StepArgs),
    /// Do again what undo took back; asks first.
    ///
    /// Each redo goes one operation further, until all is as it was before the first undo, or
    /// until something else was changed since.
    #[command(after_long_help = guide::REDO)]
    Redo(StepArgs),
    /// Find the snapshot that broke something, by trying.
    #[command(subcommand, long_about = bisect::ABOUT, after_long_help = guide::BISECT)]
    Bisect(BisectCommand),
    /// Tell who needs a package, and what keeps newer versions out.
    ///
    /// Names every line of ComfyUI and of nodes that leads to the package, which version is
    /// locked and installed, and tries newer versions: for each that does not fit it names the
    /// lines in the way. Without a lock it goes by what is installed. With
    /// --offline other versions are tried as far as the cache knows them.
    #[command(after_long_help = guide::WHY)]
    Why(WhyArgs),
    /// Show ComfyUI, the nodes and the packages they need as a tree.
    ///
    /// Goes by the lock, without the network; without a lock by what is installed. A package
    /// that is marked (*) was unfolded further up.
    #[command(after_long_help = guide::TREE)]
    Tree(TreeArgs),
    /// Write the lock in the words of pip and other installers.
    #[command(long_about = export::ABOUT, after_long_help = guide::EXPORT)]
    Export(ExportArgs),
    /// Fill a folder with the lock's wheels; install from it offline.
    #[command(subcommand, long_about = wheelhouse::ABOUT, after_long_help = wheelhouse::GUIDE)]
    Wheelhouse(WheelhouseCommand),
    /// Pack the installation as one archive that works elsewhere.
    #[command(long_about = pack::ABOUT, after_long_help = guide::PACK)]
    Pack(PackArgs),
    /// Make an installation of a packed one, in a new directory.
    #[command(after_long_help = guide::UNPACK)]
    Unpack(UnpackArgs),
    /// Make further environments, beside the live one.
    #[command(subcommand, long_about = venv::ABOUT, after_long_help = venv::GUIDE)]
    Venv(VenvCommand),
    /// Run a command in an environment that venv create made.
    #[command(long_about = venv::RUN_ABOUT, after_long_help = venv::RUN_GUIDE)]
    Run(RunArgs),
    /// Show and tidy the cache that all installations share.
    #[command(subcommand, long_about = cache::ABOUT, after_long_help = guide::CACHE)]
    Cache(CacheCommand),
    /// Tell what portenv works with: its version, uv, installation.
    #[command(name = "self", after_long_help = guide::SELF)]
    SelfInfo,
    /// Print a script that completes commands in a shell.
    #[command(after_long_help = guide::COMPLETIONS)]
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Print the manual page.
    #[command(after_long_help = guide::MAN)]
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
            Self::Verify(_) => "verify",
            Self::Recover => "recover",
            Self::Snapshot(_) => "snapshot",
            Self::Diff(_) => "diff",
            Self::Rollback(_) => "rollback",
            Self::Bisect(_) => "bisect",
            Self::Undo(_) => "undo",
            Self::Redo(_) => "redo",
            Self::Why(_) => "why",
            Self::Tree(_) => "tree",
            Self::Export(_) => "export",
            Self::Wheelhouse(_) => "wheelhouse",
            Self::Pack(_) => "pack",
            Self::Unpack(_) => "unpack",
            Self::Venv(_) => "venv",
            Self::Run(_) => "run",
            Self::Cache(_) => "cache",
            Self::SelfInfo => "self",
            Self::Completions { .. } => "completions",
            Self::Man => "man",
        }
    }
}
