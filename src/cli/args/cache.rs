//! Flags of `cache`.

use clap::Subcommand;

/// What `portenv cache --help` says.
pub const ABOUT: &str = "\
Show and tidy the cache that all installations share.

It holds answers of indexes, fetched source archives (sdists), clones of repositories, what \
Pythons said of themselves, and a fetched uv. Nothing in it is needed: whatever is removed is fetched again when \
it is wanted, so there is nothing to undo. No installation, lock or snapshot is touched. Only \
what portenv itself put there is ever removed, and only while no other portenv uses it.";

/// `portenv cache`.
#[derive(Debug, Subcommand)]
pub enum CacheCommand {
    /// Print where the cache is, and what lies in it.
    Dir,
    /// Remove what is of no use any more: old answers, and files long unused.
    Prune {
        /// Keep what was used within so many days.
        #[arg(long, value_name = "DAYS", default_value_t = 30)]
        unused_for: u32,
    },
    /// Remove everything, or only what belongs to some packages.
    Clean {
        /// Only answers and files of these packages [default: everything].
        #[arg(value_name = "PACKAGE")]
        packages: Vec<String>,
    },
}
