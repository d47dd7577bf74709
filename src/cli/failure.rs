//! The one place that knows exit codes, error codes, hints and flag names.

use std::error::Error;

pub use super::document::Next;
use crate::environment::InterpreterError;
use crate::host::FsError;
use crate::index::IndexError;
use crate::lock::LockError;
use crate::nodes::NodeError;
use crate::ops::OpError;
use crate::requirements::Origin;
use crate::snapshot::SnapshotError;
use crate::uv::UvError;
use crate::workspace::WorkspaceError;
use crate::workspace::python::PythonError;
use crate::workspace::settings::SettingsError;

/// Exit codes, the same for every command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done.
    Done = 0,
    /// The answer is no.
    No = 1,
    /// Bad usage or bad input.
    Usage = 2,
    /// The network.
    Network = 3,
    /// It could not be applied; the previous state stands.
    NotApplied = 4,
    /// The previous state could not be put back whole.
    Broken = 5,
    /// A bug.
    Internal = 101,
    /// Interrupted.
    Interrupted = 130,
}

/// A failure as it is shown.
#[derive(Debug, Clone)]
pub struct Failure {
    /// The word for programs.
    pub code: &'static str,
    /// The exit code.
    pub exit: Exit,
    /// What went wrong, with its causes.
    pub message: String,
    /// Where.
    pub origin: Option<Origin>,
    /// What to do about it, a line each.
    pub hints: Vec<String>,
    /// Commands to run next.
    pub next: Vec<Next>,
    /// The plan that needs a yes.
    pub plan: Option<String>,
}

impl Failure {
    /// Makes a failure without hints.
    pub fn new(code: &'static str, exit: Exit, message: impl Into<String>) -> Self {
        Self {
            code,
            exit,
            message: message.into(),
            origin: None,
            hints: Vec::new(),
            next: Vec::new(),
            plan: None,
        }
    }

    /// Adds a hint.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// Adds a next command.
    pub fn next(mut self, next: Next) -> Self {
        self.next.push(next);
        self
    }

    /// Adds the place.
    pub fn at(mut self, origin: Option<Origin>) -> Self {
        self.origin = origin;
        self
    }
}

