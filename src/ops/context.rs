//! What a command may know of the machine, handed in by the edge.

use std::collections::BTreeMap;
use std::sync::Arc;

use camino::Utf8PathBuf;

use super::error::OpError;
use crate::environment::embedded::{PathFile, find_path_file};
use crate::environment::{Installed, Interpreter, ask};
use crate::host::{Clock, LockPolicy, fs};
use crate::package::Target;
use crate::progress::{Cancel, Progress, Silent};
use crate::requirements::origin::show_path;
use crate::workspace::python::Surroundings;
use crate::workspace::{
    Installation, PythonChoice, PythonReason, choose_python, find_installation_with,
};

/// What a command may know of the machine. Buildable by literal in a test.
#[derive(Clone)]
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

    /// Demands a core: without its requirements an answer could break it.
    ///
    /// # Errors
    ///
    /// Fails for a base directory whose core nobody named.
    pub fn needs_core(&self) -> Result<(), OpError> {
        if self.installation.comfyui.is_some() {
            return Ok(());
        }
        Err(OpError::NoCore {
            root: self.installation.root.clone(),
            logged: self.installation.logged_core(),
        })
    }

    /// Demands that the Python is the one of the history's newest state, unless it was named.
    ///
    /// # Errors
    ///
    /// Fails if a change would go into another environment than those before.
    pub fn needs_known_python(&self, recorded: &str) -> Result<(), OpError> {
        let root = &self.installation.root;
        let found = show_path(root, &self.interpreter.path);
        let named = matches!(
            self.choice.reason,
            PythonReason::Flag | PythonReason::Settings
        );
        // By directory: a virtual environment's interpreter is a link to its base's.
        let place = |path: &str| fs::canonical(root.join(path).parent()?).ok();
        if named || recorded.is_empty() || recorded == found || place(recorded) == place(&found) {
            return Ok(());
        }
        Err(OpError::PythonMoved {
            recorded: recorded.to_owned(),
            found,
        })
    }

    /// Says what a person should know about the choice of this Python.
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = self.choice.warnings.clone();
        let file = find_path_file(&self.interpreter.path);
        let site = self.interpreter.path.parent().and_then(|dir| {
            let site = self.interpreter.purelib.strip_prefix(dir).ok()?;
            Some(site.to_owned())
        });
        if let (Some(file), Some(site)) = (file, site)
            && let Ok(Some(text)) = fs::find_text(&file)
            && !PathFile::parse(&text).finds(site.as_str())
        {
            warnings.push(format!(
                "`{file}` neither imports site nor names `{site}`: this Python does not find what \
                 is installed there"
            ));
        }
        warnings
    }
}

impl Context {
    /// Returns the same without the network.
    #[must_use]
    pub fn cut_off(&self) -> Self {
        Self {
            offline: true,
            ..self.clone()
        }
    }

    /// Finds the installation.
    ///
    /// # Errors
    ///
    /// Fails if there is none.
    pub fn installation(&self) -> Result<Installation, OpError> {
        Ok(find_installation_with(
            &self.dir,
            self.root.as_deref(),
            self.core.as_deref(),
            &self.variables,
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
        let site = Site {
            installation,
            choice,
            interpreter,
            target,
        };
        for warning in site.warnings() {
            self.progress.warning(&warning);
        }
        Ok(site)
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
