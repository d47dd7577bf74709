//! The one place that knows exit codes, error codes, hints and flag names.

pub use super::document::{ErrorCode, Next};
use crate::environment::InterpreterError;
use crate::host::FsError;
use crate::index::IndexError;
use crate::lock::LockError;
use crate::nodes::NodeError;
use crate::ops::OpError;
use crate::ops::error::chain;
use crate::requirements::Origin;
use crate::snapshot::SnapshotError;
use crate::uv::UvError;
use crate::wheelhouse::HouseError;
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

/// A change of the command line that does away with a failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mend {
    /// A flag with another value.
    Set {
        /// The flag.
        flag: &'static str,
        /// Its value.
        value: String,
        /// What that is good for.
        why: &'static str,
    },
    /// One word for another.
    Replace {
        /// The word that was typed.
        word: String,
        /// The one that is meant.
        by: String,
        /// What that is good for.
        why: &'static str,
    },
}

impl Mend {
    /// Makes a change of a flag's value.
    pub fn set(flag: &'static str, value: impl Into<String>, why: &'static str) -> Self {
        Self::Set {
            flag,
            value: value.into(),
            why,
        }
    }
}

/// A failure as it is shown.
#[derive(Debug, Clone)]
pub struct Failure {
    /// The word for programs.
    pub code: ErrorCode,
    /// What went wrong, with its causes.
    pub message: String,
    /// Where.
    pub origin: Option<Origin>,
    /// What to do about it, a line each.
    pub hints: Vec<String>,
    /// The same command line, mended.
    pub mends: Vec<Mend>,
    /// Commands to run next; the usual ones of the code if there are none.
    pub next: Vec<Next>,
    /// The plan that needs a yes.
    pub plan: Option<String>,
}

impl Failure {
    /// Makes a failure without hints.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            origin: None,
            hints: Vec::new(),
            mends: Vec::new(),
            next: Vec::new(),
            plan: None,
        }
    }

    /// Returns the exit code.
    pub fn exit(&self) -> Exit {
        self.code.exit()
    }

    /// Adds a hint.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// Adds how the command line is mended.
    pub fn mend(mut self, mend: Mend) -> Self {
        self.mends.push(mend);
        self
    }

    /// Adds a next command.
    pub fn next(mut self, next: Next) -> Self {
        self.next.push(next);
        self
    }

    /// Adds that each of these is an installation.
    fn roots(self, found: &[camino::Utf8PathBuf]) -> Self {
        let set =
            |dir: &camino::Utf8PathBuf| Mend::set("--root", dir.as_str(), "works on this one");
        found.iter().map(set).fold(self, Self::mend)
    }

    /// Adds the place.
    pub fn at(mut self, origin: Option<Origin>) -> Self {
        self.origin = origin;
        self
    }
}

/// For bad usage of the program; a command's own help is named instead where one was typed.
pub const LISTS_COMMANDS: &str = "portenv --help lists commands and flags";

const GIT: &str = "git must be on PATH, and a git URL may end with @ and a branch, tag or commit";

