//! Flags of `wheelhouse`.

use camino::Utf8PathBuf;
use clap::{Args, Subcommand};

use crate::ops::installer::InstallerChoice;
use crate::ops::wheelhouse::build::BuildRequest;
use crate::ops::wheelhouse::check::CheckRequest;
use crate::ops::wheelhouse::install::InstallRequest;

/// What `portenv wheelhouse --help` says.
pub const ABOUT: &str = "\
Fill a folder with the lock's wheels; install from it offline.

For machines without a network: build fills a folder on a machine that has one, check proves \
that nothing is lacking, install makes ComfyUI's packages equal the lock from that folder alone.";

/// What stands below the flags of `wheelhouse`.
pub const GUIDE: &str = "\
Changes: build the folder; check nothing; install the packages in ComfyUI's
Python, after showing them and asking, and records a snapshot.
Going back: portenv rollback undoes an install; a folder may be deleted.

Examples:
  portenv wheelhouse build
  portenv wheelhouse build /media/stick/wheels --all-targets
  portenv wheelhouse check /media/stick/wheels
  portenv wheelhouse install /media/stick/wheels";

/// `portenv wheelhouse …`.
#[derive(Debug, Subcommand)]
pub enum WheelhouseCommand {
    /// Fetch or build every wheel of the lock into a folder.
    ///
    /// Only what is lacking is fetched; what was cut short is taken up. Each file is checked
    /// against the lock. What is offered as source only is built here, through uv, with tools
    /// that stay in the folder too. Exits with 1 if a target lacks something in the end.
    Build(WheelhouseBuildArgs),
    /// Prove, from the folder alone, that it has all it needs.
    ///
    /// Needs no installation, no Python and no network: hashes every wheel, looks whether each
    /// target has one that fits for each package, and resolves the lock's requirements with
    /// nothing but the folder. Exits with 1 if anything is wrong.
    Check(WheelhouseCheckArgs),
    /// Install what the folder's lock says, without the network; asks first.
    Install(WheelhouseInstallArgs),
}

/// `portenv wheelhouse build`.
#[derive(Debug, Args)]
pub struct WheelhouseBuildArgs {
    /// The folder [default: wheelhouse in the installation].
    #[arg(value_name = "DIR")]
    pub dir: Option<Utf8PathBuf>,
    /// A target of the lock, TRIPLE or TRIPLE@PYTHON; may be given several times [default:
    /// this machine].
    #[arg(long, value_name = "TARGET")]
    pub target: Vec<String>,
    /// All targets of the lock.
    #[arg(long, conflicts_with = "target")]
    pub all_targets: bool,
    /// Remove wheels of earlier builds that the lock does not need any more.
    #[arg(long)]
    pub prune: bool,
}

/// `portenv wheelhouse check`.
#[derive(Debug, Args)]
pub struct WheelhouseCheckArgs {
    /// The folder [default: wheelhouse in the installation].
    #[arg(value_name = "DIR")]
    pub dir: Option<Utf8PathBuf>,
    /// Only this target of the folder; may be given several times [default: all of them].
    #[arg(long, value_name = "TARGET")]
    pub target: Vec<String>,
}

/// Who installs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum InstallerArg {
    /// uv, or pip where there is no uv.
    #[default]
    Auto,
    /// uv.
    Uv,
    /// The pip of ComfyUI's Python.
    Pip,
}

/// `portenv wheelhouse install`.
#[derive(Debug, Args)]
pub struct WheelhouseInstallArgs {
    /// The folder [default: wheelhouse in the installation].
    #[arg(value_name = "DIR")]
    pub dir: Option<Utf8PathBuf>,
    /// Who installs.
    #[arg(long, value_enum, default_value_t, value_name = "WHO")]
    pub installer: InstallerArg,
    /// Remove what the folder's lock does not name, but not pip, setuptools, wheel and uv.
    #[arg(long)]
    pub prune: bool,
    /// Show what would happen and do nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Do exactly this plan, as named by an earlier run.
    #[arg(long, value_name = "ID")]
    pub plan: Option<String>,
}

impl WheelhouseBuildArgs {
    /// Returns what was typed as a request.
    pub fn request(&self) -> BuildRequest {
        BuildRequest {
            dir: self.dir.clone(),
            targets: self.target.clone(),
            all_targets: self.all_targets,
            prune: self.prune,
        }
    }
}

impl WheelhouseCheckArgs {
    /// Returns what was typed as a request.
    pub fn request(&self) -> CheckRequest {
        CheckRequest {
            dir: self.dir.clone(),
            targets: self.target.clone(),
        }
    }
}

impl WheelhouseInstallArgs {
    /// Returns what was typed as a request.
    pub fn request(&self) -> InstallRequest {
        InstallRequest {
            dir: self.dir.clone(),
            prune: self.prune,
            dry_run: self.dry_run,
            installer: match self.installer {
                InstallerArg::Auto => InstallerChoice::Auto,
                InstallerArg::Uv => InstallerChoice::Uv,
                InstallerArg::Pip => InstallerChoice::Pip,
            },
        }
    }
}