/// An error with its causes: `cannot read `x`: permission denied`.
fn chain(error: &dyn Error) -> String {
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

impl From<OpError> for Failure {
    fn from(error: OpError) -> Self {
        let message = chain(&error);
        match error {
            OpError::Workspace(error) => of_workspace(error, message),
            OpError::Python(error) => of_python(&error, message),
            OpError::Interpreter(InterpreterError::Read(error)) | OpError::File(error) => {
                of_file(&error, message)
            }
            OpError::Interpreter(_) => Self::new("no-python", Exit::Usage, message)
                .hint("name another Python with --python PATH"),
            OpError::Index(error) | OpError::Node(NodeError::Index(error)) => {
                of_index(&error, message)
            }
            OpError::Lock(error) => of_lock(error, message),
            OpError::Git(error) if error.remote => Self::new("git", Exit::Network, message)
                .hint("check the address, or try again later"),
            OpError::Git(_) => Self::new("git", Exit::Usage, message).hint(
                "git must be on PATH, and a git URL may end with @ and a branch, tag or commit",
            ),
            OpError::Problems(problems) => {
                let code = problems
                    .first()
                    .map_or("invalid-requirement", |problem| problem.code);
                let code = if matches!(code, "invalid-file" | "invalid-policy") {
                    code
                } else {
                    "invalid-requirement"
                };
                let origin = problems.first().map(|problem| problem.origin.clone());
                Self::new(code, Exit::Usage, message)
                    .at(origin)
                    .hint(if code == "invalid-policy" {
                        "mend the line of portenv.toml"
                    } else {
                        "mend the line, or pass over such lines with --skip-invalid"
                    })
            }
            OpError::Usage(_) => Self::new("usage", Exit::Usage, message)
                .hint("portenv --help lists commands and flags"),
            OpError::Policy(_) => Self::new("invalid-policy", Exit::Usage, message)
                .hint("the README lists the keys of portenv.toml"),
            OpError::NotFound(_) => {
                let hint = if message.contains("snapshot") {
                    "portenv init records the first snapshot, portenv snapshot list shows all"
                } else if message.contains("no lock") {
                    "portenv lock makes one"
                } else {
                    "relative paths start at the working directory; portenv status shows the installation"
                };
                Self::new("not-found", Exit::Usage, message).hint(hint)
            }
            OpError::History(SnapshotError::Newer { .. }) => {
                Self::new("newer-format", Exit::Usage, message).hint("update portenv")
            }
            OpError::History(SnapshotError::File(error)) => of_file(&error, message),
            OpError::History(error) => of_history(&error, message),
            OpError::Uv(error) => of_uv(error, message),
            OpError::Node(NodeError::Git(error)) => OpError::Git(error).into(),
            OpError::Node(NodeError::File(error)) => of_file(&error, message),
            OpError::Node(NodeError::NotANode(_)) => Self::new("not-found", Exit::Usage, message)
                .hint("a node is a directory, an archive, a .py file or a git URL[@rev]"),
            OpError::Ambiguous { .. } => Self::new("ambiguous-id", Exit::Usage, message)
                .hint("give more digits, or one of these in full"),
            OpError::Busy(_) | OpError::CacheInUse(_) => {
                Self::new("busy", Exit::NotApplied, message)
                    .hint("wait for it to end, then run the command again")
            }
            OpError::BusyElsewhere(_) => Self::new("busy", Exit::NotApplied, message)
                .hint("wait for it to end, then run the command again")
                .hint("if that process is gone for good, --break-lock takes its lock away"),
            OpError::Dirty(_) => Self::new("dirty", Exit::No, message)
                .hint("commit or stash the changes, then run the command again"),
            OpError::InTheWay(_) => Self::new("in-use", Exit::NotApplied, message)
                .hint("move it away and run the command again"),
            OpError::Refused(_) => Self::new("refused", Exit::No, message),
            OpError::PlanStale => {
                Self::new("plan-stale", Exit::No, message).hint("look at the preview again")
            }
            OpError::Confirm { plan } => Self {
                plan: Some(plan.clone()),
                ..Self::new("confirm", Exit::Usage, message).hint(format!(
                    "--yes answers, --plan {plan} applies exactly this plan"
                ))
            },
            OpError::PythonMismatch { .. } => Self::new("python-mismatch", Exit::Usage, message)
                .hint("name the Python of the snapshot with --python PATH"),
            OpError::PythonMoved { found, .. } => {
                Self::new("python-mismatch", Exit::Usage, message).hint(format!(
                    "if `{found}` is meant, name it: --python, or in portenv.toml: [installation] python"
                ))
            }
            OpError::ManagedPython(_) => Self::new("refused", Exit::No, message)
                .hint("make a virtual environment in the installation: python -m venv .venv")
                .hint("or allow the change in portenv.toml: [installation] allow-system = true"),
            OpError::NoCore { logged, .. } => {
                let failure = Self::new("no-installation", Exit::Usage, message)
                    .hint("name it with --core DIR, or in portenv.toml: [installation] comfyui");
                match logged {
                    Some(dir) => failure.hint(format!("its newest log tells of `{dir}`")),
                    None => failure,
                }
            }
            OpError::NoRoom { .. } => Self::new("disk", Exit::NotApplied, message)
                .hint("make room on the disk and run the command again"),
            OpError::Unrestorable(_) => Self::new("refused", Exit::No, message).hint(
                "portenv diff shows what would change; add an index that has them to portenv.toml",
            ),
            OpError::NotAsWanted(_) => Self::new("apply", Exit::NotApplied, message),
            OpError::Broken(_) => Self::new("broken", Exit::Broken, message)
                .hint("portenv recover tries again")
                .next(Next::new(
                    "portenv recover",
                    true,
                    "tries again to put the state before back",
                )),
            OpError::Interrupted => Self::new("interrupted", Exit::Interrupted, message),
        }
    }
}

fn of_workspace(error: WorkspaceError, message: String) -> Failure {
    match error {
        WorkspaceError::NotFound { below, .. } if below.len() > 1 => {
            let shown: Vec<String> = below.iter().map(|dir| format!("`{dir}`")).collect();
            Failure::new("ambiguous-installation", Exit::Usage, format!("{message}; below it are {}", shown.join(" and ")))
                .hint(format!("name one: portenv --root {}", below[0]))
        }
        WorkspaceError::NotFound { below, .. } => {
            let failure = Failure::new("no-installation", Exit::Usage, message);
            match below.first() {
                Some(dir) => failure.hint(format!("there is one below: portenv --root {dir}")),
                None => failure.hint("change to the ComfyUI directory, or name it with --root DIR"),
            }
        }
        WorkspaceError::NotOne { .. } => Failure::new("no-installation", Exit::Usage, message).hint("name the ComfyUI checkout, or the folder that holds it and its Python, with --root DIR"),
        WorkspaceError::Settings(SettingsError::Invalid { file, line, column, .. }) => {
            let origin = Origin::file(crate::requirements::OriginKind::Policy, None, file.as_str()).at(line, column);
            Failure::new("invalid-policy", Exit::Usage, message).at(Some(origin)).hint("the README lists the keys of portenv.toml")
        }
        WorkspaceError::Settings(SettingsError::Read(error)) | WorkspaceError::Read(error) => of_file(&error, message),
    }
}

fn of_python(error: &PythonError, message: String) -> Failure {
    match error {
        PythonError::None { .. } | PythonError::Missing { .. } | PythonError::Seed { .. } => {
            Failure::new("no-python", Exit::Usage, message)
                .hint("name it with --python PATH, or in portenv.toml: [installation] python")
        }
        PythonError::Ambiguous { first, .. } => {
            Failure::new("ambiguous-installation", Exit::Usage, message)
                .hint(format!("name one: --python {first}"))
        }
    }
}

/// A file that cannot be read is bad input; one that cannot be written could not
/// be applied.
fn of_file(error: &FsError, message: String) -> Failure {
    if error.is_full() {
        return Failure::new("disk", Exit::NotApplied, message)
            .hint("make room on the disk and run the command again");
    }
    let reading = matches!(
        error.verb,
        "read" | "inspect" | "list" | "resolve" | "read link"
    );
    if reading {
        return Failure::new("invalid-file", Exit::Usage, message)
            .hint("make the file readable, or name another one");
    }
    if error.is_denied() {
        return Failure::new("permission", Exit::NotApplied, message)
            .hint("make the directory writable for this user");
    }
    Failure::new("disk", Exit::NotApplied, message)
        .hint("move away what is in the way, then run the command again")
}

fn of_index(error: &IndexError, message: String) -> Failure {
    match error {
        IndexError::Unreachable { .. } => Failure::new("network", Exit::Network, message).hint("check the address and the connection; --offline uses only what is in the cache"),
        IndexError::Git { .. } => Failure::new("git", Exit::Network, message).hint("check the address, the connection and that git may read the repository"),
        IndexError::Offline { .. } => Failure::new("offline", Exit::Network, message).hint("run once without --offline to fill the cache"),
        IndexError::Integrity { .. } => Failure::new("integrity", Exit::Network, message).hint("the index or something on the way gave a wrong answer; try again, or use another index"),
        IndexError::Interrupted => Failure::new("interrupted", Exit::Interrupted, message),
    }
}

fn of_history(error: &SnapshotError, message: String) -> Failure {
    // A disk without room for the shared memory of a database is told as an I/O error.
    let full = matches!(error, SnapshotError::Sqlite { source, .. } if matches!(source.sqlite_error_code(), Some(rusqlite::ErrorCode::DiskFull | rusqlite::ErrorCode::SystemIoFailure)));
    let denied = matches!(error, SnapshotError::Sqlite { source, .. } if matches!(source.sqlite_error_code(), Some(rusqlite::ErrorCode::ReadOnly | rusqlite::ErrorCode::PermissionDenied | rusqlite::ErrorCode::CannotOpen)));
    if full {
        return Failure::new("disk", Exit::NotApplied, message)
            .hint("make room on the disk and run the command again");
    }
    if denied {
        return Failure::new("permission", Exit::NotApplied, message)
            .hint("make the directory writable for this user");
    }
    Failure::new("invalid-file", Exit::Usage, message)
        .hint("move .portenv/portenv.db away to begin a new history; nothing else depends on it")
}

fn of_uv(error: UvError, message: String) -> Failure {
    match error {
        UvError::Index(error) => of_index(&error, message),
        UvError::File(error) => of_file(&error, message),
        UvError::Failed { network: true, .. } => Failure::new("network", Exit::Network, message)
            .hint("nothing was changed; check the connection and run the command again"),
        UvError::Failed { .. } => Failure::new("apply", Exit::NotApplied, message),
        UvError::Missing(_) | UvError::Start(_) => Failure::new("uv", Exit::NotApplied, message)
            .hint("install uv, or name one with --uv PATH"),
    }
}

fn of_lock(error: LockError, message: String) -> Failure {
    match error {
        LockError::Invalid {
            file, line, column, ..
        } => {
            let origin = Origin::file(crate::requirements::OriginKind::File, None, file.as_str())
                .at(line, column);
            Failure::new("invalid-lock", Exit::Usage, message)
                .at(Some(origin))
                .hint(format!(
                    "restore `{file}` from version control, or delete it and run portenv lock"
                ))
        }
        LockError::Newer { .. } => {
            Failure::new("newer-format", Exit::Usage, message).hint("update portenv")
        }
        LockError::Read(error) => of_file(&error, message),
    }
}
