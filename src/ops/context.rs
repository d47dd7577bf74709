//! What a command may know of the machine, handed in by the edge.

use std::collections::BTreeMap;
use std::sync::Arc;

use camino::Utf8PathBuf;

use super::error::OpError;
use crate::environment::{Installed, Interpreter, ask};
use crate::host::{Clock, LockPolicy};
use crate::package::Target;
use crate::progress::{Cancel, Progress, Silent};
use crate::workspace::python::Surroundings;
use crate::workspace::{Installation, PythonChoice, choose_python, find_installation};

/// What a command may know of the machine. Buildable by literal in a test.
pub struct Context {
    /// The working directory.
    pub dir: Utf8PathBuf,
    /// `--root`.
    pub root: Option<Utf8PathBuf>,
    /// `--core`.
    pub core: Option<Utf8PathBuf>,
    /// `--python`.
    pub python: Option<Utf8PathBuf>,
    /// `--uv`.
    pub uv: Option<Utf8PathBuf>,
    /// The values of `${NAME}` in requirement files.
    pub variables: BTreeMap<String, String>,
    /// Active environments and PATH.
    pub around: Surroundings,
    /// Where answers are kept; nothing is kept if `None`.
    pub cache_dir: Option<Utf8PathBuf>,
    /// The text of a netrc file.
    pub netrc: Option<String>,
    /// No request may be made.
    pub offline: bool,
    /// Indexes named by the environment: default, further ones.
    pub index_urls: Vec<String>,
    /// How the installation is locked.
    pub locks: LockPolicy,
    /// The time.
    pub clock: Clock,
    /// Asks the work to stop.
    pub cancel: Cancel,
    /// Hears about long work.
    pub progress: Arc<dyn Progress>,
}

impl Default for Context {
    fn default() -> Self {
        Self {
            dir: Utf8PathBuf::from("."),
            root: None,
            core: None,
            python: None,
            uv: None,
            variables: BTreeMap::new(),
            around: Surroundings::default(),
            cache_dir: None,
            netrc: None,
            offline: false,
            index_urls: Vec::new(),
            locks: LockPolicy::default(),
            clock: Clock::system(),
            cancel: Cancel::default(),
            progress: Arc::new(Silent),
        }
    }
}

/// An installation with its Python and what is installed.
pub struct Site {
    /// The installation.
    pub installation: Installation,
    /// Which Python, and why.
    pub choice: PythonChoice,
    /// What that Python is.
    pub interpreter: Interpreter,
    /// This machine's own target.
    pub target: Target,
}

impl Site {
    /// Reads what is installed now.
    ///
    /// # Errors
    ///
    /// Fails if site-packages cannot be read.
    pub fn installed(&self) -> Result<Installed, OpError> {
        Ok(Installed::read(&self.interpreter)?)
    }
}

impl Context {
    /// Finds the installation.
    ///
    /// # Errors
    ///
    /// Fails if there is none.
    pub fn installation(&self) -> Result<Installation, OpError> {
        Ok(find_installation(
            &self.dir,
            self.root.as_deref(),
            self.core.as_deref(),
        )?)
    }

    /// Finds the installation and asks its Python.
    ///
    /// # Errors
    ///
    /// Fails if either is missing or the Python does not work.
    pub fn site(&self) -> Result<Site, OpError> {
        let installation = self.installation()?;
        let choice = choose_python(&installation, self.python.as_deref(), &self.around)?;
        let interpreter = ask(&choice.path, self.cache_dir.as_deref())?;
        let target = interpreter.target()?;
        Ok(Site {
            installation,
            choice,
            interpreter,
            target,
        })
    }

    /// Returns an error if the work was asked to stop.
    ///
    /// # Errors
    ///
    /// Fails with [`OpError::Interrupted`].
    pub fn check_cancel(&self) -> Result<(), OpError> {
        if self.cancel.is_requested() {
            Err(OpError::Interrupted)
        } else {
            Ok(())
        }
    }
}
