//! Flags of `verify`.

use clap::Args;

/// What `portenv verify --help` says.
pub const ABOUT: &str = "\
Look whether installed packages are whole.

Compares every installed file with what its package says of it: is it there, has it its size? \
Tells also of files that two packages own, of broken metadata, of what installers that were cut \
short left over, and of requirements of packages that are not met. A file that somebody had \
changed before the newest snapshot is a local patch: it is named, fails nothing, and is never \
repaired away. Packages of a read-only base beneath the environment are not looked at.";

/// Below `verify`.
pub const GUIDE: &str = "\
Changes: nothing; with --fix the packages that are broken, and the history.
Going back: files that --fix replaced and that somebody may have written lie in
.portenv/trash.

Examples:
  portenv verify
  portenv verify --deep            # reads every file, not only sizes
  portenv verify --fix             # installs anew what is broken
  portenv verify --format json";

/// `portenv verify`.
#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// Read every file and compare its SHA-256, not only its size.
    #[arg(long)]
    pub deep: bool,
    /// Install broken packages anew, at the same version and from the same source, and move
    /// what installers left over to .portenv/trash; does not ask.
    #[arg(long)]
    pub fix: bool,
}
