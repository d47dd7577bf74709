//! Why a command could not do its work, gathered from all modules.

use crate::environment::InterpreterError;
use crate::git::GitError;
use crate::host::FsError;
use crate::index::IndexError;
use crate::lock::LockError;
use crate::requirements::Problem;
use crate::workspace::WorkspaceError;
use crate::workspace::python::PythonError;

/// Why a command could not do its work.
#[derive(Debug, thiserror::Error)]
pub enum OpError {
    /// The installation.
    #[error(transparent)]
    Workspace(#[from] WorkspaceError),
    /// The choice of a Python.
    #[error(transparent)]
    Python(#[from] PythonError),
    /// The Python itself.
    #[error(transparent)]
    Interpreter(#[from] InterpreterError),
    /// A file.
    #[error(transparent)]
    File(#[from] FsError),
    /// The network or an index.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// A lock.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// Git.
    #[error(transparent)]
    Git(#[from] GitError),
    /// Requirement files that cannot be read.
    #[error("{}", problems(.0))]
    Problems(Vec<Problem>),
    /// A value of an option.
    #[error("{0}")]
    Usage(String),
    /// A value of `portenv.toml`.
    #[error("{0}")]
    Policy(String),
    /// A thing that was named is not there.
    #[error("{0}")]
    NotFound(String),
    /// The work was asked to stop.
    #[error("interrupted")]
    Interrupted,
}

fn problems(list: &[Problem]) -> String {
    let lines: Vec<String> = list.iter().map(Problem::shown).collect();
    lines.join("\n")
}