impl From<OpError> for Failure {
    fn from(error: OpError) -> Self {
        let message = chain(&error);
        match error {
            OpError::Workspace(error) => of_workspace(error, message),
            OpError::Python(error) => of_python(&error, message),
            OpError::Interpreter(InterpreterError::Read(error)) | OpError::File(error) => {
                of_file(&error, message)
            }
            OpError::Interpreter(_) => Self::new(ErrorCode::NoPython, message)
                .hint("name another Python with --python PATH"),
            OpError::Index(error) | OpError::Node(NodeError::Index(error)) => {
                of_index(&error, message)
            }
            OpError::Lock(error) => of_lock(error, message),
            OpError::Git(error) if error.remote => {
                Self::new(ErrorCode::Git, message).hint("check the address, or try again later")
            }
            // With no remote in play it is one more step that could not be done.
            OpError::Git(_) => of_system(message, GIT),
            OpError::Problems(problems) => {
                let code = problems
                    .first()
                    .map_or("invalid-requirement", |problem| problem.code);
                let code = match code {
                    "invalid-file" => ErrorCode::InvalidFile,
                    "invalid-policy" => ErrorCode::InvalidPolicy,
                    "refused" => ErrorCode::Refused,
                    _ => ErrorCode::InvalidRequirement,
                };
                let origin = problems.first().map(|problem| problem.origin.clone());
                Self::new(code, message)
                    .at(origin)
                    .hint(match code {
                        ErrorCode::InvalidPolicy => "mend the line of portenv.toml",
                        ErrorCode::Refused => {
                            "change that line of portenv.toml by hand if it is to go"
                        }
                        _ => "mend the line, or pass over such lines with --skip-invalid",
                    })
            }
            OpError::Usage(_) => {
                Self::new(ErrorCode::Usage, message).hint(LISTS_COMMANDS)
            }
            OpError::Archive(_) => Self::new(ErrorCode::InvalidFile, message),
            OpError::Policy(_) => Self::new(ErrorCode::InvalidPolicy, message)
                .hint("the README lists the keys of portenv.toml"),
            OpError::NotFound(_) if message.contains("no tag or branch") => {
                Self::new(ErrorCode::NotFound, message)
                    .hint("git ls-remote --tags lists what a repository has")
                    .mend(Mend::set("--core", "latest", "asks about the newest release"))
            }
            OpError::NotFound(_) => {
                let (hint, next) = if message.contains("no snapshot yet") {
                    (
                        "portenv init records the first snapshot",
                        Next::new("portenv init", true, "records the first snapshot"),
                    )
                } else if message.contains("there is no environment") {
                    (
                        "an environment goes by its name, or by a path with a slash in it",
                        Next::new("portenv venv list", false, "shows all environments"),
                    )
                } else if message.contains("there is no node") {
                    (
                        "a node goes by its name or its directory; portenv tree shows those that are loaded",
                        Next::new("portenv tree", false, "shows the nodes and what they need"),
                    )
                } else if message.contains("snapshot") {
                    (
                        "a snapshot goes by how its id begins, its label, @ for the newest, or @~1 for the one before",
                        Next::new("portenv snapshot list", false, "shows all snapshots"),
                    )
                } else if message.contains("no lock") {
                    (
                        "portenv lock makes one",
                        Next::new("portenv lock", true, "makes a lock"),
                    )
                } else {
                    (
                        "relative paths start at the working directory; portenv status shows the installation",
                        Next::new("portenv status", false, "shows the installation as it is"),
                    )
                };
                Self::new(ErrorCode::NotFound, message)
                    .hint(hint)
                    .next(next)
            }
            OpError::History(SnapshotError::Newer { .. }) => {
                Self::new(ErrorCode::NewerFormat, message).hint("update portenv")
            }
            OpError::History(SnapshotError::File(error)) => of_file(&error, message),
            OpError::History(error) => of_history(&error, message),
            OpError::Uv(error) => of_uv(error, message),
            OpError::Wheelhouse(error) => of_wheelhouse(error, message),
            OpError::Node(NodeError::Git(error)) if error.remote => OpError::Git(error).into(),
            OpError::Node(NodeError::Git(_)) => match of_system(message.clone(), GIT) {
                found if found.code != ErrorCode::Apply => found,
                _ => Self::new(ErrorCode::NotFound, message).hint(GIT),
            },
            OpError::Node(NodeError::File(error)) => of_file(&error, message),
            OpError::Node(NodeError::NotANode(_)) => Self::new(ErrorCode::NotFound, message)
                .hint("a node is a directory, an archive, a .py file or a git URL[@rev]"),
            OpError::Ambiguous { name, ids } => {
                let failure = Self::new(ErrorCode::AmbiguousId, message)
                    .hint("give more digits, or one of these in full");
                ids.iter().fold(failure, |failure, id| {
                    failure.mend(Mend::Replace {
                        word: name.clone(),
                        by: id.clone(),
                        why: "names one of them",
                    })
                })
            }
            OpError::Busy(_) | OpError::CacheInUse(_) => Self::new(ErrorCode::Busy, message)
                .hint("wait for it to end, then run the command again"),
            OpError::BusyElsewhere(_) => Self::new(ErrorCode::Busy, message)
                .hint("wait for it to end, then run the command again")
                .hint("if that process is gone for good, --break-lock takes its lock away"),
            OpError::Dirty(_) => Self::new(ErrorCode::Dirty, message)
                .hint("commit or stash the changes, or let rollback, undo, redo and update do so with --stash"),
            OpError::InTheWay(_) => {
                Self::new(ErrorCode::InUse, message).hint("move it away and run the command again")
            }
            OpError::HeldOpen(_) => Self::new(ErrorCode::InUse, message)
                .hint("end that program, ComfyUI perhaps, then run the command again"),
            OpError::Refused(_) if message.contains("run portenv lock") => {
                Self::new(ErrorCode::Refused, message).next(Next::new(
                    "portenv lock",
                    true,
                    "makes a lock for this machine",
                ))
            }
            OpError::Refused(_) => Self::new(ErrorCode::Refused, message),
            OpError::PlanStale => {
                Self::new(ErrorCode::PlanStale, message).hint("look at the preview again")
            }
            OpError::Confirm { plan } => Self {
                plan: Some(plan.clone()),
                ..Self::new(ErrorCode::Confirm, message).hint(format!(
                    "--yes answers, --plan {plan} applies exactly this plan"
                ))
            },
            OpError::PythonMismatch { .. } => Self::new(ErrorCode::PythonMismatch, message)
                .hint("name the Python of the snapshot with --python PATH"),
            OpError::PythonMoved { found, .. } => {
                Self::new(ErrorCode::PythonMismatch, message).hint(format!(
                    "if `{found}` is meant, name it: --python, or in portenv.toml: [installation] python"
                ))
            }
            OpError::ManagedPython(_) => Self::new(ErrorCode::Refused, message)
                .hint("make a virtual environment in the installation: python -m venv .venv")
                .hint("or allow the change in portenv.toml: [installation] allow-system = true"),
            OpError::NoCore { logged, .. } => {
                let failure = Self::new(ErrorCode::NoInstallation, message)
                    .hint("name it with --core DIR, or in portenv.toml: [installation] comfyui");
                match logged {
                    Some(dir) => failure.hint(format!("its newest log tells of `{dir}`")),
                    None => failure,
                }
            }
            OpError::NoRoom { .. } => Self::new(ErrorCode::Disk, message)
                .hint("make room on the disk and run the command again"),
            OpError::Unrestorable(all) if all.iter().any(|one| one.starts_with("the node ")) => {
                Self::new(ErrorCode::Refused, message).hint(
                    "copy it back to its place from where it still is, then run the command again",
                )
            }
            OpError::Unrestorable(_) => Self::new(ErrorCode::Refused, message).hint(
                "portenv diff shows what would change; add an index that has them to portenv.toml",
            ),
            OpError::NotAtHand(_) => Self::new(ErrorCode::Offline, message)
                .hint("nothing was changed; without --offline they are fetched")
                .hint("store = \"all\" under [policy] in portenv.toml keeps what is installed from now on"),
            OpError::StoreDamaged(_) => Self::new(ErrorCode::Integrity, message)
                .hint("nothing was changed; portenv snapshot list shows other snapshots"),
            OpError::NotAsWanted(_) => Self::new(ErrorCode::Apply, message),
            OpError::Script { .. } => Self::new(ErrorCode::Apply, message)
                .hint("without --run-install-script the node is added as it is")
                .hint("--install-timeout SECONDS gives a script more time"),
            OpError::Broken(_) => {
                Self::new(ErrorCode::Broken, message).hint("portenv recover tries again")
            }
            OpError::NoConflict(_) => Self::new(ErrorCode::NotFound, message)
                .hint("portenv check looks for conflicts")
                .hint(format!(
                    "portenv explain CODE tells what a code of check means: {}",
                    crate::ops::explain::codes()
                ))
                .next(Next::new("portenv check", false, "looks for conflicts")),
            OpError::Interrupted => Self::new(ErrorCode::Interrupted, message),
        }
    }
}

