//! Who installs: uv, or pip where there is no uv and everything is on this machine.

use camino::{Utf8Path, Utf8PathBuf};

use super::context::{Context, Site};
use super::error::OpError;
use super::packages::PackageGoal;
use super::transaction::uv_for;
use crate::host::{digest, fs};
use crate::sync::Pip;
use crate::sync::run::RunSource;
use crate::uv::{Uv, UvError, look_for_uv};
use crate::wheelhouse::Manifest;

/// Where the wheels of an installation's lock lie, unless another folder is named.
pub const WHEELHOUSE: &str = "wheelhouse";

/// Who installs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Installer {
    /// uv.
    Uv(Uv),
    /// The pip of the installation's Python.
    Pip(Pip),
}

/// Who is to install.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum InstallerChoice {
    /// uv, else pip.
    #[default]
    Auto,
    /// uv.
    Uv,
    /// pip.
    Pip,
}

impl Installer {
    /// Finds who can reach a goal: uv, fetched if it must be; without one pip, if it needs to
    /// fetch and build nothing.
    ///
    /// # Errors
    ///
    /// Fails if there is neither.
    pub fn find(context: &Context, site: &Site, goal: &PackageGoal) -> Result<Self, OpError> {
        let error = match uv_for(context, site) {
            Ok(uv) => return Ok(Self::Uv(uv)),
            Err(error) => error,
        };
        if goal.is_local(&site.installed()?, &site.installation.root)
            && let Some(pip) = Pip::find(&site.interpreter.path)
        {
            return Ok(Self::Pip(pip));
        }
        Err(error)
    }

    /// Finds the one that was chosen, without the network.
    ///
    /// # Errors
    ///
    /// Fails if it is not here.
    pub fn here(context: &Context, site: &Site, choice: InstallerChoice) -> Result<Self, OpError> {
        let python = &site.interpreter.path;
        let missing = |text: String| OpError::Uv(UvError::Missing(text));
        if choice != InstallerChoice::Pip {
            let found = look_for_uv(
                context.uv.as_deref(),
                &context.around.path,
                context.cache_dir.as_deref(),
                Some(python),
            );
            match found {
                Ok(Some((uv, _))) => return Ok(Self::Uv(uv)),
                Ok(None) if choice == InstallerChoice::Uv => {
                    return Err(missing("there is no uv here".to_owned()));
                }
                // One that was named and does not work is not passed over.
                Err(error) => return Err(error.into()),
                Ok(None) => {}
            }
        }
        Pip::find(python).map(Self::Pip).ok_or_else(|| {
            missing(match choice {
                InstallerChoice::Pip => format!("`{python}` has no pip"),
                _ => format!("there is no uv here, and `{python}` has no pip"),
            })
        })
    }

    /// Returns its name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Uv(_) => "uv",
            Self::Pip(_) => "pip",
        }
    }
}

/// The installation's own wheelhouse.
pub(super) struct Folder {
    dir: Utf8PathBuf,
    house: Manifest,
}

impl Folder {
    /// Opens it, if there is one that can be read.
    pub(super) fn of(root: &Utf8Path) -> Option<Self> {
        let dir = root.join(WHEELHOUSE);
        let house = Manifest::find(&dir).ok()??;
        Some(Self { dir, house })
    }

    /// Returns the very file that a source names, if the folder has it.
    pub(super) fn find(&self, source: &RunSource) -> Option<RunSource> {
        let RunSource::File {
            filename, hashes, ..
        } = source
        else {
            return None;
        };
        let path = self.dir.join(filename);
        let file = self.house.file(filename)?;
        let is_listed = hashes.get("sha256") == Some(&file.sha256) && fs::is_file(&path);
        let is_it = is_listed && digest::sha256_of_file(&path).ok()? == file.sha256;
        is_it.then(|| RunSource::Local {
            path: path.into_string(),
            hashes: hashes.clone(),
        })
    }
}
