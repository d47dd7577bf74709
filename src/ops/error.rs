//! Why a command could not do its work, gathered from all modules.

use crate::environment::InterpreterError;
use crate::git::GitError;
use crate::host::FsError;
use crate::host::hold::Held;
use crate::index::{DownloadError, IndexError};
use crate::lock::LockError;
use crate::nodes::NodeError;
use crate::package::artifact::show_bytes;
use crate::requirements::Problem;
use crate::snapshot::SnapshotError;
use crate::sync::Fault;
use crate::uv::UvError;
use crate::wheelhouse::HouseError;
use crate::workspace::WorkspaceError;
use crate::workspace::python::PythonError;
use camino::Utf8PathBuf;

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
    /// The history.
    #[error(transparent)]
    History(#[from] SnapshotError),
    /// uv.
    #[error(transparent)]
    Uv(#[from] UvError),
    /// A folder of wheels.
    #[error(transparent)]
    Wheelhouse(#[from] HouseError),
    /// A node that was named.
    #[error(transparent)]
    Node(#[from] NodeError),
    /// Several things have the name.
    #[error("`{name}` could be {}", .ids.join(", "))]
    Ambiguous {
        /// The name.
        name: String,
        /// What it could be.
        ids: Vec<String>,
    },
    /// Another run works here.
    #[error("another portenv works on this installation ({0})")]
    Busy(String),
    /// Another run uses the cache.
    #[error("another portenv uses the cache `{0}`")]
    CacheInUse(Utf8PathBuf),
    /// A run works here that may be dead, and nobody on this machine can tell.
    #[error("another portenv works on this installation, or did: {0}")]
    BusyElsewhere(String),
    /// A checkout has changed files.
    #[error("uncommitted changes in `{0}`, which are never overwritten")]
    Dirty(String),
    /// Something lies where a node is to go.
    #[error("`{0}` is in the way")]
    InTheWay(String),
    /// Programs have files loaded that would be replaced.
    #[error("{}", held(.0))]
    HeldOpen(Vec<Held>),
    /// A policy refuses.
    #[error("{0}")]
    Refused(String),
    /// What the plan says is no longer what is there.
    #[error("the installation changed since the plan was made")]
    PlanStale,
    /// Nobody is there to be asked.
    #[error("this changes the installation and needs a yes")]
    Confirm {
        /// The digest of the plan.
        plan: String,
    },
    /// The Python is another one than recorded.
    #[error(
        "the snapshot was made with Python {recorded}, but this installation's Python is {found}"
    )]
    PythonMismatch {
        /// The recorded version.
        recorded: String,
        /// The version found.
        found: String,
    },
    /// The Python is not the one that the history knows, and nobody named it.
    #[error("the last snapshot is of the Python `{recorded}`, but `{found}` would be changed")]
    PythonMoved {
        /// The recorded interpreter.
        recorded: String,
        /// The interpreter found.
        found: String,
    },
    /// Another program manages the Python.
    #[error("`{0}` is managed by another program (PEP 668)")]
    ManagedPython(Utf8PathBuf),
    /// A base directory whose core nobody named.
    #[error("`{root}` is a base directory, and nobody says which ComfyUI uses it")]
    NoCore {
        /// The base directory.
        root: Utf8PathBuf,
        /// The core that the newest log tells of.
        logged: Option<Utf8PathBuf>,
    },
    /// Not enough room.
    #[error("`{path}` has {} free, but about {} are needed", show_bytes(*.free), show_bytes(*.needed))]
    NoRoom {
        /// Where.
        path: Utf8PathBuf,
        /// How much is needed.
        needed: u64,
        /// How much is free.
        free: u64,
    },
    /// Packages that can be had nowhere.
    #[error("cannot be had again: {}", .0.join(", "))]
    Unrestorable(Vec<String>),
    /// Packages that only the network has, which may not be asked.
    #[error("not to be had offline: {}", .0.join(", "))]
    NotAtHand(Vec<String>),
    /// Packages of which the store holds something else than was kept.
    #[error("lost or damaged in the store: {}", .0.join(", "))]
    StoreDamaged(Vec<String>),
    /// uv said it was done, but it was not.
    #[error("the environment is not what was wanted: {}", faults(.0))]
    NotAsWanted(Vec<Fault>),
    /// A node's `install.py` failed.
    #[error("install.py of `{node}` {how}{}{}", left_behind(.left), last_lines(.last))]
    Script {
        /// The node.
        node: String,
        /// How it ended.
        how: String,
        /// Files that it changed and that stay so.
        left: Vec<String>,
        /// What it said last, safe to show.
        last: Vec<String>,
    },
    /// An undoing failed.
    #[error("the state before could not be put back whole:\n  {}", .0.join("\n  "))]
    Broken(Vec<String>),
    /// An archive that cannot be packed or unpacked.
    #[error("{0}")]
    Archive(String),
    /// There is no conflict to explain.
    #[error("{0}")]
    NoConflict(String),
    /// The work was asked to stop.
    #[error("interrupted")]
    Interrupted,
}

/// Returns an error with its causes: `cannot read `x`: permission denied`.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(deeper) = cause {
        let shown = deeper.to_string();
        if !text.ends_with(&shown) {
            text.push_str(": ");
            text.push_str(&shown);
        }
        cause = deeper.source();
    }
    text
}

impl From<DownloadError> for OpError {
    fn from(error: DownloadError) -> Self {
        match error {
            DownloadError::Index(IndexError::Interrupted) => Self::Interrupted,
            DownloadError::Index(error) => Self::Index(error),
            DownloadError::File(error) => Self::File(error),
        }
    }
}

fn faults(list: &[Fault]) -> String {
    let lines: Vec<String> = list
        .iter()
        .take(8)
        .map(|fault| format!("{}: {}", fault.package, fault.message))
        .collect();
    lines.join("; ")
}

fn held(list: &[Held]) -> String {
    let line = |held: &Held| match &held.by {
        Some(process) => format!(
            "`{}` would be replaced, and is in use ({process})",
            held.file
        ),
        None => format!("`{}` would be replaced, and is in use", held.file),
    };
    list.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn left_behind(list: &[String]) -> String {
    match list {
        [] => String::new(),
        list => format!(", and changed files that stay so: {}", list.join(", ")),
    }
}

fn last_lines(list: &[String]) -> String {
    match list {
        [] => "; it said nothing".to_owned(),
        list => format!("; its last lines:\n  {}", list.join("\n  ")),
    }
}

fn problems(list: &[Problem]) -> String {
    let lines: Vec<String> = list.iter().map(Problem::shown).collect();
    lines.join("\n")
}