fn of_workspace(error: WorkspaceError, message: String) -> Failure {
    match error {
        WorkspaceError::NotFound { ref below, .. } if below.len() > 1 => {
            let shown: Vec<String> = below.iter().map(|dir| format!("`{dir}`")).collect();
            Failure::new(ErrorCode::AmbiguousInstallation, format!("{message}; below it are {}", shown.join(" and ")))
                .hint(format!("name one: portenv --root {}", below[0]))
                .roots(below)
        }
        WorkspaceError::NotFound { ref below, .. } => {
            let failure = Failure::new(ErrorCode::NoInstallation, message);
            match below.first() {
                Some(dir) => failure
                    .hint(format!("there is one below: portenv --root {dir}"))
                    .roots(below),
                None => failure.hint("change to the ComfyUI directory, or name it with --root DIR"),
            }
        }
        WorkspaceError::NotOne { .. } => Failure::new(ErrorCode::NoInstallation, message).hint("name the ComfyUI checkout, or the folder that holds it and its Python, with --root DIR"),
        WorkspaceError::Settings(SettingsError::Invalid { file, line, column, .. }) => {
            let origin = Origin::file(crate::requirements::OriginKind::Policy, None, file.as_str()).at(line, column);
            Failure::new(ErrorCode::InvalidPolicy, message).at(Some(origin)).hint("the README lists the keys of portenv.toml")
        }
        WorkspaceError::Settings(SettingsError::Read(error)) | WorkspaceError::Read(error) => of_file(&error, message),
    }
}

