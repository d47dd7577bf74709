//! Flags of `venv` and `run`.

use camino::Utf8PathBuf;
use clap::{Args, Subcommand};

use crate::ops::venv::create::CreateRequest;

/// What `portenv venv --help` says.
pub const ABOUT: &str = "\
Make further environments, beside the live one.

Made from the lock, from a folder of wheels or from any snapshot: to try something out, to see \
what a rollback would bring, or on a machine without a network. ComfyUI's own Python and packages \
are not changed. Files are links into uv's cache where the disk allows that.";

/// What stands below the flags of `venv`.
pub const GUIDE: &str = "\
Changes: create a directory of its own, under .portenv/envs unless --dir names
another; remove moves that to the trash; list nothing.
Going back: portenv venv remove; from the trash it can be moved back by hand.

Examples:
  portenv venv create trial
  portenv venv create before --from-snapshot @~1
  portenv venv create node --python python/bin/python --wheelhouse wheels
  portenv run before -- python main.py";

/// What `portenv run --help` says.
pub const RUN_ABOUT: &str = "\
Run a command in an environment that venv create made.

The environment's programs come first on PATH, VIRTUAL_ENV names it, and the command's exit code \
is passed on. The working directory stays.";

/// What stands below the flags of `run`.
pub const RUN_GUIDE: &str = "\
Changes: nothing by itself; the command may.

Examples:
  portenv run trial -- python main.py --cpu
  portenv run trial -- python -c \"import torch\"";

/// `portenv venv …`.
#[derive(Debug, Subcommand)]
pub enum VenvCommand {
    /// Make an environment with the packages of the lock or of a snapshot.
    ///
    /// It is made from the Python of the installation, or from the one that --python names: a
    /// bundled one will do, Python's own venv is not needed. What uv has kept is not fetched
    /// again; with --wheelhouse no request is made at all.
    Create(VenvCreateArgs),
    /// List the environments of the installation.
    List,
    /// Move an environment to the trash.
    Remove {
        /// Its name.
        #[arg(value_name = "NAME")]
        name: String,
    },
}

/// `portenv venv create`.
#[derive(Debug, Args)]
pub struct VenvCreateArgs {
    /// Its name.
    #[arg(value_name = "NAME")]
    pub name: String,
    /// Take the packages of this snapshot, not those of the lock.
    #[arg(long, value_name = "SNAPSHOT")]
    pub from_snapshot: Option<String>,
    /// Take wheels from this folder, which wheelhouse build has filled, and make no request;
    /// without a snapshot its lock counts.
    #[arg(long, value_name = "DIR")]
    pub wheelhouse: Option<Utf8PathBuf>,
    /// Where it lies [default: .portenv/envs/NAME in the installation].
    #[arg(long, value_name = "DIR")]
    pub dir: Option<Utf8PathBuf>,
}

/// `portenv run`.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// The environment's name, or its path.
    #[arg(value_name = "NAME")]
    pub name: String,
    /// The command and its arguments, after two dashes.
    #[arg(last = true, required = true, value_name = "CMD")]
    pub command: Vec<String>,
}

impl VenvCreateArgs {
    /// Returns what was typed as a request.
    pub fn request(&self) -> CreateRequest {
        CreateRequest {
            name: self.name.clone(),
            dir: self.dir.clone(),
            wheelhouse: self.wheelhouse.clone(),
            snapshot: self.from_snapshot.clone(),
        }
    }
}
