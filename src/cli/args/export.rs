//! Flags of `export`.

use camino::Utf8PathBuf;
use clap::Args;

/// What `portenv export --help` says.
pub const ABOUT: &str = "\
Write the lock in the words of other installers.

`requirements` is a requirements.txt with hashes that uv pip install and pip install take with \
--require-hashes; what has no hash (a git commit, a directory) is a comment in it, unless \
--no-hashes is given. `constraints` are versions only, for pip's and uv's -c. `pylock` is the \
lock itself (PEP 751), or the part of it for one target.

Nothing is asked of any index, no Python is run, and nothing changes but the file named with \
--output; run portenv lock first if the lock is stale.";

/// In what words.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub enum KindArg {
    /// requirements.txt with hashes.
    Requirements,
    /// Versions only.
    Constraints,
    /// PEP 751, as the lock itself.
    Pylock,
}

/// `portenv export`.
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// In what words.
    #[arg(value_enum, value_name = "KIND")]
    pub kind: KindArg,
    /// The file to write, in one step; standard output by default.
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<Utf8PathBuf>,
    /// Only what counts on this target of the lock, TRIPLE or TRIPLE@PYTHON.
    #[arg(long, value_name = "TARGET")]
    pub target: Option<String>,
    /// Requirements without hashes, so that git commits and directories can be among them.
    #[arg(long)]
    pub no_hashes: bool,
}
