//! Flags of `bisect`.

use clap::{Args, Subcommand};

use crate::ops::bisect::BisectRequest;

/// What `portenv bisect --help` says.
pub const ABOUT: &str = "\
Find the snapshot that broke something, by trying.

Goes to the snapshot in the middle between one where a command does well and one where it fails, \
runs the command there, and goes on with the half that must hold the first bad one, until that is \
found. Then it names it, the command that left it and what that changed, and goes back to where \
it began. Of 100 snapshots about 7 are tried.";

/// `portenv bisect`.
#[derive(Debug, Subcommand)]
pub enum BisectCommand {
    /// Run a command at each snapshot that is tried; what it prints goes to stderr.
    ///
    /// Exit code 0 means that the snapshot is good, 1 to 127 or a crash that it is bad, 125
    /// that it cannot be told; anything else ends the search. The command runs in the working
    /// directory, with ComfyUI's Python and its scripts first on PATH.
    Run(BisectArgs),
}

/// `portenv bisect run`.
#[derive(Debug, Args)]
pub struct BisectArgs {
    /// A snapshot where the command does well [default: the oldest, which is tried].
    #[arg(value_name = "GOOD")]
    pub good: Option<String>,
    /// A later one where it fails [default: the newest, which is tried].
    #[arg(value_name = "BAD")]
    pub bad: Option<String>,
    /// The command and its arguments, after two dashes.
    #[arg(last = true, required = true, value_name = "CMD")]
    pub command: Vec<String>,
}

impl BisectArgs {
    /// Returns what is to be found.
    pub fn request(&self) -> BisectRequest {
        BisectRequest {
            good: self.good.clone(),
            bad: self.bad.clone(),
            command: self.command.clone(),
        }
    }
}
