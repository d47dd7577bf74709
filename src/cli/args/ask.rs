//! Flags of the commands that explain what is there and change nothing.

use clap::Args;

use super::resolve::ResolveOptions;

/// `portenv why`.
#[derive(Debug, Args)]
pub struct WhyArgs {
    /// A package: its name, or NAME@VERSION to ask about a particular version.
    #[arg(value_name = "PKG")]
    pub package: String,
    /// The platform of the lock to look at, TRIPLE or TRIPLE@PYTHON [default: this machine].
    #[arg(long, value_name = "TARGET")]
    pub target: Option<String>,
    /// What decides the answer.
    #[command(flatten)]
    pub options: ResolveOptions,
}

/// `portenv tree`.
#[derive(Debug, Args)]
pub struct TreeArgs {
    /// Nodes or packages to begin at; `core` is ComfyUI [default: everything].
    #[arg(value_name = "NODE|PKG")]
    pub names: Vec<String>,
    /// Go from a package up to everyone who needs it.
    #[arg(long, requires = "names")]
    pub invert: bool,
    /// Show only what nobody else needs: what would be left over without these nodes.
    #[arg(long, requires = "names", conflicts_with = "invert")]
    pub orphans: bool,
    /// How many levels to show [default: all].
    #[arg(long, value_name = "N")]
    pub depth: Option<usize>,
    /// The platform of the lock to look at, TRIPLE or TRIPLE@PYTHON [default: this machine].
    #[arg(long, value_name = "TARGET")]
    pub target: Option<String>,
}