fn of_python(error: &PythonError, message: String) -> Failure {
    match error {
        PythonError::None { .. } | PythonError::Missing { .. } | PythonError::Seed { .. } => {
            Failure::new(ErrorCode::NoPython, message)
                .hint("name it with --python PATH, or in portenv.toml: [installation] python")
        }
        PythonError::Ambiguous { first, .. } => {
            Failure::new(ErrorCode::AmbiguousInstallation, message)
                .hint(format!("name one: --python {first}"))
                .mend(Mend::set("--python", first.as_str(), "takes this Python"))
        }
    }
}

/// A file that cannot be read is bad input; one that cannot be written could not
/// be applied.
fn of_file(error: &FsError, message: String) -> Failure {
    if error.is_full() {
        return Failure::new(ErrorCode::Disk, message)
            .hint("make room on the disk and run the command again");
    }
    let reading = matches!(
        error.verb,
        "read" | "inspect" | "list" | "resolve" | "read link"
    );
    if reading {
        return Failure::new(ErrorCode::InvalidFile, message)
            .hint("make the file readable, or name another one");
    }
    if error.is_denied() {
        return Failure::new(ErrorCode::Permission, message)
            .hint("make the directory writable for this user");
    }
    Failure::new(ErrorCode::Disk, message)
        .hint("move away what is in the way, then run the command again")
}

fn of_index(error: &IndexError, message: String) -> Failure {
    match error {
        IndexError::Unreachable { .. } => Failure::new(ErrorCode::Network, message).hint("check the address and the connection; --offline uses only what is in the cache"),
        IndexError::Git { .. } => Failure::new(ErrorCode::Git, message).hint("check the address, the connection and that git may read the repository"),
        IndexError::Offline { .. } => Failure::new(ErrorCode::Offline, message).hint("run once without --offline to fill the cache"),
        IndexError::Integrity { .. } => Failure::new(ErrorCode::Integrity, message).hint("the index or something on the way gave a wrong answer; try again, or use another index"),
        IndexError::Interrupted => Failure::new(ErrorCode::Interrupted, message),
    }
}

fn of_history(error: &SnapshotError, message: String) -> Failure {
    // A disk without room for the shared memory of a database is told as an I/O error.
    let full = matches!(error, SnapshotError::Sqlite { source, .. } if matches!(source.sqlite_error_code(), Some(rusqlite::ErrorCode::DiskFull | rusqlite::ErrorCode::SystemIoFailure)));
    let denied = matches!(error, SnapshotError::Sqlite { source, .. } if matches!(source.sqlite_error_code(), Some(rusqlite::ErrorCode::ReadOnly | rusqlite::ErrorCode::PermissionDenied | rusqlite::ErrorCode::CannotOpen)));
    let busy = matches!(error, SnapshotError::Sqlite { source, .. } if matches!(source.sqlite_error_code(), Some(rusqlite::ErrorCode::DatabaseBusy | rusqlite::ErrorCode::DatabaseLocked)));
    if full {
        return Failure::new(ErrorCode::Disk, message)
            .hint("make room on the disk and run the command again");
    }
    if busy {
        return Failure::new(ErrorCode::Busy, message)
            .hint("end the program that has the file open, then run the command again");
    }
    if denied {
        return Failure::new(ErrorCode::Permission, message)
            .hint("make the directory writable for this user");
    }
    Failure::new(ErrorCode::InvalidFile, message)
        .hint("portenv recover moves it aside and rebuilds the history from what can be read")
        .next(Next::new(
            "portenv recover",
            true,
            "keeps the damaged file and rebuilds the history",
        ))
}

