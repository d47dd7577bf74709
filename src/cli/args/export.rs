//! Flags of `export`.

use camino::Utf8PathBuf;
use clap::Args;

/// What `portenv export --help` says.
pub const ABOUT: &str = "\
Write the lock in the words of pip and other installers.

`requirements` is a requirements.txt with hashes that uv pip install and pip install take with \
--require-hashes; what has no hash (a git commit, a directory) is a comment in it, unless \
--no-hashes is given. `constraints` are versions only, for pip's and uv's -c. `pylock` is the \
lock itself (PEP 751), or the part of it for one target.

Nothing is asked of any index, and no Python is run; run portenv lock first if the lock is \
stale.";

/// In what words.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub enum KindArg {
    /// A requirements.txt with hashes, for pip install -r and uv pip install -r.
    Requirements,
    /// Versions only, for pip install -c.
    Constraints,
    /// The lock itself (PEP 751), for uv and newer pips.
    Pylock,
}

/// `portenv export`.
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// What to write.
    #[arg(value_enum, value_name = "KIND")]
    pub kind: KindArg,
    /// The file to write [default: standard output].
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<Utf8PathBuf>,
    /// Only what counts on this platform of the lock, TRIPLE or TRIPLE@PYTHON [default:
    /// all of the lock].
    #[arg(long, value_name = "TARGET")]
    pub target: Option<String>,
    /// Leave hashes out, so that git commits and directories can be among the lines.
    #[arg(long)]
    pub no_hashes: bool,
}