fn of_uv(error: UvError, message: String) -> Failure {
    match error {
        UvError::Index(error) => of_index(&error, message),
        UvError::File(error) => of_file(&error, message),
        UvError::Failed { network: true, .. } => Failure::new(ErrorCode::Network, message)
            .hint("nothing was changed; check the connection and run the command again"),
        UvError::Failed { .. } | UvError::Pip(_) => of_system(
            message,
            "these are the installer's own words; portenv status shows what is there",
        ),
        UvError::Missing(_) | UvError::Start(_) => {
            Failure::new(ErrorCode::Uv, message).hint("install uv, or name one with --uv PATH")
        }
    }
}

/// Tells from the system's own words, which another program passes on, what it failed for.
fn of_system(message: String, else_hint: &str) -> Failure {
    let says = |signs: &[&str]| signs.iter().any(|sign| message.contains(sign));
    if says(&[
        "No space left on device",
        "(os error 28)",
        "(os error 112)",
        "(os error 122)",
    ]) {
        return Failure::new(ErrorCode::Disk, message)
            .hint("make room on the disk and run the command again");
    }
    if says(&["(os error 32)", "(os error 26)"]) {
        return Failure::new(ErrorCode::InUse, message)
            .hint("end the program that uses the file, then run the command again");
    }
    let words = [
        "Permission denied",
        "Read-only file system",
        "Operation not permitted",
    ];
    if says(&words) || says(&["(os error 13)", "(os error 30)", "(os error 5)"]) {
        return Failure::new(ErrorCode::Permission, message)
            .hint("make the directory writable for this user");
    }
    if says(&["ended by signal 9"]) {
        return Failure::new(ErrorCode::Apply, message).hint(
            "systems end programs so when memory runs out; with more of it, run the command again",
        );
    }
    Failure::new(ErrorCode::Apply, message).hint(else_hint)
}

fn of_wheelhouse(error: HouseError, message: String) -> Failure {
    match error {
        HouseError::File(error) => of_file(&error, message),
        HouseError::Lock(error) => of_lock(error, message),
        HouseError::NotOne(_) => Failure::new(ErrorCode::NotFound, message).hint(
            "name the folder, or fill one with portenv wheelhouse build where there is a network",
        ),
        HouseError::Taken(_) => {
            Failure::new(ErrorCode::Usage, message).hint("name an empty folder or a new one")
        }
        HouseError::Invalid {
            file, line, column, ..
        } => {
            let kind = crate::requirements::OriginKind::File;
            let origin = Origin::file(kind, None, file.as_str()).at(line, column);
            Failure::new(ErrorCode::InvalidFile, message)
                .at(Some(origin))
                .hint(format!(
                    "delete `{file}` and run portenv wheelhouse build again"
                ))
        }
        HouseError::Newer { .. } => {
            Failure::new(ErrorCode::NewerFormat, message).hint("update portenv")
        }
        HouseError::Name { .. } => Failure::new(ErrorCode::InvalidLock, message)
            .hint("the lock names a file that no folder may hold; portenv lock makes it anew"),
        HouseError::Elsewhere { .. } => Failure::new(ErrorCode::Refused, message).hint(
            "portenv wheelhouse build --target fills a folder for another machine of the lock",
        ),
        HouseError::OtherPython { .. } => Failure::new(ErrorCode::PythonMismatch, message)
            .hint("name a Python of that version with --python PATH"),
        HouseError::Unfit { changed, .. } => {
            let code = if changed {
                ErrorCode::Integrity
            } else {
                ErrorCode::InvalidFile
            };
            Failure::new(code, message)
                .hint("portenv wheelhouse build, where there is a network, brings what is lacking")
                .next(Next::new(
                    "portenv wheelhouse check",
                    false,
                    "names everything that is wrong with the folder",
                ))
        }
    }
}

fn of_lock(error: LockError, message: String) -> Failure {
    match error {
        LockError::Invalid {
            file, line, column, ..
        } => {
            let origin = Origin::file(crate::requirements::OriginKind::File, None, file.as_str())
                .at(line, column);
            Failure::new(ErrorCode::InvalidLock, message)
                .at(Some(origin))
                .hint(format!(
                    "restore `{file}` from version control, or delete it and run portenv lock"
                ))
        }
        LockError::Newer { .. } => {
            Failure::new(ErrorCode::NewerFormat, message).hint("update portenv")
        }
        LockError::Read(error) => of_file(&error, message),
    }
}
